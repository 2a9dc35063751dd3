//! Validators believe what danelaw says, the absence of things included.

use super::certificate::Certificate;
use super::danelaw::{Danelaw, ZONE_TEXT, tlsa_owner};
use super::validator::{Unbound, delv};

/// A name and type, and words of delv's verdict. The lines are the ones of "It is done when".
const QUESTIONS: [(&str, &str, &str); 7] = [
    ("mail.example.test", "A", "; fully validated"),
    ("_443._tcp.www2.example.test", "TLSA", "; fully validated"),
    ("no-such-name.example.test", "A", "ncache nxdomain"),
    ("mail.example.test", "TXT", "ncache nxrrset"),
    ("any.thing.shop.example.test", "A", "; fully validated"),
    ("empty.example.test", "A", "ncache nxrrset"),
    ("www.example.test", "AAAA", "; fully validated"),
];

fn served(policy: &str) -> (Danelaw, Certificate) {
    let certificate = Certificate::new("www2.example.test");
    let danelaw = Danelaw::new().policy(policy).service("www2", "www2.pem");
    danelaw.write("www2.pem", &certificate.chain);
    let danelaw = danelaw.start();
    danelaw.until_tlsa("www2", &certificate.tlsa);
    (danelaw, certificate)
}

fn delv_believes_everything(policy: &str) {
    let (danelaw, _) = served(policy);
    let anchor = danelaw.anchor();
    for (name, rtype, verdict) in QUESTIONS {
        let said = delv(danelaw.port(), &anchor, name, rtype);
        assert!(
            said.contains(verdict) && said.contains("fully validated"),
            "{name} {rtype} with {policy}:\n{said}"
        );
    }
}

#[test]
fn delv_fully_validates_data_and_absence_with_nsec() {
    delv_believes_everything("{denial: nsec}");
}

#[test]
fn delv_fully_validates_data_and_absence_with_nsec3() {
    delv_believes_everything("{denial: nsec3, keys: ksk+zsk}");
}

#[test]
fn delv_fully_validates_with_other_algorithms() {
    for algorithm in ["ecdsap384sha384", "15"] {
        delv_believes_everything(&format!("{{algorithm: {algorithm}, keys: ksk+zsk}}"));
    }
}

#[test]
fn delv_does_not_believe_another_key() {
    let (danelaw, _) = served("{}");
    let stranger = Danelaw::new().start().anchor();
    let said = delv(danelaw.port(), &stranger, "mail.example.test", "A");
    assert!(!said.contains("fully validated"), "{said}");
}

#[test]
fn unbound_gives_secure_answers_and_secure_referrals_to_unsigned_zones() {
    for policy in ["{denial: nsec}", "{denial: nsec3}", "{denial: nsec3-opt-out}"] {
        let (danelaw, _) = served(policy);
        let unbound = Unbound::start(danelaw.port(), &danelaw.anchor());
        for (name, rtype, status) in [
            ("mail.example.test", "A", "NOERROR"),
            (&tlsa_owner("www2"), "TLSA", "NOERROR"),
            (&tlsa_owner("www2"), "A", "NOERROR"),
            ("a.old.example.test", "A", "NOERROR"),
            ("no-such-name.example.test", "A", "NXDOMAIN"),
            ("mail.example.test", "TXT", "NOERROR"),
            ("signed.example.test", "DS", "NOERROR"),
        ] {
            let said = asked(&unbound, name, rtype, status, policy);
            let is_secure = said.lines().any(|line| line.starts_with(";; flags:") && line.contains(" ad"));
            // RFC 5155 §9.2: what an opt-out span covers might be an unsigned delegation.
            let is_opted_out = policy.contains("opt-out") && status == "NXDOMAIN";
            assert_eq!(is_secure, !is_opted_out, "AD for {name} {rtype} with {policy}:\n{said}");
        }
        // The proof that there is no DS: insecure with opt-out, but never bogus.
        asked(&unbound, "unsigned.example.test", "DS", "NOERROR", policy);
    }
}

#[test]
fn unbound_believes_that_nothing_is_beside_an_insecure_delegation_deep_in_a_zone_with_opt_out() {
    let policy = "{denial: nsec3-opt-out}";
    let danelaw = Danelaw::new().policy(policy);
    // Without a proof that `lost` exists, `*` would seem to stand for all below it.
    danelaw.write("zone", &format!("{ZONE_TEXT}\n* 1h TXT any\na.b.lost 1h NS ns.elsewhere.example.\n"));
    let danelaw = danelaw.start();
    let unbound = Unbound::start(danelaw.port(), &danelaw.anchor());
    for (name, rtype, status) in [
        ("nothing.lost.example.test", "TXT", "NXDOMAIN"),
        ("nothing.b.lost.example.test", "TXT", "NXDOMAIN"),
        ("b.lost.example.test", "TXT", "NOERROR"),
        ("anything.example.test", "TXT", "NOERROR"),
    ] {
        asked(&unbound, name, rtype, status, policy);
    }
}

/// What the resolver says, which must be this.
#[track_caller]
fn asked(unbound: &Unbound, name: &str, rtype: &str, status: &str, policy: &str) -> String {
    let said = unbound.ask(name, rtype);
    assert!(said.contains(&format!("status: {status}")), "{name} {rtype} with {policy}:\n{said}");
    said
}
