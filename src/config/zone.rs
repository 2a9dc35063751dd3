//! `zones`: what is served, where it comes from, to whom it may be transferred.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use crate::dns::name::{Name, NameRef};

use super::catalog::{Catalog, Catalogs, read_membership};
use super::fields::{self, Fields, entries, one_or_list};
use super::foreign::read_foreign_dnskeys;
use super::policy::{Policies, Policy};
use super::primary::{Primary, read_primary};
use super::report::Report;
use super::scalar::{choose, parse_address};
use super::tsig::{Allow, Remote, Remotes, TsigKeys, read_allow};
use super::update::{Grant, read_grants};
use super::yaml::Node;
use super::{Listen, Paths, defaults, reference};

/// A zone that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The name of its apex.
    pub origin: Name,
    /// Where its records come from.
    pub source: ZoneSource,
    /// How it is signed.
    pub policy: Arc<Policy>,
    /// Who is notified, may transfer, and is watched for lag.
    pub secondaries: Vec<Arc<Remote>>,
    /// Who else may transfer.
    pub allow_transfer: Vec<Allow>,
    /// Who may change it by dynamic updates, and what of it.
    pub allow_update: Vec<Grant>,
    /// Who must have a version before it counts as seen by everybody.
    pub propagation: Propagation,
    /// Where its DS records are looked for.
    pub parent: Parent,
    /// The command that is given what there is to hand to the parent.
    pub parent_hook: Option<PathBuf>,
    /// Its nameservers signal what its parent is asked for while that has no DS record (RFC 9615).
    pub signal: bool,
    /// The rdata of DNSKEY records of another signer of the zone, which are published and sign nothing here
    /// (RFC 8901 §2.2.2).
    pub foreign_dnskeys: Vec<Vec<u8>>,
}

/// Where the DS records of a zone are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parent {
    /// `auto`: at the nameservers of the zone above, which are found by themselves.
    Auto,
    /// `off`: nowhere; a person says what is there.
    Off,
    /// At these addresses.
    At(Vec<SocketAddr>),
}

/// Where the records of a zone come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneSource {
    /// `file`: a zone file.
    File(ZoneFile),
    /// `primary`: another nameserver.
    Primary(Primary),
    /// An entry of `catalogs`: danelaw makes them of what the configuration lists.
    Catalog(Catalog),
}

/// A zone file.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ZoneFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Directories beside its own that `$INCLUDE` may read from.
    pub allow_includes: Vec<PathBuf>,
}

/// Who must serve a version before caches are taken to fill from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Propagation {
    /// `all`: the secondaries and the addresses of the NS names.
    All,
    /// `secondaries`: those alone.
    Secondaries,
}

impl Zone {
    /// Whether a request from `source` in the clear, verified with the key `tsig` if it was signed, may transfer the
    /// zone: a secondary from one of its addresses and with its key if it has one, or what `allow-transfer` adds.
    pub fn may_transfer(&self, source: IpAddr, tsig: Option<&Name>) -> bool {
        self.transfer_rules().any(|rule| rule.permits(source, tsig))
    }

    /// The ways to be allowed a transfer; one is enough.
    pub fn transfer_rules(&self) -> impl Iterator<Item = Allow> {
        let secondaries = self.secondaries.iter().flat_map(|remote| {
            remote.addresses.iter().map(|address| Allow {
                from: Some(super::scalar::Prefix::host(address.ip())),
                tsig: remote.tsig.as_ref().map(|key| key.name.clone()),
                tls: None,
            })
        });
        secondaries.chain(self.allow_transfer.iter().cloned())
    }
}

pub(super) type Zones = BTreeMap<Name, Zone>;

/// What other sections a zone refers to.
pub(super) struct Known<'a> {
    pub(super) keys: &'a TsigKeys,
    pub(super) remotes: &'a Remotes,
    pub(super) policies: &'a Policies,
    pub(super) listen: &'a Listen,
    pub(super) paths: &'a Paths<'a>,
}

/// What is wrong with `zones`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ZoneError<'a> {
    #[error("zone `{0}` is given twice, first in line {1}")]
    Twice(&'a Name, usize),
    #[error("zone `{0}` has no records, expected `file: PATH` of its zone file, or `primary: [REMOTE]`")]
    NoSource(&'a str),
    #[error("zone `{0}` has both `file` and `primary`, expected one of them")]
    TwoSources(&'a str),
    #[error("`{0}` has its effect beside `{1}` only")]
    OtherSource(&'static str, &'static str),
    #[error("secondary `{0}` has `tls`, expected it of primaries only: NOTIFY goes by UDP")]
    SecondaryByTls(&'a str),
    #[error(
        "`signal` has no effect in a zone that is not signed here: there is no key that the parent could name"
    )]
    Unsigned,
    #[error("secondary `{0}` is given twice")]
    SecondaryTwice(&'a str),
}

/// Reads `zones`, and lists them in their catalogs.
pub(super) fn read_zones(
    node: Option<&Node>,
    known: &Known<'_>,
    catalogs: &mut Catalogs,
    report: &mut Report<'_>,
) -> Zones {
    let mut zones = Zones::new();
    let mut lines = BTreeMap::<Name, usize>::new();
    for entry in node.map_or(&[][..], |node| entries("zones", node, report)) {
        let origin = match Name::parse(&entry.key) {
            Ok(origin) => origin,
            Err(error) => {
                report.error(entry.mark, format_args!("zone `{}`: {error}", entry.key));
                continue;
            }
        };
        // The text of the key has been found unique; here it is the name.
        if let Some(&first) = lines.get(&origin) {
            report.error(entry.mark, ZoneError::Twice(&origin, first));
            continue;
        }
        lines.insert(origin.clone(), entry.mark.line);
        let fields = Fields::of(&entry.key, &entry.value, &KEYS, report);
        match (fields.get("file"), fields.get("primary")) {
            (None, None) => report.error(entry.mark, ZoneError::NoSource(&entry.key)),
            (Some(_), Some(_)) => report.error(entry.mark, ZoneError::TwoSources(&entry.key)),
            _ => {}
        }
        let mut zone = read_zone(origin, &fields, known, report);
        read_membership(&mut zone, &fields, catalogs, report);
        zones.insert(zone.origin.clone(), zone);
    }
    zones
}

fn read_zone(origin: Name, fields: &Fields<'_>, known: &Known<'_>, report: &mut Report<'_>) -> Zone {
    let policy = read_policy(fields, known, report);
    Zone {
        source: read_source(fields, known, report),
        signal: read_signal(fields, &policy, report),
        parent_hook: fields.read("parent-hook", report, |text| known.paths.resolve(text)),
        foreign_dnskeys: read_foreign_dnskeys(fields, &policy, report),
        policy,
        secondaries: read_secondaries(fields, known, report),
        allow_transfer: read_allow_transfer(fields, known, report),
        allow_update: read_grants(fields.get("allow-update"), &origin, known.keys, report),
        propagation: fields
            .read("propagation", report, |text| choose(text, &PROPAGATIONS))
            .unwrap_or(defaults::PROPAGATION),
        parent: fields.get("parent").map_or(Parent::Auto, |node| read_parent(node, report)),
        origin,
    }
}

fn read_signal(fields: &Fields<'_>, policy: &Policy, report: &mut Report<'_>) -> bool {
    let Some(node) = fields.get("signal") else { return defaults::SIGNAL };
    let wanted =
        fields::read("signal", node, report, |text| choose(text, &WORDS)).unwrap_or(defaults::SIGNAL);
    if wanted && !policy.signs() {
        report.warning(node.mark, ZoneError::Unsigned);
    }
    wanted
}

fn read_parent(node: &Node, report: &mut Report<'_>) -> Parent {
    let address = |text: &str| parse_address(text, Some(defaults::DNS_PORT)).map_err(|_| NotAParent);
    if let [item] = one_or_list(node) {
        let word = |text: &str| match text {
            "auto" => Ok(Parent::Auto),
            "off" => Ok(Parent::Off),
            _ => address(text).map(|address| Parent::At(vec![address])),
        };
        return fields::read("parent", item, report, word).unwrap_or(Parent::Auto);
    }
    let items = one_or_list(node).iter();
    Parent::At(items.filter_map(|item| fields::read("parent", item, report, address)).collect())
}

/// The text says neither whether nor where to look for DS records.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `auto`, `off`, or addresses of the parent's nameservers such as `192.0.2.1`")]
struct NotAParent;

fn read_source(fields: &Fields<'_>, known: &Known<'_>, report: &mut Report<'_>) -> ZoneSource {
    let path = |text: &str| known.paths.resolve(text);
    let transferred = fields.get("primary").is_some();
    for (key, beside) in [
        ("allow-includes", "file"),
        ("allow-update", "file"),
        ("allow-notify", "primary"),
        ("max-transfer-size", "primary"),
        ("verify-zonemd", "primary"),
    ] {
        if let Some(node) = fields.get(key).filter(|_| (beside == "primary") != transferred) {
            report.error(node.mark, ZoneError::OtherSource(key, beside));
        }
    }
    if transferred {
        return ZoneSource::Primary(read_primary(fields, known, report));
    }
    ZoneSource::File(ZoneFile {
        path: fields.read("file", report, path).unwrap_or_default(),
        allow_includes: fields.read_any("allow-includes", report, path).into_iter().map(|(_, p)| p).collect(),
    })
}

fn read_policy(fields: &Fields<'_>, known: &Known<'_>, report: &mut Report<'_>) -> Arc<Policy> {
    let named = fields.get("policy").and_then(|node| {
        let name = fields::read("policy", node, report, str::parse::<String>)?;
        let found = known.policies.get(&name);
        if found.is_none() {
            let names: Vec<String> = known.policies.keys().cloned().collect();
            reference("policy", &name, &names, node.mark, report);
        }
        found
    });
    match named.or_else(|| known.policies.get(defaults::POLICY)) {
        Some(policy) => Arc::clone(policy),
        None => Arc::new(Policy::standard()),
    }
}

pub(super) fn read_allow_transfer(
    fields: &Fields<'_>,
    known: &Known<'_>,
    report: &mut Report<'_>,
) -> Vec<Allow> {
    let entries = fields.get("allow-transfer").map_or(&[][..], one_or_list);
    entries
        .iter()
        .filter_map(|entry| read_allow("allow-transfer", entry, known.keys, known.listen, report))
        .collect()
}

pub(super) fn read_secondaries(
    fields: &Fields<'_>,
    known: &Known<'_>,
    report: &mut Report<'_>,
) -> Vec<Arc<Remote>> {
    let mut secondaries: Vec<Arc<Remote>> = Vec::new();
    for (mark, name) in fields.read_any("secondaries", report, str::parse::<String>) {
        let Some(remote) = known.remotes.get(&name) else {
            let names: Vec<String> = known.remotes.keys().cloned().collect();
            reference("remote", &name, &names, mark, report);
            continue;
        };
        if secondaries.iter().any(|known| known.name == name) {
            report.error(mark, ZoneError::SecondaryTwice(&name));
            continue;
        }
        if remote.tls.is_some() {
            report.error(mark, ZoneError::SecondaryByTls(&name));
        }
        secondaries.push(Arc::clone(remote));
    }
    secondaries
}

/// The zone that holds `name`: the one with the longest matching origin.
pub(super) fn zone_of<'a>(zones: &'a Zones, name: NameRef<'_>) -> Option<&'a Zone> {
    std::iter::successors(Some(name), |name| name.parent()).find_map(|name| zones.get(&name.to_owned()))
}

const KEYS: [&str; 18] = [
    "file",
    "primary",
    "policy",
    "secondaries",
    "allow-transfer",
    "allow-notify",
    "allow-update",
    "allow-includes",
    "max-transfer-size",
    "verify-zonemd",
    "propagation",
    "parent",
    "parent-hook",
    "signal",
    "foreign-dnskeys",
    "catalog",
    "group",
    "moved-from",
];
const WORDS: [(&str, bool); 2] = [("true", true), ("false", false)];
const PROPAGATIONS: [(&str, Propagation); 2] =
    [("all", Propagation::All), ("secondaries", Propagation::Secondaries)];
