//! The service parameters of SVCB and HTTPS (RFC 9460 §2, RFC 9461).

use super::RdataError;
use super::table::Field;

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
