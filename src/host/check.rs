//! Looking at everything that a configuration names, without touching any of it.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::settings::{self, SettingsError};
use super::{client_certificates, clock, files, identity, keys, trust, zonefile};
use crate::config::{KeyScheme, ServerCertificate, Service, Zone, ZoneFile, ZoneSource};
use crate::dns::problem::{Place, Problem, Problems};
use crate::dns::time::Seconds;
use crate::engine::advice::{Advice, CertificateFacts, Facts, ServiceFacts};
use crate::engine::input::ReadZone;
use crate::engine::mail::{Looked, unprotected};
use crate::engine::{self, Source};
use crate::tlsa::Association;
use crate::tlsa::rollover::MANY_RECORDS;
use crate::zone::{Contents, ManagedRrsets, Presigned};

/// Every problem of the configuration at `path` and of the zones, keys, secrets and certificates that it names: those of
/// the configuration, then those of each thing that it names, so that no file that is wrong everywhere hides another. What
/// a configuration with errors names all the same is looked at, too.
pub fn everything(path: &Path) -> Vec<Problems> {
    let mut found = Findings::default();
    let (config, problems) = match settings::survey(path) {
        Ok(survey) => survey,
        Err(error) => {
            // Such an error names the file, too.
            let what = match error {
                SettingsError::Read { source, .. } => source.to_string(),
                other => other.to_string(),
            };
            found.add(Problem::error(Place::file(path.display().to_string()), what));
            return found.0;
        }
    };
    let is_sound = !problems.refuse();
    found.add_all(problems);
    let Some(config) = &config else { return found.0 };
    let mut zones = Vec::new();
    for zone in config.zones.values() {
        let managed =
            engine::managed_in(config.services.values(), config.domains.values(), &zone.origin).collect();
        let signed = zone.policy.keys != KeyScheme::None;
        match &zone.source {
            ZoneSource::File(file) => {
                let mut problems = Problems::default();
                let contents = zone_file(zone, file, managed, &mut problems);
                zones.extend(contents.map(|contents| (zone, contents)));
                found.add_all(problems);
            }
            // What a primary has is for the daemon to ask: it may be down, and its zone is not here to be mended. A
            // catalog is what the configuration says.
            ZoneSource::Primary(_) | ZoneSource::Catalog(_) => {}
        }
        if signed && let Err(reason) = keys::all(&config.keys, &zone.origin) {
            found.add(Problem::error(Place::file(config.keys.display().to_string()), reason));
        }
    }
    for remote in config.remotes.values() {
        if let Some(tls) = &remote.tls
            && let Err(error) = trust::client(tls)
        {
            found.add(Problem::error(Place::file(format!("remote {}", remote.name)), error));
        }
    }
    if let Some(files) = &config.listen.certificate {
        let mut problems = Problems::default();
        server_certificate(files, &mut problems);
        found.add_all(problems);
    }
    if let Some(path) = &config.listen.client_ca
        && let Err(error) = client_certificates::verifier(path)
    {
        found.add(Problem::error(Place::file(path.display().to_string()), error.fault));
    }
    let mut services = Vec::new();
    for service in config.services.values() {
        let mut problems = Problems::default();
        services.push(certificates(service, &mut problems));
        found.add_all(problems);
    }
    // What is missing in a configuration with errors may be what the errors are about.
    if is_sound {
        let looked = zones.iter().map(|(zone, contents)| Looked { contents, signed: zone.policy.signs() });
        let facts = Facts {
            now: clock::now(),
            zones: zones.iter().map(|(zone, contents)| (*zone, contents)).collect(),
            services,
            domains: config.domains.values().collect(),
            mx_hosts: &unprotected(&looked.collect::<Vec<_>>()),
        };
        let mut problems = Problems::default();
        for Advice { about, text } in facts.advice() {
            let place = Place::file(path.display().to_string());
            problems.push(Problem::warning(place, format_args!("{about}: {text}")));
        }
        found.add_all(problems);
    }
    found.0
}

/// What is wrong with each thing that was looked at.
#[derive(Default)]
struct Findings(Vec<Problems>);

impl Findings {
    fn add(&mut self, problem: Problem) {
        let mut problems = Problems::default();
        problems.push(problem);
        self.0.push(problems);
    }

    fn add_all(&mut self, problems: Problems) {
        if !problems.is_empty() {
            self.0.push(problems);
        }
    }
}

/// Reads a zone file; its content, if it is sound.
fn zone_file(
    zone: &Zone,
    zone_file: &ZoneFile,
    managed: ManagedRrsets,
    problems: &mut Problems,
) -> Option<Contents> {
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
            let expire = draft.contents.soa_timers().map_or(0, |timers| timers.expire);
            if let Err(conflict) =
                zone.policy.check_against(Seconds(u64::from(expire)), draft.contents.largest_ttl())
            {
                problems.push(Problem::error(draft.soa.clone(), conflict));
            }
            Some(draft.contents)
        }
        Ok(Source::Unchanged) => None,
        Err(unsound) => {
            problems.append(unsound);
            None
        }
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

/// Reads the files of a service; what of them is sound.
fn certificates<'a>(service: &'a Service, problems: &mut Problems) -> ServiceFacts<'a> {
    let mut facts = ServiceFacts { config: service, certificates: Vec::new(), published: Vec::new() };
    let mut all = BTreeSet::new();
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
            engine::material(service, &octets).map_err(|error| error.to_string()).and_then(|material| {
                if !is_next && !material.is_deployable() {
                    return Err(format!("no certificate found, only a {}", material.kind()));
                }
                let made =
                    engine::params(service).into_iter().map(|params| Association::new(params, &material));
                let made: Result<Vec<_>, _> = made.collect();
                Ok((made.map_err(|error| error.to_string())?, material))
            });
        match checked {
            Err(reason) if is_next => problems.push(Problem::warning(place, reason)),
            Err(reason) => problems.push(Problem::error(place, reason)),
            Ok((published, material)) if !is_next => {
                all.extend(published.iter().cloned());
                facts.published.extend(published);
                facts.certificates.extend(material.leaf().map(|leaf| CertificateFacts {
                    file: path.display().to_string(),
                    names: leaf.dns_names(),
                    validity: leaf.validity(),
                    issuer: leaf.issuer_organization(),
                }));
            }
            Ok((announced, _)) => all.extend(announced),
        }
    }
    if all.len() > MANY_RECORDS {
        let what = format_args!(
            "{} {} records at one owner, expected at most {MANY_RECORDS}: some clients fail",
            all.len(),
            service.kind.rtype()
        );
        problems.push(Problem::warning(Place::file(format!("service {}", service.name)), what));
    }
    // Two certificates may have one issuer, and then one record.
    facts.published.sort_unstable();
    facts.published.dedup();
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    const SOUND: &str = "$TTL 1h\n@ SOA ns1 root 1 2h 1h 5d 5m\n@ NS ns1\nns1 A 192.0.2.1\n";

    /// Everything that is said of this configuration beside these files.
    fn said(config: &str, files: &[(&str, &str)]) -> String {
        let scratch = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(scratch.path().join(name), text).unwrap();
        }
        let path = scratch.path().join("danelaw.yaml");
        std::fs::write(&path, config).unwrap();
        everything(&path).iter().map(|problems| format!("{problems}\n")).collect()
    }

    #[test]
    fn a_file_that_is_wrong_everywhere_hides_no_other() {
        let mut wrong = SOUND.to_owned();
        for host in 0..60 {
            writeln!(wrong, "h{host} 1x A 192.0.2.1").unwrap();
        }
        let zones = "zones:\n  a.test: {file: a}\n  b.test: {file: b}\n  c.test: {file: c}\n";
        let said = said(zones, &[("a", &wrong), ("b", &wrong), ("c", "nothing")]);
        for file in ["/a:5:", "/a:54:", "/b:5:", "/b:54:", "/c:1:"] {
            assert!(said.contains(file), "{file}: {said}");
        }
        assert_eq!(said.matches("… and 10 more").count(), 2, "{said}");
    }

    #[test]
    fn an_error_in_the_configuration_hides_nothing_that_it_names() {
        let config = "zoens: {}\nzones:\n  a.test: {file: a}\nservices:\n  www:\n    endpoints: [\"www.a.test:443\"]\n    \
                      certificate: no.pem\n";
        let said = said(config, &[("a", &format!("{SOUND}www 1x A 192.0.2.1\n"))]);
        for about in ["zoens", "/a:5:", "no.pem"] {
            assert!(said.contains(about), "{about}: {said}");
        }
    }

    #[test]
    fn more_records_than_clients_take_are_told_of_before_they_are_served() {
        let pem = |n: u8| crate::tlsa::sample::leaf(n).to_pem();
        let files: Vec<(String, String)> = (0..13).map(|n| (format!("{n}.pem"), pem(n))).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&name[..], &text[..])).collect();
        let listed = |count: usize| {
            let names: Vec<&str> = files[..count].iter().map(|(name, _)| *name).collect();
            format!(
                "zones:\n  a.test: {{file: a}}\nservices:\n  www:\n    endpoints: [\"www.a.test:443\"]\n    \
                 certificate: [{}]\n",
                names.join(", ")
            )
        };
        let with_zone: Vec<(&str, &str)> = files.iter().copied().chain([("a", SOUND)]).collect();
        assert!(said(&listed(13), &with_zone).contains("service www: warning: 13 TLSA records at one owner"));
        assert!(!said(&listed(12), &with_zone).contains("records at one owner"));
    }
}
