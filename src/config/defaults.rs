//! Every default of `danelaw.yaml`, once. docs/configuration.md lists them for people.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::dns::time::{DAY, HOUR, Seconds, Ttl};

use super::domain::StsMode;
use super::policy::{
    Denial, Ixfr, Journal, KeyScheme, KskRollover, SerialScheme, SignatureTimes, SigningAlgorithm,
};
use super::primary::VerifyZonemd;
use super::server::RateLimit;
use super::service::{TlsaParameters, Transport};
use super::tsig::TsigAlgorithm;
use super::zone::Propagation;

/// Where the configuration is looked for when `-c` does not name it, in this order.
pub const CONFIG_FILES: [&str; 2] = ["danelaw.yaml", "/etc/danelaw/danelaw.yaml"];

/// `listen.dns`: this port on both loopback addresses, which needs no privilege.
pub const LISTEN_DNS: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5353),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 5353),
];
/// The port of an address in `listen.dns` or `remotes` that names none (RFC 1035 §4.2).
pub const DNS_PORT: u16 = 53;
/// The port of an address in `listen.tls`, `listen.quic` or a remote with `tls` that names none (RFC 7858 §3.1,
/// RFC 9250 §8).
pub const TLS_PORT: u16 = 853;
/// The port of an address in `listen.https` that names none (RFC 8484).
pub const HTTPS_PORT: u16 = 443;

/// `rate-limit`, once it is there.
pub const RATE_LIMIT: RateLimit = RateLimit {
    responses: 20,
    referrals: 20,
    nodata: 20,
    nxdomains: 20,
    errors: 20,
    window: Seconds(15),
    slip: 2,
    ipv4_prefix: 24,
    ipv6_prefix: 56,
    exempt: Vec::new(),
    log_only: false,
};

/// `keys`: the directory of DNSSEC private keys, beside the configuration.
pub const KEYS_DIRECTORY: &str = "keys";
/// `state`: the directory of what must survive a restart, beside the configuration.
pub const STATE_DIRECTORY: &str = "state";

/// `services.*.next.directory`, beside the configuration.
pub const NEXT_DIRECTORY: &str = "next";

/// `services.*.issuer`: what Caddy calls the authority that it asks unless told otherwise.
pub const CADDY_ISSUER: &str = "acme-v02.api.letsencrypt.org-directory";

/// The Unix socket in the state directory that the command line reaches the daemon on.
pub const CONTROL_SOCKET: &str = "control.sock";

/// `tsig.*.algorithm`.
pub const TSIG_ALGORITHM: TsigAlgorithm = TsigAlgorithm::HmacSha256;

/// The policy of a zone that names none.
pub const POLICY: &str = "default";
/// The built-in policy that signs nothing.
pub const POLICY_UNSIGNED: &str = "unsigned";
/// `policies.*.keys`.
pub const KEY_SCHEME: KeyScheme = KeyScheme::Csk;
/// `policies.*.algorithm`: what every validator knows, with small keys (RFC 8624 §3.1).
pub const ALGORITHM: SigningAlgorithm = SigningAlgorithm::EcdsaP256Sha256;
/// `policies.*.ksk-rollover`: one change at the parent.
pub const KSK_ROLLOVER: KskRollover = KskRollover::DoubleKsk;
/// `policies.*.denial`.
pub const DENIAL: Denial = Denial::Nsec;
/// `policies.*.signatures`.
pub const SIGNATURES: SignatureTimes = SignatureTimes {
    validity: Seconds(14 * DAY.0),
    refresh: Seconds(7 * DAY.0),
    jitter: Seconds(DAY.0),
    backdate: Seconds(HOUR.0),
};
/// `policies.*.dnskey-ttl`.
pub const DNSKEY_TTL: Ttl = Ttl(3_600);
/// `policies.*.serial`.
pub const SERIAL: SerialScheme = SerialScheme::Unixtime;

/// `policies.*.journal`.
pub const JOURNAL: Journal = Journal { versions: 1_000, octets: 64 << 20 };
/// `policies.*.ixfr`.
pub const IXFR: Ixfr = Ixfr::Condensed;

/// `zones.*.max-transfer-size`: about ten million records.
pub const MAX_TRANSFER_SIZE: u64 = 1 << 30;
/// The most that it may be.
pub const LARGEST_TRANSFER_SIZE: u64 = 4_095 << 20;

/// `zones.*.verify-zonemd`.
pub const VERIFY_ZONEMD: VerifyZonemd = VerifyZonemd::IfPresent;

/// `zones.*.propagation`.
pub const PROPAGATION: Propagation = Propagation::All;

/// `zones.*.signal`.
pub const SIGNAL: bool = false;

/// The protocol of an endpoint that names none.
pub const TRANSPORT: Transport = Transport::Tcp;
/// `services.*.tlsa`: DANE-EE, SubjectPublicKeyInfo, SHA-256 (RFC 7672 §3.1).
pub const TLSA: TlsaParameters = TlsaParameters { usage: 3, selector: 1, matching: 1 };
/// `services.*.tlsa` beside `smimea`: the whole certificate, which whoever encrypts needs.
pub const SMIMEA: TlsaParameters = TlsaParameters { usage: 3, selector: 0, matching: 0 };
/// `services.*.ttl`.
pub const TLSA_TTL: Ttl = Ttl(3_600);
/// `services.*.grace`.
pub const GRACE: Seconds = HOUR;

/// `domains.*.ttl`.
pub const DOMAIN_TTL: Ttl = Ttl(3_600);
/// `domains.*.mta-sts.mode`: a mistake in a first policy is reported, and costs no mail.
pub const MTA_STS_MODE: StsMode = StsMode::Testing;
/// `domains.*.mta-sts.max-age`.
pub const MTA_STS_MAX_AGE: Seconds = Seconds(7 * DAY.0);
