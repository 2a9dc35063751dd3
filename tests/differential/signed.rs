//! Zones as danelaw signs them, and the text of them that all servers load.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use danelaw::config::{Denial, KeyScheme, Policy};
use danelaw::dns::name::Name;
use danelaw::dns::time::Timestamp;
use danelaw::dnssec::key::{Algorithm, Role, SigningKey};
use danelaw::dnssec::keyset::Timing;
use danelaw::engine::input::ReadZone;
use danelaw::engine::{Job, Source, first_version};
use danelaw::zone::{Contents, Presigned, SerialPolicy, Snapshot, text};
use ring::rand::SystemRandom;

use super::world::Unsigned;

/// A zone that is ready to be served.
pub(crate) struct Signed {
    /// Presentation form, with the final dot.
    pub(crate) origin: String,
    pub(crate) snapshot: Arc<Snapshot>,
    opt_out: bool,
    /// BIND does not load its world.
    pub(crate) without_bind: bool,
    /// All records, signatures included.
    pub(crate) file: PathBuf,
}

impl Signed {
    /// Signs `zone` and writes it to a file in `directory`.
    pub(crate) fn new(zone: &Unsigned, without_bind: bool, directory: &Path, now: Timestamp) -> Self {
        let origin = Name::parse(&zone.origin).unwrap();
        let file = directory.join(format!("{}zone", zone.origin));
        fs::write(&file, &zone.text).unwrap();
        let contents = read(&origin, &file, &zone.text);
        let random = SystemRandom::new();
        let version = match zone.denial {
            None => unsigned(contents, now).run(&random).unwrap().unwrap(),
            Some(denial) => {
                let (key, _) =
                    SigningKey::generate(&origin, Role::Csk, Algorithm::EcdsaP256Sha256, &[], &random)
                        .unwrap();
                let policy = Policy { denial, keys: KeyScheme::Csk, ..Policy::standard() };
                first_version(contents, [(Arc::new(key), Timing::default())], &policy, now, &random).unwrap()
            }
        };
        let snapshot = Arc::clone(version.verified.snapshot());
        let mut signed = Vec::new();
        text::write(&snapshot, false, &mut signed).unwrap();
        fs::write(&file, signed).unwrap();
        let opt_out = zone.denial == Some(Denial::Nsec3OptOut);
        Self { origin: zone.origin.clone(), snapshot, opt_out, without_bind, file }
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

fn read(origin: &Name, file: &Path, text: &str) -> Contents {
    let reading = ReadZone {
        zone: origin.clone(),
        file: file.to_owned(),
        allow_includes: Vec::new(),
        known: None,
        presigned: Presigned::Drop,
        managed: HashSet::new(),
    };
    match danelaw::host::zonefile::read(&reading) {
        Ok(Source::Draft { draft, .. }) => draft.contents,
        Ok(Source::Unchanged) => panic!("{origin} was not known before"),
        Err(problems) => panic!("the generator made an unsound zone:\n{problems}\n{text}"),
    }
}

fn unsigned(contents: Contents, now: Timestamp) -> Job {
    Job {
        zone: contents.origin().clone(),
        id: 0,
        previous: None,
        draft: Some(contents),
        managed: Vec::new(),
        released: BTreeSet::new(),
        signing: None,
        serial: SerialPolicy::Increment,
        now: now.into(),
        restored: false,
    }
}
