//! A [`Rollover`] as it is stored: plain, versioned, public octets only.
//!
//! Deadlines are points in time, so they go on through a restart; so do observations.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::propagation::{Place, Propagation, Seen};
use super::tracked::{Next, Tracked};
use super::{Role, Rollover, Source, Standing, Visit, Why};
use crate::dns::rtype::Rtype;
use crate::dns::time::{Seconds, Timestamp, Ttl};
use crate::tlsa::association::{Association, RdataError};
use crate::tlsa::material::{Certificate, Kind, Material, MaterialError};
use crate::tlsa::params::{Params, ParamsError};

/// The version written. The ones before are read as well: 3 forgot since when the gate could be asked, 2 knew no TTLs of
/// nameservers, 1 nothing of what is seen outside.
pub const VERSION: u32 = 4;

/// What is stored of one service. Times are seconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Record {
    version: u32,
    params: Vec<String>,
    retiring: Vec<RetiringParams>,
    sources: Vec<SourceRecord>,
    ttl: u32,
    #[serde(default)]
    grace: u64,
    #[serde(default)]
    negative: u32,
    former_ttls: Vec<FormerTtl>,
    clock: u64,
    #[serde(default)]
    answering: u64,
    complete: bool,
    #[serde(default)]
    places: Vec<PlaceRecord>,
    /// The endpoints that have been looked at, and when that was last noted.
    #[serde(default)]
    looked: BTreeMap<String, u64>,
    tracked: Vec<TrackedRecord>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RetiringParams {
    params: String,
    until: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FormerTtl {
    ttl: u32,
    until: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SourceRecord {
    slot: String,
    role: RoleRecord,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TrackedRecord {
    slot: String,
    standing: StandingRecord,
    since: u64,
    why: WhyRecord,
    kind: KindRecord,
    /// Base64 of DER, the leaf first.
    chain: Vec<String>,
    /// Base64 of SubjectPublicKeyInfo.
    key: String,
    /// What it stands for; version 1 had the standing alone.
    #[serde(default)]
    facts: Option<Facts>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Facts {
    current: bool,
    placed: Option<u64>,
    next: NextRecord,
    asked: Option<u64>,
    fielded: bool,
    live: bool,
    at: BTreeSet<String>,
    healed: bool,
    exposed: Option<u64>,
    seen_late: Option<u64>,
    first: bool,
    known: bool,
    #[serde(default)]
    known_by: Option<u64>,
    left: Option<(u64, WhyRecord)>,
    until: Option<u64>,
    served: Option<u64>,
    except: BTreeSet<String>,
    compromised: bool,
}

/// What was seen at a nameserver.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PlaceRecord {
    server: String,
    owner: String,
    /// The type and the rdata in base64, and since when it is seen.
    serves: BTreeMap<String, u64>,
    #[serde(default)]
    ttl: Option<u32>,
}

/// Why a record cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordError {
    /// Written by another danelaw.
    #[error("rollover state has version {0}; expected {VERSION}")]
    Version(u32),
    /// Parameters that are none.
    #[error("rollover state: {0}")]
    Params(#[from] ParamsError),
    /// A certificate or key that is none.
    #[error("rollover state of {slot}: {error}")]
    Material {
        /// Whose.
        slot: String,
        /// What is wrong with it.
        error: MaterialError,
    },
    /// Not base64.
    #[error("rollover state of {0}: a certificate, key or record is not base64")]
    Base64(String),
    /// A record that we would not have made.
    #[error("rollover state of {slot}: {error}")]
    Rdata {
        /// Where it was seen.
        slot: String,
        /// What is wrong with it.
        error: RdataError,
    },
}

/// Two enums that name the same things, one in the domain and one on disk.
macro_rules! on_disk {
    ($record:ident for $domain:ident { $($variant:ident),+ $(,)? }) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum $record { $($variant),+ }

        impl From<$domain> for $record {
            fn from(value: $domain) -> Self {
                match value { $($domain::$variant => Self::$variant),+ }
            }
        }

        impl From<$record> for $domain {
            fn from(value: $record) -> Self {
                match value { $($record::$variant => Self::$variant),+ }
            }
        }
    };
}

on_disk!(RoleRecord for Role { Current, Next });
on_disk!(KindRecord for Kind { Certificate, Request, PrivateKey, PublicKey, SshHostKey, OpenPgpKey });
on_disk!(NextRecord for Next { No, Here, Gone });
on_disk!(WhyRecord for Why {
    InCertificateFile, NotPresentedYet, InNextFile, NextGone, AskedAtGate, Presented, Healed, CertificateReplaced,
    NoLongerPresented, NextReplaced, NotConfigured, ParamsRetired, Compromised,
});

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum StandingRecord {
    Live,
    Ready,
    Announced {
        #[serde(default)]
        gone: bool,
        #[serde(default)]
        until: Option<u64>,
    },
    Draining {
        until: Option<u64>,
    },
    Orphaned {
        until: u64,
    },
    Withdrawn,
}

impl From<&Rollover> for Record {
    fn from(rollover: &Rollover) -> Self {
        let retiring = rollover.retiring.iter();
        let former = rollover.former_ttls.iter();
        let source =
            |source: &Source| SourceRecord { slot: source.slot.to_string(), role: source.role.into() };
        Self {
            version: VERSION,
            params: rollover.params.iter().map(Params::to_string).collect(),
            retiring: retiring
                .map(|(params, until)| RetiringParams { params: params.to_string(), until: until.0 })
                .collect(),
            sources: rollover.sources.iter().map(source).collect(),
            ttl: rollover.ttl.0,
            grace: rollover.grace.0,
            negative: rollover.negative.0,
            former_ttls: former.map(|(ttl, until)| FormerTtl { ttl: ttl.0, until: until.0 }).collect(),
            clock: rollover.clock.0,
            answering: rollover.answering.0,
            complete: rollover.complete,
            places: rollover.propagation.places.iter().map(PlaceRecord::from).collect(),
            looked: rollover
                .visits
                .iter()
                .filter_map(|(visit, state)| match state {
                    Visit::Looked(at) => Some((visit.to_string(), at.0)),
                    Visit::Unlooked | Visit::Failing => None,
                })
                .collect(),
            tracked: rollover.tracked.iter().map(TrackedRecord::from).collect(),
        }
    }
}

impl TryFrom<Record> for Rollover {
    type Error = RecordError;

    fn try_from(record: Record) -> Result<Self, RecordError> {
        if !(1..=VERSION).contains(&record.version) {
            return Err(RecordError::Version(record.version));
        }
        let params: Vec<Params> = record.params.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        let retiring = record.retiring.iter().map(|each| Ok((each.params.parse()?, Timestamp(each.until))));
        let source = |each: SourceRecord| Source { slot: each.slot.into(), role: each.role.into() };
        Ok(Self {
            params: super::sorted(&params),
            retiring: retiring.collect::<Result<_, ParamsError>>()?,
            sources: record.sources.into_iter().map(source).collect(),
            ttl: Ttl(record.ttl),
            former_ttls: record
                .former_ttls
                .iter()
                .map(|each| (Ttl(each.ttl), Timestamp(each.until)))
                .collect(),
            clock: Timestamp(record.clock),
            answering: Timestamp(record.answering),
            complete: record.complete,
            grace: Seconds(record.grace),
            negative: Ttl(record.negative),
            propagation: Propagation {
                places: record.places.into_iter().map(place).collect::<Result<_, _>>()?,
            },
            visits: record
                .looked
                .into_iter()
                .map(|(visit, at)| (visit.into(), Visit::Looked(Timestamp(at))))
                .collect(),
            tracked: record.tracked.into_iter().map(Tracked::try_from).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&Tracked> for TrackedRecord {
    fn from(tracked: &Tracked) -> Self {
        let chain = tracked.material.chain().iter().map(Certificate::der);
        Self {
            slot: tracked.slot.to_string(),
            standing: tracked.standing.into(),
            since: tracked.since.0,
            why: tracked.why.into(),
            kind: tracked.material.kind().into(),
            chain: chain.map(|der| BASE64.encode(der)).collect(),
            key: BASE64.encode(tracked.material.key()),
            facts: Some(Facts {
                current: tracked.current,
                placed: tracked.placed.map(|at| at.0),
                next: tracked.next.into(),
                asked: tracked.asked.map(|at| at.0),
                fielded: tracked.fielded,
                live: tracked.live,
                at: tracked.at.iter().map(ToString::to_string).collect(),
                healed: tracked.healed,
                exposed: tracked.exposed.map(|at| at.0),
                seen_late: tracked.seen_late.map(|at| at.0),
                first: tracked.first,
                known: tracked.known,
                known_by: tracked.known_by.map(|at| at.0),
                left: tracked.left.map(|(at, why)| (at.0, why.into())),
                until: tracked.until.map(|at| at.0),
                served: tracked.served.map(|at| at.0),
                except: tracked.except.iter().map(ToString::to_string).collect(),
                compromised: tracked.compromised,
            }),
        }
    }
}

impl TryFrom<TrackedRecord> for Tracked {
    type Error = RecordError;

    fn try_from(record: TrackedRecord) -> Result<Self, RecordError> {
        let decode = |text: &String| {
            BASE64.decode(text.as_bytes()).map_err(|_| RecordError::Base64(record.slot.clone()))
        };
        let chain: Vec<Vec<u8>> = record.chain.iter().map(decode).collect::<Result<_, _>>()?;
        let material = Material::restore(&chain, &decode(&record.key)?, record.kind.into())
            .map_err(|error| RecordError::Material { slot: record.slot.clone(), error })?;
        let (standing, why) = (record.standing.into(), record.why.into());
        let facts = record.facts.unwrap_or_else(|| Facts::of(record.standing, record.since, record.why));
        let texts = |set: BTreeSet<String>| set.into_iter().map(Into::into).collect();
        Ok(Self {
            slot: record.slot.into(),
            material,
            current: facts.current,
            placed: facts.placed.map(Timestamp),
            next: facts.next.into(),
            asked: facts.asked.map(Timestamp),
            fielded: facts.fielded,
            live: facts.live,
            at: texts(facts.at),
            healed: facts.healed,
            exposed: facts.exposed.map(Timestamp),
            seen_late: facts.seen_late.map(Timestamp),
            first: facts.first,
            known: facts.known,
            known_by: facts.known_by.map(Timestamp),
            left: facts.left.map(|(at, why)| (Timestamp(at), why.into())),
            until: facts.until.map(Timestamp),
            served: facts.served.map(Timestamp),
            except: texts(facts.except),
            compromised: facts.compromised,
            standing,
            since: Timestamp(record.since),
            why,
        })
    }
}

impl Facts {
    /// What the standing of version 1 meant.
    fn of(standing: StandingRecord, since: u64, why: WhyRecord) -> Self {
        let (live, fielded, until) = match standing {
            StandingRecord::Live => (true, true, None),
            StandingRecord::Draining { until } => (false, true, until),
            StandingRecord::Orphaned { until } => (false, false, Some(until)),
            StandingRecord::Ready | StandingRecord::Announced { .. } | StandingRecord::Withdrawn => {
                (false, false, None)
            }
        };
        let next = match standing {
            StandingRecord::Announced { gone: false, .. } => NextRecord::Here,
            StandingRecord::Announced { gone: true, .. } => NextRecord::Gone,
            _ => NextRecord::No,
        };
        Self {
            current: live,
            placed: None,
            next,
            asked: None,
            fielded,
            live,
            at: BTreeSet::new(),
            healed: false,
            exposed: None,
            seen_late: None,
            first: false,
            known: live,
            known_by: None,
            left: until.map(|_| (since, why)),
            until,
            served: None,
            except: BTreeSet::new(),
            compromised: false,
        }
    }
}

impl From<(&Place, &Seen)> for PlaceRecord {
    fn from((place, seen): (&Place, &Seen)) -> Self {
        let serves = seen.serves.iter().map(|(record, since)| {
            (format!("{} {}", record.params().rtype(), BASE64.encode(&record.rdata())), since.0)
        });
        Self {
            server: place.server.to_string(),
            owner: place.owner.to_string(),
            serves: serves.collect(),
            ttl: seen.ttl.map(|ttl| ttl.0),
        }
    }
}

fn place(record: PlaceRecord) -> Result<(Place, Seen), RecordError> {
    let place = Place { server: record.server.into(), owner: record.owner.into() };
    let slot = || place.server.to_string();
    let serves = record.serves.iter().map(|(text, since)| {
        let (rtype, rdata) = text.split_once(' ').unwrap_or_default();
        let rtype: Rtype = rtype.parse().map_err(|_| RecordError::Base64(slot()))?;
        let rdata = BASE64.decode(rdata.as_bytes()).map_err(|_| RecordError::Base64(slot()))?;
        let record = Association::from_rdata(rtype, &rdata)
            .map_err(|error| RecordError::Rdata { slot: slot(), error })?;
        Ok((record, Timestamp(*since)))
    });
    let serves = serves.collect::<Result<_, RecordError>>()?;
    Ok((place, Seen { serves, ttl: record.ttl.map(Ttl), error: None, looked: false }))
}

impl From<Standing> for StandingRecord {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Live => Self::Live,
            Standing::Ready => Self::Ready,
            Standing::Announced { until } => Self::Announced { gone: false, until: until.map(|at| at.0) },
            Standing::Draining { until } => Self::Draining { until: until.map(|at| at.0) },
            Standing::Orphaned { until } => Self::Orphaned { until: until.0 },
            Standing::Withdrawn => Self::Withdrawn,
        }
    }
}

impl From<StandingRecord> for Standing {
    fn from(record: StandingRecord) -> Self {
        match record {
            StandingRecord::Live => Self::Live,
            StandingRecord::Ready => Self::Ready,
            StandingRecord::Announced { until, .. } => Self::Announced { until: until.map(Timestamp) },
            StandingRecord::Draining { until } => Self::Draining { until: until.map(Timestamp) },
            StandingRecord::Orphaned { until } => Self::Orphaned { until: Timestamp(until) },
            StandingRecord::Withdrawn => Self::Withdrawn,
        }
    }
}
