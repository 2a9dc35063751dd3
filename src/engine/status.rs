//! What is served, what is pending, until when and why: the one report behind `status`, in text and in JSON.

use serde::{Deserialize, Serialize};

use super::alarm::Alarms;
use super::service::Service;
use super::zone::Zone;
use crate::dns::time::{Now, Timestamp};
use crate::dnssec::validate::Verified;

/// The state of everything. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// Nothing needs a person.
    pub well: bool,
    /// When this was true.
    pub now: String,
    /// What concerns danelaw as a whole, such as a refused configuration.
    pub alarms: Vec<AlarmStatus>,
    /// Zones in canonical order.
    pub zones: Vec<ZoneStatus>,
    /// Services by name.
    pub services: Vec<ServiceStatus>,
    /// How many responses were too many; absent when nothing limits them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimitStatus>,
}

/// Responses beyond their rate, since the start or the last reload. With `log-only` they were sent all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RateLimitStatus {
    /// Not sent.
    pub dropped: u64,
    /// Sent truncated.
    pub truncated: u64,
    /// Whether they are only counted.
    pub log_only: bool,
}

/// A zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ZoneStatus {
    /// Its apex.
    pub zone: String,
    /// The served serial; absent while the zone is not served.
    pub serial: Option<u32>,
    /// The serial that its file had.
    pub file_serial: Option<u32>,
    /// How many records are served, everything counted.
    pub records: usize,
    /// How absence is proven: `none`, `nsec`, `nsec3`.
    pub denial: String,
    /// When the first signature expires.
    pub signatures_expire: Option<String>,
    /// When signatures are made anew.
    pub next_signing: Option<String>,
    /// How many signatures the last version took.
    pub signatures_made: usize,
    /// The key tags that sign it.
    pub key_tags: Vec<u16>,
    /// Its secondaries, each address.
    pub secondaries: Vec<SecondaryStatus>,
    /// What someone should look at in the file.
    pub warnings: Vec<String>,
    /// What needs a person.
    pub alarms: Vec<AlarmStatus>,
}

/// One address of a secondary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SecondaryStatus {
    /// Its name in the configuration.
    pub remote: String,
    /// The address.
    pub address: String,
    /// The serial that it was last seen to serve.
    pub serial: Option<u32>,
    /// When that was.
    pub seen: Option<String>,
    /// What went wrong since.
    pub error: Option<String>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceStatus {
    /// Its name in the configuration.
    pub service: String,
    /// The owners of its TLSA records.
    pub owners: Vec<String>,
    /// The TTL of its TLSA records, in seconds.
    pub ttl: u32,
    /// What is published.
    pub associations: Vec<AssociationStatus>,
    /// What needs a person.
    pub alarms: Vec<AlarmStatus>,
}

/// A published association.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AssociationStatus {
    /// The record in presentation form.
    pub tlsa: String,
    /// The certificate file of its slot.
    pub slot: String,
    /// `announced`, `live`, `draining` or `orphaned`.
    pub state: String,
    /// Since when.
    pub since: String,
    /// When it will be dropped.
    pub until: Option<String>,
    /// What brought it there.
    pub why: String,
}

/// Something that needs a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AlarmStatus {
    /// Since when.
    pub since: String,
    /// What it is, what it means, what to do.
    pub text: String,
}

pub(super) fn alarms(alarms: &Alarms) -> Vec<AlarmStatus> {
    alarms
        .iter()
        .map(|alarm| AlarmStatus { since: alarm.since.to_string(), text: alarm.text.clone() })
        .collect()
}

impl Zone {
    pub(super) fn status(&self, now: Now) -> ZoneStatus {
        let snapshot = self.served.as_ref().map(Verified::snapshot);
        let serial = snapshot.map(|snapshot| snapshot.serial());
        let next = self.works_at(now);
        ZoneStatus {
            zone: self.origin().to_string(),
            serial: serial.map(|serial| serial.0),
            file_serial: self.file_serial.or(self.record.file_serial).map(|serial| serial.0),
            records: snapshot.map_or(0, |snapshot| snapshot.record_count()),
            denial: match snapshot.map(|snapshot| snapshot.denial()) {
                Some(crate::zone::Denial::Nsec) => "nsec",
                Some(crate::zone::Denial::Nsec3(_)) => "nsec3",
                Some(crate::zone::Denial::None) | None => "none",
            }
            .to_owned(),
            signatures_expire: self.expires(now.latest).map(|at| at.to_string()),
            next_signing: (self.is_signed_here() && next != Timestamp::NEVER).then(|| next.to_string()),
            signatures_made: self.signatures,
            key_tags: if self.is_signed_here() { self.record.key_tags.clone() } else { Vec::new() },
            secondaries: self.secondary_status(),
            warnings: self.warnings.iter().map(ToString::to_string).collect(),
            alarms: alarms(&self.alarms),
        }
    }

    /// Every configured address, seen or not.
    fn secondary_status(&self) -> Vec<SecondaryStatus> {
        let addresses =
            self.config.secondaries.iter().flat_map(|remote| {
                remote.addresses.iter().map(move |&address| (remote.name.clone(), address))
            });
        addresses
            .map(|(remote, address)| {
                let sighting = self.secondaries.get(&(remote.clone(), address));
                SecondaryStatus {
                    remote,
                    address: address.to_string(),
                    serial: sighting.and_then(|s| s.serial).map(|serial| serial.0),
                    seen: sighting.and_then(|s| s.seen).map(|seen| seen.to_string()),
                    error: match sighting {
                        Some(sighting) => {
                            sighting.error.as_ref().map(|(since, error)| format!("{error} (since {since})"))
                        }
                        None => Some("not seen yet".to_owned()),
                    },
                }
            })
            .collect()
    }
}

impl Service {
    pub(super) fn status(&self) -> ServiceStatus {
        let associations = self.rollover.entries().into_iter().map(|entry| {
            let until = entry.standing.until().map(|until| until.to_string());
            let data = data_encoding::HEXLOWER.encode(entry.association.data());
            AssociationStatus {
                tlsa: format!("{} {data}", entry.association.params()),
                slot: entry.slot.to_string(),
                state: entry.standing.to_string(),
                since: entry.since.to_string(),
                until,
                why: entry.why.to_string(),
            }
        });
        ServiceStatus {
            service: self.config.name.clone(),
            owners: self.config.endpoints.iter().map(|endpoint| endpoint.owner().to_string()).collect(),
            ttl: self.config.ttl.0,
            associations: associations.collect(),
            alarms: alarms(&self.alarms),
        }
    }
}
