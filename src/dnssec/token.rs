//! Where a private key is that is in a token: a PKCS#11 URI (RFC 7512).
//!
//! ```text
//! pkcs11:token=danelaw;object=example?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/danelaw/pin
//! ```
//!
//! Such a URI stands in the key's `.private` file in place of the key. It names nothing secret: the PIN is in a file of
//! its own. Nothing here speaks to tokens.

use std::fmt;
use std::str::FromStr;

/// A private key in a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUri {
    /// The label of the token.
    pub token: String,
    /// The label of the key, which both its halves have.
    pub object: String,
    /// The library that speaks to the token.
    pub module_path: String,
    /// The file that has the PIN.
    pub pin_source: String,
}

/// The text is no such URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenUriError {
    /// It begins otherwise.
    #[error("expected a PKCS#11 URI: pkcs11:token=…;object=…?module-path=…&pin-source=…")]
    Scheme,
    /// Something that it needs is not there.
    #[error("`{0}` is missing in the PKCS#11 URI")]
    Missing(&'static str),
    /// Something that would have to be heeded.
    #[error("`{0}` in a PKCS#11 URI is not supported, expected token, object, module-path and pin-source")]
    Unknown(String),
    /// It is there twice.
    #[error("`{0}` is given twice in the PKCS#11 URI")]
    Twice(String),
    /// An octet that is not encoded as it should be.
    #[error("`{0}` in a PKCS#11 URI is not percent-encoded UTF-8")]
    Encoding(String),
}

impl FromStr for TokenUri {
    type Err = TokenUriError;

    fn from_str(text: &str) -> Result<Self, TokenUriError> {
        let rest = text.strip_prefix("pkcs11:").ok_or(TokenUriError::Scheme)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut found: [Option<String>; 4] = Default::default();
        for attribute in path.split(';').chain(query.split('&')).filter(|attribute| !attribute.is_empty()) {
            let (name, value) = attribute.split_once('=').ok_or(TokenUriError::Scheme)?;
            if (name, value) == ("type", "private") {
                continue;
            }
            let Some(at) = ATTRIBUTES.iter().position(|known| *known == name) else {
                return Err(TokenUriError::Unknown(name.to_owned()));
            };
            let value = decoded(value).ok_or_else(|| TokenUriError::Encoding(value.to_owned()))?;
            if found[at].replace(value).is_some() {
                return Err(TokenUriError::Twice(name.to_owned()));
            }
        }
        let mut take = |at: usize| {
            let value = found[at].take().filter(|value| !value.is_empty());
            value.ok_or(TokenUriError::Missing(ATTRIBUTES[at]))
        };
        let (token, object, module_path, pin_source) = (take(0)?, take(1)?, take(2)?, take(3)?);
        let pin_source = pin_source
            .strip_prefix("file:")
            .map_or(pin_source.as_str(), |path| path.strip_prefix("//").unwrap_or(path));
        Ok(Self { token, object, module_path, pin_source: pin_source.to_owned() })
    }
}

impl fmt::Display for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, object, module_path, pin_source } = self;
        let [token, object, module_path, pin_source] =
            [token, object, module_path, pin_source].map(|value| encoded(value));
        write!(
            f,
            "pkcs11:token={token};object={object}?module-path={module_path}&pin-source=file:{pin_source}"
        )
    }
}

const ATTRIBUTES: [&str; 4] = ["token", "object", "module-path", "pin-source"];

fn encoded(value: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~/:+".contains(&octet);
    let octet = |octet: u8| {
        if plain(octet) { char::from(octet).to_string() } else { format!("%{octet:02X}") }
    };
    value.bytes().map(octet).collect()
}

fn decoded(value: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            octets.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            octets.push(*first);
            rest = after;
        }
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_read_and_written_back() {
        let text = "pkcs11:token=my%20token;object=example-2026?module-path=/usr/lib/hsm.so&pin-source=file:/etc/pin";
        let uri: TokenUri = text.parse().unwrap();
        assert_eq!(uri.token, "my token");
        assert_eq!((&*uri.module_path, &*uri.pin_source), ("/usr/lib/hsm.so", "/etc/pin"));
        assert_eq!(uri.to_string(), text);
        let other = "pkcs11:object=k;type=private;token=t?pin-source=file:///p&module-path=m";
        assert_eq!(other.parse::<TokenUri>().unwrap().pin_source, "/p");
    }

    #[test]
    fn what_is_missing_or_would_have_to_be_heeded_is_named() {
        use TokenUriError::{Encoding, Missing, Scheme, Twice, Unknown};
        for (text, error) in [
            ("file:/etc/key", Scheme),
            ("pkcs11:token", Scheme),
            ("pkcs11:token=t;object=o?module-path=m", Missing("pin-source")),
            ("pkcs11:token=;object=o?module-path=m&pin-source=p", Missing("token")),
            ("pkcs11:token=t;id=%01?module-path=m", Unknown("id".to_owned())),
            ("pkcs11:token=t;token=u", Twice("token".to_owned())),
            ("pkcs11:token=%f", Encoding("%f".to_owned())),
        ] {
            assert_eq!(text.parse::<TokenUri>(), Err(error), "{text}");
        }
    }
}
