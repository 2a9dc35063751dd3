//! The configuration's words in the words of the modules that do the work. Neither knows the other.

use crate::config;
use crate::dnssec::keyset::Layout;
use crate::dnssec::policy::{DenialPolicy, Lifetimes, Policy};
use crate::tlsa::Params;
use crate::zone::SerialPolicy;

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

pub(super) fn serial_policy(serial: config::SerialScheme) -> SerialPolicy {
    match serial {
        config::SerialScheme::Unixtime => SerialPolicy::UnixTime,
        config::SerialScheme::Increment => SerialPolicy::Increment,
        config::SerialScheme::Date => SerialPolicy::Date,
    }
}

/// The configuration has checked the numbers.
pub(super) fn params(parameters: &[config::TlsaParameters]) -> Vec<Params> {
    parameters.iter().filter_map(|p| Params::from_octets([p.usage, p.selector, p.matching])).collect()
}
