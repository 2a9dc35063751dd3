//! LDAP's extended operation StartTLS (RFC 4511 §4.14), in BER.

use x509_parser::asn1_rs::{Any, Class, FromBer, Tag};

use super::{Fault, Heard, Next, unexpected};

/// Message 1: an ExtendedRequest for 1.3.6.1.4.1.1466.20037.
pub(super) const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
/// Message 2: an UnbindRequest, which nobody answers.
pub(super) const UNBIND: &[u8] = b"\x30\x05\x02\x01\x02\x42\x00";

/// The message ID of [`START_TLS`].
const ID: &[u8] = &[1];
/// ExtendedResponse is `[APPLICATION 24]`.
const EXTENDED_RESPONSE: Tag = Tag(24);
/// Result codes (RFC 4511 §4.1.9): it is done, and it is not known.
const SUCCESS: &[u8] = &[0];
const PROTOCOL_ERROR: &[u8] = &[2];

pub(super) fn hear(inbox: &[u8]) -> Result<Option<Heard>, Fault> {
    let Some((used, contents)) = message(inbox)? else { return Ok(None) };
    let next = match result(contents) {
        Some(code) if code == SUCCESS => Next::Tls,
        Some(code) if code == PROTOCOL_ERROR => Next::NoStartTls,
        _ => return Err(unexpected(RESPONSE, inbox)),
    };
    Ok(Some(Heard { used, next }))
}

/// How many octets the first message has, and what is in it; [`None`] if it is not whole yet. Its length is in the
/// definite form (RFC 4511 §5.1).
fn message(inbox: &[u8]) -> Result<Option<(usize, &[u8])>, Fault> {
    match inbox.first() {
        None => return Ok(None),
        Some(&SEQUENCE) => {}
        // It cannot become a message.
        Some(_) => return Err(unexpected(RESPONSE, inbox)),
    }
    let Some(&short) = inbox.get(1) else { return Ok(None) };
    let (header, length) = if short < LONG_FORM {
        (2, usize::from(short))
    } else {
        let count = usize::from(short - LONG_FORM);
        if !(1..=MOST_LENGTH_OCTETS).contains(&count) {
            return Err(unexpected(RESPONSE, inbox));
        }
        let Some(octets) = inbox.get(2..2 + count) else { return Ok(None) };
        (2 + count, octets.iter().fold(0, |length, &octet| (length << 8) | usize::from(octet)))
    };
    let used = header.saturating_add(length);
    Ok(inbox.get(header..used).map(|contents| (used, contents)))
}

/// The result code in what answers our request.
fn result(message: &[u8]) -> Option<&[u8]> {
    let (rest, id) = Any::from_ber(message).ok()?;
    let (_, response) = Any::from_ber(rest).ok()?;
    let is_ours = id.tag() == Tag::Integer && id.data == ID;
    let is_response = response.class() == Class::Application && response.tag() == EXTENDED_RESPONSE;
    let (_, code) = Any::from_ber(response.data).ok()?;
    (is_ours && is_response && code.tag() == Tag::Enumerated).then_some(code.data)
}

/// What a message begins with.
const SEQUENCE: u8 = 0x30;
/// From here on, a length says how many octets the length itself has.
const LONG_FORM: u8 = 0x80;
/// More than enough for any message that is waited for.
const MOST_LENGTH_OCTETS: usize = 4;
const RESPONSE: &str = "a response that allows StartTLS";
