//! Mnemonics and the numbers they stand for.

use crate::dns::rtype::{MNEMONICS, Rtype};
use crate::dns::token::decimal;

/// The record type that `text` names, by mnemonic or as `TYPEnnn`, in any case. Costs one probe of a
/// perfect hash table.
pub fn rtype(text: &[u8]) -> Option<Rtype> {
    if let Some(&(mnemonic, rtype)) = MNEMONICS.get(usize::from(SLOTS.table[slot(text, SLOTS.factor)]))
        && (mnemonic.as_bytes() == text || mnemonic.as_bytes().eq_ignore_ascii_case(text))
    {
        return Some(rtype);
    }
    let (prefix, digits) = text.split_at_checked(4)?;
    if !prefix.eq_ignore_ascii_case(b"TYPE") {
        return None;
    }
    decimal(digits).and_then(|number| u16::try_from(number).ok()).map(Rtype)
}

/// DNSSEC algorithms (RFC 8624 and the registry).
pub(super) const ALGORITHMS: &[(&str, u8)] = &[
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("ECC", 4),
    ("RSASHA1", 5),
    ("NSEC3DSA", 6),
    ("DSA-NSEC3-SHA1", 6),
    ("NSEC3RSASHA1", 7),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECCGOST", 12),
    ("ECC-GOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ECDSA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

/// Digest types of DS.
pub(super) const DS_DIGESTS: &[(&str, u8)] =
    &[("SHA-1", 1), ("SHA1", 1), ("SHA-256", 2), ("SHA256", 2), ("GOST", 3), ("SHA-384", 4), ("SHA384", 4)];

/// Certificate types (RFC 4398 §2.1).
pub(super) const CERT_TYPES: &[(&str, u16)] = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

/// Flags of KEY (RFC 2535 §3.1.2) and DNSKEY, joined by `|` in text.
pub(super) const KEY_FLAGS: &[(&str, u16)] = &[
    ("NOCONF", 0x4000),
    ("NOAUTH", 0x8000),
    ("NOKEY", 0xc000),
    ("FLAG2", 0x2000),
    ("EXTEND", 0x1000),
    ("FLAG4", 0x0800),
    ("FLAG5", 0x0400),
    ("USER", 0),
    ("ZONE", 0x0100),
    ("HOST", 0x0200),
    ("NTYP3", 0x0300),
    ("FLAG8", 0x0080),
    ("FLAG9", 0x0040),
    ("FLAG10", 0x0020),
    ("FLAG11", 0x0010),
    ("SIG0", 0),
    ("SIG1", 1),
    ("SIG2", 2),
    ("SIG3", 3),
    ("SIG4", 4),
    ("SIG5", 5),
    ("SIG6", 6),
    ("SIG7", 7),
    ("SIG8", 8),
    ("SIG9", 9),
    ("SIG10", 10),
    ("SIG11", 11),
    ("SIG12", 12),
    ("SIG13", 13),
    ("SIG14", 14),
    ("SIG15", 15),
    ("KSK", 1),
];

/// Protocols of KEY (RFC 2535 §3.1.3).
pub(super) const KEY_PROTOCOLS: &[(&str, u8)] =
    &[("NONE", 0), ("TLS", 1), ("EMAIL", 2), ("DNSSEC", 3), ("IPSEC", 4), ("ALL", 255)];

/// Schemes of DSYNC (RFC 9859 §2).
pub(super) const DSYNC_SCHEMES: &[(&str, u8)] = &[("NOTIFY", 1)];

/// Protocols of WKS.
pub(super) const IP_PROTOCOLS: &[(&str, u8)] = &[("ICMP", 1), ("TCP", 6), ("UDP", 17)];

/// Services of WKS by the names of RFC 1010 that are still in use.
pub(super) const SERVICES: &[(&str, u16)] = &[
    ("ECHO", 7),
    ("DISCARD", 9),
    ("DAYTIME", 13),
    ("FTP-DATA", 20),
    ("FTP", 21),
    ("SSH", 22),
    ("TELNET", 23),
    ("SMTP", 25),
    ("TIME", 37),
    ("WHOIS", 43),
    ("DOMAIN", 53),
    ("TFTP", 69),
    ("GOPHER", 70),
    ("FINGER", 79),
    ("HTTP", 80),
    ("POP3", 110),
    ("SUNRPC", 111),
    ("NNTP", 119),
    ("NTP", 123),
    ("IMAP2", 143),
    ("IMAP", 143),
    ("SNMP", 161),
    ("BGP", 179),
    ("LDAP", 389),
    ("HTTPS", 443),
    ("SYSLOG", 514),
    ("SUBMISSION", 587),
    ("IMAPS", 993),
    ("POP3S", 995),
];

/// The number that `text` names in `table`, in any case.
pub(super) fn number_of<N: Copy>(text: &[u8], table: &[(&str, N)]) -> Option<N> {
    table
        .iter()
        .find(|(mnemonic, _)| mnemonic.as_bytes().eq_ignore_ascii_case(text))
        .map(|&(_, number)| number)
}

/// The first mnemonic of `number` in `table`.
pub(super) fn mnemonic_of<N: Copy + PartialEq>(
    number: N,
    table: &[(&'static str, N)],
) -> Option<&'static str> {
    table.iter().find(|(_, known)| *known == number).map(|&(mnemonic, _)| mnemonic)
}

/// Where in the table each mnemonic is, and the factor that keeps them apart.
struct Slots {
    table: [u8; SLOT_COUNT],
    factor: u64,
}

const SLOT_BITS: u32 = 11;
const SLOT_COUNT: usize = 1 << SLOT_BITS;
const FREE: u8 = u8::MAX;

static SLOTS: Slots = {
    assert!(MNEMONICS.len() < FREE as usize);
    let mut factor = 0x9e37_79b9_7f4a_7c15u64;
    loop {
        if let Some(table) = try_factor(factor) {
            break Slots { table, factor };
        }
        factor = factor.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1) | 1;
    }
};

const fn try_factor(factor: u64) -> Option<[u8; SLOT_COUNT]> {
    let mut table = [FREE; SLOT_COUNT];
    let mut i = 0;
    while i < MNEMONICS.len() {
        let at = slot(MNEMONICS[i].0.as_bytes(), factor);
        if table[at] != FREE {
            return None;
        }
        table[at] = i as u8;
        i += 1;
    }
    Some(table)
}

/// A multiplicative hash that does not see the case of letters.
const fn slot(text: &[u8], factor: u64) -> usize {
    let mut hash = text.len() as u64;
    let mut i = 0;
    while i < text.len() && i < 16 {
        hash = (hash.rotate_left(5) ^ (text[i] | 0x20) as u64).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    (hash.wrapping_mul(factor) >> (u64::BITS - SLOT_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mnemonic_is_found_in_any_case() {
        for &(mnemonic, number) in MNEMONICS {
            assert_eq!(rtype(mnemonic.as_bytes()), Some(number));
            assert_eq!(rtype(mnemonic.to_lowercase().as_bytes()), Some(number));
        }
        assert_eq!(rtype(b"type65280"), Some(Rtype(65_280)));
        for unknown in [&b""[..], b"AA", b"TYPE", b"TYPE65536", b"TYPE-1", b"IN", b"CNAMES"] {
            assert_eq!(rtype(unknown), None, "{unknown:?}");
        }
    }
}
