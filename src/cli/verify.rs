//! `danelaw verify`: what clients that go by DANE meet, one line a check.

use std::net::SocketAddr;
use std::path::Path;

use super::args::{Cli, VerifyArgs};
use super::exit::{Exit, Failure};
use crate::config::{Config, Probe, Service, Transport};
use crate::dns::name::Name;
use crate::host::settings::{self, SettingsError};
use crate::host::verify::{self, Anchor, Endpoint, Known, Nameserver, Order, Subject, served};

/// Checks, prints; [`Exit::Wrong`] when something fails.
pub(super) fn verify(cli: &Cli, args: &VerifyArgs) -> Result<Exit, Failure> {
    let config = match settings::find(cli.config.as_deref()) {
        Ok(path) => Some(settings::load_without_secrets(&path)?),
        // Anything else than one's own services can be looked at without.
        Err(SettingsError::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    let anchors = anchors(args, config.as_ref())?;
    let mut known = config.as_ref().map(served::nameservers).unwrap_or_default();
    if !args.servers.is_empty() {
        let server = |&address: &SocketAddr| Nameserver { name: "--server".to_owned(), address };
        let servers: Vec<Nameserver> = args.servers.iter().map(server).collect();
        // Where the walk begins, they take the place of what is known.
        for anchor in &anchors {
            known.insert(anchor.zone.clone(), Known { servers: servers.clone(), and_named: false });
        }
    }
    let service = config.as_ref().and_then(|config| config.services.get(&args.subject));
    let order = Order {
        subject: subject(args, service)?,
        anchors,
        known,
        port: args.port,
        manner: args.starttls.or(service.and_then(|service| service.manner)),
    };
    let report = verify::run(order)?;
    if args.output.json {
        println!("{}", serde_json::to_string_pretty(&report.checks)?);
    } else {
        report.checks.iter().for_each(|check| println!("{check}"));
    }
    Ok(if report.is_sound() { Exit::Done } else { Exit::Wrong })
}

/// Whom to trust: the file that is named, that of the configuration, the keys of the zones that are served.
fn anchors(args: &VerifyArgs, config: Option<&Config>) -> Result<Vec<Anchor>, Failure> {
    let file =
        |path: &Path| verify::read_anchors(path).map_err(|problems| Failure::Keys(problems.to_string()));
    match (&args.anchor, config) {
        (Some(path), _) | (None, Some(Config { trust_anchor: Some(path), .. })) => file(path),
        (None, Some(config)) => served::anchors(config).map_err(Failure::Keys),
        (None, None) => {
            let reason =
                "no trust anchor: name a file of DS records with --anchor, or a configuration with -c";
            Err(Failure::Keys(reason.to_owned()))
        }
    }
}

/// A service of the configuration, or else a host.
fn subject(args: &VerifyArgs, service: Option<&Service>) -> Result<Subject, Failure> {
    if let Some(service) = service {
        let given = match &service.probe {
            _ if !args.connect.is_empty() => args.connect.clone(),
            Probe::At(addresses) => addresses.clone(),
            Probe::Auto | Probe::Off => Vec::new(),
        };
        let over_tcp = service.endpoints.iter().filter(|endpoint| endpoint.transport == Transport::Tcp);
        let endpoints = over_tcp.map(|endpoint| Endpoint {
            host: endpoint.host.clone(),
            port: endpoint.port,
            domain: args.domain.clone().or_else(|| service.domain.clone()),
            addresses: given.clone(),
        });
        let endpoints: Vec<Endpoint> = endpoints.collect();
        if endpoints.is_empty() {
            let rtype = service.kind.rtype();
            return Err(Failure::NothingToVerify { service: service.name.clone(), rtype });
        }
        for endpoint in service.endpoints.iter().filter(|endpoint| endpoint.transport != Transport::Tcp) {
            eprintln!("warning: {endpoint} is not looked at: only clients over TCP can be imitated");
        }
        return Ok(Subject::Endpoints(endpoints));
    }
    let unknown = || Failure::Unknown(args.subject.clone());
    let (host, port) = match args.subject.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse::<u16>().map_err(|_| unknown())?)),
        None => (&args.subject[..], None),
    };
    let host = Name::parse(host).map_err(|_| unknown())?;
    Ok(match port {
        Some(port) => Subject::Endpoints(vec![Endpoint {
            host,
            port,
            domain: args.domain.clone(),
            addresses: args.connect.clone(),
        }]),
        None => Subject::Domain(host),
    })
}
