//! The command line of `danelaw key`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Output, algorithm, name};
use crate::config::{SigningAlgorithm, parse_seconds};
use crate::dns::name::Name;
use crate::dns::time::{Seconds, Timestamp};
use crate::dnssec::token::TokenUri;

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
    /// Make a key, readable by its owner alone
    ///
    /// The daemon takes up a new key at its next start or reload.
    Generate(KeyGenerateArgs),
    /// List the keys on disk
    List(KeyListArgs),
    /// Ask for signatures by a key-signing key that is elsewhere
    ///
    /// Writes what `danelaw key sign-batch` needs: the zone-signing keys and the times.
    Request(KeyRequestArgs),
    /// Sign ahead, where the key-signing key is
    SignBatch(KeySignBatchArgs),
    /// Check signatures made ahead, and use them
    ImportBatch(KeyImportBatchArgs),
    /// Take over keys of another signer
    ///
    /// Private keys of BIND and ldns (the name of any file of a key, or what the names have in common), of PowerDNS
    /// (what `pdnsutil export-zone-key` printed), of Knot (the PEM files of its key store), PKCS#8, PKCS#1 and SEC 1. They
    /// are checked against the zone's DNSKEY records, and written beside the other keys, with the times that are known.
    /// docs/migration.md says in which order a signed zone moves.
    Import(KeyImportArgs),
    /// Hand out a key, for another signer
    Export(KeyExportArgs),
    /// Replace the keys of one role, without any moment at which a validating resolver fails
    ///
    /// The daemon makes the successor and goes on as far as what it sees at the nameservers and at the parent lets it;
    /// `danelaw status ZONE` shows how far that is.
    Roll(KeyRollArgs),
    /// Say that the parent has the DS record of a key at all of its nameservers, where danelaw cannot see it
    DsSeen(KeyDsArgs),
    /// Say that the parent has no DS record of a key any more, where danelaw cannot see it
    DsGone(KeyDsArgs),
}

/// `danelaw key roll`
#[derive(Debug, Args)]
pub struct KeyRollArgs {
    /// The name of the zone's apex
    #[arg(value_name = "ZONE", value_parser = name)]
    pub zone: Name,

    /// Which keys: those that the parent names (ksk, csk), or those that sign the data (zsk); required unless
    /// `--compromised`
    #[arg(long, value_enum, required_unless_present = "compromised")]
    pub role: Option<KeyRole>,

    /// The key with this tag is in other hands: nothing waits for caches. Says what that means, and does it with `--yes`
    #[arg(long, value_name = "TAG", conflicts_with = "role")]
    pub compromised: Option<u16>,

    /// Do it
    #[arg(long, requires = "compromised")]
    pub yes: bool,
}

/// `danelaw key ds-seen` and `ds-gone`
#[derive(Debug, Args)]
pub struct KeyDsArgs {
    /// The name of the zone's apex
    #[arg(value_name = "ZONE", value_parser = name)]
    pub zone: Name,

    /// The key's tag
    #[arg(value_name = "TAG")]
    pub tag: u16,
}

/// `danelaw key import`
#[derive(Debug, Args)]
pub struct KeyImportArgs {
    /// The name of the zone's apex
    #[arg(value_name = "ZONE", value_parser = name)]
    pub zone: Name,

    /// The files of the private keys
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// A file with the zone's DNSKEY records, as `dig ZONE DNSKEY` prints them: a key that is not among them is refused
    #[arg(long, value_name = "FILE")]
    pub dnskey: Vec<PathBuf>,

    /// What `keymgr -j ZONE list` of Knot printed: what the PEM files of its key store are, and since when
    #[arg(long, value_name = "FILE", conflicts_with = "role")]
    pub keymgr: Option<PathBuf>,

    /// What the keys sign, where no DNSKEY record says so
    #[arg(long, value_enum)]
    pub role: Option<KeyRole>,

    /// The directory of keys [default: `keys` of the configuration]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,

    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// `danelaw key export`
#[derive(Debug, Args)]
pub struct KeyExportArgs {
    /// The name of the zone's apex
    #[arg(value_name = "ZONE", value_parser = name)]
    pub zone: Name,

    /// The key's tag
    #[arg(value_name = "TAG")]
    pub tag: u16,

    /// For whom
    #[arg(long, value_enum)]
    pub format: KeyFormat,

    /// The file to write, or with `--format bind` the directory [default: standard output, or this directory]
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,

    /// The directory of keys [default: `keys` of the configuration]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
}

/// How a key is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyFormat {
    /// BIND and ldns: `K<zone>+<algorithm>+<tag>.key` and `.private`
    Bind,
    /// PowerDNS: what `pdnsutil import-zone-key` reads
    Pdns,
    /// Knot (`keymgr ZONE import-pem`) and OpenSSL: PKCS#8 as PEM
    Pkcs8,
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

    /// Its algorithm: ecdsap256sha256, ecdsap384sha384, ed25519, or the number
    #[arg(long, value_name = "ALGORITHM", default_value_t = crate::config::defaults::ALGORITHM, value_parser = algorithm)]
    pub algorithm: SigningAlgorithm,

    /// Take the key of this PKCS#11 URI (RFC 7512), which is made in the token if there is none:
    /// pkcs11:token=LABEL;object=LABEL?module-path=LIBRARY&pin-source=file:FILE
    #[arg(long, value_name = "URI", value_parser = str::parse::<TokenUri>)]
    pub pkcs11: Option<TokenUri>,

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

/// `danelaw key request`
#[derive(Debug, Args)]
pub struct KeyRequestArgs {
    /// The name of the zone's apex
    #[arg(value_name = "ZONE", value_parser = name)]
    pub zone: Name,

    /// From when, such as 2026-12-01T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = str::parse::<Timestamp>)]
    pub from: Option<Timestamp>,

    /// Until when
    #[arg(long, value_name = "TIME", value_parser = str::parse::<Timestamp>)]
    pub until: Timestamp,

    /// How long each signature is used
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = parse_seconds)]
    pub every: Seconds,

    /// Where to write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `danelaw key sign-batch`
#[derive(Debug, Args)]
pub struct KeySignBatchArgs {
    /// What `danelaw key request` wrote
    #[arg(value_name = "REQUEST")]
    pub request: PathBuf,

    /// The directory of the key-signing keys
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,

    /// Where to write the signatures [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `danelaw key import-batch`
#[derive(Debug, Args)]
pub struct KeyImportBatchArgs {
    /// What `danelaw key sign-batch` wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The directory of keys [default: `keys` of the configuration]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
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
