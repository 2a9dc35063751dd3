//! Incremental transfers: what a secondary makes of them is the version that it asked for, whatever it had.

use std::collections::BTreeSet;

use hickory_proto::op::Message;
use proptest::prelude::*;

use super::transfers::{origin, request, transfer};
use super::*;
use crate::dns::time::Ttl;
use crate::zone::contents::soa_with_serial;
use crate::zone::edit::Rrset;
use crate::zone::history::{History, Limits, Step};
use crate::zone::{Contents, Delta, Editor, Presigned};

const PEER: &str = "192.0.2.1";
const HOSTS: u8 = 40;

/// What one version changes: a host's address (0: none), or its TTL.
type Edits = Vec<(u8, u8, bool)>;

/// The version after `before`: edited, with fresh signatures over what changed and over the SOA record.
fn next(before: &Contents, serial: u32, edits: &Edits) -> Contents {
    let mut editor = Editor::new(before, Presigned::Keep);
    let soa = editor.rrset(before.origin().as_ref(), Rtype::SOA).unwrap().clone();
    let signature =
        |rtype: Rtype| [&rtype.0.to_be_bytes()[..], &[13; 16], &serial.to_be_bytes(), &[0; 40]].concat();
    let apex = before.origin().as_ref();
    editor.set(apex, Rtype::SOA, Rrset::default());
    editor.add(apex, Rtype::SOA, Ttl(60), &soa_with_serial(&soa.rdatas[0], Serial(serial)));
    editor.add(apex, Rtype::RRSIG, Ttl(60), &signature(Rtype::SOA));
    for &(host, address, long) in edits {
        let owner = before.origin().child(format!("host{}", host % HOSTS).as_bytes()).unwrap();
        editor.set(owner.as_ref(), Rtype::A, Rrset::default());
        for last in 1..=address % 4 {
            editor.add(owner.as_ref(), Rtype::A, Ttl(if long { 3_600 } else { 60 }), &[192, 0, 2, last]);
            editor.add(owner.as_ref(), Rtype::RRSIG, Ttl(60), &signature(Rtype::A));
        }
    }
    editor.finish().contents
}

/// A zone with so many versions; the last is served.
fn zones(edits: &[Edits], stepwise: bool) -> (Vec<Contents>, Zones) {
    let text = "example. 60 IN SOA ns.example. host.example. 1 3600 900 604800 60
                example. 60 IN NS ns.example.
                ns.example. 60 IN A 192.0.2.1";
    let mut contents = fixture::zone("example.", text).contents().clone();
    let full: Edits = (0..HOSTS).map(|host| (host, host | 1, false)).collect();
    contents = next(&contents, 1, &full);
    let mut versions = vec![contents];
    let mut history = History::default();
    for (edits, serial) in edits.iter().zip(2..) {
        let old = &versions[versions.len() - 1];
        let new = next(old, serial, edits);
        let delta = Delta::between(Some(old), &new, Some(Serial(serial - 1)), Serial(serial));
        history.push(Step::new(delta), Limits { versions: 100, octets: 1 << 30 });
        versions.push(new);
    }
    let snapshot = Arc::new(Snapshot::new(versions[versions.len() - 1].clone()).unwrap());
    let rule = Rule { from: Some(Prefix::one(PEER.parse().unwrap())), key: None, tls: None };
    let zone = Zone::ready(snapshot, Arc::new(Access::new(vec![rule])))
        .with_history(Arc::new(history))
        .sent_stepwise(stepwise);
    (versions, Zones::new(vec![zone], Arc::default(), Arc::default()))
}

/// Every record of a version, as a whole transfer has it.
fn records(contents: &Contents) -> BTreeSet<String> {
    let snapshot = Snapshot::new(contents.clone()).unwrap();
    let rule = Rule { from: Some(Prefix::one(PEER.parse().unwrap())), key: None, tls: None };
    let zone = Zone::ready(Arc::new(snapshot), Arc::new(Access::new(vec![rule])));
    let zones = Zones::new(vec![zone], Arc::default(), Arc::default());
    let asked = request(contents.origin(), Rtype::AXFR, None, None);
    transfer(&zones, PEER, asked, MAX_MESSAGE).unwrap().records.into_iter().collect()
}

/// What a secondary that has `old` has after `answer` (RFC 1995 §4). Panics where the answer does not fit.
fn applied(mut zone: BTreeSet<String>, answer: &[String]) -> BTreeSet<String> {
    let is_soa = |record: &str| record.contains(" IN SOA ");
    let (first, rest) = answer.split_first().unwrap();
    let (last, rest) = rest.split_last().unwrap();
    assert!(is_soa(first) && first == last);
    let mut adds = true;
    for record in rest {
        if is_soa(record) {
            adds = !adds;
        }
        let fits = if adds { zone.insert(record.clone()) } else { zone.remove(record) };
        assert!(fits, "adds {adds}: {record}");
    }
    assert!(zone.contains(first));
    zone
}

fn edits() -> impl Strategy<Value = Vec<Edits>> {
    let edit = (any::<u8>(), any::<u8>(), any::<bool>());
    proptest::collection::vec(proptest::collection::vec(edit, 1..4), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn changes_applied_to_any_version_give_the_last(edits in edits(), stepwise in any::<bool>()) {
        let (versions, zones) = zones(&edits, stepwise);
        let latest = records(&versions[versions.len() - 1]);
        for (version, serial) in versions[..versions.len() - 1].iter().zip(1..) {
            let old = records(version);
            for room in [512, MAX_MESSAGE] {
                let asked = request(version.origin(), Rtype::IXFR, Some(serial), None);
                let got = transfer(&zones, PEER, asked, room).unwrap();
                prop_assert!(got.records.len() < latest.len(), "not the whole zone");
                let soas = got.records.iter().filter(|record| record.contains(" IN SOA ")).count();
                let steps = if stepwise { versions.len() - serial as usize } else { 1 };
                prop_assert_eq!(soas, 2 + 2 * steps);
                prop_assert_eq!(&applied(old.clone(), &got.records), &latest);
            }
        }
    }
}

#[test]
fn a_version_that_is_not_known_or_whose_changes_are_more_than_the_zone_gets_the_whole_zone() {
    let everything: Edits = (0..HOSTS).map(|host| (host, host + 2, true)).collect();
    let (versions, zones) = zones(&[everything, vec![(1, 2, false)]], false);
    let whole = records(&versions[2]);
    for serial in [0, 1] {
        let got =
            transfer(&zones, PEER, request(&origin(&zones), Rtype::IXFR, Some(serial), None), MAX_MESSAGE);
        let got = got.unwrap().records;
        assert_eq!(got.len(), whole.len() + 1);
        assert!(got.into_iter().collect::<BTreeSet<_>>() == whole);
    }
    let last = transfer(&zones, PEER, request(&origin(&zones), Rtype::IXFR, Some(2), None), MAX_MESSAGE);
    assert!(last.unwrap().records.len() < 20);
}

#[test]
fn by_udp_changes_come_in_one_message_or_not_at_all() {
    let few = vec![(1, 2, false)];
    let many: Edits = (0..HOSTS / 2).map(|host| (host, 0, false)).collect();
    for (edits, fits) in [(few, true), (many, false)] {
        let (versions, zones) = zones(&[edits], false);
        let mut out = vec![0; usize::from(UDP_PAYLOAD)];
        let (asked, _) = request(&origin(&zones), Rtype::IXFR, Some(1), None);
        let peer = transfers::from(PEER);
        let outcome = Answerer::default().answer(&asked, peer, Transport::Udp, &zones, NOW, &mut out);
        let Outcome::Response(length) = outcome else { panic!("no response") };
        assert!(length <= PLAIN_UDP);
        let message = Message::from_vec(&out[..length]).unwrap();
        let got: Vec<String> = message.answers.iter().map(ToString::to_string).collect();
        if fits {
            assert_eq!(applied(records(&versions[0]), &got), records(&versions[1]));
        } else {
            assert!(got.len() == 1 && got[0].contains(" 2 3600 "), "{got:?}");
        }
    }
}
