//! Values that several sections share: spans of time, addresses, prefixes, words from a fixed choice.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::dns::time::{Seconds, Ttl};

use super::fields::Listed;

/// Why text is not a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// It is not numbers with units.
    #[error("not a span of time, expected such as `90s`, `15m`, `1h30m` or `14d`")]
    NotASpan,
    /// A number stands alone.
    #[error("a span of time needs its unit, expected such as `90s`, `15m`, `1h30m` or `14d`")]
    NoUnit,
    /// Units repeat or grow from left to right.
    #[error("units must shrink from left to right, expected such as `1d12h`")]
    UnitOrder,
    /// More than any use of it allows.
    #[error("longer than {}, the longest that DNS can express", Seconds(u64::from(MAX_TTL)))]
    TooLong,
    /// Zero, where that would mean nothing.
    #[error("expected at least `1s`")]
    Zero,
}

/// Reads `90s`, `15m`, `1h`, `14d` and sums such as `1h30m`; at most 2^31 - 1 seconds.
pub fn parse_seconds(text: &str) -> Result<Seconds, SpanError> {
    let mut rest = text;
    let mut total: u64 = 0;
    let mut last_unit = u64::MAX;
    if text.is_empty() {
        return Err(SpanError::NotASpan);
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if digits == 0 {
            return Err(SpanError::NotASpan);
        }
        let (number, after) = rest.split_at(digits);
        let unit = match after.chars().next() {
            None => return Err(SpanError::NoUnit),
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            Some(_) => return Err(SpanError::NotASpan),
        };
        if unit >= last_unit {
            return Err(SpanError::UnitOrder);
        }
        last_unit = unit;
        total = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(unit))
            .and_then(|span| total.checked_add(span))
            .filter(|&total| total <= u64::from(MAX_TTL))
            .ok_or(SpanError::TooLong)?;
        rest = &after[1..];
    }
    Ok(Seconds(total))
}

/// Reads a TTL as a span of time of at least one second.
pub fn parse_ttl(text: &str) -> Result<Ttl, SpanError> {
    match parse_seconds(text)? {
        Seconds(0) => Err(SpanError::Zero),
        Seconds(seconds) => Ok(Ttl(seconds as u32)),
    }
}

/// Why text is not a number of things, or of octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// It is not a number.
    #[error("not a number, expected such as `1000`")]
    NotANumber,
    /// It is not a number with a unit.
    #[error("not a size, expected such as `512KiB`, `64MiB` or `2GiB`")]
    NotASize,
}

/// Reads a number of things.
pub fn parse_count(text: &str) -> Result<usize, CountError> {
    let digits = text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(CountError::NotANumber)
}

/// Reads a number of octets: `512KiB`, `64MiB`, `2GiB`.
pub fn parse_octets(text: &str) -> Result<usize, CountError> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let read = |(unit, bits): &(&str, u32)| {
        let number = parse_count(text.strip_suffix(unit)?).ok()?;
        number.checked_mul(1 << bits)
    };
    units.iter().find_map(read).ok_or(CountError::NotASize)
}

/// Why text is not an address to listen at or to send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither an address nor an address with a port.
    #[error("not an IP address, expected such as `192.0.2.1`, `192.0.2.1:53` or `[2001:db8::1]:53`")]
    NotAnAddress,
    /// The port is missing where there is no usual one.
    #[error("no port, expected such as `127.0.0.1:8053` or `[::1]:8053`")]
    NoPort,
    /// Port 0 is no port.
    #[error("port 0 cannot be reached, expected 1 to 65535")]
    PortZero,
    /// A group of hosts, not one.
    #[error("a multicast or broadcast address, expected that of one host")]
    Multicast,
    /// The prefix length is too long for the address, or not a number.
    #[error("bad prefix length, expected at most {0}")]
    PrefixLength(u8),
    /// Bits are set to the right of the prefix.
    #[error("bits are set beyond the prefix, expected `{0}`")]
    HostBits(Prefix),
}

/// Reads an address with a port, or one without when there is a default port.
pub fn parse_address(text: &str, default_port: Option<u16>) -> Result<SocketAddr, AddressError> {
    let address = match (text.parse::<SocketAddr>(), default_port) {
        (Ok(address), _) => address,
        (Err(_), port) => {
            let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
            let ip: IpAddr = bare.parse().map_err(|_| AddressError::NotAnAddress)?;
            SocketAddr::new(ip, port.ok_or(AddressError::NoPort)?)
        }
    };
    let is_broadcast = address.ip() == IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
    if address.ip().is_multicast() || is_broadcast {
        return Err(AddressError::Multicast);
    }
    if address.port() == 0 { Err(AddressError::PortZero) } else { Ok(address) }
}

/// A range of addresses that share their first bits (CIDR).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix {
    address: IpAddr,
    bits: u8,
}

impl Prefix {
    /// Reads `192.0.2.0/24`, `2001:db8::/32`, or one address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| AddressError::NotAnAddress)?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => whole,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|&length| length <= whole && digits.bytes().all(|b| b.is_ascii_digit()))
                .ok_or(AddressError::PrefixLength(whole))?,
        };
        let network = Self { address: masked(address, length), bits: length };
        // A set host bit is a slip of the pen: of the address or of the length, nobody can tell.
        if network.address == address { Ok(network) } else { Err(AddressError::HostBits(network)) }
    }

    /// The prefix that holds `address` alone. IPv4 inside IPv6 is the IPv4 address (RFC 4291 §2.5.5.2).
    pub fn host(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many of the first bits are shared.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether `address` lies in it. A dual-stack socket's `::ffff:192.0.2.1` is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.bits) == self.address
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.address.is_ipv4() { 32 } else { 128 };
        write!(f, "{}", self.address)?;
        if self.bits < whole { write!(f, "/{}", self.bits) } else { Ok(()) }
    }
}

/// `address` with all bits beyond `length` cleared.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

/// The text is none of the words that its key knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", Listed(.0))]
pub struct UnknownWord(pub(super) Vec<&'static str>);

/// The value that `text` stands for among `choices`.
pub(super) fn choose<T: Copy>(text: &str, choices: &[(&'static str, T)]) -> Result<T, UnknownWord> {
    choices
        .iter()
        .find(|(word, _)| *word == text)
        .map(|&(_, value)| value)
        .ok_or_else(|| UnknownWord(choices.iter().map(|&(word, _)| word).collect()))
}

/// The longest TTL (RFC 2181 §8), and no less a bound on every other span.
const MAX_TTL: u32 = i32::MAX as u32;
