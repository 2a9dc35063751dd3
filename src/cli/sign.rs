//! `danelaw sign`: a zone file in, a signed zone file out.

use super::args::SignArgs;
use super::exit::{Exit, Failure};
use crate::config::SignatureTimes;
use crate::host::once::{self, Order};

/// Signs once and writes the signed zone as text.
pub(super) fn sign(args: &SignArgs) -> Result<Exit, Failure> {
    let signed = once::sign(&Order {
        zone_file: args.zone_file.clone(),
        origin: args.origin.clone(),
        keys: args.keys.clone(),
        generate: args.generate,
        scheme: args.key_scheme,
        algorithm: args.algorithm,
        denial: args.denial,
        zonemd: args.zonemd,
        signatures: SignatureTimes::of_validity(args.validity)?,
        now: None,
    })?;
    for warning in &signed.warnings {
        eprintln!("{warning}");
    }
    once::write(&signed.snapshot, args.output.as_deref())?;
    Ok(Exit::Done)
}
