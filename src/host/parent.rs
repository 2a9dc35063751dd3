//! What a zone's parent says of it: its DS records, on every nameserver of the parent.
//!
//! They are asked by TCP, so that only who sits on the way could answer in their name; a rollover goes by the answer.
//! Where the configuration does not name the servers, resolvers tell: the zone above is the nearest name that
//! has NS records. Those of the system are not asked about names that are delegated nowhere: that a laboratory has such
//! a zone concerns nobody else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::daemon::Message;
use super::{lookout, notify};
use crate::config::defaults;
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::Rtype;
use crate::dnssec::lifecycle::DsRrset;
use crate::engine::Input;
use crate::engine::outside::{At, ParentWatch};

/// The first pause while something is awaited; doubled each time,
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// up to this.
const LONGEST_WAIT: Duration = Duration::from_mins(10);
/// How many of the usual looks pass between two where nothing is awaited: about an hour.
const LOOKS: u32 = 13;
/// Where the system's resolvers are named.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Below these nobody delegates on the Internet: special-use names (RFC 6761, RFC 6762, RFC 7686, RFC 8375), and
/// `internal`, which is reserved for private networks.
const UNDELEGATED: [&str; 8] =
    ["test", "example", "invalid", "localhost", "local", "internal", "onion", "home.arpa"];

/// Asks again and again, and tells.
pub(super) async fn watch(watch: ParentWatch, resolvers: Arc<[SocketAddr]>, engine: Sender<Message>) {
    let mut pause = FIRST_WAIT;
    loop {
        let outcome = look(&watch, &resolvers).await;
        let failed = outcome.is_err();
        if engine.send(Message::Input(Input::AtParent { zone: watch.zone.clone(), outcome })).is_err() {
            return;
        }
        if watch.urgent || failed {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_WAIT);
        } else {
            tokio::time::sleep(lookout::recheck() * LOOKS).await;
        }
    }
}

/// What every server of the parent has; an error where one of them does not tell.
async fn look(watch: &ParentWatch, resolvers: &[SocketAddr]) -> Result<Vec<DsRrset>, String> {
    let servers = match &watch.servers[..] {
        [] => find(&watch.zone, resolvers).await?,
        known => locate(known, resolvers).await?,
    };
    let mut all = Vec::new();
    for server in servers {
        let rrset = notify::ask_rrset_by_tcp(server, watch.zone.as_ref(), Rtype::DS).await;
        let rrset = rrset.map_err(|error| format!("nameserver {server} of the parent {error}"))?;
        all.push(DsRrset { ttl: rrset.ttl, rdatas: rrset.rdatas });
    }
    Ok(all)
}

/// All addresses of nameservers; an error where one of them has none: what it gives would not be known.
async fn locate(known: &[At], resolvers: &[SocketAddr]) -> Result<Vec<SocketAddr>, String> {
    let mut found = Vec::new();
    for at in known {
        let (host, port) = match at {
            At::Address(address) => {
                found.push(*address);
                continue;
            }
            At::Host(host, port) => (host.as_ref(), *port),
        };
        let addresses = addresses(host, &in_use(host, resolvers)?).await?;
        if addresses.is_empty() {
            return Err(format!("no address of {host}, a nameserver of the parent, can be found"));
        }
        found.extend(addresses.into_iter().map(|address| SocketAddr::new(address, port)));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// All addresses of the nameservers of the zone above.
async fn find(zone: &Name, resolvers: &[SocketAddr]) -> Result<Vec<SocketAddr>, String> {
    let resolvers = in_use(zone.as_ref(), resolvers)?;
    let (parent, names) = zone_above(zone.as_ref(), &resolvers).await?;
    let mut found = Vec::new();
    for name in &names {
        let Ok(name) = NameRef::from_wire(name) else { continue };
        found.extend(addresses(name, &resolvers).await?);
    }
    if found.is_empty() {
        return Err(format!("no address of a nameserver of {parent} can be found"));
    }
    Ok(found.into_iter().map(|address| SocketAddr::new(address, defaults::DNS_PORT)).collect())
}

/// The nearest name above that has nameservers, and their names on the wire.
pub(super) async fn zone_above<'n>(
    zone: NameRef<'n>,
    resolvers: &[SocketAddr],
) -> Result<(NameRef<'n>, Vec<Vec<u8>>), String> {
    let above = std::iter::successors(zone.parent(), |name| name.parent());
    for parent in above.collect::<Vec<_>>() {
        let names = ask(resolvers, parent, Rtype::NS).await?;
        if !names.is_empty() {
            return Ok((parent, names));
        }
    }
    Err(format!("no zone above {zone} can be found"))
}

/// Where a host is.
pub(super) async fn addresses(host: NameRef<'_>, resolvers: &[SocketAddr]) -> Result<Vec<IpAddr>, String> {
    let v4 = ask(resolvers, host, Rtype::A).await?;
    let v6 = ask(resolvers, host, Rtype::AAAA).await?;
    let v4 = v4.iter().filter_map(|rdata| Some(Ipv4Addr::from(<[u8; 4]>::try_from(&rdata[..]).ok()?)));
    let v6 = v6.iter().filter_map(|rdata| Some(Ipv6Addr::from(<[u8; 16]>::try_from(&rdata[..]).ok()?)));
    Ok(v4.map(IpAddr::from).chain(v6.map(IpAddr::from)).collect())
}

/// Asks one resolver after the other until one answers.
pub(super) async fn ask(
    resolvers: &[SocketAddr],
    name: NameRef<'_>,
    rtype: Rtype,
) -> Result<Vec<Vec<u8>>, String> {
    let mut last = format!("{RESOLV_CONF} names no nameserver");
    for resolver in resolvers {
        match notify::resolve(*resolver, name, rtype).await {
            Ok(rdatas) => return Ok(rdatas),
            Err(error) => last = format!("resolver {resolver} {error}"),
        }
    }
    Err(last)
}

/// Whom to ask about the parent of `zone`: the configured resolvers, or those of the system.
pub(super) fn in_use(zone: NameRef<'_>, configured: &[SocketAddr]) -> Result<Vec<SocketAddr>, String> {
    if !configured.is_empty() {
        return Ok(configured.to_vec());
    }
    if let Some(undelegated) = undelegated(zone) {
        return Err(format!(
            "nobody delegates below `{undelegated}` on the Internet, so the system's resolvers are not asked; `parent` \
             of the zone can name nameservers, or `resolvers` who knows them"
        ));
    }
    let text = std::fs::read_to_string(RESOLV_CONF).map_err(|error| format!("{RESOLV_CONF}: {error}"))?;
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let servers = servers.filter_map(|server| server.trim().parse::<IpAddr>().ok());
    Ok(servers.map(|server| SocketAddr::new(server, defaults::DNS_PORT)).collect())
}

/// The special-use name at or below which `zone` is.
fn undelegated(zone: NameRef<'_>) -> Option<&'static str> {
    let contains = |name: &&str| Name::parse(name).is_ok_and(|name| zone.is_at_or_below(name.as_ref()));
    UNDELEGATED.into_iter().find(contains)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nameserver_of_the_parent_that_cannot_be_found_is_an_error() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let here = SocketAddr::from(([192, 0, 2, 1], 53));
        let located = |servers: &[At]| runtime.block_on(locate(servers, &[]));
        assert_eq!(located(&[At::Address(here), At::Address(here)]), Ok(vec![here]));
        let host = At::Host(Name::parse("ns1.provider.test").unwrap(), 53);
        let said = located(&[At::Address(here), host]).unwrap_err();
        assert!(said.contains("nobody delegates below `test`"), "{said}");
    }

    #[test]
    fn the_resolvers_of_the_system_are_not_asked_about_special_use_names() {
        for zone in
            ["test", "zone.EXAMPLE", "a.b.invalid", "localhost", "local", "internal", "x.onion", "home.arpa"]
        {
            let zone = Name::parse(zone).unwrap();
            let said = in_use(zone.as_ref(), &[]).unwrap_err();
            assert!(said.contains("`parent` of the zone"), "{said}");
            let configured = [SocketAddr::from(([127, 0, 0, 1], 53))];
            assert_eq!(in_use(zone.as_ref(), &configured), Ok(configured.to_vec()));
        }
        for zone in ["example.com", "example.org", "example.net", "latest", "test.nl", "arpa", "."] {
            assert_eq!(undelegated(Name::parse(zone).unwrap().as_ref()), None, "{zone}");
        }
    }
}
