//! `domains`: what belongs to a mail domain beside its TLSA records, each made of a few lines. TLS reporting
//! (RFC 8460), MTA-STS (RFC 8461), and who may issue certificates (CAA, RFC 8659).

use std::collections::BTreeMap;
use std::fmt;

use super::fields::{Fields, entries};
use super::report::{Mark, Report};
use super::scalar::{choose, parse_seconds, parse_ttl};
use super::yaml::Node;
use super::zone::{Zones, zone_of};
use super::{Listen, defaults};
use crate::dns::name::{Name, NameError, NameRef};
use crate::dns::rtype::Rtype;
use crate::dns::time::{Seconds, Ttl};

/// A domain whose records are made of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// The domain: what stands behind the `@` of an address, or what certificates are issued for.
    pub name: Name,
    /// The apex of the zone that holds it.
    pub zone: Name,
    /// The TTL of its records.
    pub ttl: Ttl,
    /// Where reports about TLS go.
    pub tls_rpt: Option<TlsRpt>,
    /// Its policy for mail by TLS.
    pub mta_sts: Option<MtaSts>,
    /// Who may issue certificates for it.
    pub caa: Vec<Caa>,
}

/// Where others report what became of TLS (RFC 8460 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsRpt {
    /// `_smtp._tls.DOMAIN`
    pub owner: Name,
    /// `mailto:` and `https:` URIs, at least one.
    pub destinations: Vec<String>,
}

/// An MTA-STS policy (RFC 8461 §3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MtaSts {
    /// `_mta-sts.DOMAIN`, which tells that there is a policy, and which one.
    pub owner: Name,
    /// `mta-sts.DOMAIN`, the host that serves it.
    pub host: Name,
    /// What a sender does when it is not met.
    pub mode: StsMode,
    /// Which MX hosts are the domain's; none only in mode `none`.
    pub mx: Vec<MxPattern>,
    /// How long a sender keeps it.
    pub max_age: Seconds,
}

/// What a sender does when a policy is not met (RFC 8461 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StsMode {
    /// It delivers elsewhere, later, or not.
    Enforce,
    /// It delivers, and reports.
    Testing,
    /// It does as if there were no policy: how one is ended.
    None,
}

/// The name of an MX host, or `*.` and what stands behind its first label (RFC 8461 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MxPattern(Name);

/// One CAA property (RFC 8659 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caa {
    /// `issue`, `issuewild`, `issuemail` or `iodef`.
    pub tag: &'static str,
    /// What it says.
    pub value: String,
}

impl Domain {
    /// The RRsets that are made of it.
    pub fn rrsets(&self) -> impl Iterator<Item = (Name, Rtype)> {
        let text = |owner: &Name| (owner.clone(), Rtype::TXT);
        let tls_rpt = self.tls_rpt.iter().map(move |tls_rpt| text(&tls_rpt.owner));
        let mta_sts = self.mta_sts.iter().map(move |mta_sts| text(&mta_sts.owner));
        let caa = (!self.caa.is_empty()).then(|| (self.name.clone(), Rtype::CAA));
        tls_rpt.chain(mta_sts).chain(caa)
    }
}

impl StsMode {
    /// As the policy has it.
    pub fn word(self) -> &'static str {
        MODES.iter().find(|(_, mode)| *mode == self).map_or("none", |(word, _)| word)
    }
}

impl MxPattern {
    /// Whether it is the pattern of this host. The asterisk stands for one label.
    pub fn matches(&self, host: NameRef<'_>) -> bool {
        match self.0.as_ref().parent().filter(|_| self.0.as_ref().is_wildcard()) {
            Some(behind) => host.parent() == Some(behind),
            None => self.0.as_ref() == host,
        }
    }

    fn parse(text: &str) -> Result<Self, MxError> {
        if text.parse::<std::net::IpAddr>().is_ok() {
            return Err(MxError::Address);
        }
        let name = Name::parse(text)?;
        // RFC 8461 §3.2: a name as certificates have it, or one with `*` for its first label.
        let host = if name.as_ref().is_wildcard() { name.as_ref().parent() } else { Some(name.as_ref()) };
        let is_host = |host: NameRef<'_>| host.labels().all(|label| label.iter().all(|octet| is_ldh(*octet)));
        if host.is_some_and(|host| host != Name::root().as_ref() && is_host(host)) {
            Ok(Self(name))
        } else {
            Err(MxError::NoHost)
        }
    }
}

impl fmt::Display for MxPattern {
    /// As the policy has it, without the final dot.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.as_ref().undotted())
    }
}

/// Why text is no pattern for MX hosts.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum MxError {
    #[error("an address, expected the name of an MX host")]
    Address,
    #[error("not the name of a host, expected such as `mail.example.test` or `*.example.test`")]
    NoHost,
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Why text is nowhere to send reports to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum DestinationError {
    #[error("expected `mailto:ADDRESS` or `https://HOST/PATH`")]
    Scheme,
    // RFC 8460 §3: they stand between the fields of the record.
    #[error("`{0}` has to be percent-encoded here, as `%{1:02X}`")]
    Encode(char, u32),
}

/// Why text says nobody who may issue.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum IssuerError {
    #[error("expected the domain name of an authority such as `letsencrypt.org`, or `none`")]
    Authority,
    #[error("`{0}` is no parameter, expected `NAME=VALUE`")]
    Parameter(String),
    #[error("`accounturi` is no URI, expected the URL of an ACME account (RFC 8657 §3)")]
    AccountUri,
    #[error("`validationmethods` lists no methods, expected such as `dns-01,http-01` (RFC 8657 §4)")]
    Methods,
}

/// The text is no URL that incidents are reported to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `mailto:ADDRESS`, `https://…` or `http://…` (RFC 8659 §4.4)")]
struct NoIodef;

/// What is wrong with `domains`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum DomainError<'a> {
    #[error("domain `{0}` lies in no zone that is served here")]
    NoZone(&'a str),
    #[error("domain `{0}` is given twice, first in line {1}")]
    Twice(&'a Name, usize),
    #[error("domain `{0}`: {1}")]
    Name(&'a str, NameError),
    #[error("domain `{0}` has none of `tls-rpt`, `mta-sts` and `caa`")]
    Nothing(&'a str),
    #[error("`mta-sts` without `mx` in mode `{0}`, expected `mx: [HOST]`: no host would be the domain's")]
    NoMx(&'static str),
    #[error("max-age {0} is longer than {max}, the longest that RFC 8461 §3.2 allows", max = MAX_MAX_AGE)]
    MaxAge(Seconds),
    #[error(
        "the policy of `mta-sts` is served by nobody: neither `listen.https` nor `listen.http` (for a web server that \
         passes on) is set"
    )]
    NobodyServes,
}

/// Reads `domains`.
pub(super) fn read_domains(
    node: Option<&Node>,
    zones: &Zones,
    listen: &Listen,
    report: &mut Report<'_>,
) -> BTreeMap<Name, Domain> {
    let mut domains = BTreeMap::new();
    let mut lines = BTreeMap::<Name, usize>::new();
    for entry in node.map_or(&[][..], |node| entries("domains", node, report)) {
        let name = match Name::parse(&entry.key) {
            Ok(name) => name,
            Err(error) => {
                report.error(entry.mark, DomainError::Name(&entry.key, error));
                continue;
            }
        };
        if let Some(&first) = lines.get(&name) {
            report.error(entry.mark, DomainError::Twice(&name, first));
            continue;
        }
        lines.insert(name.clone(), entry.mark.line);
        let Some(zone) = zone_of(zones, name.as_ref()) else {
            report.error(entry.mark, DomainError::NoZone(&entry.key));
            continue;
        };
        let fields = Fields::of(&entry.key, &entry.value, &KEYS, report);
        if ["tls-rpt", "mta-sts", "caa"].into_iter().all(|key| fields.get(key).is_none()) {
            report.error(entry.mark, DomainError::Nothing(&entry.key));
        }
        let domain = Domain {
            tls_rpt: read_tls_rpt(&name, &fields, entry.mark, report),
            mta_sts: read_mta_sts(&name, &fields, listen, report),
            caa: fields.get("caa").map_or_else(Vec::new, |node| read_caa(node, report)),
            ttl: fields.read("ttl", report, parse_ttl).unwrap_or(defaults::DOMAIN_TTL),
            zone: zone.origin.clone(),
            name: name.clone(),
        };
        domains.insert(name, domain);
    }
    domains
}

fn read_tls_rpt(name: &Name, fields: &Fields<'_>, mark: Mark, report: &mut Report<'_>) -> Option<TlsRpt> {
    let destinations = fields.read_some("tls-rpt", report, destination)?;
    let owner = below(name, &[b"_tls", b"_smtp"], mark, report)?;
    Some(TlsRpt { owner, destinations: destinations.into_iter().map(|(_, uri)| uri).collect() })
}

fn read_mta_sts(
    name: &Name,
    fields: &Fields<'_>,
    listen: &Listen,
    report: &mut Report<'_>,
) -> Option<MtaSts> {
    let node = fields.get("mta-sts")?;
    let fields = Fields::of("mta-sts", node, &["mode", "mx", "max-age"], report);
    let mode = fields.read("mode", report, |text| choose(text, &MODES)).unwrap_or(defaults::MTA_STS_MODE);
    let mx = fields.read_any("mx", report, MxPattern::parse);
    if fields.get("mx").is_none() && mode != StsMode::None {
        report.error(node.mark, DomainError::NoMx(mode.word()));
    }
    let max_age = fields.read("max-age", report, parse_seconds).unwrap_or(defaults::MTA_STS_MAX_AGE);
    if max_age > MAX_MAX_AGE {
        report.error(fields.get("max-age").map_or(node.mark, |age| age.mark), DomainError::MaxAge(max_age));
    }
    if listen.http.is_none() && listen.https.is_empty() {
        report.warning(node.mark, DomainError::NobodyServes);
    }
    Some(MtaSts {
        owner: below(name, &[b"_mta-sts"], node.mark, report)?,
        host: below(name, &[b"mta-sts"], node.mark, report)?,
        mode,
        mx: mx.into_iter().map(|(_, pattern)| pattern).collect(),
        max_age,
    })
}

fn read_caa(node: &Node, report: &mut Report<'_>) -> Vec<Caa> {
    let fields = Fields::of("caa", node, &CAA_KEYS, report);
    let mut properties = Vec::new();
    for tag in ISSUERS {
        let values = fields.read_some(tag, report, issuer).unwrap_or_default();
        properties.extend(values.into_iter().map(|(_, value)| Caa { tag, value }));
    }
    let values = fields.read_some("iodef", report, iodef).unwrap_or_default();
    properties.extend(values.into_iter().map(|(_, value)| Caa { tag: "iodef", value }));
    properties
}

/// The name with these labels before it, the last of them in front.
fn below(name: &Name, labels: &[&[u8]], mark: Mark, report: &mut Report<'_>) -> Option<Name> {
    let owner = labels.iter().try_fold(name.clone(), |name, label| name.child(label));
    owner.map_err(|error| report.error(mark, DomainError::Name(&name.as_ref().undotted(), error))).ok()
}

/// Where reports go, as the record has it (RFC 8460 §3).
fn destination(text: &str) -> Result<String, DestinationError> {
    let is_known = match text.split_once(':') {
        Some(("mailto", address)) => address.contains('@'),
        Some(("https", rest)) => rest.strip_prefix("//").is_some_and(|rest| !rest.is_empty()),
        _ => false,
    };
    if !is_known {
        return Err(DestinationError::Scheme);
    }
    match text.chars().find(|c| !c.is_ascii_graphic() || matches!(c, ',' | ';' | '!')) {
        Some(c) => Err(DestinationError::Encode(c, u32::from(c))),
        None => Ok(text.to_owned()),
    }
}

/// Who may issue, as the record has it (RFC 8659 §4.2).
fn issuer(text: &str) -> Result<String, IssuerError> {
    if text == "none" {
        return Ok(";".to_owned());
    }
    let mut parts = text.split(';').map(str::trim);
    let authority = parts.next().unwrap_or_default();
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_ldh);
    if !authority.split('.').all(is_label) {
        return Err(IssuerError::Authority);
    }
    let mut value = vec![authority.to_owned()];
    for part in parts {
        let not_one = || IssuerError::Parameter(part.to_owned());
        let (tag, said) = part.split_once('=').ok_or_else(not_one)?;
        let (tag, said) = (tag.trim(), said.trim());
        if !is_label(tag) || !said.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(not_one());
        }
        match tag {
            "accounturi"
                if !said
                    .split_once(':')
                    .is_some_and(|(scheme, rest)| is_label(scheme) && !rest.is_empty()) =>
            {
                return Err(IssuerError::AccountUri);
            }
            "validationmethods" if !said.split(',').all(is_label) => return Err(IssuerError::Methods),
            _ => {}
        }
        value.push(format!("{tag}={said}"));
    }
    Ok(value.join("; "))
}

/// Where authorities report what they refused.
fn iodef(text: &str) -> Result<String, NoIodef> {
    let known = ["mailto:", "https://", "http://"];
    let is_url = known.iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    let is_plain = text.bytes().all(|octet| octet.is_ascii_graphic());
    if is_url && is_plain { Ok(text.to_owned()) } else { Err(NoIodef) }
}

fn is_ldh(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'-'
}

const KEYS: [&str; 4] = ["tls-rpt", "mta-sts", "caa", "ttl"];
/// The properties that say who may issue (RFC 8659 §4.2 and §4.3, RFC 9495).
const ISSUERS: [&str; 3] = ["issue", "issuewild", "issuemail"];
const CAA_KEYS: [&str; 4] = [ISSUERS[0], ISSUERS[1], ISSUERS[2], "iodef"];
const MODES: [(&str, StsMode); 3] =
    [("enforce", StsMode::Enforce), ("testing", StsMode::Testing), ("none", StsMode::None)];
/// RFC 8461 §3.2.
const MAX_MAX_AGE: Seconds = Seconds(31_557_600);
