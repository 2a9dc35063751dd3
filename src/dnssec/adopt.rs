//! Keys of other signers: reading them in whatever form they come, and giving them back what their files leave out.
//!
//! BIND, ldns and PowerDNS write `Private-key-format`, Knot and everybody else PKCS#8 or what it wraps. Only BIND and
//! ldns write the flags, only BIND and Knot the times, and an ECDSA key may come without its public half, which nothing
//! here computes. The zone's DNSKEY records settle the flags and the public half; `.state` files of BIND and the key
//! list of Knot the times.

mod keymgr;
mod state;
#[cfg(test)]
mod tests;

pub use keymgr::{KeyList, ListError, ListedKey};
pub use state::{KeyState, StateError};

use super::key::{KeyError, PrivateKey, PublicKey, Random, Role, SigningKey};
use super::keyfile::{self, KeyFileError};
use super::keyset::Timing;
use crate::asn1::pem;
use crate::dns::name::{Name, NameRef};
use crate::dns::problem::Problems;
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;
use crate::dns::zonefile::{self, At, File, Loader, NoFilesError, Sink};
use zeroize::Zeroizing;

/// Why a key of another signer is not taken over.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// No form of private key that is known.
    #[error("no private key found, expected `Private-key-format: v1.…`, PEM or PKCS#8")]
    NoKey,
    /// A PEM file that is not whole.
    #[error("PEM block is cut off or not base64")]
    Pem,
    /// Nobody is asked for pass phrases.
    #[error("private key is encrypted, expected one without a pass phrase: decrypt it with `openssl pkey`")]
    Encrypted,
    /// A key file that is broken.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// A key that cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// DNSKEY records that cannot be read.
    #[error("{0}")]
    Records(Problems),
    /// A `.state` file of BIND that cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// A key list of Knot that cannot be read.
    #[error(transparent)]
    List(#[from] ListError),
    /// A file of DNSKEY records that has none of the zone.
    #[error("no DNSKEY record of {0} whose algorithm is known, expected what `dig {0} DNSKEY` prints")]
    NoRecords(Name),
    /// Nothing says whether the key is a secure entry point.
    #[error(
        "the file does not say what the key signs: give the zone's DNSKEY records (`dig ZONE DNSKEY`) with --dnskey, \
         or the role with --role"
    )]
    NoFlags,
    /// The public half is missing.
    #[error(
        "the file lacks the public half: give the zone's DNSKEY records (`dig ZONE DNSKEY`) with --dnskey"
    )]
    NoPublic,
    /// The zone does not publish the key.
    #[error("none of the DNSKEY records is this key's; they are of {}", tags(.0))]
    Stranger(Vec<u16>),
    /// The DNSKEY record contradicts the role that was asked for.
    #[error("the key's DNSKEY record has flags {found}, expected {expected} for that role")]
    Flags {
        /// What the record has.
        found: u16,
        /// What the role has.
        expected: u16,
    },
}

fn tags(tags: &[u16]) -> String {
    let tags: Vec<String> = tags.iter().map(|tag| format!("key {tag}")).collect();
    if tags.is_empty() { "other algorithms".to_owned() } else { tags.join(", ") }
}

/// A private key in any form, and its times where it has them.
pub fn read_private(octets: &[u8]) -> Result<(PrivateKey, Timing), AdoptError> {
    if octets.trim_ascii_start().starts_with(b"Private-key-format") {
        let text = std::str::from_utf8(octets).map_err(|_| AdoptError::NoKey)?;
        return Ok(keyfile::parse_private(text.trim_start())?);
    }
    if !pem::looks_like_pem(octets) {
        let key = PrivateKey::from_pkcs8(octets).map_err(|error| match error {
            KeyError::Der => AdoptError::NoKey,
            other => other.into(),
        })?;
        return Ok((key, Timing::default()));
    }
    let blocks = pem::blocks(octets).map_err(|_| AdoptError::Pem)?;
    let block = blocks.iter().find(|block| block.label.ends_with("PRIVATE KEY")).ok_or(AdoptError::NoKey)?;
    if block.encrypted || block.label == "ENCRYPTED PRIVATE KEY" {
        return Err(AdoptError::Encrypted);
    }
    Ok((PrivateKey::from_pkcs8(&block.contents)?, Timing::default()))
}

/// A private key as PKCS#8 in PEM.
pub fn pem(private: &PrivateKey, public: &PublicKey) -> Result<Zeroizing<String>, KeyError> {
    Ok(pem::write("PRIVATE KEY", &private.to_pkcs8(public)?))
}

/// The DNSKEY records of `zone` in `text`, which is a zone file or what `dig`, `keymgr` or `pdnsutil` printed; at least
/// one. Those of algorithms that nothing here knows are left out.
pub fn read_dnskeys(file: &str, text: &str, zone: NameRef<'_>) -> Result<Vec<PublicKey>, AdoptError> {
    struct Found<'z>(NameRef<'z>, Vec<PublicKey>);
    impl Sink for Found<'_> {
        fn record(&mut self, owner: NameRef<'_>, _: Ttl, rtype: Rtype, rdata: &[u8], _: At) {
            if rtype == Rtype::DNSKEY && owner == self.0 {
                self.1.extend(PublicKey::from_rdata(rdata));
            }
        }
    }
    /// The one file to include.
    struct Only(Option<File>);
    impl Loader for Only {
        type Error = NoFilesError;
        fn load(&mut self, _: &str, _: &str) -> Result<File, NoFilesError> {
            self.0.take().ok_or(NoFilesError)
        }
    }
    let mut found = Found(zone, Vec::new());
    let mut only = Only(Some(File { name: file.into(), text: text.into() }));
    // Not all write TTLs, or the final dot.
    let around = b"$TTL 1h\n$INCLUDE records\n";
    let root = Name::root();
    let outcome = zonefile::read(file, around, root.as_ref(), &mut only, &mut found);
    if outcome.problems.refuse() {
        Err(AdoptError::Records(outcome.problems))
    } else if found.1.is_empty() {
        Err(AdoptError::NoRecords(zone.to_owned()))
    } else {
        Ok(found.1)
    }
}

/// The whole key of `zone` that a private key is half of. `published` are the zone's DNSKEY records, as far as anybody
/// knows them; where there are none, `role` says what the key is for.
pub fn complete(
    zone: &Name,
    private: &mut PrivateKey,
    published: &[PublicKey],
    role: Option<Role>,
    random: Random<'_>,
) -> Result<SigningKey, AdoptError> {
    let own = private.public_half();
    for public in published {
        let key = match &own {
            Some(own) if own == public.key() => {
                private.use_with(public.algorithm());
                SigningKey::new(zone.clone(), public.clone(), private, random)?
            }
            Some(_) => continue,
            None => match SigningKey::new(zone.clone(), public.clone(), private, random) {
                Ok(key) => key,
                Err(_) => continue,
            },
        };
        return match role.map(Role::flags) {
            Some(expected) if expected != public.flags() => {
                Err(AdoptError::Flags { found: public.flags(), expected })
            }
            _ => Ok(key),
        };
    }
    if !published.is_empty() {
        return Err(AdoptError::Stranger(published.iter().map(PublicKey::tag).collect()));
    }
    let own = own.ok_or(AdoptError::NoPublic)?;
    let flags = role.ok_or(AdoptError::NoFlags)?.flags();
    let public = PublicKey::new(flags, private.algorithm(), &own)?;
    Ok(SigningKey::new(zone.clone(), public, private, random)?)
}
