//! Who may transfer a zone, and may ask about it if it is private: addresses, TSIG keys, names in client certificates, or several of them at once.

use std::net::{IpAddr, Ipv6Addr};

use crate::dns::name::{Name, NameRef};

/// Addresses that agree in their first bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefix {
    address: IpAddr,
    bits: u8,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// Where it comes from.
    pub address: IpAddr,
    /// There if it comes over TLS 1.3, as transfers within TLS have to (RFC 9103 §7): the names in the client's
    /// certificate, if it has shown one that is trusted.
    pub tls: Option<&'a [Name]>,
}

/// What a rule wants of the TLS connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tls {
    /// That there is one.
    Any,
    /// A client certificate with this name.
    Named(Name),
}

/// One way of being allowed. Everything that it names has to be met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Where the request comes from; anywhere if `None`.
    pub from: Option<Prefix>,
    /// Which key signed it; none needed if `None`.
    pub key: Option<Name>,
    /// Whether it comes within TLS; that matters not if `None`.
    pub tls: Option<Tls>,
}

/// The rules of a zone, any of which suffices.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Access {
    transfer: Vec<Rule>,
    is_private: bool,
}

impl From<IpAddr> for Peer<'_> {
    /// Who comes by anything but TLS.
    fn from(address: IpAddr) -> Self {
        Self { address, tls: None }
    }
}

impl Tls {
    fn is_met(&self, peer: Peer<'_>) -> bool {
        peer.tls.is_some_and(|names| match self {
            Self::Any => true,
            Self::Named(name) => names.contains(name),
        })
    }
}

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
        Self { transfer: rules, is_private: false }
    }

    /// The same, and queries are for those as well who may transfer.
    #[must_use]
    pub fn private(self) -> Self {
        Self { is_private: true, ..self }
    }

    /// Whether there are queries that are not answered.
    pub fn is_private(&self) -> bool {
        self.is_private
    }

    /// Whether a query from `peer`, signed with `key`, is answered.
    pub fn answers(&self, peer: Peer<'_>, key: Option<NameRef<'_>>) -> bool {
        !self.is_private || self.allows(peer, key)
    }

    /// Whether a transfer to `peer`, which signed its request with `key`, is allowed.
    pub fn allows(&self, peer: Peer<'_>, key: Option<NameRef<'_>>) -> bool {
        self.transfer.iter().any(|rule| {
            rule.from.is_none_or(|prefix| prefix.contains(peer.address))
                && rule.key.as_ref().is_none_or(|name| key == Some(name.as_ref()))
                && rule.tls.as_ref().is_none_or(|tls| tls.is_met(peer))
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
        let (here, there) = (Peer::from(address("192.0.2.1")), Peer::from(address("192.0.2.2")));
        let rule = |from: Option<&str>, key: Option<&Name>| Rule {
            from: from.map(|text| Prefix::one(address(text))),
            key: key.cloned(),
            tls: None,
        };
        let both = Access::new(vec![rule(Some("192.0.2.1"), Some(&key))]);
        assert!(both.allows(here, Some(key.as_ref())));
        assert!(!both.allows(here, None));
        assert!(!both.allows(there, Some(key.as_ref())));
        let either = Access::new(vec![rule(Some("192.0.2.1"), None), rule(None, Some(&key))]);
        assert!(either.allows(here, None) && either.allows(there, Some(key.as_ref())));
        assert!(!either.allows(there, Some(Name::root().as_ref())));
        assert!(!Access::default().allows(here, Some(key.as_ref())));
    }

    #[test]
    fn a_rule_with_tls_wants_the_certificate_and_all_else_that_it_names() {
        let (key, ns2) = (Name::parse("xfr").unwrap(), Name::parse("NS2.example").unwrap());
        let names = [Name::parse("mail.example").unwrap(), Name::parse("ns2.Example").unwrap()];
        let from = |names| Peer { address: address("192.0.2.1"), tls: names };
        let rule = |tls| Rule { from: None, key: Some(key.clone()), tls: Some(tls) };
        let named = Access::new(vec![rule(Tls::Named(ns2))]);
        assert!(named.allows(from(Some(&names)), Some(key.as_ref())));
        assert!(!named.allows(from(Some(&names)), None));
        assert!(!named.allows(from(Some(&names[..1])), Some(key.as_ref())));
        assert!(!named.allows(from(Some(&[])), Some(key.as_ref())));
        assert!(!named.allows(from(None), Some(key.as_ref())));
        let any = Access::new(vec![rule(Tls::Any)]);
        assert!(any.allows(from(Some(&[])), Some(key.as_ref())));
        assert!(!any.allows(from(None), Some(key.as_ref())));
    }

    #[test]
    fn a_private_zone_answers_those_who_may_transfer_it() {
        let rule = Rule { from: Some(Prefix::one(address("192.0.2.1"))), key: None, tls: None };
        let (here, there) = (Peer::from(address("192.0.2.1")), Peer::from(address("192.0.2.2")));
        let open = Access::new(vec![rule]);
        assert!(open.answers(here, None) && open.answers(there, None));
        let private = open.private();
        assert!(private.answers(here, None) && !private.answers(there, None));
    }
}
