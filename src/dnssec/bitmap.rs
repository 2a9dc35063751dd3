//! Type bitmaps of NSEC, NSEC3 and CSYNC (RFC 4034 §4.1.2).

use crate::dns::rtype::Rtype;

/// Appends the bitmap of `types`, which must ascend; equal neighbours count once.
pub fn write(types: impl IntoIterator<Item = Rtype>, out: &mut Vec<u8>) {
    let mut window = None;
    let mut length_at = 0;
    for Rtype(number) in types {
        let [block, low] = number.to_be_bytes();
        if window != Some(block) {
            debug_assert!(window < Some(block), "types ascend");
            window = Some(block);
            out.extend([block, 0]);
            length_at = out.len() - 1;
        }
        let octets = usize::from(low / 8) + 1;
        let start = length_at + 1;
        if out.len() < start + octets {
            out.resize(start + octets, 0);
            out[length_at] = octets as u8; // at most 32
        }
        out[start + octets - 1] |= 0x80 >> (low % 8);
    }
}

/// Whether `bitmap`, the wire form, holds `rtype`; cut-off input holds nothing.
pub fn contains(bitmap: &[u8], rtype: Rtype) -> bool {
    let [block, low] = rtype.0.to_be_bytes();
    let mut rest = bitmap;
    while let [window, length, tail @ ..] = rest {
        let Some((bits, next)) = tail.split_at_checked(usize::from(*length)) else { return false };
        if *window == block {
            return bits.get(usize::from(low / 8)).is_some_and(|octet| octet & (0x80 >> (low % 8)) != 0);
        }
        rest = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bitmap(types: &[Rtype]) -> Vec<u8> {
        let mut out = Vec::new();
        write(types.iter().copied(), &mut out);
        out
    }

    #[test]
    fn the_example_of_rfc_4034_4_3() {
        let mut expected = vec![0, 6, 0x40, 0x01, 0, 0, 0, 0x03, 4, 27];
        expected.extend([0; 26]);
        expected.push(0x20);
        assert_eq!(bitmap(&[Rtype::A, Rtype::MX, Rtype::RRSIG, Rtype::NSEC, Rtype(1234)]), expected);
    }

    proptest! {
        #[test]
        fn what_is_written_is_contained(types in prop::collection::btree_set(any::<u16>(), 0..40), other in any::<u16>()) {
            let list: Vec<_> = types.iter().map(|&t| Rtype(t)).collect();
            let wire = bitmap(&list);
            prop_assert!(list.iter().all(|&t| contains(&wire, t)));
            prop_assert_eq!(contains(&wire, Rtype(other)), types.contains(&other));
        }

        #[test]
        fn no_octets_panic(wire in prop::collection::vec(any::<u8>(), 0..80), rtype in any::<u16>()) {
            contains(&wire, Rtype(rtype));
        }
    }
}
