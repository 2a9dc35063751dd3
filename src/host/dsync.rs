//! NOTIFY to whom a zone's parent names for it (RFC 9859): CDS records have changed, and need not be found by chance.
//!
//! The parent names them by DSYNC records below `_dsync`, for one delegation or for all. Each is told again and again for
//! a minute, as secondaries are, until it has heard. That nobody is named, or hears, costs nothing but time: CDS is
//! read without it, too.

use std::net::SocketAddr;

use super::{notify, parent};
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::Rtype;

/// The label of DSYNC records in the parent (RFC 9859 §2.1).
const DSYNC: &[u8] = b"_dsync";
/// The scheme that is NOTIFY (RFC 9859 §2.2).
const NOTIFY: u8 = 1;

/// Tells all of them, and logs who heard.
pub(super) async fn tell(zone: &Name, resolvers: &[SocketAddr]) {
    let targets = match targets(zone, resolvers).await {
        Ok(targets) => targets,
        Err(error) => {
            tracing::debug!("{zone}: whom the parent wants told of CDS cannot be found: {error}");
            return;
        }
    };
    for (name, addresses) in targets {
        let mut last = "has no address".to_owned();
        let mut heard = false;
        for address in addresses {
            match notify::notify_cds(address, zone.as_ref()).await {
                Ok(()) => {
                    tracing::info!("{zone}: {name} at {address} was told that CDS has changed");
                    heard = true;
                    break;
                }
                Err(error) => last = format!("{address} {error}"),
            }
        }
        if !heard {
            tracing::warn!("{zone}: {name} should be told that CDS has changed: {last}");
        }
    }
}

/// Whom the parent names, each with where it listens.
async fn targets(zone: &Name, resolvers: &[SocketAddr]) -> Result<Vec<(Name, Vec<SocketAddr>)>, String> {
    let resolvers = parent::in_use(zone.as_ref(), resolvers)?;
    let (above, _) = parent::zone_above(zone.as_ref(), &resolvers).await?;
    let mut targets = Vec::new();
    for name in owners(zone.as_ref(), above) {
        for rdata in parent::ask(&resolvers, name.as_ref(), Rtype::DSYNC).await? {
            let Some((port, target)) = for_cds(&rdata) else { continue };
            let addresses = parent::addresses(target, &resolvers).await?;
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
            targets.push((target.to_owned(), addresses));
        }
        if !targets.is_empty() {
            break;
        }
    }
    Ok(targets)
}

/// Where DSYNC records for a delegation are, in the order in which they count (RFC 9859 §4.1).
fn owners(zone: NameRef<'_>, above: NameRef<'_>) -> Vec<Name> {
    let Ok(for_all) = above.to_owned().child(DSYNC) else { return Vec::new() };
    let own = zone.label_count().saturating_sub(above.label_count());
    let labels: Vec<&[u8]> = zone.labels().take(own).collect();
    let for_one = labels.into_iter().rev().try_fold(for_all.clone(), |name, label| name.child(label));
    for_one.into_iter().chain([for_all]).collect()
}

/// Port and target of DSYNC rdata, if they are for CDS by NOTIFY.
fn for_cds(rdata: &[u8]) -> Option<(u16, NameRef<'_>)> {
    let [type_high, type_low, scheme, port_high, port_low, target @ ..] = rdata else { return None };
    let rtype = u16::from_be_bytes([*type_high, *type_low]);
    let concerns = rtype == Rtype::CDS.0 && *scheme == NOTIFY;
    let target = NameRef::from_wire(target).ok()?;
    concerns.then(|| (u16::from_be_bytes([*port_high, *port_low]), target))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn records_for_one_delegation_come_before_those_for_all() {
        let owners = |zone, above| owners(name(zone).as_ref(), name(above).as_ref());
        assert_eq!(
            owners("child.example", "example"),
            [name("child._dsync.example"), name("_dsync.example")]
        );
        let deep = [name("a.b._dsync.example"), name("_dsync.example")];
        assert_eq!(owners("a.b.example", "example"), deep);
    }

    #[test]
    fn only_records_for_cds_by_notify_count() {
        let rdata = b"\0\x3b\x01\x14\xef\x07scanner\0";
        assert_eq!(for_cds(rdata), Some((5_359, name("scanner").as_ref())));
        assert_eq!(for_cds(b"\0\x3e\x01\x14\xef\x07scanner\0"), None);
        assert_eq!(for_cds(b"\0\x3b\x02\x14\xef\x07scanner\0"), None);
        assert_eq!(for_cds(b"\0\x3b\x01\x14"), None);
    }
}
