//! Who may transfer a zone: addresses, TSIG keys, or both at once.

use std::net::{IpAddr, Ipv6Addr};

use crate::dns::name::{Name, NameRef};

/// Addresses that agree in their first bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefix {
    address: IpAddr,
    bits: u8,
}

/// One way of being allowed. Everything that it names has to be met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Where the request comes from; anywhere if `None`.
    pub from: Option<Prefix>,
    /// Which key signed it; none needed if `None`.
    pub key: Option<Name>,
}

/// The rules of a zone, any of which suffices.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Access(Vec<Rule>);

impl Prefix {
    /// The addresses whose first `bits` bits are those of `address`; `None` if it has fewer.
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let address = address.to_canonical();
        (bits <= Self::width(address)).then_some(Self { address, bits })
    }

    /// This address alone.
    pub fn one(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, bits: Self::width(address) }
    }

    /// Whether `address` is one of them. An IPv4 address that came mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if address.is_ipv4() != self.address.is_ipv4() {
            return false;
        }
        let free = u32::from(Self::width(address) - self.bits);
        let differ = bits(address) ^ bits(self.address);
        differ.checked_shr(free).unwrap_or(0) == 0
    }

    fn width(address: IpAddr) -> u8 {
        if address.is_ipv4() { 32 } else { 128 }
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => Ipv6Addr::to_bits(address),
    }
}

impl Access {
    /// Access by any of `rules`; by nobody if there are none.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules)
    }

    /// Whether a request from `peer`, signed with `key`, is allowed.
    pub fn allows(&self, peer: IpAddr, key: Option<NameRef<'_>>) -> bool {
        self.0.iter().any(|rule| {
            rule.from.is_none_or(|prefix| prefix.contains(peer))
                && rule.key.as_ref().is_none_or(|name| key == Some(name.as_ref()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_prefix_holds_what_agrees_in_its_bits() {
        let net = Prefix::new(address("192.0.2.128"), 25).unwrap();
        assert!(net.contains(address("192.0.2.255")) && net.contains(address("::ffff:192.0.2.129")));
        assert!(!net.contains(address("192.0.2.127")) && !net.contains(address("::192.0.2.129")));
        assert!(Prefix::new(address("::"), 0).unwrap().contains(address("2001:db8::1")));
        assert!(!Prefix::new(address("::"), 0).unwrap().contains(address("192.0.2.1")));
        assert!(!Prefix::one(address("2001:db8::1")).contains(address("2001:db8::2")));
        assert_eq!(Prefix::new(address("192.0.2.1"), 33), None);
    }

    #[test]
    fn a_rule_with_address_and_key_wants_both_and_no_rules_mean_nobody() {
        let key = Name::parse("xfr").unwrap();
        let here = address("192.0.2.1");
        let rule = |from: Option<&str>, key: Option<&Name>| Rule {
            from: from.map(|text| Prefix::one(address(text))),
            key: key.cloned(),
        };
        let both = Access::new(vec![rule(Some("192.0.2.1"), Some(&key))]);
        assert!(both.allows(here, Some(key.as_ref())));
        assert!(!both.allows(here, None));
        assert!(!both.allows(address("192.0.2.2"), Some(key.as_ref())));
        let either = Access::new(vec![rule(Some("192.0.2.1"), None), rule(None, Some(&key))]);
        assert!(either.allows(here, None) && either.allows(address("192.0.2.2"), Some(key.as_ref())));
        assert!(!either.allows(address("192.0.2.2"), Some(Name::root().as_ref())));
        assert!(!Access::default().allows(here, Some(key.as_ref())));
    }
}
