//! Whether the authority that issued a certificate may issue the next one (CAA, RFC 8659).

use std::collections::BTreeSet;

use super::{CertificateFacts, Facts};
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::Rtype;
use crate::zone::Standing;

/// What is known of an authority.
struct Authority {
    /// How the organization in the names of its issuers begins.
    organization: &'static str,
    /// What it is called in CAA records. The first is the one to write.
    names: &'static [&'static str],
}

/// Authorities that issue by ACME. Of others nothing is said.
const AUTHORITIES: [Authority; 9] = [
    Authority { organization: "Let's Encrypt", names: &["letsencrypt.org"] },
    Authority { organization: "ZeroSSL", names: SECTIGO },
    Authority { organization: "Sectigo", names: SECTIGO },
    Authority { organization: "Google Trust Services", names: &["pki.goog"] },
    Authority { organization: "Buypass", names: &["buypass.com", "buypass.no"] },
    Authority { organization: "SSL Corp", names: &["ssl.com"] },
    Authority { organization: "Actalis", names: &["actalis.it"] },
    Authority {
        organization: "DigiCert",
        names: &["digicert.com", "thawte.com", "geotrust.com", "rapidssl.com", "symantec.com"],
    },
    Authority { organization: "GlobalSign", names: &["globalsign.com"] },
];
const SECTIGO: &[&str] =
    &["sectigo.com", "comodoca.com", "comodo.com", "usertrust.com", "trust-provider.com"];

/// Who may issue for a name.
struct Permission {
    /// The name that has the records.
    owner: Name,
    /// The values of those that count.
    values: Vec<String>,
}

impl Facts<'_> {
    /// Names of a certificate for which its authority may issue no other.
    pub(super) fn of_issuer(&self, certificate: &CertificateFacts) -> BTreeSet<String> {
        let organization = certificate.issuer.as_deref().unwrap_or_default();
        let known = AUTHORITIES.iter().find(|each| organization.starts_with(each.organization));
        let Some(Authority { names, .. }) = known else { return BTreeSet::new() };
        let forbidden = certificate.names.iter().filter_map(|name| {
            let permission = self.permission(name.as_ref())?;
            // What is made of the configuration is in the zone as well, once that is served.
            let permitted: BTreeSet<&str> = permission.values.iter().map(|value| authority(value)).collect();
            if permitted.iter().any(|one| names.iter().any(|name| name.eq_ignore_ascii_case(one))) {
                return None;
            }
            let permitted: Vec<String> =
                permitted.into_iter().filter(|one| !one.is_empty()).map(|one| format!("`{one}`")).collect();
            let permitted =
                if permitted.is_empty() { "nobody".to_owned() } else { format!("{} alone", permitted.join(", ")) };
            Some(format!(
                "{} is issued by {organization}, and the CAA records of {} permit {permitted}: it cannot be renewed \
                 there for {}; permit `{}`",
                certificate.file,
                permission.owner.as_ref().undotted(),
                name.as_ref().undotted(),
                names.first().copied().unwrap_or_default(),
            ))
        });
        forbidden.collect()
    }

    /// The records that say who may issue for a name (RFC 8659 §3); `None` if anybody may, or if nobody here knows.
    fn permission(&self, name: NameRef<'_>) -> Option<Permission> {
        let wildcard = name.is_wildcard();
        let mut at = if wildcard { name.parent()? } else { name };
        loop {
            let (_, contents) = self.zone_of(at)?;
            if contents.standing(at) != Standing::Authoritative {
                return None;
            }
            let node = contents.nodes.get(at);
            // What an alias leads to is somebody else's to say.
            if node.is_some_and(|node| node.has(Rtype::CNAME)) {
                return None;
            }
            let rdatas =
                node.and_then(|node| node.rrset(Rtype::CAA)).into_iter().flat_map(|rrset| rrset.rdatas());
            let mut properties: Vec<(String, String)> = rdatas.filter_map(property).collect();
            // `danelaw check` sees zones as their files have them.
            let made = self.domains.iter().filter(|domain| domain.name.as_ref() == at);
            let made = made.flat_map(|domain| &domain.caa);
            properties.extend(made.map(|caa| (caa.tag.to_owned(), caa.value.clone())));
            if properties.is_empty() {
                at = at.parent()?;
                continue;
            }
            let of = |tag: &str| -> Vec<String> {
                let values = properties.iter().filter(|(known, _)| known.eq_ignore_ascii_case(tag));
                values.map(|(_, value)| value.clone()).collect()
            };
            // §4.3: for a wildcard `issuewild` counts instead of `issue`, where there is one.
            let wild = if wildcard { of("issuewild") } else { Vec::new() };
            let values = if wild.is_empty() { of("issue") } else { wild };
            return (!values.is_empty()).then(|| Permission { owner: at.to_owned(), values });
        }
    }
}

/// Tag and value of a CAA record (§4.1).
fn property(rdata: &[u8]) -> Option<(String, String)> {
    let (length, rest) = rdata.get(1..)?.split_first()?;
    let (tag, value) = rest.split_at_checked(usize::from(*length))?;
    Some((String::from_utf8_lossy(tag).into_owned(), String::from_utf8_lossy(value).into_owned()))
}

/// The authority that a value names, without its parameters (§4.2); nothing where it names none.
fn authority(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}
