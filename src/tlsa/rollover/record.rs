//! A [`Rollover`] as it is stored: plain, versioned, public octets only.
//!
//! Deadlines are points in time, so they go on through a restart.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::{Role, Rollover, Source, Standing, Tracked, Why};
use crate::dns::time::{Timestamp, Ttl};
use crate::tlsa::material::{Certificate, Kind, Material, MaterialError};
use crate::tlsa::params::{Params, ParamsError};

/// The version written, and the only one read.
pub const VERSION: u32 = 1;

/// What is stored of one service. Times are seconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Record {
    version: u32,
    params: Vec<String>,
    retiring: Vec<RetiringParams>,
    sources: Vec<SourceRecord>,
    ttl: u32,
    former_ttls: Vec<FormerTtl>,
    clock: u64,
    complete: bool,
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
    #[error("rollover state of {0}: a certificate or key is not base64")]
    Base64(String),
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
on_disk!(KindRecord for Kind { Certificate, Request, PrivateKey, PublicKey });
on_disk!(WhyRecord for Why {
    InCertificateFile, InNextFile, CertificateReplaced, NextReplaced, NotConfigured, ParamsRetired,
});

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum StandingRecord {
    Live,
    Announced { gone: bool },
    Draining { until: u64 },
    Orphaned { until: u64 },
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
            former_ttls: former.map(|(ttl, until)| FormerTtl { ttl: ttl.0, until: until.0 }).collect(),
            clock: rollover.clock.0,
            complete: rollover.complete,
            tracked: rollover.tracked.iter().map(TrackedRecord::from).collect(),
        }
    }
}

impl TryFrom<Record> for Rollover {
    type Error = RecordError;

    fn try_from(record: Record) -> Result<Self, RecordError> {
        if record.version != VERSION {
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
            complete: record.complete,
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
            key: BASE64.encode(tracked.material.spki()),
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
        Ok(Self {
            slot: record.slot.into(),
            material,
            standing: record.standing.into(),
            since: Timestamp(record.since),
            why: record.why.into(),
        })
    }
}

impl From<Standing> for StandingRecord {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Live => Self::Live,
            Standing::Announced { gone } => Self::Announced { gone },
            Standing::Draining { until } => Self::Draining { until: until.0 },
            Standing::Orphaned { until } => Self::Orphaned { until: until.0 },
        }
    }
}

impl From<StandingRecord> for Standing {
    fn from(record: StandingRecord) -> Self {
        match record {
            StandingRecord::Live => Self::Live,
            StandingRecord::Announced { gone } => Self::Announced { gone },
            StandingRecord::Draining { until } => Self::Draining { until: Timestamp(until) },
            StandingRecord::Orphaned { until } => Self::Orphaned { until: Timestamp(until) },
        }
    }
}
