#![allow(clippy::disallowed_methods, reason = "tests may use the clock and files")]

use super::super::fixture::{
    DAY_0, Records, Signer, ZONE, contents, every_signer, name, outline, records, text,
};
use super::super::keyset::Layout;
use super::*;
use crate::dns::time::{DAY, HOUR, MINUTE};
use crate::zone::Nsec3Params;
use crate::zone::revision::Revision;
use proptest::prelude::*;
use std::process::Command;

/// The types at `owner`, and which of them are signed.
fn types(contents: &Contents, owner: &str) -> Vec<(Rtype, bool)> {
    let node = contents.nodes.get(name(owner).as_ref()).unwrap();
    node.rrsets().map(|rrset| (rrset.rtype, rrset.signature_count > 0)).collect()
}

#[test]
fn authoritative_rrsets_are_signed_and_nothing_else() {
    for signer in every_signer() {
        let signed = signer.first(&records(ZONE), DAY_0);
        let nsec: &[_] =
            if signer.policy.denial == DenialPolicy::Nsec { &[(Rtype::NSEC, true)] } else { &[] };
        let with_nsec = |types: &[(Rtype, bool)]| [types, nsec].concat();
        let zone = &signed.snapshot;
        assert_eq!(types(zone, "www"), with_nsec(&[(Rtype::A, true)]));
        assert_eq!(types(zone, "secure"), with_nsec(&[(Rtype::NS, false), (Rtype::DS, true)]));
        assert_eq!(types(zone, "insecure"), with_nsec(&[(Rtype::NS, false), (Rtype::TXT, false)]));
        assert_eq!(types(zone, "ns.insecure"), [(Rtype::A, false)]);
        assert_eq!(types(zone, "sub.ns.insecure"), [(Rtype::TXT, false)]);
        assert_eq!(types(zone, "under.tree"), [(Rtype::A, false)]);
        assert_eq!(types(zone, "tree"), with_nsec(&[(Rtype::TXT, true), (Rtype::DNAME, true)]));
        let apex = zone.apex().unwrap();
        for rtype in [Rtype::DNSKEY, Rtype::CDS, Rtype::CDNSKEY] {
            assert_eq!(apex.rrset(rtype).unwrap().ttl(), Ttl(3_600));
            let tag = apex.rrset(rtype).unwrap().signature_rdatas().next().unwrap()[16..18].to_vec();
            assert_eq!(tag, signer.keys.entry_points()[0].public().tag().to_be_bytes());
        }
        signer.validate(None, zone, &signed.delta, DAY_0).unwrap();
    }
}

#[test]
fn dnssec_verify_ldns_verify_zone_and_kzonecheck_accept_every_way_of_signing() {
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for mut signer in every_signer() {
        // ldns-verify-zone 1.8.3 compares the digest as well, which never ends where there is NSEC3.
        signer.zonemd = signer.policy.denial == DenialPolicy::Nsec;
        // kzonecheck rightly refuses data under a DNAME; zone files with it are not loaded either.
        let lines: Vec<_> = ZONE.iter().copied().filter(|line| !line.starts_with("under.tree")).collect();
        let signed = signer.first(&records(&lines), Timestamp(seconds));
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("zone");
        std::fs::write(&file, text(&signed.snapshot)).unwrap();
        let file = file.to_str().unwrap();
        let verify: &[&str] = if signer.policy.layout == Layout::Csk { &["-z"] } else { &[] };
        for (program, arguments) in [
            ("dnssec-verify", [verify, &["-o", "example.test", file]].concat()),
            ("ldns-verify-zone", vec![file]),
            ("kzonecheck", vec!["-d", "on", "-o", "example.test", file]),
        ] {
            let output = Command::new(program).args(arguments).output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            assert!(
                output.status.success(),
                "{program} {:?}: {}",
                signer.policy,
                String::from_utf8_lossy(&said)
            );
        }
    }
}

#[test]
fn every_version_has_the_digest_of_itself_and_of_nothing_else() {
    for mut signer in every_signer() {
        signer.zonemd = true;
        let is_sealed = |zone: &Snapshot| {
            assert_eq!(zonemd::verify(zone), Ok(zonemd::Verdict::Right), "{:?}", signer.policy);
            let apex = zone.apex().unwrap();
            let sealed = apex.rrset(Rtype::ZONEMD).unwrap();
            assert_eq!((sealed.count, sealed.ttl()), (1, apex.rrset(Rtype::SOA).unwrap().ttl()));
            assert_eq!(usize::from(sealed.signature_count), signer.keys.zone_signers().len());
        };
        // What the file says of another zone is not repeated.
        let stale = zonemd::rdata(Serial(1), Hash::Sha384, &[7; 48]);
        let mut wanted = records(ZONE);
        wanted.insert((name("@"), Rtype::ZONEMD), vec![stale]);
        let first = signer.first(&wanted, DAY_0);
        is_sealed(&first.snapshot);
        signer.validate(None, &first.snapshot, &first.delta, DAY_0).unwrap();

        let mut revision = Revision::of_snapshot(&first.snapshot);
        revision.set(&name("added"), Rtype::A, Ttl(600), &[&[192, 0, 2, 99]]);
        let second = signer.sign(Some(&first.snapshot), revision.contents, &revision.dirty, DAY_0 + HOUR);
        is_sealed(&second.snapshot);
        signer.validate(Some(&first.snapshot), &second.snapshot, &second.delta, DAY_0 + HOUR).unwrap();
        let mut applied = first.snapshot.contents().clone();
        second.delta.apply(&mut applied);
        assert_eq!(zonemd::verify(&applied), Ok(zonemd::Verdict::Right));
    }
}

#[test]
fn a_zone_that_is_digested_no_more_loses_its_digest() {
    for mut signer in every_signer() {
        signer.zonemd = true;
        let first = signer.first(&records(ZONE), DAY_0).snapshot;
        signer.zonemd = false;
        let revision = Revision::of_snapshot(&first);
        let second = signer.sign(Some(&first), revision.contents, &revision.dirty, DAY_0 + HOUR);
        assert!(!second.snapshot.apex().unwrap().has(Rtype::ZONEMD));
        signer.validate(Some(&first), &second.snapshot, &second.delta, DAY_0 + HOUR).unwrap();
    }
}

#[test]
fn opt_out_leaves_out_insecure_delegations_and_nothing_else() {
    let members = |denial| Signer::new(Layout::Csk, denial).first(&records(ZONE), DAY_0).snapshot.nsec3.len();
    // `insecure` and `only.below.insecure.ent2`, but none of the three names between that one and the apex.
    assert_eq!(members(DenialPolicy::Nsec3) - members(DenialPolicy::Nsec3OptOut), 2);
}

/// Whether the chain has a record for `owner`.
fn is_hashed(contents: &Contents, owner: &str) -> bool {
    let hash = Nsec3Params::default().hash(name(owner).as_ref());
    let owner = nsec3::owner(&hash, contents.origin().as_ref()).unwrap();
    contents.nsec3.get(owner.as_ref()).is_some()
}

#[test]
fn with_opt_out_the_empty_non_terminals_above_an_insecure_delegation_come_and_go_with_it() {
    let signer = Signer::new(Layout::Csk, DenialPolicy::Nsec3OptOut);
    let first = signer.first(&records(ZONE), DAY_0).snapshot;
    let revised = |version: &Snapshot, rdatas: &[&[u8]], now| {
        let mut revision = Revision::of_snapshot(version);
        revision.set(&name("deep.down.below"), Rtype::NS, Ttl(600), rdatas);
        let next = signer.sign(Some(version), revision.contents, &revision.dirty, now);
        signer.validate(Some(version), &next.snapshot, &next.delta, now).unwrap();
        signer.validate_whole(&next.snapshot, now).unwrap();
        next.snapshot
    };
    let chained = |version: &Snapshot| {
        ["below", "down.below", "deep.down.below"].map(|owner| is_hashed(version, owner))
    };
    assert_eq!(chained(&first), [false, false, false]);
    let with = revised(&first, &[b"\x01x\x00"], DAY_0 + HOUR);
    assert_eq!(chained(&with), [true, true, false]);
    let without = revised(&with, &[], DAY_0 + HOUR * 2);
    assert_eq!(chained(&without), [false, false, false]);
}

#[test]
fn one_changed_rrset_costs_a_handful_of_signatures() {
    for signer in every_signer() {
        let first = signer.first(&records(ZONE), DAY_0).snapshot;
        let mut revision = Revision::of_snapshot(&first);
        revision.set(&name("_25._tcp.mail"), Rtype::TLSA, Ttl(600), &[&[3, 1, 1, 9]]);
        let second = signer.sign(Some(&first), revision.contents, &revision.dirty, DAY_0 + MINUTE);
        let signers = signer.keys.zone_signers().len();
        assert_eq!(second.signatures, 2 * signers, "the TLSA RRset and the SOA");
        assert_eq!(second.delta.nodes.len(), 2);
        assert!(second.delta.nsec3.is_empty());
        signer.validate(Some(&first), &second.snapshot, &second.delta, DAY_0 + MINUTE).unwrap();
    }
}

#[test]
fn what_is_due_is_renewed_and_nothing_before() {
    for signer in every_signer() {
        let first = signer.first(&records(ZONE), DAY_0).snapshot;
        let lifetimes = &signer.policy.lifetimes;
        let due = next_due(&first, lifetimes, DAY_0.into());
        assert!(due >= DAY_0 + DAY * 6 && due <= DAY_0 + DAY * 7);
        let renewed = |now| {
            let revision = Revision::of_snapshot(&first);
            signer.sign(Some(&first), revision.contents, &revision.dirty, now)
        };
        let signers = signer.keys.zone_signers().len();
        assert_eq!(renewed(due - HOUR * 2).signatures, signers, "the SOA, as in every version");
        let some = renewed(due);
        assert!(some.signatures > signers);
        assert!(next_due(&some.snapshot, lifetimes, due.into()) > due + HOUR - MINUTE);
        signer.validate(Some(&first), &some.snapshot, &some.delta, due).unwrap();
        let all = renewed(DAY_0 + DAY * 8);
        assert!(all.snapshot.soonest().unwrap() > (DAY_0 + DAY * 20).rrsig());
        signer.validate_whole(&all.snapshot, DAY_0 + DAY * 15).unwrap();
    }
}

#[test]
fn another_way_of_denial_and_other_keys_sign_the_zone_anew() {
    let signers: Vec<_> = every_signer().collect();
    let mut version = signers[0].first(&records(ZONE), DAY_0).snapshot;
    for signer in signers.iter().rev() {
        let revision = Revision::of_snapshot(&version);
        let next = signer.sign(Some(&version), revision.contents, &revision.dirty, DAY_0 + HOUR);
        signer.validate(Some(&version), &next.snapshot, &next.delta, DAY_0 + HOUR).unwrap();
        let scratch = signer.sign(None, contents(&records(ZONE)), &Dirty::Everything, DAY_0 + HOUR);
        assert_eq!(
            outline(&next.snapshot).iter().filter(|line| !line.contains(" SOA ")).collect::<Vec<_>>(),
            outline(&scratch.snapshot).iter().filter(|line| !line.contains(" SOA ")).collect::<Vec<_>>()
        );
        version = next.snapshot;
    }
}

#[test]
fn a_zone_large_enough_for_several_threads_is_as_sound() {
    let mut input = records(ZONE);
    for n in 0..2_500u16 {
        input.insert((name(&format!("host-{n}.rack-{}", n % 7)), Rtype::TXT), vec![n.to_be_bytes().to_vec()]);
    }
    let signer = Signer::new(Layout::KskZsk, DenialPolicy::Nsec3);
    let first = signer.first(&input, DAY_0);
    signer.validate(None, &first.snapshot, &first.delta, DAY_0).unwrap();
    let mut revision = Revision::of_snapshot(&first.snapshot);
    for n in 0..1_000u16 {
        revision.set(&name(&format!("host-{n}.rack-{}", n % 7)), Rtype::TXT, Ttl(600), &[]);
    }
    let second = signer.sign(Some(&first.snapshot), revision.contents, &revision.dirty, DAY_0 + HOUR);
    assert_eq!(second.delta.nodes.iter().filter(|change| change.new.is_none()).count(), 1_000);
    signer.validate(Some(&first.snapshot), &second.snapshot, &second.delta, DAY_0 + HOUR).unwrap();
}

#[test]
fn keys_and_signatures_in_the_input_are_replaced() {
    let mut input = records(ZONE);
    input.insert((name("@"), Rtype::DNSKEY), vec![vec![1, 0, 3, 13, 9]]);
    input.insert((name("@"), Rtype::CDS), vec![vec![0, 0, 0, 0, 0]]);
    input.insert((name("gone"), Rtype::NSEC), vec![vec![0]]);
    let signer = Signer::new(Layout::Csk, DenialPolicy::Nsec);
    let signed = signer.first(&input, DAY_0).snapshot;
    assert_eq!(outline(&signed).len(), outline(&signer.first(&records(ZONE), DAY_0).snapshot).len());
    signer.validate_whole(&signed, DAY_0).unwrap();
}

#[test]
fn keys_away_from_the_apex_are_data_like_any_other() {
    let owner = "_dsboot.child.test._signal.ns";
    let of_keys = [Rtype::DNSKEY, Rtype::CDS, Rtype::CDNSKEY];
    for signer in every_signer() {
        let mut input = records(ZONE);
        let plain = signer.first(&input, DAY_0).snapshot;
        for rtype in of_keys {
            input.insert((name(owner), rtype), vec![vec![1, 0, 3, 13, 9]]);
        }
        let revision = Revision::of_draft(&contents(&input), &plain);
        let signed = signer.sign(Some(&plain), revision.contents, &revision.dirty, DAY_0);
        signer.validate(Some(&plain), &signed.snapshot, &signed.delta, DAY_0).unwrap();
        let there = types(&signed.snapshot, owner);
        assert!(of_keys.iter().all(|&rtype| there.contains(&(rtype, true))), "{there:?}");
        let mut unsigned = Vec::new();
        crate::zone::text::write(&signed.snapshot, true, &mut unsigned).unwrap();
        let unsigned = String::from_utf8(unsigned).unwrap();
        let of_keys = unsigned.lines().filter(|line| line.contains("KEY ") || line.contains(" CDS "));
        assert_eq!(of_keys.filter(|line| line.starts_with("_dsboot.")).count(), 3, "{unsigned}");
        assert!(!unsigned.contains("\nexample.test. 3600 IN DNSKEY"), "{unsigned}");
        let revision = Revision::of_draft(&contents(&records(ZONE)), &signed.snapshot);
        let gone = signer.sign(Some(&signed.snapshot), revision.contents, &revision.dirty, DAY_0);
        assert_eq!(outline(&gone.snapshot).len(), outline(&plain).len(), "they go with the file");
    }
}

#[test]
fn a_zone_without_soa_is_refused() {
    let signer = Signer::new(Layout::Csk, DenialPolicy::Nsec);
    let contents = contents(&records(&["@ NS ns.example.test."]));
    let request = Request {
        previous: None,
        contents,
        dirty: &Dirty::Everything,
        keys: &signer.keys,
        policy: &signer.policy,
        zonemd: false,
        serial: Serial(1),
        now: DAY_0.into(),
    };
    assert_eq!(sign(request, &ring::rand::SystemRandom::new()).err(), Some(SignError::NoSoa(NoSoa)));
}

/// An RRset that comes, changes or goes.
#[derive(Debug, Clone)]
struct Step {
    owner: String,
    rtype: Rtype,
    rdata: Option<u8>,
}

fn any_step() -> impl Strategy<Value = Step> {
    let label = prop::sample::select(vec!["a", "b", "*", "C", "www", "insecure", "ent"]);
    let owner = prop::collection::vec(label, 1..4).prop_map(|labels| labels.join("."));
    let rtype =
        [Rtype::A, Rtype::NS, Rtype::NS, Rtype::DS, Rtype::TXT, Rtype::DNAME, Rtype::CDS, Rtype::DNSKEY];
    let rtype = prop::sample::select(rtype.to_vec());
    (owner, rtype, prop::option::weighted(0.6, 0..3u8)).prop_map(|(owner, rtype, rdata)| Step {
        owner,
        rtype,
        rdata,
    })
}

impl Step {
    fn rdata(&self) -> Vec<Vec<u8>> {
        let Some(value) = self.rdata else { return Vec::new() };
        vec![match self.rtype {
            Rtype::NS | Rtype::DNAME => vec![1, b'x' + value, 0],
            Rtype::A => vec![192, 0, 2, value],
            Rtype::TXT => vec![1, value],
            _ => vec![0, 1, 13, 2, value],
        }]
    }

    fn carry_out(&self, records: &mut Records) {
        // A DS without NS is no zone that is ever loaded.
        let key = |rtype| (name(&self.owner), rtype);
        if self.rtype == Rtype::DS && !records.contains_key(&key(Rtype::NS)) {
            return;
        }
        if self.rdata.is_none() {
            records.remove(&key(self.rtype));
            if self.rtype == Rtype::NS {
                records.remove(&key(Rtype::DS));
            }
        } else {
            records.insert(key(self.rtype), self.rdata());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However a zone came to be, it is the same, and every version passes.
    #[test]
    fn changes_end_where_signing_from_scratch_does(
        rounds in prop::collection::vec((prop::collection::vec(any_step(), 1..12), any::<bool>(), 0..72u64), 1..6),
        denial in prop::sample::select(vec![DenialPolicy::Nsec, DenialPolicy::Nsec3, DenialPolicy::Nsec3OptOut]),
        layout in prop::sample::select(vec![Layout::Csk, Layout::KskZsk]),
    ) {
        let signer = Signer::new(layout, denial);
        let mut now = DAY_0;
        let mut records = records(ZONE);
        let mut version = signer.first(&records, now).snapshot;
        for (steps, as_reload, hours) in rounds {
            now = now + HOUR * hours;
            let before = records.clone();
            for step in &steps {
                step.carry_out(&mut records);
            }
            let revision = if as_reload {
                Revision::of_draft(&contents(&records), &version)
            } else {
                let mut revision = Revision::of_snapshot(&version);
                for ((owner, rtype), _) in before.iter().chain(&records) {
                    let rdatas = records.get(&(owner.clone(), *rtype)).map(Vec::as_slice).unwrap_or_default();
                    let rdatas: Vec<_> = rdatas.iter().map(Vec::as_slice).collect();
                    if *rtype != Rtype::SOA {
                        revision.set(owner, *rtype, Ttl(600), &rdatas);
                    }
                }
                revision
            };
            let next = signer.sign(Some(&version), revision.contents, &revision.dirty, now);
            let valid = signer.validate(Some(&version), &next.snapshot, &next.delta, now);
            prop_assert!(valid.is_ok(), "{:?}", valid.err());
            let whole = signer.validate_whole(&next.snapshot, now);
            prop_assert!(whole.is_ok(), "{:?}", whole.err());

            let mut applied = version.contents().clone();
            next.delta.apply(&mut applied);
            prop_assert_eq!(outline(&applied), outline(&next.snapshot));

            let serial = next.snapshot.serial();
            let request = Request {
                previous: None,
                contents: contents(&records),
                dirty: &Dirty::Everything,
                keys: &signer.keys,
                policy: &signer.policy,
                zonemd: false,
                serial,
                now: now.into(),
            };
            let scratch = sign(request, &ring::rand::SystemRandom::new()).unwrap();
            prop_assert_eq!(outline(&next.snapshot), outline(&scratch.snapshot));
            version = next.snapshot;
        }
    }
}
