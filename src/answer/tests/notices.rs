//! NOTIFY: who is heard, and what is told of it.

use std::sync::Mutex;

use super::*;
use crate::answer::notice::Listener;
use crate::dns::message::Header;
use crate::dns::message::query::Query;
use crate::dns::name::{Name, NameRef};
use crate::dns::tsig::{Algorithm, Exchange, Key, Keyring};

/// Keeps what it is told.
#[derive(Default)]
struct Ear(Mutex<Vec<(String, IpAddr, Option<Serial>)>>);

impl Listener for Ear {
    fn notified(&self, zone: NameRef<'_>, from: IpAddr, serial: Option<Serial>) {
        self.0.lock().unwrap().push((zone.to_string(), from, serial));
    }

    fn sent(&self, _: Sent) {}
}

fn key() -> Arc<Key> {
    let name = Name::parse("notify.example").unwrap();
    Arc::new(Key::from_base64(name.as_ref(), Algorithm::Sha256, "c2VjcmV0c2VjcmV0").unwrap())
}

const PRIMARY: &str = "192.0.2.53";

/// A zone that has a primary, which signs what it says.
fn listening(ear: &Arc<Ear>) -> Zones {
    let rule = Rule {
        from: Some(Prefix::one(PRIMARY.parse().unwrap())),
        key: Some(key().name().to_owned()),
        tls: None,
    };
    let nobody = Arc::new(Access::default());
    let zone = Zone::ready(Arc::new(awkward()), Arc::clone(&nobody));
    let zone = zone.with_access(nobody, Some(Arc::new(Access::new(vec![rule]))));
    let zones = Zones::new(vec![zone], Arc::new(Keyring::new([key()])), Arc::default());
    zones.heard_by(Arc::<Ear>::clone(ear))
}

/// NOTIFY for `example.`, with a SOA record of serial 7 if it is told, signed if it is.
fn notify(rtype: Rtype, serial: bool, signed: bool) -> Vec<u8> {
    let mut out = vec![0; 512];
    let name = Name::parse("example").unwrap();
    let soa = [&b"\0\x06\0\x01\0\0\0\0\0\x16\0\0"[..], &7_u32.to_be_bytes(), &[0; 16]].concat();
    let question = Question { name: name.as_ref(), rtype, class: CLASS_IN };
    let soa = serial.then_some(&soa[..]);
    let query = Query { id: 5, opcode: Opcode::NOTIFY, question, soa, edns: false, dnssec_ok: false };
    let key = key();
    let mut length = query.write(&mut out, Exchange::reserve(&key), &mut Compression::default()).unwrap();
    if signed {
        length = Exchange::begin(key, &mut out, length, NOW).unwrap().1;
    }
    out.truncate(length);
    out
}

fn answered(zones: &Zones, message: &[u8], from: &str) -> (Rcode, Header) {
    let mut out = [0; 1_232];
    let from = transfers::from(from);
    let outcome = Answerer::default().answer(message, from, Transport::Udp, zones, NOW, &mut out);
    let Outcome::Response(_) = outcome else { panic!("no response") };
    let header = Header::of(&out).unwrap();
    (header.rcode(), header)
}

#[test]
fn a_primary_with_its_key_is_heard_and_nobody_else() {
    let ear = Arc::default();
    let zones = listening(&ear);
    let (rcode, header) = answered(&zones, &notify(Rtype::SOA, true, true), PRIMARY);
    assert_eq!(rcode, Rcode::NOERROR);
    assert!(header.has(flag::QR) && header.has(flag::AA) && header.opcode() == Opcode::NOTIFY);
    answered(&zones, &notify(Rtype::SOA, false, true), PRIMARY);
    let told = ear.0.lock().unwrap().split_off(0);
    let from: IpAddr = PRIMARY.parse().unwrap();
    assert_eq!(told, [("example.".to_owned(), from, Some(Serial(7))), ("example.".to_owned(), from, None)]);

    assert_eq!(answered(&zones, &notify(Rtype::SOA, true, false), PRIMARY).0, Rcode::REFUSED);
    assert_eq!(answered(&zones, &notify(Rtype::SOA, true, true), "192.0.2.54").0, Rcode::REFUSED);
    assert_eq!(answered(&zones, &notify(Rtype::A, true, true), PRIMARY).0, Rcode::NOTIMP);
    let mut forged = notify(Rtype::SOA, true, true);
    forged[40] ^= 1;
    assert_eq!(answered(&zones, &forged, PRIMARY).0, Rcode::NOTAUTH);
    assert!(ear.0.lock().unwrap().is_empty());
}

#[test]
fn a_zone_that_has_expired_is_a_server_failure_that_says_so() {
    let ear = Arc::default();
    let zones = listening(&ear).without(Name::parse("example").unwrap().as_ref());
    let query = b"\0\x05\0\0\0\x01\0\0\0\0\0\x01\x07example\0\0\x06\0\x01\0\0\x29\x04\xd0\0\0\0\0\0\0";
    let mut out = [0; 1_232];
    let peer = transfers::from("192.0.2.1");
    let outcome = Answerer::default().answer(query, peer, Transport::Udp, &zones, NOW, &mut out);
    let Outcome::Response(length) = outcome else { panic!("no response") };
    assert_eq!(Header::of(&out).unwrap().rcode(), Rcode::SERVFAIL);
    // RFC 8914: option 15, two octets, Invalid Data.
    assert!(out[..length].ends_with(&[0, 15, 0, 2, 0, 24]), "{:?}", &out[..length]);
    // Its primary is heard all the same, and a new version ends it.
    assert_eq!(answered(&zones, &notify(Rtype::SOA, true, true), PRIMARY).0, Rcode::NOERROR);
    let zones = zones.with(Arc::new(awkward()), Arc::default());
    let outcome = Answerer::default().answer(query, peer, Transport::Udp, &zones, NOW, &mut out);
    assert!(matches!(outcome, Outcome::Response(_)));
    assert_eq!(Header::of(&out).unwrap().rcode(), Rcode::NOERROR);
}
