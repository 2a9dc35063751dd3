//! Whether octets are exactly one well-formed rdata of their type, and how far each field reaches.

use super::substitution::is_substitution;
use super::table::{Field, fields};
use super::{MAX_RDATA, RdataError};
use crate::dns::name::NameRef;
use crate::dns::rtype::Rtype;

/// Checks that `rdata` is exactly one well-formed rdata of `rtype`, as everything that comes by wire or
/// in `\#` form must be.
pub fn check(rtype: Rtype, rdata: &[u8]) -> Result<(), RdataError> {
    if rdata.len() > MAX_RDATA {
        return Err(RdataError::TooLong);
    }
    let mut at = 0;
    for &field in fields(rtype) {
        at = end_of(field, rdata, at)?;
    }
    if at < rdata.len() { Err(RdataError::Trailing(rdata.len() - at)) } else { Ok(()) }
}

/// Where the field that starts at `at` ends; fails when it is not well-formed or cut off.
pub(super) fn end_of(field: Field, rdata: &[u8], at: usize) -> Result<usize, RdataError> {
    let cut = RdataError::Truncated(field);
    let bad = RdataError::Invalid(field);
    let left = rdata.get(at..).ok_or(cut)?;
    let fixed = |length: usize| if left.len() < length { Err(cut) } else { Ok(at + length) };
    let valid = |valid: bool, end: usize| if valid { Ok(end) } else { Err(bad) };
    let end = rdata.len();
    match field {
        Field::NameCompressible | Field::NameLower | Field::NameAsIs => {
            Ok(at + NameRef::from_wire(left)?.wire().len())
        }
        Field::NamesAsIs => {
            let mut at = at;
            while at < end {
                at += NameRef::from_wire(&rdata[at..])?.wire().len();
            }
            Ok(at)
        }
        Field::U8 | Field::Algorithm | Field::KeyProtocol | Field::DsyncScheme => fixed(1),
        Field::U16 | Field::Rtype | Field::CertType | Field::KeyFlags => fixed(2),
        Field::NoFlags => fixed(2).and_then(|end| valid(left.starts_with(&[0, 0]), end)),
        Field::U32 | Field::Period | Field::Ipv4 | Field::Time => fixed(4),
        Field::Eui48 => fixed(6),
        Field::Eui64 | Field::Locator64 => fixed(8),
        Field::Ipv6 => fixed(16),
        Field::OptionalCharacterString if left.is_empty() => Ok(at),
        Field::CharacterString | Field::OptionalCharacterString | Field::HexWithLength => {
            Ok(at + 1 + counted(left).ok_or(cut)?.len())
        }
        Field::CharacterStrings => {
            let mut at = at + 1 + counted(left).ok_or(cut)?.len();
            while at < end {
                at += 1 + counted(&rdata[at..]).ok_or(cut)?.len();
            }
            Ok(at)
        }
        Field::PsdnAddress => {
            let text = counted(left).ok_or(cut)?;
            valid(text.len() >= 4 && text.iter().all(u8::is_ascii_digit), at + 1 + text.len())
        }
        Field::Tag => {
            let text = counted(left).ok_or(cut)?;
            valid(!text.is_empty() && text.iter().all(u8::is_ascii_alphanumeric), at + 1 + text.len())
        }
        Field::Substitution => {
            let text = counted(left).ok_or(cut)?;
            valid(is_substitution(text), at + 1 + text.len())
        }
        Field::LongText | Field::Base64OrNothing | Field::Base64OrDash | Field::Opaque => Ok(end),
        Field::UriTarget | Field::Hex | Field::Base64 | Field::KeyData | Field::Nsap => {
            if left.is_empty() {
                Err(cut)
            } else {
                Ok(end)
            }
        }
        Field::Base32WithLength => {
            let hash = counted(left).ok_or(cut)?;
            valid(!hash.is_empty(), at + 1 + hash.len())
        }
        Field::TypeBitmap => valid(!left.is_empty() && is_type_bitmap(left), end),
        Field::TypeBitmapOrNothing => valid(is_type_bitmap(left), end),
        Field::NxtBitmap => {
            valid(left.is_empty() || (left.len() <= 16 && left[0] & 0x80 == 0 && !left.ends_with(&[0])), end)
        }
        Field::OptionalKeyData => match (has_no_key(rdata), left.is_empty()) {
            (true, false) => Err(RdataError::Trailing(left.len())),
            (false, true) => Err(cut),
            _ => Ok(end),
        },
        // RFC 4025 §2.4: only with algorithm 0 there is no key.
        Field::IpsecKey => {
            if left.is_empty() && rdata[2] != 0 {
                Err(cut)
            } else {
                Ok(end)
            }
        }
        Field::DsDigest => digest(left, cut, bad, |kind| match kind {
            1 => Some(20),
            2 | 3 => Some(32),
            4 => Some(48),
            _ => None,
        })
        .map(|()| end),
        Field::SshFingerprint => digest(left, cut, bad, |kind| match kind {
            1 => Some(20),
            2 => Some(32),
            _ => None,
        })
        .map(|()| end),
        Field::ZoneDigest => {
            digest(left, cut, bad, |kind| match kind {
                1 => Some(48),
                2 => Some(64),
                _ => None,
            })?;
            // RFC 8976 §2.2.4: shorter ones are refused whatever the algorithm.
            valid(left.len() > 12, end)
        }
        Field::Loc => fixed(16).and_then(|end| valid(is_loc(&left[..16]), end)),
        Field::Apl => valid(is_apl(left), end),
        Field::SvcParams => super::svcb::check(left).map(|()| end),
        Field::IpsecGateway => {
            let &[kind, _, ref rest @ ..] = left else { return Err(cut) };
            Ok(at + 2 + gateway(kind, rest, cut, bad)?)
        }
        Field::AmtRelay => {
            let &[kind, ref rest @ ..] = left else { return Err(cut) };
            Ok(at + 1 + gateway(kind & 0x7f, rest, cut, bad)?)
        }
        Field::HipKey => {
            let &[tag, _, high, low, ..] = left else { return Err(cut) };
            let key = usize::from(u16::from_be_bytes([high, low]));
            if tag == 0 || key == 0 {
                return Err(bad);
            }
            fixed(4 + usize::from(tag) + key)
        }
        Field::A6 => {
            let name = a6_name(left).ok_or(bad)?;
            let suffix = left.get(1..name).ok_or(cut)?;
            // The bits that the prefix covers are zero in the suffix.
            if left[0] % 8 != 0 && suffix[0] & !(0xff >> (left[0] % 8)) != 0 {
                return Err(bad);
            }
            if left[0] == 0 {
                Ok(at + name)
            } else {
                Ok(at + name + NameRef::from_wire(&left[name..])?.wire().len())
            }
        }
        Field::Services => match left {
            [] => Err(cut),
            [_, ports @ ..] => valid(ports.len() <= 8192 && !ports.ends_with(&[0]), end),
        },
        Field::Atma => match left {
            [] | [_] => Err(cut),
            [0, ..] => Ok(end),
            [1, digits @ ..] => valid(digits.iter().all(u8::is_ascii_digit), end),
            _ => Err(bad),
        },
    }
}

/// Whether these are the flags of a KEY record without a key: both type bits are set (RFC 2535 §3.1.2).
pub(super) fn has_no_key(key: &[u8]) -> bool {
    key.first().is_some_and(|flags| flags & 0xc0 == 0xc0)
}

/// Whether this is well-formed, and BIND refuses the transfer of a whole zone for it nevertheless: an IPSECKEY record
/// that says it has no key (RFC 4025 §2.4).
pub fn is_refused_by_bind(rtype: Rtype, rdata: &[u8]) -> bool {
    rtype == Rtype::IPSECKEY && end_of(Field::IpsecGateway, rdata, 1) == Ok(rdata.len())
}

/// The offset within `left` of the name that a field holds, if it holds one.
pub(super) fn name_within(field: Field, left: &[u8]) -> Option<usize> {
    match field {
        Field::NameCompressible | Field::NameLower | Field::NameAsIs => Some(0),
        Field::IpsecGateway if left.first() == Some(&3) => Some(2),
        Field::AmtRelay if left.first()? & 0x7f == 3 => Some(1),
        Field::A6 if *left.first()? > 0 => a6_name(left),
        _ => None,
    }
}

/// Where the prefix name of A6 starts: after the prefix length and the octets it does not cover.
fn a6_name(left: &[u8]) -> Option<usize> {
    let prefix = left.first().filter(|&&prefix| prefix <= 128)?;
    Some(1 + 16 - usize::from(prefix / 8))
}

/// The octets that a length octet counts.
fn counted(left: &[u8]) -> Option<&[u8]> {
    let (&length, rest) = left.split_first()?;
    rest.get(..usize::from(length))
}

fn is_type_bitmap(mut left: &[u8]) -> bool {
    let mut last = None;
    while let [window, length @ 1..=32, rest @ ..] = left {
        let length = usize::from(*length);
        if last.is_some_and(|last| *window <= last) || rest.len() < length || rest[length - 1] == 0 {
            return false;
        }
        last = Some(*window);
        left = &rest[length..];
    }
    left.is_empty()
}

fn digest(
    left: &[u8],
    cut: RdataError,
    bad: RdataError,
    length: impl FnOnce(u8) -> Option<usize>,
) -> Result<(), RdataError> {
    match left {
        [] | [_] => Err(cut),
        [kind, digest @ ..] => match length(*kind) {
            Some(length) if digest.len() != length => Err(bad),
            _ => Ok(()),
        },
    }
}

/// RFC 1876 §2: version 0, powers of ten below ten, angles within the globe.
fn is_loc(loc: &[u8]) -> bool {
    let angle = |at: usize| u32::from_be_bytes([loc[at], loc[at + 1], loc[at + 2], loc[at + 3]]);
    let within = |angle: u32, degrees: u32| angle.abs_diff(1 << 31) <= degrees * 3_600_000;
    let power = |octet: u8| octet == 0 || (octet & 0xf <= 9 && (0x10..=0x9f).contains(&octet));
    loc[0] == 0
        && loc[1..4].iter().all(|&octet| power(octet))
        && within(angle(4), 90)
        && within(angle(8), 180)
}

/// RFC 3123 §4: known families, prefixes that fit them, no trailing zero octets.
fn is_apl(mut left: &[u8]) -> bool {
    while let &[0, family @ 1..=2, prefix, length, ref rest @ ..] = left {
        let octets = if family == 1 { 4 } else { 16 };
        let length = usize::from(length & 0x7f);
        if usize::from(prefix) > octets * 8 || length > octets || rest.len() < length {
            return false;
        }
        if length > 0 && rest[length - 1] == 0 {
            return false;
        }
        left = &rest[length..];
    }
    left.is_empty()
}

/// How many octets a gateway of this type takes (RFC 4025 §2.3, RFC 8777 §4.2.3).
fn gateway(kind: u8, rest: &[u8], cut: RdataError, bad: RdataError) -> Result<usize, RdataError> {
    let fixed = |length: usize| if rest.len() < length { Err(cut) } else { Ok(length) };
    match kind {
        0 => Ok(0),
        1 => fixed(4),
        2 => fixed(16),
        3 => Ok(NameRef::from_wire(rest)?.wire().len()),
        _ => Err(bad),
    }
}
