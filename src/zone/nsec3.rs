//! Hashed owner names (RFC 5155 §5), which name the records of an NSEC3 chain.

use sha1::{Digest, Sha1};

use super::snapshot::Nsec3Params;
use crate::dns::name::{HashLabel, NameRef};

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

    /// The first label of the owner of the NSEC3 record that would match `name`.
    pub fn label(&self, name: NameRef<'_>) -> HashLabel {
        HashLabel::new(&self.hash(name))
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
    fn a_label_of_a_hash_agrees_with_names_as_its_key_does() {
        let params = Nsec3Params::default();
        let apex = Name::parse("example.test").unwrap();
        let length = apex.len();
        let labels: Vec<_> = (0..200)
            .map(|number| params.hash(Name::parse(&format!("n{number}.example.test")).unwrap().as_ref()))
            .map(|hash| (HashLabel::new(&hash), data_encoding::BASE32_DNSSEC.encode(&hash)))
            .collect();
        let mut names: Vec<_> = labels.iter().map(|(_, text)| text.clone()).collect();
        names.extend(labels.iter().map(|(_, text)| text.to_uppercase()));
        let (_, first) = &labels[0];
        names.extend([
            String::new(),
            "a".into(),
            format!("{first}0"),
            format!("b.{first}"),
            first.replace(&first[5..6], "\\016"),
        ]);
        for (label, text) in &labels {
            assert_eq!(label.octets(), text.as_bytes());
            let key = Key::of(apex.child(label.octets()).unwrap().as_ref(), length);
            assert_eq!((0..40).map(|at| label.symbol(at)).collect::<Vec<_>>(), [&key[..], &[0; 7]].concat());
            for name in &names {
                let name =
                    Name::parse(&format!("{name}{}example.test", if name.is_empty() { "" } else { "." }));
                let name = name.unwrap();
                let expected = Key::agreement(&key, name.as_ref(), length);
                assert_eq!(label.agreement(name.as_ref(), length), expected, "{text} and {name}");
            }
        }
    }

    #[test]
    fn hashes_are_those_of_rfc_5155_appendix_a() {
        let params = Nsec3Params { iterations: 12, salt: [0xaa, 0xbb, 0xcc, 0xdd].into() };
        for (name, hash) in [
            ("example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("a.Example", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ] {
            let label = params.label(Name::parse(name).unwrap().as_ref());
            assert_eq!(label.octets(), hash.as_bytes());
        }
    }
}
