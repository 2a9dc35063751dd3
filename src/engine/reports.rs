//! What senders of mail report about TLS (RFC 8460): read from what they send, and counted.
//!
//! A report comes from anybody. Its reader takes any octets, and what is kept of all reports together is bounded by
//! the configuration: failures are counted for the domains that are served here, the hosts of their services, and the
//! result types of the RFC; whatever else a report names is counted with its like.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Read;

use flate2::read::MultiGzDecoder;
use ring::digest::{SHA256, digest};
use serde::Deserialize;

use super::status::{DomainReportStatus, ReportFailureStatus, ReportsStatus};
use crate::dns::name::Name;
use crate::dns::time::Timestamp;

/// A report, as far as it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Who sent it and what they call it, in 16 octets.
    id: Id,
    /// Until when it counts sessions.
    end: Option<Timestamp>,
    policies: Vec<Policy>,
}

/// What a report says of one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Policy {
    /// `None` if it is no name.
    domain: Option<Name>,
    successful: u64,
    failed: u64,
    failures: BTreeMap<(Option<Name>, ResultType), u64>,
}

type Id = [u8; 16];

/// Why a session failed (RFC 8460 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ResultType(&'static str);

/// Why octets are not taken for a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// More than a report has.
    #[error("more than {MAX_REPORT} octets, decompressed")]
    TooLarge,
    /// Neither gzip nor JSON, or not wholly written.
    #[error("no report as RFC 8460 §4 has it: expected JSON, or that in gzip")]
    Malformed,
}

impl Report {
    /// Reads a report, JSON or that in gzip.
    pub fn read(octets: &[u8]) -> Result<Self, ReportError> {
        if octets.starts_with(&GZIP) {
            let mut json = Vec::new();
            let inflated = MultiGzDecoder::new(octets).take(MAX_REPORT as u64 + 1).read_to_end(&mut json);
            inflated.map_err(|_| ReportError::Malformed)?;
            return Self::parse(&json);
        }
        Self::parse(octets)
    }

    fn parse(json: &[u8]) -> Result<Self, ReportError> {
        if json.len() > MAX_REPORT {
            return Err(ReportError::TooLarge);
        }
        let sent: Sent = serde_json::from_slice(json).map_err(|_| ReportError::Malformed)?;
        // Both together: each sender numbers its own.
        let named = digest(&SHA256, format!("{}\n{}", sent.organization_name, sent.report_id).as_bytes());
        let mut id = Id::default();
        id.copy_from_slice(&named.as_ref()[..16]);
        let end = sent.date_range.and_then(|range| range.end_datetime.parse().ok());
        let end = end.filter(|end| *end != Timestamp::NEVER);
        Ok(Self { id, end, policies: sent.policies.into_iter().map(Policy::from).collect() })
    }
}

impl From<SentPolicy> for Policy {
    fn from(sent: SentPolicy) -> Self {
        let mut failures = BTreeMap::new();
        for failure in sent.failure_details.unwrap_or_default() {
            let host = failure.receiving_mx_hostname.and_then(|host| Name::parse(&host).ok());
            let count: &mut u64 = failures.entry((host, ResultType::of(&failure.result_type))).or_default();
            *count = count.saturating_add(failure.failed_session_count);
        }
        Self {
            domain: Name::parse(&sent.policy.policy_domain).ok(),
            successful: sent.summary.total_successful_session_count,
            failed: sent.summary.total_failure_session_count,
            failures,
        }
    }
}

impl ResultType {
    fn of(text: &str) -> Self {
        Self(RESULT_TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(text)).unwrap_or(OTHER))
    }
}

/// What all reports said.
#[derive(Default)]
pub(super) struct Reports {
    taken: u64,
    refused: u64,
    /// About domains that are not served here.
    foreign: u64,
    domains: BTreeMap<Name, Counts>,
    /// The latest that were taken, the oldest first: senders repeat themselves, and files are read again.
    known: VecDeque<Id>,
    ids: BTreeSet<Id>,
}

#[derive(Default)]
struct Counts {
    successful: u64,
    failed: u64,
    latest: Option<Timestamp>,
    /// By the service and host that were met, if they are here, and why.
    failures: BTreeMap<(Option<(String, Name)>, ResultType), u64>,
}

impl Reports {
    /// Counts a report, or that something was none. `is_domain` tells which domains are looked after here, `service_of`
    /// which service a host belongs to.
    pub(super) fn take(
        &mut self,
        report: Result<&Report, ReportError>,
        is_domain: impl Fn(&Name) -> bool,
        service_of: impl Fn(&Name) -> Option<String>,
    ) {
        let Ok(report) = report else {
            self.refused += 1;
            return;
        };
        if !self.ids.insert(report.id) {
            return;
        }
        self.known.push_back(report.id);
        if self.known.len() > MAX_KNOWN
            && let Some(oldest) = self.known.pop_front()
        {
            self.ids.remove(&oldest);
        }
        self.taken += 1;
        for policy in &report.policies {
            let Some(domain) = policy.domain.as_ref().filter(|domain| is_domain(domain)) else {
                self.foreign += 1;
                continue;
            };
            let counts = self.domains.entry(domain.clone()).or_default();
            counts.successful = counts.successful.saturating_add(policy.successful);
            counts.failed = counts.failed.saturating_add(policy.failed);
            counts.latest = counts.latest.max(report.end);
            for ((host, result), sessions) in &policy.failures {
                let met = host.as_ref().and_then(|host| Some((service_of(host)?, host.clone())));
                let count = counts.failures.entry((met, *result)).or_default();
                *count = count.saturating_add(*sessions);
            }
        }
    }

    /// Forgets what concerns domains and hosts that are looked after here no more.
    pub(super) fn keep(
        &mut self,
        is_domain: impl Fn(&Name) -> bool,
        service_of: impl Fn(&Name) -> Option<String>,
    ) {
        self.domains.retain(|domain, _| is_domain(domain));
        for counts in self.domains.values_mut() {
            counts.failures.retain(|(met, _), _| {
                met.as_ref().is_none_or(|(service, host)| service_of(host).as_ref() == Some(service))
            });
        }
    }

    /// What they said; `None` while there are none.
    pub(super) fn status(&self) -> Option<ReportsStatus> {
        if self.taken == 0 && self.refused == 0 {
            return None;
        }
        let domains = self.domains.iter().map(|(domain, counts)| {
            let failures = counts.failures.iter().map(|((met, result), sessions)| ReportFailureStatus {
                service: met.as_ref().map(|(service, _)| service.clone()),
                host: met.as_ref().map(|(_, host)| host.to_string()),
                result: result.0.to_owned(),
                sessions: *sessions,
            });
            DomainReportStatus {
                domain: domain.to_string(),
                successful: counts.successful,
                failed: counts.failed,
                latest: counts.latest,
                failures: failures.collect(),
            }
        });
        Some(ReportsStatus {
            taken: self.taken,
            refused: self.refused,
            foreign: self.foreign,
            domains: domains.collect(),
        })
    }
}

/// A report as it is sent (RFC 8460 §4.4), without what is not counted.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sent {
    #[serde(default)]
    organization_name: String,
    report_id: String,
    #[serde(default)]
    date_range: Option<SentRange>,
    policies: Vec<SentPolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SentRange {
    end_datetime: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SentPolicy {
    policy: SentDomain,
    summary: SentSummary,
    #[serde(default)]
    failure_details: Option<Vec<SentFailure>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SentDomain {
    policy_domain: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SentSummary {
    total_successful_session_count: u64,
    total_failure_session_count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SentFailure {
    result_type: String,
    #[serde(default)]
    receiving_mx_hostname: Option<String>,
    failed_session_count: u64,
}

/// What a gzip file begins with (RFC 1952 §2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// A report of a sender of millions of messages has some hundred thousand octets.
pub const MAX_REPORT: usize = 4 << 20;
/// How many reports are told from those before.
const MAX_KNOWN: usize = 10_000;
/// RFC 8460 §4.3.
const RESULT_TYPES: [&str; 11] = [
    "starttls-not-supported",
    "certificate-host-mismatch",
    "certificate-expired",
    "certificate-not-trusted",
    "validation-failure",
    "tlsa-invalid",
    "dnssec-invalid",
    "dane-required",
    "sts-policy-fetch-error",
    "sts-policy-invalid",
    "sts-webpki-invalid",
];
/// Result types that are none of these.
const OTHER: &str = "other";

#[cfg(test)]
mod tests;
