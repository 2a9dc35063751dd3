//! How a record vouches for a key: by a TLSA or SMIMEA record with certificate usage, selector and matching type, by an
//! SSH fingerprint, or as the OpenPGP key itself.

use std::fmt;
use std::str::FromStr;

use crate::dns::rtype::Rtype;

/// How a record vouches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Params {
    /// TLSA, written `3 1 1`.
    Tlsa(Combination),
    /// SMIMEA (RFC 8162), written `smimea 3 0 0`.
    Smimea(Combination),
    /// SSHFP (RFC 4255) with SHA-256 (RFC 6594), written `sshfp 2`. SHA-1 is not to be relied upon by anybody.
    Sshfp,
    /// OPENPGPKEY (RFC 7929), written `openpgpkey`.
    OpenPgpKey,
}

/// How a TLSA record is to be matched (RFC 6698 §2.1), written `3 1 1`.
///
/// The order is the order of the octets in rdata.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Combination {
    /// Which certificate of the chain.
    pub usage: Usage,
    /// Which part of it.
    pub selector: Selector,
    /// In which form.
    pub matching: Matching,
}

/// Certificate usage (RFC 6698 §2.1.1, names from RFC 7218).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Usage {
    /// 0: an issuer that PKIX trusts too.
    PkixTa = 0,
    /// 1: the server's certificate, which PKIX trusts too.
    PkixEe = 1,
    /// 2: an issuer, trusted by this record alone.
    DaneTa = 2,
    /// 3: the server's certificate, trusted by this record alone.
    DaneEe = 3,
}

/// Selector (RFC 6698 §2.1.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Selector {
    /// 0: the whole certificate, DER.
    Certificate = 0,
    /// 1: the SubjectPublicKeyInfo, DER.
    PublicKey = 1,
}

/// Matching type (RFC 6698 §2.1.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Matching {
    /// 0: the selected octets themselves.
    Full = 0,
    /// 1: their SHA-256.
    Sha256 = 1,
    /// 2: their SHA-512.
    Sha512 = 2,
}

/// What is wrong with parameters as written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParamsError {
    /// Not three numbers.
    #[error("expected three numbers, usage selector matching, such as \"3 1 1\"")]
    NotThree,
    /// Usage out of range.
    #[error("certificate usage \"{0}\" is none of 0, 1, 2, 3")]
    Usage(String),
    /// Selector out of range.
    #[error("selector \"{0}\" is neither 0 (certificate) nor 1 (public key)")]
    Selector(String),
    /// Matching type out of range.
    #[error("matching type \"{0}\" is none of 0 (full), 1 (SHA-256), 2 (SHA-512)")]
    Matching(String),
}

impl Params {
    /// `3 1 1`: DANE-EE, public key, SHA-256. The one to use (RFC 7671 §5.1, RFC 7672 §3.1).
    pub const DEFAULT: Self = Self::Tlsa(Combination {
        usage: Usage::DaneEe,
        selector: Selector::PublicKey,
        matching: Matching::Sha256,
    });

    /// Those of a TLSA record, if the octets are ones we know.
    pub fn from_octets(octets: [u8; 3]) -> Option<Self> {
        Combination::from_octets(octets).map(Self::Tlsa)
    }

    /// The certificate usage, of records that have one.
    pub fn usage(self) -> Option<Usage> {
        match self {
            Self::Tlsa(combination) | Self::Smimea(combination) => Some(combination.usage),
            Self::Sshfp | Self::OpenPgpKey => None,
        }
    }

    /// The type of the record.
    pub fn rtype(self) -> Rtype {
        match self {
            Self::Tlsa(_) => Rtype::TLSA,
            Self::Smimea(_) => Rtype::SMIMEA,
            Self::Sshfp => Rtype::SSHFP,
            Self::OpenPgpKey => Rtype::OPENPGPKEY,
        }
    }
}

impl Combination {
    /// Every combination there is, in rdata order.
    pub fn all() -> impl Iterator<Item = Self> {
        Usage::ALL.into_iter().flat_map(|usage| {
            Selector::ALL.into_iter().flat_map(move |selector| {
                Matching::ALL.into_iter().map(move |matching| Self { usage, selector, matching })
            })
        })
    }

    /// The parameters of three octets of rdata, if they are ones we know.
    pub fn from_octets([usage, selector, matching]: [u8; 3]) -> Option<Self> {
        Some(Self {
            usage: *Usage::ALL.get(usize::from(usage))?,
            selector: *Selector::ALL.get(usize::from(selector))?,
            matching: *Matching::ALL.get(usize::from(matching))?,
        })
    }

    /// The three octets that rdata begins with.
    pub fn octets(self) -> [u8; 3] {
        [self.usage as u8, self.selector as u8, self.matching as u8]
    }

    /// Whether a public key alone, without its certificate, is enough.
    pub fn needs_only_the_key(self) -> bool {
        self.selector == Selector::PublicKey && !self.usage.is_issuer()
    }
}

impl Usage {
    const ALL: [Self; 4] = [Self::PkixTa, Self::PkixEe, Self::DaneTa, Self::DaneEe];

    /// Whether the record is about an issuer rather than about the server's own certificate.
    pub fn is_issuer(self) -> bool {
        matches!(self, Self::PkixTa | Self::DaneTa)
    }
}

impl Selector {
    const ALL: [Self; 2] = [Self::Certificate, Self::PublicKey];
}

impl Matching {
    const ALL: [Self; 3] = [Self::Full, Self::Sha256, Self::Sha512];
}

impl Default for Params {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl From<Combination> for Params {
    fn from(combination: Combination) -> Self {
        Self::Tlsa(combination)
    }
}

impl FromStr for Params {
    type Err = ParamsError;

    fn from_str(text: &str) -> Result<Self, ParamsError> {
        match text {
            SSHFP => Ok(Self::Sshfp),
            OPENPGPKEY => Ok(Self::OpenPgpKey),
            _ => match text.strip_prefix(SMIMEA) {
                Some(combination) => combination.parse().map(Self::Smimea),
                None => text.parse().map(Self::Tlsa),
            },
        }
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tlsa(combination) => combination.fmt(f),
            Self::Smimea(combination) => write!(f, "{SMIMEA}{combination}"),
            Self::Sshfp => f.write_str(SSHFP),
            Self::OpenPgpKey => f.write_str(OPENPGPKEY),
        }
    }
}

impl FromStr for Combination {
    type Err = ParamsError;

    fn from_str(text: &str) -> Result<Self, ParamsError> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [usage, selector, matching] = words[..] else { return Err(ParamsError::NotThree) };
        Ok(Self {
            usage: pick(&Usage::ALL, usage).ok_or_else(|| ParamsError::Usage(usage.to_owned()))?,
            selector: pick(&Selector::ALL, selector)
                .ok_or_else(|| ParamsError::Selector(selector.to_owned()))?,
            matching: pick(&Matching::ALL, matching)
                .ok_or_else(|| ParamsError::Matching(matching.to_owned()))?,
        })
    }
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [usage, selector, matching] = self.octets();
        write!(f, "{usage} {selector} {matching}")
    }
}

/// The member of `all` whose number is exactly `word`: one digit, no sign, no leading zero.
fn pick<T: Copy>(all: &[T], word: &str) -> Option<T> {
    let [digit @ b'0'..=b'9'] = word.as_bytes() else { return None };
    all.get(usize::from(digit - b'0')).copied()
}

const SMIMEA: &str = "smimea ";
/// 2 is SHA-256 (RFC 6594 §3.2).
const SSHFP: &str = "sshfp 2";
const OPENPGPKEY: &str = "openpgpkey";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_twenty_four_combinations_are_read_back_as_printed() {
        let all: Vec<Combination> = Combination::all().collect();
        assert_eq!(all.len(), 24);
        assert!(all.is_sorted());
        for params in all {
            assert_eq!(params.to_string().parse(), Ok(params));
            assert_eq!(Combination::from_octets(params.octets()), Some(params));
            for params in [Params::Tlsa(params), Params::Smimea(params)] {
                assert_eq!(params.to_string().parse(), Ok(params));
            }
        }
        for params in [Params::Sshfp, Params::OpenPgpKey] {
            assert_eq!(params.to_string().parse(), Ok(params));
        }
        assert_eq!("3 1 1".parse(), Ok(Params::DEFAULT));
        assert_eq!(" 2\t0  2 ".parse::<Params>().unwrap().to_string(), "2 0 2");
    }

    #[test]
    fn anything_else_is_refused_by_its_own_name() {
        assert_eq!("".parse::<Params>(), Err(ParamsError::NotThree));
        assert_eq!("3 1".parse::<Params>(), Err(ParamsError::NotThree));
        assert_eq!("3 1 1 1".parse::<Params>(), Err(ParamsError::NotThree));
        assert_eq!("4 1 1".parse::<Params>(), Err(ParamsError::Usage("4".to_owned())));
        assert_eq!("3 2 1".parse::<Params>(), Err(ParamsError::Selector("2".to_owned())));
        assert_eq!("3 1 3".parse::<Params>(), Err(ParamsError::Matching("3".to_owned())));
        assert_eq!("+3 1 1".parse::<Params>(), Err(ParamsError::Usage("+3".to_owned())));
        assert_eq!("03 1 1".parse::<Params>(), Err(ParamsError::Usage("03".to_owned())));
        assert_eq!(Params::from_octets([3, 1, 3]), None);
    }
}
