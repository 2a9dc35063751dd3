//! What an answer costs without sockets: the same questions again and again, through the very code that serves.
//!
//! ```text
//! answer ZONEFILE ORIGIN positive|plain|nxdomain|nodata COUNT
//! ```
//!
//! Under `valgrind --tool=callgrind` two runs with different counts tell the instructions of one answer, and where
//! they go; without it the time of one answer is printed.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark, which reads its input and the clock"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use danelaw::answer::{Access, Answerer, Outcome, Transport, Zone, Zones};
use danelaw::dns::name::Name;
use danelaw::dns::rtype::Rtype;
use danelaw::dns::time::Timestamp;
use danelaw::dns::zonefile::{self, NoFiles};
use danelaw::zone::{DraftBuilder, ManagedRrsets, Presigned, Snapshot};

/// So many different questions.
const QUESTIONS: usize = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [file, origin, mix, count] = &arguments[..] else {
        eprintln!("answer: expected ZONEFILE ORIGIN positive|plain|nxdomain|nodata COUNT");
        std::process::exit(2);
    };
    let count: usize = count.parse().unwrap();
    let snapshot = Arc::new(read(file, origin));
    let questions = questions(&snapshot, mix);
    let zones =
        Zones::new(vec![Zone::ready(snapshot, Arc::new(Access::default()))], Arc::default(), Arc::default());
    let mut answerer = Answerer::default();
    let mut out = [0; 1_232];
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let now = Timestamp(1_800_000_000);
    let mut octets = 0;
    let start = Instant::now();
    for question in questions.iter().cycle().take(count) {
        match answerer.answer(question, client.into(), Transport::Udp, &zones, now, &mut out) {
            Outcome::Response(length) => octets += length,
            Outcome::Silence | Outcome::Transfer(_) | Outcome::Update(_) => panic!("no response"),
        }
    }
    let elapsed = start.elapsed();
    println!(
        "{mix}: {} octets, {} ns an answer",
        octets / count.max(1),
        elapsed.as_nanos() / count.max(1) as u128
    );
}

fn read(file: &str, origin: &str) -> Snapshot {
    let origin = Name::parse(origin).unwrap();
    let text = std::fs::read(file).unwrap();
    let mut builder = DraftBuilder::new(origin.clone(), Presigned::Keep);
    let outcome = zonefile::read(file, &text, origin.as_ref(), &mut NoFiles, &mut builder);
    let (draft, _) = builder.build(&ManagedRrsets::default(), |at| outcome.files.place(at)).unwrap();
    Snapshot::new(draft.contents).unwrap()
}

fn questions(snapshot: &Snapshot, mix: &str) -> Vec<Vec<u8>> {
    let hosts: Vec<_> = snapshot.nodes.iter().filter(|node| node.has(Rtype::A)).collect();
    let step = (hosts.len() / QUESTIONS).max(1);
    let chosen = hosts.iter().step_by(step);
    let question = |name: &[u8], rtype: Rtype| {
        let opt: &[u8] = &[0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0];
        let opt = if mix == "plain" { &[] } else { opt };
        let head = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(!opt.is_empty())];
        [&head[..], name, &rtype.0.to_be_bytes(), &[0, 1], opt].concat()
    };
    chosen
        .enumerate()
        .map(|(index, node)| {
            let name = node.owner();
            match mix {
                "nxdomain" => {
                    let label = format!("no{index}x");
                    let apex = snapshot.origin().as_ref();
                    let wire = [&[label.len() as u8], label.as_bytes(), apex.wire()].concat();
                    question(&wire, Rtype::A)
                }
                "nodata" => question(name.wire(), Rtype::MX),
                _ => question(name.wire(), Rtype::A),
            }
        })
        .collect()
}
