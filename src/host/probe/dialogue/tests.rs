use proptest::prelude::*;

use super::*;

const MANNERS: [Manner; 10] = [
    Manner::Tls,
    Manner::Smtp,
    Manner::Imap,
    Manner::Pop3,
    Manner::Ldap,
    Manner::XmppClient,
    Manner::XmppServer,
    Manner::Ftp,
    Manner::Postgres,
    Manner::Sieve,
];
const NAMES: Names<'static> = Names { to: "example.test", ehlo: "probe.example.test" };

/// How a dialogue ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Tls,
    NoStartTls,
    /// The server has said too little.
    Waits,
    Fault(Fault),
}

/// What we say while the server says `lines`, each when we have answered the one before, `at_once` octets a packet.
fn talk(manner: Manner, lines: &[&[u8]], at_once: usize) -> (Vec<String>, End) {
    let (mut dialogue, opening) = Dialogue::begin(manner, NAMES).unwrap();
    let mut said = Vec::new();
    if !opening.is_empty() {
        said.push(opening.escape_ascii().to_string());
    }
    let mut inbox = Vec::new();
    for octets in lines.iter().flat_map(|line| line.chunks(at_once)) {
        inbox.extend_from_slice(octets);
        loop {
            match dialogue.hear(&inbox) {
                Err(fault) => return (said, End::Fault(fault)),
                Ok(None) => break,
                Ok(Some(Heard { used, next })) => {
                    inbox.drain(..used);
                    match next {
                        Next::Listen => {}
                        Next::Say(octets) => said.push(octets.escape_ascii().to_string()),
                        Next::Tls => return (said, End::Tls),
                        Next::NoStartTls => return (said, End::NoStartTls),
                    }
                }
            }
        }
    }
    (said, End::Waits)
}

/// That we say `ours` and it ends so, however the server's words are split into packets.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "a literal reads best at the call")]
fn check(manner: Manner, lines: &[&str], ours: &[&str], end: End) {
    let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
    for at_once in [1, 2, 3, 7, 4_096] {
        let (said, ended) = talk(manner, &lines, at_once);
        assert_eq!(said, ours, "{at_once} octets a packet");
        assert_eq!(ended, end, "{at_once} octets a packet");
    }
}

fn unexpected_is(expected: &'static str, got: &str) -> End {
    End::Fault(Fault::Unexpected { expected, got: got.to_owned() })
}

#[test]
fn smtp_asks_for_tls_where_ehlo_lists_it() {
    let ours = [r"EHLO probe.example.test\r\n", r"STARTTLS\r\n"];
    let greeting = "220-mx.example.test ESMTP\r\n220-no spam\r\n220 please\r\n";
    let capabilities = "250-mx.example.test\r\n250-SIZE 1000\r\n250-starttls\r\n250 8BITMIME\r\n";
    check(Manner::Smtp, &[greeting, capabilities, "220 ready\r\n"], &ours, End::Tls);
    check(Manner::Smtp, &[greeting, capabilities, "220\n"], &ours, End::Tls);
    check(
        Manner::Smtp,
        &[greeting, capabilities, "454 not now\r\n"],
        &ours,
        unexpected_is("220", "454 not now"),
    );
    check(Manner::Smtp, &[greeting, capabilities, "502 no\r\n"], &ours, End::NoStartTls);
    check(Manner::Smtp, &[greeting, capabilities], &ours, End::Waits);
    // The first line is the server's name.
    check(Manner::Smtp, &[greeting, "250 STARTTLS\r\n"], &ours[..1], End::NoStartTls);
    check(Manner::Smtp, &[greeting, "250-mx\r\n250 XSTARTTLS\r\n"], &ours[..1], End::NoStartTls);
    check(Manner::Smtp, &[greeting, "502 what?\r\n"], &ours[..1], End::NoStartTls);
    check(Manner::Smtp, &["421 too busy\r\n"], &[], unexpected_is("220", "421 too busy"));
    let broken = "a reply of three digits and a text";
    check(Manner::Smtp, &["SSH-2.0-OpenSSH\r\n"], &[], unexpected_is(broken, "SSH-2.0-OpenSSH"));
    check(Manner::Smtp, &["22\r\n"], &[], unexpected_is(broken, "22"));
    check(Manner::Smtp, &["2200 x\r\n"], &[], unexpected_is(broken, "2200 x"));
}

#[test]
fn ftp_asks_by_auth_tls() {
    let ours = [r"AUTH TLS\r\n"];
    let greeting = "220-Welcome\r\n 220 is not the end, it is indented\r\n2201\r\nanything\r\n220 Ready\r\n";
    check(Manner::Ftp, &[greeting, "234 go\r\n"], &ours, End::Tls);
    check(Manner::Ftp, &["120 soon\r\n", "220 now\r\n", "234 go\r\n"], &ours, End::Tls);
    check(Manner::Ftp, &[greeting, "530 Please login\r\n"], &ours, End::NoStartTls);
    check(Manner::Ftp, &[greeting, "431 later\r\n"], &ours, unexpected_is("234", "431 later"));
    check(Manner::Ftp, &["530 no\r\n"], &[], unexpected_is("220", "530 no"));
}

#[test]
fn imap_waits_for_its_tag() {
    let ours = [r"a STARTTLS\r\n"];
    let greeting = "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n";
    check(Manner::Imap, &[greeting, "* OK still here\r\n", "a OK Begin\r\n"], &ours, End::Tls);
    check(Manner::Imap, &[greeting, "a BAD no such command\r\n"], &ours, End::NoStartTls);
    check(Manner::Imap, &[greeting, "a no\r\n"], &ours, End::NoStartTls);
    check(Manner::Imap, &[greeting, "* BYE going\r\n"], &ours, unexpected_is("OK", "* BYE going"));
    check(Manner::Imap, &["* PREAUTH welcome\r\n"], &[], End::NoStartTls);
    check(Manner::Imap, &["* BYE no\r\n"], &[], unexpected_is("OK", "* BYE no"));
    check(Manner::Imap, &["\n"], &[], unexpected_is("OK", ""));
}

#[test]
fn pop3_asks_by_stls() {
    let ours = [r"STLS\r\n"];
    check(Manner::Pop3, &["+OK hello\r\n", "+OK go\r\n"], &ours, End::Tls);
    check(Manner::Pop3, &["+OK hello\r\n", "-ERR what?\r\n"], &ours, End::NoStartTls);
    check(Manner::Pop3, &["-ERR busy\r\n"], &[], unexpected_is("+OK", "-ERR busy"));
}

#[test]
fn sieve_reads_its_capabilities_to_their_end() {
    let ours = [r"STARTTLS\r\n"];
    let before = "\"IMPLEMENTATION\" \"x\"\r\n\"SASL\" \"\"\r\n";
    let offer = "\"StartTLS\"\r\n";
    let done = "OK (TAG {6}\r\nOK\r\nNO) \"ready\"\r\n";
    check(Manner::Sieve, &[before, offer, done, "OK \"Begin\"\r\n"], &ours, End::Tls);
    check(Manner::Sieve, &[before, offer, "ok\r\n", "OK\r\n"], &ours, End::Tls);
    check(Manner::Sieve, &[before, offer, "ok\r\n", "NO {2+}\r\nno\r\n"], &ours, End::NoStartTls);
    check(Manner::Sieve, &[before, "\"X\" {10}\r\n\"STARTTLS\"\r\n", done], &[], End::NoStartTls);
    check(Manner::Sieve, &[before, "BYE \"no\"\r\n"], &[], unexpected_is("OK", "BYE \\\"no\\\""));
    check(Manner::Sieve, &["220 smtp\r\n"], &[], unexpected_is("OK", "220 smtp"));
}

#[test]
fn xmpp_reads_tags_however_they_are_written() {
    let header = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' to='example.test' \
                  xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
    let header = header.as_bytes().escape_ascii().to_string();
    let ours = [&header[..], r"<starttls xmlns=\'urn:ietf:params:xml:ns:xmpp-tls\'/>"];
    let open = "<?xml version=\"1.0\"?> <stream:stream id='>/' from='a'>";
    let offer =
        "<stream:features><m><x>PLAIN</x></m><starttls xmlns='urn'><required/></starttls></stream:features>";
    check(Manner::XmppClient, &[open, offer, "<proceed xmlns='urn'/>"], &ours, End::Tls);
    check(
        Manner::XmppClient,
        &[open, "<f:features><starttls/></f:features>", "<t:proceed></t:proceed>"],
        &ours,
        End::Tls,
    );
    check(
        Manner::XmppClient,
        &[open, offer, "<failure xmlns='urn'/></stream:stream>"],
        &ours,
        End::NoStartTls,
    );
    check(Manner::XmppClient, &[open, "<features><x>starttls</x></features>"], &ours[..1], End::NoStartTls);
    check(Manner::XmppClient, &[open, "<features/>"], &ours[..1], End::NoStartTls);
    let fault = |got| unexpected_is("a stream that goes on", got);
    check(
        Manner::XmppClient,
        &[open, "<stream:error><host-unknown xmlns='u'/></stream:error>"],
        &ours[..1],
        fault("host-unknown"),
    );
    check(Manner::XmppClient, &[open, "</stream:stream>"], &ours[..1], fault("</stream:stream>"));
    let (said, end) = talk(Manner::XmppServer, &[b"220 smtp\r\n"], 100);
    assert!(said[0].contains(r"xmlns=\'jabber:server\'"), "{said:?}");
    assert_eq!(end, unexpected_is("an XML stream", "220 smtp"));
    assert!(String::from_utf8(xmpp::header("n", "a'&<b")).unwrap().contains("to='a&#39;&#38;&#60;b'"));
}

#[test]
fn ldap_takes_success_for_its_own_message_alone() {
    let response = |id: u8, tag: u8, code: u8| vec![0x30, 0x0c, 2, 1, id, tag, 7, 10, 1, code, 4, 0, 4, 0];
    let end = |octets: &[u8]| {
        let ends = [1, 5, 100].map(|at_once| talk(Manner::Ldap, &[octets], at_once).1);
        assert_eq!(ends[0], ends[2]);
        assert_eq!(ends[1], ends[2]);
        let [end, ..] = ends;
        end
    };
    assert_eq!(end(&response(1, 0x78, 0)), End::Tls);
    assert_eq!(end(&response(1, 0x78, 2)), End::NoStartTls);
    // The length in its long form, which BER allows.
    let mut long = response(1, 0x78, 0);
    long.splice(1..2, [0x84, 0, 0, 0, 12]);
    assert_eq!(end(&long), End::Tls);
    for other in [response(0, 0x78, 0), response(1, 0x61, 0), response(1, 0x78, 52)] {
        assert!(matches!(end(&other), End::Fault(Fault::Unexpected { .. })), "{other:?}");
    }
    assert_eq!(end(&response(1, 0x78, 0)[..13]), End::Waits);
}

#[test]
fn what_is_no_ldap_is_not_waited_for() {
    let (_, end) = talk(Manner::Ldap, &[b"\x16\x03"], 100);
    assert_eq!(end, unexpected_is("a response that allows StartTLS", r"\x16\x03"));
}

#[test]
fn postgresql_answers_with_one_letter() {
    let ours = [r"\x00\x00\x00\x08\x04\xd2\x16/"];
    check(Manner::Postgres, &["S"], &ours, End::Tls);
    check(Manner::Postgres, &["N"], &ours, End::NoStartTls);
    check(Manner::Postgres, &["E"], &ours, unexpected_is("S or N", "E"));
}

#[test]
fn tls_at_once_needs_no_dialogue() {
    assert!(Dialogue::begin(Manner::Tls, NAMES).is_none());
}

#[test]
fn a_strangers_words_are_quoted_short_and_printable() {
    let words = [b"\x1b[2J".as_slice(), &[b'x'; 500], b"\r\n"].concat();
    let (_, End::Fault(Fault::Unexpected { got, .. })) = talk(Manner::Pop3, &[&words], 4_096) else {
        panic!("expected a fault");
    };
    assert!(got.starts_with(r"\x1b[2Jxxx") && got.len() < 100, "{got}");
}

/// Pieces of what servers say: random octets alone seldom get past the first step.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&[u8]; 24] = [
        b"220 ",
        b"220-",
        b"250-STARTTLS",
        b"250 x",
        b"234 ",
        b"\r\n",
        b"\n",
        b"* OK",
        b"* ",
        b"a OK",
        b"+OK",
        b"-ERR",
        b"\"STARTTLS\"",
        b"OK",
        b"{9}",
        b"{65535}",
        b"<stream:stream>",
        b"<features>",
        b"</features>",
        b"<starttls/>",
        b"<proceed/>",
        b"'",
        b"\x30\x0c\x02\x01\x01\x78\x07",
        b"\x0a\x01\x00\x04\x00\x04\x00",
    ];
    prop_oneof![
        prop::sample::select(PIECES.to_vec()).prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 0..20),
    ]
}

#[test]
fn an_ldap_message_is_a_sequence_of_definite_length() {
    // Found by fuzzing: what came in one packet was taken for a message, and not what came in two.
    let success = b"\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
    let framed = |front: &[u8]| [front, success].concat();
    for (front, is_message) in [
        (&b"\x30"[..], true),
        (b"\x30\x81", true),
        (b"\x30\x84\0\0\0", true),
        (b"\x89", false),
        (b"\x30\x80", false),
    ] {
        for at_once in [1, 7, 4_096] {
            let (_, end) = talk(Manner::Ldap, &[&framed(front)], at_once);
            assert_eq!(end == End::Tls, is_message, "{front:?}, {at_once} octets a packet: {end:?}");
        }
    }
}

proptest! {
    /// Whatever a server says, in whatever packets: nothing panics, and it comes to the same.
    #[test]
    fn packets_make_no_difference(
        pieces in prop::collection::vec(piece(), 0..30),
        manner in prop::sample::select(MANNERS[1..].to_vec()),
        at_once in 1_usize..50,
    ) {
        let all = pieces.concat();
        let split = talk(manner, &[&all], at_once);
        let whole = talk(manner, &[&all], usize::MAX);
        // What is quoted of a line that has not ended yet is as much as there was.
        if let ((_, End::Fault(_)), (_, End::Fault(_))) = (&split, &whole) {
            prop_assert_eq!(split.0, whole.0);
        } else {
            prop_assert_eq!(split, whole);
        }
    }
}
