//! Host keys, OpenPGP keys and S/MIME certificates on disk, and the records that DNS has of them.

use std::fs;

use super::certificate::Certificate;
use super::danelaw::Danelaw;
use super::program::{command, output, stdout, text};
use super::wait::until;
use super::{check, dig};

/// Of `hugh` (RFC 7929 §3).
const HUGH: &str = "c93f1e400f26708f98cb19d936620da35eec8f72e57f9eec01c1afd6";

const REST: &str = "zones:
  example.test: {file: zone, allow-transfer: 127.0.0.1, propagation: secondaries}
services:
  shell: {sshfp: shell.example.test, key: [ed25519.pub, rsa.pub], next: next.pub, ttl: 1s, grace: 1s}
  hugh: {openpgpkey: hugh@example.test, key: hugh.pgp}
  letters: {smimea: hugh@example.test, certificate: smime.pem}
";

fn host_key(danelaw: &Danelaw, name: &str, kind: &str) {
    let file = danelaw.path(name);
    let mut keygen = command("ssh-keygen");
    assert!(output(keygen.args(["-q", "-N", "", "-t", kind, "-f"]).arg(file)).status.success());
}

/// What ssh-keygen says of these public keys, of SHA-256, as dig prints it.
fn fingerprints(danelaw: &Danelaw, names: &[&str]) -> Vec<String> {
    let mut records: Vec<String> = names
        .iter()
        .flat_map(|name| {
            let mut keygen = command("ssh-keygen");
            let printed = stdout(keygen.args(["-r", "shell.example.test.", "-f"]).arg(danelaw.path(name)));
            let records = printed.lines().filter_map(|line| line.split_once(" SSHFP "));
            records.map(|(_, record)| record.to_ascii_uppercase()).collect::<Vec<_>>()
        })
        .filter(|record| record.split(' ').nth(1) == Some("2"))
        .collect();
    records.sort_unstable();
    records
}

/// What DNS has: digests without the spaces that dig puts in, keys too.
fn served(danelaw: &Danelaw, owner: &str, rtype: &str, fields: usize) -> Vec<String> {
    let records = dig::rdata(danelaw.port(), &format!("{owner}.example.test"), rtype);
    let joined = records.iter().map(|record| {
        let words: Vec<&str> = record.split(' ').collect();
        let (head, data) = words.split_at(fields.min(words.len()));
        [head, &[&data.concat()]].concat().join(" ")
    });
    joined.collect()
}

#[test]
fn keys_of_every_kind_are_published_followed_and_kept_until_the_next_has_taken_their_place() {
    let danelaw = Danelaw::new().configured(REST);
    host_key(&danelaw, "ed25519", "ed25519");
    host_key(&danelaw, "rsa", "rsa");
    host_key(&danelaw, "other", "ed25519");
    let mail = Certificate::new("hugh.example.test");
    danelaw.write("smime.pem", &mail.chain);
    let home = danelaw.path("gnupg");
    fs::create_dir(&home).unwrap();
    let gpg = |arguments: &[&str]| {
        let mut gpg = command("gpg");
        gpg.arg("--homedir").arg(&home).args(["--batch", "--quiet", "--passphrase", ""]).args(arguments);
        output(&mut gpg)
    };
    assert!(
        gpg(&["--quick-gen-key", "Hugh <hugh@example.test>", "ed25519", "sign", "never"]).status.success()
    );
    let file = danelaw.path("hugh.pgp");
    assert!(gpg(&["--output", file.to_str().unwrap(), "--export", "hugh@example.test"]).status.success());
    let key = fs::read(&file).unwrap();
    assert!(output(command("gpgconf").arg("--homedir").arg(&home).args(["--kill", "all"])).status.success());
    let danelaw = danelaw.start();

    let both = fingerprints(&danelaw, &["ed25519.pub", "rsa.pub"]);
    assert_eq!(served(&danelaw, "shell", "SSHFP", 2), both);
    let openpgp = format!("{HUGH}._openpgpkey");
    let base64 = data_encoding::BASE64.encode(&key).to_ascii_uppercase();
    assert_eq!(served(&danelaw, &openpgp, "OPENPGPKEY", 0), [base64]);
    let mut openssl = command("openssl");
    openssl.args(["x509", "-outform", "DER", "-in"]).arg(danelaw.path("smime.pem"));
    let der = danelaw.path("smime.der");
    assert!(output(openssl.arg("-out").arg(&der)).status.success());
    let hex = data_encoding::HEXUPPER.encode(&fs::read(&der).unwrap());
    assert_eq!(served(&danelaw, &format!("{HUGH}._smimecert"), "SMIMEA", 3), [format!("3 0 0 {hex}")]);

    let transferred = danelaw.path("transferred");
    fs::write(&transferred, danelaw.zone().join("\n") + "\n").unwrap();
    check::all(&transferred, "example.test", check::Keys::Csk);

    // A next key stands beside the others; one that cannot be read changes nothing and is told.
    fs::copy(danelaw.path("other.pub"), danelaw.path("next.pub")).unwrap();
    let three = fingerprints(&danelaw, &["ed25519.pub", "rsa.pub", "other.pub"]);
    until("the next host key is announced", || {
        (served(&danelaw, "shell", "SSHFP", 2) == three).then_some(())
    });
    fs::write(danelaw.path("hugh.pgp"), &key[..key.len() - 1]).unwrap();
    danelaw.until_alarmed(&["hugh.pgp: the OpenPGP key is cut off", "keeping"]);
    assert_eq!(served(&danelaw, &openpgp, "OPENPGPKEY", 0).len(), 1);
    fs::write(danelaw.path("hugh.pgp"), &key).unwrap();
    danelaw.until_well();

    for service in ["shell", "hugh", "letters"] {
        let output = danelaw.cli(&["verify", service]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains("nothing to verify"), "{}", text(&output));
    }

    let said = text(&danelaw.cli(&["status", "shell"]));
    assert!(said.contains("SSHFP 4 2 "), "{said}");

    // The host has the new key: what it had leaves when caches have forgotten it.
    fs::copy(danelaw.path("other.pub"), danelaw.path("ed25519.pub")).unwrap();
    let new = fingerprints(&danelaw, &["other.pub", "rsa.pub"]);
    until("the old host key is gone", || (served(&danelaw, "shell", "SSHFP", 2) == new).then_some(()));
}
