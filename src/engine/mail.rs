//! MX hosts whose mail no TLSA record protects.
//!
//! Every MX RRset of every zone is looked at, which takes a tenth of a second for a million records: for a thread other
//! than the engine's. Whether such a host has STARTTLS at all is for the host to see.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::{Endpoint, Transport};
use crate::dns::name::{Name, NameError, NameRef};
use crate::dns::rtype::Rtype;
use crate::zone::{Contents, Node, Standing};

/// An MX host in a signed zone of ours, without a TLSA record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MxHost {
    /// The host.
    pub host: Name,
    /// The first of the names that have it for their MX host,
    pub domain: Name,
    /// and how many others have.
    pub others: usize,
    /// Where it is.
    pub addresses: Vec<IpAddr>,
    /// Whether it has been seen to offer STARTTLS.
    pub starttls: bool,
}

/// A zone to look through.
pub struct Looked<'a> {
    /// What is in it.
    pub contents: &'a Contents,
    /// Whether it is signed: only then are TLSA records looked at.
    pub signed: bool,
}

/// How many such hosts are told of, in the order of the names that they take mail for.
pub const MOST_HOSTS: usize = 100;
/// Where mail servers meet.
pub(super) const SMTP: u16 = 25;

/// The MX hosts without TLSA records. Names below delegations are not the zone's; those in other zones than these are
/// somebody else's.
pub fn unprotected(zones: &[Looked<'_>]) -> Vec<MxHost> {
    let mut hosts: BTreeMap<Name, MxHost> = BTreeMap::new();
    for zone in zones {
        for (domain, standing) in zone.contents.with_standing() {
            if standing != Standing::Authoritative {
                continue;
            }
            for host in mx_hosts(domain) {
                if let Some(known) = hosts.get_mut(&host) {
                    known.others += 1;
                } else if hosts.len() < MOST_HOSTS
                    && let Some(node) = unprotected_host(zones, &host)
                {
                    let (domain, addresses) = (domain.owner().to_owned(), addresses(node));
                    let found = MxHost { host: host.clone(), domain, others: 0, addresses, starttls: false };
                    hosts.insert(host, found);
                }
            }
        }
    }
    hosts.into_values().collect()
}

/// The MX hosts of a name.
pub(super) fn mx_hosts(node: &Node) -> impl Iterator<Item = Name> {
    let rdatas = node.rrset(Rtype::MX).into_iter().flat_map(|rrset| rrset.rdatas());
    let hosts = rdatas.filter_map(|rdata| NameRef::from_wire(rdata.get(2..)?).ok());
    // RFC 7505: the root stands for no mail at all.
    hosts.filter(|host| !host.is_root()).map(NameRef::to_owned)
}

/// Whether a zone has the TLSA records of a mail server, or says where they are.
pub(super) fn has_tlsa(contents: &Contents, host: &Name) -> Result<bool, NameError> {
    let owner = Endpoint::owner_of(host, SMTP, Transport::Tcp)?;
    let node = contents.nodes.get(owner.as_ref());
    Ok(node.is_some_and(|node| node.has(Rtype::TLSA) || node.has(Rtype::CNAME)))
}

/// The node of a host of ours that could have TLSA records and has none.
fn unprotected_host<'a>(zones: &[Looked<'a>], host: &Name) -> Option<&'a Node> {
    let holds = zones.iter().filter(|zone| zone.contents.covers(host.as_ref()));
    let zone = holds.max_by_key(|zone| zone.contents.origin().as_ref().label_count())?;
    let is_ours = zone.contents.standing(host.as_ref()) == Standing::Authoritative;
    if !zone.signed || !is_ours || has_tlsa(zone.contents, host).unwrap_or(true) {
        return None;
    }
    let contents: &'a Contents = zone.contents;
    contents.nodes.get(host.as_ref())
}

/// The addresses of a node, without those that are nobody's (RFC 5737, RFC 3849).
fn addresses(node: &Node) -> Vec<IpAddr> {
    let of_type = |rtype| node.rrset(rtype).into_iter().flat_map(|rrset| rrset.rdatas());
    let v4 = of_type(Rtype::A).filter_map(|rdata| <[u8; 4]>::try_from(rdata).ok()).map(Ipv4Addr::from);
    let v6 = of_type(Rtype::AAAA).filter_map(|rdata| <[u8; 16]>::try_from(rdata).ok()).map(Ipv6Addr::from);
    let v4 = v4.filter(|address| !address.is_documentation()).map(IpAddr::from);
    v4.chain(v6.filter(|address| address.segments()[..2] != [0x2001, 0xdb8]).map(IpAddr::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::problem::Place;
    use crate::dns::zonefile::{self, NoFiles};
    use crate::zone::{DraftBuilder, ManagedRrsets, Presigned};

    const SOA: &str = "$TTL 1h\n@ SOA ns1 root 1 2h 1h 5d 5m\n@ NS ns1\nns1 A 192.0.2.1\n";

    fn contents(origin: &str, text: &str) -> Contents {
        let origin = Name::parse(origin).unwrap();
        let mut builder = DraftBuilder::new(origin.clone(), Presigned::Drop);
        zonefile::read(
            "zone",
            (SOA.to_owned() + text).as_bytes(),
            origin.as_ref(),
            &mut NoFiles,
            &mut builder,
        );
        builder.build(&ManagedRrsets::default(), |_| Place::file("zone")).unwrap().0.contents
    }

    /// `host < domain + others`, one a host.
    fn found(zones: &[(&Contents, bool)]) -> Vec<String> {
        let zones: Vec<Looked<'_>> =
            zones.iter().map(|&(contents, signed)| Looked { contents, signed }).collect();
        let line = |each: &MxHost| format!("{} < {} + {}", each.host, each.domain, each.others);
        unprotected(&zones).iter().map(line).collect()
    }

    #[test]
    fn every_mx_record_of_every_zone_counts() {
        let zone =
            contents("example.test", "a MX 10 mx\nb.c MX 10 mx\n*.d MX 5 mx.other.test.\nmx A 127.0.0.25\n");
        let other = contents("other.test", "mx A 127.0.0.26\n@ MX 1 mx.example.net.\n");
        assert_eq!(
            found(&[(&zone, true), (&other, true)]),
            ["mx.example.test. < a.example.test. + 1", "mx.other.test. < *.d.example.test. + 0"]
        );
        assert_eq!(found(&[(&zone, false), (&other, true)]), ["mx.other.test. < *.d.example.test. + 0"]);
    }

    #[test]
    fn what_is_protected_delegated_or_nowhere_does_not_count() {
        let zone = contents(
            "example.test",
            "@ MX 1 mx\nmx A 127.0.0.1\n_25._tcp.mx TLSA 3 1 1 00\n\
             b MX 1 alias\nalias A 127.0.0.1\n_25._tcp.alias CNAME tlsa\ntlsa TLSA 3 1 1 00\n\
             c MX 1 mx.sub\nsub NS mx.sub\nmx.sub A 127.0.0.2\n\
             d MX 1 absent\ne MX 0 .\n",
        );
        assert_eq!(found(&[(&zone, true)]), [""; 0]);
    }

    #[test]
    fn addresses_of_documentation_are_nobodys() {
        let zone =
            contents("example.test", "@ MX 1 mx\nmx A 192.0.2.25\nmx A 127.0.0.25\nmx AAAA 2001:db8::1\n");
        let hosts = unprotected(&[Looked { contents: &zone, signed: true }]);
        assert_eq!(hosts[0].addresses, [IpAddr::from([127, 0, 0, 25])]);
    }

    #[test]
    fn there_is_a_limit() {
        let hosts: String = (0..150).map(|n| format!("n{n} MX 1 n{n}\nn{n} A 127.0.0.1\n")).collect();
        assert_eq!(found(&[(&contents("example.test", &hosts), true)]).len(), MOST_HOSTS);
    }
}
