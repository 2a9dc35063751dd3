//! `danelaw tlsa`: the records of certificates, keys and CSRs.

use serde::Serialize;

use super::args::TlsaArgs;
use super::exit::{Exit, Failure};
use crate::host::files;
use crate::tlsa::{Association, Material, Params};

#[derive(Serialize)]
struct Record {
    file: String,
    owner: Option<String>,
    usage: u8,
    selector: u8,
    matching: u8,
    data: String,
}

/// Prints one record a file and parameter set.
pub(super) fn tlsa(args: &TlsaArgs) -> Result<Exit, Failure> {
    let mut records = Vec::new();
    for path in &args.files {
        let file = path.display().to_string();
        let failure = |reason: String| Failure::File { file: file.clone(), reason };
        let octets = files::read(path).map_err(|error| failure(error.to_string()))?;
        let material = Material::parse(&octets).map_err(|error| failure(error.to_string()))?;
        for wanted in &args.params {
            let octets = [wanted.usage, wanted.selector, wanted.matching];
            let Some(params) = Params::from_octets(octets) else { continue };
            let association =
                Association::new(params, &material).map_err(|error| failure(error.to_string()))?;
            records.push(Record {
                file: file.clone(),
                owner: args.owner.as_ref().map(ToString::to_string),
                usage: wanted.usage,
                selector: wanted.selector,
                matching: wanted.matching,
                data: data_encoding::HEXLOWER.encode(association.data()),
            });
        }
    }
    if args.output.json {
        println!("{}", serde_json::to_string_pretty(&records)?);
        return Ok(Exit::Done);
    }
    for record in records {
        let rdata = format!("{} {} {} {}", record.usage, record.selector, record.matching, record.data);
        match record.owner {
            Some(owner) => println!("{owner} IN TLSA {rdata}"),
            None => println!("{rdata}"),
        }
    }
    Ok(Exit::Done)
}
