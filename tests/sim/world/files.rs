//! The files of danelaw's machine: zones, keys, certificates.

use std::path::PathBuf;
use std::sync::Arc;

use danelaw::config::KeyScheme;
use danelaw::dns::name::Name;
use danelaw::dnssec::key::{Algorithm, Role, SigningKey};
use danelaw::dnssec::keyset::Timing;
use danelaw::engine::{Input, ServiceFile, Unreadable};
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use super::{KeyFile, World, file, name};

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

    pub(super) fn generate_keys(&mut self, zone: &Name) {
        let was_signed = self.versions.iter().any(|version| version.zone == *zone && version.signatures > 0);
        assert!(!was_signed, "a new key for {zone}, which has been signed");
        let roles: &[Role] = match self.config.zones[zone].policy.keys {
            KeyScheme::None => panic!("keys for {zone}, which is not to be signed"),
            KeyScheme::Csk => &[Role::Csk],
            KeyScheme::KskZsk => &[Role::Ksk, Role::Zsk],
        };
        for &role in roles {
            self.add_key(&zone.to_string(), role);
        }
        self.keys_made += roles.len();
    }

    /// Puts a new key into the key directory, as `danelaw key generate` does.
    pub(crate) fn add_key(&mut self, zone: &str, role: Role) {
        let zone = name(zone);
        let keys = self.keys.entry(zone.clone()).or_default();
        let taken: Vec<u16> = keys.iter().map(|key| key.key.public().tag()).collect();
        let algorithm = Algorithm::EcdsaP256Sha256;
        let (key, _) = SigningKey::generate(&zone, role, algorithm, &taken, &SystemRandom::new()).unwrap();
        keys.push(KeyFile { key: Arc::new(key), timing: Timing::default(), missing: false });
    }
}
