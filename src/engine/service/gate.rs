//! What the gate says to people: for whom it waits, until when, and what it costs not to wait.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Service;
use crate::dns::time::{Seconds, Timestamp};
use crate::engine::input::{Effect, Level};
use crate::engine::status::{GateKeyStatus, GateStatus};
use crate::tlsa::Material;
use crate::tlsa::rollover::gate::{Exposure, GateKey};
use crate::tlsa::rollover::{Lack, Standing};

/// Names that nobody could mean by `--except`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no nameserver of the service is called `{}`, expected one of: {}", .names.join("`, `"), .known.join(", "))]
pub struct Strangers {
    /// As they were given.
    pub names: Vec<Arc<str>>,
    /// The nameservers that there are, each by its name, and its address where it has one.
    pub known: Vec<Arc<str>>,
}

impl Service {
    /// Somebody asks for something that may not be in any file yet, or says for whom nobody is to wait.
    pub(in crate::engine) fn at_gate(
        &mut self,
        now: Timestamp,
        wanted: Option<&[u8]>,
        except: &BTreeSet<Arc<str>>,
        effects: &mut Vec<Effect>,
    ) {
        let before = self.excepted();
        let changed = match wanted {
            None if except.is_empty() => return,
            None => self.rollover.leave_out(now, except),
            Some(wanted) => {
                let Ok(material) = Material::parse(wanted) else { return };
                let Ok(changed) = self.rollover.ask(now, material, except) else { return };
                changed
            }
        };
        self.note(now, changed);
        let new: Vec<&str> =
            except.iter().filter(|name| !before.contains(*name)).map(AsRef::as_ref).collect();
        if !new.is_empty() {
            let line = format!(
                "service {}: the gate no longer waits for {}, as somebody asked; caches that are filled from there may \
                 lack the next key",
                self.config.name,
                new.join(", ")
            );
            effects.push(Effect::Log { level: Level::Warning, line });
        }
    }

    /// The names among `except` that no nameserver of the service has; nothing while none is known.
    pub(in crate::engine) fn strangers(&self, except: &BTreeSet<Arc<str>>) -> Option<Strangers> {
        let is_known = |name: &Arc<str>| self.rollover.places().any(|place| place.is_called(name));
        let names: Vec<_> = except.iter().filter(|name| !is_known(name)).cloned().collect();
        let known: BTreeSet<_> = self.rollover.places().map(|place| Arc::clone(&place.server)).collect();
        let known = Vec::from_iter(known);
        (!names.is_empty() && !known.is_empty()).then_some(Strangers { names, known })
    }

    fn excepted(&self) -> BTreeSet<Arc<str>> {
        self.rollover.entries().into_iter().flat_map(|entry| entry.except).collect()
    }

    /// The keys in use are to go as soon as others are live.
    pub(in crate::engine) fn compromised(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let line = format!("service {}: {}", self.config.name, self.cost_of_compromise());
        let changed = self.rollover.compromise(now);
        self.note(now, changed);
        effects.push(Effect::Log { level: Level::Warning, line });
    }

    /// What withdrawing the keys in use means.
    pub(in crate::engine) fn cost_of_compromise(&self) -> String {
        let ttl = Seconds::from(self.config.ttl);
        let gate = self.rollover.gate(None);
        let next = gate.keys.iter().filter(|key| key.standing != Standing::Live);
        let outage = match next.map(|key| (key.standing == Standing::Ready, key.until)).min() {
            None => format!(
                "no next key is announced: whenever another one is deployed, validating clients fail for up to {ttl} \
                 after all nameservers serve it"
            ),
            Some((true, _)) => "the next key is ready: deploy it now, and no client fails".to_owned(),
            Some((false, Some(until))) => format!(
                "the next key is known to all caches at {until}: if it is deployed before that, validating clients fail \
                 until then at the latest"
            ),
            Some((false, None)) => format!(
                "not all nameservers have been seen to serve the next key: if it is deployed now, validating clients \
                 fail until {ttl} after they do"
            ),
        };
        format!(
            "the records of the keys in use are withdrawn as soon as another key is live, and endpoints that still \
             present them then fail for validating clients; caches accept them for up to {ttl} more; {outage}"
        )
    }

    /// Whether `wanted`, or what the files hold, may be deployed, and why not.
    pub(in crate::engine) fn gate(&self, wanted: Option<&[u8]>) -> GateStatus {
        let material = match wanted.map(Material::parse).transpose() {
            Ok(material) => material,
            Err(error) => return self.closed(format!("what is to be deployed cannot be used: {error}")),
        };
        // A certificate that cannot be read may be the one that is to be deployed.
        if wanted.is_none()
            && let Some(path) = self
                .config
                .certificates
                .iter()
                .find(|path| self.alarms.is_raised(&path.display().to_string()))
        {
            return self.closed(format!("{} cannot be used, see `danelaw status`", path.display()));
        }
        if self.alarms.is_raised(super::PARAMETERS) {
            return self.closed("its parameters are refused, see `danelaw status`".to_owned());
        }
        let gate = self.rollover.gate(material.as_ref());
        if gate.keys.is_empty() {
            return self.closed(match material {
                Some(_) => {
                    "what is to be deployed cannot be published: no record can be made of it".to_owned()
                }
                None => "no record of the service has been published yet".to_owned(),
            });
        }
        let mut reasons = Vec::new();
        let mut until = Some(Timestamp::default());
        for key in &gate.keys {
            let waits = key.standing != Standing::Live && key.standing != Standing::Ready;
            if waits {
                reasons.extend(Self::reasons(key));
                until = until.max(key.until).filter(|_| key.until.is_some() && until.is_some());
            }
        }
        if gate.open && !reasons.is_empty() {
            reasons.push("the key in use is compromised: it is open all the same".to_owned());
        }
        let keys = gate.keys.iter().map(|key| GateKeyStatus {
            tlsa: key.association.short(),
            state: key.standing.to_string(),
            except: key.except.iter().map(ToString::to_string).collect(),
        });
        GateStatus {
            service: self.config.name.clone(),
            open: gate.open,
            keys: keys.collect(),
            until: until.filter(|until| !reasons.is_empty() && *until != Timestamp::default()),
            reasons,
        }
    }

    fn closed(&self, reason: String) -> GateStatus {
        GateStatus {
            service: self.config.name.clone(),
            open: false,
            keys: Vec::new(),
            until: None,
            reasons: vec![reason],
        }
    }

    /// Why a key may not be deployed yet, one line a nameserver.
    fn reasons(key: &GateKey) -> Vec<String> {
        let name = key.association.short();
        if !key.served {
            return vec![format!("{name} is not served by danelaw yet, see `danelaw status`")];
        }
        if let Some((since, until)) = key.since.zip(key.until) {
            return vec![format!(
                "caches may hold records without {name} until {until}; every nameserver that is waited for serves it \
                 since {since}"
            )];
        }
        key.lacking.iter().map(|lack| format!("{name}: {}", lacks(lack))).collect()
    }

    /// One line about a key that clients may not expect.
    pub(super) fn exposed(&self, exposure: &Exposure) -> String {
        let name = exposure.association.short();
        let at: Vec<&str> = exposure.at.iter().map(AsRef::as_ref).collect();
        let end = match exposure.until {
            Some(until) => format!("until {until}"),
            None if exposure.lacking.is_empty() => "until it is served, and a TTL more".to_owned(),
            None => {
                let lacking: Vec<String> = exposure.lacking.iter().map(lacks).collect();
                format!(
                    "until {} after all nameservers serve it ({})",
                    self.rollover.largest_ttl(),
                    lacking.join("; ")
                )
            }
        };
        let how = if exposure.healed { "was not published before" } else { "some caches may lack" };
        let may = if exposure.over { "may have failed" } else { "may fail" };
        format!(
            "{name}, which {how}, is presented by {}: validating clients {may} from {} {end}",
            at.join(", "),
            exposure.from
        )
    }
}

fn lacks(lack: &Lack) -> String {
    let place = &lack.place;
    match &lack.error {
        Some((since, error)) => {
            format!("{} {error} (since {since}), asked for {}", place.server, place.owner)
        }
        None if lack.unlooked => format!("{} has not been asked for {} yet", place.server, place.owner),
        None => format!("{} does not serve it at {} yet", place.server, place.owner),
    }
}
