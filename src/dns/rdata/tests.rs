use proptest::prelude::*;

use super::*;

fn canonical_of(rtype: Rtype, rdata: &[u8]) -> Vec<u8> {
    let mut out = b"before".to_vec();
    canonical(rtype, rdata, &mut out);
    out.split_off(6)
}

#[test]
fn only_the_names_that_rfc_4034_lists_are_lower_cased() {
    assert_eq!(canonical_of(Rtype::MX, b"\x00\x41\x02MX\x00"), b"\x00\x41\x02mx\x00");
    assert_eq!(canonical_of(Rtype::NSEC, b"\x01A\x00\x00\x01\x40"), b"\x01A\x00\x00\x01\x40");
    assert_eq!(canonical_of(Rtype::SVCB, b"\x00\x01\x01A\x00"), b"\x00\x01\x01A\x00");
    assert_eq!(canonical_of(Rtype::TXT, b"\x01A"), b"\x01A");
    let rrsig = b"\x00\x01\x0d\x02AAAABBBBCCCCDD\x01E\x00SIGNATURE";
    assert_eq!(canonical_of(Rtype::RRSIG, rrsig), b"\x00\x01\x0d\x02AAAABBBBCCCCDD\x01e\x00SIGNATURE");
    let naptr = b"\x00\x01\x00\x02\x01S\x03SIP\x00\x01A\x00";
    assert_eq!(canonical_of(Rtype::NAPTR, naptr), b"\x00\x01\x00\x02\x01S\x03SIP\x00\x01a\x00");
}

#[test]
fn embedded_names_are_found_wherever_they_are() {
    let found = |rtype, rdata| -> Vec<(usize, String, bool)> {
        names(rtype, rdata).map(|n| (n.offset, n.name.to_string(), n.compressible)).collect()
    };
    assert_eq!(found(Rtype::MX, b"\x00\x0a\x01m\x00"), [(2, "m.".into(), true)]);
    assert_eq!(found(Rtype::SRV, b"\x00\x01\x00\x02\x00\x03\x01s\x00"), [(6, "s.".into(), false)]);
    assert_eq!(
        found(Rtype::SOA, b"\x01a\x00\x01b\x00aaaabbbbccccddddeeee"),
        [(0, "a.".into(), true), (3, "b.".into(), true)]
    );
    assert_eq!(found(Rtype::IPSECKEY, b"\x0a\x03\x02\x01g\x00key"), [(3, "g.".into(), false)]);
    assert_eq!(found(Rtype::IPSECKEY, b"\x0a\x01\x02\x01\x01\x01\x01key"), []);
    assert_eq!(found(Rtype::AMTRELAY, b"\x0a\x83\x01g\x00"), [(2, "g.".into(), false)]);
    assert_eq!(
        found(Rtype::HIP, b"\x01\x02\x00\x01TK\x01a\x00\x01b\x00"),
        [(6, "a.".into(), false), (9, "b.".into(), false)]
    );
    assert_eq!(found(Rtype::A6, b"\x78\x01\x01p\x00"), [(2, "p.".into(), false)]);
}

#[test]
fn rdata_is_whole_and_nothing_follows_it() {
    assert_eq!(check(Rtype::A, &[192, 0, 2, 1]), Ok(()));
    assert_eq!(check(Rtype::A, &[192, 0, 2]), Err(RdataError::Truncated(Field::Ipv4)));
    assert_eq!(check(Rtype::A, &[192, 0, 2, 1, 1]), Err(RdataError::Trailing(1)));
    assert_eq!(check(Rtype::NS, b"\x01a"), Err(RdataError::Name(NameError::Truncated)));
    assert_eq!(check(Rtype::NS, b"\xc0\x0c"), Err(RdataError::Name(NameError::LabelTooLong)));
    assert_eq!(check(Rtype::TXT, b""), Err(RdataError::Truncated(Field::CharacterStrings)));
    assert_eq!(check(Rtype::TXT, b"\x00"), Ok(()));
    assert_eq!(check(Rtype::A6, &[129]), Err(RdataError::Invalid(Field::A6)));
    assert_eq!(check(Rtype(65_280), b""), Ok(()));
    assert_eq!(check(Rtype(65_280), &vec![0; 65_536]), Err(RdataError::TooLong));
}

/// PEERS.md, NSD 205: DS and ZONEMD records that are none are refused.
#[test]
fn digests_have_the_length_their_type_calls_for() {
    let ds = |length: usize| [&[0, 1, 13, 2][..], &vec![7; length]].concat();
    assert_eq!(check(Rtype::DS, &ds(32)), Ok(()));
    assert_eq!(check(Rtype::DS, &ds(20)), Err(RdataError::Invalid(Field::DsDigest)));
    assert_eq!(check(Rtype::CDS, &[0, 0, 0, 0, 0]), Ok(()));
    let zonemd = |length: usize| [&[0, 0, 0, 1, 1, 1][..], &vec![7; length]].concat();
    assert_eq!(check(Rtype::ZONEMD, &zonemd(48)), Ok(()));
    assert_eq!(check(Rtype::ZONEMD, &zonemd(64)), Err(RdataError::Invalid(Field::ZoneDigest)));
}

#[test]
fn a_naptr_regexp_is_a_substitution() {
    let naptr = |regexp: &str| {
        let mut rdata = b"\x00\x01\x00\x02\x00\x00".to_vec();
        rdata.push(regexp.len() as u8);
        rdata.extend_from_slice(regexp.as_bytes());
        rdata.push(0);
        check(Rtype::NAPTR, &rdata)
    };
    for right in ["", "!^.*$!sip:info@example.test!", "!a!b!i", r"/a\/b/c/"] {
        assert_eq!(naptr(right), Ok(()), "{right}");
    }
    for wrong in ["!", "!a!b", "!a!b!c", "!(a!b!", "1a1b1", r"/a\/b/c"] {
        assert_eq!(naptr(wrong), Err(RdataError::Invalid(Field::Substitution)), "{wrong}");
    }
}

#[test]
fn type_bitmaps_ascend_and_end_in_a_set_bit() {
    let nsec = |bitmap: &[u8]| check(Rtype::NSEC, &[b"\x00", bitmap].concat());
    assert_eq!(nsec(b"\x00\x01\x40"), Ok(()));
    assert_eq!(nsec(b"\x00\x01\x40\x01\x01\x40"), Ok(()));
    for wrong in [&b""[..], b"\x00\x00", b"\x00\x02\x40\x00", b"\x01\x01\x40\x00\x01\x40", b"\x00\x02\x40"] {
        assert_eq!(nsec(wrong), Err(RdataError::Invalid(Field::TypeBitmap)), "{wrong:?}");
    }
}

#[test]
fn service_parameters_are_sorted_and_complete() {
    let svcb = |params: &[u8]| check(Rtype::SVCB, &[b"\x00\x01\x00", params].concat());
    assert_eq!(svcb(b""), Ok(()));
    assert_eq!(svcb(b"\x00\x03\x00\x02\x01\xbb"), Ok(()));
    assert_eq!(svcb(b"\x00\x03\x00\x02\x01\xbb\x00\x03\x00\x02\x01\xbb"), Err(RdataError::SvcParamOrder));
    assert_eq!(svcb(b"\x00\x03\x00\x03\x01\xbb"), Err(RdataError::Truncated(Field::SvcParams)));
    assert_eq!(svcb(b"\x00\x02\x00\x00"), Err(RdataError::SvcParam(svcb::NO_DEFAULT_ALPN)));
    assert_eq!(svcb(b"\x00\x01\x00\x03\x02h2\x00\x02\x00\x00"), Ok(()));
    assert_eq!(svcb(b"\x00\x00\x00\x02\x00\x03"), Err(RdataError::SvcParam(svcb::MANDATORY)));
    assert_eq!(svcb(b"\x00\x00\x00\x02\x00\x03\x00\x03\x00\x02\x01\xbb"), Ok(()));
    assert_eq!(svcb(b"\x00\x07\x00\x10/dns-query{?dns}"), Ok(()));
    assert_eq!(svcb(b"\x00\x07\x00\x0a/dns-query"), Err(RdataError::SvcParam(svcb::DOHPATH)));
}

proptest! {
    #[test]
    fn no_rdata_panics(number in prop_oneof![0u16..300, any::<u16>()], rdata in prop::collection::vec(any::<u8>(), 0..80)) {
        let rtype = Rtype(number);
        let valid = check(rtype, &rdata).is_ok();
        let mut end = 0;
        for found in names(rtype, &rdata) {
            prop_assert!(found.offset >= end);
            end = found.offset + found.name.wire().len();
        }
        let lower = canonical_of(rtype, &rdata);
        prop_assert!(lower.eq_ignore_ascii_case(&rdata));
        prop_assert_eq!(check(rtype, &lower).is_ok(), valid);
        prop_assert_eq!(canonical_of(rtype, &lower), lower);
    }
}

const ORIGIN: &str = "example.test.";

fn wire(rtype: Rtype, text: &str) -> Result<Vec<u8>, TextError> {
    from_text(rtype, text, crate::dns::name::Name::parse(ORIGIN).unwrap().as_ref())
}

fn text(rtype: Rtype, rdata: &[u8]) -> String {
    display(rtype, rdata).to_string()
}

/// Each line is a type, what is written in a file, and what is written back (`=` for the same); the
/// results are those of `named-compilezone` 9.18.
const TEXTS: &[(Rtype, &str, &str)] = &[
    (Rtype::A, "192.0.2.1", "="),
    (Rtype::A, r"\# 4 C0 000201", "192.0.2.1"),
    (Rtype::AAAA, "2001:DB8:0::1", "2001:db8::1"),
    (Rtype::AAAA, "::ffff:1.2.3.4", "="),
    (Rtype::NS, "ns", "ns.example.test."),
    (Rtype::NS, "@", "example.test."),
    (Rtype::NS, ".", "="),
    (Rtype::NS, r"a\.b\032c.d.", "="),
    (
        Rtype::SOA,
        "ns hostmaster.x. 1 1h 15m 1w2d 1d",
        "ns.example.test. hostmaster.x. 1 3600 900 777600 86400",
    ),
    (Rtype::MX, "10 ( mail ; the only one\n )", "10 mail.example.test."),
    (Rtype::TXT, r#"a\"b "c;d" \000\255 "q\"x\\y" """#, r#""a\"b" "c;d" "\000\255" "q\"x\\y" """#),
    (Rtype::HINFO, r#"a "b c""#, r#""a" "b c""#),
    (Rtype::MINFO, "a. b.", "="),
    (Rtype::WKS, "192.0.2.1 tcp smtp 80 25", "192.0.2.1 6 25 80"),
    (Rtype::RP, "a. b.", "="),
    (Rtype::X25, "311061700956", "\"311061700956\""),
    (Rtype::ISDN, "150862028003217 004", "\"150862028003217\" \"004\""),
    (Rtype::ISDN, "150862028003217", "\"150862028003217\""),
    (Rtype::NSAP, "0x47.0005.80.005a00.0000", "0x47000580005a000000"),
    (
        Rtype::SIG,
        "A 13 3 3600 20300101000000 1577836800 1 a. AQID",
        "A 13 3 3600 20300101000000 20200101000000 1 a. AQID",
    ),
    (Rtype::KEY, "NOKEY DNSSEC 0", "49152 3 0"),
    (Rtype::PX, "10 a. b.", "="),
    (Rtype::GPOS, "-32.6882 116.8652 10.0", "\"-32.6882\" \"116.8652\" \"10.0\""),
    (
        Rtype::LOC,
        "52 22 23 N 4 53 32.0 E -2.0 0 10000m 10m",
        "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m",
    ),
    (Rtype::LOC, "52 N 4 w 0", "52 0 0.000 N 4 0 0.000 W 0.00m 1m 10000m 10m"),
    (
        Rtype::LOC,
        "0 0 .001 S 180 E 42849672.95m .5m",
        "0 0 0.001 S 180 0 0.000 E 42849672.95m 0.50m 10000m 10m",
    ),
    (Rtype::LOC, "0 0 0 S 180 E 0m .m", "!"),
    (
        Rtype::LOC,
        "0 0 0.001 S 180 E 42849672.95m 0.5m",
        "0 0 0.001 S 180 0 0.000 E 42849672.95m 0.50m 10000m 10m",
    ),
    (Rtype::NXT, "a. A MX", "="),
    (Rtype::EID, "aabb CC", "AABBCC"),
    (Rtype::SRV, "1 2 3 a.", "="),
    (Rtype::ATMA, "+31.20", "+3120"),
    (Rtype::ATMA, "39.246f", "39246f"),
    (
        Rtype::NAPTR,
        r#"100 50 "s" z3950+I2L+I2C "" _z3950._tcp.a."#,
        r#"100 50 "s" "z3950+I2L+I2C" "" _z3950._tcp.a."#,
    ),
    (Rtype::KX, "10 a.", "="),
    (Rtype::CERT, "1 1 RSASHA256 AQID", "PKIX 1 8 AQID"),
    (Rtype::CERT, "65534 1 0 AQID", "="),
    (Rtype::A6, "0 ::1", "="),
    (Rtype::A6, "68 2001:db8::ffff:0:0:1 foo", "68 ::fff:0:0:1 foo.example.test."),
    (Rtype::A6, "128 foo.", "="),
    (Rtype::SINK, "1 2 3", "="),
    (Rtype::SINK, "1 2 3 AQ ID", "1 2 3 AQID"),
    (Rtype::APL, "1:192.0.2.0/24 !2:2001:db8::/32 1:0.0.0.0/0", "="),
    (Rtype::APL, "", "="),
    (
        Rtype::DS,
        "1 13 SHA-256 0123456789012345678901234567890123456789012345678901234567 890123",
        "1 13 2 0123456789012345678901234567890123456789012345678901234567890123",
    ),
    (Rtype::CDS, "0 0 0 00", "="),
    (Rtype::SSHFP, "1 1 0123456789012345678901234567890123456789", "="),
    (Rtype::IPSECKEY, "10 0 2 . AQID", "="),
    (Rtype::IPSECKEY, "10 3 2 gw AQID", "10 3 2 gw.example.test. AQID"),
    (Rtype::IPSECKEY, "10 1 0 192.0.2.1", "="),
    (Rtype::IPSECKEY, "10 2 2 2001:db8::1 AQID", "="),
    (
        Rtype::RRSIG,
        "A ECDSAP256SHA256 3 3600 20300101000000 1700000000 1 a. AQ==",
        "A 13 3 3600 20300101000000 20231114221320 1 a. AQ==",
    ),
    (Rtype::NSEC, "a. MX A TYPE65280 CAA", "a. A MX CAA TYPE65280"),
    (Rtype::DNSKEY, "KSK|ZONE DNSSEC ECDSAP256SHA256 AQID", "257 3 13 AQID"),
    (Rtype::CDNSKEY, "0 3 0 AA==", "="),
    (Rtype::KEY, "0x0101 3 13 AQID", "257 3 13 AQID"),
    (Rtype::KEY, "0x 3 13 AQID", "!"),
    (
        Rtype::SIG,
        "1 13 3 60 20300101000000 20200101000000 1 . AQID",
        "A 13 3 60 20300101000000 20200101000000 1 . AQID",
    ),
    (Rtype::CSYNC, "0 0 A TYPE128", "0 0 A TYPE128"),
    (
        Rtype::NSEC3,
        "1 1 12 aabbccdd 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A RRSIG",
        "1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A RRSIG",
    ),
    (Rtype::NSEC3, "1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR", "="),
    (Rtype::NSEC3PARAM, "1 0 0 -", "="),
    (Rtype::TLSA, "3 1 1 aa bb", "3 1 1 AABB"),
    (
        Rtype::HIP,
        "2 200100107B1A74DF365639CC39F1D578 AwEAAbdx foo b.",
        "2 200100107B1A74DF365639CC39F1D578 AwEAAbdx foo.example.test. b.",
    ),
    (Rtype::RKEY, "0 1 2 AQID", "="),
    (Rtype::TALINK, ". _talink1", ". _talink1.example.test."),
    (Rtype::CSYNC, "66 3 A NS AAAA", "="),
    (Rtype::CSYNC, "66 3", "="),
    (Rtype::ZONEMD, "2018031900 1 240 C68090D90A7AED716BC459F9", "="),
    (Rtype::SVCB, "0 foo.", "="),
    (Rtype::SVCB, r#"1 . key667="hello\210qoo""#, "="),
    (Rtype::SVCB, r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#, "="),
    (
        Rtype::SVCB,
        r"16 foo.example.org. alpn=f\\\092oo\092,bar,h2",
        r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#,
    ),
    (
        Rtype::HTTPS,
        "1 . alpn=\"h2,h3\" no-default-alpn port=8443 ipv4hint=192.0.2.1,192.0.2.2 ech=AQID ipv6hint=2001:db8::1 mandatory=port,alpn dohpath=/q{?dns} key667",
        "1 . mandatory=alpn,port alpn=\"h2,h3\" no-default-alpn port=8443 ipv4hint=192.0.2.1,192.0.2.2 ech=AQID ipv6hint=2001:db8::1 key7=\"/q{?dns}\" key667",
    ),
    (Rtype::DSYNC, "CDS NOTIFY 5359 scanner.example.net.", "="),
    (Rtype::NID, "10 0014:4FFF:FF20:EE64", "10 14:4fff:ff20:ee64"),
    (Rtype::L32, "10 10.1.2.0", "="),
    (Rtype::EUI48, "00-0-5E-00-53-2a", "00-00-5e-00-53-2a"),
    (Rtype::EUI64, "00-00-5e-ef-10-00-00-2a", "="),
    (Rtype::URI, "10 1 \"ftp://ftp1.example.com/public\"", "="),
    (Rtype::CAA, "0 issue ca.example.net", "0 issue \"ca.example.net\""),
    (Rtype::CAA, "128 tbs \"\"", "="),
    (Rtype::DOA, "1 2 3 \"text/plain\" AQID", "="),
    (Rtype::DOA, "1 2 3 \"\" -", "="),
    (Rtype::AMTRELAY, "10 0 3 foo", "10 0 3 foo.example.test."),
    (Rtype::AMTRELAY, "10 1 0 .", "="),
    (Rtype::NULL, r"\# 2 ABCD", "="),
    (Rtype(65_280), r"\# 0", "="),
    (Rtype(65_280), "\\# 3 aa (bb\n cc)", r"\# 3 AABBCC"),
    (Rtype(65_280), "( ; of three octets\n \\# 3 aabbcc )", r"\# 3 AABBCC"),
    (Rtype::A, "(\\# 4 c0000201)", "192.0.2.1"),
    (Rtype::TXT, "( \"\\#\" )", "\"#\""),
];

#[test]
fn text_is_read_and_written_as_bind_does() {
    for &(rtype, written, expected) in TEXTS {
        match wire(rtype, written) {
            Ok(rdata) => {
                assert_eq!(text(rtype, &rdata), if expected == "=" { written } else { expected }, "{rtype}");
                assert_eq!(check(rtype, &rdata), Ok(()), "{rtype} {written}");
            }
            Err(error) => assert_eq!(expected, "!", "{rtype} {written}: {error}"),
        }
    }
}

#[test]
fn what_is_wrong_is_said_where_it_is() {
    let error = |rtype, text: &str| {
        let error = wire(rtype, text).unwrap_err();
        (error.at, error.to_string())
    };
    for (rtype, text, at, what) in [
        (Rtype::A, "192.0.2", 0, "\"192.0.2\", expected an IPv4 address"),
        (Rtype::A, "192.0.2.01", 0, "\"192.0.2.01\", expected an IPv4 address"),
        (Rtype::A, "192.0.2.256", 0, "\"192.0.2.256\", expected an IPv4 address"),
        (Rtype::A, "192.0.2.1 x", 10, "\"x\" follows the record's data, expected the end of the line"),
        (Rtype::A, "", 0, "the record ends here, expected an IPv4 address"),
        (Rtype::MX, "10", 2, "the record ends here, expected a domain name"),
        (Rtype::MX, "65536 a", 0, "\"65536\", expected a number up to 65535"),
        (Rtype::MX, "10 a..b", 3, "\"a..b\" is not a domain name: empty label"),
        (Rtype::TXT, "\"abc", 0, "the quoted string is not closed on its line, expected another \""),
        (Rtype::TXT, r"a\300", 0, r#""a\\300" has a bad escape, expected \X or \DDD with DDD at most 255"#),
        (
            Rtype::DS,
            "1 13 2 aabb",
            5,
            "malformed rdata, expected a digest type and a digest of its length in hexadecimal",
        ),
        (Rtype::NSEC, "a.", 2, "malformed rdata, expected a list of record types"),
        (
            Rtype::KEY,
            "49152 3 8 AQID",
            10,
            "\"AQID\" follows the record's data, expected the end of the line",
        ),
        (Rtype::KEY, r"\# 6 C00003080102", 0, "2 octets after the end of the rdata"),
        (Rtype::DNSKEY, "49152 3 8", 9, "the record ends here, expected a public key in Base64"),
        (Rtype::IPSECKEY, "10 0 2 .", 8, "rdata is cut off, expected a public key in Base64"),
        (
            Rtype::NAPTR,
            r#"1 1 "s" "x" "!(a)!\\2!" ."#,
            12,
            "malformed rdata, expected a substitution expression, as !^.*$!sip:info@example.test!",
        ),
        (Rtype::X25, "123", 0, "malformed rdata, expected an X.121 address of four or more digits"),
        (Rtype(65_280), "abc", 0, "\"abc\", expected \\# and the rdata in hexadecimal"),
        (Rtype::A, r"\# 3 aabbcc", 0, "rdata is cut off, expected an IPv4 address"),
        (Rtype::A, r"\# 4 aabbcc", 3, "\\# says 4 octets, but 3 follow"),
        (Rtype::SVCB, "1 . port=1 port=2", 11, "service parameter \"port\" is repeated"),
        (Rtype::SVCB, "1 . ohttp", 4, "\"ohttp\", expected service parameters, as alpn=h2 port=443"),
        (
            Rtype::SVCB,
            "1 . mandatory=alpn",
            4,
            "malformed value or missing companion of service parameter key0",
        ),
    ] {
        assert_eq!(error(rtype, text), (at, what.to_owned()), "{rtype} {text}");
    }
    let long = format!("\"{}\"", "x".repeat(300));
    assert_eq!(
        error(Rtype::TXT, &long),
        (0, "the string has 300 octets, expected at most 255; split it into several strings".to_owned())
    );
}

/// Octets that are this field, most of the time; what is not is filtered by [`check`].
fn octets_of(field: Field) -> BoxedStrategy<Vec<u8>> {
    let octets = |range| prop::collection::vec(any::<u8>(), range);
    let some = || prop::collection::vec(any::<u8>(), 0..40);
    let counted = |s: BoxedStrategy<Vec<u8>>| s.prop_map(|s| [&[s.len() as u8][..], &s].concat()).boxed();
    let label = counted(prop::collection::vec(prop_oneof![any::<u8>(), b'a'..=b'z'], 1..8).boxed());
    let name =
        prop::collection::vec(label, 0..4).prop_map(|labels| [labels.concat(), vec![0]].concat()).boxed();
    let bitmap = prop::collection::btree_set(prop_oneof![1u16..300, any::<u16>()], 1..8).prop_map(|types| {
        let types: Vec<_> = types.into_iter().map(|number| format!("TYPE{number}")).collect();
        wire(Rtype::CSYNC, &format!("1 1 {}", types.join(" "))).unwrap().split_off(6)
    });
    let typed = |kinds: std::ops::Range<u8>, rest: BoxedStrategy<Vec<u8>>| {
        (kinds, rest).prop_map(|(kind, rest)| [vec![kind], rest].concat()).boxed()
    };
    let gateway = |name: BoxedStrategy<Vec<u8>>, head: usize| {
        let sized = [0, 4, 16].map(|n| prop::collection::vec(any::<u8>(), n).boxed());
        let all: Vec<_> = sized.into_iter().chain([name]).enumerate().collect();
        prop::sample::select((0..4usize).collect::<Vec<_>>())
            .prop_flat_map(move |kind| all[kind].1.clone().prop_map(move |rest| (kind as u8, rest)))
            .prop_map(move |(kind, rest)| {
                if head == 2 { [vec![kind, 5], rest].concat() } else { [vec![kind | 0x80], rest].concat() }
            })
            .boxed()
    };
    match field {
        Field::NameCompressible | Field::NameLower | Field::NameAsIs => name,
        Field::NamesAsIs => prop::collection::vec(name, 0..3).prop_map(|names| names.concat()).boxed(),
        Field::U8 | Field::Algorithm | Field::KeyProtocol | Field::DsyncScheme => octets(1..2).boxed(),
        Field::U16 | Field::Rtype | Field::CertType | Field::KeyFlags => octets(2..3).boxed(),
        Field::NoFlags => Just(vec![0, 0]).boxed(),
        Field::U32 | Field::Period | Field::Ipv4 | Field::Time => octets(4..5).boxed(),
        Field::Ipv6 => octets(16..17).boxed(),
        Field::Eui48 => octets(6..7).boxed(),
        Field::Eui64 | Field::Locator64 => octets(8..9).boxed(),
        Field::CharacterString | Field::HexWithLength => counted(some().boxed()),
        Field::OptionalCharacterString => prop_oneof![Just(vec![]), counted(some().boxed())].boxed(),
        Field::CharacterStrings => {
            prop::collection::vec(counted(some().boxed()), 1..4).prop_map(|strings| strings.concat()).boxed()
        }
        Field::PsdnAddress => counted("[0-9]{4,12}".prop_map(String::into_bytes).boxed()),
        Field::Tag => counted("[0-9A-Za-z]{1,12}".prop_map(String::into_bytes).boxed()),
        Field::Substitution => counted("(|!a?\\\\!b?!c!i?|/x/y/)".prop_map(String::into_bytes).boxed()),
        Field::LongText | Field::Base64OrNothing | Field::Base64OrDash | Field::Opaque => some().boxed(),
        Field::UriTarget
        | Field::Hex
        | Field::Base64
        | Field::Nsap
        | Field::KeyData
        | Field::OptionalKeyData
        | Field::IpsecKey => octets(1..40).boxed(),
        Field::Base32WithLength => counted(octets(1..40).boxed()),
        Field::TypeBitmap | Field::TypeBitmapOrNothing => bitmap.boxed(),
        Field::NxtBitmap => octets(0..5)
            .prop_map(|mut bits| {
                if let Some(first) = bits.first_mut() {
                    *first &= 0x7f;
                }
                if let Some(last) = bits.last_mut() {
                    *last |= 1;
                }
                bits
            })
            .boxed(),
        Field::DsDigest | Field::SshFingerprint => prop_oneof![
            typed(1..2, octets(20..21).boxed()),
            typed(2..3, octets(32..33).boxed()),
            typed(9..20, octets(1..40).boxed())
        ]
        .boxed(),
        Field::ZoneDigest => {
            prop_oneof![typed(1..2, octets(48..49).boxed()), typed(9..20, octets(12..40).boxed())].boxed()
        }
        Field::Loc => (0u32..=648_000_000, 0u32..=1_296_000_000, any::<u32>(), 1u8..=9, 0u8..=9)
            .prop_map(|(lat, long, altitude, digit, power)| {
                let lat = (1u32 << 31) - 324_000_000 + lat;
                let long = (1u32 << 31) - 648_000_000 + long;
                [
                    &[0, digit << 4 | power, 0, 0x13][..],
                    &lat.to_be_bytes(),
                    &long.to_be_bytes(),
                    &altitude.to_be_bytes(),
                ]
                .concat()
            })
            .boxed(),
        Field::Apl => prop_oneof![
            Just(vec![]),
            Just(vec![0, 1, 24, 3, 192, 0, 2, 0, 1, 0, 0x80]),
            (0u8..=128, octets(1..17)).prop_map(|(prefix, mut octets)| {
                *octets.last_mut().unwrap() |= 1;
                [&[0, 2, prefix, 0x80 | octets.len() as u8][..], &octets].concat()
            }),
        ]
        .boxed(),
        Field::SvcParams => (some(), octets(2..3), any::<bool>(), octets(4..5), some())
            .prop_map(|(alpn, port, no_default, v4, other)| {
                let param = |key: u16, value: &[u8]| {
                    [&key.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
                };
                let mut all = Vec::new();
                if no_default {
                    all.extend(param(0, &[0, 1]));
                }
                if no_default || !alpn.is_empty() {
                    all.extend(param(1, &[&[alpn.len() as u8 + 1, b','][..], &alpn, b"\x02h2"].concat()));
                }
                if no_default {
                    all.extend(param(2, b""));
                }
                all.extend(param(3, &port));
                all.extend(param(4, &v4));
                if !other.is_empty() {
                    all.extend(param(5, &other));
                }
                all.extend(param(6, &[7; 16]));
                all.extend(param(7, b"/dns-query{?dns}"));
                all.extend(param(8, &other));
                all.extend(param(65_535, &other));
                all
            })
            .boxed(),
        Field::IpsecGateway => gateway(name, 2),
        Field::AmtRelay => gateway(name, 1),
        Field::HipKey => (octets(1..20), octets(1..40))
            .prop_map(|(tag, key)| [&[tag.len() as u8, 2, 0, key.len() as u8][..], &tag, &key].concat())
            .boxed(),
        Field::A6 => (0u8..=128, octets(16..17), name)
            .prop_map(|(prefix, mut suffix, name)| {
                suffix.drain(..usize::from(prefix / 8));
                if let Some(first) = suffix.first_mut() {
                    *first &= 0xff >> (prefix % 8);
                }
                [vec![prefix], suffix, if prefix == 0 { vec![] } else { name }].concat()
            })
            .boxed(),
        Field::Services => some()
            .prop_map(|mut ports| {
                ports.push(1);
                ports
            })
            .boxed(),
        Field::Atma => prop_oneof![
            typed(0..1, octets(1..20).boxed()),
            "[0-9]{1,12}".prop_map(|digits| [b"\x01", digits.as_bytes()].concat())
        ]
        .boxed(),
    }
}

fn any_rdata() -> impl Strategy<Value = (Rtype, Vec<u8>)> {
    let types: Vec<Rtype> =
        crate::dns::rtype::MNEMONICS.iter().map(|&(_, rtype)| rtype).chain([Rtype(65_280)]).collect();
    prop::sample::select(types).prop_flat_map(|rtype| {
        let fields: Vec<_> = fields(rtype).iter().map(|&field| octets_of(field)).collect();
        (Just(rtype), fields.prop_map(|octets| octets.concat())).prop_map(|(rtype, mut rdata)| {
            if rtype == Rtype::KEY && check::has_no_key(&rdata) {
                rdata.truncate(4);
            }
            (rtype, rdata)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn text_of_every_type_is_read_back((rtype, rdata) in any_rdata()) {
        prop_assert_eq!(check(rtype, &rdata), Ok(()), "{} {:?}", rtype, &rdata);
        let written = text(rtype, &rdata);
        prop_assert!(!written.contains('\n') && written.is_ascii());
        prop_assert!(fields(rtype) == [Field::Opaque] || !written.starts_with("\\#"), "{} {}", rtype, &written);
        let again = wire(rtype, &written);
        prop_assert_eq!(again.as_ref(), Ok(&rdata), "{} {}", rtype, written);
        let opaque = format!("\\# {} {}", rdata.len(), data_encoding::HEXLOWER.encode(&rdata));
        prop_assert_eq!(wire(rtype, &opaque), Ok(rdata));
    }

    #[test]
    fn addresses_are_those_that_the_standard_library_reads(
        v4 in "[0-9]{1,3}(\\.[0-9]{0,4}){2,4}",
        v6 in prop_oneof!["[0-9a-fA-F:.]{0,20}", "(::)?([0-9a-f]{1,4}:){0,7}:?([0-9a-f]{1,4}|:|1\\.2\\.3\\.4)?"],
        whole in any::<u128>(),
    ) {
        let expected = v4.parse::<std::net::Ipv4Addr>().ok().map(|address| address.octets());
        prop_assert_eq!(parse::ipv4(v4.as_bytes()), expected, "{}", v4);
        let whole = std::net::Ipv6Addr::from_bits(whole).to_string();
        for v6 in [v6, whole] {
            let expected = v6.parse::<std::net::Ipv6Addr>().ok().map(|address| address.octets());
            prop_assert_eq!(parse::ipv6(v6.as_bytes()), expected, "{}", v6);
        }
    }

    #[test]
    fn no_text_panics(number in prop_oneof![0u16..300, any::<u16>()], text in prop_oneof!["[ -~\\n]{0,60}", "[0-9a-z:. ,=!/\\\\\"-]{0,60}", "\\PC{0,30}"]) {
        if let Ok(rdata) = wire(Rtype(number), &text) {
            prop_assert_eq!(check(Rtype(number), &rdata), Ok(()));
        }
    }

    #[test]
    fn any_octets_are_written_so_that_they_are_read_back(number in prop_oneof![0u16..300, any::<u16>()], rdata in prop::collection::vec(any::<u8>(), 0..60)) {
        let written = text(Rtype(number), &rdata);
        match check(Rtype(number), &rdata) {
            Ok(()) => prop_assert_eq!(wire(Rtype(number), &written), Ok(rdata), "{}", written),
            Err(_) => prop_assert!(written.starts_with("\\#")),
        }
    }
}
