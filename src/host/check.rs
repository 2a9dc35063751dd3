//! Looking at everything that a configuration names, without touching any of it.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::settings::{self, SettingsError};
use super::{client_certificates, clock, files, identity, keys, trust, zonefile};
use crate::config::{KeyScheme, ServerCertificate, Service, Zone, ZoneFile, ZoneSource};
use crate::dns::name::Name;
use crate::dns::problem::{Place, Problem, Problems};
use crate::dns::time::Seconds;
use crate::engine::Source;
use crate::engine::input::ReadZone;
use crate::tlsa::{Association, Material, Params};
use crate::zone::Presigned;

/// Every problem of the configuration at `path` and of the zones, keys, secrets and certificates that it names.
pub fn everything(path: &Path) -> Problems {
    let mut problems = Problems::default();
    let settings = match settings::load(path) {
        Ok(settings) => settings,
        Err(SettingsError::Unsound(unsound)) => return unsound,
        Err(error) => {
            problems.push(Problem::error(Place::file(path.display().to_string()), error));
            return problems;
        }
    };
    problems.append(settings.warnings);
    let config = &settings.config;
    for zone in config.zones.values() {
        let managed: HashSet<Name> = config
            .services
            .values()
            .flat_map(|service| &service.endpoints)
            .filter(|endpoint| endpoint.zone == zone.origin)
            .map(|endpoint| endpoint.owner().clone())
            .collect();
        let signed = zone.policy.keys != KeyScheme::None;
        match &zone.source {
            ZoneSource::File(file) => zone_file(zone, file, managed, &mut problems),
            // What a primary has is for the daemon to ask: it may be down, and its zone is not here to be mended. A
            // catalog is what the configuration says.
            ZoneSource::Primary(_) | ZoneSource::Catalog(_) => {}
        }
        if signed && let Err(reason) = keys::all(&config.keys, &zone.origin) {
            problems.push(Problem::error(Place::file(config.keys.display().to_string()), reason));
        }
    }
    for remote in config.remotes.values() {
        if let Some(tls) = &remote.tls
            && let Err(error) = trust::client(tls)
        {
            problems.push(Problem::error(Place::file(format!("remote {}", remote.name)), error));
        }
    }
    if let Some(files) = &config.listen.certificate {
        server_certificate(files, &mut problems);
    }
    if let Some(path) = &config.listen.client_ca
        && let Err(error) = client_certificates::verifier(path)
    {
        problems.push(Problem::error(Place::file(path.display().to_string()), error.fault));
    }
    for service in config.services.values() {
        certificates(service, &mut problems);
    }
    problems
}

fn zone_file(zone: &Zone, zone_file: &ZoneFile, managed: HashSet<Name>, problems: &mut Problems) {
    let read = zonefile::read(&ReadZone {
        zone: zone.origin.clone(),
        file: zone_file.clone(),
        known: None,
        presigned: if zone.policy.signs() { Presigned::Drop } else { Presigned::Keep },
        managed,
    });
    match read {
        Ok(Source::Draft { draft, warnings, .. }) => {
            problems.append(warnings);
            let file = || Place::file(zone_file.path.display().to_string());
            let expire = draft.contents.soa_timers().map_or(0, |timers| timers.expire);
            if let Err(conflict) =
                zone.policy.check_against(Seconds(u64::from(expire)), draft.contents.largest_ttl())
            {
                problems.push(Problem::error(file(), conflict));
            }
        }
        Ok(Source::Unchanged) => {}
        Err(unsound) => problems.append(unsound),
    }
}

fn server_certificate(files: &ServerCertificate, problems: &mut Problems) {
    match identity::check(files) {
        Ok(validity) => {
            if let Some(complaint) = validity.and_then(|validity| validity.complaint(clock::now())) {
                problems.push(Problem::warning(Place::file(files.chain.display().to_string()), complaint));
            }
        }
        Err(error) => {
            let place = Place::file(error.path.display().to_string());
            problems.push(Problem::error(place, error.fault));
        }
    }
    // A group that shares the key, as web servers have it, is the operator's choice.
    let mode = std::fs::metadata(&files.key).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if mode & 0o007 != 0 {
        let path = files.key.display();
        let place = Place::file(path.to_string());
        let what = format_args!("mode {mode:04o} lets everybody use the private key: chmod o= {path}");
        problems.push(Problem::warning(place, what));
    }
}

fn certificates(service: &Service, problems: &mut Problems) {
    let hosts: Vec<_> = service.endpoints.iter().map(|endpoint| endpoint.host.as_ref()).collect();
    for (path, is_next) in service
        .certificates
        .iter()
        .map(|path| (path, false))
        .chain(service.next.iter().map(|path| (path, true)))
    {
        let place = Place::file(path.display().to_string());
        let octets = match files::read(path) {
            Ok(octets) => octets,
            Err(error) if is_next && error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                problems.push(Problem::error(place, error));
                continue;
            }
        };
        let checked =
            Material::find(&octets, &hosts).map_err(|error| error.to_string()).and_then(|material| {
                if !is_next && material.leaf().is_none() {
                    return Err(format!("no certificate found, only a {}", material.kind()));
                }
                for wanted in &service.tlsa {
                    if let Some(params) =
                        Params::from_octets([wanted.usage, wanted.selector, wanted.matching])
                    {
                        Association::new(params, &material).map_err(|error| error.to_string())?;
                    }
                }
                Ok(())
            });
        match checked {
            Err(reason) if is_next => problems.push(Problem::warning(place, reason)),
            Err(reason) => problems.push(Problem::error(place, reason)),
            Ok(()) => {}
        }
    }
}
