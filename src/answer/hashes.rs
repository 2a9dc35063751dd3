//! NSEC3 hashes that are asked for again and again: of closest enclosers and of the wildcards below them.
//!
//! Each thread has its own. Names that a client can choose freely are never put in.

use super::zones::hash;
use crate::dns::name::NameRef;
use crate::zone::Nsec3Params;

/// A table of fixed size; a name that needs another's place takes it.
pub(super) struct Hashes {
    params: Nsec3Params,
    places: Box<[Place; PLACES]>,
}

#[derive(Clone, Copy)]
struct Place {
    /// 0 for nothing; longer names are not kept.
    length: u8,
    name: [u8; LONGEST],
    hash: [u8; 20],
}

const PLACES: usize = 256;
const LONGEST: usize = 43;

impl Default for Hashes {
    fn default() -> Self {
        let empty = Place { length: 0, name: [0; LONGEST], hash: [0; 20] };
        Self { params: Nsec3Params::default(), places: Box::new([empty; PLACES]) }
    }
}

impl Hashes {
    /// The hash of `name`.
    pub(super) fn of(&mut self, params: &Nsec3Params, name: NameRef<'_>) -> [u8; 20] {
        let wire = name.wire();
        if wire.len() > LONGEST {
            return params.hash(name);
        }
        if *params != self.params {
            *self = Self { params: params.clone(), ..Self::default() };
        }
        let place = &mut self.places[hash(name) as usize % PLACES];
        if usize::from(place.length) == wire.len() && place.name[..wire.len()] == *wire {
            return place.hash;
        }
        place.length = wire.len() as u8;
        place.name[..wire.len()].copy_from_slice(wire);
        place.hash = params.hash(name);
        place.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::Name;

    #[test]
    fn a_hash_from_the_table_is_the_hash() {
        let salted = Nsec3Params { iterations: 3, salt: [1, 2].into() };
        let mut hashes = Hashes::default();
        for round in 0..3 {
            for number in 0..1_000 {
                let name = Name::parse(&format!("n{number}.Example.test")).unwrap();
                let params = if (number + round) % 7 == 0 { salted.clone() } else { Nsec3Params::default() };
                assert_eq!(hashes.of(&params, name.as_ref()), params.hash(name.as_ref()));
            }
        }
        let long = Name::parse(&format!("{}.example.test", "x".repeat(60))).unwrap();
        assert_eq!(hashes.of(&salted, long.as_ref()), salted.hash(long.as_ref()));
    }
}
