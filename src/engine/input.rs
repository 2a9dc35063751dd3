//! What the engine is told, and what it wants done.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::job::{Job, Made, VersionError};
use super::mail::MxHost;
use super::next::{MadeNext, MakeNext};
use super::outside::{Answers, Chain, Lookout, Question, Visit};
use super::reports::{Report, ReportError};
use crate::config::{Config, Remote, ZoneFile};
use crate::dns::message::Rcode;
use crate::dns::name::Name;
use crate::dns::problem::Problems;
use crate::dns::time::{Seconds, Timestamp};
use crate::dnssec::key::{Algorithm, Role, SigningKey};
use crate::dnssec::keyset::Timing;
use crate::dnssec::lifecycle::{DsRrset, KeyId};
use crate::dnssec::validate::Verified;
use crate::state::{Commit, Loaded};
use crate::tlsa::Validity;
use crate::zone::transfer::{Base, Order, Received};
use crate::zone::update::Update;
use crate::zone::{Draft, History, ManagedRrsets, Presigned, Serial};

/// Something that happened outside.
pub enum Input {
    /// What was durable when the process started; comes once, after the first [`Input::Config`].
    Restored(Loaded),
    /// A sound configuration, at start and at each reload.
    Config(Arc<Config>),
    /// A zone file was read.
    ZoneFile {
        /// The zone.
        zone: Name,
        /// What came of it.
        outcome: Result<Source, Problems>,
    },
    /// The key directory was read.
    Keys {
        /// The zone.
        zone: Name,
        /// Its keys, or why they cannot be used.
        outcome: Result<Vec<(Arc<SigningKey>, Timing)>, String>,
    },
    /// An [`Effect::GenerateKeys`] is finished.
    KeysMade {
        /// The zone.
        zone: Name,
        /// All its keys, or why none was made.
        outcome: Result<Vec<(Arc<SigningKey>, Timing)>, String>,
    },
    /// A watched file of a service was read.
    Certificate {
        /// The service.
        service: String,
        /// Which of its files.
        file: ServiceFile,
        /// The content, or why it cannot be read.
        outcome: Result<Arc<Zeroizing<Vec<u8>>>, Unreadable>,
    },
    /// A [`Effect::MakeNext`] is finished.
    NextMade {
        /// The service.
        service: String,
        /// Which of its next keys.
        index: usize,
        /// What was made, or why nothing was.
        outcome: Result<MadeNext, String>,
    },
    /// A [`Effect::Make`] is finished.
    Made {
        /// The zone.
        zone: Name,
        /// The job's number.
        id: u64,
        /// What came of it.
        outcome: Box<Result<Made, VersionError>>,
    },
    /// Somebody who may asks for a change (RFC 2136).
    Update {
        /// The zone.
        zone: Name,
        /// Returned with the answer.
        id: u64,
        /// What is asked for.
        update: Arc<Update>,
    },
    /// A [`Effect::Persist`] is finished.
    Persisted {
        /// The commit's number.
        id: u64,
        /// Whether it is durable, or why not.
        outcome: Result<(), String>,
    },
    /// A secondary was asked for its serial, or answered a NOTIFY.
    Secondary {
        /// The zone.
        zone: Name,
        /// The secondary's name in the configuration.
        remote: String,
        /// Which of its addresses.
        address: SocketAddr,
        /// The serial it serves, or what went wrong.
        outcome: Result<Serial, String>,
    },
    /// A nameserver was asked for an RRset.
    Answered {
        /// What was asked.
        question: Question,
        /// What each of its addresses gave, or why it has none.
        outcome: Answers,
    },
    /// The parent of a zone was asked for its DS records.
    AtParent {
        /// The zone.
        zone: Name,
        /// What each server of the parent has, or why that cannot be told of all of them.
        outcome: Result<Vec<DsRrset>, String>,
    },
    /// An endpoint of a service was looked at.
    Presented {
        /// Which one.
        visit: Visit,
        /// The chains that it presents, or why they could not be seen.
        outcome: Result<Vec<Chain>, String>,
    },
    /// Somebody asks whether something may be deployed.
    AtGate {
        /// The service.
        service: String,
        /// The certificate or key, public octets only; without it, what the files hold.
        wanted: Option<Arc<[u8]>>,
        /// Nameservers that are not to be waited for.
        except: BTreeSet<Arc<str>>,
    },
    /// The keys that a service uses are in other hands.
    Compromised {
        /// The service.
        service: String,
    },
    /// The clock was set ahead, by so much more than time has passed; before the first [`Input::Config`], since what
    /// was restored was stored. More than the clock can have been set ahead since then counts as all of that.
    ClockSetAhead(Seconds),
    /// The MX hosts of the zones that are served which offer STARTTLS and have no TLSA records: all there are.
    MxHosts(Vec<MxHost>),
    /// A sender of mail reports about TLS, or something came that is no report.
    TlsReport(Result<Arc<Report>, ReportError>),
    /// Transfers of a zone have come to their end.
    Transferred {
        /// The zone.
        zone: Name,
        /// The last one to each address, and key if it was signed.
        clients: Vec<(IpAddr, Option<Name>, Transferred)>,
    },
    /// The primaries of a zone were asked, as an [`Effect::Refresh`] wanted.
    Refreshed {
        /// The zone.
        zone: Name,
        /// The refresh's number.
        id: u64,
        /// What they have, or why none of them told.
        outcome: Result<Refreshed, String>,
        /// Any number is as likely as any other: zones with the same timers do not stay in step.
        chance: u16,
    },
    /// A primary says that a zone has changed (RFC 1996), and may say so.
    Notified {
        /// The zone.
        zone: Name,
        /// Where it came from.
        from: IpAddr,
        /// The serial that it names, if it does.
        serial: Option<Serial>,
    },
    /// The files of `listen.certificate` were read.
    ServerCertificate {
        /// What the encrypted listeners present since; `None` when there is nothing, or nobody can tell its validity.
        presented: Option<Presented>,
        /// What is wrong with them, and what that means; `None` when nothing is.
        problem: Option<String>,
    },
    /// A new configuration was refused; the old one stays.
    ConfigRefused(String),
    /// Tell a zone's secondaries again.
    NotifyAgain {
        /// The zone.
        zone: Name,
    },
    /// Read a zone's file and keys again.
    Reread {
        /// The zone.
        zone: Name,
    },
    /// Time has passed.
    Tick,
}

/// The certificate that the encrypted listeners present.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Presented {
    /// The file that it was read from.
    pub file: PathBuf,
    /// When it is valid.
    pub validity: Validity,
}

/// A zone, or what has changed in it, was sent to its end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Transferred {
    /// When.
    pub at: Timestamp,
    /// The version.
    pub serial: Serial,
    /// The version that the changes apply to; `None` if all of the zone was sent.
    pub since: Option<Serial>,
    /// How many octets the messages had.
    pub octets: u64,
    /// How it went: `tcp` or `tls`.
    pub transport: String,
}

/// A zone file's content.
pub enum Source {
    /// The very octets that the restored version was made from.
    Unchanged,
    /// Checked content.
    Draft {
        /// The records.
        draft: Box<Draft>,
        /// What someone should look at.
        warnings: Problems,
        /// The digest of all octets that it was read from.
        digest: [u8; 16],
    },
}

/// What the primaries of a zone have.
pub enum Refreshed {
    /// Nothing newer.
    Current {
        /// Who said so.
        primary: String,
        /// The serial that it has.
        serial: Serial,
    },
    /// Something newer.
    Content {
        /// Who sent it.
        primary: String,
        /// The content.
        received: Box<Received>,
    },
}

/// One of the files of a service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ServiceFile {
    /// The certificate in use; the n-th, where there are several.
    Certificate(usize),
    /// The certificate, key or CSR that comes next.
    Next(usize),
}

/// Why a file could not be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// There is no such file.
    Absent,
    /// Something else.
    Failed(String),
}

/// What the host does for the engine.
pub enum Effect {
    /// Read the zone file.
    ReadZone(ReadZone),
    /// Ask a zone's primaries for something newer.
    Refresh(Box<Refresh>),
    /// Answer SERVFAIL for this zone, until a version of it is published.
    Withdraw {
        /// The zone.
        zone: Name,
    },
    /// Read the zone's keys.
    ReadKeys {
        /// The zone.
        zone: Name,
    },
    /// Make keys of the zone, then read all of them. Asked for a zone that was never signed, or for a rollover: never in
    /// place of a key that is missing.
    GenerateKeys {
        /// The zone.
        zone: Name,
        /// What each is for, and what it is made of.
        wanted: Vec<(Role, Algorithm)>,
    },
    /// Write into the files of these keys that their life is over: who knows nothing but the files must not take them up
    /// again.
    EndKeys {
        /// The zone.
        zone: Name,
        /// The keys.
        keys: Vec<KeyId>,
        /// Since when they are not published any more.
        at: Timestamp,
    },
    /// Make a next key with the request for its certificate.
    MakeNext(MakeNext),
    /// Watch exactly these files of services, and tell their content now and at each change.
    Watch,
    /// Look at exactly these from now on: at once, and again and again.
    Look(Arc<Lookout>),
    /// Look at the endpoints of this service soon: its files have changed.
    LookAtService(String),
    /// Run the job on a thread of its own.
    Make(Box<Job>),
    /// Make the commit durable.
    Persist {
        /// Returned with the outcome.
        id: u64,
        /// What to write, in one transaction.
        commit: Box<Commit>,
    },
    /// Serve this version from now on.
    Publish {
        /// The version: checked, and durable.
        version: Verified,
        /// The versions before it.
        history: Arc<History>,
    },
    /// Tell the zone's secondaries.
    Notify {
        /// The zone.
        zone: Name,
        /// The serial that they should come to have.
        serial: Serial,
    },
    /// Give the zone's command what there is to hand to its parent, in place of what there was.
    HandOver {
        /// The zone.
        zone: Name,
        /// None: there is nothing any more, or no command.
        handover: Option<Handover>,
    },
    /// Tell the parent that CDS records have changed, if it wants to be told (RFC 9859).
    NotifyParent {
        /// The zone.
        zone: Name,
    },
    /// Answer an [`Input::Update`]. What is answered NOERROR is durable and served.
    Updated {
        /// The update's number.
        id: u64,
        /// How it went.
        rcode: Rcode,
    },
    /// Tell the operator.
    Log {
        /// How important it is.
        level: Level,
        /// One line.
        line: String,
    },
}

/// What there is to hand to a zone's parent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handover {
    /// The zone.
    pub zone: Name,
    /// The command that is given it.
    pub command: PathBuf,
    /// DS records that the parent should come to have, as text.
    pub add: Vec<String>,
    /// DS records that it should have no more.
    pub remove: Vec<String>,
}

/// How a zone file is to be read.
pub struct ReadZone {
    /// The zone.
    pub zone: Name,
    /// Its file.
    pub file: ZoneFile,
    /// A file with this digest is [`Source::Unchanged`].
    pub known: Option<[u8; 16]>,
    /// What becomes of DNSSEC records in it.
    pub presigned: Presigned,
    /// What danelaw makes in it.
    pub managed: ManagedRrsets,
}

/// How the primaries of a zone are to be asked.
pub struct Refresh {
    /// Returned with the outcome.
    pub id: u64,
    /// Who is asked, one after the other until one has something newer.
    pub remotes: Vec<Arc<Remote>>,
    /// Where a NOTIFY came from: asked first.
    pub first: Option<IpAddr>,
    /// The serial of the newest content that is here; without it, whatever they have is newer.
    pub known: Option<Serial>,
    /// What changes can be applied to.
    pub base: Option<Base>,
    /// What content it is to become.
    pub order: Order,
}

/// How important a line of the log is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Someone should look.
    Warning,
    /// Someone must act.
    Error,
}
