//! Advice: what works, and what whoever runs it should know all the same.
//!
//! A pure look at the configuration, the content of zones and the certificates in use. Nothing is searched, so that a
//! zone of a million records costs nothing: MX hosts without TLSA records are found by [`mail`] beforehand,
//! and other MX records are those at the apexes of zones and of `domains`.

mod caa;

use std::collections::BTreeSet;

use super::mail::{self, MxHost, SMTP};
use crate::config::{Domain, Endpoint, MtaSts, Service, ServiceKind, StsMode, Transport, Zone};
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::Rtype;
use crate::dns::time::{HOUR, Seconds, Timestamp};
use crate::tlsa::params::Usage;
use crate::tlsa::{Association, Validity};
use crate::zone::Contents;

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Advice {
    /// The zone, service or domain that it is about.
    pub about: String,
    /// What it is, and what to do.
    pub text: String,
}

/// What advice is made of.
pub struct Facts<'a> {
    /// The time.
    pub now: Timestamp,
    /// The zones whose content is known.
    pub zones: Vec<(&'a Zone, &'a Contents)>,
    /// All services.
    pub services: Vec<ServiceFacts<'a>>,
    /// All domains.
    pub domains: Vec<&'a Domain>,
    /// MX hosts that had no TLSA records when they were looked for.
    pub mx_hosts: &'a [MxHost],
}

/// A service with what it uses.
pub struct ServiceFacts<'a> {
    /// The configuration.
    pub config: &'a Service,
    /// The certificates in use.
    pub certificates: Vec<CertificateFacts>,
    /// The records of its keys.
    pub published: Vec<Association>,
}

/// A certificate in use.
pub struct CertificateFacts {
    /// Where it lies.
    pub file: String,
    /// The DNS names that it is for.
    pub names: Vec<Name>,
    /// When it is valid.
    pub validity: Validity,
    /// The organization that issued it, if it is said.
    pub issuer: Option<String>,
}

impl Facts<'_> {
    /// All advice, in order.
    pub fn advice(&self) -> BTreeSet<Advice> {
        let mut all = BTreeSet::new();
        for service in &self.services {
            let issued = service.certificates.iter().flat_map(|certificate| self.of_issuer(certificate));
            let texts = service.advice(self.now).chain(issued);
            all.extend(texts.map(|text| advice(&service.config.name, text)));
        }
        let names = self.zones.iter().map(|(zone, _)| &zone.origin);
        let names: BTreeSet<&Name> = names.chain(self.domains.iter().map(|domain| &domain.name)).collect();
        for name in names {
            all.extend(self.of_mail(name).into_iter().map(|text| advice(&name.as_ref().undotted(), text)));
        }
        for each in self.mx_hosts {
            let text = self.of_mx_host(each);
            all.extend(text.map(|text| advice(&each.domain.as_ref().undotted(), text)));
        }
        for domain in &self.domains {
            if let Some(mta_sts) = domain.mta_sts.as_ref().filter(|mta_sts| mta_sts.mode != StsMode::None) {
                let texts = self.of_mta_sts(&domain.name, mta_sts);
                all.extend(texts.into_iter().map(|text| advice(&domain.name.as_ref().undotted(), text)));
            }
        }
        all
    }

    /// Whether mail to a domain can be protected by DANE, as far as that is decided here.
    fn of_mail(&self, domain: &Name) -> Vec<String> {
        let mut texts = Vec::new();
        let mut protected = Vec::new();
        for host in self.mx(domain) {
            let Some((zone, contents)) = self.zone_of(host.as_ref()) else { continue };
            if !self.has_tlsa(contents, &host) {
                continue;
            }
            let host = host.as_ref().undotted();
            if zone.policy.signs() {
                protected.push(host);
            } else {
                texts.push(format!(
                    "the addresses of its MX host {host} are in the unsigned zone {}: TLSA records are not looked at \
                     (RFC 7672 §2.2.2)",
                    zone.origin.as_ref().undotted()
                ));
            }
        }
        if let Some((zone, _)) = self.zone_of(domain.as_ref())
            && !zone.policy.signs()
            && let Some(host) = protected.first()
        {
            texts.push(format!(
                "its MX records are in the unsigned zone {}: senders do not look at the TLSA records of {host} for it \
                 (RFC 7672 §2.2.1)",
                zone.origin.as_ref().undotted()
            ));
        }
        texts
    }

    /// An MX host that could have TLSA records, if it still has none.
    fn of_mx_host(&self, MxHost { host, others, starttls, .. }: &MxHost) -> Option<String> {
        let (_, contents) = self.zone_of(host.as_ref())?;
        if self.has_tlsa(contents, host) {
            return None;
        }
        let host = host.as_ref().undotted();
        let of_others = match others {
            0 => String::new(),
            1 => ", which is that of another name too,".to_owned(),
            others => format!(", which is that of {others} other names too,"),
        };
        Some(if *starttls {
            format!(
                "its MX host {host}{of_others} has STARTTLS and no TLSA record: make `{host}:{SMTP}` the endpoint of a \
                 service"
            )
        } else {
            format!(
                "its MX host {host}{of_others} has no TLSA record: if it offers STARTTLS, make `{host}:{SMTP}` the \
                 endpoint of a service"
            )
        })
    }

    /// Whether a mail server has TLSA records, or a service that will have.
    fn has_tlsa(&self, contents: &Contents, host: &Name) -> bool {
        mail::has_tlsa(contents, host).unwrap_or(false)
            || self.services.iter().any(|service| service.takes_mail_for(host))
    }

    /// Whether policy, MX records and certificates agree: senders hold each against the next (RFC 8461 §4.1).
    fn of_mta_sts(&self, domain: &Name, mta_sts: &MtaSts) -> Vec<String> {
        let mut texts = Vec::new();
        let Some((_, contents)) = self.zone_of(domain.as_ref()) else { return texts };
        let consequence = match mta_sts.mode {
            StsMode::Enforce => "senders that know the policy do not deliver to it",
            StsMode::Testing | StsMode::None => "senders report that",
        };
        let hosts = self.mx(domain);
        for host in &hosts {
            if !mta_sts.mx.iter().any(|pattern| pattern.matches(host.as_ref())) {
                texts.push(format!(
                    "its MX host {} is not in `mx` of its `mta-sts`: {consequence}",
                    host.as_ref().undotted()
                ));
            }
            let takes = self.services.iter().filter(|service| service.takes_mail_for(host));
            for certificate in takes.flat_map(|service| &service.certificates) {
                if !certificate.names.iter().any(|name| is_for(name, host)) {
                    let (host, file) = (host.as_ref().undotted(), &certificate.file);
                    texts.push(format!(
                        "{file} is not for its MX host {host}, as `mta-sts` needs: {consequence}"
                    ));
                }
            }
        }
        for pattern in &mta_sts.mx {
            if !hosts.iter().any(|host| pattern.matches(host.as_ref())) {
                texts.push(format!("`{pattern}` in `mx` of its `mta-sts` is none of its MX hosts"));
            }
        }
        let is_there = self.zone_of(mta_sts.host.as_ref()).is_none_or(|(_, contents)| {
            let node = contents.nodes.get(mta_sts.host.as_ref());
            node.is_some_and(|node| ADDRESSES.into_iter().any(|rtype| node.has(rtype)))
                || contents.cut_above(mta_sts.host.as_ref()).is_some()
        });
        // A wildcard may stand for it.
        let wildcard = mta_sts.host.as_ref().parent().and_then(|parent| parent.to_owned().child(b"*").ok());
        let by_wildcard = wildcard.is_some_and(|wildcard| contents.nodes.get(wildcard.as_ref()).is_some());
        if !is_there && !by_wildcard {
            let host = mta_sts.host.as_ref().undotted();
            texts.push(format!("{host} has no address: nobody finds the policy of its `mta-sts`"));
        }
        texts
    }

    /// The MX hosts of a domain.
    fn mx(&self, domain: &Name) -> Vec<Name> {
        let node =
            self.zone_of(domain.as_ref()).and_then(|(_, contents)| contents.nodes.get(domain.as_ref()));
        node.into_iter().flat_map(mail::mx_hosts).collect()
    }

    /// The zone that holds a name, of those whose content is known.
    fn zone_of(&self, name: NameRef<'_>) -> Option<(&Zone, &Contents)> {
        let holds = self.zones.iter().filter(|(zone, _)| name.is_at_or_below(zone.origin.as_ref()));
        let longest = holds.max_by_key(|(zone, _)| zone.origin.as_ref().label_count());
        longest.map(|&(zone, contents)| (zone, contents))
    }
}

impl ServiceFacts<'_> {
    fn advice(&self, now: Timestamp) -> impl Iterator<Item = String> {
        let mut texts = Vec::new();
        for certificate in &self.certificates {
            if let Some(complaint) = certificate.validity.complaint(now) {
                texts.push(format!("{} {complaint}", certificate.file));
            }
        }
        if self.config.kind == ServiceKind::Tls {
            texts.extend(self.of_digests());
            let ttl = Seconds::from(self.config.ttl);
            if ttl > HOUR {
                texts.push(format!(
                    "its TTL is {ttl}, so that a change of keys takes {} at least: 30m to 1h is usual",
                    ttl * 2
                ));
            }
        }
        texts.extend(self.of_issuers());
        texts.into_iter()
    }

    /// One digest is enough; a second one doubles the records, and the risk that one of them is stale.
    fn of_digests(&self) -> Option<String> {
        let sets = &self.config.tlsa;
        let (one, other) = sets.iter().find_map(|one| {
            let mut alike = sets.iter().filter(|set| (set.usage, set.selector) == (one.usage, one.selector));
            Some((one, alike.find(|set| set.matching != one.matching)?))
        })?;
        Some(format!(
            "`{one}` and `{other}` differ in their digest alone: clients choose one (RFC 7671 §9), and records double"
        ))
    }

    /// The issuers that records speak of are meant to stay.
    fn of_issuers(&self) -> Option<String> {
        let mut seen = BTreeSet::new();
        let of_issuers = self.published.iter().map(Association::params);
        let mut of_issuers = of_issuers.filter(|params| params.usage().is_some_and(Usage::is_issuer));
        let params = of_issuers.find(|params| !seen.insert(*params))?;
        Some(format!(
            "its certificates are issued by several authorities, or by another one than before: each `{params}` record \
             has to stay as long as a server presents a certificate of that issuer"
        ))
    }

    fn takes_mail_for(&self, host: &Name) -> bool {
        let takes = |endpoint: &Endpoint| {
            endpoint.host == *host && endpoint.port == SMTP && endpoint.transport == Transport::Tcp
        };
        self.config.endpoints.iter().any(takes)
    }
}

/// Whether a name of a certificate, wildcard or not, is that of a host (RFC 9525 §6.3).
fn is_for(name: &Name, host: &Name) -> bool {
    let (name, host) = (name.as_ref(), host.as_ref());
    if name.is_wildcard() { name.parent() == host.parent() } else { name == host }
}

fn advice(about: &str, text: String) -> Advice {
    Advice { about: about.to_owned(), text }
}

const ADDRESSES: [Rtype; 3] = [Rtype::A, Rtype::AAAA, Rtype::CNAME];

#[cfg(test)]
mod tests;
