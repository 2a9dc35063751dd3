//! The service parameters of SVCB and HTTPS (RFC 9460 §2, RFC 9461).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::BASE64;

use super::RdataError;
use super::encoding::Base64;
use super::fault::{TextError, TextProblem, Written};
use super::parse::{Input, ipv4, ipv6, unexpected};
use super::table::Field;
use super::write::write_quoted;
use crate::dns::token::{Token, decimal};

/// `mandatory`: keys that a client must understand.
pub(super) const MANDATORY: u16 = 0;
/// `alpn`: protocols.
pub(super) const ALPN: u16 = 1;
/// `no-default-alpn`: the scheme's default protocol is not offered.
pub(super) const NO_DEFAULT_ALPN: u16 = 2;
/// `port`: where the service is.
pub(super) const PORT: u16 = 3;
/// `ipv4hint`: addresses of the target.
pub(super) const IPV4HINT: u16 = 4;
/// `ech`: configuration for Encrypted Client Hello.
pub(super) const ECH: u16 = 5;
/// `ipv6hint`: addresses of the target.
pub(super) const IPV6HINT: u16 = 6;
/// `dohpath`: URI template of DNS over HTTPS (RFC 9461 §5).
pub(super) const DOHPATH: u16 = 7;

/// The parameters in `left`, as far as they are well framed.
pub(super) fn params(mut left: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let &[k1, k2, l1, l2, ref rest @ ..] = left else { return None };
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([l1, l2])))?;
        left = rest;
        Some((u16::from_be_bytes([k1, k2]), value))
    })
}

/// Checks the parameters `left`. Those of an alias are ignored by clients, not an error (RFC 9460 §2.4.2).
pub(super) fn check(left: &[u8]) -> Result<(), RdataError> {
    let mut last = None;
    let mut framed = 0;
    let mut alpn = false;
    let mut no_default = false;
    for (key, value) in params(left) {
        if last.is_some_and(|last| key <= last) {
            return Err(RdataError::SvcParamOrder);
        }
        last = Some(key);
        framed += 4 + value.len();
        alpn |= key == ALPN;
        no_default |= key == NO_DEFAULT_ALPN;
        if !is_value(key, value, left) {
            return Err(RdataError::SvcParam(key));
        }
    }
    if framed < left.len() {
        return Err(RdataError::Truncated(Field::SvcParams));
    }
    // RFC 9460 §7.1.1: the default protocol is left out only where another is offered.
    if no_default && !alpn {
        return Err(RdataError::SvcParam(NO_DEFAULT_ALPN));
    }
    Ok(())
}

fn is_value(key: u16, value: &[u8], all: &[u8]) -> bool {
    match key {
        MANDATORY => {
            let keys = || value.chunks_exact(2).map(|key| u16::from_be_bytes([key[0], key[1]]));
            !value.is_empty()
                && value.len().is_multiple_of(2)
                && keys().is_sorted_by(|a, b| a < b)
                && keys().all(|key| key != MANDATORY && params(all).any(|(present, _)| present == key))
        }
        ALPN => is_alpn(value),
        NO_DEFAULT_ALPN => value.is_empty(),
        PORT => value.len() == 2,
        IPV4HINT => !value.is_empty() && value.len().is_multiple_of(4),
        IPV6HINT => !value.is_empty() && value.len().is_multiple_of(16),
        ECH => !value.is_empty(),
        DOHPATH => is_dohpath(value),
        _ => true,
    }
}

fn is_alpn(mut value: &[u8]) -> bool {
    if value.is_empty() {
        return false;
    }
    while let [length @ 1..=255, rest @ ..] = value {
        match rest.get(usize::from(*length)..) {
            Some(rest) => value = rest,
            None => return false,
        }
    }
    value.is_empty()
}

/// RFC 9461 §5: a relative URI template in UTF-8 with the variable `dns`.
fn is_dohpath(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|path| {
        path.starts_with('/')
            && path.match_indices('{').any(|(at, _)| {
                let expression = path[at + 1..].split('}').next().unwrap_or_default();
                let variables = expression.trim_start_matches(['?', '&', '/', '#', '+', ';', '.']);
                variables.split(',').any(|variable| variable == "dns")
            })
    })
}

/// Reads parameters in any order, which the wire form sorts (RFC 9460 §2.1).
pub(super) fn parse(input: &mut Input<'_, '_>) -> Result<(), TextError> {
    let start = input.out.len();
    while let Some(token) = input.next_token()? {
        let equals = token.text.iter().position(|&octet| octet == b'=');
        let name = &token.text[..equals.unwrap_or(token.text.len())];
        let (key, by_number) =
            key(name).filter(|_| !token.quoted).ok_or_else(|| unexpected(token, Field::SvcParams))?;
        let written = match equals {
            // `key="value"` is one word for RFC 9460, but a word and a string for the lexer.
            Some(at) if at + 1 == token.text.len() && input.lexer.peek_octet() == Some(b'"') => {
                input.token(Field::SvcParams)?
            }
            Some(at) => Token { text: &token.text[at + 1..], ..token },
            None => Token { text: b"", ..token },
        };
        let at = input.out.len();
        input.out.extend_from_slice(&key.to_be_bytes());
        input.out.extend_from_slice(&[0, 0]);
        input.string(written)?;
        if !by_number && key <= IPV6HINT {
            let value = input.out.split_off(at + 4);
            encode(key, &value, input.out).ok_or_else(|| unexpected(token, Field::SvcParams))?;
        }
        let length =
            u16::try_from(input.out.len() - at - 4).map_err(|_| unexpected(token, Field::SvcParams))?;
        input.out[at + 2..at + 4].copy_from_slice(&length.to_be_bytes());
        if !sort_in(&mut input.out[start..], at - start, key) {
            let what = TextProblem::RepeatedParam(Written::of(name));
            return Err(TextError { at: token.at, what });
        }
    }
    Ok(())
}

/// Writes well-formed parameters, with a blank between two.
pub(super) fn write(left: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    for (i, (key, value)) in params(left).enumerate() {
        if i > 0 {
            out.write_char(' ')?;
        }
        match NAMES.get(usize::from(key)) {
            Some(name) => out.write_str(name)?,
            None => write!(out, "key{key}")?,
        }
        if value.is_empty() {
            continue;
        }
        out.write_char('=')?;
        match key {
            MANDATORY => write_list(value.chunks_exact(2), out, |key, out| {
                let key = u16::from_be_bytes([key[0], key[1]]);
                match NAMES.get(usize::from(key)) {
                    Some(name) => out.write_str(name),
                    None => write!(out, "key{key}"),
                }
            })?,
            ALPN => write_quoted(&escape_list(value), out)?,
            PORT => write!(out, "{}", u16::from_be_bytes([value[0], value[1]]))?,
            IPV4HINT => write_list(value.chunks_exact(4), out, |address, out| {
                write!(out, "{}", Ipv4Addr::new(address[0], address[1], address[2], address[3]))
            })?,
            ECH => write!(out, "{}", BASE64.encode_display(value))?,
            IPV6HINT => write_list(value.as_chunks().0.iter(), out, |address, out| {
                write!(out, "{}", Ipv6Addr::from(*address))
            })?,
            _ => write_quoted(value, out)?,
        }
    }
    Ok(())
}

/// The names of the keys from 0. `dohpath` is read by name but written by number, as BIND 9.18 does: tools
/// that do not know it read that too.
const NAMES: [&str; 7] = ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint"];

/// The key that `name` names, and whether by `keyNNNNN`.
fn key(name: &[u8]) -> Option<(u16, bool)> {
    if name == b"dohpath" {
        return Some((DOHPATH, false));
    }
    if let Some(key) = NAMES.iter().position(|known| known.as_bytes() == name) {
        return Some((key as u16, false));
    }
    let digits = name.strip_prefix(b"key")?;
    // RFC 9460 §2.1: without leading zeros.
    if digits.len() > 1 && digits[0] == b'0' {
        return None;
    }
    decimal(digits).and_then(|key| u16::try_from(key).ok()).map(|key| (key, true))
}

/// Appends the wire form of a value whose string escapes are undone.
fn encode(key: u16, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let list = || value.split(|&octet| octet == b',');
    match key {
        MANDATORY => {
            let mut keys =
                list().map(|name| self::key(name).map(|(key, _)| key)).collect::<Option<Vec<_>>>()?;
            keys.sort_unstable();
            out.extend(keys.iter().flat_map(|key| key.to_be_bytes()));
        }
        ALPN => unescape_list(value, out)?,
        PORT => {
            let port = decimal(value).and_then(|port| u16::try_from(port).ok())?;
            out.extend_from_slice(&port.to_be_bytes());
        }
        IPV4HINT => {
            list().try_for_each(|address| ipv4(address).map(|address| out.extend_from_slice(&address)))?;
        }
        ECH => {
            let mut base64 = Base64::default();
            base64.push(value, out)?;
            base64.finish()?;
        }
        IPV6HINT => {
            list().try_for_each(|address| ipv6(address).map(|address| out.extend_from_slice(&address)))?;
        }
        // No value is allowed; the check of the whole says so.
        _ => out.extend_from_slice(value),
    }
    Some(())
}

/// Undoes the second level of escapes, of commas and backslashes in a list (RFC 9460 appendix A.1), and puts
/// a length octet before each item.
fn unescape_list(value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut length_at = out.len();
    out.push(0);
    let mut octets = value.iter();
    loop {
        let octet = octets.next();
        match octet {
            Some(b'\\') => out.push(*octets.next().filter(|octet| matches!(octet, b'\\' | b','))?),
            Some(octet) if *octet != b',' => out.push(*octet),
            _ => {
                let length = out.len() - length_at - 1;
                out[length_at] = u8::try_from(length).ok().filter(|&length| length > 0)?;
                if octet.is_none() {
                    return Some(());
                }
                length_at = out.len();
                out.push(0);
            }
        }
    }
}

/// The items of a list with their commas and backslashes escaped, and commas between.
fn escape_list(mut value: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(value.len() + 8);
    while let [length, rest @ ..] = value {
        if !text.is_empty() {
            text.push(b',');
        }
        let (item, rest) = rest.split_at(usize::from(*length));
        for &octet in item {
            if matches!(octet, b',' | b'\\') {
                text.push(b'\\');
            }
            text.push(octet);
        }
        value = rest;
    }
    text
}

fn write_list<T, W: fmt::Write>(
    items: impl Iterator<Item = T>,
    out: &mut W,
    write: impl Fn(T, &mut W) -> fmt::Result,
) -> fmt::Result {
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.write_char(',')?;
        }
        write(item, out)?;
    }
    Ok(())
}

/// Moves the parameter that ends `all` to its place among those before it, which are sorted. `false` when its
/// key is there already.
fn sort_in(all: &mut [u8], last: usize, key: u16) -> bool {
    let mut place = 0;
    for (before, value) in params(&all[..last]) {
        if before == key {
            return false;
        }
        if before < key {
            place += 4 + value.len();
        }
    }
    let length = all.len() - last;
    all[place..].rotate_right(length);
    true
}
