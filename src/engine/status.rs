//! What is served, what is pending, until when and why: the one report behind `status`, in text and in JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::alarm::Alarms;
use super::input::Transferred;
use super::outside::Hidden;
use super::service::Service;
use super::signal::SignalStatus;
use super::zone::Zone;
use crate::config::ZoneSource;
use crate::dns::time::{Now, Timestamp};
use crate::dnssec::lifecycle::{KeyId, Life, Part};
use crate::dnssec::validate::Verified;
use crate::zone::Serial;

/// The state of everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// Nothing needs a person.
    pub well: bool,
    /// When this was true.
    pub now: Timestamp,
    /// What runs, and what it has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessStatus>,
    /// What concerns danelaw as a whole, such as a refused configuration.
    pub alarms: Vec<AlarmStatus>,
    /// What the encrypted listeners present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen_certificate: Option<CertificateStatus>,
    /// Zones in canonical order.
    pub zones: Vec<ZoneStatus>,
    /// Services by name.
    pub services: Vec<ServiceStatus>,
    /// What is well, and should be known all the same.
    #[serde(default)]
    pub advice: Vec<AdviceStatus>,
    /// What senders of mail report about TLS; absent while nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_reports: Option<ReportsStatus>,
    /// How many responses were too many; absent when nothing limits them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimitStatus>,
}

/// The process that says this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProcessStatus {
    /// The version of danelaw.
    pub version: String,
    /// When it was started.
    pub started: Timestamp,
    /// What has come and gone since, by each transport that there is.
    pub traffic: Vec<TrafficStatus>,
}

/// What has come and gone by one transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrafficStatus {
    /// `udp`, `tcp`, `tls`, `https` or `quic`.
    pub transport: String,
    /// Messages that came, sound or not.
    pub requests: u64,
    /// Responses by the rcode in their header. Transfers are not among them.
    pub responses: BTreeMap<String, u64>,
    /// How many of the responses have TC.
    pub truncated: u64,
    /// Zone transfers that were sent to their end.
    pub transfers: u64,
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
    /// The same by what the responses say.
    #[serde(default)]
    pub by_kind: Vec<LimitedStatus>,
}

/// Responses of one kind beyond their rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LimitedStatus {
    /// `answer`, `wildcard`, `referral`, `nodata`, `nxdomain` or `error`.
    pub kind: String,
    /// Not sent.
    pub dropped: u64,
    /// Sent truncated.
    pub truncated: u64,
}

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AdviceStatus {
    /// The zone, service or domain that it is about.
    pub about: String,
    /// What it is, and what to do.
    pub text: String,
}

/// What senders of mail have reported about TLS (RFC 8460) since the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReportsStatus {
    /// How many reports were counted.
    pub taken: u64,
    /// How many were none.
    pub refused: u64,
    /// How many times one spoke of a domain that is not looked after here.
    pub foreign: u64,
    /// The domains that they speak of.
    pub domains: Vec<DomainReportStatus>,
}

/// What was reported of one domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DomainReportStatus {
    /// The domain of the policy.
    pub domain: String,
    /// Sessions by TLS as it should be.
    pub successful: u64,
    /// Those that were not.
    pub failed: u64,
    /// Until when sessions were counted, at the latest.
    pub latest: Option<Timestamp>,
    /// Why they failed.
    pub failures: Vec<ReportFailureStatus>,
}

/// Sessions that failed alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReportFailureStatus {
    /// The service that was met, if it is one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Its host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// A result type of RFC 8460 §4.3, or `other`.
    pub result: String,
    /// How many sessions.
    pub sessions: u64,
}

/// A zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ZoneStatus {
    /// Its apex.
    pub zone: String,
    /// The served serial; absent while the zone is not served.
    pub serial: Option<u32>,
    /// Since when that version is served; after a restart, since the restart.
    pub published: Option<Timestamp>,
    /// The serial that its file had.
    pub file_serial: Option<u32>,
    /// Where it comes from, if that is another primary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<PrimaryStatus>,
    /// How many records are served, everything counted.
    pub records: usize,
    /// How absence is proven: `none`, `nsec`, `nsec3`.
    pub denial: String,
    /// When the first signature expires.
    pub signatures_expire: Option<Timestamp>,
    /// When signatures are made anew.
    pub next_signing: Option<Timestamp>,
    /// How many signatures the last version took.
    pub signatures_made: usize,
    /// The key tags that sign it.
    pub key_tags: Vec<u16>,
    /// Where each of its keys is in its life.
    #[serde(default)]
    pub keys: Vec<KeyStatus>,
    /// What the parent should be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// What its nameservers have to signal to the parent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<SignalStatus>,
    /// Its secondaries, each address.
    pub secondaries: Vec<SecondaryStatus>,
    /// What someone should look at in the file.
    pub warnings: Vec<String>,
    /// What needs a person.
    pub alarms: Vec<AlarmStatus>,
}

/// A DNSSEC key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyStatus {
    /// Its tag.
    pub tag: u16,
    /// The number of its algorithm.
    pub algorithm: u8,
    /// Whether the parent may name it (flags 257).
    pub entry_point: bool,
    /// Why it is to go, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<String>,
    /// Whether CDS asks the parent for its DS.
    #[serde(default)]
    pub submitted: bool,
    /// Its DNSKEY record, its signatures over data (RRSIG), its DS record.
    pub parts: Vec<KeyPartStatus>,
}

/// What caches know of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyPartStatus {
    /// `DNSKEY`, `RRSIG` or `DS`.
    pub part: String,
    /// `hidden`, `rumoured`, `omnipresent` or `unretentive`.
    pub state: String,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When that ends by itself, where everything has been seen that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// The primaries of a zone that comes from one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PrimaryStatus {
    /// Their names in the configuration, in the order in which they are asked.
    pub remotes: Vec<String>,
    /// Which of them answered last, with its address.
    pub answered: Option<String>,
    /// The serial that it had.
    pub serial: Option<u32>,
    /// The serial of what was transferred last.
    pub transferred: Option<u32>,
    /// When one of them last had what is served for current; as stored, so up to a minute earlier.
    pub current: Option<Timestamp>,
    /// When the zone expires, or has, unless one of them does so again.
    pub expires: Option<Timestamp>,
    /// Whether it has, and is not served.
    pub expired: bool,
    /// When they are asked again; absent while they are.
    pub next: Option<Timestamp>,
    /// What went wrong since one of them answered.
    pub error: Option<String>,
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
    /// How far that is behind what is served, in numbers; below zero when it is ahead.
    pub lag: Option<i32>,
    /// When it was seen.
    pub seen: Option<Timestamp>,
    /// What went wrong since.
    pub error: Option<String>,
    /// What was transferred last to this address, with this secondary's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferStatus>,
}

/// A transfer that came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TransferStatus {
    /// When.
    pub at: Timestamp,
    /// The version that was sent.
    pub serial: u32,
    /// `axfr` or `ixfr`: all of the zone, or what has changed.
    pub style: String,
    /// The version that the changes apply to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u32>,
    /// How many octets the messages had.
    pub octets: u64,
    /// `tcp` or `tls`.
    pub transport: String,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceStatus {
    /// Its name in the configuration.
    pub service: String,
    /// The type of its records.
    #[serde(rename = "type")]
    pub rtype: String,
    /// The owners of its records.
    pub owners: Vec<String>,
    /// The TTL of its records, in seconds.
    pub ttl: u32,
    /// The certificates in use.
    #[serde(default)]
    pub certificates: Vec<CertificateStatus>,
    /// What is published.
    pub associations: Vec<AssociationStatus>,
    /// Whether the next certificate may be deployed now.
    pub gate: Option<GateStatus>,
    /// The endpoints that are looked at.
    #[serde(default)]
    pub probes: Vec<ProbeStatus>,
    /// What needs a person.
    pub alarms: Vec<AlarmStatus>,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CertificateStatus {
    /// The file that it was read from.
    pub file: String,
    /// When it expires.
    pub expires: Timestamp,
}

/// Whether the next certificate may be deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GateStatus {
    /// The service.
    pub service: String,
    /// Whether it may.
    pub open: bool,
    /// What is to be deployed.
    pub keys: Vec<GateKeyStatus>,
    /// When it opens, as far as that can be told.
    pub until: Option<Timestamp>,
    /// For whom or what it waits, one line each.
    pub reasons: Vec<String>,
}

/// A key at the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GateKeyStatus {
    /// Its first record, shortened.
    pub tlsa: String,
    /// How it stands.
    pub state: String,
    /// Nameservers that are not waited for, because somebody said so.
    pub except: Vec<String>,
}

/// An endpoint that is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProbeStatus {
    /// The endpoint and its address.
    pub at: String,
    /// When it was last seen.
    pub seen: Option<Timestamp>,
    /// What went wrong since.
    pub error: Option<String>,
}

/// A published association.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AssociationStatus {
    /// The rdata of the record in presentation form, TLSA or not.
    pub tlsa: String,
    /// The certificate file of its slot.
    pub slot: String,
    /// `announced`, `ready`, `live`, `draining`, `orphaned` or `withdrawn`.
    pub state: String,
    /// Since when.
    pub since: Timestamp,
    /// When that ends by itself: it will be ready, or dropped.
    pub until: Option<Timestamp>,
    /// What brought it there.
    pub why: String,
}

/// Something that needs a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AlarmStatus {
    /// Since when.
    pub since: Timestamp,
    /// What it is, what it means, what to do.
    pub text: String,
}

pub(super) fn alarms(alarms: &Alarms) -> Vec<AlarmStatus> {
    alarms.iter().map(|alarm| AlarmStatus { since: alarm.since, text: alarm.text.clone() }).collect()
}

impl Zone {
    pub(super) fn status(&self, now: Now) -> ZoneStatus {
        let served = self.served.as_ref().filter(|_| !self.upstream.withdrawn);
        let snapshot = served.map(Verified::snapshot);
        let serial = snapshot.map(|snapshot| snapshot.serial());
        let next = self.works_at(now);
        ZoneStatus {
            zone: self.origin().to_string(),
            serial: serial.map(|serial| serial.0),
            published: self.published,
            file_serial: match self.config.source {
                ZoneSource::File(_) => self.file_serial.or(self.record.file_serial).map(|serial| serial.0),
                ZoneSource::Primary(_) | ZoneSource::Catalog(_) => None,
            },
            primary: self.primary_status(),
            records: snapshot.map_or(0, |snapshot| snapshot.record_count()),
            denial: match snapshot.map(|snapshot| snapshot.denial()) {
                Some(crate::zone::Denial::Nsec) => "nsec",
                Some(crate::zone::Denial::Nsec3(_)) => "nsec3",
                Some(crate::zone::Denial::None) | None => "none",
            }
            .to_owned(),
            signatures_expire: self.expires(now.latest),
            next_signing: (self.is_signed_here() && next != Timestamp::NEVER).then_some(next),
            signatures_made: self.signatures,
            key_tags: if self.is_signed_here() { self.record.key_tags.clone() } else { Vec::new() },
            keys: self.key_status(),
            parent: self.handover(),
            signals: Vec::new(),
            secondaries: self.secondary_status(serial),
            warnings: self.warnings.iter().map(ToString::to_string).collect(),
            alarms: alarms(&self.alarms),
        }
    }

    fn key_status(&self) -> Vec<KeyStatus> {
        let life = &self.record.keys;
        let part = |key: &Life, part: Part| {
            let phase = key.phase(part);
            KeyPartStatus {
                part: part.name().to_owned(),
                state: phase.state.name().to_owned(),
                since: Some(phase.since).filter(|&since| since != Timestamp::default()),
                until: life.settles(key, part),
            }
        };
        let status = |(id, key): (KeyId, &Life)| KeyStatus {
            tag: id.tag,
            algorithm: id.algorithm,
            entry_point: key.entry_point,
            retired: key.retired.map(|retired| retired.name().to_owned()),
            submitted: life.duties(id, &[]).submitted,
            parts: Part::ALL.map(|each| part(key, each)).into(),
        };
        life.keys().map(status).collect()
    }

    /// Every configured address, seen or not.
    fn secondary_status(&self, served: Option<Serial>) -> Vec<SecondaryStatus> {
        let addresses = self.config.secondaries.iter().flat_map(|remote| {
            let key = remote.tsig.as_ref().map(|key| key.name.clone());
            remote.addresses.iter().map(move |&address| (remote.name.clone(), address, key.clone()))
        });
        addresses
            .map(|(remote, address, key)| {
                let sighting = self.secondaries.get(&(remote.clone(), address));
                let serial = sighting.and_then(|s| s.serial);
                SecondaryStatus {
                    remote,
                    address: address.to_string(),
                    serial: serial.map(|serial| serial.0),
                    // RFC 1982: of two serials the nearer way round counts.
                    lag: served.zip(serial).map(|(served, seen)| served.0.wrapping_sub(seen.0) as i32),
                    seen: sighting.and_then(|s| s.seen),
                    error: match sighting {
                        Some(sighting) => {
                            sighting.error.as_ref().map(|(since, error)| format!("{error} (since {since})"))
                        }
                        None => Some("not seen yet".to_owned()),
                    },
                    transfer: self.transfers.get(&(address.ip(), key)).map(transfer_status),
                }
            })
            .collect()
    }
}

fn transfer_status(transferred: &Transferred) -> TransferStatus {
    TransferStatus {
        at: transferred.at,
        serial: transferred.serial.0,
        style: if transferred.since.is_some() { "ixfr" } else { "axfr" }.to_owned(),
        since: transferred.since.map(|serial| serial.0),
        octets: transferred.octets,
        transport: transferred.transport.clone(),
    }
}

impl Service {
    fn probes(&self) -> Vec<ProbeStatus> {
        let visits: BTreeSet<&Arc<str>> = self.looked.keys().chain(self.hidden.keys()).collect();
        visits
            .into_iter()
            .map(|visit| ProbeStatus {
                at: visit.to_string(),
                seen: self.looked.get(visit).copied(),
                error: self
                    .hidden
                    .get(visit)
                    .map(|Hidden { since, error }| format!("{error} (since {since})")),
            })
            .collect()
    }

    pub(super) fn status(&self) -> ServiceStatus {
        let associations = self.rollover.entries().into_iter().map(|entry| AssociationStatus {
            tlsa: entry.association.to_string(),
            slot: entry.slot.to_string(),
            state: entry.standing.to_string(),
            since: entry.since,
            until: entry.standing.until(),
            why: entry.why.to_string(),
        });
        let certificates = self.config.certificates.iter().filter_map(|path| {
            let file = path.display().to_string();
            let expires = self.rollover.current(&file)?.not_after()?;
            Some(CertificateStatus { file, expires })
        });
        ServiceStatus {
            certificates: certificates.collect(),
            service: self.config.name.clone(),
            rtype: self.config.kind.rtype().to_string(),
            owners: self.config.rrsets().map(|(_, (owner, _))| owner.to_string()).collect(),
            ttl: self.config.ttl.0,
            associations: associations.collect(),
            gate: Some(self.gate(None)),
            probes: self.probes(),
            alarms: alarms(&self.alarms),
        }
    }
}
