//! Zone files: what the host makes of one, and one to start from.

use danelaw::dns::problem::Problems;
use danelaw::dns::zonefile::{self, NoFiles};
use danelaw::engine::Source;
use danelaw::engine::input::ReadZone;
use danelaw::zone::DraftBuilder;
use ring::digest::{SHA256, digest};

/// Reads the zone file whose content is `text`.
pub(crate) fn read(reading: &ReadZone, text: &str) -> Result<Source, Problems> {
    let digest = *digest(&SHA256, text.as_bytes()).as_ref().first_chunk::<16>().unwrap();
    if reading.known == Some(digest) {
        return Ok(Source::Unchanged);
    }
    let mut builder = DraftBuilder::new(reading.zone.clone(), reading.presigned);
    let outcome = zonefile::read("zone", text.as_bytes(), reading.zone.as_ref(), &mut NoFiles, &mut builder);
    if outcome.problems.refuse() {
        return Err(outcome.problems);
    }
    let (draft, warnings) = builder.build(&reading.managed, |at| outcome.files.place(at))?;
    Ok(Source::Draft { draft: Box::new(draft), warnings, digest })
}

/// A zone with two nameservers and so many hosts; SOA expire is five days, TTLs are an hour.
pub(crate) fn zone(serial: u32, hosts: u32) -> String {
    let text = format!(
        "$TTL 1h\n\
         @ SOA ns1 hostmaster {serial} 4h 15m 5d 5m\n\
         @ NS ns1\n\
         @ NS ns2\n\
         @ MX 10 mail\n\
         ns1 A 192.0.2.1\n\
         ns2 A 192.0.2.2\n\
         mail A 192.0.2.25\n\
         *.wild TXT \"anything\"\n"
    );
    let hosts: String = (0..hosts).map(|host| format!("host{host} A 192.0.2.{}\n", host % 250)).collect();
    text + &hosts
}
