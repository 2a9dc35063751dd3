//! Transfers coming in: no octets break their reader, and what it takes is a zone that can be written and read again.

#![no_main]

use std::sync::{Arc, LazyLock};

use danelaw::dns::name::Name;
use danelaw::dns::rdata;
use danelaw::dns::rtype::Rtype;
use danelaw::zone::transfer::{Base, Incoming, Order, Progress, Received};
use danelaw::zone::zonemd::Demand;
use danelaw::zone::{ManagedRrsets, Presigned, Serial, Snapshot};
use danelaw_fuzz::{ORIGIN, ZONES, snapshot};
use libfuzzer_sys::fuzz_target;

static BASE: LazyLock<Arc<Snapshot>> = LazyLock::new(|| Arc::new(snapshot(ZONES[0])));

/// Enough for every input that the fuzzer makes, expanded.
const MAX_SIZE: u64 = 1 << 20;

// The first octet says how it was asked for; messages follow, each with its length in front, as over TCP.
fuzz_target!(|data: &[u8]| {
    let Some((&how, stream)) = data.split_first() else { return };
    let zone = Name::parse(ORIGIN).expect("a name");
    let managed =
        ManagedRrsets::from_iter([(Name::parse("_25._tcp.mail.example.test").expect("a name"), Rtype::TLSA)]);
    let presigned = if how & 1 == 0 { Presigned::Drop } else { Presigned::Keep };
    let zonemd = Demand::IfPresent;
    let order = Order { zone, presigned, managed, max_size: MAX_SIZE, zonemd, primary: "fuzz".to_owned() };
    let base = Base { serial: Serial(BASE.serial().0), snapshot: Arc::clone(&BASE) };
    let base = (how & 2 != 0).then_some(base);
    // The ID is that of the first message, so that it need not be guessed.
    let id = stream.get(2..4).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
    let mut incoming = Incoming::new(order, id, base);
    let mut rest = stream;
    while let Some((length, after)) = rest.split_first_chunk() {
        let Some(message) = after.get(..u16::from_be_bytes(*length).into()) else { break };
        rest = &after[message.len()..];
        match incoming.message(message) {
            Ok(Progress::More) => {}
            Ok(Progress::UpToDate(_)) => return,
            Ok(Progress::Complete) => {
                match incoming.finish() {
                    Ok(received) => sound(&received),
                    Err(error) => assert!(!error.to_string().is_empty()),
                }
                return;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return;
            }
        }
    }
    assert!(incoming.finish().is_err(), "a transfer without an end is taken");
});

/// Every record is one, in the zone, and the whole is a version.
fn sound(received: &Received) {
    let contents = &received.contents;
    for node in contents.nodes.iter().chain(&contents.nsec3) {
        assert!(contents.covers(node.owner()));
        for rrset in node.rrsets() {
            for octets in rrset.rdatas() {
                rdata::check(rrset.rtype, octets).expect("sound rdata");
            }
        }
    }
    Snapshot::new(contents.clone()).expect("a SOA record");
}
