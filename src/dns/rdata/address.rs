//! Addresses and keys whose text is not one token for one field.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};

use super::encoding::{Base64, Hex};
use super::fault::TextError;
use super::mnemonic;
use super::parse::{Input, ipv4, ipv6, unexpected, whole_hex};
use super::table::Field;
use super::write::write_name;
use crate::dns::name::NameRef;
use crate::dns::token::{Token, decimal};

/// Reads address prefixes, `[!]family:address/prefix` (RFC 3123 §5).
pub(super) fn parse_apl(input: &mut Input<'_, '_>) -> Result<(), TextError> {
    while let Some(token) = input.next_token()? {
        apl_item(token, input.out).ok_or_else(|| unexpected(token, Field::Apl))?;
    }
    Ok(())
}

fn apl_item(token: Token<'_>, out: &mut Vec<u8>) -> Option<()> {
    let (negated, text) = match token.text {
        _ if token.quoted => return None,
        [b'!', rest @ ..] => (0x80, rest),
        text => (0, text),
    };
    let colon = text.iter().position(|&octet| octet == b':')?;
    let slash = text.iter().rposition(|&octet| octet == b'/').filter(|&slash| slash > colon)?;
    let address = &text[colon + 1..slash];
    let mut octets = [0; 16];
    let width = match &text[..colon] {
        b"1" => {
            octets[..4].copy_from_slice(&ipv4(address)?);
            4
        }
        b"2" => {
            octets = ipv6(address)?;
            16
        }
        _ => return None,
    };
    let prefix = decimal(&text[slash + 1..]).filter(|&prefix| prefix <= width * 8)?;
    let length = octets.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
    out.extend_from_slice(&[0, text[0] - b'0', prefix as u8, negated | length as u8]);
    out.extend_from_slice(&octets[..length]);
    Some(())
}

pub(super) fn write_apl(mut left: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let mut separator = "";
    while let [_, family, prefix, length, rest @ ..] = left {
        let negated = if length & 0x80 != 0 { "!" } else { "" };
        let (octets, rest) = rest.split_at(usize::from(length & 0x7f));
        let mut address = [0; 16];
        address[..octets.len()].copy_from_slice(octets);
        write!(out, "{separator}{negated}{family}:")?;
        match *family {
            1 => write!(out, "{}", Ipv4Addr::new(address[0], address[1], address[2], address[3]))?,
            _ => write!(out, "{}", Ipv6Addr::from(address))?,
        }
        write!(out, "/{prefix}")?;
        separator = " ";
        left = rest;
    }
    Ok(())
}

/// Reads gateway type, algorithm and gateway (RFC 4025 §3.1).
pub(super) fn parse_ipsec_gateway(input: &mut Input<'_, '_>) -> Result<(), TextError> {
    let kind = input.number(Field::IpsecGateway, 3)? as u8;
    input.out.push(kind);
    input.u8_or_mnemonic(Field::IpsecGateway, &[])?;
    parse_gateway(input, Field::IpsecGateway, kind)
}

pub(super) fn write_ipsec_gateway(left: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    write!(out, "{} {} ", left[0], left[1])?;
    write_gateway(left[0], &left[2..], out)
}

/// Reads discovery bit, relay type and relay (RFC 8777 §4.3.1).
pub(super) fn parse_amt_relay(input: &mut Input<'_, '_>) -> Result<(), TextError> {
    let discovery = input.number(Field::AmtRelay, 1)? as u8;
    let kind = input.number(Field::AmtRelay, 3)? as u8;
    input.out.push(discovery << 7 | kind);
    parse_gateway(input, Field::AmtRelay, kind)
}

pub(super) fn write_amt_relay(left: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let kind = left[0] & 0x7f;
    write!(out, "{} {kind} ", left[0] >> 7)?;
    write_gateway(kind, &left[1..], out)
}

fn parse_gateway(input: &mut Input<'_, '_>, field: Field, kind: u8) -> Result<(), TextError> {
    match kind {
        0 => input.by(field, |text| (text == b".").then_some([])),
        1 => input.by(field, ipv4),
        2 => input.by(field, ipv6),
        _ => {
            let token = input.word(field)?;
            input.name(token)
        }
    }
}

fn write_gateway(kind: u8, left: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    match (kind, left) {
        (1, &[a, b, c, d, ..]) => write!(out, "{}", Ipv4Addr::new(a, b, c, d)),
        (2, _) => write!(out, "{}", Ipv6Addr::from(*left.first_chunk::<16>().ok_or(fmt::Error)?)),
        (3, _) => write_name(NameRef::from_wire(left).map_err(|_| fmt::Error)?, out),
        _ => out.write_char('.'),
    }
}

/// Reads algorithm, host identity tag and public key, each one token (RFC 8005 §6).
pub(super) fn parse_hip_key(input: &mut Input<'_, '_>) -> Result<(), TextError> {
    let head = input.out.len();
    let algorithm = input.number(Field::HipKey, u64::from(u8::MAX))? as u8;
    input.out.extend_from_slice(&[0, algorithm, 0, 0]);
    let token = input.word(Field::HipKey)?;
    let tag = whole_hex(token.text, input.out).and_then(|()| u8::try_from(input.out.len() - head - 4).ok());
    let tag = tag.ok_or_else(|| unexpected(token, Field::HipKey))?;
    let token = input.word(Field::HipKey)?;
    let start = input.out.len();
    let mut base64 = Base64::default();
    let key = base64.push(token.text, input.out).and_then(|()| base64.finish());
    let key = key.and_then(|()| u16::try_from(input.out.len() - start).ok());
    let [high, low] = key.ok_or_else(|| unexpected(token, Field::HipKey))?.to_be_bytes();
    input.out[head..head + 4].copy_from_slice(&[tag, algorithm, high, low]);
    Ok(())
}

pub(super) fn write_hip_key(left: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let (tag, key) = left[4..].split_at(usize::from(left[0]));
    write!(out, "{} {} {}", left[1], HEXUPPER.encode_display(tag), BASE64.encode_display(key))
}

/// Reads prefix length, the suffix as an address unless the prefix is all, and the prefix name unless there
/// is no prefix (RFC 2874 §3.1).
pub(super) fn parse_a6(input: &mut Input<'_, '_>) -> Result<(), TextError> {
    let prefix = input.number(Field::A6, 128)? as u8;
    input.out.push(prefix);
    if prefix < 128 {
        let token = input.word(Field::A6)?;
        let mut address = ipv6(token.text).ok_or_else(|| unexpected(token, Field::A6))?;
        let first = usize::from(prefix / 8);
        address[first] &= 0xff >> (prefix % 8);
        input.out.extend_from_slice(&address[first..]);
    }
    if prefix > 0 {
        let token = input.word(Field::A6)?;
        input.name(token)?;
    }
    Ok(())
}

pub(super) fn write_a6(left: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let prefix = left[0];
    let first = usize::from(prefix / 8).min(16);
    let (suffix, name) = left[1..].split_at(16 - first);
    write!(out, "{prefix}")?;
    if prefix < 128 {
        let mut address = [0; 16];
        address[first..].copy_from_slice(suffix);
        write!(out, " {}", Ipv6Addr::from(address))?;
    }
    if prefix > 0 {
        out.write_char(' ')?;
        write_name(NameRef::from_wire(name).map_err(|_| fmt::Error)?, out)?;
    }
    Ok(())
}

/// Reads a protocol and its ports, by number or name (RFC 1035 §3.4.2).
pub(super) fn parse_services(input: &mut Input<'_, '_>) -> Result<(), TextError> {
    input.u8_or_mnemonic(Field::Services, mnemonic::IP_PROTOCOLS)?;
    let start = input.out.len();
    while let Some(token) = input.next_token()? {
        let port = decimal(token.text).and_then(|port| u16::try_from(port).ok());
        let port = port.or_else(|| mnemonic::number_of(token.text, mnemonic::SERVICES));
        let port = port.filter(|_| !token.quoted).ok_or_else(|| unexpected(token, Field::Services))?;
        let octet = start + usize::from(port / 8);
        if input.out.len() <= octet {
            input.out.resize(octet + 1, 0);
        }
        input.out[octet] |= 0x80 >> (port % 8);
    }
    Ok(())
}

pub(super) fn write_services(left: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    write!(out, "{}", left[0])?;
    for (at, octet) in left[1..].iter().enumerate() {
        for bit in (0..8).filter(|bit| octet & (0x80 >> bit) != 0) {
            write!(out, " {}", at * 8 + bit)?;
        }
    }
    Ok(())
}

/// Reads `0x` and hexadecimal with dots anywhere (RFC 1706 §6).
pub(super) fn parse_nsap(input: &mut Input<'_, '_>) -> Result<(), TextError> {
    let token = input.word(Field::Nsap)?;
    let digits = token.text.strip_prefix(b"0x").or_else(|| token.text.strip_prefix(b"0X"));
    digits.and_then(|digits| dotted_hex(digits, input.out)).ok_or_else(|| unexpected(token, Field::Nsap))
}

pub(super) fn write_nsap(left: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    write!(out, "0x{}", HEXLOWER.encode_display(left))
}

/// Reads `+` and digits (E.164), or hexadecimal (AESA), with dots between.
pub(super) fn parse_atma(input: &mut Input<'_, '_>) -> Result<(), TextError> {
    let token = input.word(Field::Atma)?;
    if let [b'+', number @ ..] = token.text {
        input.out.push(1);
        input.out.extend(number.iter().filter(|&&octet| octet != b'.'));
        return Ok(());
    }
    input.out.push(0);
    dotted_hex(token.text, input.out).ok_or_else(|| unexpected(token, Field::Atma))
}

pub(super) fn write_atma(left: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    match left {
        [1, digits @ ..] => write!(out, "+{}", digits.escape_ascii()),
        _ => write!(out, "{}", HEXLOWER.encode_display(&left[1..])),
    }
}

fn dotted_hex(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut hex = Hex::default();
    for piece in text.split(|&octet| octet == b'.') {
        hex.push(piece, out)?;
    }
    hex.finish()
}

/// `N` octets in groups of `WIDTH`, in hexadecimal; leading zeros of a group may be left out.
pub(super) fn groups<const N: usize, const WIDTH: usize>(text: &[u8], separator: u8) -> Option<[u8; N]> {
    let mut octets = [0; N];
    let mut groups = text.split(|&octet| octet == separator);
    for group in octets.chunks_exact_mut(WIDTH) {
        let digits = groups.next().filter(|digits| (1..=2 * WIDTH).contains(&digits.len()))?;
        let number = digits.iter().try_fold(0u16, |number, &octet| {
            char::from(octet).to_digit(16).map(|digit| number << 4 | digit as u16)
        })?;
        group.copy_from_slice(&number.to_be_bytes()[2 - WIDTH..]);
    }
    groups.next().is_none().then_some(octets)
}
