//! An exported OpenPGP key (RFC 9580 §10.1: a transferable public key), binary or in ASCII armor.
//!
//! It is published as it was exported: what of it the world needs is for its owner to choose (`gpg --export-options
//! export-minimal`). Nothing secret is taken, and nothing that is not wholly written.

use data_encoding::BASE64;

/// Why a file is not used as an OpenPGP key.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenPgpError {
    /// A file of another kind.
    #[error("no OpenPGP public key found; expected what `gpg --export ADDRESS` writes")]
    NotFound,
    /// Packets or armor that end too early, or that are none.
    #[error("the OpenPGP key is cut off or malformed")]
    Malformed,
    /// The secret half.
    #[error("the file holds a secret key; expected what `gpg --export ADDRESS` writes")]
    Secret,
    /// More than one.
    #[error("the file holds several OpenPGP keys; expected one, exported by its fingerprint")]
    Several,
    /// It belongs to others.
    #[error("none of the key's user IDs has the address {0}")]
    OtherAddress(Box<str>),
    /// No message holds it.
    #[error(
        "the key has {0} octets, which no DNS message holds; export it with `--export-options export-minimal`"
    )]
    TooLarge(usize),
}

/// Whether the octets are a key.
pub(super) fn check(octets: &[u8]) -> Result<(), OpenPgpError> {
    parse(octets, &[]).map(|_| ())
}

/// The octets of the key in a file, which must be for all of `addresses`.
pub(super) fn parse(input: &[u8], addresses: &[&str]) -> Result<Vec<u8>, OpenPgpError> {
    let octets = match std::str::from_utf8(input) {
        Ok(text) if text.contains("-----") => dearmored(text)?,
        _ => input.to_vec(),
    };
    let packets = packets(&octets)?;
    if packets.iter().any(|packet| matches!(packet.tag, SECRET_KEY | SECRET_SUBKEY)) {
        return Err(OpenPgpError::Secret);
    }
    if packets.first().is_none_or(|first| first.tag != PUBLIC_KEY) {
        return Err(OpenPgpError::NotFound);
    }
    if packets.iter().filter(|packet| packet.tag == PUBLIC_KEY).count() > 1 {
        return Err(OpenPgpError::Several);
    }
    let users = packets.iter().filter(|packet| packet.tag == USER_ID);
    if let Some(other) =
        addresses.iter().find(|address| !users.clone().any(|user| has_address(user.body, address)))
    {
        return Err(OpenPgpError::OtherAddress((*other).into()));
    }
    // Room for the rest of a response.
    if octets.len() > MAX_KEY {
        return Err(OpenPgpError::TooLarge(octets.len()));
    }
    Ok(octets)
}

/// Whether a user ID is that of an address: `Name <address>`, or the address alone.
fn has_address(user: &[u8], address: &str) -> bool {
    let user = String::from_utf8_lossy(user);
    let user = user.trim();
    let own = user.strip_suffix('>').and_then(|user| user.rsplit_once('<')).map_or(user, |(_, own)| own);
    own.eq_ignore_ascii_case(address)
}

struct Packet<'a> {
    tag: u8,
    body: &'a [u8],
}

/// All packets to the last octet (RFC 9580 §4.2).
fn packets(mut rest: &[u8]) -> Result<Vec<Packet<'_>>, OpenPgpError> {
    let mut packets = Vec::new();
    while let Some((&first, after)) = rest.split_first() {
        // The highest bit is set in every packet, and in no text.
        if first & 0x80 == 0 {
            return Err(if packets.is_empty() { OpenPgpError::NotFound } else { OpenPgpError::Malformed });
        }
        let (tag, length, after) = if first & 0x40 == 0 { old(first, after) } else { new(first, after) }
            .ok_or(OpenPgpError::Malformed)?;
        let (body, after) = after.split_at_checked(length).ok_or(OpenPgpError::Malformed)?;
        packets.push(Packet { tag, body });
        rest = after;
    }
    if packets.is_empty() { Err(OpenPgpError::NotFound) } else { Ok(packets) }
}

/// The older form of a packet's head: the tag and the size of the length in one octet. Keys have no open-ended packets.
fn old(first: u8, rest: &[u8]) -> Option<(u8, usize, &[u8])> {
    let size = match first & 3 {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => return None,
    };
    let (length, rest) = rest.split_at_checked(size)?;
    let length = length.iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
    Some((first >> 2 & 0x0f, length, rest))
}

/// The newer form. Keys have no packets in parts.
fn new(first: u8, rest: &[u8]) -> Option<(u8, usize, &[u8])> {
    let (length, rest) = match *rest {
        [length @ ..192, ref rest @ ..] => (usize::from(length), rest),
        [high @ 192..224, low, ref rest @ ..] => {
            (((usize::from(high) - 192) << 8) + usize::from(low) + 192, rest)
        }
        [255, a, b, c, d, ref rest @ ..] => (u32::from_be_bytes([a, b, c, d]) as usize, rest),
        _ => return None,
    };
    Some((first & 0x3f, length, rest))
}

/// What ASCII armor holds (RFC 9580 §6.2).
fn dearmored(text: &str) -> Result<Vec<u8>, OpenPgpError> {
    if text.contains("-----BEGIN PGP PRIVATE KEY BLOCK-----") {
        return Err(OpenPgpError::Secret);
    }
    let mut blocks = text.split("-----BEGIN PGP PUBLIC KEY BLOCK-----").skip(1);
    let block = blocks.next().ok_or(OpenPgpError::NotFound)?;
    if blocks.next().is_some() {
        return Err(OpenPgpError::Several);
    }
    let (block, _) = block.split_once("-----END PGP PUBLIC KEY BLOCK-----").ok_or(OpenPgpError::Malformed)?;
    // Headers end with an empty line; the checksum, which begins with `=`, is for channels that lose octets.
    let lines = block.lines().map(str::trim).skip(1).skip_while(|line| line.contains(": "));
    let base64: String = lines.filter(|line| !line.starts_with('=')).collect();
    BASE64.decode(base64.as_bytes()).map_err(|_| OpenPgpError::Malformed)
}

const SECRET_KEY: u8 = 5;
const PUBLIC_KEY: u8 = 6;
const SECRET_SUBKEY: u8 = 7;
const USER_ID: u8 = 13;
/// Octets of a key that a message holds beside its signature and question.
const MAX_KEY: usize = 60_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A packet in the older and the newer form of its head.
    fn packet(tag: u8, body: &[u8], is_new: bool) -> Vec<u8> {
        let head = if is_new { 0xc0 | tag } else { 0x80 | tag << 2 };
        [&[head, body.len() as u8], body].concat()
    }

    fn key(is_new: bool) -> Vec<u8> {
        let user = b"Hugh Example <hugh@example.test>";
        [packet(6, &[4; 51], is_new), packet(13, user, is_new), packet(2, &[4; 90], is_new)].concat()
    }

    fn armored(octets: &[u8]) -> String {
        let base64 = BASE64.encode(octets);
        let lines: Vec<&str> =
            base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!(
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: hugh\n\n{}\n=AbCd\n-----END PGP PUBLIC KEY BLOCK-----\n",
            lines.join("\n")
        )
    }

    #[test]
    fn a_key_is_taken_as_it_was_exported_for_its_own_address() {
        for is_new in [false, true] {
            let key = key(is_new);
            assert_eq!(parse(&key, &["Hugh@example.test"]), Ok(key.clone()));
            assert_eq!(parse(armored(&key).as_bytes(), &[]), Ok(key.clone()));
            let other = parse(&key, &["hugh@example.test", "ugh@example.test"]);
            assert_eq!(other, Err(OpenPgpError::OtherAddress("ugh@example.test".into())));
        }
    }

    #[test]
    fn nothing_secret_and_nothing_half_written_is_taken() {
        let whole = key(false);
        for end in 1..whole.len() {
            let cut = parse(&whole[..end], &["hugh@example.test"]);
            // After the user ID a key could end: without its signatures it is useless, and no harm.
            assert!(cut.is_err() || end == whole.len() - 92, "{end}: {cut:?}");
        }
        let text = armored(&whole);
        for end in 1..text.len() - 26 {
            assert!(parse(&text.as_bytes()[..end], &[]).is_err(), "{end}");
        }
        for tag in [5, 7] {
            let secret = [whole.clone(), packet(tag, &[4; 9], true)].concat();
            assert_eq!(parse(&secret, &[]), Err(OpenPgpError::Secret));
        }
        let secret = text.replace("PUBLIC", "PRIVATE");
        assert_eq!(parse(secret.as_bytes(), &[]), Err(OpenPgpError::Secret));
        assert_eq!(parse(&[whole.clone(), whole].concat(), &[]), Err(OpenPgpError::Several));
        assert_eq!(parse(b"ssh-ed25519 AAAA", &[]), Err(OpenPgpError::NotFound));
        assert_eq!(parse(b"", &[]), Err(OpenPgpError::NotFound));
        let large = [&[0x99, 0xff, 0xff][..], &vec![4; 65_535]].concat();
        assert_eq!(parse(&large, &[]), Err(OpenPgpError::TooLarge(65_538)));
    }

    proptest! {
        #[test]
        fn no_octets_break_the_reader(octets in prop::collection::vec(any::<u8>(), 0..80), is_armored: bool) {
            let input = if is_armored { armored(&octets).into_bytes() } else { octets };
            let _ = parse(&input, &["hugh@example.test"]);
        }
    }
}
