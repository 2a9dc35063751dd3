//! Dialogues: what is asked of the zone in `tests/*.zone`, and what has to come back, as hickory-proto reads it.
//!
//! The zones are `dnssec-signzone`'s work; the answers have been compared with BIND 9.18's over the same files, and
//! where they differ (a wildcard that is an empty non-terminal gets its proof, a circle of aliases is no failure,
//! NSEC at a cut is a referral), on purpose. `tests/*.dialogues` hold them as text: a question (`?`), the header (`!`), and the records by section: `=` answer,
//! `^` authority, `+` additional, each with owner, TTL, type and data. RRSIG shows what it covers, NSEC3 shows the
//! name that it is the hash of.

use std::collections::HashMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::LazyLock;

use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{Edns as TheirEdns, Message, Query as TheirQuery};
use hickory_proto::rr::{DNSClass, Name as TheirName, RData, Record, RecordType};

use super::*;
use crate::dns::name::NameRef;
use crate::zone::{Denial, Nsec3Params};

mod fixture;
mod incremental;
mod notices;
mod options;
mod transfers;

const NOW: Timestamp = Timestamp(1_800_000_000);
const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 200));

/// Zones, and the names that their NSEC3 hashes are of.
struct World {
    zones: Zones,
    hashed: HashMap<String, String>,
}

impl World {
    fn of(snapshots: Vec<Snapshot>) -> Self {
        let access = Access::new(vec![Rule { from: None, key: None, tls: None }]);
        let access = Arc::new(access);
        let mut hashed = HashMap::new();
        for snapshot in &snapshots {
            if let Denial::Nsec3(params) = snapshot.denial() {
                for node in &snapshot.nodes {
                    let mut name = Some(node.owner());
                    while let Some(ancestor) = name.filter(|name| snapshot.covers(*name)) {
                        hashed.insert(hash(params, ancestor), ancestor.to_string());
                        name = ancestor.parent();
                    }
                }
            }
        }
        let zones =
            snapshots.into_iter().map(|snapshot| Zone::ready(Arc::new(snapshot), Arc::clone(&access)));
        Self { zones: Zones::new(zones.collect(), Arc::default(), Arc::default()), hashed }
    }

    /// The response to a question such as `www.example.test. A +do +tcp +payload=512`.
    fn ask(&self, question: &str) -> Option<Message> {
        let mut words = question.split(' ');
        let name = TheirName::from_ascii(words.next().unwrap()).unwrap();
        let rtype: Rtype = words.next().unwrap().parse().unwrap();
        let mut query = TheirQuery::query(name, RecordType::from(rtype.0));
        let mut edns = TheirEdns::new();
        edns.set_max_payload(4_096);
        let mut transport = Transport::Udp;
        let mut with_edns = true;
        for option in words {
            match option.split_once('=').unwrap_or((option, "")) {
                ("+do", _) => _ = edns.set_dnssec_ok(true),
                ("+tcp", _) => transport = Transport::Tcp,
                ("+noedns", _) => with_edns = false,
                ("+payload", octets) => _ = edns.set_max_payload(octets.parse().unwrap()),
                ("+class", class) => _ = query.set_query_class(class.parse::<DNSClass>().unwrap()),
                _ => panic!("{option}"),
            }
        }
        let mut message = Message::query();
        message.add_query(query);
        if with_edns {
            message.set_edns(edns);
        }
        let mut out = vec![0; MAX_MESSAGE];
        let request = message.to_vec().unwrap();
        match Answerer::default().answer(&request, CLIENT.into(), transport, &self.zones, NOW, &mut out) {
            Outcome::Response(length) => Some(Message::from_vec(&out[..length]).unwrap()),
            Outcome::Silence | Outcome::Transfer(_) | Outcome::Update(_) => None,
        }
    }

    fn dialogue(&self, question: &str) -> String {
        let response = self.ask(question).unwrap();
        let mut text = format!("? {question}\n! ");
        let code = u16::from(response.response_code);
        text.push_str(&Rcode(code).to_string());
        let flags = [
            (response.authoritative, " aa"),
            (response.truncation, " tc"),
            (response.authentic_data, " ad"),
            (response.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok), " do"),
        ];
        for (_, flag) in flags.iter().filter(|(set, _)| *set) {
            text.push_str(flag);
        }
        text.push('\n');
        for (mark, section) in
            [("=", &response.answers), ("^", &response.authorities), ("+", &response.additionals)]
        {
            for record in section {
                writeln!(text, "{mark} {}", self.line(record)).unwrap();
            }
        }
        text
    }

    fn line(&self, record: &Record) -> String {
        let mut owner = record.name.to_string();
        let rdata = match &record.data {
            RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) => {
                let label = owner.split('.').next().unwrap().to_ascii_lowercase();
                if let Some(name) = self.hashed.get(&label) {
                    owner = format!("hash({name})");
                }
                rrsig.input().type_covered.to_string()
            }
            RData::DNSSEC(DNSSECRData::NSEC3(nsec3)) => {
                let label = owner.split('.').next().unwrap().to_ascii_lowercase();
                owner = format!("hash({})", self.hashed[&label]);
                let next = data_encoding::BASE32_DNSSEC.encode(nsec3.next_hashed_owner_name());
                format!("hash({})", self.hashed[&next])
            }
            RData::DNSSEC(DNSSECRData::NSEC(nsec)) => nsec.next_domain_name().to_string(),
            RData::DNSSEC(DNSSECRData::DNSKEY(key)) => format!("tag {}", key.calculate_key_tag().unwrap()),
            RData::Unknown { rdata, .. } => data_encoding::HEXLOWER.encode(&rdata.anything),
            RData::TXT(txt) => txt.to_string().chars().take(8).collect(),
            other => other.to_string(),
        };
        format!("{owner} {} {} {rdata}", record.ttl, record.record_type())
    }
}

fn hash(params: &Nsec3Params, name: NameRef<'_>) -> String {
    String::from_utf8(params.label(name).octets().to_vec()).unwrap()
}

/// Holds every dialogue of `script`.
fn hold(world: &World, script: &str) {
    let show = std::env::var_os("DANELAW_DIALOGUES").is_some();
    for expected in script.trim().split("\n\n") {
        let comment: String =
            expected.split_inclusive('\n').take_while(|line| line.starts_with('#')).collect();
        let question = expected.lines().find_map(|line| line.strip_prefix("? ")).unwrap();
        let came = comment + world.dialogue(question).trim_end();
        if show {
            println!("{came}\n");
        } else {
            assert_eq!(expected, came);
        }
    }
}

#[test]
fn a_zone_with_nsec() {
    hold(&World::of(vec![fixture::nsec()]), include_str!("tests/nsec.dialogues"));
}

#[test]
fn a_zone_with_nsec3() {
    hold(&World::of(vec![fixture::nsec3()]), include_str!("tests/nsec3.dialogues"));
}

#[test]
fn a_zone_with_nsec3_and_opt_out() {
    hold(&World::of(vec![fixture::opt_out()]), include_str!("tests/opt-out.dialogues"));
}

/// A zone that is made to be difficult, unsigned.
fn awkward() -> Snapshot {
    let mut text = String::from(
        "example. 3600 IN SOA ns.example. host.example. 7 3600 900 604800 9600
         example. 3600 IN NS ns.example.
         deep.example. 60 IN DNAME a-rather-long-name-that-fills-some-room.and-another-one-to-fill-more-of-it.example.
         here.example. 60 IN DNAME here.here.example.
         crowd.example. 60 IN NS ns.elsewhere.
         child.example. 3600 IN NS ns.child.example.
         child.example. 3600 IN DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000001
         mail.example. 60 IN MX 1 ns.child.example.
         to-child.example. 60 IN CNAME into.child.example.
         to-apex.example. 60 IN CNAME child.example.
         web.example. 60 IN HTTPS 1 . alpn=h2
         web.example. 60 IN HTTPS 2 Web.example. alpn=h3
         web.example. 60 IN A 192.0.2.80
         alias.example. 60 IN HTTPS 0 web.example.
         hidden.example. 60 IN HTTPS 0 far.child.example.
         far.child.example. 60 IN HTTPS 1 . alpn=h2
         far.child.example. 60 IN A 192.0.2.81
         odd.example. 60 IN TYPE65280 \\# 3 010203\n",
    );
    for link in 0..20 {
        writeln!(text, "c{link}.example. 60 IN CNAME c{}.example.", link + 1).unwrap();
    }
    for server in 10..24 {
        writeln!(text, "crowd.example. 60 IN NS ns{server}.crowd.example.").unwrap();
        writeln!(text, "ns{server}.crowd.example. 60 IN AAAA 2001:db8::{server}").unwrap();
    }
    fixture::zone("example.", &text)
}

fn child() -> Snapshot {
    let text = "child.example. 300 IN SOA ns.child.example. host.example. 7 3600 900 604800 60
                child.example. 300 IN NS ns.child.example.
                into.child.example. 300 IN CNAME deep.EXAMPLE.
                ns.child.example. 300 IN A 192.0.2.1";
    fixture::zone("child.example.", text)
}

#[test]
fn parent_and_child_on_one_server() {
    hold(&World::of(vec![awkward(), child()]), include_str!("tests/parent-and-child.dialogues"));
}

#[test]
fn aliases_lead_through_every_zone_served_here() {
    let from = "one.test. 3600 IN SOA ns.one.test. host.one.test. 7 3600 900 604800 60
                one.test. 3600 IN NS ns.one.test.
                there.one.test. 60 IN CNAME host.two.test.
                missing.one.test. 60 IN CNAME no.two.test.
                empty.one.test. 60 IN CNAME two.test.
                back.one.test. 60 IN CNAME loop.two.test.
                away.one.test. 60 IN CNAME www.elsewhere.test.
                cut.one.test. 60 IN CNAME a.sub.two.test.
                inner.one.test. 60 IN CNAME host.child.one.test.
                wait.one.test. 60 IN CNAME a.waiting.test.
                child.one.test. 60 IN NS ns.child.one.test.
                old.one.test. 60 IN DNAME two.test.";
    let to = "two.test. 3600 IN SOA ns.two.test. host.two.test. 8 3600 900 604800 60
              two.test. 3600 IN NS ns.two.test.
              host.two.test. 60 IN A 192.0.2.2
              sub.two.test. 60 IN NS ns.elsewhere.test.
              loop.two.test. 60 IN CNAME back.one.test.";
    let child = "child.one.test. 3600 IN SOA ns.child.one.test. host.child.one.test. 9 3600 900 604800 60
                 child.one.test. 3600 IN NS ns.child.one.test.
                 host.child.one.test. 60 IN A 192.0.2.3";
    let zones = [("one.test.", from), ("two.test.", to), ("child.one.test.", child)];
    let zones = zones.map(|(origin, text)| fixture::zone(origin, text)).into();
    hold(&World::of(zones), include_str!("tests/several-zones.dialogues"));
}

#[test]
fn an_unsigned_zone_full_of_traps() {
    hold(&World::of(vec![awkward()]), include_str!("tests/awkward.dialogues"));
}

/// Answers a request of raw bytes: rcode and length, or `None` for silence.
fn raw(zones: &Zones, request: &[u8]) -> Option<(Rcode, usize)> {
    let mut out = [0; UDP_PAYLOAD as usize];
    match Answerer::default().answer(request, CLIENT.into(), Transport::Udp, zones, NOW, &mut out) {
        Outcome::Response(length) => Some((Rcode(u16::from(out[3] & 15)), length)),
        Outcome::Silence | Outcome::Transfer(_) | Outcome::Update(_) => None,
    }
}

/// A question for `example. SOA` with this opcode.
fn with_opcode(opcode: u8) -> Vec<u8> {
    [&[0, 1, opcode << 3, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x07example\0\0\x06\0\x01"].concat()
}

#[test]
fn other_opcodes_are_refused_not_implemented_or_not_for_us() {
    let here = World::of(vec![awkward()]).zones;
    let elsewhere = Zones::default();
    for (opcode, ours, not_ours) in [
        (Opcode::NOTIFY, Rcode::REFUSED, Rcode::NOTAUTH),
        (Opcode::UPDATE, Rcode::REFUSED, Rcode::NOTAUTH),
        (Opcode(1), Rcode::NOTIMP, Rcode::NOTIMP),
        (Opcode(6), Rcode::NOTIMP, Rcode::NOTIMP),
    ] {
        assert_eq!(raw(&here, &with_opcode(opcode.0)).unwrap().0, ours);
        assert_eq!(raw(&elsewhere, &with_opcode(opcode.0)).unwrap().0, not_ours);
    }
}

#[test]
fn a_zone_without_a_version_is_a_server_failure() {
    let access = Arc::new(Access::default());
    let zones = vec![Zone::not_ready(crate::dns::name::Name::parse("example").unwrap(), access)];
    let zones = Zones::new(zones, Arc::default(), Arc::default());
    assert_eq!(raw(&zones, &with_opcode(0)).unwrap().0, Rcode::SERVFAIL);
    let ready = zones.with(Arc::new(awkward()), Arc::default());
    assert_eq!(raw(&ready, &with_opcode(0)).unwrap().0, Rcode::NOERROR);
}

static DIFFICULT: LazyLock<Zones> = LazyLock::new(|| World::of(vec![awkward(), child()]).zones);

proptest::proptest! {
    #[test]
    fn no_request_panics_and_no_response_is_too_long(
        at in proptest::collection::vec((0usize..60, proptest::num::u8::ANY), 0..6),
        question in 0usize..6,
    ) {
        let names: [&[u8]; 6] = [
            b"\x01x\x04here\x07example\0\0\x05\0\x01", b"\x02c3\x07example\0\0\x01\0\x01",
            b"\x01x\x05crowd\x07example\0\0\x01\0\x01", b"\x07example\0\0\xff\0\x01",
            b"\x05child\x07example\0\0\x2b\0\x01", b"\x01x\x04deep\x07example\0\0\x10\0\x01",
        ];
        let opt = [0, 0, 41, 2, 0, 0, 0, 0x80, 0, 0, 0];
        let mut request = [&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1], names[question], &opt].concat();
        for (at, octet) in at {
            let length = request.len();
            request[at % length] = octet;
        }
        if let Some((_, length)) = raw(&DIFFICULT, &request) {
            proptest::prop_assert!((12..=1232).contains(&length));
        }
    }
}
