//! `danelaw sign` on a zone of a hundred thousand records, checked by others.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::check::{self, Keys};
use super::danelaw;
use super::program::text;

const ORIGIN: &str = "large.test";
/// With [`HOSTS`] / 15 delegations, a hundred thousand records.
const HOSTS: u32 = 45_000;

/// So many hosts with two addresses, in disorder; delegations, some with DS; wildcards, deep names.
fn large_zone(hosts: u32) -> String {
    let delegations = hosts / 15;
    let mut zone = format!(
        "$ORIGIN {ORIGIN}.\n$TTL 1h\n@ SOA ns1 hostmaster 1 7200 3600 1d 300\n@ NS ns1\nns1 A 192.0.2.53\n"
    );
    // 7 divides neither, so every number comes once.
    for host in (0..hosts).map(|number| number * 7 % hosts) {
        writeln!(zone, "h{host} A 10.0.{}.{}\n AAAA 2001:db8::{host:x}", host >> 8 & 0xff, host & 0xff)
            .unwrap();
    }
    for child in (0..delegations).map(|number| number * 7 % delegations) {
        writeln!(zone, "d{child} NS ns.d{child}\nns.d{child} A 192.0.2.1").unwrap();
        match child % 3 {
            0 => writeln!(zone, "d{child} DS {} 13 2 {child:064x}", child % 65_536).unwrap(),
            1 => writeln!(zone, "*.w{child} TXT \"anything\"").unwrap(),
            _ => writeln!(zone, "very.deep.below.e{child} MX 10 h{child}").unwrap(),
        }
    }
    zone
}

fn signed_zone_passes(zone: &str, denial: &str, scheme: &str, algorithm: &str, keys: Keys) {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("zone"), zone).unwrap();
    fs::create_dir(path("keys")).unwrap();
    let [unsigned, keys_directory, signed] = [path("zone"), path("keys"), path("signed")];
    danelaw::run(&[
        "sign",
        &unsigned,
        "--origin",
        ORIGIN,
        "--keys",
        &keys_directory,
        "--generate",
        "--key-scheme",
        scheme,
        "--algorithm",
        algorithm,
        "--denial",
        denial,
        "-o",
        &signed,
    ]);
    let signed = scratch.path().join("signed");
    for verdict in [check::dnssec_verify(&signed, ORIGIN, keys), check::ldns_verify_zone(&signed)] {
        assert_eq!(verdict, Ok(()));
    }
}

#[test]
fn a_zone_signed_with_nsec_and_one_key_passes_the_checks() {
    signed_zone_passes(&large_zone(HOSTS / 10), "nsec", "csk", "13", Keys::Csk);
}

#[test]
fn zones_signed_with_other_algorithms_pass_the_checks() {
    for algorithm in ["ecdsap384sha384", "15"] {
        signed_zone_passes(&large_zone(300), "nsec3", "ksk+zsk", algorithm, Keys::KskZsk);
    }
}

#[test]
fn a_hundred_thousand_records_signed_with_nsec3_pass_the_checks() {
    let zone = large_zone(HOSTS);
    let records = zone.lines().count() - 2;
    assert!(records >= 99_000, "{records} records");
    signed_zone_passes(&zone, "nsec3", "ksk+zsk", "13", Keys::KskZsk);
}

#[test]
fn signatures_last_as_long_as_somebody_says() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("zone"), large_zone(20)).unwrap();
    let [zone, keys, signed] = [path("zone"), path("keys"), path("signed")];
    let sign = |validity: &str| {
        let all = ["sign", &zone, "--origin", ORIGIN, "--keys", &keys, "--generate", "-o", &signed];
        danelaw::outcome(&[&all[..], &["--validity", validity]].concat())
    };
    for (validity, hours) in [("1h", 1), ("12h", 12), ("36h", 36), ("40d", 960)] {
        let before = jiff::Timestamp::now().as_second();
        let output = sign(validity);
        assert!(output.status.success(), "{validity}: {}", text(&output));
        check::all(Path::new(&signed), ORIGIN, Keys::Csk);
        let after = jiff::Timestamp::now().as_second();
        let text = fs::read_to_string(&signed).unwrap();
        let ends = text.lines().filter_map(|line| line.split_once(" RRSIG ")?.1.split(' ').nth(4));
        let ends: Vec<i64> = ends.map(seconds).collect();
        assert!(ends.len() > 20);
        let span = hours * 3_600;
        for end in ends {
            assert!(
                end >= before + span - span / 14 && end <= after + span,
                "{validity}: {end} after {before}"
            );
        }
    }
    for (validity, code, reason) in [("0s", 1, "due at once"), ("25000d", 2, "25000d")] {
        let output = sign(validity);
        assert_eq!(output.status.code(), Some(code));
        assert!(text(&output).contains(reason), "{validity}: {}", text(&output));
    }
}

/// A time of an RRSIG record (RFC 4034 §3.2), in seconds since 1970.
fn seconds(text: &str) -> i64 {
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", text).unwrap();
    time.in_tz("UTC").unwrap().timestamp().as_second()
}
