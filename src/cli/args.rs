//! The arguments of every command, and the help that a newcomer reads first.

mod key;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{Denial, KeyScheme, Manner, SigningAlgorithm, TlsaParameters, parse_seconds};
use crate::dns::name::{Name, NameError};
use crate::dns::time::{Seconds, Ttl};
use crate::host::lab::Fault;
pub use key::{
    KeyArgs, KeyCommand, KeyDsArgs, KeyExportArgs, KeyFormat, KeyGenerateArgs, KeyImportArgs,
    KeyImportBatchArgs, KeyListArgs, KeyRequestArgs, KeyRole, KeyRollArgs, KeySignBatchArgs,
};

/// A DNS nameserver that signs zones and keeps their TLSA records true to your TLS certificates.
///
/// danelaw reads zone files, signs them in memory, watches the certificate files of your TLS services, and
/// serves the zones with TLSA records that match them, to everybody or to your secondaries.
#[derive(Debug, Parser)]
#[command(
    name = "danelaw",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "Start with `danelaw check`, then `danelaw run`. `danelaw COMMAND --help` tells more.",
    after_long_help = AFTER_HELP
)]
pub struct Cli {
    /// The configuration [default: ./danelaw.yaml, else /etc/danelaw/danelaw.yaml]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the configured zones until told to stop
    ///
    /// Logs to standard error. SIGHUP reloads the configuration, zones and certificates; SIGTERM and SIGINT stop
    /// cleanly. Signing keys are made on the first start of a zone, and never again by themselves.
    Run(RunArgs),

    /// Report everything that is wrong with configuration, zones, keys and certificates
    ///
    /// Each problem is one line, `file:line:column: reason`, or `file: reason` where it is about a whole file; warnings
    /// say `warning:`. Nothing is changed and no daemon is needed.
    /// Exits 0 when all is sound (warnings are allowed), 1 when something is not.
    Check,

    /// Sign a zone file once and write the signed zone as text
    ///
    /// Needs no configuration and no daemon.
    Sign(SignArgs),

    /// Print the TLSA records of certificates, keys or CSRs
    ///
    /// Needs no configuration and no daemon.
    Tlsa(TlsaArgs),

    /// Print DS, DNSKEY and CDS records of the keys that the parent of a zone is to name
    ///
    /// The daemon knows which these are. Where none runs, those in the directory of keys whose files do not say that they
    /// are over; `danelaw status ZONE` then says what to hand to the parent once it does.
    Ds(DsArgs),

    /// Make, list, roll, import and export DNSSEC keys, and say what the parent has
    Key(KeyArgs),

    /// Print a zone as it is served, one record a line, in canonical order
    Dump(DumpArgs),

    /// Show how a zone differs from its file: dynamic updates, and records made of certificates
    Diff(DiffArgs),

    /// Show what is served, what is pending, until when, and why
    ///
    /// Exits 0 when all is well, 1 when something needs a person.
    Status(StatusArgs),

    /// Make the key that a service will have next, and the request for its certificate
    ///
    /// danelaw makes them by itself where the configuration says `next: {generate: …}`, and the one after when that
    /// has gone live. This makes one now, announces it, and prints where it is. Refuses while one waits to be used.
    Next(NextArgs),

    /// Check from outside, as a client that goes by DANE would
    ///
    /// From a trust anchor down to the zone; the records on every nameserver; what the service presents at every
    /// address, against every set of TLSA records. One line a check: ok, warn or FAIL.
    /// Exits 0 when nothing fails, 1 otherwise.
    Verify(VerifyArgs),

    /// Show a whole rollover in a laboratory of its own, or serve a fault for clients to notice
    ///
    /// A signed zone, two nameservers and a mail server with STARTTLS on high ports of loopback, in a temporary
    /// directory that goes in the end. Needs no configuration, no root, and nothing else.
    Lab(LabArgs),

    /// Read the configuration, zone files and certificates again
    ///
    /// Input that is broken changes nothing: it is told why, and the exit status is 1. What is awaited of others, such as
    /// a DS at the parent, is in `status`.
    Reload(ReloadArgs),

    /// Save the state and all keys to one file, while the daemon runs or while it does not
    ///
    /// The file holds private keys: it is made for its owner alone, and read back before it gets its name.
    Backup(BackupArgs),

    /// Put back what `danelaw backup` saved; no daemon may run meanwhile
    ///
    /// Zones get serials above all that their secondaries have. A newer state on the disk is not replaced: versions and
    /// steps of key rollovers made after the backup would be forgotten.
    Restore(RestoreArgs),

    /// Tell the secondaries of a zone to look for a new version now
    Notify(NotifyArgs),

    /// May the next certificate of a service be deployed now?
    ///
    /// Open (exit 0) once every nameserver has been seen to serve the TLSA record of the key that is to be deployed,
    /// and caches have had twice the TTL since. Closed (exit 1) says for whom it waits, and until when; exit 3 is no
    /// daemon. Which key that is: the one of --certificate, or what the certificate files hold and the service does
    /// not present yet, or the next key. As a deploy hook: `danelaw gate mail --wait && install … && postfix reload`.
    Gate(GateArgs),

    /// Withdraw the key of a service that others have
    ///
    /// As soon as another key is live, the records of the one in use now are withdrawn, whatever still presents it.
    /// Says what that costs; does it with --yes only.
    Rollover(RolloverArgs),
}

/// `danelaw run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// How much to log
    #[arg(long, value_enum, default_value_t = LogLevel::Info, value_name = "LEVEL")]
    pub log: LogLevel,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What needs a person
    Error,
    /// And what someone should look at
    Warn,
    /// And each change that is served
    Info,
    /// And why
    Debug,
    /// And every message
    Trace,
}

/// `danelaw sign`
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The zone file
    #[arg(value_name = "ZONEFILE")]
    pub zone_file: PathBuf,

    /// The name of the zone's apex
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub origin: Name,

    /// The directory of keys in BIND's format, `K<zone>+<algorithm>+<tag>.key` and `.private`
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,

    /// Make the keys if the directory has none for the zone
    #[arg(long)]
    pub generate: bool,

    /// Which keys to make with --generate: csk or ksk+zsk
    #[arg(long, value_name = "SCHEME", default_value = "csk", value_parser = key_scheme)]
    pub key_scheme: KeyScheme,

    /// The algorithm of keys made with --generate: ecdsap256sha256, ecdsap384sha384, ed25519, or the number
    #[arg(long, value_name = "ALGORITHM", default_value_t = crate::config::defaults::ALGORITHM, value_parser = algorithm)]
    pub algorithm: SigningAlgorithm,

    /// How absence is proven: nsec, nsec3 or nsec3-opt-out
    #[arg(long, value_name = "HOW", default_value = "nsec", value_parser = denial)]
    pub denial: Denial,

    /// Add a digest of the whole zone (ZONEMD, RFC 8976)
    #[arg(long)]
    pub zonemd: bool,

    /// How long the signatures are valid, such as 14d or 36h
    #[arg(
        long,
        value_name = "TIME",
        default_value_t = crate::config::defaults::SIGNATURES.validity,
        value_parser = parse_seconds
    )]
    pub validity: Seconds,

    /// Where to write the signed zone [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `danelaw tlsa`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  danelaw tlsa --owner _25._tcp.mail.example.test fullchain.pem")]
pub struct TlsaArgs {
    /// Certificates, private keys, public keys or CSRs, PEM or DER
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Certificate usage, selector and matching type; may be given several times
    #[arg(long, value_name = "\"U S M\"", default_value = "3 1 1")]
    pub params: Vec<TlsaParameters>,

    /// The owner of the records; without it only their data is printed
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub owner: Option<Name>,

    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `danelaw ds`
#[derive(Debug, Args)]
pub struct DsArgs {
    /// The name of the zone's apex
    #[arg(value_name = "ZONE", value_parser = name)]
    pub zone: Name,

    /// The directory of keys [default: `keys` of the configuration]
    #[arg(long, value_name = "DIR", conflicts_with = "signal")]
    pub keys: Option<PathBuf>,

    /// Ask the daemon which CDS and CDNSKEY records stand below the names of the nameservers instead, until the parent
    /// has a DS record: those that danelaw makes, and those that are for others to put into their zones (RFC 9615)
    #[arg(long)]
    pub signal: bool,

    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `danelaw dump`
#[derive(Debug, Args)]
pub struct DumpArgs {
    /// The name of the zone's apex
    #[arg(value_name = "ZONE", value_parser = name)]
    pub zone: Name,

    /// Leave out signatures and the chain of denial
    #[arg(long)]
    pub unsigned: bool,

    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `danelaw backup`
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Where to; `-` is standard output
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// `danelaw restore`
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// What `danelaw backup` made
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Replace a newer state too, which stays beside the one restored; do not wait for secondaries that are silent
    #[arg(long)]
    pub force: bool,
}

/// `danelaw diff`
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The name of the zone's apex
    #[arg(value_name = "ZONE", value_parser = name)]
    pub zone: Name,

    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `danelaw status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// One zone or one service [default: all]
    #[arg(value_name = "ZONE|SERVICE")]
    pub subject: Option<String>,

    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `danelaw next`
#[derive(Debug, Args)]
pub struct NextArgs {
    /// The service
    #[arg(value_name = "SERVICE")]
    pub service: String,

    /// Make another although one waits to be used: that one stays announced for a day
    #[arg(long)]
    pub force: bool,

    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `danelaw lab`
#[derive(Debug, Args)]
pub struct LabArgs {
    /// Serve a fault for clients to notice: stale-tlsa, expired-rrsig, missing-next, lagging-secondary, wrong-key or
    /// bad-nsec
    #[arg(long, value_name = "FAULT")]
    pub fault: Option<Fault>,

    /// Go on serving until Ctrl-C, and say how to look at it with other programs
    #[arg(long)]
    pub keep: bool,

    /// The TTL of the TLSA records
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = crate::config::parse_ttl)]
    pub ttl: Ttl,
}

/// `danelaw verify`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  danelaw verify mail                      a service of the configuration
  danelaw verify example.test              the mail servers of a domain
  danelaw verify www.example.test:443      one host and port
  danelaw verify example.org --anchor root.ds --server 198.41.0.4")]
pub struct VerifyArgs {
    /// A service of the configuration; the domain whose mail servers to look at; or one host and port
    #[arg(value_name = "SERVICE|DOMAIN|HOST:PORT")]
    pub subject: String,

    /// The DS or DNSKEY records to trust [default: `trust-anchor` of the configuration, else the keys of its zones]
    #[arg(long, value_name = "FILE")]
    pub anchor: Option<PathBuf>,

    /// A nameserver of the zone that is trusted, to begin with; may be given several times
    #[arg(long = "server", value_name = "ADDRESS[:PORT]", value_parser = nameserver)]
    pub servers: Vec<SocketAddr>,

    /// Look at the service here rather than at its host's addresses; may be given several times
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub connect: Vec<SocketAddr>,

    /// How TLS begins, such as smtp, or off [default: `starttls` of the service, else by the port]
    #[arg(long, value_name = "PROTOCOL", value_parser = manner)]
    pub starttls: Option<Manner>,

    /// The domain whose service it is, if that is not the host: XMPP servers know no other name
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub domain: Option<Name>,

    /// The port of nameservers that NS records name
    #[arg(long, value_name = "PORT", default_value_t = crate::config::defaults::DNS_PORT)]
    pub port: u16,

    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `danelaw reload`
#[derive(Debug, Args)]
pub struct ReloadArgs {
    /// One zone [default: the configuration and all zones]
    #[arg(value_name = "ZONE", value_parser = name)]
    pub zone: Option<Name>,
}

/// `danelaw gate`
#[derive(Debug, Args)]
pub struct GateArgs {
    /// The service
    #[arg(value_name = "SERVICE")]
    pub service: String,

    /// The certificate or key that is to be deployed; it is announced if it was not
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,

    /// Wait until it is open, through restarts of the daemon
    #[arg(long)]
    pub wait: bool,

    /// How long to wait, such as 36h [default: for ever]
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = parse_seconds)]
    pub timeout: Option<Seconds>,

    /// Do not wait for this nameserver, by its name in the configuration or in NS; the daemon keeps a record of it
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub except: Vec<String>,

    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `danelaw rollover`
#[derive(Debug, Args)]
pub struct RolloverArgs {
    /// The service
    #[arg(value_name = "SERVICE")]
    pub service: String,

    /// Somebody else has the key
    #[arg(long, required = true)]
    pub compromised: bool,

    /// Do it
    #[arg(long)]
    pub yes: bool,
}

/// `danelaw notify`
#[derive(Debug, Args)]
pub struct NotifyArgs {
    /// The name of the zone's apex
    #[arg(value_name = "ZONE", value_parser = name)]
    pub zone: Name,
}

/// How records and state are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct Output {
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

fn name(text: &str) -> Result<Name, NameError> {
    Name::parse(text)
}

fn manner(text: &str) -> Result<Manner, crate::config::UnknownWord> {
    text.parse()
}

/// The address of a nameserver, with or without a port.
fn nameserver(text: &str) -> Result<SocketAddr, crate::config::AddressError> {
    crate::config::parse_address(text, Some(crate::config::defaults::DNS_PORT))
}

/// A scheme that has keys to make.
fn key_scheme(text: &str) -> Result<KeyScheme, String> {
    match text.parse() {
        Ok(KeyScheme::None) | Err(_) => Err("expected `csk` or `ksk+zsk`".to_owned()),
        Ok(scheme) => Ok(scheme),
    }
}

fn algorithm(text: &str) -> Result<SigningAlgorithm, crate::config::UnknownWord> {
    text.parse()
}

fn denial(text: &str) -> Result<Denial, crate::config::UnknownWord> {
    text.parse()
}

const AFTER_HELP: &str = "\
Getting started:
  danelaw check             is everything sound?
  danelaw run               serve
  danelaw status            what is served, what is pending, what needs me?
  danelaw status ZONE       what should the parent zone be given?
  danelaw verify SERVICE    what do clients meet?

Exit status:
  0  done, or all is well
  1  something is wrong, and it has been said what; `gate`: it is closed
  2  the command line is wrong
  3  no daemon answers (status, gate, rollover, next, reload, notify, dump, diff, ds --signal, key roll,
     key ds-seen, key ds-gone)

Every command that prints records or state has --json.
The configuration is described in docs/configuration.md.";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_of_the_contract_is_understood() {
        for line in [
            "danelaw run",
            "danelaw run -c /etc/danelaw.yaml --log debug",
            "danelaw -c other.yaml check",
            "danelaw sign z --origin example.test --keys k --generate --denial nsec3 -o out",
            "danelaw sign z --origin example.test. --keys k --key-scheme ksk+zsk --validity 36h",
            "danelaw tlsa a.pem b.pem --owner _25._tcp.mail.example.test --json",
            "danelaw ds example.test --json",
            "danelaw key generate example.test --role zsk --keys k",
            "danelaw key list",
            "danelaw dump example.test --unsigned",
            "danelaw status mail --json",
            "danelaw next mail --force --json",
            "danelaw verify mail --json",
            "danelaw verify example.test --anchor root.ds --server 198.41.0.4 --server [::1]:5353",
            "danelaw verify a.example.test:993 --connect 127.0.0.1:1993 --starttls off --port 5353 \
             --domain example.test",
            "danelaw lab",
            "danelaw lab --fault bad-nsec --keep --ttl 5s",
            "danelaw reload",
            "danelaw reload example.test",
            "danelaw notify example.test",
        ] {
            assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
        }
    }

    #[test]
    fn parameters_are_one_argument_and_may_be_several() {
        let line = ["danelaw", "tlsa", "a.pem", "--params", "3 1 1", "--params", "2 1 2"];
        let Command::Tlsa(args) = Cli::try_parse_from(line).unwrap().command else { panic!("not tlsa") };
        assert_eq!(args.params.iter().map(ToString::to_string).collect::<Vec<_>>(), ["3 1 1", "2 1 2"]);
        let Command::Tlsa(args) = parse("danelaw tlsa a.pem").unwrap().command else { panic!("not tlsa") };
        assert_eq!(args.params, [crate::config::defaults::TLSA]);
    }

    #[test]
    fn a_usage_error_exits_with_2_and_says_what_was_expected() {
        for (line, expected) in [
            ("danelaw", "Usage:"),
            ("danelaw serve", "unrecognized subcommand"),
            ("danelaw dump", "<ZONE>"),
            ("danelaw dump a..b", "empty label"),
            ("danelaw sign z --origin a --keys k --validity 14", "needs its unit"),
            ("danelaw sign z --origin a --keys k --denial nsec5", "nsec3-opt-out"),
            ("danelaw tlsa a.pem --params 311", "usage, selector and matching type"),
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(expected), "{line}: {error}");
        }
        assert_eq!(parse("danelaw --help").unwrap_err().exit_code(), 0);
    }
}
