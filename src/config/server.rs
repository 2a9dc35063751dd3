//! `server` and `rate-limit`: what danelaw says of itself, and how much of anything it says to one network.

use std::path::PathBuf;

use super::Paths;
use super::defaults;
use super::fields::Fields;
use super::report::Report;
use super::scalar::{Prefix, parse_seconds};
use super::yaml::Node;
use crate::dns::time::Seconds;

/// What danelaw says of itself, to whoever asks.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Server {
    /// The answer to `version.bind` CH TXT; refused if `None`.
    pub version: Option<String>,
    /// The answer to `id.server` CH TXT and to NSID; refused and left out if `None`.
    pub id: Option<String>,
    /// Where the secret of DNS cookies is; one is made at each start if `None`.
    pub cookie_secret: Option<PathBuf>,
}

/// How many alike responses a network is sent over UDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// A second, to one question; 0 is without limit. So are the others.
    pub responses: u16,
    /// That lead to another server.
    pub referrals: u16,
    /// That say that there is no such record.
    pub nodata: u16,
    /// That say that there is no such name.
    pub nxdomains: u16,
    /// That are errors.
    pub errors: u16,
    /// For how long a network that asked too much is held to its rate.
    pub window: Seconds,
    /// One in so many responses beyond the rate is sent truncated.
    pub slip: u8,
    /// The bits of an IPv4 address that make a network.
    pub ipv4_prefix: u8,
    /// The bits of an IPv6 address that make a network.
    pub ipv6_prefix: u8,
    /// Who is never limited.
    pub exempt: Vec<Prefix>,
    /// Limits nobody, and counts what would have been.
    pub log_only: bool,
}

/// What is wrong with a value here.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ServerError {
    #[error("too long, expected at most {LONGEST_TEXT} octets")]
    TextTooLong,
    #[error("expected a number from {0} to {1}")]
    Number(u64, u64),
    #[error("expected a span from `1s` to `1h`")]
    Window,
    #[error("expected `true` or `false`")]
    Word,
}

/// Reads `server`.
pub(super) fn read_server(node: Option<&Node>, paths: &Paths<'_>, report: &mut Report<'_>) -> Server {
    let Some(node) = node else { return Server::default() };
    let fields = Fields::of("server", node, &["version", "id", "cookie-secret-file"], report);
    Server {
        version: fields.read("version", report, text).flatten(),
        id: fields.read("id", report, text).flatten(),
        cookie_secret: fields.read("cookie-secret-file", report, |text| paths.resolve(text)),
    }
}

fn text(text: &str) -> Result<Option<String>, ServerError> {
    match text {
        "off" => Ok(None),
        text if text.len() > LONGEST_TEXT => Err(ServerError::TextTooLong),
        text => Ok(Some(text.to_owned())),
    }
}

/// Reads `rate-limit`; nothing is limited without it.
pub(super) fn read_rate_limit(node: Option<&Node>, report: &mut Report<'_>) -> Option<RateLimit> {
    let node = node?;
    let fields = Fields::of("rate-limit", node, &RATE_LIMIT_KEYS, report);
    let mut limit = defaults::RATE_LIMIT;
    let mut rate = |key, default: u16| {
        fields.read(key, report, number(0, 10_000)).map_or(default, |number| number as u16)
    };
    limit.responses = rate("responses-per-second", limit.responses);
    // What is left out follows the first.
    limit.referrals = rate("referrals-per-second", limit.responses);
    limit.nodata = rate("nodata-per-second", limit.responses);
    limit.nxdomains = rate("nxdomains-per-second", limit.responses);
    limit.errors = rate("errors-per-second", limit.responses);
    let mut octet = |key, most, default: u8| match fields.read(key, report, number(0, most)) {
        Some(number) => number as u8,
        None => default,
    };
    limit.slip = octet("slip", 10, limit.slip);
    limit.ipv4_prefix = octet("ipv4-prefix", 32, limit.ipv4_prefix);
    limit.ipv6_prefix = octet("ipv6-prefix", 128, limit.ipv6_prefix);
    if let Some(span) = fields.read("window", report, window) {
        limit.window = span;
    }
    let exempt = fields.read_any("exempt", report, Prefix::parse);
    limit.exempt = exempt.into_iter().map(|(_, prefix)| prefix).collect();
    limit.log_only = fields.read("log-only", report, word).unwrap_or(limit.log_only);
    Some(limit)
}

fn number(least: u64, most: u64) -> impl Fn(&str) -> Result<u64, ServerError> {
    move |text| {
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.ok_or(ServerError::Number(least, most))
    }
}

fn window(text: &str) -> Result<Seconds, String> {
    let span = parse_seconds(text).map_err(|error| error.to_string())?;
    if (1..=3_600).contains(&span.0) { Ok(span) } else { Err(ServerError::Window.to_string()) }
}

fn word(text: &str) -> Result<bool, ServerError> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(ServerError::Word),
    }
}

/// With NSID, cookie and every other option, the longest question still fits into 512 octets.
const LONGEST_TEXT: usize = 128;

const RATE_LIMIT_KEYS: [&str; 11] = [
    "responses-per-second",
    "referrals-per-second",
    "nodata-per-second",
    "nxdomains-per-second",
    "errors-per-second",
    "window",
    "slip",
    "ipv4-prefix",
    "ipv6-prefix",
    "exempt",
    "log-only",
];
