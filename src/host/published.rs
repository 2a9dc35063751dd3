//! What is served at this moment: one immutable set behind one pointer, replaced as a whole.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::answer::{Access, Prefix, Rule, Server, Tls, Zone, Zones};
use crate::config::{self, AllowTls, Config, ZoneSource};
use crate::dns::name::Name;
use crate::dns::tsig::Keyring;
use crate::dnssec::validate::Verified;
use crate::zone::{History, Snapshot};

/// The served zones. Readers load one pointer per request, writers wait for each other.
pub struct Published {
    zones: Arc<ArcSwap<Zones>>,
    writing: Mutex<()>,
}

impl Default for Published {
    fn default() -> Self {
        Self { zones: Arc::new(ArcSwap::from_pointee(Zones::default())), writing: Mutex::new(()) }
    }
}

impl Published {
    /// The set to answer from; the pointer that UDP and TCP workers load.
    pub fn zones(&self) -> &Arc<ArcSwap<Zones>> {
        &self.zones
    }

    /// The version of one zone that is served.
    pub fn snapshot(&self, origin: &Name) -> Option<Arc<Snapshot>> {
        self.zones.load().find(origin.as_ref()).and_then(|zone| zone.snapshot().cloned())
    }

    /// Serves exactly the configured zones from now on, each with the version it had.
    pub(super) fn configure(&self, config: &Config, keyring: &Arc<Keyring>, server: &Arc<Server>) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.zones.load();
        let zones = config.zones.values().map(|zone| {
            let access = access(zone);
            // RFC 9432 §7: what zones there are is for those alone who serve them.
            let is_private = matches!(zone.source, ZoneSource::Catalog(_));
            let access = Arc::new(if is_private { access.private() } else { access });
            match old.find(zone.origin.as_ref()) {
                Some(known) => known.with_access(access),
                None => Zone::not_ready(zone.origin.clone(), access),
            }
        });
        self.zones.store(Arc::new(Zones::new(zones.collect(), Arc::clone(keyring), Arc::clone(server))));
    }

    /// Serves this version from now on.
    pub(super) fn publish(&self, version: &Verified, history: Arc<History>) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let zones = self.zones.load().with(Arc::clone(version.snapshot()), history);
        self.zones.store(Arc::new(zones));
    }
}

/// The configuration's rules as the answers check them.
fn access(zone: &config::Zone) -> Access {
    let rules = zone.transfer_rules().map(|allow| Rule {
        from: allow.from.and_then(|prefix| Prefix::new(prefix.address(), prefix.bits())),
        key: allow.tsig,
        tls: allow.tls.map(|tls| match tls {
            AllowTls::Any => Tls::Any,
            AllowTls::Named(name) => Tls::Named(name),
        }),
    });
    Access::new(rules.collect())
}
