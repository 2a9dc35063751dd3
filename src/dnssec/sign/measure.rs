//! How long a first signing takes beside nothing but `ring`: run alone, optimised, with
//! `cargo test --release --lib -- --ignored --nocapture dnssec::sign::measure`.

#![allow(clippy::disallowed_methods, reason = "it measures time")]

use super::super::fixture::{DAY_0, Signer, contents, name, records};
use super::super::keyset::Layout;
use super::*;
use crate::dns::time::{HOUR, Ttl};
use crate::zone::revision::Revision;
use rayon::prelude::*;
use std::time::{Duration, Instant};

/// Owner names of the zone measured.
const NAMES: u32 = 200_000;
/// What first signing may cost beside the signatures themselves.
const LIMIT: f64 = 1.25;

/// How long something took by the clock, and of all processors together.
#[derive(Clone, Copy, Debug)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

fn timed<T>(run: impl FnOnce() -> T) -> (T, Cost) {
    let (start, used) = (Instant::now(), cpu());
    let result = run();
    (result, Cost { wall: start.elapsed(), cpu: cpu().saturating_sub(used) })
}

/// What this process has used of all processors, to a hundredth of a second.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_ascii_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// The most memory this process had, in MB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
#[ignore = "takes a minute and means nothing unless optimised"]
fn signing_costs_little_more_than_ring_alone() {
    let mut zone = contents(&records(&[
        "@ SOA ns.example.test. hostmaster.example.test. 1 3600 600 1209600 300",
        "@ NS ns.example.test.",
        "ns A 192.0.2.53",
    ]));
    for n in 0..NAMES {
        let owner = name(&format!("host-{n}"));
        if n % 5 == 0 {
            zone.set(&owner, Rtype::NS, Ttl(600), &[b"\x02ns\x07example\x04test\x00"]);
        } else {
            zone.set(&owner, Rtype::A, Ttl(600), &[&n.to_be_bytes()]);
        }
    }
    let random = ring::rand::SystemRandom::new();
    let mut worst = 0.0f64;
    for denial in [DenialPolicy::Nsec, DenialPolicy::Nsec3, DenialPolicy::Nsec3OptOut] {
        let signer = Signer::new(Layout::Csk, denial);
        let before = peak();
        let (first, signing) = timed(|| signer.sign(None, zone.clone(), &Dirty::Everything, DAY_0));
        let after = peak();
        let (verified, validating) = timed(|| signer.validate(None, &first.snapshot, &first.delta, DAY_0));
        verified.unwrap();

        let key = &signer.keys.zone_signers()[0];
        let message = [7; 150];
        let (signatures, raw_signing) = timed(|| {
            let all: Vec<_> = (0..first.signatures)
                .into_par_iter()
                .with_min_len(256)
                .map(|_| {
                    let mut signature = Vec::new();
                    key.sign(&message, &random, &mut signature).unwrap();
                    signature
                })
                .collect();
            all
        });
        let (sound, raw_verifying) =
            timed(|| signatures.par_iter().with_min_len(256).all(|s| key.public().verifies(&message, s)));
        assert!(sound);

        let mut revision = Revision::of_snapshot(&first.snapshot);
        revision.set(&name("_25._tcp.host-77"), Rtype::TLSA, Ttl(600), &[&[3, 1, 1, 9]]);
        let (second, change) = timed(|| {
            let second = signer.sign(Some(&first.snapshot), revision.contents, &revision.dirty, DAY_0 + HOUR);
            signer.validate(Some(&first.snapshot), &second.snapshot, &second.delta, DAY_0 + HOUR).unwrap();
            second
        });
        let ratio = |ours: Duration, raw: Duration| ours.as_secs_f64() / raw.as_secs_f64();
        let both = |ours: Cost, raw: Cost| {
            let (wall, cpu) = (ratio(ours.wall, raw.wall), ratio(ours.cpu, raw.cpu));
            format!("{:.2?} / ring {:.2?} = {wall:.3} (processors {cpu:.3})", ours.wall, raw.wall)
        };
        worst = worst.max(ratio(signing.cpu, raw_signing.cpu));
        println!(
            "{denial:?}: {} signatures; signing {}; validating {}; peak {before} -> {after} MB; \
             one new name: {} signatures, signed and validated in {:.2?}",
            first.signatures,
            both(signing, raw_signing),
            both(validating, raw_verifying),
            second.signatures,
            change.wall,
        );
    }
    assert!(worst < LIMIT, "{worst}");
}
