//! Key files as BIND writes and reads them: `K<zone>+013+<tag>.key` with the DNSKEY record, `.private` with the
//! private key and the key's timing.
//!
//! Texts in, texts out; which files there are is for `host::keys` to say. Lines that are not known, as other
//! signers write, are passed over.

use super::key::{Algorithm, KeyError, PrivateKey, PublicKey, RsaNumbers, Secret};
use super::keyset::Timing;
use super::token::TokenUri;
use crate::dns::name::{Name, NameError, NameRef};
use crate::dns::rtype::Rtype;
use crate::dns::time::Timestamp;
use data_encoding::BASE64;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::fmt::Write;
use zeroize::Zeroizing;

/// Why a key file's text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// No `DNSKEY` record.
    #[error("no DNSKEY record found")]
    NoRecord,
    /// A second `DNSKEY` record.
    #[error("more than one DNSKEY record")]
    SecondRecord,
    /// The owner is no name.
    #[error("owner name: {0}")]
    Owner(#[from] NameError),
    /// The DNSKEY's numbers or its base64 cannot be read.
    #[error("DNSKEY record is malformed, expected flags, protocol, algorithm and base64")]
    Record,
    /// The key itself is wrong.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The text does not begin as a private key file does.
    #[error("not a private key file, expected `Private-key-format: v1.3`")]
    Format,
    /// A line of the private key file is missing.
    #[error("`{0}:` line is missing")]
    Missing(&'static str),
    /// A value of the private key file cannot be read.
    #[error("`{0}:` value cannot be read, expected {1}")]
    Value(&'static str, &'static str),
}

/// A key file's name without its suffix: `Kexample.test.+013+00257`. Octets other than letters, digits, `-`, `_`
/// and the dots between labels are written `%XX`, as BIND does.
pub fn stem(zone: NameRef<'_>, algorithm: u8, tag: u16) -> String {
    let mut stem = stem_prefix(zone);
    // Writing to a String cannot fail.
    let _ = write!(stem, "{algorithm:03}+{tag:05}");
    stem
}

/// What the names of all key files of `zone` begin with: `Kexample.test.+`.
pub fn stem_prefix(zone: NameRef<'_>) -> String {
    let mut stem = String::from("K");
    for label in zone.labels() {
        for &octet in label {
            match octet {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => stem.push(char::from(octet)),
                b'A'..=b'Z' => stem.push(char::from(octet.to_ascii_lowercase())),
                _ => {
                    let _ = write!(stem, "%{octet:02X}");
                }
            }
        }
        stem.push('.');
    }
    if zone.is_root() {
        stem.push('.');
    }
    stem.push('+');
    stem
}

/// Algorithm number and key tag out of what follows [`stem_prefix`] in a file's name, suffix removed.
pub fn parse_stem_tail(tail: &str) -> Option<(u8, u16)> {
    let (algorithm, tag) = tail.split_once('+')?;
    let digits = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(algorithm, 3) || !digits(tag, 5) {
        return None;
    }
    Some((algorithm.parse().ok()?, tag.parse().ok()?))
}

/// The text of a `.key` file.
pub fn write_public(zone: NameRef<'_>, key: &PublicKey, timing: &Timing) -> String {
    let role = if key.is_secure_entry_point() { "key" } else { "zone" };
    let mut text = format!("; This is a {role}-signing key, keyid {}, for {zone}\n", key.tag());
    for (label, at) in labelled(timing) {
        let _ = writeln!(text, "; {label}: {} ({})", digits(at), spoken(at));
    }
    let _ = writeln!(
        text,
        "{zone} IN DNSKEY {} 3 {} {}",
        key.flags(),
        key.algorithm().number(),
        BASE64.encode(key.key())
    );
    text
}

/// Reads the text of a `.key` file: the DNSKEY's owner and the key.
pub fn parse_public(text: &str) -> Result<(Name, PublicKey), KeyFileError> {
    let records: String = text
        .lines()
        .map(|line| line.split_once(';').map_or(line, |(record, _)| record))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut tokens =
        records.split(|c: char| c.is_ascii_whitespace() || "()".contains(c)).filter(|t| !t.is_empty());
    let owner = Name::parse(tokens.next().ok_or(KeyFileError::NoRecord)?)?;
    // TTL and class may stand before the type, in either order.
    let is_type = |token: &&str| token.parse() == Ok(Rtype::DNSKEY);
    let before = tokens.by_ref().take(3).position(|token| is_type(&token));
    if before.is_none() {
        return Err(KeyFileError::NoRecord);
    }
    let mut number = || tokens.next().and_then(|token| token.parse::<u16>().ok()).ok_or(KeyFileError::Record);
    let (flags, protocol, algorithm) = (number()?, number()?, number()?);
    let mut encoded = String::new();
    for token in tokens {
        if is_type(&token) {
            return Err(KeyFileError::SecondRecord);
        }
        encoded.push_str(token);
    }
    let key = BASE64.decode(encoded.as_bytes()).map_err(|_| KeyFileError::Record)?;
    let small = |number: u16| u8::try_from(number).map_err(|_| KeyFileError::Record);
    let rdata = [&flags.to_be_bytes()[..], &[small(protocol)?, small(algorithm)?], &key].concat();
    Ok((owner, PublicKey::from_rdata(&rdata)?))
}

/// The text of a `.private` file.
pub fn write_private(key: &PrivateKey, timing: &Timing) -> Zeroizing<String> {
    let algorithm = key.algorithm();
    let named: [Vec<u8>; 2];
    let secrets: Vec<(&str, &[u8])> = match key.secret() {
        Secret::Number(number) => vec![(NUMBER, number)],
        Secret::Rsa(numbers) => rsa_labelled(numbers).into(),
        Secret::InToken(uri) => {
            named = [ENGINE.to_vec(), format!("{uri}\0").into_bytes()];
            vec![("Engine", &named[0]), (LABEL, &named[1])]
        }
    };
    // Room for all of it, so that growing leaves no copy behind.
    let room = secrets.iter().map(|(label, octets)| label.len() + octets.len() * 2 + 8).sum::<usize>() + 512;
    let mut text = Zeroizing::new(String::with_capacity(room));
    text.push_str("Private-key-format: v1.3\n");
    let _ = writeln!(text, "Algorithm: {} ({})", algorithm.number(), algorithm.mnemonic());
    for (label, octets) in secrets {
        let encoded = Zeroizing::new(BASE64.encode(octets));
        let _ = writeln!(text, "{label}: {}", encoded.as_str());
    }
    for (label, at) in labelled(timing) {
        let _ = writeln!(text, "{label}: {}", digits(at));
    }
    text
}

/// The text of a `.key` file that says since when the key is not published any more, in place of what it said of that.
pub fn delete_public(text: &str, at: Timestamp) -> Zeroizing<String> {
    let line = format!("; {DELETE}: {} ({})", digits(at), spoken(at));
    // Comments stand before the record.
    let is_record = |line: &str| !line.starts_with(';') && !line.trim().is_empty();
    edited(text, &format!("; {DELETE}:"), &line, is_record)
}

/// The same for a `.private` file.
pub fn delete_private(text: &str, at: Timestamp) -> Zeroizing<String> {
    edited(text, &format!("{DELETE}:"), &format!("{DELETE}: {}", digits(at)), |_| false)
}

/// `text` with `line` in place of those that begin like `label`; before the first line that is `after`, or at the end.
fn edited(text: &str, label: &str, line: &str, after: impl Fn(&str) -> bool) -> Zeroizing<String> {
    // Room for all of it, so that growing leaves no copy of a secret behind.
    let mut out = Zeroizing::new(String::with_capacity(text.len() + line.len() + 2));
    let mut kept = text.lines().filter(|line| !line.starts_with(label)).peekable();
    while let Some(before) = kept.next_if(|line| !after(line)) {
        out.extend([before, "\n"]);
    }
    out.extend([line, "\n"]);
    kept.for_each(|line| out.extend([line, "\n"]));
    out
}

/// Since when the key is not published any more, as the text of its `.key` file has it.
pub fn deleted_public(text: &str) -> Option<Timestamp> {
    let label = format!("; {DELETE}: ");
    let said = text.lines().find_map(|line| line.strip_prefix(&label))?;
    parse_digits(said.split_ascii_whitespace().next()?)
}

/// Reads the text of a `.private` file.
pub fn parse_private(text: &str) -> Result<(PrivateKey, Timing), KeyFileError> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':')).map(|(l, v)| (l.trim(), v.trim()));
    if !lines.next().is_some_and(|(label, value)| label == "Private-key-format" && value.starts_with("v1.")) {
        return Err(KeyFileError::Format);
    }
    let (mut algorithm, mut secrets, mut timing) = (None, BTreeMap::new(), Timing::default());
    let mut in_token = None;
    for (label, value) in lines {
        let moment =
            |label| parse_digits(value).map(Some).ok_or(KeyFileError::Value(label, "YYYYMMDDHHMMSS"));
        match label {
            "Algorithm" => {
                let number = value.split_ascii_whitespace().next().and_then(|n| n.parse().ok());
                let number = number.ok_or(KeyFileError::Value("Algorithm", "a number"))?;
                algorithm = Some(Algorithm::from_number(number)?);
            }
            "Created" => timing.created = moment("Created")?,
            "Publish" => timing.publish = moment("Publish")?,
            "Activate" => timing.activate = moment("Activate")?,
            "Inactive" => timing.inactive = moment("Inactive")?,
            DELETE => timing.delete = moment(DELETE)?,
            LABEL => {
                in_token =
                    Some(token_uri(value).ok_or(KeyFileError::Value(LABEL, "a PKCS#11 URI in base64"))?);
            }
            _ => {
                if let Some(label) = SECRETS.into_iter().find(|known| *known == label) {
                    let decoded = BASE64.decode(value.as_bytes());
                    let octets = decoded.map_err(|_| KeyFileError::Value(label, "base64"))?;
                    secrets.insert(label, Zeroizing::new(octets));
                }
            }
        }
    }
    let algorithm = algorithm.ok_or(KeyFileError::Missing("Algorithm"))?;
    let mut secret = |label| secrets.remove(label).ok_or(KeyFileError::Missing(label));
    let key = match algorithm {
        _ if in_token.is_some() => PrivateKey::in_token(algorithm, in_token.ok_or(KeyFileError::Format)?),
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => {
            let numbers = RsaNumbers {
                modulus: secret("Modulus")?,
                public_exponent: secret("PublicExponent")?,
                private_exponent: secret("PrivateExponent")?,
                prime_1: secret("Prime1")?,
                prime_2: secret("Prime2")?,
                exponent_1: secret("Exponent1")?,
                exponent_2: secret("Exponent2")?,
                coefficient: secret("Coefficient")?,
            };
            PrivateKey::of_rsa(algorithm, numbers)?
        }
        _ => PrivateKey::of_number(algorithm, &secret(NUMBER)?)?,
    };
    Ok((key, timing))
}

/// The name of a key in a token, which BIND ends with a zero octet.
fn token_uri(value: &str) -> Option<TokenUri> {
    let octets = BASE64.decode(value.as_bytes()).ok()?;
    let text = std::str::from_utf8(octets.strip_suffix(&[0]).unwrap_or(&octets)).ok()?;
    text.parse().ok()
}

/// The label of when a key is not published any more.
const DELETE: &str = "Delete";
/// The label of the name of a key in a token.
const LABEL: &str = "Label";
/// What BIND calls the way to it.
const ENGINE: &[u8] = b"pkcs11\0";
/// The label of the one number that a private key is.
const NUMBER: &str = "PrivateKey";
/// The labels of all that is secret.
const SECRETS: [&str; 9] = [
    NUMBER,
    "Modulus",
    "PublicExponent",
    "PrivateExponent",
    "Prime1",
    "Prime2",
    "Exponent1",
    "Exponent2",
    "Coefficient",
];

fn rsa_labelled(numbers: &RsaNumbers) -> [(&'static str, &[u8]); 8] {
    [
        ("Modulus", &numbers.modulus),
        ("PublicExponent", &numbers.public_exponent),
        ("PrivateExponent", &numbers.private_exponent),
        ("Prime1", &numbers.prime_1),
        ("Prime2", &numbers.prime_2),
        ("Exponent1", &numbers.exponent_1),
        ("Exponent2", &numbers.exponent_2),
        ("Coefficient", &numbers.coefficient),
    ]
}

fn labelled(timing: &Timing) -> impl Iterator<Item = (&'static str, Timestamp)> {
    [
        ("Created", timing.created),
        ("Publish", timing.publish),
        ("Activate", timing.activate),
        ("Inactive", timing.inactive),
        (DELETE, timing.delete),
    ]
    .into_iter()
    .filter_map(|(label, at)| Some((label, at?)))
}

fn civil(at: Timestamp) -> DateTime {
    i64::try_from(at.0)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or(DateTime::MAX, |moment| TimeZone::UTC.to_datetime(moment))
}

fn digits(at: Timestamp) -> String {
    civil(at).strftime("%Y%m%d%H%M%S").to_string()
}

fn spoken(at: Timestamp) -> String {
    civil(at).strftime("%a %b %e %H:%M:%S %Y").to_string()
}

/// `YYYYMMDDHHMMSS`, UTC, in 1970 or later.
fn parse_digits(text: &str) -> Option<Timestamp> {
    if text.len() != 14 || !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let moment = DateTime::strptime("%Y%m%d%H%M%S", text).ok()?;
    let seconds = TimeZone::UTC.to_timestamp(moment).ok()?.as_second();
    Some(Timestamp(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PUBLIC: &str = "\
; This is a key-signing key, keyid 59462, for example.test.
; Created: 20261122022547 (Sun Nov 22 02:25:47 2026)
; Publish: 20261122022547 (Sun Nov 22 02:25:47 2026)
; Activate: 20261122022547 (Sun Nov 22 02:25:47 2026)
example.test. IN DNSKEY 257 3 13 ywhjtS+Af1xdMIIzuv1CLFBHQptyOCfrzIwzKzusq2VPLjDP+WQodJRzPg7w54LBruIhB84b8xgSthinninTmA==
";
    const PRIVATE: &str = "\
Private-key-format: v1.3
Algorithm: 13 (ECDSAP256SHA256)
PrivateKey: +v6kpk3rOVUoAWIkwUS7uEmtJC7RI2d/i2rx995Pe9I=
Created: 20261122022547
Publish: 20261122022547
Activate: 20261122022547
";

    #[test]
    fn what_dnssec_keygen_wrote_is_read_and_written_alike() {
        let (zone, public) = parse_public(PUBLIC).unwrap();
        assert_eq!((zone.to_string().as_str(), public.tag()), ("example.test.", 59_462));
        let (private, timing) = parse_private(PRIVATE).unwrap();
        assert_eq!(timing.publish, Some(Timestamp(1_795_314_347)));
        assert_eq!(write_public(zone.as_ref(), &public, &timing), PUBLIC);
        assert_eq!(write_private(&private, &timing).as_str(), PRIVATE);
    }

    #[test]
    fn a_key_in_a_token_is_read_and_written_by_its_name() {
        let uri: TokenUri = "pkcs11:token=t;object=o?module-path=/m.so&pin-source=file:/pin".parse().unwrap();
        let timing = parse_private(PRIVATE).unwrap().1;
        let text = write_private(&PrivateKey::in_token(Algorithm::EcdsaP256Sha256, uri.clone()), &timing);
        assert!(text.contains("\nEngine: cGtjczExAA==\nLabel: "), "{}", text.as_str());
        let (key, read) = parse_private(&text).unwrap();
        assert!(matches!(key.secret(), Secret::InToken(read) if **read == uri));
        assert_eq!((key.algorithm(), read), (Algorithm::EcdsaP256Sha256, timing));
        let wrong = "Private-key-format: v1.3\nAlgorithm: 13\nLabel: AAAA\n";
        assert_eq!(parse_private(wrong).err(), Some(KeyFileError::Value("Label", "a PKCS#11 URI in base64")));
    }

    #[test]
    fn ttl_class_comments_parentheses_and_lines_of_other_signers_are_read() {
        let key = "XPKvzffAeh9TzEsIefjRcZBD3Cs9yq/2TjhZzon8vB3CopihcyQEn5nef7Om UhdGSkEcZLBmD6I+VAkRYV8=";
        let split = format!(
            "ex.test.\t3600 IN DNSKEY (256 3 13\n {} ) ;{{id = 1 (zsk)}}\n",
            &PUBLIC[PUBLIC.len() - 90..]
        );
        assert_eq!(parse_public(&split).unwrap().0.to_string(), "ex.test.");
        assert!(parse_public(&format!("ex.test. IN DNSKEY 256 3 13 {key}")).is_err());
        let ldns = "Private-key-format: v1.2\nAlgorithm: 13 (ECDSAP256SHA256)\nFuture: x\nPrivateKey: AAAA\nSyncPublish: 1\n";
        assert_eq!(parse_private(ldns).unwrap().1, Timing::default());
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(parse_public("").err(), Some(KeyFileError::NoRecord));
        assert_eq!(parse_public("; DNSKEY").err(), Some(KeyFileError::NoRecord));
        assert_eq!(parse_public(&PUBLIC.repeat(2)).err(), Some(KeyFileError::SecondRecord));
        assert_eq!(parse_private("").err(), Some(KeyFileError::Format));
        assert_eq!(parse_private("Private-key-format: v2.0").err(), Some(KeyFileError::Format));
        let without = |label: &str| {
            let text: String =
                PRIVATE.split_inclusive('\n').filter(|line| !line.starts_with(label)).collect();
            parse_private(&text).err()
        };
        assert_eq!(without("Algorithm"), Some(KeyFileError::Missing("Algorithm")));
        assert_eq!(without("PrivateKey"), Some(KeyFileError::Missing("PrivateKey")));
        assert_eq!(
            parse_private(&PRIVATE.replace("20261122", "20261322")).err(),
            Some(KeyFileError::Value("Created", "YYYYMMDDHHMMSS"))
        );
        assert_eq!(
            parse_private(&PRIVATE.replace("Algorithm: 13", "Algorithm: 8")).err(),
            Some(KeyFileError::Missing("Modulus"))
        );
        assert_eq!(
            parse_private(&PRIVATE.replace("Algorithm: 13", "Algorithm: 5")).err(),
            Some(KeyFileError::Key(KeyError::Algorithm(5)))
        );
    }

    #[test]
    fn file_names_are_those_of_dnssec_keygen() {
        let stem = |zone: &str, tag| stem(Name::parse(zone).unwrap().as_ref(), 13, tag);
        assert_eq!(stem("Example.Test", 257), "Kexample.test.+013+00257");
        assert_eq!(stem(".", 19_802), "K.+013+19802");
        assert_eq!(stem("0/25.2.0.192.In-Addr.arpa", 31_457), "K0%2F25.2.0.192.in-addr.arpa.+013+31457");
        assert_eq!(stem(r"a\.b_c.test", 7_118), "Ka%2Eb_c.test.+013+07118");
        assert_eq!(parse_stem_tail("013+00257"), Some((13, 257)));
        assert_eq!(parse_stem_tail("013+65536"), None);
        assert_eq!(parse_stem_tail("13+257"), None);
    }

    #[test]
    fn what_is_over_says_so_in_both_files_and_all_else_stays() {
        let at = Timestamp(1_795_314_347);
        let private = "Private-key-format: v1.3\nAlgorithm: 13 (ECDSAP256SHA256)\nPrivateKey: AAAA\n\
                       Delete: 20990101000000\nDSPublish: 20261122000000\n";
        let expected = "Private-key-format: v1.3\nAlgorithm: 13 (ECDSAP256SHA256)\nPrivateKey: AAAA\n\
                        DSPublish: 20261122000000\nDelete: 20261122022547\n";
        assert_eq!(*delete_private(private, at), expected);
        assert_eq!(*delete_private(expected, at), expected);
        let public =
            "; This is a zone-signing key\n; Created: 20261122000000 (Sun)\na. IN DNSKEY 256 3 13 AAAA\n";
        let expected = "; This is a zone-signing key\n; Created: 20261122000000 (Sun)\n\
                        ; Delete: 20261122022547 (Sun Nov 22 02:25:47 2026)\na. IN DNSKEY 256 3 13 AAAA\n";
        assert_eq!(*delete_public(public, at), expected);
        assert_eq!(*delete_public(expected, at), expected);
        assert_eq!(deleted_public(expected), Some(at));
        assert_eq!(deleted_public(public), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", lines in prop::collection::vec("[A-Za-z-]{1,12}: ?[0-9A-Za-z+/=. ]{0,20}", 0..6)) {
            let _ = parse_public(&text);
            prop_assert_eq!(deleted_public(&delete_public(&text, Timestamp(1))), Some(Timestamp(1)));
            let _ = parse_public(&format!("a. IN DNSKEY {text}"));
            let _ = parse_private(&text);
            let _ = parse_private(&format!("Private-key-format: v1.3\n{}", lines.join("\n")));
        }

        #[test]
        fn times_round_trip(seconds in 0u64..4_000_000_000) {
            prop_assert_eq!(parse_digits(&digits(Timestamp(seconds))), Some(Timestamp(seconds)));
        }
    }
}
