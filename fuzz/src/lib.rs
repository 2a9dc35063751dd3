//! What the fuzz targets share: small signed zones, and the reader of responses that is not ours.

use std::net::{IpAddr, Ipv4Addr};

use danelaw::dns::name::{Name, NameRef};
use danelaw::dns::problem::Problems;
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::{Timestamp, Ttl};
use danelaw::dns::zonefile::{self, At, NoFiles, Sink, write_record};
use danelaw::zone::{Contents, Draft, DraftBuilder, ManagedRrsets, Presigned, Snapshot};

/// When everything happens. The signatures in the zones and in the seeds are valid then.
pub const NOW: Timestamp = Timestamp(1_800_000_000);
/// Who asks.
pub const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 200));
/// The zones' origin.
pub const ORIGIN: &str = "example.test";
/// One content, signed by BIND in three ways; `danelaw::answer`'s own tests ask the same zones.
pub const ZONES: [&str; 3] = [
    include_str!("../../src/answer/tests/nsec.zone"),
    include_str!("../../src/answer/tests/nsec3.zone"),
    include_str!("../../src/answer/tests/opt-out.zone"),
];

/// The TSIG key that signs the seeds.
pub const KEY_NAME: &str = "key.example.test";
/// Its secret, in base64.
pub const KEY_SECRET: &str = "ZGFuZWxhdy1mdXp6aW5nLXNlY3JldC1vZi0zMi1vY3Q=";

/// What a zone file says.
pub fn draft(text: &[u8], presigned: Presigned) -> Result<Draft, Problems> {
    let origin = Name::parse(ORIGIN).expect("a name");
    let mut builder = DraftBuilder::new(origin.clone(), presigned);
    let outcome = zonefile::read("fuzz", text, origin.as_ref(), &mut NoFiles, &mut builder);
    if outcome.problems.refuse() {
        return Err(outcome.problems);
    }
    let files = outcome.files;
    builder.build(&ManagedRrsets::default(), |at| files.place(at)).map(|(draft, _)| draft)
}

/// The records of a text and what is wrong with it, as it is read at once, or in pieces from a window of this size;
/// `None` where the window is too small.
pub fn records(text: &[u8], window: Option<usize>) -> Option<(Vec<String>, Vec<String>)> {
    let origin = Name::parse(ORIGIN).expect("a name");
    let mut records = Records::default();
    let outcome = match window {
        None => zonefile::read("fuzz", text, origin.as_ref(), &mut NoFiles, &mut records),
        Some(window) => {
            let mut text = text;
            let read =
                zonefile::read_pieces("fuzz", &mut text, window, origin.as_ref(), &mut NoFiles, &mut records);
            read.ok()?
        }
    };
    Some((records.0, outcome.problems.iter().map(ToString::to_string).collect()))
}

/// Keeps records as lines, and where they stand.
#[derive(Default)]
struct Records(Vec<String>);

impl Sink for Records {
    fn record(&mut self, owner: NameRef<'_>, ttl: Ttl, rtype: Rtype, rdata: &[u8], at: At) {
        let mut line = format!("{at:?} ");
        write_record(owner, ttl, rtype, rdata, &mut line).expect("memory");
        self.0.push(line);
    }
}

/// One record a line, the SOA record first.
pub fn lines(contents: &Contents) -> String {
    let mut text = String::new();
    for soa in [true, false] {
        for node in contents.nodes.iter().chain(&contents.nsec3) {
            for rrset in node.rrsets().filter(|rrset| (rrset.rtype == Rtype::SOA) == soa) {
                for rdata in rrset.rdatas() {
                    write_record(node.owner(), rrset.ttl(), rrset.rtype, rdata, &mut text).expect("memory");
                }
                for rdata in rrset.signature_rdatas() {
                    write_record(node.owner(), rrset.ttl(), Rtype::RRSIG, rdata, &mut text).expect("memory");
                }
            }
        }
    }
    text
}

/// One of [`ZONES`].
pub fn snapshot(text: &str) -> Snapshot {
    let draft = draft(text.as_bytes(), Presigned::Keep).expect("the zone is sound");
    Snapshot::new(draft.contents).expect("the zone has a SOA record")
}

/// A query for one name and type with DO set.
pub fn query(name: NameRef<'_>, rtype: u16) -> Vec<u8> {
    let mut message = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    message.extend(name.wire());
    message.extend(rtype.to_be_bytes());
    message.extend([0, 1, 0, 0, 41, 16, 0, 0, 0, 0x80, 0, 0, 0]);
    message
}
