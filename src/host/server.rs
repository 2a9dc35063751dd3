//! What answers to all zones have in common, as the configuration and this host make it.

use std::path::Path;
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};

use super::files;
use crate::answer::cookie::CookieSecret;
use crate::answer::rate::{RateLimit, RateLimiter, Rates};
use crate::answer::server::Text;
use crate::answer::{Prefix, Server};
use crate::config::{self, Config};
use crate::dns::problem::{Place, Problem};

/// Makes it. The secret of cookies is read from its file, or made anew: then cookies hold until the next start or
/// reload, and a client whose cookie is not known is given another.
pub(super) fn make(config: &Config) -> Result<Arc<Server>, Problem> {
    let cookies = match &config.server.cookie_secret {
        Some(path) => Some(read_secret(path)?),
        None => random().map(CookieSecret::new),
    };
    // Without randomness others could choose to share an account; better no limit than one that can be turned.
    let limiter = config.rate_limit.as_ref().zip(random());
    let text = |text: &Option<String>| text.as_ref().and_then(|text| Text::new(text.as_bytes()));
    Ok(Arc::new(Server {
        version: text(&config.server.version),
        id: text(&config.server.id),
        cookies,
        limiter: limiter.map(|(limit, key)| RateLimiter::new(rate_limit(limit), key)),
    }))
}

fn random() -> Option<[u8; 16]> {
    let mut octets = [0; 16];
    SystemRandom::new().fill(&mut octets).ok().map(|()| octets)
}

/// 16 octets in hexadecimal, as BIND and Knot have them too.
fn read_secret(path: &Path) -> Result<CookieSecret, Problem> {
    let place = || Place::file(path.display().to_string());
    let text = files::read_secret(path)?;
    let octets = data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok();
    let octets = octets.and_then(|octets| <[u8; 16]>::try_from(octets).ok());
    octets.map(CookieSecret::new).ok_or_else(|| {
        Problem::error(place(), "no secret for cookies, expected 32 hexadecimal digits: openssl rand -hex 16")
    })
}

fn rate_limit(limit: &config::RateLimit) -> RateLimit {
    RateLimit {
        rates: Rates {
            answers: limit.responses,
            referrals: limit.referrals,
            nodata: limit.nodata,
            nxdomains: limit.nxdomains,
            errors: limit.errors,
        },
        window: limit.window,
        slip: limit.slip,
        ipv4_prefix: limit.ipv4_prefix,
        ipv6_prefix: limit.ipv6_prefix,
        exempt: limit
            .exempt
            .iter()
            .filter_map(|prefix| Prefix::new(prefix.address(), prefix.bits()))
            .collect(),
        log_only: limit.log_only,
    }
}
