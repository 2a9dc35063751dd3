//! One TLSA record's rdata, computed from a [`Material`] or read back from state.
//!
//! The data is never empty, and never the digest of nothing: there is no way to make such a value.

use std::fmt;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, SHA512, digest};

use super::material::{Kind, Material};
use super::params::{Matching, Params, Selector};

/// The rdata of one TLSA record (RFC 6698 §2.1). Ordered as canonical rdata (RFC 4034 §6.3).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Association {
    params: Params,
    data: Arc<[u8]>,
}

/// Why there is no association.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AssociationError {
    /// The record is about a certificate, and the material is a key.
    #[error("{params} is made of a certificate, and a {kind} holds none; give the certificate, or use 3 1 1")]
    NeedsCertificate {
        /// What was asked for.
        params: Params,
        /// What was given.
        kind: Kind,
    },
    /// The record is about an issuer, and the chain has none.
    #[error(
        "{0} is made of the issuing CA's certificate, which the file does not hold; \
         give the full chain, as the server has to send it"
    )]
    NoIssuer(Params),
}

/// Why rdata is no association that we would have made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RdataError {
    /// Shorter than its three octets of parameters, or parameters out of range.
    #[error("expected TLSA rdata with usage 0 to 3, selector 0 or 1, matching type 0 to 2")]
    Params,
    /// No data, or a digest of another length than its matching type has.
    #[error("expected 32 octets of data for SHA-256, 64 for SHA-512, at least one otherwise")]
    Length,
    /// The digest of nothing.
    #[error("the data is the digest of an empty input, which vouches for no key")]
    DigestOfNothing,
}

impl Association {
    /// The association that vouches for `material` under `params`.
    pub fn new(params: Params, material: &Material) -> Result<Self, AssociationError> {
        let selected = select(params, material)?;
        let data = match params.matching {
            Matching::Full => Arc::from(selected),
            Matching::Sha256 => Arc::from(digest(&SHA256, selected).as_ref()),
            Matching::Sha512 => Arc::from(digest(&SHA512, selected).as_ref()),
        };
        Ok(Self { params, data })
    }

    /// Reads rdata back.
    pub fn from_rdata(rdata: &[u8]) -> Result<Self, RdataError> {
        let (octets, data) = rdata.split_first_chunk::<3>().ok_or(RdataError::Params)?;
        let params = Params::from_octets(*octets).ok_or(RdataError::Params)?;
        let (fits, of_nothing) = match params.matching {
            Matching::Full => (!data.is_empty(), false),
            Matching::Sha256 => (data.len() == 32, digest(&SHA256, &[]).as_ref() == data),
            Matching::Sha512 => (data.len() == 64, digest(&SHA512, &[]).as_ref() == data),
        };
        match (fits, of_nothing) {
            (false, _) => Err(RdataError::Length),
            (true, true) => Err(RdataError::DigestOfNothing),
            (true, false) => Ok(Self { params, data: Arc::from(data) }),
        }
    }

    /// How it vouches.
    pub fn params(&self) -> Params {
        self.params
    }

    /// The association data: a digest, or the selected octets themselves. Never empty.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The record's rdata.
    pub fn rdata(&self) -> Vec<u8> {
        [&self.params.octets(), &self.data[..]].concat()
    }
}

/// The octets that the record is about (RFC 6698 §2.1.1, §2.1.2).
fn select(params: Params, material: &Material) -> Result<&[u8], AssociationError> {
    if params.needs_only_the_key() {
        return Ok(material.spki());
    }
    let needs_certificate = AssociationError::NeedsCertificate { params, kind: material.kind() };
    let leaf = material.leaf().ok_or(needs_certificate)?;
    let certificate = if params.usage.is_issuer() {
        material.issuer().ok_or(AssociationError::NoIssuer(params))?
    } else {
        leaf
    };
    Ok(match params.selector {
        Selector::Certificate => certificate.der(),
        Selector::PublicKey => certificate.spki(),
    })
}

impl fmt::Display for Association {
    /// Presentation format (RFC 6698 §2.2), hexadecimal in lower case as OpenSSL prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.params, HEXLOWER.encode(&self.data))
    }
}

impl fmt::Debug for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = HEXLOWER.encode(&self.data[..self.data.len().min(4)]);
        write!(f, "Association({} {data}…)", self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_cannot_be_read_back_either() {
        for (matching, algorithm) in [(1, &SHA256), (2, &SHA512)] {
            let rdata = [&[3, 1, matching], digest(algorithm, &[]).as_ref()].concat();
            assert_eq!(Association::from_rdata(&rdata), Err(RdataError::DigestOfNothing));
        }
        assert_eq!(Association::from_rdata(&[3, 1, 0]), Err(RdataError::Length));
        assert_eq!(Association::from_rdata(&[3, 1, 1, 7]), Err(RdataError::Length));
        assert_eq!(Association::from_rdata(&[3, 1]), Err(RdataError::Params));
        assert_eq!(Association::from_rdata(&[9, 1, 0, 7]), Err(RdataError::Params));
        let read = Association::from_rdata(&[3, 1, 0, 0x30, 7]).unwrap();
        assert_eq!((read.to_string().as_str(), read.rdata()), ("3 1 0 3007", vec![3, 1, 0, 0x30, 7]));
    }
}
