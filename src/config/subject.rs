//! What a service of `services` is for, if not for the endpoints of a TLS service: the SSH server of a host, the
//! OpenPGP key or the S/MIME certificate of a mail address. Each has records of its own type, and the rest is alike.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

use super::fields::Fields;
use super::report::{Mark, Report};
use super::zone::{Zones, zone_of};
use crate::dns::name::{Name, NameError};
use crate::dns::rtype::Rtype;

/// Which records a service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    /// `endpoints`: TLSA (RFC 6698).
    Tls,
    /// `sshfp`: SSHFP (RFC 4255).
    Ssh,
    /// `openpgpkey`: OPENPGPKEY (RFC 7929).
    OpenPgp,
    /// `smimea`: SMIMEA (RFC 8162).
    Smime,
}

/// A host or a mail address that a key belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// As the configuration has it.
    pub text: String,
    /// The owner of its records.
    pub owner: Name,
    /// The apex of the zone that holds it.
    pub zone: Name,
}

impl ServiceKind {
    /// The type of the records.
    pub fn rtype(self) -> Rtype {
        match self {
            Self::Tls => Rtype::TLSA,
            Self::Ssh => Rtype::SSHFP,
            Self::OpenPgp => Rtype::OPENPGPKEY,
            Self::Smime => Rtype::SMIMEA,
        }
    }

    /// The key of the configuration that says what the service is for.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Tls => "endpoints",
            Self::Ssh => "sshfp",
            Self::OpenPgp => "openpgpkey",
            Self::Smime => "smimea",
        }
    }

    /// The key of the configuration that names its files.
    pub(super) fn files(self) -> &'static str {
        match self {
            Self::Tls | Self::Smime => "certificate",
            Self::Ssh | Self::OpenPgp => "key",
        }
    }

    /// What its files hold, with its article.
    pub fn thing(self) -> &'static str {
        match self {
            Self::Tls | Self::Smime => "a certificate",
            Self::Ssh => "an SSH host key",
            Self::OpenPgp => "an OpenPGP key",
        }
    }

    /// Keys that have their effect for some kinds of service only, and for which.
    fn special_keys() -> [(&'static str, &'static [Self]); 10] {
        [
            ("certificate", &[Self::Tls, Self::Smime]),
            ("key", &[Self::Ssh, Self::OpenPgp]),
            ("tlsa", &[Self::Tls, Self::Smime]),
            ("probe", &[Self::Tls]),
            ("starttls", &[Self::Tls]),
            ("domain", &[Self::Tls]),
            ("store", &[Self::Tls]),
            ("name", &[Self::Tls]),
            ("directory", &[Self::Tls]),
            ("issuer", &[Self::Tls]),
        ]
    }
}

/// Why text is no mail address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum AddressError {
    #[error("expected a mail address such as `hugh@example.test`")]
    NoAddress,
    #[error(transparent)]
    Name(#[from] NameError),
}

/// What is wrong with what a service is for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum SubjectError<'a> {
    #[error("`{0}` beside `{1}`, expected one of them: a service is for one kind of thing")]
    Two(&'static str, &'static str),
    #[error("`{0}` has no effect beside `{1}`")]
    NoEffect(&'static str, &'static str),
    #[error("`{0}` lies in no zone that is served here")]
    NoZone(&'a str),
    #[error("`{0}` is in line {1} already: one service manages its {2} records")]
    Twice(&'a str, usize, Rtype),
    #[error("`{0}` lies in the unsigned zone {1}: without DNSSEC nobody may rely on its {2} records")]
    UnsignedZone(&'a str, &'a Name, Rtype),
}

/// What a service is for: the first of the keys that say so. The others are reported, and so are keys that mean
/// nothing for it.
pub(super) fn read_kind(fields: &Fields<'_>, report: &mut Report<'_>) -> ServiceKind {
    let mut given = KINDS.into_iter().filter_map(|kind| Some((kind, fields.get(kind.key())?)));
    let kind = given.next().map_or(ServiceKind::Tls, |(kind, _)| kind);
    for (other, node) in given {
        report.error(node.mark, SubjectError::Two(other.key(), kind.key()));
    }
    for (key, kinds) in ServiceKind::special_keys() {
        if let Some(node) = fields.get(key).filter(|_| !kinds.contains(&kind)) {
            report.error(node.mark, SubjectError::NoEffect(key, kind.key()));
        }
    }
    kind
}

/// The hosts or addresses of a service that has no endpoints. `taken` are those of the services before it.
pub(super) fn read_subjects(
    kind: ServiceKind,
    fields: &Fields<'_>,
    zones: &Zones,
    taken: &mut BTreeMap<(Name, Rtype), Mark>,
    report: &mut Report<'_>,
) -> Vec<Subject> {
    let rtype = kind.rtype();
    let owner = |text: &str| {
        let owner = match kind {
            ServiceKind::Tls | ServiceKind::Ssh => Name::parse(text)?,
            ServiceKind::OpenPgp => of_address(text, b"_openpgpkey")?,
            ServiceKind::Smime => of_address(text, b"_smimecert")?,
        };
        Ok::<_, AddressError>((text.to_owned(), owner))
    };
    let mut subjects = Vec::new();
    let given = if kind == ServiceKind::Tls { None } else { fields.read_some(kind.key(), report, owner) };
    for (mark, (text, owner)) in given.unwrap_or_default() {
        let Some(zone) = zone_of(zones, owner.as_ref()) else {
            report.error(mark, SubjectError::NoZone(&text));
            continue;
        };
        if let Some(first) = taken.insert((owner.clone(), rtype), mark) {
            report.error(mark, SubjectError::Twice(&text, first.line, rtype));
            continue;
        }
        if !zone.policy.signs() {
            report.warning(mark, SubjectError::UnsignedZone(&text, &zone.origin, rtype));
        }
        subjects.push(Subject { text, owner, zone: zone.origin.clone() });
    }
    subjects
}

/// Where the records of a mail address are (RFC 7929 §3, RFC 8162 §3).
fn of_address(text: &str, label: &[u8]) -> Result<Name, AddressError> {
    let (local, domain) = text.rsplit_once('@').ok_or(AddressError::NoAddress)?;
    if local.is_empty() || local.contains(['"', ' ', '<']) {
        return Err(AddressError::NoAddress);
    }
    let hash = HEXLOWER.encode(&digest(&SHA256, local.as_bytes()).as_ref()[..28]);
    Ok(Name::parse(domain)?.child(label)?.child(hash.as_bytes())?)
}

const KINDS: [ServiceKind; 4] =
    [ServiceKind::Tls, ServiceKind::Ssh, ServiceKind::OpenPgp, ServiceKind::Smime];
