use proptest::prelude::*;

use super::*;
use crate::tlsa::sample::{certificate, key, leaf, pem, spki};

fn parse(text: impl AsRef<[u8]>) -> Result<Material, MaterialError> {
    Material::parse(text.as_ref())
}

/// Leaf, intermediate and root, as PEM.
fn three() -> [String; 3] {
    [
        certificate("server", "Intermediate", 1, 1, false),
        certificate("Intermediate", "Root", 2, 2, true),
        certificate("Root", "Root", 3, 3, true),
    ]
    .map(|der| pem("CERTIFICATE", &der))
}

#[test]
fn the_first_certificate_is_the_leaf_and_the_highest_ca_above_it_the_issuer() {
    let [leaf, intermediate, root] = three();
    let full = parse(format!("{leaf}{intermediate}{root}")).unwrap();
    assert_eq!((full.key(), full.issuer().unwrap().spki()), (&spki(1)[..], &spki(3)[..]));
    let sent = parse(format!("{leaf}{intermediate}")).unwrap();
    assert_eq!(sent.issuer().unwrap().spki(), spki(2));
    // The order above the leaf does not matter, and what is off the path does not count.
    let stranger = pem("CERTIFICATE", &certificate("Stranger", "Stranger", 9, 9, true));
    let mixed = parse(format!("{leaf}{root}{intermediate}{stranger}")).unwrap();
    assert_eq!(mixed.issuer().unwrap().spki(), spki(3));
    assert_eq!(parse(&leaf).unwrap().issuer(), None);
    assert_eq!(parse(format!("{leaf}{root}")).unwrap().issuer(), None);
}

#[test]
fn two_cas_that_issued_each_other_end_the_walk() {
    let [leaf, ..] = three();
    let one = pem("CERTIFICATE", &certificate("Intermediate", "Root", 2, 2, true));
    let other = pem("CERTIFICATE", &certificate("Root", "Intermediate", 3, 3, true));
    assert_eq!(parse(format!("{leaf}{one}{other}")).unwrap().issuer().unwrap().spki(), spki(3));
}

#[test]
fn a_second_leaf_or_a_chain_upside_down_is_refused() {
    let [leaf, intermediate, root] = three();
    let ecdsa = pem("CERTIFICATE", &certificate("server", "Intermediate", 4, 4, false));
    assert_eq!(parse(format!("{leaf}{intermediate}{ecdsa}")), Err(MaterialError::SecondLeaf(3)));
    assert_eq!(parse(format!("{root}{intermediate}{leaf}")), Err(MaterialError::SecondLeaf(3)));
    assert_eq!(parse(format!("{leaf}{leaf}{intermediate}")), parse(format!("{leaf}{intermediate}")));
}

#[test]
fn certificate_and_key_of_one_file_must_agree() {
    let [leaf, ..] = three();
    let own = pem("PUBLIC KEY", &spki(1));
    let other = pem("PUBLIC KEY", &spki(2));
    assert_eq!(parse(format!("{own}{leaf}")), parse(&leaf));
    assert_eq!(parse(format!("{other}{leaf}")), Err(MaterialError::Mismatch(Kind::PublicKey)));
    assert_eq!(parse(format!("{own}{other}")), Err(MaterialError::TwoKeys));
    assert!(parse(&leaf).unwrap().matches(&key(1)));
    assert!(!parse(&leaf).unwrap().matches(&key(2)));
}

#[test]
fn nothing_and_almost_nothing_are_told_apart() {
    assert_eq!(parse(""), Err(MaterialError::Empty));
    assert_eq!(parse(" \r\n\n"), Err(MaterialError::Empty));
    for start in ["-", "-----", "-----BEGIN", "-----BEGIN CERTIF", "-----BEGIN CERTIFICATE----"] {
        assert_eq!(parse(start), Err(MaterialError::CutOff(Part::Block)), "{start}");
    }
    assert_eq!(parse("hello"), Err(MaterialError::NothingFound));
    assert_eq!(parse(pem("DH PARAMETERS", &[0x30, 0])), Err(MaterialError::NothingFound));
    assert_eq!(parse([0x30]), Err(MaterialError::CutOff(Part::Der)));
    assert_eq!(parse([0x30, 0]), Err(MaterialError::NothingFound));
    assert_eq!(parse([0x30, 0x80, 0, 0]), Err(MaterialError::Malformed(Part::Der)));
}

#[test]
fn every_message_says_what_to_do_and_none_is_a_stub() {
    let cut = parse("-----BEGIN CERTIFICATE-----\nMIIB").unwrap_err();
    assert_eq!(cut.to_string(), "the certificate is cut off; the file is not wholly written");
    let encrypted = pem("ENCRYPTED PRIVATE KEY", &[0x30, 0]);
    assert_eq!(parse(encrypted), Err(MaterialError::Encrypted));
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    assert_eq!(parse(old), Err(MaterialError::Encrypted));
    let broken = "-----BEGIN CERTIFICATE-----\nMI!B\n-----END CERTIFICATE-----\n";
    assert_eq!(parse(broken), Err(MaterialError::Malformed(Part::Kind(Kind::Certificate))));
}

#[test]
fn text_around_the_blocks_is_allowed_and_stray_octets_are_not() {
    let [leaf, ..] = three();
    let sound = parse(&leaf).unwrap();
    assert_eq!(parse(format!("\u{feff}Bag Attributes\n  é\n{leaf}\n# end")), Ok(sound.clone()));
    assert_eq!(parse(leaf.replace('\n', "\r\n")), Ok(sound.clone()));
    // What a crash leaves of a file whose size was written before its contents.
    assert_eq!(parse(format!("{leaf}\0\0\0\0")), Err(MaterialError::StrayOctets));
    assert_eq!(parse("\0".repeat(512)), Err(MaterialError::NothingFound));
    let der = [&certificate("a", "b", 1, 1, false)[..], b"x"].concat();
    assert_eq!(parse(der), Err(MaterialError::TrailingOctets(1)));
}

#[test]
fn a_certificate_reports_when_it_expires() {
    assert_eq!(leaf(1).not_after().unwrap().to_string(), "2026-12-31T00:00:00Z");
    assert_eq!(key(1).not_after(), None);
}

#[test]
fn what_state_keeps_is_put_together_again() {
    let [leaf, intermediate, root] = three();
    for material in [parse(format!("{leaf}{intermediate}{root}")).unwrap(), parse(&leaf).unwrap(), key(7)] {
        let chain: Vec<&[u8]> = material.chain().iter().map(Certificate::der).collect();
        assert_eq!(Material::restore(&chain, material.key(), material.kind()), Ok(material));
    }
    assert!(Material::restore(&[[0x30, 0]], &spki(1), Kind::Certificate).is_err());
    assert!(Material::restore::<&[u8]>(&[], &[], Kind::PublicKey).is_err());
}

proptest! {
    #[test]
    fn no_octets_panic_the_parser(input in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = Material::parse(&input);
        let _ = Material::parse(pem("PRIVATE KEY", &input).as_bytes());
        let _ = Material::parse(pem("EC PRIVATE KEY", &input).as_bytes());
    }

    #[test]
    fn a_damaged_certificate_panics_nothing(at in 0_usize..250, octet in any::<u8>()) {
        let mut der = certificate("server", "CA", 1, 1, false);
        let at = at % der.len();
        der[at] = octet;
        let _ = Material::parse(&der);
    }

    /// No beginning of a chain says anything but that it is a beginning, or what its whole certificates say.
    #[test]
    fn a_chain_cut_anywhere_inside_a_block_is_refused(cut in 1_usize..1000) {
        let [leaf, intermediate, _] = three();
        let whole = format!("{leaf}{intermediate}");
        let cut = cut % whole.trim_end().len();
        let result = Material::parse(&whole.as_bytes()[..cut]);
        if cut == leaf.len() || cut == leaf.len() - 1 {
            prop_assert_eq!(result, Material::parse(leaf.as_bytes()));
        } else if cut == 0 {
            prop_assert_eq!(result, Err(MaterialError::Empty));
        } else {
            prop_assert!(matches!(result, Err(MaterialError::CutOff(_))), "{cut}: {result:?}");
        }
    }
}
