//! What the configuration says of zones that are served here: their keys, and where their nameservers are.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::super::keys;
use super::{Anchor, Known, Nameserver};
use crate::config::{Config, Propagation};
use crate::dns::name::Name;
use crate::dnssec::key::PublicKey;

/// The trust anchors of all zones that are signed here: the keys on disk that a DS record at the parent can name.
pub fn anchors(config: &Config) -> Result<Vec<Anchor>, String> {
    let mut anchors = Vec::new();
    for zone in config.zones.keys() {
        let stored = keys::all(&config.keys, zone)?;
        let public = stored.iter().map(|stored| stored.key.public());
        let dnskey: Vec<_> = public.filter(|key| key.is_secure_entry_point()).map(PublicKey::rdata).collect();
        if !dnskey.is_empty() {
            anchors.push(Anchor { zone: zone.clone(), ds: Vec::new(), dnskey });
        }
    }
    Ok(anchors)
}

/// The nameservers of all zones that are served here: danelaw itself, its secondaries, and unless the zone's
/// `propagation` leaves them out, those that its NS records name.
pub fn nameservers(config: &Config) -> BTreeMap<Name, Known> {
    let here = config.listen.dns.iter().map(|&address| Nameserver {
        name: "danelaw".to_owned(),
        address: SocketAddr::new(reachable(address.ip()), address.port()),
    });
    let here: Vec<Nameserver> = here.collect();
    let known = config.zones.values().map(|zone| {
        let mut servers = here.clone();
        for remote in &zone.secondaries {
            let server = |&address| Nameserver { name: remote.name.clone(), address };
            servers.extend(remote.addresses.iter().map(server));
        }
        (zone.origin.clone(), Known { servers, and_named: zone.propagation == Propagation::All })
    });
    known.collect()
}

/// Where something that listens at `ip` can be reached from here.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}
