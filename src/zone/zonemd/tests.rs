use super::*;
use crate::dns::name::Name;
use crate::dns::problem::Place;
use crate::dns::zonefile::{self, NoFiles};
use crate::zone::{DraftBuilder, ManagedRrsets, Presigned};
use data_encoding::HEXUPPER;

/// RFC 8976 appendix A.1.
const SIMPLE_ZONE: &str = "example. 86400 SOA ns1 admin 2018031900 1800 900 604800 86400\n\
    example. 86400 NS ns1\n\
    example. 86400 NS ns2\n\
    example. 86400 ZONEMD 2018031900 1 1 c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9\
    a9713b3c9ae5cc27777f98b8e730044c\n\
    ns1 3600 A 203.0.113.63\n\
    ns2 3600 AAAA 2001:db8::63\n";

/// RFC 8976 appendix A.2, without the record outside the zone, which is refused here.
const COMPLEX_ZONE: &str = "example. 86400 SOA ns1 admin 2018031900 1800 900 604800 86400\n\
    example. 86400 NS ns1\n\
    example. 86400 NS ns2\n\
    example. 86400 ZONEMD 2018031900 1 1 a3b69bad980a3504e1cffcb0fd6397f93848071c93151f552ae2f6b1711d4bd2\
    d8b39808226d7b9db71e34b72077f8fe\n\
    ns1 3600 A 203.0.113.63\n\
    NS2 3600 AAAA 2001:db8::63\n\
    occluded.sub 7200 TXT \"I'm occluded but must be digested\"\n\
    sub 7200 NS ns1\n\
    duplicate 300 TXT \"I must be digested just once\"\n\
    duplicate 300 TXT \"I must be digested just once\"\n\
    UPPERCASE 3600 TXT \"canonicalize uppercase owner names\"\n\
    * 777 PTR dont-forget-about-wildcards\n\
    mail 3600 MX 20 MAIL1\n\
    mail 3600 MX 10 Mail2.Example.\n\
    sortme 3600 AAAA 2001:db8::5:61\n\
    sortme 3600 AAAA 2001:db8::3:62\n\
    sortme 3600 AAAA 2001:db8::4:63\n\
    sortme 3600 AAAA 2001:db8::1:65\n\
    sortme 3600 AAAA 2001:db8::2:64\n\
    non-apex 900 ZONEMD 2018031900 1 1 616c6c6f776564206275742069676e6f7265642e20616c6c6f776564206275742069676e\
    6f7265642e20616c6c6f7765\n";

/// RFC 8976 appendix A.3, without the digest of a private scheme, whose length is not that of its hash algorithm.
const SEVERAL_DIGESTS: &str = "example. 86400 SOA ns1 admin 2018031900 1800 900 604800 86400\n\
    example. 86400 NS ns1.example.\n\
    example. 86400 NS ns2.example.\n\
    example. 86400 ZONEMD 2018031900 1 1 62e6cf51b02e54b9b5f967d547ce43136792901f9f88e637493daaf401c92c27\
    9dd10f0edb1c56f8080211f8480ee306\n\
    example. 86400 ZONEMD 2018031900 1 2 08cfa1115c7b948c4163a901270395ea226a930cd2cbcf2fa9a5e6eb85f37c8a\
    4e114d884e66f176eab121cb02db7d652e0cc4827e7a3204f166b47e5613fd27\n\
    example. 86400 ZONEMD 2018031900 1 240 e2d523f654b9422a96c5a8f44607bbee\n\
    ns1.example. 3600 A 203.0.113.63\n\
    ns2.example. 86400 TXT \"This example has multiple digests\"\n\
    NS2.EXAMPLE. 3600 AAAA 2001:db8::63\n";

fn builder(text: &str) -> DraftBuilder {
    let origin = Name::parse("example").unwrap();
    let mut builder = DraftBuilder::new(origin.clone(), Presigned::Keep);
    let read = zonefile::read("test", text.as_bytes(), origin.as_ref(), &mut NoFiles, &mut builder);
    assert!(!read.problems.refuse(), "{}", read.problems);
    builder
}

fn zone(text: &str) -> Contents {
    let (draft, _) = builder(text).build(&ManagedRrsets::default(), |_| Place::file("")).unwrap();
    draft.contents
}

/// As content, and as records on their way to be content.
fn verdict(text: &str) -> Result<Verdict, Mismatch> {
    let verdict = verify(&zone(text));
    assert_eq!(builder(text).verify_zonemd(), verdict);
    verdict
}

#[test]
fn the_zones_of_rfc_8976_have_the_digests_they_should() {
    for text in [SIMPLE_ZONE, COMPLEX_ZONE, SEVERAL_DIGESTS] {
        assert_eq!(verdict(text), Ok(Verdict::Right), "{text}");
    }
    for (hash, expected) in [(Hash::Sha384, "62E6CF51B02E54B9"), (Hash::Sha512, "08CFA1115C7B948C")] {
        assert!(HEXUPPER.encode(&digest(&zone(SEVERAL_DIGESTS), hash)).starts_with(expected));
    }
}

#[test]
fn a_record_lost_added_or_changed_does_not_pass() {
    for (was, is) in [
        ("ns2 3600 AAAA 2001:db8::63\n", ""),
        ("ns1 3600 A 203.0.113.63", "ns1 3600 A 203.0.113.63\nns1 3600 A 203.0.113.64"),
        ("203.0.113.63", "203.0.113.64"),
        ("ns1 3600", "ns1 3601"),
    ] {
        let text = SIMPLE_ZONE.replace(was, is);
        assert_eq!(verdict(&text), Err(Mismatch::Digest), "{text}");
    }
    let digest = Serial(2_018_031_900);
    assert_eq!(
        verdict(&SIMPLE_ZONE.replace("admin 2018031900", "admin 2018031901")),
        Err(Mismatch::Serial { zonemd: digest, soa: Serial(2_018_031_901) })
    );
}

#[test]
fn one_digest_that_is_right_is_enough_and_two_of_a_kind_are_none() {
    let wrong = SEVERAL_DIGESTS.replace("62e6cf51", "72e6cf51");
    assert_eq!(verdict(&wrong), Ok(Verdict::Right));
    assert_eq!(verdict(&wrong.replace("08cfa111", "18cfa111")), Err(Mismatch::Digest));
    let twice = format!("{SIMPLE_ZONE}example. 86400 ZONEMD 2018031900 1 1 {}\n", "00".repeat(48));
    assert_eq!(verdict(&twice), Err(Mismatch::Repeated));
}

#[test]
fn without_a_digest_of_a_known_kind_there_is_nothing_to_compare() {
    let absent: String = SIMPLE_ZONE
        .lines()
        .filter(|line| !line.contains("ZONEMD"))
        .fold(String::new(), |text, line| text + line + "\n");
    let unknown = SIMPLE_ZONE.replace("2018031900 1 1", "2018031900 2 1");
    for (text, expected) in [(&absent, Verdict::Absent), (&unknown, Verdict::Unknown)] {
        assert_eq!(verdict(text), Ok(expected));
        assert_eq!(expected.satisfies(Demand::IfPresent), Ok(()));
        assert_eq!(expected.satisfies(Demand::Always), Err(Mismatch::Missing));
    }
}

#[test]
fn what_is_set_aside_is_part_of_the_digest_but_not_of_the_draft() {
    let mut builder = builder(&COMPLEX_ZONE.replace("sub 7200 NS ns1\n", ""));
    assert_eq!(builder.verify_zonemd(), Err(Mismatch::Digest));
    let owner = Name::parse("sub.example").unwrap();
    builder.set_aside(owner.as_ref(), Ttl(7_200), Rtype::NS, b"\x03ns1\x07example\x00");
    assert_eq!(builder.verify_zonemd(), Ok(Verdict::Right));
    let (draft, _) = builder.build(&ManagedRrsets::default(), |_| Place::file("")).unwrap();
    assert!(draft.contents.nodes.get(owner.as_ref()).is_none());
}
