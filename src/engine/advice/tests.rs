//! Advice about a small domain.

use std::path::Path;

use super::*;
use crate::config::Config;
use crate::dns::problem::Place;
use crate::dns::time::DAY;
use crate::dns::zonefile::{self, NoFiles};
use crate::engine::mail::Looked;
use crate::zone::{DraftBuilder, ManagedRrsets, Presigned};

const NOW: Timestamp = Timestamp(1_795_305_600);
const ZONE: &str = "$TTL 1h\n@ SOA ns1 root 1 2h 1h 5d 5m\n@ NS ns1\nns1 A 192.0.2.1\n@ MX 10 mail\n\
    mail A 192.0.2.25\nmta-sts A 192.0.2.80\n";
const CONFIG: &str = "
listen: {http: '127.0.0.1:8053'}
zones: {example.test: {file: zone, policy: default}}
services:
  mail: {endpoints: 'mail.example.test:25', certificate: mail.pem, tlsa: ['3 1 1'], ttl: 1h}
domains:
  example.test: {mta-sts: {mode: enforce, mx: mail.example.test}}
";

fn contents(text: &str) -> Contents {
    let origin = Name::parse("example.test").unwrap();
    let mut builder = DraftBuilder::new(origin.clone(), Presigned::Drop);
    zonefile::read("zone", text.as_bytes(), origin.as_ref(), &mut NoFiles, &mut builder);
    builder.build(&ManagedRrsets::default(), |_| Place::file("zone")).unwrap().0.contents
}

/// Advice, one line each, when the certificate is for these names and has so many of its 90 days left.
fn told_with(config: &str, zone: &str, names: &[&str], left: u64, published: &[&[u8]]) -> Vec<String> {
    let (config, _) = Config::parse(config, "danelaw.yaml", Path::new("/")).unwrap();
    let contents = contents(zone);
    let services = config.services.values().map(|config| ServiceFacts {
        config,
        certificates: vec![CertificateFacts {
            file: "mail.pem".to_owned(),
            names: names.iter().map(|name| Name::parse(name).unwrap()).collect(),
            validity: Validity { not_before: NOW + DAY * left - DAY * 90, not_after: NOW + DAY * left },
            issuer: Some("Let's Encrypt".to_owned()),
        }],
        published: published
            .iter()
            .map(|rdata| Association::from_rdata(Rtype::TLSA, rdata).unwrap())
            .collect(),
    });
    let looked =
        config.zones.values().map(|zone| Looked { contents: &contents, signed: zone.policy.signs() });
    let facts = Facts {
        now: NOW,
        zones: config.zones.values().map(|zone| (zone, &contents)).collect(),
        services: services.collect(),
        domains: config.domains.values().collect(),
        mx_hosts: &mail::unprotected(&looked.collect::<Vec<_>>()),
    };
    facts.advice().into_iter().map(|Advice { about, text }| format!("{about}: {text}")).collect()
}

fn told(config: &str, zone: &str) -> Vec<String> {
    told_with(config, zone, &["mail.example.test"], 60, &[])
}

#[track_caller]
fn assert_told(told: &[String], expected: &[&str]) {
    let fits = told.len() == expected.len()
        && told.iter().zip(expected).all(|(told, words)| words.split(" … ").all(|word| told.contains(word)));
    assert!(fits, "\n{}\nis not\n{}", told.join("\n"), expected.join("\n"));
}

#[test]
fn what_is_well_needs_no_advice() {
    assert_told(&told(CONFIG, ZONE), &[]);
    let elsewhere = ZONE.replace("MX 10 mail", "MX 10 mail.example.org.");
    let none = CONFIG.split("domains:").next().unwrap();
    assert_told(&told(none, &elsewhere), &[]);
    assert_told(&told(none, &ZONE.replace("MX 10 mail", "MX 0 .")), &[]);
}

#[test]
fn an_mx_host_without_tlsa_records_is_named() {
    let second = format!("{ZONE}@ MX 20 mail2\nmail2 A 192.0.2.26\n");
    let lax = CONFIG.replace("mx: mail.example.test", "mx: '*.example.test'");
    assert_told(
        &told(&lax, &second),
        &["example.test: its MX host mail2.example.test has no TLSA record … STARTTLS"],
    );
    let own = format!("{second}_25._tcp.mail2 TLSA 3 1 1 00\n");
    assert_told(&told(&lax, &own), &[]);
    let third = format!("{second}news MX 10 mail2\n");
    assert_told(
        &told(&lax, &third),
        &[
            "example.test: its MX host mail2.example.test, which is that of another name too, has no TLSA record",
        ],
    );
    let alias = format!("{second}_25._tcp.mail2 CNAME tlsa.example.org.\n");
    assert_told(&told(&lax, &alias), &[]);
}

#[test]
fn in_an_unsigned_zone_tlsa_records_are_not_looked_at() {
    let unsigned = CONFIG.replace("policy: default", "policy: unsigned");
    assert_told(
        &told(&unsigned, ZONE),
        &["its MX host mail.example.test are in the unsigned zone example.test"],
    );
}

#[test]
fn policy_mx_records_and_certificate_have_to_agree() {
    let other = ZONE.replace("MX 10 mail", "MX 10 mx.example.org.");
    assert_told(
        &told(CONFIG, &other),
        &[
            "`mail.example.test` in `mx` of its `mta-sts` is none of its MX hosts",
            "its MX host mx.example.org is not in `mx` of its `mta-sts`: senders that know the policy do not deliver",
        ],
    );
    let testing = CONFIG.replace("enforce", "testing");
    assert!(told(&testing, &other)[1].contains("senders report that"));
    assert_told(&told(&CONFIG.replace("mode: enforce, mx: mail.example.test", "mode: none"), &other), &[]);
    let certificate = |names: &[&str]| told_with(CONFIG, ZONE, names, 60, &[]);
    assert_told(&certificate(&["example.test", "*.example.test"]), &[]);
    assert_told(&certificate(&["www.example.test"]), &["mail.pem is not for its MX host mail.example.test"]);
    let nowhere = ZONE.replace("mta-sts A 192.0.2.80\n", "");
    assert_told(&told(CONFIG, &nowhere), &["mta-sts.example.test has no address"]);
    assert_told(&told(CONFIG, &format!("{nowhere}* A 192.0.2.80\n")), &[]);
}

#[test]
fn certificates_digests_issuers_and_ttls_are_looked_at() {
    let expiring = told_with(CONFIG, ZONE, &["mail.example.test"], 5, &[]);
    assert_told(&expiring, &["mail: mail.pem expires at"]);
    let slow = CONFIG.replace("['3 1 1'], ttl: 1h", "['3 1 1', '2 1 1', '3 1 2'], ttl: 4h");
    let issuers = [[&[2, 1, 1][..], &[7; 32]].concat(), [&[2, 1, 1][..], &[8; 32]].concat()];
    let one = told_with(&slow, ZONE, &["mail.example.test"], 60, &[&issuers[0]]);
    assert_told(
        &one,
        &["mail: `3 1 1` and `3 1 2` differ in their digest alone", "mail: its TTL is 4h … takes 8h"],
    );
    let two = told_with(CONFIG, ZONE, &["mail.example.test"], 60, &[&issuers[0], &issuers[1]]);
    assert_told(&two, &["mail: its certificates are issued by several authorities"]);
}

#[test]
fn an_authority_that_caa_records_forbid_is_named() {
    let issued = |zone: &str, names: &[&str]| told_with(CONFIG, zone, names, 60, &[]);
    let caa = |records: &str| issued(&format!("{ZONE}{records}"), &["mail.example.test"]);
    assert_told(
        &caa("@ CAA 0 issue \"pki.goog; validationmethods=dns-01\"\n@ CAA 0 issue \"sectigo.com\"\n"),
        &[
            "mail: mail.pem is issued by Let's Encrypt … of example.test permit `pki.goog`, `sectigo.com` alone … \
           for mail.example.test; permit `letsencrypt.org`",
        ],
    );
    assert_told(&caa("@ CAA 0 issue \";\"\n"), &["of example.test permit nobody"]);
    assert_told(&caa("@ CAA 0 Issue \" LetsEncrypt.org ; a=b\"\n"), &[]);
    assert_told(&caa("@ CAA 0 iodef \"mailto:a@example.test\"\n@ CAA 0 issuewild \"pki.goog\"\n"), &[]);
    // The nearest records count.
    assert_told(&caa("@ CAA 0 issue \"pki.goog\"\nmail CAA 0 issue \"letsencrypt.org\"\n"), &[]);
    let wild = format!("{ZONE}@ CAA 0 issue \"letsencrypt.org\"\n@ CAA 0 issuewild \"pki.goog\"\n");
    assert_told(&issued(&wild, &["*.example.test"]), &["permit `pki.goog` alone … for *.example.test"]);
    let made = CONFIG
        .replace("domains:\n  example.test: {", "domains:\n  example.test: {caa: {issue: buypass.com}, ");
    assert_told(&told(&made, ZONE), &["permit `buypass.com` alone"]);
}
