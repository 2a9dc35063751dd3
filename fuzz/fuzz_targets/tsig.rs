//! TSIG: no octets break its readers, and what is verified is what was signed.

#![no_main]

use std::sync::{Arc, LazyLock};

use danelaw::dns::message::{MAX_MESSAGE, Request};
use danelaw::dns::name::Name;
use danelaw::dns::tsig::{Algorithm, Exchange, Key, Keyring, Session};
use danelaw_fuzz::{KEY_NAME, KEY_SECRET, NOW};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<Arc<Key>> = LazyLock::new(|| {
    let name = Name::parse(KEY_NAME).expect("a name");
    Arc::new(Key::from_base64(name.as_ref(), Algorithm::Sha256, KEY_SECRET).expect("a key"))
});
static KEYS: LazyLock<Keyring> = LazyLock::new(|| Keyring::new([Arc::clone(&KEY)]));

/// Octets of a header.
const HEADER: usize = 12;
/// Room for TSIG.
const ROOM: usize = 512;

fuzz_target!(|data: &[u8]| {
    if let Ok(request) = Request::read(data)
        && let Some(at) = request.tsig_at
    {
        answered(data, at);
    }
    let Some((place, message)) = data.split_first_chunk() else { return };
    let place = usize::from(u16::from_be_bytes(*place));
    if message.len() < HEADER || message.len() > MAX_MESSAGE - ROOM {
        return;
    }
    // As if the record began anywhere.
    answered(message, HEADER + place % (message.len() - HEADER + 1));
    signed(message, place);
    // As if it were a response to a signed query.
    let mut buffer = [&[0; HEADER][..], &[0; ROOM]].concat();
    let (mut exchange, _) = Exchange::begin(Arc::clone(&KEY), &mut buffer, HEADER, NOW).expect("room");
    if exchange.verify(message, NOW).is_ok() {
        panic!("nobody signed this, or the fuzzer has broken HMAC");
    }
    let _ = exchange.finish();
});

/// Whatever is found, an answer can be completed.
fn answered(request: &[u8], at: usize) {
    let mut response = [0; 4 * ROOM];
    response[..HEADER].copy_from_slice(&request[..HEADER]);
    let (length, reserved) = match Session::verify(request, at, &KEYS, NOW) {
        Ok(mut session) => (session.sign(&mut response, HEADER, NOW), session.reserve()),
        Err(mut refusal) => (refusal.append(&mut response, HEADER, NOW), refusal.reserve()),
    };
    let added = length.expect("room") - HEADER;
    assert!(added <= reserved, "{added} octets where {reserved} were reserved");
}

/// A signed message is verified; the same with any one bit changed is not.
fn signed(message: &[u8], place: usize) {
    // The last count makes room for one more.
    if message[10..12] == [0xff, 0xff] {
        return;
    }
    let length = message.len();
    let mut request = [message, &[0; ROOM]].concat();
    let (mut exchange, end) = Exchange::begin(Arc::clone(&KEY), &mut request, length, NOW).expect("room");
    request.truncate(end);
    let Ok(mut session) = Session::verify(&request, length, &KEYS, NOW) else {
        panic!("what was signed is not verified");
    };
    // The ID may be changed on the way: the TSIG record has the original one (RFC 8945 §5.2).
    let bit = 16 + place % (8 * length - 16);
    request[bit / 8] ^= 1 << (bit % 8);
    assert!(Session::verify(&request, length, &KEYS, NOW).is_err(), "bit {bit} is not covered");

    // The answer holds for the client as well, which reads all of it first.
    let mut response = [0; 2 * ROOM];
    response[..HEADER].copy_from_slice(&[message[0], message[1], 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let end = session.sign(&mut response, HEADER, NOW).expect("room");
    assert_eq!(exchange.verify(&response[..end], NOW), Ok(()));
    assert_eq!(exchange.finish(), Ok(()));
}
