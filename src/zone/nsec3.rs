//! Hashed owner names (RFC 5155 §5), which name the records of an NSEC3 chain.

use ring::digest;

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
        let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        context.update(value);
        context.update(&self.salt);
        let mut out = [0; 20];
        out.copy_from_slice(context.finish().as_ref());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::Name;

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
