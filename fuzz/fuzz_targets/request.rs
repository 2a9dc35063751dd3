//! Any octets as a request give a well-formed response, or silence.
//!
//! The ID, which means nothing to a server, chooses the zone and the transport.

#![no_main]

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};

use danelaw::answer::cookie::CookieSecret;
use danelaw::answer::server::{Server, Text};
use danelaw::answer::{Access, Answerer, Grant, Grants, Outcome, Rule, Transport, Zone, Zones};
use danelaw::dns::message::{MAX_MESSAGE, Rcode, Reader, Request, UDP_PAYLOAD};
use danelaw::dns::name::Name;
use danelaw::dns::tsig::{Algorithm, Key, Keyring};
use danelaw_fuzz::{CLIENT, KEY_NAME, KEY_SECRET, NOW, ORIGIN, ZONES, snapshot};
use hickory_proto::op::Message;
use libfuzzer_sys::fuzz_target;

/// Each of the zones alone, and one that has no version yet.
static SETS: LazyLock<Vec<Zones>> = LazyLock::new(|| {
    let name = Name::parse(KEY_NAME).expect("a name");
    let key = Key::from_base64(name.as_ref(), Algorithm::Sha256, KEY_SECRET).expect("a key");
    let keys = Arc::new(Keyring::new([Arc::new(key)]));
    let access = Arc::new(Access::new(vec![Rule { from: None, key: None, tls: None }]));
    let origin = Name::parse(ORIGIN).expect("a name");
    let (names, subtrees) = (Vec::new(), vec![origin.clone()]);
    let grants = Arc::new(Grants::new(vec![Grant { key: name, from: None, names, subtrees, types: None }]));
    let ready = ZONES.iter().map(|text| {
        Zone::ready(Arc::new(snapshot(text)), Arc::clone(&access)).changed_by(Arc::clone(&grants))
    });
    let server = Arc::new(Server {
        version: Text::new(b"danelaw"),
        id: Text::new(b"fuzz"),
        cookies: Some(CookieSecret::new([7; 16])),
        ..Server::default()
    });
    let zones = ready.chain([Zone::not_ready(origin, Arc::clone(&access))]);
    zones.map(|zone| Zones::new(vec![zone], Arc::clone(&keys), Arc::clone(&server))).collect()
});

thread_local! {
    static WORKSHOP: RefCell<(Answerer, Vec<u8>)> = RefCell::new((Answerer::default(), vec![0; MAX_MESSAGE]));
}

fuzz_target!(|request: &[u8]| {
    let choice = request.first().copied().unwrap_or(0);
    let zones = &SETS[usize::from(choice) % SETS.len()];
    let transport = match choice >> 4 {
        0..8 => Transport::Udp,
        8..13 => Transport::Tcp,
        13 => Transport::Tls,
        14 => Transport::Https,
        _ => Transport::Quic,
    };
    WORKSHOP.with_borrow_mut(|(answerer, out)| {
        let room = if transport == Transport::Udp { usize::from(UDP_PAYLOAD) } else { MAX_MESSAGE };
        let out = &mut out[..room];
        match answerer.answer(request, CLIENT.into(), transport, zones, NOW, out) {
            Outcome::Silence => {
                assert!(request.len() < 12 || request[2] & 0x80 != 0, "only these get no answer");
            }
            Outcome::Response(length) => check(request, transport, &out[..length]),
            Outcome::Transfer(mut transfer) => {
                assert!(transport != Transport::Udp);
                let mut messages = 0;
                while let Some(length) = answerer.continue_transfer(&mut transfer, out, NOW) {
                    read(&out[..length.expect("every record of these zones fits")]);
                    messages += 1;
                }
                assert!(messages > 0);
            }
            Outcome::Update(requested) => {
                let length = requested.reply.write(Rcode::NOERROR, out, NOW).expect("a response has room");
                check(request, transport, &out[..length]);
            }
        }
    });
});

fn check(request: &[u8], transport: Transport, response: &[u8]) {
    assert_eq!(response[..2], request[..2], "ID");
    assert!(response[2] & 0x80 != 0, "QR");
    assert_eq!(response[2] & 0x79, request[2] & 0x79, "opcode and RD");
    read(response);
    let Ok(request) = Request::read(request) else { return };
    let payload = request.edns.map_or(512, |edns| edns.payload.clamp(512, UDP_PAYLOAD));
    assert!(transport != Transport::Udp || response.len() <= usize::from(payload), "too long");
    assert_eq!(response[4..6], [0, 1]);
    let question = Reader::new(response, 12).question().expect("the question");
    // Octet for octet: some clients hide a secret in the case.
    assert_eq!(question.name.wire(), request.question.name.wire());
    assert_eq!((question.rtype, question.class), (request.question.rtype, request.question.class));
}

/// Both readers read it, and nothing follows.
fn read(message: &[u8]) {
    if let Err(error) = Message::from_vec(message) {
        panic!("hickory-proto: {error}: {message:02x?}");
    }
    let count = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    let mut reader = Reader::new(message, 12);
    for _ in 0..count(4) {
        reader.question().expect("a question");
    }
    for _ in 0..count(6) + count(8) + count(10) {
        reader.record().expect("a record");
    }
    assert!(reader.is_at_end());
}
