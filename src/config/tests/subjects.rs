//! Services that are no TLS services.

use super::*;

const HEAD: &str =
    "zones: {example.test: {file: z}, sub.example.test: {file: s, policy: unsigned}}\nservices:\n";

#[test]
fn hosts_and_addresses_have_records_of_their_own_types() {
    let config = sound(&format!(
        "{HEAD}  shell: {{sshfp: [a.example.test, b.example.test.], key: [rsa.pub, ed25519.pub], next: new.pub}}\n  \
         hugh: {{openpgpkey: hugh@example.test, key: hugh.pgp, ttl: 2h}}\n  \
         mail: {{smimea: [hugh@example.test, ann@example.test], certificate: cert.pem}}\n"
    ));
    let rrsets = |service: &str| -> Vec<String> {
        let rrsets = config.services[service].rrsets();
        rrsets.map(|(zone, (owner, rtype))| format!("{owner} {rtype} in {zone}")).collect()
    };
    assert_eq!(
        rrsets("shell"),
        ["a.example.test. SSHFP in example.test.", "b.example.test. SSHFP in example.test."]
    );
    // RFC 7929 §3 has this very owner.
    let hugh = "c93f1e400f26708f98cb19d936620da35eec8f72e57f9eec01c1afd6";
    assert_eq!(rrsets("hugh"), [format!("{hugh}._openpgpkey.example.test. OPENPGPKEY in example.test.")]);
    assert!(rrsets("mail")[0].starts_with(&format!("{hugh}._smimecert.")));
    assert_eq!(config.services["shell"].certificates.len(), 2);
    assert_eq!(config.services["mail"].tlsa[0].to_string(), "3 0 0");
    assert_eq!(config.services["hugh"].ttl, Ttl(7_200));
}

#[test]
fn what_is_wrong_with_them_has_its_place() {
    let told = errors(&format!(
        "{HEAD}  \
         a: {{sshfp: a.example.test}}\n  \
         b: {{sshfp: A.example.test, certificate: c}}\n  \
         c: {{openpgpkey: hugh, key: k}}\n  \
         d: {{openpgpkey: hugh@example.org, key: k}}\n  \
         e: {{smimea: hugh@example.test, endpoints: 'm.example.test:25', certificate: c}}\n  \
         f: {{sshfp: f.example.test, key: k, tlsa: 3 1 1, probe: auto}}\n  \
         g: {{endpoints: 'm.example.test:26', key: k}}\n  \
         h: {{key: k}}\n  \
         i: {{sshfp: i.example.test, key: k, store: certbot, next: {{generate: ecdsa-p256}}}}\n"
    ));
    assert_each_starts(
        &told,
        &[
            "3:3: service `a` has no key",
            "4:3: service `b` has no key",
            "4:14: `A.example.test` is in line 3 already: one service manages its SSHFP records",
            "4:43: `certificate` has no effect beside `sshfp`",
            "5:19: openpgpkey `hugh`: expected a mail address",
            "6:19: `hugh@example.org` lies in no zone",
            "7:15: `smimea` beside `endpoints`, expected one of them",
            "8:44: `tlsa` has no effect beside `sshfp`",
            "8:58: `probe` has no effect beside `sshfp`",
            "9:3: service `g` has no certificate",
            "9:44: `key` has no effect beside `endpoints`",
            "10:3: service `h` has no endpoints, expected `endpoints: [\"HOST:PORT\"]`; or `sshfp`",
            "10:3: service `h` has no certificate",
            "10:12: `key` has no effect beside `endpoints`",
            "11:45: `store` has no effect beside `sshfp`",
            "11:60: `generate` makes keys for TLS; beside `sshfp`, `next` is the path of a file",
        ],
    );
    let told = warnings(&format!("{HEAD}  s: {{sshfp: a.sub.example.test, key: k}}\n"));
    assert_each_starts(
        &told,
        &["3:14: warning: `a.sub.example.test` lies in the unsigned zone sub.example.test.: "],
    );
}
