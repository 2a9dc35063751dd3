//! `policies`: how a zone is signed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::dns::time::{Seconds, Ttl};

use super::fields::{Fields, entries};
use super::report::Report;
use super::scalar::{UnknownWord, choose, parse_count, parse_octets, parse_seconds, parse_ttl};
use super::yaml::Node;
use super::{defaults, label};

/// How a zone is signed, and how its serial grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The operator's name for it.
    pub name: String,
    /// Which keys sign.
    pub keys: KeyScheme,
    /// What kind of keys they are.
    pub algorithm: SigningAlgorithm,
    /// How long keys are used before they are rolled.
    pub lifetimes: KeyLifetimes,
    /// How a KSK or CSK takes the place of another one.
    pub ksk_rollover: KskRollover,
    /// How absence is proven.
    pub denial: Denial,
    /// How long signatures last.
    pub signatures: SignatureTimes,
    /// The TTL of the DNSKEY, CDS and CDNSKEY RRsets.
    pub dnskey_ttl: Ttl,
    /// `zonemd`: whether each version carries a digest of itself (RFC 8976), by SHA-384.
    pub zonemd: bool,
    /// How the served SOA serial is chosen.
    pub serial: SerialScheme,
    /// How much of the past is kept for incremental transfers.
    pub journal: Journal,
    /// How several versions are sent at once.
    pub ixfr: Ixfr,
}

/// How what has changed in several versions is sent to a secondary (RFC 1995 §2, §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ixfr {
    /// `condensed`: as if there had been one.
    Condensed,
    /// `stepwise`: one by one, for secondaries that have secondaries of their own.
    Stepwise,
}

/// How a KSK or CSK takes the place of another one of its algorithm (RFC 7583 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KskRollover {
    /// `double-ksk`: two DNSKEY records meanwhile, and one change at the parent.
    DoubleKsk,
    /// `double-ds`: two DS records meanwhile, and two changes at the parent.
    DoubleDs,
}

/// How much of a zone's past is kept, so that secondaries need only be sent what has changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Journal {
    /// At most so many versions.
    pub versions: usize,
    /// At most so many octets of changed names, before and after.
    pub octets: usize,
}

/// Which DNSSEC keys a zone has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyScheme {
    /// `none`: the zone is not signed.
    None,
    /// `csk`: one key signs everything.
    Csk,
    /// `ksk+zsk`: one key signs the DNSKEY RRset, another the rest.
    KskZsk,
}

/// What DNSSEC keys are made of. In the configuration its mnemonic in lower case, or its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SigningAlgorithm {
    /// 13, ECDSA P-256 with SHA-256 (RFC 6605)
    EcdsaP256Sha256,
    /// 14, ECDSA P-384 with SHA-384 (RFC 6605)
    EcdsaP384Sha384,
    /// 15, Ed25519 (RFC 8080)
    Ed25519,
}

/// How long keys are used before they are rolled; `None` is until somebody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct KeyLifetimes {
    /// `csk`, with `keys: csk`
    pub csk: Option<Seconds>,
    /// `ksk`, with `keys: ksk+zsk`
    pub ksk: Option<Seconds>,
    /// `zsk`, with `keys: ksk+zsk`
    pub zsk: Option<Seconds>,
}

impl KeyLifetimes {
    /// How long keys are used that the parent names.
    pub fn entry_point(&self, keys: KeyScheme) -> Option<Seconds> {
        match keys {
            KeyScheme::Csk => self.csk,
            KeyScheme::KskZsk => self.ksk,
            KeyScheme::None => None,
        }
    }
}

/// How a signed zone proves that something is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denial {
    /// `nsec` (RFC 4034 §4)
    Nsec,
    /// `nsec3` with no iterations and no salt (RFC 5155, RFC 9276)
    Nsec3,
    /// `nsec3-opt-out`: the same, and unsigned delegations, but nothing else, are left out of the chain (RFC 5155 §6)
    Nsec3OptOut,
}

/// How the SOA serial of a new version is chosen. It grows in any case (RFC 1982).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SerialScheme {
    /// `unixtime`: seconds since 1970.
    Unixtime,
    /// `increment`: one more than before.
    Increment,
    /// `date`: YYYYMMDDnn.
    Date,
}

/// The life of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignatureTimes {
    /// From the moment of signing to the expiration, before jitter shortens it.
    pub validity: Seconds,
    /// A signature is made anew when this much of its validity is left. So this is the least that a secondary
    /// has in hand when it loses us.
    pub refresh: Seconds,
    /// The most by which a validity is shortened, so that not all signatures are due at once.
    pub jitter: Seconds,
    /// How far before the moment of signing the inception lies, for resolvers whose clocks are slow.
    pub backdate: Seconds,
}

/// A policy does not suit the zone that it is to sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyConflict {
    /// A secondary that has lost us could go on serving signatures that have expired (RFC 6781 §4.4.2).
    #[error(
        "policy `{policy}` signs anew when {refresh} are left, but a secondary that loses its primary serves the \
         zone for SOA expire {expire}, and caches for TTL {largest_ttl} more: signatures would expire in use; \
         expected `signatures.refresh` above {}, or a shorter SOA expire",
        *.expire + Seconds::from(*.largest_ttl)
    )]
    RefreshTooLate {
        /// The policy's name.
        policy: String,
        /// Its `signatures.refresh`.
        refresh: Seconds,
        /// The zone's SOA expire.
        expire: Seconds,
        /// The largest TTL in the zone.
        largest_ttl: Ttl,
    },
}

/// What is wrong with `policies`, or with the times of signatures.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Nobody changes what is built in.
    #[error("policy `unsigned` is built in and cannot be changed, expected another name")]
    Unsigned,
    /// A signature must outlive the moment at which it is made anew.
    #[error(
        "`validity` {validity} less `jitter` {jitter} is not longer than `refresh` {refresh}: a new signature would \
         be due at once"
    )]
    ValidityTooShort {
        /// The validity.
        validity: Seconds,
        /// By how much it may be shorter.
        jitter: Seconds,
        /// What is left when it is made anew.
        refresh: Seconds,
    },
    /// All signatures would be made anew together.
    #[error("`refresh` {refresh} is not longer than `jitter` {jitter}")]
    RefreshTooShort {
        /// What is left when a signature is made anew.
        refresh: Seconds,
        /// By how much a validity may be shorter.
        jitter: Seconds,
    },
    /// Times of RRSIG records are compared by serial arithmetic.
    #[error("`validity` and `backdate` are more than {MAX_SPAN} together, which RRSIG times cannot express")]
    SpanTooLong,
    /// A rollover would begin before the one before has ended.
    #[error("a key lifetime of {lifetime} is shorter than {SHORTEST_LIFETIME}: rollovers would hardly end")]
    ShortLifetime {
        /// Of a key.
        lifetime: Seconds,
    },
    /// Nobody may look at it in time.
    #[error("`refresh` {refresh} leaves less than a day to notice that signing has stopped")]
    RefreshUnderADay {
        /// What is left when a signature is made anew.
        refresh: Seconds,
    },
}

impl Policy {
    /// The built-in policy of zones that name none.
    pub fn standard() -> Self {
        Self::named(defaults::POLICY)
    }

    /// The built-in policy of zones that are served as they are.
    pub fn unsigned() -> Self {
        Self { keys: KeyScheme::None, ..Self::named(defaults::POLICY_UNSIGNED) }
    }

    /// Whether it makes signatures.
    pub fn signs(&self) -> bool {
        self.keys != KeyScheme::None
    }

    /// Whether a zone with this SOA expire and largest TTL can be signed with it so that no signature expires
    /// while a secondary or a cache may still use it.
    pub fn check_against(&self, expire: Seconds, largest_ttl: Ttl) -> Result<(), PolicyConflict> {
        let refresh = self.signatures.refresh;
        if !self.signs() || refresh > expire + Seconds::from(largest_ttl) {
            return Ok(());
        }
        let policy = self.name.clone();
        Err(PolicyConflict::RefreshTooLate { policy, refresh, expire, largest_ttl })
    }

    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            keys: defaults::KEY_SCHEME,
            algorithm: defaults::ALGORITHM,
            lifetimes: KeyLifetimes::default(),
            ksk_rollover: defaults::KSK_ROLLOVER,
            denial: defaults::DENIAL,
            signatures: defaults::SIGNATURES,
            dnskey_ttl: defaults::DNSKEY_TTL,
            zonemd: false,
            serial: defaults::SERIAL,
            journal: defaults::JOURNAL,
            ixfr: defaults::IXFR,
        }
    }
}

impl SignatureTimes {
    /// For signatures that last so long, with `refresh` and `jitter` in the same proportion to that as by default.
    pub fn of_validity(validity: Seconds) -> Result<Self, PolicyError> {
        let default = defaults::SIGNATURES;
        let part = |of: Seconds| Seconds(validity.0.saturating_mul(of.0) / default.validity.0);
        let times =
            Self { validity, refresh: part(default.refresh), jitter: part(default.jitter), ..default };
        times.check().map(|()| times)
    }

    /// Each time leaves room for the next.
    fn check(&self) -> Result<(), PolicyError> {
        let Self { validity, refresh, jitter, backdate } = *self;
        if validity <= refresh + jitter {
            return Err(PolicyError::ValidityTooShort { validity, jitter, refresh });
        }
        if refresh <= jitter {
            return Err(PolicyError::RefreshTooShort { refresh, jitter });
        }
        // RFC 4034 §3.1.5: inception and expiration are compared by serial arithmetic.
        if validity + backdate > MAX_SPAN { Err(PolicyError::SpanTooLong) } else { Ok(()) }
    }
}

impl FromStr for KeyScheme {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        choose(text, &KEY_SCHEMES)
    }
}

impl FromStr for SigningAlgorithm {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        choose(text, &ALGORITHMS)
    }
}

impl FromStr for Denial {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        choose(text, &DENIALS)
    }
}

impl FromStr for SerialScheme {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        choose(text, &SERIAL_SCHEMES)
    }
}

impl fmt::Display for KeyScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(*self, &KEY_SCHEMES))
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(*self, &ALGORITHMS))
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(*self, &DENIALS))
    }
}

impl fmt::Display for SerialScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(*self, &SERIAL_SCHEMES))
    }
}

/// The word for `value`.
fn word<T: Copy + PartialEq>(value: T, words: &[(&'static str, T)]) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}

pub(super) type Policies = BTreeMap<String, Arc<Policy>>;

/// Reads `policies`; the built-in ones are always there.
pub(super) fn read_policies(node: Option<&Node>, report: &mut Report<'_>) -> Policies {
    let mut policies: Policies =
        [Policy::standard(), Policy::unsigned()].map(|p| (p.name.clone(), Arc::new(p))).into();
    for entry in node.map_or(&[][..], |node| entries("policies", node, report)) {
        label("policy", &entry.key, entry.mark, report);
        if &*entry.key == defaults::POLICY_UNSIGNED {
            report.error(entry.mark, PolicyError::Unsigned);
            continue;
        }
        let policy = read_policy(&entry.key, &entry.value, report);
        policies.insert(policy.name.clone(), Arc::new(policy));
    }
    policies
}

fn read_policy(name: &str, node: &Node, report: &mut Report<'_>) -> Policy {
    let fields = Fields::of(name, node, &POLICY_KEYS, report);
    let mut policy = Policy::named(name);
    if let Some(keys) = fields.read("keys", report, KeyScheme::from_str) {
        policy.keys = keys;
    }
    if let Some(algorithm) = fields.read("algorithm", report, SigningAlgorithm::from_str) {
        policy.algorithm = algorithm;
    }
    if let Some(denial) = fields.read("denial", report, Denial::from_str) {
        policy.denial = denial;
    }
    if let Some(node) = fields.get("lifetimes") {
        policy.lifetimes = read_lifetimes(node, report);
    }
    if let Some(rollover) = fields.read("ksk-rollover", report, |text| choose(text, &KSK_ROLLOVERS)) {
        policy.ksk_rollover = rollover;
    }
    if let Some(ttl) = fields.read("dnskey-ttl", report, parse_ttl) {
        policy.dnskey_ttl = ttl;
    }
    if let Some(zonemd) = fields.read("zonemd", report, |text| choose(text, &ZONEMDS)) {
        policy.zonemd = zonemd;
    }
    if let Some(serial) = fields.read("serial", report, SerialScheme::from_str) {
        policy.serial = serial;
    }
    if let Some(node) = fields.get("signatures") {
        policy.signatures = read_times(node, report);
    }
    if let Some(ixfr) = fields.read("ixfr", report, |text| choose(text, &IXFRS)) {
        policy.ixfr = ixfr;
    }
    if let Some(node) = fields.get("journal") {
        let fields = Fields::of("journal", node, &["versions", "size"], report);
        let Journal { versions, octets } = policy.journal;
        policy.journal = Journal {
            versions: fields.read("versions", report, parse_count).unwrap_or(versions),
            octets: fields.read("size", report, parse_octets).unwrap_or(octets),
        };
    }
    policy
}

fn read_lifetimes(node: &Node, report: &mut Report<'_>) -> KeyLifetimes {
    let fields = Fields::of("lifetimes", node, &["csk", "ksk", "zsk"], report);
    let mut read = |key| {
        let lifetime = fields.read(key, report, parse_seconds);
        if let Some(lifetime) = lifetime.filter(|&lifetime| lifetime < SHORTEST_LIFETIME) {
            report.warning(node.mark, PolicyError::ShortLifetime { lifetime });
        }
        lifetime
    };
    let (csk, ksk, zsk) = (read("csk"), read("ksk"), read("zsk"));
    KeyLifetimes { csk, ksk, zsk }
}

fn read_times(node: &Node, report: &mut Report<'_>) -> SignatureTimes {
    let fields = Fields::of("signatures", node, &["validity", "refresh", "jitter", "backdate"], report);
    let mut read = |key, default: Seconds| fields.read(key, report, parse_seconds).unwrap_or(default);
    let times = SignatureTimes {
        validity: read("validity", defaults::SIGNATURES.validity),
        refresh: read("refresh", defaults::SIGNATURES.refresh),
        jitter: read("jitter", defaults::SIGNATURES.jitter),
        backdate: read("backdate", defaults::SIGNATURES.backdate),
    };
    match times.check() {
        Err(error) => report.error(node.mark, error),
        Ok(()) if times.refresh < crate::dns::time::DAY => {
            report.warning(node.mark, PolicyError::RefreshUnderADay { refresh: times.refresh });
        }
        Ok(()) => {}
    }
    times
}

const POLICY_KEYS: [&str; 11] = [
    "keys",
    "algorithm",
    "lifetimes",
    "ksk-rollover",
    "denial",
    "signatures",
    "dnskey-ttl",
    "zonemd",
    "serial",
    "journal",
    "ixfr",
];
const ZONEMDS: [(&str, bool); 2] = [("off", false), ("sha384", true)];
const KSK_ROLLOVERS: [(&str, KskRollover); 2] =
    [("double-ksk", KskRollover::DoubleKsk), ("double-ds", KskRollover::DoubleDs)];
const IXFRS: [(&str, Ixfr); 2] = [("condensed", Ixfr::Condensed), ("stepwise", Ixfr::Stepwise)];
const KEY_SCHEMES: [(&str, KeyScheme); 3] =
    [("csk", KeyScheme::Csk), ("ksk+zsk", KeyScheme::KskZsk), ("none", KeyScheme::None)];
const ALGORITHMS: [(&str, SigningAlgorithm); 6] = [
    ("ecdsap256sha256", SigningAlgorithm::EcdsaP256Sha256),
    ("ecdsap384sha384", SigningAlgorithm::EcdsaP384Sha384),
    ("ed25519", SigningAlgorithm::Ed25519),
    ("13", SigningAlgorithm::EcdsaP256Sha256),
    ("14", SigningAlgorithm::EcdsaP384Sha384),
    ("15", SigningAlgorithm::Ed25519),
];
const DENIALS: [(&str, Denial); 3] =
    [("nsec", Denial::Nsec), ("nsec3", Denial::Nsec3), ("nsec3-opt-out", Denial::Nsec3OptOut)];
const SERIAL_SCHEMES: [(&str, SerialScheme); 3] = [
    ("unixtime", SerialScheme::Unixtime),
    ("increment", SerialScheme::Increment),
    ("date", SerialScheme::Date),
];

/// Shorter ones are for tests.
const SHORTEST_LIFETIME: Seconds = Seconds(7 * 86_400);

/// RFC 1982 compares times that are less than 2^31 apart.
const MAX_SPAN: Seconds = Seconds(i32::MAX as u64);
