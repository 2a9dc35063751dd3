//! What is served at this moment: one immutable set behind one pointer, replaced as a whole.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::policies::Policies;
use super::reports::Intake;
use crate::answer::{Access, Grant, Grants, Listener, Prefix, Rule, Server, Tls, Updater, Zone, Zones};
use crate::config::{Allow, AllowTls, Config, Ixfr, ZoneSource};
use crate::dns::name::Name;
use crate::dns::tsig::Keyring;
use crate::dnssec::validate::Verified;
use crate::zone::{History, Snapshot};

/// The served zones. Readers load one pointer per request, writers wait for each other.
pub struct Published {
    zones: Arc<ArcSwap<Zones>>,
    writing: Mutex<()>,
    listener: Arc<dyn Listener>,
    updater: Arc<dyn Updater>,
    policies: Arc<Policies>,
    intake: Intake,
}

impl Published {
    /// Nothing, yet. NOTIFYs will be told to `listener`, and updates to `updater`.
    pub(super) fn new(listener: Arc<dyn Listener>, updater: Arc<dyn Updater>) -> Self {
        let zones = Arc::new(ArcSwap::from_pointee(Zones::default()));
        Self {
            zones,
            writing: Mutex::new(()),
            listener,
            updater,
            policies: Arc::default(),
            intake: Intake::default(),
        }
    }

    /// The set to answer from; the pointer that UDP and TCP workers load.
    pub fn zones(&self) -> &Arc<ArcSwap<Zones>> {
        &self.zones
    }

    /// Whether reports about TLS are taken by POST.
    pub(super) fn intake(&self) -> &Intake {
        &self.intake
    }

    /// The MTA-STS policies that are served.
    pub(super) fn policies(&self) -> &Arc<Policies> {
        &self.policies
    }

    /// The version of one zone that is served.
    pub fn snapshot(&self, origin: &Name) -> Option<Arc<Snapshot>> {
        self.zones.load().find(origin.as_ref()).and_then(|zone| zone.snapshot().cloned())
    }

    /// Every version that is served.
    pub(super) fn snapshots(&self) -> Vec<Arc<Snapshot>> {
        self.zones.load().iter().filter_map(|zone| zone.snapshot().cloned()).collect()
    }

    /// Serves exactly the configured zones from now on, each with the version it had.
    pub(super) fn configure(&self, config: &Config, keyring: &Arc<Keyring>, server: &Arc<Server>) {
        self.policies.configure(config);
        self.intake.open(config.tls_reports.post);
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.zones.load();
        let zones = config.zones.values().map(|zone| {
            let transfer = access(zone.transfer_rules());
            // RFC 9432 §7: what zones there are is for those alone who serve them.
            let is_private = matches!(zone.source, ZoneSource::Catalog(_));
            let transfer = Arc::new(if is_private { transfer.private() } else { transfer });
            let (notify, grants) = match &zone.source {
                ZoneSource::Primary(primary) => {
                    (Some(Arc::new(access(primary.notify_rules()))), Grants::default())
                }
                ZoneSource::File(_) | ZoneSource::Catalog(_) => (None, grants(zone)),
            };
            let known = match old.find(zone.origin.as_ref()) {
                Some(known) => known.clone(),
                None => Zone::not_ready(zone.origin.clone(), Arc::clone(&transfer)),
            };
            let known = known.with_access(transfer, notify).changed_by(Arc::new(grants));
            known.sent_stepwise(zone.policy.ixfr == Ixfr::Stepwise)
        });
        let zones = Zones::new(zones.collect(), Arc::clone(keyring), Arc::clone(server));
        let zones = zones.heard_by(Arc::clone(&self.listener)).updated_by(Arc::clone(&self.updater));
        self.zones.store(Arc::new(zones));
    }

    /// Answers SERVFAIL for this zone from now on.
    pub(super) fn withdraw(&self, origin: &Name) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let zones = self.zones.load().without(origin.as_ref());
        self.zones.store(Arc::new(zones));
    }

    /// Serves this version from now on.
    pub(super) fn publish(&self, version: &Verified, history: Arc<History>) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let zones = self.zones.load().with(Arc::clone(version.snapshot()), history);
        self.zones.store(Arc::new(zones));
    }
}

/// Who may change a zone, as the answers check it.
fn grants(zone: &crate::config::Zone) -> Grants {
    let grants = zone.allow_update.iter().cloned().map(|grant| Grant {
        key: grant.tsig,
        from: grant.from.and_then(|prefix| Prefix::new(prefix.address(), prefix.bits())),
        names: grant.names,
        subtrees: grant.subtrees,
        types: grant.types,
    });
    Grants::new(grants.collect())
}

/// The configuration's rules as the answers check them.
fn access(rules: impl Iterator<Item = Allow>) -> Access {
    let rules = rules.map(|allow| Rule {
        from: allow.from.and_then(|prefix| Prefix::new(prefix.address(), prefix.bits())),
        key: allow.tsig,
        tls: allow.tls.map(|tls| match tls {
            AllowTls::Any => Tls::Any,
            AllowTls::Named(name) => Tls::Named(name),
        }),
    });
    Access::new(rules.collect())
}
