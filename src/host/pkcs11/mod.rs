//! Private keys in a token: a hardware security module, or one made of software.
//!
//! The library that speaks to a token is loaded into this process, once, for as long as it lives; each key has a
//! session of its own. A token that is gone gives no signature: what is served stays, an alarm is raised, and each
//! further attempt initialises the library anew, so that a token that is back is used again.
//!
//! What there is to say to tokens is in the `cryptoki` crate, which is there with the feature `pkcs11`. Without it
//! every such key is an error that says so.

use crate::dnssec::token::TokenUri;

/// Why a token gives no key.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It was left out when danelaw was built.
    #[error("{0} is in a token, and this danelaw was built without the feature `pkcs11`")]
    NotBuilt(Box<TokenUri>),
    /// The PIN cannot be read.
    #[error("{0}")]
    Pin(String),
    /// The token has said no to this PIN before.
    #[error(
        "token `{token}` has refused the PIN in {file}, and is not asked with it again, as tokens lock after a few \
         times; write the right one into the file, or restart danelaw"
    )]
    Refused {
        /// The label.
        token: String,
        /// The file that has the PIN.
        file: String,
    },
    /// The library cannot be used, or the token says no.
    #[error("{what}: {reason}")]
    Token {
        /// Of what.
        what: String,
        /// What the library said.
        reason: String,
    },
    /// No such token.
    #[error("{module} knows no token with the label `{token}`")]
    NoToken {
        /// The library.
        module: String,
        /// The label.
        token: String,
    },
    /// Not exactly one such key.
    #[error("token `{token}` has {found} private keys with the label `{object}`, expected one")]
    NotOne {
        /// The token.
        token: String,
        /// The label.
        object: String,
        /// How many there are.
        found: usize,
    },
    /// A key of another kind.
    #[error("algorithm {0} cannot be used in a token, expected 13 (ECDSAP256SHA256) or 14 (ECDSAP384SHA384)")]
    Algorithm(u8),
    /// The public half is not what it should be.
    #[error("the public key in the token is no point of the curve")]
    Point,
}

#[cfg(not(feature = "pkcs11"))]
mod absent {
    use std::sync::Arc;

    use super::{TokenError, TokenUri};
    use crate::dnssec::key::{Algorithm, Keeper};

    /// There is no key that can be reached.
    pub fn keeper(uri: &TokenUri, _: Algorithm) -> Result<Arc<dyn Keeper>, TokenError> {
        Err(TokenError::NotBuilt(Box::new(uri.clone())))
    }

    /// There is no key that can be reached.
    pub fn public(uri: &TokenUri, _: Algorithm) -> Result<Vec<u8>, TokenError> {
        Err(TokenError::NotBuilt(Box::new(uri.clone())))
    }
}
#[cfg(not(feature = "pkcs11"))]
pub use absent::{keeper, public};

#[cfg(feature = "pkcs11")]
mod token;
#[cfg(feature = "pkcs11")]
pub use token::{keeper, public};
