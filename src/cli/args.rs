//! The arguments of every command, and the help that a newcomer reads first.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{Denial, KeyScheme, TlsaParameters, parse_seconds};
use crate::dns::name::{Name, NameError};
use crate::dns::time::Seconds;

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
    /// Each problem is one line, `file:line:column: reason`. Nothing is changed and no daemon is needed.
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

    /// Print what the registrar of a zone wants: DS, DNSKEY and CDS records
    Ds(DsArgs),

    /// Make and list DNSSEC keys on disk
    Key(KeyArgs),

    /// Print a zone as it is served, one record a line, in canonical order
    Dump(DumpArgs),

    /// Show how a zone differs from its file: dynamic updates, and records made of certificates
    Diff(DiffArgs),

    /// Show what is served, what is pending, until when, and why
    ///
    /// Exits 0 when all is well, 1 when something needs a person.
    Status(StatusArgs),

    /// Read the configuration, zone files and certificates again
    ///
    /// Input that is broken changes nothing: it is told why, and the exit status is 1.
    Reload(ReloadArgs),

    /// Tell the secondaries of a zone to look for a new version now
    Notify(NotifyArgs),
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

    /// The directory of keys in BIND's format, `K<zone>+013+<tag>.key` and `.private`
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,

    /// Make the keys if the directory has none for the zone
    #[arg(long)]
    pub generate: bool,

    /// Which keys to make with --generate: csk or ksk+zsk
    #[arg(long, value_name = "SCHEME", default_value = "csk", value_parser = key_scheme)]
    pub key_scheme: KeyScheme,

    /// How absence is proven: nsec, nsec3 or nsec3-opt-out
    #[arg(long, value_name = "HOW", default_value = "nsec", value_parser = denial)]
    pub denial: Denial,

    /// How long the signatures are valid, such as 14d or 36h
    #[arg(long, value_name = "TIME", default_value_t = crate::config::defaults::SIGNATURES.validity, value_parser = parse_seconds)]
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
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,

    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `danelaw key`
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// What to do with keys.
    #[command(subcommand)]
    pub command: KeyCommand,
}

/// The commands below `danelaw key`.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key (ECDSA P-256, algorithm 13) readable by its owner alone
    ///
    /// The daemon takes up a new key at its next start or reload.
    Generate(KeyGenerateArgs),
    /// List the keys on disk
    List(KeyListArgs),
}

/// `danelaw key generate`
#[derive(Debug, Args)]
pub struct KeyGenerateArgs {
    /// The name of the zone's apex
    #[arg(value_name = "ZONE", value_parser = name)]
    pub zone: Name,

    /// What the key signs
    #[arg(long, value_enum, default_value_t = KeyRole::Csk)]
    pub role: KeyRole,

    /// The directory of keys [default: `keys` of the configuration]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,

    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// What a DNSSEC key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyRole {
    /// Everything (flags 257)
    Csk,
    /// The DNSKEY RRset (flags 257)
    Ksk,
    /// Everything else (flags 256)
    Zsk,
}

/// `danelaw key list`
#[derive(Debug, Args)]
pub struct KeyListArgs {
    /// The keys of this zone only
    #[arg(value_name = "ZONE", value_parser = name)]
    pub zone: Option<Name>,

    /// The directory of keys [default: `keys` of the configuration]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,

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

/// `danelaw reload`
#[derive(Debug, Args)]
pub struct ReloadArgs {
    /// One zone [default: the configuration and all zones]
    #[arg(value_name = "ZONE", value_parser = name)]
    pub zone: Option<Name>,
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

/// A scheme that has keys to make.
fn key_scheme(text: &str) -> Result<KeyScheme, String> {
    match text.parse() {
        Ok(KeyScheme::None) | Err(_) => Err("expected `csk` or `ksk+zsk`".to_owned()),
        Ok(scheme) => Ok(scheme),
    }
}

fn denial(text: &str) -> Result<Denial, crate::config::UnknownWord> {
    text.parse()
}

const AFTER_HELP: &str = "\
Getting started:
  danelaw check             is everything sound?
  danelaw run               serve
  danelaw status            what is served, what is pending, what needs me?
  danelaw ds ZONE           what the parent zone needs to know

Exit status:
  0  done, or all is well
  1  something is wrong, and it has been said what
  2  the command line is wrong
  3  no daemon answers (status, reload, notify, dump)

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
