//! The configuration's words in the words of the modules that do the work. Neither knows the other.

use crate::config::{self, ServiceKind};
use crate::dnssec::key::Algorithm;
use crate::dnssec::keyset::Layout;
use crate::dnssec::lifecycle::Method;
use crate::dnssec::policy::{DenialPolicy, Lifetimes, Policy};
use crate::dnssec::proof::Dnskey;
use crate::tlsa::rollover::{Settings, Source};
use crate::tlsa::{Combination, KeyAlgorithm, Material, MaterialError, Params};
use crate::zone::SerialPolicy;
use crate::zone::zonemd::Demand;

pub(super) fn signing_policy(policy: &config::Policy) -> Policy {
    let times = policy.signatures;
    Policy {
        layout: layout(policy.keys),
        denial: match policy.denial {
            config::Denial::Nsec => DenialPolicy::Nsec,
            config::Denial::Nsec3 => DenialPolicy::Nsec3,
            config::Denial::Nsec3OptOut => DenialPolicy::Nsec3OptOut,
        },
        lifetimes: Lifetimes {
            validity: times.validity,
            refresh: times.refresh,
            jitter: times.jitter,
            backdate: times.backdate,
        },
        dnskey_ttl: policy.dnskey_ttl,
    }
}

pub(super) fn layout(keys: config::KeyScheme) -> Layout {
    match keys {
        config::KeyScheme::KskZsk => Layout::KskZsk,
        config::KeyScheme::Csk | config::KeyScheme::None => Layout::Csk,
    }
}

pub(super) fn ksk_rollover(rollover: config::KskRollover) -> Method {
    match rollover {
        config::KskRollover::DoubleKsk => Method::DoubleKsk,
        config::KskRollover::DoubleDs => Method::DoubleDs,
    }
}

/// The keys of another signer of the zone. The configuration has checked them.
pub(super) fn foreign_dnskeys(zone: &config::Zone) -> impl Iterator<Item = Dnskey> {
    zone.foreign_dnskeys.iter().filter_map(|rdata| Dnskey::from_rdata(rdata))
}

/// What the keys of a policy are made of.
pub fn signing_algorithm(algorithm: config::SigningAlgorithm) -> Algorithm {
    match algorithm {
        config::SigningAlgorithm::EcdsaP256Sha256 => Algorithm::EcdsaP256Sha256,
        config::SigningAlgorithm::EcdsaP384Sha384 => Algorithm::EcdsaP384Sha384,
        config::SigningAlgorithm::Ed25519 => Algorithm::Ed25519,
    }
}

pub(super) fn serial_policy(serial: config::SerialScheme) -> SerialPolicy {
    match serial {
        config::SerialScheme::Unixtime => SerialPolicy::UnixTime,
        config::SerialScheme::Increment => SerialPolicy::Increment,
        config::SerialScheme::Date => SerialPolicy::Date,
    }
}

pub(super) fn demand(verify: config::VerifyZonemd) -> Demand {
    match verify {
        config::VerifyZonemd::IfPresent => Demand::IfPresent,
        config::VerifyZonemd::Always => Demand::Always,
        config::VerifyZonemd::Never => Demand::Never,
    }
}

pub(super) fn rollover(service: &config::Service, sources: Vec<Source>) -> Settings {
    Settings { params: params(service), sources, ttl: service.ttl, grace: service.grace }
}

/// Which records a service has for each of its keys. The configuration has checked the numbers.
pub fn params(service: &config::Service) -> Vec<Params> {
    let combinations = || {
        let octets = service.tlsa.iter().map(|each| [each.usage, each.selector, each.matching]);
        octets.filter_map(Combination::from_octets)
    };
    match service.kind {
        ServiceKind::Tls => combinations().map(Params::Tlsa).collect(),
        ServiceKind::Smime => combinations().map(Params::Smimea).collect(),
        ServiceKind::Ssh => vec![Params::Sshfp],
        ServiceKind::OpenPgp => vec![Params::OpenPgpKey],
    }
}

/// What a file of a service holds.
pub fn material(service: &config::Service, octets: &[u8]) -> Result<Material, MaterialError> {
    match service.kind {
        ServiceKind::Tls | ServiceKind::Smime => {
            let hosts: Vec<_> = service.endpoints.iter().map(|endpoint| endpoint.host.as_ref()).collect();
            Material::find(octets, &hosts)
        }
        ServiceKind::Ssh => Material::ssh_host_key(octets),
        ServiceKind::OpenPgp => {
            let addresses: Vec<_> = service.subjects.iter().map(|subject| &*subject.text).collect();
            Material::openpgp_key(octets, &addresses)
        }
    }
}

pub(super) fn key_algorithm(algorithm: config::KeyAlgorithm) -> KeyAlgorithm {
    match algorithm {
        config::KeyAlgorithm::EcdsaP256 => KeyAlgorithm::EcdsaP256,
        config::KeyAlgorithm::Rsa2048 => KeyAlgorithm::Rsa2048,
    }
}
