//! `zones.*.primary` and `remotes.*.tls`: zones whose records come from another nameserver, and how it is reached.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use super::fields::{Fields, one_or_list};
use super::listen::ServerCertificate;
use super::report::Report;
use super::scalar::{Prefix, choose, parse_octets};
use super::tsig::{Allow, Remote, read_allow};
use super::yaml::{Node, Value};
use super::zone::Known;
use super::{Paths, defaults, reference};
use crate::dns::name::Name;

/// Where a zone comes from that another nameserver has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Primary {
    /// Who is asked, in this order; at least one.
    pub remotes: Vec<Arc<Remote>>,
    /// Who else may say that the zone has changed.
    pub allow_notify: Vec<Allow>,
    /// How many octets the records of a transfer may have, names written out in full.
    pub max_transfer_size: u64,
    /// Whether the zone is compared with its ZONEMD records.
    pub verify_zonemd: VerifyZonemd,
}

/// Whether a zone that is transferred is compared with its ZONEMD records (RFC 8976 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VerifyZonemd {
    /// `if-present`: where there is one of a kind that danelaw knows, it must be right.
    IfPresent,
    /// `always`: and there must be one.
    Always,
    /// `never`
    Never,
}

/// How a remote is reached by TLS (RFC 9103).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTls {
    /// Which certificate is accepted.
    pub trust: TlsTrust,
    /// What is presented to it, where it wants to know us (RFC 9103 §9.3.3).
    pub identity: Option<ServerCertificate>,
}

/// Which certificate of a remote is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsTrust {
    /// `opportunistic`: any. Who listens learns nothing, who stands between does.
    Opportunistic,
    /// One for this name that an authority in this file has signed.
    Authority {
        /// The DNS name that the certificate must have.
        name: String,
        /// Certificates in PEM.
        file: PathBuf,
    },
    /// One with one of these keys (RFC 7858 §4.2).
    Pins {
        /// The name that is asked for, if the remote has several certificates.
        name: Option<String>,
        /// The keys, at least one.
        pins: Vec<Pin>,
    },
}

/// The SHA-256 of a certificate's SubjectPublicKeyInfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin(pub [u8; 32]);

/// The text is no pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the SHA-256 of a SubjectPublicKeyInfo in Base64, 44 characters")]
pub struct PinError;

impl FromStr for Pin {
    type Err = PinError;
    fn from_str(text: &str) -> Result<Self, PinError> {
        let octets = data_encoding::BASE64.decode(text.as_bytes()).map_err(|_| PinError)?;
        octets.try_into().map(Self).map_err(|_| PinError)
    }
}

impl Primary {
    /// Whether `source` is an address of one of the remotes.
    pub fn is_at(&self, source: IpAddr) -> bool {
        self.remotes.iter().any(|remote| remote.addresses.iter().any(|address| address.ip() == source))
    }

    /// The ways to be allowed a NOTIFY; one is enough. A remote is allowed from its addresses, with its key if it
    /// has one.
    pub fn notify_rules(&self) -> impl Iterator<Item = Allow> {
        let remotes = self.remotes.iter().flat_map(|remote| {
            remote.addresses.iter().map(|address| Allow {
                from: Some(Prefix::host(address.ip())),
                tsig: remote.tsig.as_ref().map(|key| key.name.clone()),
                tls: None,
            })
        });
        remotes.chain(self.allow_notify.iter().cloned())
    }
}

/// What is wrong with `primary` and `tls`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum PrimaryError<'a> {
    #[error("expected at least `1KiB` and at most `{}MiB`", defaults::LARGEST_TRANSFER_SIZE >> 20)]
    TransferSize,
    #[error("primary `{0}` is given twice")]
    Twice(&'a str),
    #[error(
        "`tls` without a check of the remote, expected `ca` (and `name`) or `pin`, or `tls: opportunistic`"
    )]
    NoTrust,
    #[error("`tls` has both `ca` and `pin`, expected one of them")]
    TwoTrusts,
    #[error("`ca` needs the `name` that the remote's certificate must have")]
    NoName,
    #[error("`certificate` and `key` go together")]
    HalfIdentity,
    #[error("`tls` is `{0}`, expected `opportunistic` or a mapping")]
    UnknownTls(&'a str),
}

/// Reads what a zone with `primary` has in place of a file.
pub(super) fn read_primary(fields: &Fields<'_>, known: &Known<'_>, report: &mut Report<'_>) -> Primary {
    let mut remotes: Vec<Arc<Remote>> = Vec::new();
    for (mark, name) in fields.read_some("primary", report, str::parse::<String>).unwrap_or_default() {
        let Some(remote) = known.remotes.get(&name) else {
            let names: Vec<String> = known.remotes.keys().cloned().collect();
            reference("remote", &name, &names, mark, report);
            continue;
        };
        if remotes.iter().any(|known| known.name == name) {
            report.error(mark, PrimaryError::Twice(&name));
            continue;
        }
        remotes.push(Arc::clone(remote));
    }
    let allowed = fields.get("allow-notify").map_or(&[][..], one_or_list);
    let size = fields.read("max-transfer-size", report, parse_octets).map(|octets| octets as u64);
    if let (Some(octets), Some(node)) = (size, fields.get("max-transfer-size"))
        && !(1..=defaults::LARGEST_TRANSFER_SIZE).contains(&octets)
    {
        report.error(node.mark, PrimaryError::TransferSize);
    }
    Primary {
        remotes,
        allow_notify: allowed
            .iter()
            .filter_map(|node| read_allow("allow-notify", node, known.keys, known.listen, report))
            .collect(),
        max_transfer_size: size.unwrap_or(defaults::MAX_TRANSFER_SIZE),
        verify_zonemd: fields
            .read("verify-zonemd", report, |text| choose(text, &VERIFY_ZONEMD))
            .unwrap_or(defaults::VERIFY_ZONEMD),
    }
}

/// Reads `remotes.*.tls`.
pub(super) fn read_tls(node: &Node, paths: &Paths<'_>, report: &mut Report<'_>) -> Option<RemoteTls> {
    if let Value::Text(text) = &node.value {
        if &**text != OPPORTUNISTIC {
            report.error(node.mark, PrimaryError::UnknownTls(text));
        }
        return Some(RemoteTls { trust: TlsTrust::Opportunistic, identity: None });
    }
    let fields = Fields::of("tls", node, &["name", "ca", "pin", "certificate", "key"], report);
    let name = fields.read("name", report, |text| {
        // A certificate has no final dot; everything else about names is as elsewhere.
        Name::parse(text).map(|name| name.as_ref().undotted())
    });
    let file = fields.read("ca", report, |text| paths.resolve(text));
    let pins = fields.read_some("pin", report, Pin::from_str).unwrap_or_default();
    let pins = pins.into_iter().map(|(_, pin)| pin).collect();
    let trust = match (fields.get("ca").is_some(), fields.get("pin").is_some()) {
        (true, true) => Err(PrimaryError::TwoTrusts),
        (false, false) => Err(PrimaryError::NoTrust),
        (true, false) if fields.get("name").is_none() => Err(PrimaryError::NoName),
        (true, false) => {
            Ok(TlsTrust::Authority { name: name.unwrap_or_default(), file: file.unwrap_or_default() })
        }
        (false, true) => Ok(TlsTrust::Pins { name, pins }),
    };
    let chain = fields.read("certificate", report, |text| paths.resolve(text));
    let key = fields.read("key", report, |text| paths.resolve(text));
    if fields.get("certificate").is_some() != fields.get("key").is_some() {
        report.error(node.mark, PrimaryError::HalfIdentity);
    }
    let identity = chain.zip(key).map(|(chain, key)| ServerCertificate { chain, key });
    match trust {
        Ok(trust) => Some(RemoteTls { trust, identity }),
        Err(error) => {
            report.error(node.mark, error);
            None
        }
    }
}

const VERIFY_ZONEMD: [(&str, VerifyZonemd); 3] = [
    ("if-present", VerifyZonemd::IfPresent),
    ("always", VerifyZonemd::Always),
    ("never", VerifyZonemd::Never),
];
const OPPORTUNISTIC: &str = "opportunistic";
