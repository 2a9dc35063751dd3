//! NSEC3 hashes that are asked for again and again: of closest enclosers and of the wildcards below them.
//!
//! Each thread has its own. Names that a client can choose freely are never put in, nor are hashes with parameters
//! that no signer should use any more (RFC 9276 §3.1): zones that have some would take each other's places.

use super::find::wildcard;
use super::zones::hash;
use crate::dns::name::{HashLabel, NameRef};
use crate::zone::Nsec3Params;

/// What a closest encloser and the wildcard right below it are hashed to.
#[derive(Clone, Copy)]
pub(super) struct Encloser {
    pub(super) own: HashLabel,
    pub(super) wildcard: HashLabel,
}

/// A table of fixed size; a name that needs another's place takes it.
pub(super) struct Hashes(Box<[Option<Place>]>);

#[derive(Clone, Copy)]
struct Place {
    length: u8,
    name: [u8; LONGEST],
    hashes: Encloser,
}

const PLACES: usize = 256;
/// Longer names are not kept.
const LONGEST: usize = 62;

impl Default for Hashes {
    fn default() -> Self {
        Self(vec![None; PLACES].into())
    }
}

impl Hashes {
    /// The hashes of `name` and of the wildcard below it.
    pub(super) fn encloser(&mut self, params: &Nsec3Params, name: NameRef<'_>) -> Encloser {
        if params.iterations > 0 || !params.salt.is_empty() {
            return Encloser::new(params, name);
        }
        let wire = name.wire();
        let place = &mut self.0[hash(name) as usize % PLACES];
        if let Some(known) = place
            && known.name.get(..usize::from(known.length)) == Some(wire)
        {
            return known.hashes;
        }
        let hashes = Encloser::new(params, name);
        let mut kept = [0; LONGEST];
        if let Some(octets) = kept.get_mut(..wire.len()) {
            octets.copy_from_slice(wire);
            *place = Some(Place { length: wire.len() as u8, name: kept, hashes });
        }
        hashes
    }
}

impl Encloser {
    fn new(params: &Nsec3Params, name: NameRef<'_>) -> Self {
        let own = params.label(name);
        // A name with nothing below it, because that would be too long, is not asked about.
        Self { own, wildcard: wildcard(name).map_or(own, |wildcard| params.label(wildcard.as_ref())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::Name;

    #[test]
    fn a_hash_from_the_table_is_the_hash() {
        let (plain, salted) = (Nsec3Params::default(), Nsec3Params { iterations: 3, salt: [1, 2].into() });
        let check = |hashes: &mut Hashes, params: &Nsec3Params, name: &Name| {
            let known = hashes.encloser(params, name.as_ref());
            assert_eq!(known.own, params.label(name.as_ref()));
            assert_eq!(known.wildcard, params.label(name.child(b"*").unwrap().as_ref()));
        };
        let mut hashes = Hashes::default();
        for round in 0..3 {
            for number in 0..1_000 {
                let name = Name::parse(&format!("n{number}.Example.test")).unwrap();
                let params = if (number + round) % 7 == 0 { &salted } else { &plain };
                check(&mut hashes, params, &name);
            }
        }
        for length in 45..55 {
            let long = Name::parse(&format!("{}.example.test", "x".repeat(length))).unwrap();
            check(&mut hashes, &salted, &long);
            check(&mut hashes, &salted, &long);
        }
    }
}
