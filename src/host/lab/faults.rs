//! Faults that clients of DANE must notice, each served for as long as somebody looks.
//!
//! The zone is signed once, broken where that is the fault, and served as it stands; nothing heals it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::str::FromStr;

use super::super::clock;
use super::super::once::{self, Order as SignOrder};
use super::house::{House, Pair, free_port};
use super::smtp::MailServer;
use super::{HOST, LOOPBACK, Lab, LabError, Order, ZONE, anchor, command, host, make_key, say, zone_text};
use crate::config::{Denial, KeyScheme, defaults};
use crate::dns::name::Name;
use crate::dns::time::{DAY, Seconds, Timestamp};
use crate::dnssec::key::{DigestType, PublicKey};

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The key was changed, the record was not.
    StaleTlsa,
    /// The zone is no longer signed in time.
    ExpiredRrsig,
    /// One of two servers presents the next key, which was not announced.
    MissingNext,
    /// One of two nameservers has not heard of the new record.
    LaggingSecondary,
    /// The zone is signed with another key than the one that is trusted.
    WrongKey,
    /// An NSEC record denies the names above the TLSA record.
    BadNsec,
}

/// The text names no fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected stale-tlsa, expired-rrsig, missing-next, lagging-secondary, wrong-key or bad-nsec")]
pub struct UnknownFault;

impl FromStr for Fault {
    type Err = UnknownFault;
    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        Ok(match text {
            "stale-tlsa" => Self::StaleTlsa,
            "expired-rrsig" => Self::ExpiredRrsig,
            "missing-next" => Self::MissingNext,
            "lagging-secondary" => Self::LaggingSecondary,
            "wrong-key" => Self::WrongKey,
            "bad-nsec" => Self::BadNsec,
            _ => return Err(UnknownFault),
        })
    }
}

impl Fault {
    fn story(self) -> &'static str {
        match self {
            Self::StaleTlsa => {
                "The mail server has a fresh key, and nobody has told DNS: the TLSA record is of the key before. \
                 Clients must not deliver."
            }
            Self::ExpiredRrsig => {
                "Nobody has signed the zone for 46 days: all of its signatures have expired. Clients must take the TLSA \
                 lookup for failed, and must not deliver."
            }
            Self::MissingNext => {
                "The mail server has two addresses. One presents the key that the TLSA record is of; the other was given \
                 the next key, which has no record yet. Clients must deliver to the first, and not to the second."
            }
            Self::LaggingSecondary => {
                "The key was announced, and deployed before ns2 had the new record. Clients whose resolver asks ns1 \
                 deliver; those whose resolver asks ns2 must not."
            }
            Self::WrongKey => {
                "The zone is signed with a key that the parent knows nothing of. Clients must take all of it for bogus, \
                 and must not deliver."
            }
            Self::BadNsec => {
                "The mail server's NSEC record says, well signed, that there is nothing below it; the TLSA record is. \
                 Resolvers that ask label by label (RFC 9156) fail on the way, and those that conclude from NSEC \
                 records (RFC 8198) may find that there is none. Clients must not take that for a secure answer."
            }
        }
    }
}

/// Serves a fault, lets `danelaw verify` find it, and tells whether it did.
pub(super) fn show(house: &House, fault: Fault, order: Order) -> Result<Lab, LabError> {
    let now = clock::now();
    let (current, next) = (Pair::make(&host()?, now)?, Pair::make(&host()?, now)?);
    let mail = free_port(LOOPBACK)?;
    let presents_next = matches!(fault, Fault::StaleTlsa | Fault::LaggingSecondary);
    let presented = if presents_next { &next } else { &current };
    let _server = MailServer::start(house.runtime(), mail, presented.certified.clone())?;
    let mut addresses = vec!["127.0.0.1"];
    if fault == Fault::MissingNext {
        addresses.push("127.0.0.2");
        let other = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), mail.port()));
        MailServer::start(house.runtime(), other, next.certified.clone())?;
    }

    let owner = format!("_{}._tcp.mail", mail.port());
    let tlsa = |pairs: &[&Pair]| -> String {
        pairs.iter().map(|pair| format!("{owner} TLSA {}\n", pair.association)).collect()
    };
    let trusted = make_key(&house.path("keys"))?;
    let signing = match fault {
        Fault::WrongKey => {
            make_key(&house.path("other-keys"))?;
            "other-keys"
        }
        _ => "keys",
    };
    let at = if fault == Fault::ExpiredRrsig { now - EXPIRED_SINCE } else { now };
    // What each nameserver has.
    let versions: &[&[&Pair]] = match fault {
        Fault::LaggingSecondary => &[&[&current, &next], &[&current]],
        _ => &[&[&current]],
    };
    let nameservers = versions.iter().map(|_| free_port(LOOPBACK)).collect::<Result<Vec<_>, _>>()?;
    let anchors = house.write("anchors", &ds(&trusted)?)?;
    let mut configs = Vec::new();
    for (number, pairs) in versions.iter().enumerate() {
        let name = format!("ns{}", number + 1);
        let mut zone = signed(house, &name, &zone_text(order.ttl, &addresses, &tlsa(pairs)), signing, at)?;
        if fault == Fault::BadNsec {
            let empty = signed(house, &name, &zone_text(order.ttl, &addresses, ""), signing, at)?;
            zone = denying(&zone, &empty);
        }
        house.write(&format!("{name}/signed"), &zone)?;
        // Both are asked, of whichever configuration `danelaw verify` is given.
        let others = nameservers.iter().enumerate().filter(|(other, _)| *other != number);
        let config = config(nameservers[number], &anchors, others);
        configs.push(house.write(&format!("{name}/danelaw.yaml"), &config)?);
        house.serve(&configs[number], &name)?;
    }
    let config = configs.swap_remove(0);
    house.until("waiting for the nameservers", || {
        let answers = |&at| house.runtime().block_on(super::tlsa(at, mail.port())).is_some();
        Ok(nameservers.iter().all(answers).then_some(()))
    })?;
    say(fault.story());
    let subject =
        ["verify".to_owned(), format!("{HOST}:{}", mail.port()), "--starttls".into(), "smtp".into()];
    let arguments: Vec<&str> = subject.iter().map(String::as_str).collect();
    // The fault is to be found.
    let went_well = !command(&config, &arguments)?;
    let anchor = anchor(&house.path("keys"))?;
    Ok(Lab { nameservers, mail, anchor, config, subject: subject.to_vec(), went_well })
}

/// A nameserver that serves the zone as it stands.
fn config<'n>(
    here: SocketAddr,
    anchors: &Path,
    others: impl Iterator<Item = (usize, &'n SocketAddr)>,
) -> String {
    let (mut remotes, mut names) = (String::new(), Vec::new());
    for (number, address) in others {
        let name = format!("ns{}", number + 1);
        remotes = format!("{remotes}  {name}: {{address: \"{address}\"}}\n");
        names.push(name);
    }
    format!(
        "listen: {{dns: \"{here}\"}}\ntrust-anchor: {}\nremotes:\n{remotes}zones:\n  {ZONE}:\n    file: signed\n    \
         policy: unsigned\n    propagation: secondaries\n    secondaries: [{}]\n",
        anchors.display(),
        names.join(", ")
    )
}

/// The zone as text, signed with the keys in a directory as if it were this time.
fn signed(house: &House, name: &str, text: &str, keys: &str, now: Timestamp) -> Result<String, LabError> {
    let zone_file = house.write(&format!("{name}/zone"), text)?;
    let signed = once::sign(&SignOrder {
        zone_file,
        origin: Name::parse(ZONE)?,
        keys: house.path(keys),
        generate: false,
        scheme: KeyScheme::Csk,
        algorithm: defaults::ALGORITHM,
        denial: Denial::Nsec,
        zonemd: false,
        signatures: defaults::SIGNATURES,
        now: Some(now),
    })?;
    let path = house.path(&format!("{name}/signed"));
    once::write(&signed.snapshot, Some(&path))?;
    std::fs::read_to_string(&path).map_err(|error| LabError::file(&path, error))
}

/// The zone with the mail server's NSEC record of another one, in which there is nothing below the mail server.
fn denying(zone: &str, other: &str) -> String {
    let is_nsec = |line: &&str| {
        let fields: Vec<&str> = line.split(' ').collect();
        let of = if fields.get(3) == Some(&"RRSIG") { 4 } else { 3 };
        fields[0].strip_suffix('.') == Some(HOST) && fields.get(of) == Some(&"NSEC")
    };
    let kept = zone.lines().filter(|line| !is_nsec(line));
    kept.chain(other.lines().filter(is_nsec)).flat_map(|line| [line, "\n"]).collect()
}

/// DS records, one a line.
fn ds(keys: &[PublicKey]) -> Result<String, LabError> {
    let origin = Name::parse(ZONE)?;
    let line = |key: &PublicKey| {
        let rdata = key.ds(origin.as_ref(), DigestType::Sha256);
        let digest = data_encoding::HEXUPPER.encode(&rdata[4..]);
        format!("{ZONE}. DS {} {} 2 {digest}\n", key.tag(), key.algorithm().number())
    };
    Ok(keys.iter().map(line).collect())
}

/// How long ago the zone was signed whose signatures have expired.
const EXPIRED_SINCE: Seconds = Seconds(60 * DAY.0);
