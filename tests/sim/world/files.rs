//! The files of danelaw's machine: zones, keys, certificates.

use std::path::PathBuf;
use std::sync::Arc;

use danelaw::config::next::{KEY, NEXT, REQUEST};
use danelaw::dns::name::Name;
use danelaw::dns::time::Timestamp;
use danelaw::dnssec::key::{Algorithm, Role, SigningKey};
use danelaw::dnssec::keyset::Timing;
use danelaw::dnssec::lifecycle::KeyId;
use danelaw::engine::next::{MadeNext, MakeNext};
use danelaw::engine::{Input, ServiceFile, Unreadable};
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use super::{Cert, KeyFile, World, file, name};

impl World {
    /// Writes a zone file and has it read.
    pub(crate) fn edit_zone(&mut self, zone: &str, text: &str) {
        self.write_zone(zone, text);
        self.reread(zone);
    }

    /// Writes a zone file.
    pub(crate) fn write_zone(&mut self, zone: &str, text: &str) {
        self.zone_files.insert(name(zone), text.to_owned());
    }

    /// Has a zone's file and keys read again.
    pub(crate) fn reread(&mut self, zone: &str) {
        self.tell(Input::Reread { zone: name(zone) });
    }

    /// Writes a file; danelaw sees it if it watches it.
    pub(crate) fn write(&mut self, path: &str, octets: &[u8]) {
        self.files.insert(file(path), Ok(octets.to_vec()));
        self.show(path);
    }

    /// Removes a file.
    pub(crate) fn remove(&mut self, path: &str) {
        self.files.remove(&file(path));
        self.show(path);
    }

    /// Makes a file unreadable.
    pub(crate) fn forbid(&mut self, path: &str) {
        self.files.insert(file(path), Err("permission denied".to_owned()));
        self.show(path);
    }

    fn show(&mut self, path: &str) {
        let path = file(path);
        for input in self.look_at_files(|file| *file == path) {
            self.tell(input);
        }
    }

    /// What danelaw would read in those of its services' files.
    pub(super) fn look_at_files(&self, which: impl Fn(&PathBuf) -> bool) -> Vec<Input> {
        let services = self.config.services.values();
        let files = services.flat_map(|service| {
            let current = service.certificates.iter().enumerate();
            let current = current.map(|(index, path)| (ServiceFile::Certificate(index), path));
            let next = service.next.iter().enumerate();
            let next = next.map(|(index, path)| (ServiceFile::Next(index), path));
            current.chain(next).map(|(file, path)| (service.name.clone(), file, path))
        });
        let files = files.filter(|(_, _, path)| which(path));
        let inputs = files.map(|(service, file, path)| {
            let outcome = match self.files.get(path) {
                Some(Ok(octets)) => Ok(Arc::new(Zeroizing::new(octets.clone()))),
                Some(Err(reason)) => Err(Unreadable::Failed(reason.clone())),
                None => Err(Unreadable::Absent),
            };
            Input::Certificate { service, file, outcome }
        });
        inputs.collect()
    }

    pub(super) fn read_keys(&self, zone: &Name) -> Result<Vec<(Arc<SigningKey>, Timing)>, String> {
        if let Some(reason) = &self.keys_unreadable {
            return Err(reason.clone());
        }
        let keys = self.keys.get(zone).into_iter().flatten().filter(|key| !key.missing);
        Ok(keys.map(|key| (Arc::clone(&key.key), key.timing)).collect())
    }

    pub(super) fn generate_keys(&mut self, zone: &Name, wanted: &[(Role, Algorithm)]) {
        for &(role, algorithm) in wanted {
            self.add_key_of(&zone.to_string(), role, algorithm);
        }
        self.keys_made += wanted.len();
    }

    pub(super) fn end_keys(&mut self, zone: &Name, over: &[KeyId], at: Timestamp) {
        for file in self.keys.get_mut(zone).into_iter().flatten() {
            if over.contains(&KeyId::of(file.key.public())) {
                file.timing.delete = Some(at);
            }
        }
    }

    /// Makes a next key, told apart by numbers that no test uses.
    pub(super) fn make_next(&mut self, order: MakeNext) {
        let outcome = self.next_fails.clone().map_or_else(
            || {
                let made = Cert::new(1_000_000 + self.next_made.len() as u32);
                let directory = order.directory.join(NEXT);
                let request = directory.join(REQUEST);
                self.files.insert(request.clone(), Ok(made.key_pem()));
                let contents = Arc::new(Zeroizing::new(made.key_pem()));
                self.next_made.push(made);
                Ok(MadeNext { key: directory.join(KEY), request, contents })
            },
            Err,
        );
        self.inputs.push_back(Input::NextMade { service: order.service, index: order.index, outcome });
    }

    /// Puts a new key into the key directory, as `danelaw key generate` does.
    pub(crate) fn add_key(&mut self, zone: &str, role: Role) {
        self.add_key_of(zone, role, Algorithm::EcdsaP256Sha256);
    }

    fn add_key_of(&mut self, zone: &str, role: Role, algorithm: Algorithm) {
        let zone = name(zone);
        let keys = self.keys.entry(zone.clone()).or_default();
        let taken: Vec<u16> = keys.iter().map(|key| key.key.public().tag()).collect();
        let (key, _) = SigningKey::generate(&zone, role, algorithm, &taken, &SystemRandom::new()).unwrap();
        keys.push(KeyFile { key: Arc::new(key), timing: Timing::default(), missing: false });
    }
}
