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
    assert_eq!(check(Rtype(65_280), b""), Ok(()));
    assert_eq!(check(Rtype(65_280), &vec![0; 65_536]), Err(RdataError::TooLong));
}

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
    for wrong in ["!", "!a!b", "!a!b!c", "!a!b!ii", "1a1b1", r"/a\/b/c"] {
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
