//! Zones as danelaw or BIND's `dnssec-signzone` signs them, and the text of them that all servers load.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use danelaw::config::ZoneFile;
use danelaw::config::{Denial, KeyScheme, Policy};
use danelaw::dns::name::Name;
use danelaw::dns::time::{Timestamp, Ttl};
use danelaw::dnssec::key::{Algorithm, Role, SigningKey};
use danelaw::dnssec::keyset::Timing;
use danelaw::engine::input::ReadZone;
use danelaw::engine::{Job, Source, Version, first_version};
use danelaw::zone::{Contents, ManagedRrsets, Presigned, SerialPolicy, Snapshot, text};
use ring::rand::SystemRandom;

use super::program::{command, stdout};
use super::world::{Signer, Unsigned};

/// A zone that is ready to be served.
pub(crate) struct Signed {
    /// Presentation form, with the final dot.
    pub(crate) origin: String,
    pub(crate) snapshot: Arc<Snapshot>,
    opt_out: bool,
    /// All records, signatures included.
    pub(crate) file: PathBuf,
}

impl Signed {
    /// Signs `zone` and writes it to a file in `directory`.
    pub(crate) fn new(zone: &Unsigned, directory: &Path, now: Timestamp) -> Self {
        let origin = Name::parse(&zone.origin).unwrap();
        let file = directory.join(format!("{}zone", zone.origin));
        fs::write(&file, &zone.text).unwrap();
        let random = SystemRandom::new();
        let version = match zone.signer {
            Signer::Nobody => as_it_is(read(&origin, &file, Presigned::Drop), now),
            Signer::Danelaw(denial) => {
                let (key, _) =
                    SigningKey::generate(&origin, Role::Csk, Algorithm::EcdsaP256Sha256, &[], &random)
                        .unwrap();
                let policy = Policy { denial, keys: KeyScheme::Csk, ..Policy::standard() };
                let keys = [(Arc::new(key), Timing::default())];
                first_version(read(&origin, &file, Presigned::Drop), keys, &policy, now, &random).unwrap()
            }
            Signer::Elsewhere { iterations, salt } => {
                sign_elsewhere(&zone.origin, &file, directory, iterations, salt);
                as_it_is(read(&origin, &file, Presigned::Keep), now)
            }
        };
        let snapshot = Arc::clone(version.verified.snapshot());
        let mut signed = Vec::new();
        text::write(&snapshot, false, &mut signed).unwrap();
        fs::write(&file, signed).unwrap();
        let opt_out = matches!(zone.signer, Signer::Danelaw(Denial::Nsec3OptOut));
        Self { origin: zone.origin.clone(), snapshot, opt_out, file }
    }

    /// A version of a zone that is in no file.
    pub(crate) fn version(snapshot: Arc<Snapshot>) -> Self {
        let origin = snapshot.origin().to_string();
        Self { origin, snapshot, opt_out: false, file: PathBuf::new() }
    }

    /// Whether insecure delegations have no NSEC3 records (RFC 5155 §6).
    pub(crate) fn is_opt_out(&self) -> bool {
        self.opt_out
    }

    /// The records, for a person who has to find out what went wrong.
    pub(crate) fn without_signatures(&self) -> String {
        let mut records = Vec::new();
        text::write(&self.snapshot, true, &mut records).unwrap();
        format!("; {} {:?}\n{}", self.origin, self.snapshot.denial(), String::from_utf8_lossy(&records))
    }
}

/// Signs the zone in `file` with a key that `dnssec-keygen` makes.
fn sign_elsewhere(origin: &str, file: &Path, directory: &Path, iterations: u16, salt: &str) {
    stdout(command("dnssec-keygen").args(["-q", "-a", "13", "-f", "KSK", "-K"]).arg(directory).arg(origin));
    let mut signzone = command("dnssec-signzone");
    signzone.args(["-q", "-P", "-S", "-z", "-O", "full", "-3", salt, "-H", &iterations.to_string()]);
    // Keys, the files of DS records, and the output.
    signzone.arg("-K").arg(directory).arg("-d").arg(directory).arg("-f").arg(file);
    stdout(signzone.args(["-o", origin]).arg(file));
}

pub(super) fn read(origin: &Name, file: &Path, presigned: Presigned) -> Contents {
    let reading = ReadZone {
        zone: origin.clone(),
        file: ZoneFile { path: file.to_owned(), allow_includes: Vec::new() },
        known: None,
        presigned,
        managed: ManagedRrsets::default(),
    };
    match danelaw::host::zonefile::read(&reading) {
        Ok(Source::Draft { draft, .. }) => draft.contents,
        Ok(Source::Unchanged) => panic!("{origin} was not known before"),
        Err(problems) => {
            panic!("an unsound zone was made:\n{problems}\n{}", fs::read_to_string(file).unwrap())
        }
    }
}

/// The version that policy `unsigned` makes of the content, which may be signed or not.
fn as_it_is(contents: Contents, now: Timestamp) -> Version {
    let job = Job {
        zone: contents.origin().clone(),
        id: 0,
        previous: None,
        draft: Some(contents),
        managed: Vec::new(),
        released: ManagedRrsets::default(),
        updates: Vec::new(),
        overlay: Arc::default(),
        largest_ttl: Ttl(0),
        signing: None,
        zonemd: false,
        serial: SerialPolicy::Increment,
        above: None,
        now: now.into(),
    };
    job.run(&SystemRandom::new()).unwrap().version.unwrap()
}
