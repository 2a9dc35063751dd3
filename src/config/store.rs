//! `store` of a service: where ACME clients and their kin keep a certificate and what comes next.
//!
//! A store, the name under which it has the certificate, and its directory make the paths. No directory is listed:
//! what cannot be computed, such as the authority's part of Caddy's paths, is a key with a default.

use std::path::{Path, PathBuf};

use crate::dns::name::Name;

use super::fields::Fields;
use super::report::{Mark, Report};
use super::scalar::{UnknownWord, choose};
use super::{Paths, defaults};

/// Where a store has the certificates of a service, and the next keys of its own making.
#[derive(Default)]
pub(super) struct Store {
    pub(super) certificates: Vec<(Mark, PathBuf)>,
    pub(super) next: Vec<PathBuf>,
}

/// How a store lays out its directory.
#[derive(Clone, Copy)]
struct Layout {
    word: &'static str,
    /// Where its directory usually is; `None` where that is everybody's own choice.
    directory: Option<&'static str>,
    certificate: fn(&Entry<'_>) -> PathBuf,
    /// Where it keeps the next key, if it has one.
    next: Option<fn(&Entry<'_>) -> PathBuf>,
    /// What an entry is called after the host, if the store has many.
    name: Option<fn(&str) -> String>,
}

/// One certificate in a store.
struct Entry<'a> {
    directory: &'a Path,
    name: &'a str,
    issuer: &'a str,
}

/// What is wrong with `store` and the keys beside it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum StoreError {
    #[error("`{0}` is of use beside `store` alone")]
    WithoutStore(&'static str),
    #[error("`certificate` beside `store`, expected one of them: the store says where the certificate is")]
    BesideCertificate,
    #[error("store `{0}` has no usual place, expected `directory: DIR`")]
    NoDirectory(&'static str),
    #[error("store `{0}` has no names, expected `directory: DIR` alone")]
    NoNames(&'static str),
    #[error("store `{0}` has no issuers, expected `issuer` with `caddy` alone")]
    NoIssuers(&'static str),
    #[error("`name` is given twice: `{0}`")]
    Twice(String),
}

/// The text is not what a store calls a certificate.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of a certificate in the store, without `/`")]
struct NotAName;

/// Reads `store` and the keys beside it; `host` is that of the first endpoint.
pub(super) fn read_store(
    fields: &Fields<'_>,
    host: Option<&Name>,
    paths: &Paths<'_>,
    report: &mut Report<'_>,
) -> Option<Store> {
    let Some(node) = fields.get("store") else {
        for key in BESIDE {
            if let Some(node) = fields.get(key) {
                report.error(node.mark, StoreError::WithoutStore(key));
            }
        }
        return None;
    };
    if let Some(certificate) = fields.get("certificate") {
        report.error(certificate.mark, StoreError::BesideCertificate);
    }
    let Some(layout) = fields.read("store", report, layout) else { return Some(Store::default()) };
    let directory = fields.read("directory", report, |text| paths.resolve(text));
    let directory = directory.or_else(|| layout.directory.map(PathBuf::from));
    if fields.get("directory").is_none() && directory.is_none() {
        report.error(node.mark, StoreError::NoDirectory(layout.word));
    }
    let issuer = fields.read("issuer", report, entry_name);
    if let (Some(issuer), false) = (fields.get("issuer"), layout.word == CADDY) {
        report.error(issuer.mark, StoreError::NoIssuers(layout.word));
    }
    let mut names: Vec<(Mark, String)> = Vec::new();
    for (mark, name) in fields.read_any("name", report, entry_name) {
        if layout.name.is_none() {
            report.error(mark, StoreError::NoNames(layout.word));
        } else if names.iter().any(|(_, other)| *other == name) {
            report.error(mark, StoreError::Twice(name));
        } else {
            names.push((mark, name));
        }
    }
    if names.is_empty() {
        let name =
            layout.name.zip(host).map_or(String::new(), |(name, host)| name(&host.as_ref().undotted()));
        names.push((node.mark, name));
    }
    let directory = directory?;
    let issuer = issuer.as_deref().unwrap_or(defaults::CADDY_ISSUER);
    let mut store = Store::default();
    for (mark, name) in &names {
        let entry = Entry { directory: &directory, name, issuer };
        store.certificates.push((*mark, (layout.certificate)(&entry)));
        store.next.extend(layout.next.map(|next| next(&entry)));
    }
    Some(store)
}

fn layout(text: &str) -> Result<Layout, UnknownWord> {
    let choices = LAYOUTS.map(|layout| (layout.word, layout));
    choose(text, &choices)
}

fn entry_name(text: &str) -> Result<String, NotAName> {
    if text.is_empty() || text.contains('/') || text.starts_with("..") {
        return Err(NotAName);
    }
    Ok(text.to_owned())
}

impl Entry<'_> {
    /// A file in the directory that has the certificate's name, below `above`.
    fn at(&self, above: &str, file: &str) -> PathBuf {
        self.directory.join(above).join(self.name).join(file)
    }
}

const CADDY: &str = "caddy";
/// The keys that have no meaning without `store`.
pub(super) const BESIDE: [&str; 3] = ["name", "directory", "issuer"];

const LAYOUTS: [Layout; 9] = [
    Layout {
        word: "certbot",
        directory: Some("/etc/letsencrypt"),
        certificate: |entry| entry.at("live", "fullchain.pem"),
        next: None,
        name: Some(str::to_owned),
    },
    Layout {
        word: "danebot",
        directory: Some("/etc/letsencrypt"),
        certificate: |entry| entry.at("live", "combo.pem"),
        next: Some(|entry| entry.at("staging", "nextkey.pem")),
        name: Some(str::to_owned),
    },
    Layout {
        word: "danectl",
        directory: Some("/etc/letsencrypt"),
        certificate: |entry| entry.at("current", "fullchain.pem"),
        next: Some(|entry| entry.at("next", "fullchain.pem")),
        name: Some(str::to_owned),
    },
    Layout {
        word: "acme.sh",
        directory: Some("/root/.acme.sh"),
        certificate: |entry| entry.at("", "fullchain.cer"),
        next: Some(|entry| {
            let host = entry.name.strip_suffix(ECC).unwrap_or(entry.name);
            entry.at("", &format!("{host}.key.next"))
        }),
        name: Some(|host| format!("{host}{ECC}")),
    },
    Layout {
        word: "dehydrated",
        directory: Some("/var/lib/dehydrated/certs"),
        certificate: |entry| entry.at("", "fullchain.pem"),
        next: Some(|entry| entry.at("", "privkey.roll.pem")),
        name: Some(str::to_owned),
    },
    Layout {
        word: "lego",
        directory: None,
        certificate: |entry| {
            let file = format!("{}.crt", entry.name.replace('*', "_"));
            entry.directory.join("certificates").join(file)
        },
        next: None,
        name: Some(str::to_owned),
    },
    Layout {
        word: CADDY,
        directory: Some("/var/lib/caddy/.local/share/caddy"),
        certificate: |entry| {
            let name = entry.name.replace('*', "wildcard_");
            let certificates = entry.directory.join("certificates").join(entry.issuer);
            certificates.join(&name).join(format!("{name}.crt"))
        },
        next: None,
        name: Some(str::to_owned),
    },
    Layout {
        word: "traefik",
        directory: None,
        certificate: |entry| entry.directory.join("acme.json"),
        next: None,
        name: None,
    },
    Layout {
        word: "kubernetes",
        directory: None,
        certificate: |entry| entry.directory.join("tls.crt"),
        next: None,
        name: None,
    },
];
/// How acme.sh marks the directory of an ECDSA certificate.
const ECC: &str = "_ecc";
