//! What the server says of itself, and what it keeps from one request to the next: never anything of a client's,
//! save the accounts of [`rate`](super::rate).

use super::cookie::CookieSecret;
use super::rate::RateLimiter;
use crate::dns::name::NameRef;
use crate::dns::rtype::{CLASS_CH, Rtype};

/// What answers to all zones have in common.
#[derive(Default)]
pub struct Server {
    /// What `version.bind` and `version.server` CH TXT are answered with; refused if `None`.
    pub version: Option<Text>,
    /// What `id.server` and `hostname.bind` CH TXT are answered with (RFC 4892), and NSID (RFC 5001).
    pub id: Option<Text>,
    /// Cookies are given out if there is one.
    pub cookies: Option<CookieSecret>,
    /// Responses over UDP are limited if there is one.
    pub limiter: Option<RateLimiter>,
}

/// A character string of at most 255 octets (RFC 1035 §3.3), in the TXT record that says it in class CH.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text(Box<[u8]>);

/// Type, class, TTL and length of the record, and length of the string.
const TEXT_HEAD: usize = 11;

impl Text {
    /// `None` if it is longer than a character string may be.
    pub fn new(octets: &[u8]) -> Option<Self> {
        let length = u8::try_from(octets.len()).ok()?;
        let (rtype, class) = (Rtype::TXT.0.to_be_bytes(), CLASS_CH.to_be_bytes());
        let rdlength = (u16::from(length) + 1).to_be_bytes();
        let record = [&rtype[..], &class, &[0; 4], &rdlength, &[length], octets].concat();
        Some(Self(record.into()))
    }

    /// Its octets.
    pub fn octets(&self) -> &[u8] {
        &self.0[TEXT_HEAD..]
    }

    /// The record without its owner.
    pub(super) fn record(&self) -> &[u8] {
        &self.0
    }
}

impl Server {
    /// What is said of `name` in class CH.
    pub(super) fn chaos(&self, name: NameRef<'_>) -> Option<&Text> {
        let is = |known: &[u8]| name.wire().eq_ignore_ascii_case(known);
        if is(b"\x07version\x04bind\0") || is(b"\x07version\x06server\0") {
            self.version.as_ref()
        } else if is(b"\x02id\x06server\0") || is(b"\x08hostname\x04bind\0") {
            self.id.as_ref()
        } else {
            None
        }
    }
}
