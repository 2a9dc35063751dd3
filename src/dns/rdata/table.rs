//! The one table of what rdata is made of: a row of field kinds for every record type.
//!
//! Reading text, writing text, checking wire data, canonical form and compression all follow these rows.
//! A type that has no row is a single [`Field::Opaque`] (RFC 3597).

use std::fmt;

use crate::dns::rtype::Rtype;

/// What a stretch of rdata is: its wire form, and with it its text.
///
/// A kind spans several octets of different meaning only where one decides the shape of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A name that messages may compress and the canonical form lower-cases: types of RFC 1035 (RFC 3597 §4).
    NameCompressible,
    /// A name that is never compressed, but lower-cased in canonical form (RFC 4034 §6.2, RFC 6840 §5.1).
    NameLower,
    /// A name that nothing touches: types newer than RFC 3597, and NSEC (RFC 6840 §5.1).
    NameAsIs,
    /// Any number of names to the end, untouched: the rendezvous servers of HIP.
    NamesAsIs,
    /// A number of one octet.
    U8,
    /// A number of two octets.
    U16,
    /// A number of four octets.
    U32,
    /// Seconds in four octets; the text may use units (`1h30m`).
    Period,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A length octet and as many octets.
    CharacterString,
    /// One or no character-string at the end: the subaddress of ISDN.
    OptionalCharacterString,
    /// One or more character-strings to the end.
    CharacterStrings,
    /// A character-string of at least four digits: the address of X25 (RFC 1183 §3.1).
    PsdnAddress,
    /// A character-string of letters and digits, not empty: the property of CAA (RFC 8659 §4.1).
    Tag,
    /// A character-string that is empty or a substitution expression: the regexp of NAPTR (RFC 3402 §3.2).
    Substitution,
    /// Text to the end, perhaps none, without a length octet: the value of CAA.
    LongText,
    /// Text to the end, not empty, without a length octet: the target of URI (RFC 7553 §4.4).
    UriTarget,
    /// One or more octets to the end, in hexadecimal.
    Hex,
    /// One or more octets to the end, in Base64.
    Base64,
    /// Octets to the end, in Base64, perhaps none: the data of SINK.
    Base64OrNothing,
    /// The key of IPSECKEY to the end, in Base64; none where the algorithm is 0 (RFC 4025 §2.4).
    IpsecKey,
    /// Octets to the end, in Base64, `-` when there are none: the data of DOA.
    Base64OrDash,
    /// A length octet and as many octets in hexadecimal, `-` for none: the salt of NSEC3.
    HexWithLength,
    /// A length octet and as many octets, at least one, in Base32hex: the next hashed owner of NSEC3.
    Base32WithLength,
    /// Seconds since 1970 in 32 bits (RFC 4034 §3.1.5), as `YYYYMMDDHHmmSS`.
    Time,
    /// A type bitmap that lists at least one type (RFC 4034 §4.1.2).
    TypeBitmap,
    /// A type bitmap that may be empty: NSEC3 (RFC 5155 §3.2.1), CSYNC (RFC 7477 §2.1.1.2.1).
    TypeBitmapOrNothing,
    /// The bitmap of NXT: one bit for each type below 128 (RFC 2535 §5.2).
    NxtBitmap,
    /// A record type in two octets.
    Rtype,
    /// A DNSSEC algorithm in one octet, also by mnemonic.
    Algorithm,
    /// A certificate type in two octets, also by mnemonic (RFC 4398 §2.1).
    CertType,
    /// The flags of KEY and DNSKEY in two octets, also by mnemonic.
    KeyFlags,
    /// The flags of RKEY in two octets, all of them zero.
    NoFlags,
    /// The protocol of KEY and DNSKEY in one octet, also by mnemonic.
    KeyProtocol,
    /// A public key in Base64 to the end.
    KeyData,
    /// The public key of KEY in Base64 to the end; none where the flags say that there is none (RFC 2535 §3.1.2).
    OptionalKeyData,
    /// A digest type and a digest of the length it calls for: DS (RFC 4034 §5.1).
    DsDigest,
    /// A fingerprint type and a fingerprint of the length it calls for: SSHFP (RFC 4255 §3.1).
    SshFingerprint,
    /// A hash algorithm and a digest of the length it calls for: ZONEMD (RFC 8976 §2.2).
    ZoneDigest,
    /// A location, an altitude and their precision (RFC 1876).
    Loc,
    /// Address prefixes to the end, perhaps none (RFC 3123).
    Apl,
    /// Service parameters to the end, perhaps none (RFC 9460 §2.2).
    SvcParams,
    /// Gateway type, algorithm and gateway of IPSECKEY (RFC 4025 §2.1).
    IpsecGateway,
    /// Discovery bit, relay type and relay of AMTRELAY (RFC 8777 §4.2).
    AmtRelay,
    /// Algorithm, host identity tag and public key of HIP (RFC 8005 §5).
    HipKey,
    /// Prefix length, address suffix and prefix name of A6 (RFC 2874 §3.1).
    A6,
    /// Protocol and the bitmap of its ports, to the end (RFC 1035 §3.4.2).
    Services,
    /// An NSAP address to the end, in hexadecimal after `0x` (RFC 1706).
    Nsap,
    /// An ATM address to the end: `+` and digits, or hexadecimal.
    Atma,
    /// Six octets as `xx-xx-xx-xx-xx-xx` (RFC 7043 §3).
    Eui48,
    /// Eight octets as `xx-xx-xx-xx-xx-xx-xx-xx` (RFC 7043 §4).
    Eui64,
    /// Eight octets as `xxxx:xxxx:xxxx:xxxx` (RFC 6742 §2.1).
    Locator64,
    /// The scheme of DSYNC in one octet, also by mnemonic (RFC 9859 §2).
    DsyncScheme,
    /// Octets to the end that have no text but `\#` (RFC 3597 §5).
    Opaque,
}

/// The fields of `rtype`'s rdata, in order. A jump, not a search.
pub const fn fields(rtype: Rtype) -> &'static [Field] {
    use Field as F;
    match rtype {
        Rtype::A => &[F::Ipv4],
        Rtype::NS | Rtype::MD | Rtype::MF | Rtype::CNAME | Rtype::MB | Rtype::MG | Rtype::MR | Rtype::PTR => {
            &[F::NameCompressible]
        }
        Rtype::SOA => {
            &[F::NameCompressible, F::NameCompressible, F::U32, F::Period, F::Period, F::Period, F::Period]
        }
        Rtype::WKS => &[F::Ipv4, F::Services],
        Rtype::HINFO => &[F::CharacterString, F::CharacterString],
        Rtype::MINFO => &[F::NameCompressible, F::NameCompressible],
        Rtype::MX => &[F::U16, F::NameCompressible],
        Rtype::TXT | Rtype::SPF | Rtype::NINFO | Rtype::AVC | Rtype::RESINFO | Rtype::WALLET => {
            &[F::CharacterStrings]
        }
        Rtype::RP => &[F::NameLower, F::NameLower],
        Rtype::AFSDB | Rtype::RT | Rtype::KX => &[F::U16, F::NameLower],
        Rtype::X25 => &[F::PsdnAddress],
        Rtype::ISDN => &[F::CharacterString, F::OptionalCharacterString],
        Rtype::NSAP => &[F::Nsap],
        Rtype::NSAP_PTR => &[F::NameAsIs],
        Rtype::SIG | Rtype::RRSIG => {
            &[F::Rtype, F::Algorithm, F::U8, F::U32, F::Time, F::Time, F::U16, F::NameLower, F::Base64]
        }
        Rtype::KEY => &[F::KeyFlags, F::KeyProtocol, F::Algorithm, F::OptionalKeyData],
        Rtype::DNSKEY | Rtype::CDNSKEY => &[F::KeyFlags, F::KeyProtocol, F::Algorithm, F::KeyData],
        Rtype::RKEY => &[F::NoFlags, F::KeyProtocol, F::Algorithm, F::KeyData],
        Rtype::PX => &[F::U16, F::NameLower, F::NameLower],
        Rtype::GPOS => &[F::CharacterString, F::CharacterString, F::CharacterString],
        Rtype::AAAA => &[F::Ipv6],
        Rtype::LOC => &[F::Loc],
        Rtype::NXT => &[F::NameLower, F::NxtBitmap],
        Rtype::EID | Rtype::NIMLOC => &[F::Hex],
        Rtype::SRV => &[F::U16, F::U16, F::U16, F::NameLower],
        Rtype::ATMA => &[F::Atma],
        Rtype::NAPTR => {
            &[F::U16, F::U16, F::CharacterString, F::CharacterString, F::Substitution, F::NameLower]
        }
        Rtype::CERT => &[F::CertType, F::U16, F::Algorithm, F::Base64],
        Rtype::A6 => &[F::A6],
        Rtype::DNAME => &[F::NameLower],
        Rtype::SINK => &[F::U8, F::U8, F::U8, F::Base64OrNothing],
        Rtype::APL => &[F::Apl],
        Rtype::DS | Rtype::CDS | Rtype::DLV | Rtype::TA => &[F::U16, F::Algorithm, F::DsDigest],
        Rtype::SSHFP => &[F::U8, F::SshFingerprint],
        Rtype::IPSECKEY => &[F::U8, F::IpsecGateway, F::IpsecKey],
        Rtype::NSEC => &[F::NameAsIs, F::TypeBitmap],
        Rtype::DHCID | Rtype::OPENPGPKEY => &[F::Base64],
        Rtype::NSEC3 => {
            &[F::U8, F::U8, F::U16, F::HexWithLength, F::Base32WithLength, F::TypeBitmapOrNothing]
        }
        Rtype::NSEC3PARAM => &[F::U8, F::U8, F::U16, F::HexWithLength],
        Rtype::TLSA | Rtype::SMIMEA => &[F::U8, F::U8, F::U8, F::Hex],
        Rtype::HIP => &[F::HipKey, F::NamesAsIs],
        Rtype::TALINK => &[F::NameAsIs, F::NameAsIs],
        Rtype::CSYNC => &[F::U32, F::U16, F::TypeBitmapOrNothing],
        Rtype::ZONEMD => &[F::U32, F::U8, F::ZoneDigest],
        Rtype::SVCB | Rtype::HTTPS => &[F::U16, F::NameAsIs, F::SvcParams],
        Rtype::DSYNC => &[F::Rtype, F::DsyncScheme, F::U16, F::NameAsIs],
        Rtype::NID | Rtype::L64 => &[F::U16, F::Locator64],
        Rtype::L32 => &[F::U16, F::Ipv4],
        Rtype::LP => &[F::U16, F::NameAsIs],
        Rtype::EUI48 => &[F::Eui48],
        Rtype::EUI64 => &[F::Eui64],
        Rtype::URI => &[F::U16, F::U16, F::UriTarget],
        Rtype::CAA => &[F::U8, F::Tag, F::LongText],
        Rtype::DOA => &[F::U32, F::U32, F::U8, F::CharacterString, F::Base64OrDash],
        Rtype::AMTRELAY => &[F::U8, F::AmtRelay],
        _ => &[F::Opaque],
    }
}

/// Whether the canonical form of `rtype` differs from its rdata where a name has upper-case letters.
pub const fn has_lowered_names(rtype: Rtype) -> bool {
    rtype.0 < 128 && LOWERED >> rtype.0 & 1 == 1
}

/// One bit for each type below 128; no later type has a name that is lower-cased.
const LOWERED: u128 = {
    let mut bits = 0;
    let mut number = 0;
    while number < 128 {
        let row = fields(Rtype(number));
        let mut i = 0;
        while i < row.len() {
            if matches!(row[i], Field::NameCompressible | Field::NameLower | Field::A6) {
                bits |= 1 << number;
            }
            i += 1;
        }
        number += 1;
    }
    bits
};

impl fmt::Display for Field {
    /// The kind as a message to a person names it: "expected …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NameCompressible | Self::NameLower | Self::NameAsIs | Self::NamesAsIs => "a domain name",
            Self::U8 => "a number up to 255",
            Self::U16 => "a number up to 65535",
            Self::U32 => "a number up to 4294967295",
            Self::Period => "a time in seconds or with units, as 1h30m",
            Self::Ipv4 => "an IPv4 address",
            Self::Ipv6 => "an IPv6 address",
            Self::CharacterString | Self::OptionalCharacterString | Self::CharacterStrings => {
                "a string of at most 255 octets"
            }
            Self::PsdnAddress => "an X.121 address of four or more digits",
            Self::Tag => "a property tag of letters and digits",
            Self::Substitution => "a substitution expression, as !^.*$!sip:info@example.test!",
            Self::LongText => "a string",
            Self::UriTarget => "a URI",
            Self::Hex => "data in hexadecimal",
            Self::Base64 | Self::Base64OrNothing => "data in Base64",
            Self::Base64OrDash => "data in Base64, or - for none",
            Self::HexWithLength => "a salt in hexadecimal, or - for none",
            Self::Base32WithLength => "a hash in Base32hex",
            Self::Time => "a time as YYYYMMDDHHmmSS or in seconds since 1970",
            Self::TypeBitmap | Self::TypeBitmapOrNothing | Self::NxtBitmap => "a list of record types",
            Self::Rtype => "a record type",
            Self::Algorithm => "a DNSSEC algorithm number or mnemonic",
            Self::CertType => "a certificate type number or mnemonic",
            Self::KeyFlags => "key flags up to 65535",
            Self::NoFlags => "the flags 0",
            Self::KeyProtocol => "a key protocol up to 255",
            Self::KeyData | Self::IpsecKey => "a public key in Base64",
            Self::OptionalKeyData => "a public key in Base64, or none where the flags say so",
            Self::DsDigest => "a digest type and a digest of its length in hexadecimal",
            Self::SshFingerprint => "a fingerprint type and a fingerprint of its length in hexadecimal",
            Self::ZoneDigest => "a hash algorithm and a digest of its length in hexadecimal",
            Self::Loc => "a location, as 52 22 23.0 N 4 53 32.0 E -2.0m 1m 10000m 10m",
            Self::Apl => "an address prefix, as 1:192.0.2.0/24 or !2:2001:db8::/32",
            Self::SvcParams => "service parameters, as alpn=h2 port=443",
            Self::IpsecGateway => "a gateway type up to 3, an algorithm and a gateway of that type",
            Self::AmtRelay => "a discovery bit, a relay type up to 3 and a relay of that type",
            Self::HipKey => "a public key algorithm, a host identity tag and a public key",
            Self::A6 => "a prefix length up to 128, an address suffix and a prefix name",
            Self::Services => "a protocol and its ports",
            Self::Nsap => "an NSAP address, as 0x47.0005.80",
            Self::Atma => "an ATM address, as +31.20 or 39.246f",
            Self::Eui48 => "an EUI-48 address, as 00-00-5e-00-53-2a",
            Self::Eui64 => "an EUI-64 address, as 00-00-5e-ef-10-00-00-2a",
            Self::Locator64 => "64 bits, as 2001:db8:1140:1000",
            Self::DsyncScheme => "a scheme number or NOTIFY",
            Self::Opaque => "\\# and the rdata in hexadecimal",
        })
    }
}
