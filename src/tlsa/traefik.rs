//! Traefik's store: one `acme.json` that holds every certificate, as Base64 of PEM.
//!
//! The certificate of a service is the one whose names cover the hosts that the service has.

use data_encoding::BASE64;
use serde::Deserialize;
use std::collections::BTreeMap;

use super::material::{Material, MaterialError};
use crate::dns::name::{Name, NameRef};

/// What is read of a resolver's part of the file; private keys are passed over.
#[derive(Deserialize)]
struct Resolver {
    #[serde(alias = "Certificates", default)]
    certificates: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(alias = "Domain")]
    domain: Domain,
    #[serde(alias = "Certificate")]
    certificate: String,
}

#[derive(Deserialize)]
struct Domain {
    #[serde(alias = "Main", default)]
    main: String,
    #[serde(alias = "SANs", default)]
    sans: Option<Vec<String>>,
}

/// Whether `input` looks like such a store.
pub(super) fn is_store(input: &[u8]) -> bool {
    input.trim_ascii_start().starts_with(b"{")
}

/// The certificate in the store that covers every one of `hosts`.
pub(super) fn find(input: &[u8], hosts: &[NameRef<'_>]) -> Result<Material, MaterialError> {
    let resolvers: BTreeMap<String, Resolver> =
        serde_json::from_slice(input).map_err(|_| MaterialError::StoreUnreadable)?;
    let entries = resolvers.into_values().filter_map(|resolver| resolver.certificates).flatten();
    let mut found = entries.filter(|entry| hosts.iter().all(|host| entry.domain.covers(*host)));
    let (Some(entry), None) = (found.next(), found.next()) else { return Err(MaterialError::NotOneInStore) };
    let pem =
        BASE64.decode(entry.certificate.trim().as_bytes()).map_err(|_| MaterialError::StoreUnreadable)?;
    Material::parse(&pem)
}

impl Domain {
    fn covers(&self, host: NameRef<'_>) -> bool {
        let names = std::iter::once(&self.main).chain(self.sans.iter().flatten());
        names.filter_map(|name| Name::parse(name).ok()).any(|name| {
            // RFC 6125 §6.4.3: a wildcard stands for one label.
            let wildcard = name.as_ref().is_wildcard() && host.parent() == name.as_ref().parent();
            name.as_ref() == host || wildcard
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlsa::sample;

    fn store(entries: &[(&str, &[&str], u8)]) -> String {
        let certificates: Vec<_> = entries
            .iter()
            .map(|(main, sans, key)| {
                let pem = sample::pem("CERTIFICATE", &sample::certificate("a", "b", *key, 1, false));
                serde_json::json!({
                    "domain": {"main": main, "sans": sans},
                    "certificate": BASE64.encode(pem.as_bytes()), "key": "", "Store": "default",
                })
            })
            .collect();
        serde_json::json!({"le": {"Account": {"Email": "a@example.test"}, "Certificates": certificates},
            "other": {"Account": {}, "Certificates": null}})
        .to_string()
    }

    fn found(json: &str, hosts: &[&str]) -> Result<Vec<u8>, MaterialError> {
        let hosts: Vec<Name> = hosts.iter().map(|host| Name::parse(host).unwrap()).collect();
        let hosts: Vec<NameRef<'_>> = hosts.iter().map(Name::as_ref).collect();
        Material::find(json.as_bytes(), &hosts).map(|material| material.key().to_vec())
    }

    #[test]
    fn the_certificate_that_covers_every_host_is_found() {
        let json = store(&[("www.example.test", &[], 1), ("mail.example.test", &["imap.example.test"], 2)]);
        let mail = sample::spki(2);
        assert_eq!(found(&json, &["mail.example.test"]), Ok(mail.clone()));
        assert_eq!(found(&json, &["imap.example.test", "MAIL.example.test"]), Ok(mail));
        assert_eq!(
            found(&json, &["mail.example.test", "www.example.test"]),
            Err(MaterialError::NotOneInStore)
        );
        assert_eq!(found(&json, &["smtp.example.test"]), Err(MaterialError::NotOneInStore));
    }

    #[test]
    fn a_wildcard_covers_one_label() {
        let json = store(&[("*.example.test", &["example.test"], 1)]);
        assert!(found(&json, &["mail.example.test", "example.test"]).is_ok());
        assert_eq!(found(&json, &["a.mail.example.test"]), Err(MaterialError::NotOneInStore));
    }

    #[test]
    fn a_half_written_store_is_no_store() {
        let json = store(&[("mail.example.test", &[], 1)]);
        for cut in [1, json.len() / 2, json.len() - 1] {
            assert_eq!(found(&json[..cut], &["mail.example.test"]), Err(MaterialError::StoreUnreadable));
        }
    }
}
