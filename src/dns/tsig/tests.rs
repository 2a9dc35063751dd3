//! hickory-proto's TSIG is the other side of every exchange it is able to hold; what it lacks (transfers of many
//! messages with and without MACs, truncation, BADTIME) is held against the text of RFC 8945.

use super::*;
use crate::dns::message::query::Query;
use crate::dns::message::{Compression, Header, Opcode, Question, Rcode, Request, Writer, flag};
use crate::dns::name::Name;
use crate::dns::rtype::{CLASS_IN, Rtype};
use crate::dns::time::Timestamp;
use hickory_proto::op::{Message, Query as TheirQuery};
use hickory_proto::rr::rdata::tsig::{TSIG, TsigAlgorithm, TsigError as TheirError};
use hickory_proto::rr::{Name as TheirName, RecordType, TSigResponseContext, TSigner};
use std::sync::Arc;
use zeroize::Zeroizing;

const NOW: Timestamp = Timestamp(1_800_000_000);
const SECRET: &[u8] = b"thirty-two octets of no entropy!";

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn key(algorithm: Algorithm) -> Key {
    Key::new(name("Xfr.Example").as_ref(), algorithm, Zeroizing::new(SECRET.to_vec())).unwrap()
}

fn ring(key: Key) -> Keyring {
    Keyring::new([Arc::new(key)])
}

fn theirs(algorithm: Algorithm) -> TSigner {
    let algorithm = match algorithm {
        // hickory-proto knows the name and not the MAC.
        Algorithm::Sha1 => TsigAlgorithm::HmacSha1,
        Algorithm::Sha256 => TsigAlgorithm::HmacSha256,
        Algorithm::Sha384 => TsigAlgorithm::HmacSha384,
        Algorithm::Sha512 => TsigAlgorithm::HmacSha512,
    };
    TSigner::new(SECRET.to_vec(), algorithm, TheirName::from_ascii("xfr.example.").unwrap(), FUDGE).unwrap()
}

/// A request signed by hickory-proto.
fn their_request(signer: &TSigner, at: Timestamp) -> Vec<u8> {
    let mut message = Message::query();
    message.metadata.id = 77;
    message.add_query(TheirQuery::query(TheirName::from_ascii("example.test.").unwrap(), RecordType::AXFR));
    message.finalize(signer, at.0).unwrap();
    message.to_vec().unwrap()
}

/// A response of ours, not yet signed.
fn response(out: &mut [u8], reserve: usize, rcode: Rcode) -> usize {
    let mut names = Compression::default();
    let limit = out.len();
    let header = Header { id: 77, bits: flag::QR };
    let mut writer = Writer::new(out, limit, reserve, header, None, &mut names);
    let zone = name("example.test");
    writer.question(&Question { name: zone.as_ref(), rtype: Rtype::AXFR, class: CLASS_IN }).unwrap();
    writer.set_rcode(rcode);
    writer.finish()
}

fn verify(request: &[u8], keys: &Keyring, now: Timestamp) -> Result<Session, Refusal> {
    let tsig_at = Request::read(request).unwrap().tsig_at.unwrap();
    Session::verify(request, tsig_at, keys, now)
}

fn refused(request: &[u8], keys: &Keyring, now: Timestamp) -> Refusal {
    verify(request, keys, now).err().unwrap()
}

fn our_request(key: &Arc<Key>, now: Timestamp) -> (Exchange, Vec<u8>) {
    let mut out = vec![0; 512];
    let zone = name("example.test");
    let question = Question { name: zone.as_ref(), rtype: Rtype::AXFR, class: CLASS_IN };
    let query = Query { id: 77, opcode: Opcode::QUERY, question, soa: None, edns: true, dnssec_ok: false };
    let length = query.write(&mut out, Exchange::reserve(key), &mut Compression::default()).unwrap();
    let (exchange, length) = Exchange::begin(Arc::clone(key), &mut out, length, now).unwrap();
    out.truncate(length);
    (exchange, out)
}

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];

#[test]
fn their_request_is_verified_and_they_verify_every_message_that_answers_it() {
    for algorithm in ALGORITHMS {
        let signer = theirs(algorithm);
        let mut message = Message::query();
        message.metadata.id = 77;
        message
            .add_query(TheirQuery::query(TheirName::from_ascii("example.test.").unwrap(), RecordType::AXFR));
        let mut verifier = message.finalize(&signer, NOW.0).unwrap().unwrap();
        let request = message.to_vec().unwrap();
        let mut session = verify(&request, &ring(key(algorithm)), NOW).ok().unwrap();
        for _ in 0..3 {
            let mut out = vec![0; 512];
            let length = response(&mut out, session.reserve(), Rcode::NOERROR);
            let length = session.sign(&mut out, length, NOW).unwrap();
            verifier.verify(&out[..length]).unwrap();
        }
    }
}

#[test]
fn they_verify_our_request_and_we_verify_their_response() {
    for algorithm in ALGORITHMS {
        let (mut exchange, request) = our_request(&Arc::new(key(algorithm)), NOW);
        let (mac, time, window) = theirs(algorithm).verify_message_byte(&request, None, true).unwrap();
        assert_eq!(time, NOW.0);
        assert_eq!(window, NOW.0 - 300..NOW.0 + 300);
        let mut out = vec![0; 512];
        let length = response(&mut out, 0, Rcode::NOERROR);
        let context = TSigResponseContext::new(77, NOW.0 + 2, theirs(algorithm), mac, None);
        let record = context.sign(&out[..length]).unwrap();
        let mut answer = Message::from_vec(&out[..length]).unwrap();
        answer.signature = Some(record);
        exchange.verify(&answer.to_vec().unwrap(), NOW).unwrap();
        exchange.finish().unwrap();
    }
}

#[test]
fn the_old_algorithm_signs_both_ways_and_its_mac_may_be_halved() {
    let key = Arc::new(key(Algorithm::Sha1));
    let keys = Keyring::new([Arc::clone(&key)]);
    let (mut exchange, request) = our_request(&key, NOW);
    let mut session = verify(&request, &keys, NOW).ok().unwrap();
    let mut out = vec![0; 512];
    let length = response(&mut out, session.reserve(), Rcode::NOERROR);
    let length = session.sign(&mut out, length, NOW).unwrap();
    assert_eq!(their_reading(&out[..length]).mac.len(), 20);
    assert_eq!(exchange.verify(&out[..length], NOW), Ok(()));
    assert!(matches!(refused(&truncated(&request, 9), &keys, NOW), Refusal::Malformed));
    assert_eq!(refused(&truncated(&request, 10), &keys, NOW).error(), TsigError::BADTRUNC);
}

#[test]
fn an_unknown_key_name_or_another_algorithm_is_badkey_and_unsigned() {
    let request = their_request(&theirs(Algorithm::Sha256), NOW);
    for keys in [Keyring::default(), ring(key(Algorithm::Sha512))] {
        let mut refusal = refused(&request, &keys, NOW);
        assert_eq!((refusal.rcode(), refusal.error()), (Rcode::NOTAUTH, TsigError::BADKEY));
        let mut out = vec![0; 512];
        let length = response(&mut out, refusal.reserve(), refusal.rcode());
        let length = refusal.append(&mut out, length, NOW).unwrap();
        let tsig = their_reading(&out[..length]);
        assert_eq!((tsig.error, tsig.mac.len()), (Some(TheirError::BadKey), 0));
        let (mut exchange, _) = our_request(&Arc::new(key(Algorithm::Sha256)), NOW);
        assert_eq!(exchange.verify(&out[..length], NOW), Err(ResponseFault::BadKey));
    }
}

fn their_reading(message: &[u8]) -> TSIG {
    Message::from_vec(message).unwrap().signature.unwrap().data.clone()
}

#[test]
fn a_changed_message_is_badsig_and_unsigned() {
    let good = their_request(&theirs(Algorithm::Sha256), NOW);
    let keys = ring(key(Algorithm::Sha256));
    let mut request = good.clone();
    request[13] ^= 1; // a letter of the question
    let mut refusal = refused(&request, &keys, NOW);
    assert_eq!((refusal.rcode(), refusal.error()), (Rcode::NOTAUTH, TsigError::BADSIG));
    let mut out = vec![0; 512];
    let length = response(&mut out, refusal.reserve(), refusal.rcode());
    let length = refusal.append(&mut out, length, NOW).unwrap();
    let tsig = their_reading(&out[..length]);
    assert_eq!((tsig.error, tsig.mac.len()), (Some(TheirError::BadSig), 0));
    // The ID alone may change on the way (RFC 8945 §4.3.2): the original is in the record.
    let mut forwarded = good;
    forwarded[0] ^= 0xff;
    assert!(verify(&forwarded, &keys, NOW).is_ok());
}

#[test]
fn a_request_outside_the_fudge_is_badtime_signed_with_both_times() {
    let key = Arc::new(key(Algorithm::Sha256));
    let keys = Keyring::new([Arc::clone(&key)]);
    let (mut exchange, request) = our_request(&key, NOW);
    for within in [Timestamp(NOW.0 - 300), Timestamp(NOW.0 + 300)] {
        assert!(verify(&request, &keys, within).is_ok());
    }
    let late = Timestamp(NOW.0 + 301);
    let mut refusal = refused(&request, &keys, late);
    assert_eq!((refusal.rcode(), refusal.error()), (Rcode::NOTAUTH, TsigError::BADTIME));
    let mut out = vec![0; 512];
    let length = response(&mut out, refusal.reserve(), refusal.rcode());
    let length = refusal.append(&mut out, length, late).unwrap();
    let tsig = their_reading(&out[..length]);
    assert_eq!(tsig.time, NOW.0);
    assert_eq!(tsig.other, [0, 0, 0x6b, 0x49, 0xd2 + 1, 0x2d]);
    assert_eq!(exchange.verify(&out[..length], NOW), Err(ResponseFault::BadTime { server: late }));
}

/// The request with its MAC cut to `octets`, as a client that truncates would send it.
fn truncated(request: &[u8], octets: usize) -> Vec<u8> {
    let tsig_at = Request::read(request).unwrap().tsig_at.unwrap();
    let tsig = record::Tsig::read(request, tsig_at).unwrap();
    let mut out = request[..tsig_at].to_vec();
    out.resize(512, 0);
    out[11] -= 1;
    let (name, algorithm) = (tsig.key_name.as_ref(), tsig.algorithm.as_ref().wire());
    let length = record::append(&mut out, tsig_at, name, algorithm, &tsig.variables(), &tsig.mac[..octets]);
    out.truncate(length.unwrap());
    out
}

#[test]
fn truncation_is_malformed_below_half_refused_by_default_and_accepted_on_demand() {
    let (_, request) = our_request(&Arc::new(key(Algorithm::Sha384)), NOW);
    let strict = ring(key(Algorithm::Sha384));
    let lenient = ring(key(Algorithm::Sha384).accept_truncated(24));
    assert!(matches!(refused(&truncated(&request, 23), &lenient, NOW), Refusal::Malformed));
    let refusal = refused(&truncated(&request, 24), &strict, NOW);
    assert_eq!((refusal.rcode(), refusal.error()), (Rcode::NOTAUTH, TsigError::BADTRUNC));
    assert!(matches!(refusal, Refusal::Signed(_)));
    assert!(verify(&truncated(&request, 24), &lenient, NOW).is_ok());
    let mut wrong = truncated(&request, 24);
    wrong[13] ^= 1;
    assert_eq!(refused(&wrong, &lenient, NOW).error(), TsigError::BADSIG);
}

#[test]
fn a_transfer_may_leave_99_messages_unsigned_but_neither_100_nor_the_last() {
    for (unsigned, outcome) in [(0, Ok(())), (99, Ok(())), (100, Err(ResponseFault::Unsigned))] {
        let key = Arc::new(key(Algorithm::Sha256));
        let (mut exchange, request) = our_request(&key, NOW);
        let mut session = verify(&request, &Keyring::new([key]), NOW).ok().unwrap();
        let mut out = vec![0; 512];
        let length = response(&mut out, session.reserve(), Rcode::NOERROR);
        let length = session.sign(&mut out, length, NOW).unwrap();
        exchange.verify(&out[..length], NOW).unwrap();
        let mut plain = vec![0; 512];
        let plain_length = response(&mut plain, 0, Rcode::NOERROR);
        let mut result = Ok(());
        for _ in 0..unsigned {
            result = result.and_then(|()| exchange.verify(&plain[..plain_length], NOW));
        }
        // Our server signs every message; a signature over several is put together by hand.
        if unsigned == 99 {
            assert_eq!(exchange.verify(&plain[..plain_length], NOW), Err(ResponseFault::Unsigned));
            assert_eq!(exchange.finish(), Err(ResponseFault::Unsigned));
            let (mut exchange, _) = our_request(&session_key(), NOW);
            exchange.verify(&out[..length], NOW).unwrap();
            for _ in 0..2 {
                exchange.verify(&plain[..plain_length], NOW).unwrap();
            }
            let last = over_several(&out[..length], &[&plain[..plain_length]; 2], &plain[..plain_length]);
            exchange.verify(&last, NOW).unwrap();
            exchange.finish().unwrap();
        }
        assert_eq!(result, outcome);
    }
}

fn session_key() -> Arc<Key> {
    Arc::new(key(Algorithm::Sha256))
}

/// `last`, signed so that its MAC covers `between` too, which follow the signed message `before`.
fn over_several(before: &[u8], between: &[&[u8]], last: &[u8]) -> Vec<u8> {
    let mut covered = vec![0, 32];
    covered.extend(their_reading(before).mac);
    for message in between {
        covered.extend(*message);
    }
    covered.extend(last);
    let variables = record::Variables::at(NOW);
    covered.extend([&NOW.0.to_be_bytes()[2..], &FUDGE.to_be_bytes()].concat());
    let mac = theirs(Algorithm::Sha256).sign(&covered).unwrap();
    let mut out = last.to_vec();
    out.resize(512, 0);
    let key = session_key();
    let length =
        record::append(&mut out, last.len(), key.name(), key.algorithm().wire(), &variables, &mac).unwrap();
    out.truncate(length);
    out
}

#[test]
fn a_response_is_refused_when_unsigned_altered_late_or_from_another_key() {
    let key = session_key();
    let (_, request) = our_request(&key, NOW);
    let mut session = verify(&request, &Keyring::new([Arc::clone(&key)]), NOW).ok().unwrap();
    let mut out = vec![0; 512];
    let plain = response(&mut out, session.reserve(), Rcode::NOERROR);
    let unsigned = out[..plain].to_vec();
    let length = session.sign(&mut out, plain, NOW).unwrap();
    let check = |message: &[u8], now| our_request(&key, NOW).0.verify(message, now);
    assert_eq!(check(&out[..length], NOW), Ok(()));
    assert_eq!(check(&unsigned, NOW), Err(ResponseFault::Unsigned));
    let late = Timestamp(NOW.0 + 301);
    assert_eq!(check(&out[..length], late), Err(ResponseFault::OutOfTime { signed_at: NOW }));
    let mut altered = out[..length].to_vec();
    altered[13] ^= 1;
    assert_eq!(check(&altered, NOW), Err(ResponseFault::WrongMac));
    let other = Key::new(name("other").as_ref(), Algorithm::Sha256, Zeroizing::new(SECRET.to_vec())).unwrap();
    let (mut exchange, _) = our_request(&Arc::new(other), NOW);
    assert_eq!(exchange.verify(&out[..length], NOW), Err(ResponseFault::WrongKey));
}

#[test]
fn keys_are_read_from_base64_and_never_printed() {
    let key = Key::from_base64(name("K").as_ref(), "HMAC-SHA256.".parse().unwrap(), " c2Vj\ncmV0 ").unwrap();
    assert_eq!(format!("{key:?}"), "Key(k. hmac-sha256, secret redacted)");
    assert_eq!("hmac-md5".parse::<Algorithm>(), Err(KeyError::UnknownAlgorithm));
    assert_eq!(Key::from_base64(name("k").as_ref(), Algorithm::Sha256, "%").err(), Some(KeyError::NotBase64));
    assert_eq!(Key::from_base64(name("k").as_ref(), Algorithm::Sha256, " ").err(), Some(KeyError::Empty));
}

proptest::proptest! {
    #[test]
    fn no_tsig_record_panics(tail in proptest::collection::vec(proptest::num::u8::ANY, 0..120)) {
        let mut request = their_request(&theirs(Algorithm::Sha256), NOW);
        let at = Request::read(&request).unwrap().tsig_at.unwrap();
        request.truncate(at);
        request.extend(b"\x03xfr\x07example\0\0\xfa\0\xff\0\0\0\0");
        request.extend((tail.len() as u16).to_be_bytes());
        request.extend(&tail);
        let _ = Session::verify(&request, at, &ring(key(Algorithm::Sha256)), NOW);
        let _ = our_request(&session_key(), NOW).0.verify(&request, NOW);
    }
}
