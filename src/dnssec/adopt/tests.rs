#![allow(clippy::disallowed_methods, reason = "tests may use the system's randomness")]

use super::*;
use crate::dns::time::Timestamp;
use crate::dnssec::key::Algorithm;
use proptest::prelude::*;
use ring::rand::SystemRandom;

fn zone() -> Name {
    Name::parse("example.test").unwrap()
}

fn generated(algorithm: Algorithm) -> (SigningKey, PrivateKey) {
    SigningKey::generate(&zone(), Role::Zsk, algorithm, &[], &SystemRandom::new()).unwrap()
}

/// As a signer writes it that keeps the private half alone.
fn private_half(key: &PrivateKey) -> PrivateKey {
    let text = keyfile::write_private(key, &Timing::default());
    read_private(text.as_bytes()).unwrap().0
}

#[test]
fn a_key_is_read_back_from_pkcs8_and_tells_its_public_half() {
    for algorithm in [Algorithm::EcdsaP256Sha256, Algorithm::EcdsaP384Sha384, Algorithm::Ed25519] {
        let (key, private) = generated(algorithm);
        let text = pem(&private, key.public()).unwrap();
        let (mut read, timing) = read_private(text.as_bytes()).unwrap();
        assert_eq!((read.algorithm(), timing), (algorithm, Timing::default()));
        assert_eq!(read.public_half().as_deref(), Some(key.public().key()));
        let whole = complete(&zone(), &mut read, &[], Some(Role::Zsk), &SystemRandom::new()).unwrap();
        assert_eq!(whole.public(), key.public());
        let without = complete(&zone(), &mut read, &[], None, &SystemRandom::new());
        assert!(matches!(without, Err(AdoptError::NoFlags)));
    }
}

#[test]
fn the_public_half_that_a_file_lacks_is_found_among_the_dnskey_records() {
    let random = SystemRandom::new();
    let (key, private) = generated(Algorithm::EcdsaP256Sha256);
    let (other, _) = generated(Algorithm::EcdsaP256Sha256);
    let mut half = private_half(&private);
    assert!(matches!(complete(&zone(), &mut half, &[], Some(Role::Zsk), &random), Err(AdoptError::NoPublic)));
    let published = [other.public().clone(), key.public().clone()];
    assert_eq!(complete(&zone(), &mut half, &published, None, &random).unwrap().public(), key.public());
    let contradicted = complete(&zone(), &mut half, &published, Some(Role::Ksk), &random);
    assert!(matches!(contradicted, Err(AdoptError::Flags { found: 256, expected: 257 })));
    let strange = complete(&zone(), &mut half, &published[..1], None, &random);
    assert!(matches!(strange, Err(AdoptError::Stranger(tags)) if tags == [other.public().tag()]));
}

#[test]
fn dnskey_records_are_read_as_dig_keymgr_and_pdnsutil_print_them() {
    let (key, _) = generated(Algorithm::Ed25519);
    let base64 = data_encoding::BASE64.encode(key.public().key());
    let (front, back) = base64.split_at(20);
    for text in [
        format!("; <<>> DiG\nexample.test.\t\t3600\tIN\tDNSKEY\t256 3 15 {front} {back}\n"),
        format!("example.test. DNSKEY 256 3 15 {base64}\n"),
        format!("example.test IN DNSKEY 256 3 15 {base64}\n"),
        format!(
            "example.test. IN DNSKEY 256 3 5 AwEAAQ==\nexample.test. IN DNSKEY 256 3 15 {base64} ; ( ED25519 )\n"
        ),
        format!("other.test. IN DNSKEY 257 3 15 {base64}\nexample.test. IN DNSKEY ( 256 3 15\n {base64} )\n"),
    ] {
        assert_eq!(read_dnskeys("keys", &text, zone().as_ref()).unwrap(), [key.public().clone()], "{text}");
    }
    assert!(matches!(read_dnskeys("keys", "; none\n", zone().as_ref()), Err(AdoptError::NoRecords(_))));
    let refused = read_dnskeys("keys", "example.test. IN DNSKEY 256 3 15 !\n", zone().as_ref()).unwrap_err();
    assert!(refused.to_string().starts_with("keys:1:"), "{refused}");
}

#[test]
fn what_is_no_private_key_is_named() {
    assert!(matches!(read_private(b""), Err(AdoptError::NoKey)));
    assert!(matches!(read_private(b"example.test. IN DNSKEY 256 3 13 AAAA"), Err(AdoptError::NoKey)));
    assert!(matches!(read_private(b"-----BEGIN PRIVATE KEY-----\nAAAA"), Err(AdoptError::Pem)));
    let public = b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    assert!(matches!(read_private(public), Err(AdoptError::NoKey)));
    let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(matches!(read_private(encrypted), Err(AdoptError::Encrypted)));
}

#[test]
fn what_bind_has_only_forecast_is_not_taken_over() {
    let at = |seconds| Some(Timestamp(seconds));
    let forecast =
        Timing { publish: at(1), activate: at(1), inactive: at(50), delete: at(60), ..Timing::default() };
    let kept = Timing { inactive: None, delete: None, ..forecast };
    let state = |goal: &str, dnskey: &str, zone_signatures: &str| {
        let text = format!(
            "; This is the state of key 7, for example.test.\nAlgorithm: 13\nKSK: no\nZSK: yes\nDNSKEYState: \
             {dnskey}\nZRRSIGState: {zone_signatures}\nGoalState: {goal}\n"
        );
        KeyState::parse(&text).unwrap()
    };
    assert_eq!(state("omnipresent", "omnipresent", "omnipresent").settle(forecast), kept);
    assert_eq!(state("hidden", "omnipresent", "omnipresent").settle(forecast), kept);
    assert_eq!(state("hidden", "omnipresent", "unretentive").settle(forecast), forecast);
    assert!(state("hidden", "hidden", "hidden").is_over());
    assert!(!state("hidden", "unretentive", "hidden").is_over());
    assert_eq!(KeyState::parse("GoalState: hidden"), Err(StateError::Missing("DNSKEYState")));
    assert_eq!(KeyState::parse("GoalState: gone"), Err(StateError::Word("GoalState")));
}

#[test]
fn the_list_of_knot_says_what_its_files_are_and_since_when() {
    let list = r#"[{"zone": "example.test.", "id": "2a62", "ksk": true, "zsk": false, "tag": 1, "algorithm": 13,
        "size": 256, "public-only": false, "pre-active": 0, "publish": 10, "ready": 20, "active": 30,
        "retire-active": 0, "retire": 0, "post-active": 0, "revoke": 0, "remove": 0},
        {"id": "2a63", "ksk": false, "zsk": true, "publish": 10, "ready": 0, "active": 0, "retire": 0, "remove": 0}]"#;
    let list = KeyList::parse(list).unwrap();
    let ksk = list.find("2a62").unwrap();
    assert_eq!(ksk.role(), Role::Ksk);
    let timing = Timing { publish: Some(Timestamp(10)), activate: Some(Timestamp(20)), ..Timing::default() };
    assert_eq!(ksk.timing(), timing);
    let next = list.find("2a63").unwrap();
    assert_eq!((next.role(), next.timing().is_active(Timestamp(1_800_000_000))), (Role::Zsk, false));
    assert!(next.timing().is_published(Timestamp(11)));
    assert!(list.find("2a64").is_none());
    assert!(KeyList::parse("tag=1").is_err());
}

#[test]
fn no_octet_that_is_flipped_or_missing_in_a_key_panics() {
    for algorithm in [Algorithm::EcdsaP256Sha256, Algorithm::EcdsaP384Sha384, Algorithm::Ed25519] {
        let (key, private) = generated(algorithm);
        let der = private.to_pkcs8(key.public()).unwrap();
        for at in 0..der.len() {
            let mut flipped = der.to_vec();
            flipped[at] ^= 0x81;
            for octets in [&flipped[..], &der[..at]] {
                if let Ok((mut read, _)) = read_private(octets) {
                    let _ = complete(&zone(), &mut read, &[], Some(Role::Csk), &SystemRandom::new());
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*", octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_private(text.as_bytes());
        let _ = read_private(&octets);
        let _ = read_private(&[&[0x30, 0x81, octets.len() as u8, 2, 1, 0], &octets[..]].concat());
        let _ = read_dnskeys("keys", &format!("example.test. IN DNSKEY {text}"), zone().as_ref());
        let _ = KeyState::parse(&format!("GoalState: {text}"));
        let _ = KeyList::parse(&text);
    }
}
