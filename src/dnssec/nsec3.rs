//! Hashed owner names (RFC 5155 §5). Policy is RFC 9276: no iterations, no salt; the function is general.

use crate::dns::name::{Name, NameError, NameRef};
use ring::digest;

/// SHA-1, the only hash algorithm there is (RFC 5155 §11).
pub const SHA1: u8 = 1;

/// The opt-out flag of an NSEC3 record (RFC 5155 §3.1.2.1).
pub const OPT_OUT: u8 = 1;

/// How owner names are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Params<'a> {
    /// Additional iterations.
    pub iterations: u16,
    /// At most 255 octets.
    pub salt: &'a [u8],
}

/// The hash of `name`, whatever case it is in.
pub fn hash(name: NameRef<'_>, params: Params<'_>) -> [u8; 20] {
    let mut canonical = [0; 255];
    let canonical = &mut canonical[..name.wire().len()];
    canonical.copy_from_slice(name.wire());
    canonical.make_ascii_lowercase();
    let mut value = sha1(canonical, params.salt);
    for _ in 0..params.iterations {
        value = sha1(&value, params.salt);
    }
    value
}

/// The owner name of the NSEC3 record for `hash` in the zone at `apex`.
pub fn owner(hash: &[u8; 20], apex: NameRef<'_>) -> Result<Name, NameError> {
    let mut label = [0; 32];
    data_encoding::BASE32_DNSSEC.encode_mut(hash, &mut label);
    apex.to_owned().child(&label)
}

fn sha1(value: &[u8], salt: &[u8]) -> [u8; 20] {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(value);
    context.update(salt);
    let mut out = [0; 20];
    out.copy_from_slice(context.finish().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashes_of_rfc_5155_appendix_a() {
        let params = Params { iterations: 12, salt: &[0xaa, 0xbb, 0xcc, 0xdd] };
        let apex = Name::parse("example").unwrap();
        for (name, label) in [
            ("example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("X.Y.w.example", "2vptu5timamqttgl4luu9kg21e0aor3s"),
            ("*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ] {
            let hash = hash(Name::parse(name).unwrap().as_ref(), params);
            assert_eq!(owner(&hash, apex.as_ref()).unwrap().to_string(), format!("{label}.example."));
        }
    }
}
