//! Rdata to text, field by field.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::{BASE32HEX_NOPAD, BASE64, HEXLOWER, HEXUPPER};

use super::check::{check, end_of};
use super::table::{Field, fields};
use super::{address, loc, mnemonic, svcb};
use crate::dns::name::NameRef;
use crate::dns::rtype::Rtype;

/// Writes `rdata` on one line, as [`parse`](super::parse()) reads it. What is not one well-formed rdata of
/// `rtype`, or has no text of its own, is written as `\#`, length and hexadecimal (RFC 3597 §5).
pub fn write(rtype: Rtype, rdata: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    if check(rtype, rdata).is_err() {
        return write_opaque(rdata, out);
    }
    let mut at = 0;
    for (i, &field) in fields(rtype).iter().enumerate() {
        let Ok(end) = end_of(field, rdata, at) else { return Err(fmt::Error) };
        if i > 0 && (end > at || field == Field::Base64OrDash || field == Field::LongText) {
            out.write_char(' ')?;
        }
        write_field(field, &rdata[at..end], out)?;
        at = end;
    }
    Ok(())
}

/// `rdata` as something that can be printed.
pub fn display(rtype: Rtype, rdata: &[u8]) -> impl fmt::Display {
    fmt::from_fn(move |f| write(rtype, rdata, f))
}

fn write_field(field: Field, octets: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    match field {
        Field::NameCompressible | Field::NameLower | Field::NameAsIs | Field::NamesAsIs => {
            write_names(octets, out)
        }
        Field::U8
        | Field::Algorithm
        | Field::KeyProtocol
        | Field::U16
        | Field::KeyFlags
        | Field::NoFlags
        | Field::U32
        | Field::Period => write!(out, "{}", number(octets)),
        Field::Rtype => write!(out, "{}", Rtype(number(octets) as u16)),
        Field::CertType => write_mnemonic(number(octets) as u16, mnemonic::CERT_TYPES, out),
        Field::DsyncScheme => write_mnemonic(number(octets) as u8, mnemonic::DSYNC_SCHEMES, out),
        Field::Time => write_time(number(octets), out),
        Field::Ipv4 => write!(out, "{}", Ipv4Addr::from_bits(number(octets))),
        Field::Ipv6 => write!(out, "{}", Ipv6Addr::from(*octets.first_chunk::<16>().ok_or(fmt::Error)?)),
        Field::CharacterString
        | Field::OptionalCharacterString
        | Field::CharacterStrings
        | Field::PsdnAddress
        | Field::Substitution => write_strings(octets, out),
        Field::Tag => write!(out, "{}", octets[1..].escape_ascii()),
        Field::LongText | Field::UriTarget => write_quoted(octets, out),
        Field::Hex => write!(out, "{}", HEXUPPER.encode_display(octets)),
        Field::Base64OrDash if octets.is_empty() => out.write_char('-'),
        Field::Base64
        | Field::Base64OrNothing
        | Field::Base64OrDash
        | Field::KeyData
        | Field::OptionalKeyData
        | Field::IpsecKey => {
            write!(out, "{}", BASE64.encode_display(octets))
        }
        Field::HexWithLength if octets.len() == 1 => out.write_char('-'),
        Field::HexWithLength => write!(out, "{}", HEXUPPER.encode_display(&octets[1..])),
        Field::Base32WithLength => write!(out, "{}", BASE32HEX_NOPAD.encode_display(&octets[1..])),
        Field::TypeBitmap | Field::TypeBitmapOrNothing => write_type_bitmap(octets, out),
        Field::NxtBitmap => write_window(0, octets, &mut "", out),
        Field::DsDigest | Field::SshFingerprint | Field::ZoneDigest => {
            write!(out, "{} {}", octets[0], HEXUPPER.encode_display(&octets[1..]))
        }
        Field::Loc => loc::write(octets, out),
        Field::SvcParams => svcb::write(octets, out),
        Field::Apl => address::write_apl(octets, out),
        Field::IpsecGateway => address::write_ipsec_gateway(octets, out),
        Field::AmtRelay => address::write_amt_relay(octets, out),
        Field::HipKey => address::write_hip_key(octets, out),
        Field::A6 => address::write_a6(octets, out),
        Field::Services => address::write_services(octets, out),
        Field::Nsap => address::write_nsap(octets, out),
        Field::Atma => address::write_atma(octets, out),
        Field::Eui48 | Field::Eui64 => write_groups(octets.chunks_exact(1), '-', out, |octet, out| {
            write!(out, "{}", HEXLOWER.encode_display(octet))
        }),
        Field::Locator64 => {
            write_groups(octets.chunks_exact(2), ':', out, |group, out| write!(out, "{:x}", number(group)))
        }
        Field::Opaque => write_opaque(octets, out),
    }
}

/// Writes a name with its final dot. Most names are of letters, digits, hyphens and underscores; they are
/// written in one go.
pub fn write_name(name: NameRef<'_>, out: &mut impl fmt::Write) -> fmt::Result {
    let mut text = [0; 255];
    let mut at = 0;
    for label in name.labels() {
        for &octet in label {
            if !(octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'*')) {
                return write!(out, "{name}");
            }
            text[at] = octet;
            at += 1;
        }
        text[at] = b'.';
        at += 1;
    }
    match std::str::from_utf8(&text[..at]) {
        Ok("") | Err(_) => out.write_char('.'),
        Ok(text) => out.write_str(text),
    }
}

/// Writes octets in quotes, those that are not printable as `\DDD`.
pub(super) fn write_quoted(octets: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    out.write_char('"')?;
    let mut rest = octets;
    while !rest.is_empty() {
        let plain = |octet: &u8| matches!(octet, b' '..=b'~') && !matches!(octet, b'"' | b'\\');
        let (run, after) = rest.split_at(rest.iter().position(|octet| !plain(octet)).unwrap_or(rest.len()));
        out.write_str(std::str::from_utf8(run).map_err(|_| fmt::Error)?)?;
        rest = after;
        if let [octet, after @ ..] = rest {
            match octet {
                b'"' | b'\\' => write!(out, "\\{}", char::from(*octet))?,
                _ => write!(out, "\\{octet:03}")?,
            }
            rest = after;
        }
    }
    out.write_char('"')
}

fn write_names(mut octets: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let mut separator = "";
    while !octets.is_empty() {
        let name = NameRef::from_wire(octets).map_err(|_| fmt::Error)?;
        out.write_str(separator)?;
        write_name(name, out)?;
        separator = " ";
        octets = &octets[name.wire().len()..];
    }
    Ok(())
}

fn write_strings(mut octets: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let mut separator = "";
    while let [length, rest @ ..] = octets {
        let (string, rest) = rest.split_at(usize::from(*length));
        out.write_str(separator)?;
        write_quoted(string, out)?;
        separator = " ";
        octets = rest;
    }
    Ok(())
}

fn write_type_bitmap(mut octets: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let mut separator = "";
    while let [window, length, rest @ ..] = octets {
        let (bits, rest) = rest.split_at(usize::from(*length));
        write_window(u16::from(*window) << 8, bits, &mut separator, out)?;
        octets = rest;
    }
    Ok(())
}

fn write_window(
    first: u16,
    bits: &[u8],
    separator: &mut &'static str,
    out: &mut impl fmt::Write,
) -> fmt::Result {
    for (octet, number) in bits.iter().zip((first..=u16::MAX).step_by(8)) {
        for bit in (0..8).filter(|bit| octet & (0x80 >> bit) != 0) {
            // BIND 9.18 does not know this mnemonic.
            match Rtype(number + bit) {
                Rtype(number @ 128) => write!(out, "{separator}TYPE{number}")?,
                rtype => write!(out, "{separator}{rtype}")?,
            }
            *separator = " ";
        }
    }
    Ok(())
}

fn write_groups<'a, W: fmt::Write>(
    groups: impl Iterator<Item = &'a [u8]>,
    separator: char,
    out: &mut W,
    write: impl Fn(&[u8], &mut W) -> fmt::Result,
) -> fmt::Result {
    for (i, group) in groups.enumerate() {
        if i > 0 {
            out.write_char(separator)?;
        }
        write(group, out)?;
    }
    Ok(())
}

fn write_mnemonic<N: PartialEq + Copy + fmt::Display>(
    number: N,
    table: &[(&'static str, N)],
    out: &mut impl fmt::Write,
) -> fmt::Result {
    match mnemonic::mnemonic_of(number, table) {
        Some(mnemonic) => out.write_str(mnemonic),
        None => write!(out, "{number}"),
    }
}

fn write_opaque(octets: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    write!(out, "\\# {}", octets.len())?;
    if octets.is_empty() { Ok(()) } else { write!(out, " {}", HEXUPPER.encode_display(octets)) }
}

/// `YYYYMMDDHHmmSS` of seconds since 1970.
fn write_time(seconds: u32, out: &mut impl fmt::Write) -> fmt::Result {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days from 1 March of the year 0, in eras of 400 years; years that begin in March put the leap day last.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * day + 2) / 153;
    let day = day - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year + u32::from(month <= 2);
    write!(out, "{year:04}{month:02}{day:02}{:02}{:02}{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// The number in at most four octets.
fn number(octets: &[u8]) -> u32 {
    octets.iter().fold(0, |number, &octet| number << 8 | u32::from(octet))
}
