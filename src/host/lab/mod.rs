//! A laboratory: a signed zone, a mail server with STARTTLS, and a change of its key, on high ports of loopback, without
//! root and without touching anything else.
//!
//! It is made of the program itself: nameservers are `danelaw run`, checks are `danelaw verify`, and the change waits for
//! `danelaw gate`; each command is shown before it runs, so that it can be run by hand. Only the mail server is the
//! laboratory's own. A [`Fault`] is something broken, served for people who try clients.

mod faults;
mod house;
mod smtp;

use std::fmt::Display;
use std::io::{self, Write, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

pub use faults::Fault;
use house::{House, Pair, free_port};
use ring::rand::SystemRandom;
use smtp::MailServer;

use super::once::OnceError;
use super::{clock, keys, notify};
use crate::dns::name::{Name, NameError};
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;
use crate::dnssec::key::{Algorithm, DigestType, PublicKey, Role};
use crate::dnssec::keyset::Timing;
use crate::tlsa::new_key::NewKeyError;
use crate::tlsa::{AssociationError, MaterialError};

/// The zone.
const ZONE: &str = "lab.test";
/// The mail server in it.
const HOST: &str = "mail.lab.test";

/// What is to be shown.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// What is to be broken; if nothing, a whole rollover is shown.
    pub fault: Option<Fault>,
    /// Whether to go on serving in the end.
    pub keep: bool,
    /// The TTL of the TLSA records.
    pub ttl: Ttl,
}

/// Why a laboratory cannot be built, or does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The system.
    #[error("lab: {0}")]
    System(#[from] io::Error),
    /// A file.
    #[error("lab: {}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A nameserver has ended.
    #[error("lab: a nameserver ended with {status}, expected it to go on; it said:\n{logs}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// What the nameservers have logged.
        logs: String,
    },
    /// Something takes too long.
    #[error("lab: {what}, expected sooner; the nameservers said:\n{logs}")]
    Late {
        /// What is awaited.
        what: &'static str,
        /// What the nameservers have logged.
        logs: String,
    },
    /// The zone's keys.
    #[error("lab: {0}")]
    Keys(String),
    /// The zone.
    #[error(transparent)]
    Sign(#[from] OnceError),
    /// The service's keys.
    #[error("lab: {0}")]
    NewKey(#[from] NewKeyError),
    /// A certificate of ours that is none.
    #[error("lab: {0}")]
    Material(#[from] MaterialError),
    /// A certificate of ours without a TLSA record.
    #[error("lab: {0}")]
    Association(#[from] AssociationError),
    /// PEM of ours that is none.
    #[error("lab: the certificate that was made cannot be read")]
    Pem,
    /// A key that TLS does not take.
    #[error("lab: {0}")]
    Tls(#[from] rustls::Error),
    /// A name that is none.
    #[error("lab: {0}")]
    Name(#[from] NameError),
}

impl LabError {
    fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}

/// Builds a laboratory, shows what was ordered, and tells whether it went as it should.
pub fn run(order: Order) -> Result<bool, LabError> {
    super::process::harden();
    let house = House::build()?;
    let lab = match order.fault {
        None => rollover(&house, order)?,
        Some(fault) => faults::show(&house, fault, order)?,
    };
    if order.keep {
        hints(&house, &lab)?;
        say("All of it runs until you press Ctrl-C.");
        house.keep();
    }
    Ok(lab.went_well)
}

/// What somebody who wants to look for themselves needs to know.
struct Lab {
    nameservers: Vec<SocketAddr>,
    mail: SocketAddr,
    anchor: Vec<PublicKey>,
    config: PathBuf,
    /// What `danelaw verify` is asked for.
    subject: Vec<String>,
    went_well: bool,
}

/// The zone's host, and what it is called in TLSA records' owners.
fn host() -> Result<Name, LabError> {
    Ok(Name::parse(HOST)?)
}

/// A zone from its first key to the end of a service's first.
fn rollover(house: &House, order: Order) -> Result<Lab, LabError> {
    let [primary, secondary, mail] = [free_port(LOOPBACK)?, free_port(LOOPBACK)?, free_port(LOOPBACK)?];
    let now = clock::now();
    let (first, second) = (Pair::make(&host()?, now)?, Pair::make(&host()?, now)?);
    house.write("zone", &zone_text(order.ttl, &["127.0.0.1"], ""))?;
    let certificate = house.write("fullchain.pem", &first.chain)?;
    let config = house.write("danelaw.yaml", &primary_config(primary, secondary, mail, order.ttl))?;
    let second_config = house.write("ns2/danelaw.yaml", &secondary_config(primary, secondary))?;
    let server = MailServer::start(house.runtime(), mail, first.certified.clone())?;

    say(&format!(
        "{ZONE} is a zone of your own. danelaw signs and serves it at {primary}; another danelaw, as ns2, transfers it \
         and serves it at {secondary}. {HOST} is a mail server with STARTTLS at {mail}. The TTL of its TLSA records \
         is {} seconds.",
        order.ttl.0
    ));
    shown(&config, &["run"]);
    house.serve(&config, "ns1")?;
    shown(&second_config, &["run"]);
    house.serve(&second_config, "ns2")?;
    let nameservers = vec![primary, secondary];
    let records = |count: usize| {
        house.until("waiting for TLSA records on both nameservers", || {
            let has = |&at: &SocketAddr| house.runtime().block_on(tlsa(at, mail.port())) == Some(count);
            Ok(nameservers.iter().all(has).then_some(()))
        })
    };
    records(1)?;
    say(&format!("The record says: {}. This is what a client finds:", first.association));
    let verify = ["verify", "mail"];
    let mut went_well = command(&config, &verify)?;

    say(
        "The certificate is renewed, with a fresh key. It lies where danelaw watches for it; the mail server still \
         presents the one before. Both must have their records until every cache has forgotten the time before.",
    );
    second.install(&certificate)?;
    records(2)?;
    say("The records of both are on both nameservers. May the new certificate be deployed?");
    let path = certificate.display().to_string();
    went_well &= command(&config, &["gate", "mail", "--certificate", &path, "--wait", "--timeout", "2m"])?;
    say("Now. The mail server presents the new certificate:");
    server.present(second.certified.clone());
    went_well &= command(&config, &verify)?;

    say(
        "danelaw looks for itself. Once it has seen the new key, and no cache can need the old one's record, that goes.",
    );
    records(1)?;
    went_well &= command(&config, &verify)?;
    say(if went_well {
        "That was a whole rollover. No client ever met a key that DNS did not vouch for."
    } else {
        "Something went wrong: see the lines with FAIL."
    });
    let anchor = anchor(&house.path("keys"))?;
    let subject = vec!["mail".to_owned()];
    Ok(Lab { nameservers, mail, anchor, config, subject, went_well })
}

/// How many TLSA records a nameserver has for the mail server.
async fn tlsa(nameserver: SocketAddr, port: u16) -> Option<usize> {
    let owner = Name::parse(&format!("_{port}._tcp.{HOST}")).ok()?;
    let rrset = notify::ask_rrset(nameserver, owner.as_ref(), Rtype::TLSA).await.ok()?;
    Some(rrset.rdatas.len())
}

/// The keys of the zone that somebody can begin with.
fn anchor(directory: &Path) -> Result<Vec<PublicKey>, LabError> {
    let stored = keys::all(directory, &Name::parse(ZONE)?).map_err(LabError::Keys)?;
    let public = stored.iter().map(|stored| stored.key.public().clone());
    Ok(public.filter(PublicKey::is_secure_entry_point).collect())
}

/// Makes a key of the zone that has always been in use.
fn make_key(directory: &Path) -> Result<Vec<PublicKey>, LabError> {
    let (zone, random) = (Name::parse(ZONE)?, SystemRandom::new());
    keys::generate(directory, &zone, Role::Csk, Algorithm::EcdsaP256Sha256, &[], Timing::default(), &random)
        .map_err(|error| LabError::Keys(error.to_string()))?;
    anchor(directory)
}

/// The zone file, with the mail server at these addresses, and further records.
fn zone_text(ttl: Ttl, addresses: &[&str], more: &str) -> String {
    let mut text = format!(
        "$TTL {0}\n@ SOA ns1 hostmaster 1 3600 600 86400 {0}\n@ NS ns1\n@ NS ns2\n@ MX 10 mail\nns1 A 127.0.0.1\n\
         ns2 A 127.0.0.1\n",
        ttl.0
    );
    for address in addresses {
        text.push_str("mail A ");
        text.push_str(address);
        text.push('\n');
    }
    text + more
}

fn primary_config(primary: SocketAddr, secondary: SocketAddr, mail: SocketAddr, ttl: Ttl) -> String {
    format!(
        "listen: {{dns: \"{primary}\"}}\nremotes:\n  ns2: {{address: \"{secondary}\"}}\nzones:\n  {ZONE}:\n    \
         file: zone\n    secondaries: ns2\n    propagation: secondaries\nservices:\n  mail:\n    \
         endpoints: \"{HOST}:{}\"\n    certificate: fullchain.pem\n    starttls: smtp\n    ttl: {}s\n",
        mail.port(),
        ttl.0
    )
}

fn secondary_config(primary: SocketAddr, secondary: SocketAddr) -> String {
    format!(
        "listen: {{dns: \"{secondary}\"}}\nremotes:\n  ns1: {{address: \"{primary}\"}}\nzones:\n  {ZONE}:\n    \
         primary: ns1\n    policy: unsigned\n"
    )
}

/// Runs a command of danelaw's and shows it; whether it was a success.
fn command(config: &Path, arguments: &[&str]) -> Result<bool, LabError> {
    shown(config, arguments);
    let mut run = Command::new(std::env::current_exe()?);
    Ok(run.arg("-c").arg(config).args(arguments).status()?.success())
}

fn shown(config: &Path, arguments: &[&str]) {
    print(&format!("$ danelaw -c {} {}", config.display(), arguments.join(" ")));
}

/// A paragraph of the story.
fn say(text: &str) {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > WIDTH {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    print(&format!("\n{}\n", lines.join("\n")));
}

/// Somebody who does not read on is no reason to stop.
fn print(text: &dyn Display) {
    let _ = writeln!(stdout(), "{text}").and_then(|()| stdout().flush());
}

/// Files and command lines for other programs.
fn hints(house: &House, lab: &Lab) -> Result<(), LabError> {
    let port = lab.mail.port();
    let origin = Name::parse(ZONE)?;
    let (mut ds, mut keys) = (String::new(), String::new());
    for key in &lab.anchor {
        let digest = key.ds(origin.as_ref(), DigestType::Sha256);
        let hex = data_encoding::HEXUPPER.encode(&digest[4..]);
        ds = format!("{ZONE}. DS {} {} 2 {hex}", key.tag(), key.algorithm().number());
        let base64 = data_encoding::BASE64.encode(key.key());
        keys = format!("{ZONE}. static-key {} 3 {} \"{base64}\";", key.flags(), key.algorithm().number());
    }
    let delv = house.write("delv.anchors", &format!("trust-anchors {{ {keys} }};\n"))?;
    let resolver = free_port(LOOPBACK)?;
    let stubs: Vec<String> =
        lab.nameservers.iter().map(|at| format!("    stub-addr: {}@{}\n", at.ip(), at.port())).collect();
    let unbound = house.write(
        "unbound.conf",
        &format!(
            "server:\n    interface: 127.0.0.1@{}\n    chroot: \"\"\n    username: \"\"\n    directory: \"{}\"\n    \
             pidfile: \"\"\n    use-syslog: no\n    logfile: \"\"\n    val-log-level: 2\n    \
             module-config: \"validator iterator\"\n    do-not-query-localhost: no\n    \
             local-zone: \"test.\" nodefault\n    trust-anchor: \"{ds}\"\nremote-control:\n    \
             control-enable: no\nstub-zone:\n    name: \"{ZONE}\"\n    stub-prime: no\n{}",
            resolver.port(),
            house.path("").display(),
            stubs.concat()
        ),
    )?;
    say("To look for yourself:");
    print(&format!("trust anchor     {ds}"));
    for (number, nameserver) in lab.nameservers.iter().enumerate() {
        print(&format!("nameserver ns{}   {nameserver}", number + 1));
    }
    print(&format!("mail server      {HOST}:{port} at {}", lab.mail));
    let at = lab.nameservers[0];
    shown(&lab.config, &lab.subject.iter().map(String::as_str).collect::<Vec<_>>());
    print(&format!(
        "$ delv @{} -p {} -a {} +root={ZONE} _{port}._tcp.{HOST} TLSA",
        at.ip(),
        at.port(),
        delv.display()
    ));
    print(&format!("$ unbound -d -c {}", unbound.display()));
    print(&format!("$ dig @127.0.0.1 -p {} +dnssec _{port}._tcp.{HOST} TLSA", resolver.port()));
    say(
        "posttls-finger and Postfix ask the system's resolver. Where that is this unbound (with port 53 in unbound.conf, \
         and `nameserver 127.0.0.1` in /etc/resolv.conf):",
    );
    print(&format!("$ posttls-finger -c -l dane -L summary \"[{HOST}]:{port}\""));
    Ok(())
}

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Columns of the story.
const WIDTH: usize = 100;
