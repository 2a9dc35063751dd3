//! Hashed owner names (RFC 5155 §5), which name the records of an NSEC3 chain.

use sha1::{Digest, Sha1};

use super::snapshot::Nsec3Params;
use crate::dns::name::{NameBuf, NameError, NameRef};

impl Nsec3Params {
    /// The hash of `name`, whatever case it is in.
    pub fn hash(&self, name: NameRef<'_>) -> [u8; 20] {
        let mut canonical = [0; 255];
        let canonical = &mut canonical[..name.wire().len()];
        canonical.copy_from_slice(name.wire());
        canonical.make_ascii_lowercase();
        let mut value = self.sha1(canonical);
        for _ in 0..self.iterations {
            value = self.sha1(&value);
        }
        value
    }

    /// The owner of the NSEC3 record that would match `name` in the zone at `apex`.
    pub fn owner(&self, name: NameRef<'_>, apex: NameRef<'_>) -> Result<NameBuf, NameError> {
        let mut label = [0; 32];
        data_encoding::BASE32_DNSSEC.encode_mut(&self.hash(name), &mut label);
        let mut owner = NameBuf::default();
        owner.push_label(&label)?;
        owner.finish(Some(apex))?;
        Ok(owner)
    }

    fn sha1(&self, value: &[u8]) -> [u8; 20] {
        Sha1::new().chain_update(value).chain_update(&self.salt).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::{Key, Name};

    #[test]
    fn the_key_of_a_hash_is_that_of_its_label() {
        let params = Nsec3Params::default();
        let apex = Name::parse("example.test").unwrap();
        for name in ["a.example.test", "b.example.test", "*.example.test"] {
            let name = Name::parse(name).unwrap();
            let owner = params.owner(name.as_ref(), apex.as_ref()).unwrap();
            let key = Key::of(owner.as_ref(), apex.as_ref().wire().len());
            assert_eq!(Key::of_hash(&params.hash(name.as_ref())), key);
            assert_eq!(key.labels(), 1);
        }
    }

    #[test]
    fn hashes_are_those_of_rfc_5155_appendix_a() {
        let params = Nsec3Params { iterations: 12, salt: [0xaa, 0xbb, 0xcc, 0xdd].into() };
        let apex = Name::parse("example").unwrap();
        for (name, hash) in [
            ("example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("a.Example", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ] {
            let owner = params.owner(Name::parse(name).unwrap().as_ref(), apex.as_ref()).unwrap();
            assert_eq!(owner.as_ref().to_string(), format!("{hash}.example."));
        }
    }
}
