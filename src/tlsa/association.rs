//! The rdata of one record that vouches for a key, computed from a [`Material`] or read back from state.
//!
//! The data is never empty, and never the digest of nothing: there is no way to make such a value.

use std::fmt;
use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER};
use ring::digest::{SHA256, SHA512, digest};

use super::material::{Certificate, Kind, Material};
use super::params::{Combination, Matching, Params, Selector};
use super::ssh;
use crate::dns::rtype::Rtype;

/// The rdata of one record: TLSA (RFC 6698 §2.1), SMIMEA (RFC 8162 §2), SSHFP (RFC 4255 §3.1) or OPENPGPKEY (RFC 7929
/// §2.1). Those of one type and one set of parameters are ordered as canonical rdata (RFC 4034 §6.3).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Association {
    params: Params,
    /// What follows the octets of a combination; of other types all of the rdata.
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
    /// The record is about a key of another kind.
    #[error("{params} cannot be made of a {kind}")]
    OtherKind {
        /// What was asked for.
        params: Params,
        /// What was given.
        kind: Kind,
    },
}

/// Why rdata is no association that we would have made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RdataError {
    /// Shorter than its three octets of parameters, or parameters out of range.
    #[error(
        "expected usage 0 to 3, selector 0 or 1, matching type 0 to 2; of SSHFP a known algorithm and SHA-256"
    )]
    Params,
    /// Not of a type that vouches for keys.
    #[error("expected a TLSA, SMIMEA, SSHFP or OPENPGPKEY record")]
    Type,
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
        let kind = material.kind();
        let data = match (params, kind) {
            (Params::Sshfp, Kind::SshHostKey) => match ssh::algorithm(material.key()) {
                Ok(algorithm) => {
                    let fingerprint = digest(&SHA256, material.key());
                    Arc::from([&[algorithm, SSHFP_SHA256], fingerprint.as_ref()].concat())
                }
                Err(_) => return Err(AssociationError::OtherKind { params, kind }),
            },
            (Params::OpenPgpKey, Kind::OpenPgpKey) => Arc::from(material.key()),
            (Params::Sshfp | Params::OpenPgpKey, _) | (_, Kind::SshHostKey | Kind::OpenPgpKey) => {
                return Err(AssociationError::OtherKind { params, kind });
            }
            (Params::Tlsa(combination) | Params::Smimea(combination), _) => {
                matching_data(combination.matching, select(params, combination, material)?)
            }
        };
        Ok(Self { params, data })
    }

    /// Whether it is about this certificate, whatever its place in the chain.
    pub fn is_of(&self, certificate: &Certificate) -> bool {
        let (Params::Tlsa(combination) | Params::Smimea(combination)) = self.params else { return false };
        let selected = match combination.selector {
            Selector::Certificate => certificate.der(),
            Selector::PublicKey => certificate.spki(),
        };
        self.data == matching_data(combination.matching, selected)
    }

    /// Reads rdata back.
    pub fn from_rdata(rtype: Rtype, rdata: &[u8]) -> Result<Self, RdataError> {
        let params = match rtype {
            Rtype::SSHFP => {
                let [1..=4 | 6, SSHFP_SHA256, fingerprint @ ..] = rdata else {
                    return Err(RdataError::Params);
                };
                check(Matching::Sha256, fingerprint)?;
                return Ok(Self { params: Params::Sshfp, data: Arc::from(rdata) });
            }
            Rtype::OPENPGPKEY => {
                check(Matching::Full, rdata)?;
                return Ok(Self { params: Params::OpenPgpKey, data: Arc::from(rdata) });
            }
            Rtype::TLSA => Params::Tlsa,
            Rtype::SMIMEA => Params::Smimea,
            _ => return Err(RdataError::Type),
        };
        let (octets, data) = rdata.split_first_chunk::<3>().ok_or(RdataError::Params)?;
        let combination = Combination::from_octets(*octets).ok_or(RdataError::Params)?;
        check(combination.matching, data)?;
        Ok(Self { params: params(combination), data: Arc::from(data) })
    }

    /// How it vouches.
    pub fn params(&self) -> Params {
        self.params
    }

    /// The type of its record.
    pub fn rtype(&self) -> Rtype {
        self.params.rtype()
    }

    /// The association data of a TLSA or SMIMEA record: a digest, or the selected octets themselves. Of other records
    /// all of the rdata. Never empty.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The record's rdata.
    pub fn rdata(&self) -> Vec<u8> {
        match self.params {
            Params::Tlsa(combination) | Params::Smimea(combination) => {
                [&combination.octets(), &self.data[..]].concat()
            }
            Params::Sshfp | Params::OpenPgpKey => self.data.to_vec(),
        }
    }

    /// Enough of the rdata to tell it from others: `3 1 1 9f3c…`.
    pub fn short(&self) -> String {
        let beginning = |data: &[u8]| HEXLOWER.encode(&data[..data.len().min(8)]);
        match (self.params, &self.data[..]) {
            (Params::Tlsa(combination) | Params::Smimea(combination), data) => {
                format!("{combination} {}…", beginning(data))
            }
            (Params::Sshfp, [algorithm, form, data @ ..]) => {
                format!("{algorithm} {form} {}…", beginning(data))
            }
            // Keys begin alike.
            (_, data) => format!("with SHA-256 {}…", beginning(digest(&SHA256, data).as_ref())),
        }
    }
}

/// Whether data can be what its matching type says.
fn check(matching: Matching, data: &[u8]) -> Result<(), RdataError> {
    let (fits, of_nothing) = match matching {
        Matching::Full => (!data.is_empty(), false),
        Matching::Sha256 => (data.len() == 32, digest(&SHA256, &[]).as_ref() == data),
        Matching::Sha512 => (data.len() == 64, digest(&SHA512, &[]).as_ref() == data),
    };
    match (fits, of_nothing) {
        (false, _) => Err(RdataError::Length),
        (true, true) => Err(RdataError::DigestOfNothing),
        (true, false) => Ok(()),
    }
}

fn matching_data(matching: Matching, selected: &[u8]) -> Arc<[u8]> {
    match matching {
        Matching::Full => Arc::from(selected),
        Matching::Sha256 => Arc::from(digest(&SHA256, selected).as_ref()),
        Matching::Sha512 => Arc::from(digest(&SHA512, selected).as_ref()),
    }
}

/// The octets that the record is about (RFC 6698 §2.1.1, §2.1.2).
fn select(params: Params, combination: Combination, material: &Material) -> Result<&[u8], AssociationError> {
    if combination.needs_only_the_key() {
        return Ok(material.key());
    }
    let needs_certificate = AssociationError::NeedsCertificate { params, kind: material.kind() };
    let leaf = material.leaf().ok_or(needs_certificate)?;
    let certificate = if combination.usage.is_issuer() {
        material.issuer().ok_or(AssociationError::NoIssuer(params))?
    } else {
        leaf
    };
    Ok(match combination.selector {
        Selector::Certificate => certificate.der(),
        Selector::PublicKey => certificate.spki(),
    })
}

impl fmt::Display for Association {
    /// Presentation format of the rdata, hexadecimal in lower case as OpenSSL and `ssh-keygen -r` print it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.params, &self.data[..]) {
            (Params::Tlsa(combination) | Params::Smimea(combination), data) => {
                write!(f, "{combination} {}", HEXLOWER.encode(data))
            }
            (Params::Sshfp, [algorithm, form, data @ ..]) => {
                write!(f, "{algorithm} {form} {}", HEXLOWER.encode(data))
            }
            (_, data) => f.write_str(&BASE64.encode(data)),
        }
    }
}

impl fmt::Debug for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Association({} {})", self.rtype(), self.short())
    }
}

/// SHA-256 among the fingerprints of SSHFP records (RFC 6594 §3.2).
const SSHFP_SHA256: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_cannot_be_read_back_either() {
        for (matching, algorithm) in [(1, &SHA256), (2, &SHA512)] {
            let rdata = [&[3, 1, matching], digest(algorithm, &[]).as_ref()].concat();
            assert_eq!(Association::from_rdata(Rtype::TLSA, &rdata), Err(RdataError::DigestOfNothing));
        }
        assert_eq!(Association::from_rdata(Rtype::TLSA, &[3, 1, 0]), Err(RdataError::Length));
        assert_eq!(Association::from_rdata(Rtype::TLSA, &[3, 1, 1, 7]), Err(RdataError::Length));
        assert_eq!(Association::from_rdata(Rtype::TLSA, &[3, 1]), Err(RdataError::Params));
        assert_eq!(Association::from_rdata(Rtype::TLSA, &[9, 1, 0, 7]), Err(RdataError::Params));
        let read = Association::from_rdata(Rtype::TLSA, &[3, 1, 0, 0x30, 7]).unwrap();
        assert_eq!((read.to_string().as_str(), read.rdata()), ("3 1 0 3007", vec![3, 1, 0, 0x30, 7]));
    }

    #[test]
    fn records_of_every_type_read_back_as_what_they_are() {
        let fingerprint = [&[4, 2][..], &[7; 32]].concat();
        for (rtype, rdata) in [
            (Rtype::TLSA, &[3, 0, 0, 0x30][..]),
            (Rtype::SMIMEA, &[3, 0, 0, 0x30]),
            (Rtype::SSHFP, &fingerprint),
            (Rtype::OPENPGPKEY, &[0x98, 0x01, 0x04]),
        ] {
            let read = Association::from_rdata(rtype, rdata).unwrap();
            assert_eq!((read.rtype(), read.rdata().as_slice()), (rtype, rdata));
        }
        let sha1 = [&[4, 1][..], &[7; 20]].concat();
        assert_eq!(Association::from_rdata(Rtype::SSHFP, &sha1), Err(RdataError::Params));
        assert_eq!(Association::from_rdata(Rtype::SSHFP, &fingerprint[..20]), Err(RdataError::Length));
        assert_eq!(Association::from_rdata(Rtype::OPENPGPKEY, &[]), Err(RdataError::Length));
        assert_eq!(Association::from_rdata(Rtype::TXT, &[1, b'x']), Err(RdataError::Type));
    }
}
