//! What NSEC3 records are made of besides the hash, which is [`Nsec3Params::hash`](crate::zone::Nsec3Params::hash).

use crate::dns::name::{HashLabel, Name, NameError, NameRef};
use data_encoding::BASE32_DNSSEC;

/// SHA-1, the only hash algorithm there is (RFC 5155 §11).
pub const SHA1: u8 = 1;

/// The opt-out flag of an NSEC3 record (RFC 5155 §3.1.2.1).
pub const OPT_OUT: u8 = 1;

/// A hashed owner name.
pub type Hash = [u8; 20];

/// The owner of the NSEC3 record for `hash` in the zone at `apex`.
pub fn owner(hash: &Hash, apex: NameRef<'_>) -> Result<Name, NameError> {
    apex.to_owned().child(HashLabel::new(hash).octets())
}

/// The hash that the owner of an NSEC3 record begins with.
pub fn hash_of(owner: NameRef<'_>) -> Option<Hash> {
    BASE32_DNSSEC.decode(owner.labels().next()?).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_the_hash_in_base32hex_below_the_apex() {
        // RFC 5155 appendix A: the hash of example.
        let hash = [
            0x06, 0x53, 0x68, 0xc5, 0x4e, 0xd7, 0xed, 0x63, 0xe9, 0xeb, 0xa9, 0x72, 0x5c, 0xde, 0xd1, 0xdf,
            0x3b, 0xb8, 0x31, 0x26,
        ];
        let apex = Name::parse("example").unwrap();
        let owner = owner(&hash, apex.as_ref()).unwrap();
        assert_eq!(owner.to_string().len(), 32 + ".example.".len());
        assert_eq!(hash_of(owner.as_ref()), Some(hash));
        let upper = Name::parse(&owner.to_string().to_uppercase()).unwrap();
        assert_eq!(hash_of(upper.as_ref()), Some(hash));
        assert_eq!(hash_of(apex.as_ref()), None);
    }
}
