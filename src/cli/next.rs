//! `danelaw next`: the key that a service will have next.

use std::fmt::Write as _;
use std::io::{Write, stderr, stdout};

use serde::Serialize;

use super::args::{Cli, NextArgs};
use super::daemon::config;
use super::exit::{Exit, Failure};
use crate::config::Service;
use crate::host::client::{Method, StatusCode, request};
use crate::host::files;
use crate::host::next_requests::NewKey;
use crate::tlsa::{Association, Material, Params};

/// A key that was made, with what vouches for it.
#[derive(Serialize)]
struct Announced {
    #[serde(flatten)]
    files: NewKey,
    /// TLSA records in presentation form.
    records: Vec<String>,
}

/// Has the daemon make it, and prints where it is and which records announce it.
pub(super) fn next(cli: &Cli, args: &NextArgs) -> Result<Exit, Failure> {
    let config = config(cli)?;
    let Some(service) = config.services.get(&args.service) else {
        return Err(Failure::UnknownService(args.service.clone()));
    };
    let mut said = Vec::new();
    let path = format!("/next/{}?force={}", service.name, args.force);
    let status = request(&config.control_socket(), &Method::POST, &path, &mut said)?;
    if status != StatusCode::OK {
        stderr().write_all(&said)?;
        return Ok(Exit::Wrong);
    }
    let made: Vec<NewKey> = serde_json::from_slice(&said)?;
    let announced = made.into_iter().map(|files| announced(service, files)).collect::<Result<Vec<_>, _>>()?;
    if args.output.json {
        println!("{}", serde_json::to_string_pretty(&announced)?);
    } else {
        stdout().write_all(text(&announced).as_bytes())?;
    }
    Ok(Exit::Done)
}

fn announced(service: &Service, files: NewKey) -> Result<Announced, Failure> {
    let failure = |reason: String| Failure::File { file: files.request.display().to_string(), reason };
    let octets = files::read(&files.request).map_err(|error| failure(error.to_string()))?;
    let material = Material::parse(&octets).map_err(|error| failure(error.to_string()))?;
    let params = service.tlsa.iter().filter_map(|p| Params::from_octets([p.usage, p.selector, p.matching]));
    // What is made of certificates is announced with the certificate; the daemon has an alarm for it.
    let associations: Vec<Association> =
        params.filter_map(|params| Association::new(params, &material).ok()).collect();
    let records = service.endpoints.iter().flat_map(|endpoint| {
        associations.iter().map(|association| {
            let data = data_encoding::HEXLOWER.encode(association.data());
            format!("{} {} IN TLSA {} {data}", endpoint.owner(), service.ttl.0, association.params())
        })
    });
    Ok(Announced { records: records.collect(), files })
}

fn text(announced: &[Announced]) -> String {
    let mut out = String::new();
    for Announced { files, records } in announced {
        let _ = writeln!(out, "key      {}\nrequest  {}", files.key.display(), files.request.display());
        for record in records {
            let _ = writeln!(out, "{record}");
        }
    }
    out
}
