//! Transfers, put together again from their messages by hickory-proto.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hickory_proto::op::Message;

use super::*;
use crate::dns::message::query::Query;
use crate::dns::name::Name;
use crate::dns::time::Ttl;
use crate::dns::tsig::{Algorithm, Exchange, Key, Keyring};
use crate::zone::Contents;

/// What came: the messages, and each record as text with its owner's case.
pub(super) struct Received {
    pub(super) messages: usize,
    pub(super) records: Vec<String>,
}

fn key() -> Arc<Key> {
    let name = Name::parse("xfr.example").unwrap();
    Arc::new(Key::from_base64(name.as_ref(), Algorithm::Sha256, "c2VjcmV0c2VjcmV0").unwrap())
}

fn zones(snapshot: Snapshot) -> Zones {
    let rule = Rule { from: None, key: Some(key().name().to_owned()), tls: None };
    let ours = Rule { from: Some(Prefix::one("192.0.2.1".parse().unwrap())), key: None, tls: None };
    let zone = Zone::ready(Arc::new(snapshot), Arc::new(Access::new(vec![rule, ours])));
    Zones::new(vec![zone], Arc::new(Keyring::new([key()])), Arc::default())
}

/// The request for a transfer; with the client's SOA record for IXFR.
pub(super) fn request(
    origin: &Name,
    rtype: Rtype,
    serial: Option<u32>,
    key: Option<&Arc<Key>>,
) -> (Vec<u8>, Option<Exchange>) {
    let mut out = vec![0; 512];
    let question = Question { name: origin.as_ref(), rtype, class: CLASS_IN };
    let query = Query { id: 5, opcode: Opcode::QUERY, question, soa: None, edns: false, dnssec_ok: false };
    let reserve = key.map_or(0, |key| Exchange::reserve(key));
    let mut length = query.write(&mut out, reserve, &mut Compression::default()).unwrap();
    if let Some(serial) = serial {
        let soa = [&b"\xc0\x0c\0\x06\0\x01\0\0\0\0\0\x16\0\0"[..], &serial.to_be_bytes(), &[0; 16]].concat();
        out[length..length + soa.len()].copy_from_slice(&soa);
        out[9] = 1;
        length += soa.len();
    }
    let exchange = key.map(|key| {
        let (exchange, signed) = Exchange::begin(Arc::clone(key), &mut out, length, NOW).unwrap();
        length = signed;
        exchange
    });
    out.truncate(length);
    (out, exchange)
}

/// Asks, and takes messages of at most `room` octets.
pub(super) fn from(address: &str) -> Peer<'static> {
    Peer::from(address.parse::<IpAddr>().unwrap())
}

pub(super) fn transfer(
    zones: &Zones,
    peer: &str,
    (request, mut exchange): (Vec<u8>, Option<Exchange>),
    room: usize,
) -> Result<Received, Rcode> {
    let mut answerer = Answerer::default();
    let mut out = vec![0; room];
    let mut received = Received { messages: 0, records: Vec::new() };
    let mut take = |message: &[u8]| {
        if let Some(exchange) = &mut exchange {
            exchange.verify(message, NOW).unwrap();
        }
        let message = Message::from_vec(message).unwrap();
        assert!(message.authoritative || message.response_code != hickory_proto::op::ResponseCode::NoError);
        received.messages += 1;
        received.records.extend(message.answers.iter().map(ToString::to_string));
        Rcode(u16::from(message.response_code))
    };
    match answerer.answer(&request, from(peer), Transport::Tcp, zones, NOW, &mut out) {
        Outcome::Silence | Outcome::Update(_) => panic!("no answer"),
        Outcome::Response(length) => match take(&out[..length]) {
            Rcode::NOERROR => {}
            rcode => return Err(rcode),
        },
        Outcome::Transfer(mut transfer) => {
            while let Some(length) = answerer.continue_transfer(&mut transfer, &mut out, NOW) {
                take(&out[..length.unwrap()]);
            }
        }
    }
    if let Some(exchange) = exchange {
        exchange.finish().unwrap();
    }
    Ok(received)
}

pub(super) fn origin(zones: &Zones) -> Name {
    zones.iter().next().unwrap().origin().to_owned()
}

fn axfr(zones: &Zones, room: usize) -> Received {
    transfer(zones, "192.0.2.9", request(&origin(zones), Rtype::AXFR, None, Some(&key())), room).unwrap()
}

#[test]
fn every_record_arrives_once_between_two_soa_records_whatever_the_size_of_messages() {
    for snapshot in [fixture::nsec(), fixture::nsec3(), awkward()] {
        let count = snapshot.record_count();
        let zones = zones(snapshot);
        let whole = axfr(&zones, MAX_MESSAGE);
        assert_eq!(whole.messages, 1);
        assert_eq!(whole.records.len(), count + 1);
        assert!(whole.records[0].contains(" SOA ") && whole.records[0] == *whole.records.last().unwrap());
        assert_eq!(whole.records.iter().collect::<BTreeSet<_>>().len(), count);
        for room in [512, 700, 4_096] {
            let parts = axfr(&zones, room);
            assert!(room > 1_000 || parts.messages > whole.messages);
            assert_eq!(parts.records, whole.records);
        }
    }
}

#[test]
fn owners_keep_the_case_in_which_they_were_written() {
    let text = "example. 60 IN SOA ns.example. host.example. 7 3600 900 604800 60
                Mixed.Example. 60 IN A 192.0.2.1
                mixed2.example. 60 IN NS MIXED.example.";
    let received = axfr(&zones(fixture::zone("example.", text)), MAX_MESSAGE);
    assert!(received.records.iter().any(|record| record.starts_with("Mixed.Example. ")));
    assert!(received.records.iter().any(|record| record.ends_with(" MIXED.example.")));
}

#[test]
fn a_transfer_is_for_those_who_are_allowed() {
    let (zones, key) = (zones(awkward()), key());
    let origin = origin(&zones);
    let ask = |peer, key| transfer(&zones, peer, request(&origin, Rtype::AXFR, None, key), MAX_MESSAGE);
    assert!(ask("192.0.2.9", Some(&key)).is_ok());
    assert!(ask("192.0.2.1", None).is_ok());
    assert_eq!(ask("192.0.2.9", None).err(), Some(Rcode::REFUSED));
    let below = Name::parse("child.example").unwrap();
    let not_apex = transfer(&zones, "192.0.2.1", request(&below, Rtype::AXFR, None, None), MAX_MESSAGE);
    assert_eq!(not_apex.err(), Some(Rcode::NOTAUTH));
    let by_udp = request(&origin, Rtype::AXFR, None, None).0;
    assert_eq!(raw(&zones, &by_udp).unwrap().0, Rcode::FORMERR);
}

#[test]
fn only_a_stream_of_messages_carries_a_transfer() {
    let zones = zones(awkward());
    let origin = origin(&zones);
    let ask = |name: &Name, rtype, serial, transport| {
        let mut out = vec![0; MAX_MESSAGE];
        let request = request(name, rtype, serial, None).0;
        // Over TLS 1.3.
        let tls = (transport == Transport::Tls).then_some(&[][..]);
        let peer = Peer { tls, ..from("192.0.2.1") };
        match Answerer::default().answer(&request, peer, transport, &zones, NOW, &mut out) {
            Outcome::Response(length) => Some(Message::from_vec(&out[..length]).unwrap()),
            Outcome::Silence | Outcome::Transfer(_) | Outcome::Update(_) => None,
        }
    };
    let rcode = |message: Option<Message>| message.map(|message| Rcode(u16::from(message.response_code)));
    for transport in [Transport::Tcp, Transport::Tls] {
        assert!(ask(&origin, Rtype::AXFR, None, transport).is_none());
        assert!(ask(&origin, Rtype::IXFR, Some(6), transport).is_none());
    }
    let below = Name::parse("child.example").unwrap();
    let (old_tls, mut out) = (request(&origin, Rtype::AXFR, None, None).0, vec![0; MAX_MESSAGE]);
    let asked =
        Answerer::default().answer(&old_tls, from("192.0.2.1"), Transport::Tls, &zones, NOW, &mut out);
    assert!(matches!(asked, Outcome::Response(_)) && out[3] & 15 == 5, "REFUSED over TLS 1.2");
    for transport in [Transport::Https, Transport::Quic] {
        assert_eq!(rcode(ask(&origin, Rtype::AXFR, None, transport)), Some(Rcode::REFUSED));
        assert_eq!(rcode(ask(&origin, Rtype::IXFR, Some(6), transport)), Some(Rcode::REFUSED));
        assert_eq!(rcode(ask(&below, Rtype::AXFR, None, transport)), Some(Rcode::NOTAUTH));
        let up_to_date = ask(&origin, Rtype::IXFR, Some(7), transport).unwrap();
        assert_eq!(up_to_date.answers.len(), 1);
    }
}

/// PEERS.md, nsd#479: who asks for changes that are not known any more gets everything.
#[test]
fn ixfr_gets_everything_when_it_is_behind_and_one_soa_when_it_is_not() {
    let zones = zones(awkward());
    let origin = origin(&zones);
    let ixfr =
        |serial| transfer(&zones, "192.0.2.1", request(&origin, Rtype::IXFR, serial, None), MAX_MESSAGE);
    let everything = axfr(&zones, MAX_MESSAGE).records;
    assert_eq!(ixfr(Some(6)).unwrap().records, everything);
    // Exactly 2^31 apart: neither is newer, so the client is taken to be behind.
    assert_eq!(ixfr(Some(7 + (1 << 31))).unwrap().records, everything);
    for serial in [7, 8] {
        let records = ixfr(Some(serial)).unwrap().records;
        assert!(records.len() == 1 && records[0].contains(" SOA "));
    }
    assert_eq!(ixfr(None).err(), Some(Rcode::FORMERR));
}

#[test]
fn a_record_that_fits_into_no_message_breaks_the_transfer_off() {
    let text = "example. 60 IN SOA ns.example. host.example. 7 3600 900 604800 60";
    let mut contents: Contents = fixture::zone("example.", text).contents().clone();
    let owner = Name::parse("big.example").unwrap();
    contents
        .nodes
        .insert(crate::zone::node::single(&owner, Rtype(65_280), Ttl(60), &[&vec![7; 65_530]]).unwrap());
    let zones = zones(Snapshot::new(contents).unwrap());
    let mut answerer = Answerer::default();
    let mut out = vec![0; MAX_MESSAGE];
    let request = request(&origin(&zones), Rtype::AXFR, None, None).0;
    let asked = answerer.answer(&request, from("192.0.2.1"), Transport::Tcp, &zones, NOW, &mut out);
    let Outcome::Transfer(mut transfer) = asked else { panic!("no transfer") };
    assert!(answerer.continue_transfer(&mut transfer, &mut out, NOW).unwrap().is_ok());
    assert!(answerer.continue_transfer(&mut transfer, &mut out, NOW).unwrap().is_err());
    assert!(answerer.continue_transfer(&mut transfer, &mut out, NOW).is_none());
}
