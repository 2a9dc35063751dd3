//! Zone files of one line a record: `owner ttl TYPE rdata`. Reading master files has tests of its own; here only
//! what comes of them matters.

use std::collections::HashSet;

use danelaw::dns::name::Name;
use danelaw::dns::problem::{Place, Problem, Problems};
use danelaw::dns::rdata;
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::Ttl;
use danelaw::dns::zonefile::{At, Sink};
use danelaw::engine::Source;
use danelaw::zone::{DraftBuilder, Presigned};
use ring::digest::{SHA256, digest};

/// What the host makes of a zone file.
pub(crate) fn read(
    origin: &Name,
    text: &str,
    known: Option<[u8; 32]>,
    presigned: Presigned,
    managed: &HashSet<Name>,
) -> Result<Source, Problems> {
    let digest: [u8; 32] = digest(&SHA256, text.as_bytes()).as_ref().try_into().unwrap();
    if known == Some(digest) {
        return Ok(Source::Unchanged);
    }
    let mut builder = DraftBuilder::new(origin.clone(), presigned);
    let mut problems = Problems::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if record(origin, line, &mut builder).is_none() {
            problems.push(Problem::error(Place::file("zone"), format_args!("`{line}` is no record")));
        }
    }
    if problems.refuse() {
        return Err(problems);
    }
    let (draft, warnings) = builder.build(managed, |_| Place::file("zone"))?;
    Ok(Source::Draft { draft: Box::new(draft), warnings, digest })
}

fn record(origin: &Name, line: &str, builder: &mut DraftBuilder) -> Option<()> {
    let mut words = line.splitn(4, ' ');
    let owner = name(words.next()?, origin)?;
    let ttl = Ttl(words.next()?.parse().ok()?);
    let rtype: Rtype = words.next()?.parse().ok()?;
    let rdata = rdata::from_text(rtype, words.next()?, origin.as_ref()).ok()?;
    builder.record(owner.as_ref(), ttl, rtype, &rdata, At::default());
    Some(())
}

fn name(text: &str, origin: &Name) -> Option<Name> {
    let mut wire = Vec::new();
    rdata::parse_name(text.as_bytes(), origin.as_ref(), &mut wire).ok()?;
    Name::from_wire(&wire).ok()
}

/// A zone with two nameservers and so many hosts; SOA expire is five days, TTLs are an hour.
pub(crate) fn zone(serial: u32, hosts: u32) -> String {
    let mut text = format!(
        "@ 3600 SOA ns1 hostmaster {serial} 14400 900 432000 300\n\
         @ 3600 NS ns1\n\
         @ 3600 NS ns2\n\
         @ 3600 MX 10 mail\n\
         ns1 3600 A 192.0.2.1\n\
         ns2 3600 A 192.0.2.2\n\
         mail 3600 A 192.0.2.25\n\
         *.wild 3600 TXT \"anything\"\n"
    );
    for host in 0..hosts {
        text += &format!("host{host} 3600 A 192.0.2.{}\n", host % 250);
    }
    text
}
