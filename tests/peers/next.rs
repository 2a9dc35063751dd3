//! Next keys that danelaw makes itself: announced at once, accepted by OpenSSL, followed by the one after.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::certificate::{Authority, Certificate, tlsa_of_key};
use super::danelaw::Danelaw;
use super::program::{command, output, stdout, text};
use super::wait::until;

/// A danelaw that makes the next keys of `mail`, which has as many certificates; with waits of seconds.
fn making(algorithms: &[&str]) -> Danelaw {
    let (mut certificates, mut next) = (String::new(), String::new());
    for (algorithm, number) in algorithms.iter().zip(1..) {
        write!(certificates, "mail-{number}.pem,").unwrap();
        write!(next, "{{generate: {algorithm}, directory: to-come}},").unwrap();
    }
    let danelaw = Danelaw::new().also(&format!(
        "services:\n  mail:\n    endpoints: mail.example.test:443\n    certificate: [{certificates}]\n    \
         next: [{next}]\n    ttl: 1s\n    probe: \"off\"\n    grace: 0s\n"
    ));
    for number in 1..=algorithms.len() {
        danelaw.write(&format!("mail-{number}.pem"), &Certificate::for_host("mail.example.test").chain);
    }
    danelaw.start()
}

/// Waits for the key of this number to come next, of the certificates in `mail` or `mail-2`; its directory.
#[track_caller]
fn until_made(danelaw: &Danelaw, certificates: &str, number: u32) -> PathBuf {
    let link = danelaw.path(&format!("to-come/{certificates}/next"));
    until(&format!("key {number} comes next"), || {
        fs::read_link(&link).is_ok_and(|target| target.as_os_str() == &*number.to_string()).then_some(())
    });
    danelaw.path(&format!("to-come/{certificates}/{number}"))
}

#[test]
fn a_next_key_is_made_for_each_certificate_and_the_one_after_once_it_is_live() {
    let authority = Authority::new();
    let danelaw = making(&["ecdsa-p256", "rsa-2048"]);
    for number in 1..=2 {
        let mut announced = Vec::new();
        for (certificates, algorithm) in [("mail", "id-ecPublicKey"), ("mail-2", "rsaEncryption")] {
            let own = until_made(&danelaw, certificates, number);
            let (key, request) = (own.join("privkey.pem"), own.join("csr.pem"));
            assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o7777, 0o600);
            stdout(command("openssl").args(["pkey", "-check", "-noout", "-in"]).arg(&key));
            let mut show = command("openssl");
            let shown = text(&output(show.args(["req", "-verify", "-noout", "-text", "-in"]).arg(&request)));
            for words in ["verify OK", "DNS:mail.example.test", algorithm] {
                assert!(shown.contains(words), "{shown}");
            }
            let tlsa = tlsa_of_key(&key);
            danelaw.until_tlsa("mail", &tlsa);
            announced.push((tlsa, authority.grant(&request)));
        }
        for ((tlsa, certificate), slot) in announced.iter().zip(1..) {
            danelaw.write(&format!("mail-{slot}.pem"), certificate);
            danelaw.until_tlsa("mail", tlsa);
        }
    }
    for certificates in ["mail", "mail-2"] {
        until_made(&danelaw, certificates, 3);
        let first = danelaw.path(&format!("to-come/{certificates}/1/privkey.pem"));
        assert!(first.exists(), "no key is ever removed");
    }
}

#[test]
fn whoever_asks_is_told_where_the_key_is_or_that_one_waits() {
    let danelaw = making(&["ecdsa-p256"]);
    let own = until_made(&danelaw, "mail", 1);
    danelaw.until_tlsa("mail", &tlsa_of_key(&own.join("privkey.pem")));

    let refused = danelaw.cli(&["next", "mail"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused);
    for words in ["service mail: a next key waits to be used, ", "to-come/mail/next/csr.pem", "--force"] {
        assert!(said.contains(words), "{said}");
    }
    let made = text(&danelaw.cli(&["next", "mail", "--force"]));
    let own = until_made(&danelaw, "mail", 2);
    let tlsa = tlsa_of_key(&own.join("privkey.pem"));
    assert!(made.contains(&format!("key      {}", own.join("privkey.pem").display())), "{made}");
    assert!(made.contains(&format!("request  {}", own.join("csr.pem").display())), "{made}");
    let record = format!("_443._tcp.mail.example.test. 1 IN TLSA {}", tlsa.to_ascii_lowercase());
    assert!(made.contains(&record), "{made}");
    danelaw.until_tlsa("mail", &tlsa);

    let unknown = danelaw.cli(&["next", "male"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown).contains("`male` is not a service"), "{}", text(&unknown));
}

#[test]
fn a_restart_makes_no_other_key_and_one_that_cannot_be_made_is_an_alarm() {
    let mut danelaw = making(&["ecdsa-p256"]);
    let own = until_made(&danelaw, "mail", 1);
    let tlsa = tlsa_of_key(&own.join("privkey.pem"));
    danelaw.until_tlsa("mail", &tlsa);
    danelaw.kill_9();
    danelaw.restart();
    danelaw.until_tlsa("mail", &tlsa);
    danelaw.until_well();
    assert!(!danelaw.path("to-come/mail/2").exists());
    danelaw.stop();

    fs::rename(danelaw.path("to-come"), danelaw.path("moved")).unwrap();
    danelaw.write("to-come/mail/next/file", "somebody's");
    danelaw.restart();
    danelaw.until_alarmed(&["no next key could be made", "to-come/mail/next: "]);
    // What was announced stays so.
    danelaw.until_tlsa("mail", &tlsa);
}
