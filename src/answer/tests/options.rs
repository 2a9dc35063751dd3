//! What EDNS options, class CH and rates make of a response, as hickory-proto reads it.

use super::*;
use crate::answer::cookie::CookieSecret;
use crate::answer::rate::{Counts, Kind, RateLimit, RateLimiter, Rates};
use crate::dns::message::Reader;
use crate::dns::time::Seconds;

fn server() -> Server {
    Server {
        version: Text::new(b"danelaw"),
        id: Text::new(b"ns1"),
        cookies: Some(CookieSecret::new([7; 16])),
        limiter: None,
    }
}

fn zones(server: Server) -> Zones {
    let access = Arc::new(Access::default());
    let zone = Zone::ready(Arc::new(awkward()), Arc::clone(&access));
    let waiting = Zone::not_ready(crate::dns::name::Name::parse("waiting.test").unwrap(), access);
    Zones::new(vec![zone, waiting], Arc::default(), Arc::new(server))
}

/// A question with an OPT record of these options, octets and all.
fn request(name: &[u8], rtype: u8, class: u8, options: &[u8]) -> Vec<u8> {
    let opt = [&[0, 0, 41, 16, 0, 0, 0, 0, 0, 0, options.len() as u8][..], options].concat();
    [&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1][..], name, &[0, rtype, 0, class], &opt].concat()
}

fn respond(zones: &Zones, transport: Transport, request: &[u8]) -> Vec<u8> {
    respond_at(NOW, zones, transport, request)
}

fn respond_at(now: Timestamp, zones: &Zones, transport: Transport, request: &[u8]) -> Vec<u8> {
    let mut out = vec![0; MAX_MESSAGE];
    let mut answerer = Answerer { idle: Seconds(30), ..Answerer::default() };
    match answerer.answer(request, CLIENT.into(), transport, zones, now, &mut out) {
        Outcome::Response(length) => out[..length].to_vec(),
        Outcome::Silence | Outcome::Transfer(_) | Outcome::Update(_) => Vec::new(),
    }
}

/// What the option `code` of the response holds.
fn option(response: &[u8], code: u16) -> Option<Vec<u8>> {
    // All of it is well-formed for others, too.
    Message::from_vec(response).unwrap();
    let mut reader = Reader::new(response, HEADER);
    reader.question().unwrap();
    let opt = std::iter::from_fn(|| reader.record().ok()).find(|record| record.rtype == Rtype::OPT)?;
    let mut options = Reader::new(opt.rdata, 0);
    while let Ok(found) = options.u16() {
        let length = options.u16().unwrap();
        let data = options.octets(length.into()).unwrap();
        if found == code {
            return Some(data.to_vec());
        }
    }
    None
}

const NAME: &[u8] = b"\x04mail\x07example\0";
const COOKIE: &[u8] = b"\0\x0a\0\x08clientck";
const TXT: u8 = 16;
const IN: u8 = 1;
const CH: u8 = 3;

#[test]
fn identity_is_told_to_whoever_asks_for_it_and_to_nobody_else() {
    let served = zones(server());
    let plain = respond(&served, Transport::Udp, &request(NAME, 15, IN, b""));
    assert_eq!(option(&plain, 3), None);
    let asked = respond(&served, Transport::Udp, &request(NAME, 15, IN, b"\0\x03\0\0"));
    assert_eq!(option(&asked, 3).unwrap(), b"ns1");
    let text = |name: &[u8]| {
        let message =
            Message::from_vec(&respond(&served, Transport::Udp, &request(name, TXT, CH, b""))).unwrap();
        let answer = message.answers.first().map(|record| record.data.to_string());
        (Rcode(u16::from(message.response_code)), answer)
    };
    assert_eq!(text(b"\x07version\x04BIND\0"), (Rcode::NOERROR, Some("danelaw".into())));
    assert_eq!(text(b"\x08hostname\x04bind\0"), (Rcode::NOERROR, Some("ns1".into())));
    assert_eq!(text(b"\x02id\x06server\0"), (Rcode::NOERROR, Some("ns1".into())));
    assert_eq!(text(b"\x07authors\x04bind\0"), (Rcode::REFUSED, None));
    let silent = zones(Server::default());
    let refused =
        respond(&silent, Transport::Udp, &request(b"\x07version\x04bind\0", TXT, CH, b"\0\x03\0\0"));
    assert_eq!((refused[3] & 15, option(&refused, 3)), (5, None));
}

#[test]
fn errors_say_why() {
    let zones = zones(server());
    let why = |name: &[u8], rtype: u8, class: u8| {
        let response = respond(&zones, Transport::Tcp, &request(name, rtype, class, b""));
        (response[3] & 15, option(&response, 15).map(|octets| octets[1]))
    };
    assert_eq!(why(b"\x05other\0", 1, IN), (5, Some(20)), "not authoritative");
    assert_eq!(why(b"\x01x\x07waiting\x04test\0", 1, IN), (2, Some(14)), "not ready");
    assert_eq!(why(b"\x07example\0", 252, IN), (5, Some(18)), "transfer prohibited");
    assert_eq!(why(b"\x07example\0", 249, IN), (4, Some(21)), "TKEY not supported");
    assert_eq!(why(NAME, 15, IN), (0, None));
}

#[test]
fn expired_signatures_are_told_to_those_who_look_at_signatures() {
    for snapshot in [fixture::nsec(), fixture::nsec3()] {
        let expires = NOW.nearest_rrsig(snapshot.soonest().unwrap());
        let zone = Zone::ready(Arc::new(snapshot), Arc::new(Access::default()));
        let zones = Zones::new(vec![zone], Arc::default(), Arc::default());
        let why = |now, dnssec_ok: bool, rtype| {
            let mut request = request(b"\x07example\x04test\0", rtype, IN, b"");
            let flags = request.len() - 4;
            request[flags] |= u8::from(dnssec_ok) << 7;
            option(&respond_at(now, &zones, Transport::Udp, &request), 15)
        };
        let stale = Some(vec![0, 3]);
        for rtype in [6, TXT] {
            assert_eq!(why(expires, true, rtype), None, "valid up to then (RFC 4035 §5.3.1)");
            assert_eq!(why(expires + Seconds(1), true, rtype), stale);
            assert_eq!(why(expires + Seconds(1), false, rtype), None);
        }
    }
}

#[test]
fn a_cookie_comes_back_with_ours_which_is_then_known() {
    let zones = zones(server());
    let first = option(&respond(&zones, Transport::Udp, &request(NAME, 15, IN, COOKIE)), 10).unwrap();
    assert_eq!((&first[..8], first.len()), (&b"clientck"[..], 24));
    let again = [&b"\0\x0a\0\x18"[..], &first].concat();
    assert_eq!(option(&respond(&zones, Transport::Udp, &request(NAME, 15, IN, &again)), 10).unwrap(), first);
    let malformed = respond(&zones, Transport::Udp, &request(NAME, 15, IN, b"\0\x0a\0\x02ab"));
    assert_eq!((malformed[3] & 15, option(&malformed, 10)), (1, None));
}

#[test]
fn idle_time_is_told_on_streams_and_length_is_hidden_where_all_else_is() {
    let zones = zones(server());
    let options = b"\0\x0b\0\0\0\x0c\0\x03\0\0\0";
    let seen = |transport| {
        let response = respond(&zones, transport, &request(NAME, 15, IN, options));
        (option(&response, 11), response.len())
    };
    let keepalive = Some(300u16.to_be_bytes().to_vec());
    let (_, bare) = seen(Transport::Udp);
    assert_eq!(seen(Transport::Udp).0, None);
    assert_eq!(seen(Transport::Tcp), (keepalive.clone(), bare + 6));
    assert_eq!(seen(Transport::Tls), (keepalive, 468));
    assert_eq!(seen(Transport::Https), (None, 468));
    assert_eq!(seen(Transport::Quic), (None, 468));
}

#[test]
fn rates_hold_for_datagrams_of_strangers() {
    let rates = Rates { answers: 3, nxdomains: 2, referrals: 2, nodata: 2, errors: 1 };
    let window = Seconds(15);
    let settings = RateLimit {
        rates,
        window,
        slip: 2,
        ipv4_prefix: 24,
        ipv6_prefix: 56,
        exempt: Vec::new(),
        log_only: false,
    };
    let limiter = RateLimiter::new(settings, [1; 16]);
    let zones = zones(Server { limiter: Some(limiter), ..server() });
    let sent = |transport, name: &[u8], options: &[u8]| {
        let times = (0..9).map(|_| respond(&zones, transport, &request(name, 15, IN, options)));
        let (mut whole, mut cut) = (0, 0);
        for response in times.filter(|response| !response.is_empty()) {
            *(if response[2] & 2 == 0 { &mut whole } else { &mut cut }) += 1;
        }
        (whole, cut)
    };
    assert_eq!(sent(Transport::Udp, NAME, b""), (3, 3));
    assert_eq!(sent(Transport::Tcp, NAME, b""), (9, 0), "nobody forges that address");
    let cookie = option(&respond(&zones, Transport::Tcp, &request(NAME, 15, IN, COOKIE)), 10).unwrap();
    let known = [&b"\0\x0a\0\x18"[..], &cookie].concat();
    assert_eq!(sent(Transport::Udp, NAME, &known), (9, 0), "nor this one");
    assert_eq!(sent(Transport::Udp, b"\x02no\x07example\0", b"").0, 2);
    assert_eq!(sent(Transport::Udp, b"\x03nor\x07example\0", b"").0, 0, "of one zone, whatever the name");
    assert_eq!(sent(Transport::Udp, b"\x01a\x05child\x07example\0", b"").0, 2, "referral");
    assert_eq!(sent(Transport::Udp, b"\x03odd\x07example\0", b"").0, 2, "no data");
    assert_eq!(sent(Transport::Udp, b"\x05other\0", b"").0, 1, "refused");
    // No question: the same account as other errors.
    let malformed = [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert!(respond(&zones, Transport::Udp, &malformed).is_empty());
    assert_eq!(respond(&zones, Transport::Tcp, &malformed).len(), 12);
    let beyond = Kind::ALL.map(|kind| {
        let Counts { dropped, truncated } = zones.server().limiter.as_ref().unwrap().counts(kind);
        format!("{kind} {}", dropped + truncated)
    });
    assert_eq!(beyond.join(", "), "answer 6, wildcard 0, referral 7, nodata 7, nxdomain 16, error 9");
}
