//! Record types and classes: the numbers, their mnemonics, and `TYPEnnn` for the rest (RFC 3597 §5).

use std::fmt;
use std::str::FromStr;

/// A record type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rtype(pub u16);

/// The class IN; the only one whose data is served.
pub const CLASS_IN: u16 = 1;
/// The class CH, of `version.bind`.
pub const CLASS_CH: u16 = 3;
/// QCLASS ANY; in dynamic updates, a deletion.
pub const CLASS_ANY: u16 = 255;
/// QCLASS NONE.
pub const CLASS_NONE: u16 = 254;

macro_rules! rtypes {
    ($($ident:ident $number:literal $mnemonic:literal)*) => {
        #[allow(missing_docs, reason = "each is the mnemonic it is named after")]
        impl Rtype {
            $(pub const $ident: Self = Self($number);)*

            /// The mnemonic, if the registry has one.
            pub const fn mnemonic(self) -> Option<&'static str> {
                match self.0 { $($number => Some($mnemonic),)* _ => None }
            }
        }

        /// Every type that has a mnemonic.
        pub static MNEMONICS: &[(&str, Rtype)] = &[$(($mnemonic, Rtype($number)),)*];
    };
}

rtypes! {
    A 1 "A"  NS 2 "NS"  MD 3 "MD"  MF 4 "MF"  CNAME 5 "CNAME"  SOA 6 "SOA"  MB 7 "MB"  MG 8 "MG"  MR 9 "MR"
    NULL 10 "NULL"  WKS 11 "WKS"  PTR 12 "PTR"  HINFO 13 "HINFO"  MINFO 14 "MINFO"  MX 15 "MX"  TXT 16 "TXT"
    RP 17 "RP"  AFSDB 18 "AFSDB"  X25 19 "X25"  ISDN 20 "ISDN"  RT 21 "RT"  NSAP 22 "NSAP"
    NSAP_PTR 23 "NSAP-PTR"  SIG 24 "SIG"  KEY 25 "KEY"  PX 26 "PX"  GPOS 27 "GPOS"  AAAA 28 "AAAA"
    LOC 29 "LOC"  NXT 30 "NXT"  EID 31 "EID"  NIMLOC 32 "NIMLOC"  SRV 33 "SRV"  ATMA 34 "ATMA"
    NAPTR 35 "NAPTR"  KX 36 "KX"  CERT 37 "CERT"  A6 38 "A6"  DNAME 39 "DNAME"  SINK 40 "SINK"  OPT 41 "OPT"
    APL 42 "APL"  DS 43 "DS"  SSHFP 44 "SSHFP"  IPSECKEY 45 "IPSECKEY"  RRSIG 46 "RRSIG"  NSEC 47 "NSEC"
    DNSKEY 48 "DNSKEY"  DHCID 49 "DHCID"  NSEC3 50 "NSEC3"  NSEC3PARAM 51 "NSEC3PARAM"  TLSA 52 "TLSA"
    SMIMEA 53 "SMIMEA"  HIP 55 "HIP"  NINFO 56 "NINFO"  RKEY 57 "RKEY"  TALINK 58 "TALINK"  CDS 59 "CDS"
    CDNSKEY 60 "CDNSKEY"  OPENPGPKEY 61 "OPENPGPKEY"  CSYNC 62 "CSYNC"  ZONEMD 63 "ZONEMD"  SVCB 64 "SVCB"
    HTTPS 65 "HTTPS"  DSYNC 66 "DSYNC"  SPF 99 "SPF"  UINFO 100 "UINFO"  UID 101 "UID"  GID 102 "GID"
    UNSPEC 103 "UNSPEC"  NID 104 "NID"  L32 105 "L32"  L64 106 "L64"  LP 107 "LP"  EUI48 108 "EUI48"
    EUI64 109 "EUI64"  NXNAME 128 "NXNAME"  TKEY 249 "TKEY"  TSIG 250 "TSIG"  IXFR 251 "IXFR"
    AXFR 252 "AXFR"  MAILB 253 "MAILB"  MAILA 254 "MAILA"  ANY 255 "ANY"  URI 256 "URI"  CAA 257 "CAA"
    AVC 258 "AVC"  DOA 259 "DOA"  AMTRELAY 260 "AMTRELAY"  RESINFO 261 "RESINFO"  WALLET 262 "WALLET"
    TA 32768 "TA"  DLV 32769 "DLV"
}

impl Rtype {
    /// Whether a question may ask for it but no zone can hold it (RFC 6895 §3.1, RFC 9824 for NXNAME).
    pub const fn is_meta(self) -> bool {
        matches!(self.0, 0 | 41 | 128..=255)
    }

    /// Whether the signer makes records of this type itself and drops those it finds in its input.
    pub const fn is_signers_own(self) -> bool {
        matches!(self, Self::RRSIG | Self::NSEC | Self::NSEC3 | Self::NSEC3PARAM)
    }

    /// Whether whoever signs the zone has the say over the records of this type at an owner: its own types anywhere,
    /// those of the zone's keys at the apex. Away from it, DNSKEY, CDS and CDNSKEY are data like any other (RFC 9615
    /// §4.2 has CDS and CDNSKEY there).
    pub const fn is_signers(self, at_apex: bool) -> bool {
        self.is_signers_own() || at_apex && matches!(self, Self::DNSKEY | Self::CDS | Self::CDNSKEY)
    }

    /// Whether danelaw makes the records of this type at an owner by itself, so that no update may change them.
    pub const fn is_made_here(self, at_apex: bool) -> bool {
        self.is_signers(at_apex) || matches!(self, Self::SOA) || at_apex && matches!(self, Self::ZONEMD)
    }
}

impl fmt::Display for Rtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(mnemonic) => f.pad(mnemonic),
            None => f.pad(&format!("TYPE{}", self.0)),
        }
    }
}
impl fmt::Debug for Rtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text names no record type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown record type")]
pub struct UnknownType;

impl FromStr for Rtype {
    type Err = UnknownType;
    /// Mnemonics and `TYPEnnn` in any case.
    fn from_str(text: &str) -> Result<Self, UnknownType> {
        if let Some(&(_, rtype)) = MNEMONICS.iter().find(|(mnemonic, _)| mnemonic.eq_ignore_ascii_case(text))
        {
            return Ok(rtype);
        }
        let [b'T' | b't', b'Y' | b'y', b'P' | b'p', b'E' | b'e', digits @ ..] = text.as_bytes() else {
            return Err(UnknownType);
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(UnknownType);
        }
        text[4..].parse().map(Self).map_err(|_| UnknownType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_and_written_by_mnemonic_and_by_number() {
        assert_eq!("tlsa".parse(), Ok(Rtype::TLSA));
        assert_eq!("TYPE52".parse(), Ok(Rtype::TLSA));
        assert_eq!("type65280".parse(), Ok(Rtype(65_280)));
        assert_eq!("TYPE65536".parse::<Rtype>(), Err(UnknownType));
        assert_eq!("TYPE+1".parse::<Rtype>(), Err(UnknownType));
        assert_eq!(Rtype(65_280).to_string(), "TYPE65280");
        assert_eq!(Rtype::NSAP_PTR.to_string(), "NSAP-PTR");
    }
}
