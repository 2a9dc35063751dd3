//! What `danelaw check` and `danelaw status` say of mail servers and certificates that work and should be otherwise.

use super::certificate::{Authority, Certificate};
use super::danelaw::Danelaw;
use super::namespace::entered;
use super::postfix::{Postfix, write_chain_file};
use super::program::text;
use super::wait::until;

/// `lists` has a mail server with STARTTLS, `plain` one without, `gone` none that answers.
const ZONE: &str = "$TTL 60\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 127.0.0.1\n\
    lists MX 10 mx\nmx A 127.0.0.26\nplain MX 10 old\nold A 127.0.0.27\ngone MX 10 away\naway A 127.0.0.28\n";
const MASTER: &str = "127.0.0.26:25 inet n - n - - smtpd\n\
    127.0.0.27:25 inet n - n - - smtpd -o smtpd_tls_security_level=none\n";

#[test]
fn an_mx_host_that_has_starttls_and_no_tlsa_record_is_found() {
    if !entered("advice::an_mx_host_that_has_starttls_and_no_tlsa_record_is_found") {
        return;
    }
    let host = "mx.example.test";
    let certificate = Certificate::for_host(host);
    let danelaw = Danelaw::new();
    danelaw.write("zone", ZONE);
    danelaw.write("mx.pem", &certificate.chain);
    let presented = danelaw.path("presented.pem");
    write_chain_file(&presented, &certificate);
    let _postfix = Postfix::start(
        &format!(
            "myhostname = {host}\nmydestination = example.test\ninet_interfaces = 127.0.0.1\n\
             smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {}\n",
            presented.display()
        ),
        MASTER,
    );
    let danelaw = danelaw.start();
    let status = || text(&danelaw.cli(&["status"]));
    let advice = format!("its MX host {host} has STARTTLS and no TLSA record");
    let said = until("status says so", || Some(status()).filter(|said| said.contains(&advice)));
    assert!(said.contains("lists.example.test"), "{said}");
    // Those without STARTTLS were asked before it said so.
    assert_eq!(said.matches("its MX host").count(), 1, "{said}");
    // Without a daemon nobody has asked them.
    assert_eq!(text(&danelaw.cli(&["check"])).matches("if it offers STARTTLS").count(), 3);

    let mut danelaw = danelaw.also(&format!(
        "services:\n  mx: {{endpoints: '{host}:25', certificate: mx.pem, ttl: 1m, probe: 'off'}}\n"
    ));
    danelaw.set_policy("{}");
    assert!(danelaw.reload().status.success());
    let protected = format!("its MX host {host}");
    until("the record is served", || danelaw.mail_tlsa("mx").contains(&certificate.tlsa).then_some(()));
    assert!(!text(&danelaw.cli(&["check"])).contains(&protected));
    assert!(!text(&danelaw.cli(&["status"])).contains(&protected));
}

#[test]
fn caa_records_that_forbid_the_authority_in_use_are_told_of() {
    let authority = Authority::of("Let's Encrypt");
    let (chain, _) = authority.certify("www.example.test");
    let danelaw = Danelaw::new()
        .service("www", "www.pem")
        .also("domains:\n  example.test: {caa: {issue: sectigo.com}}\n");
    danelaw.write("www.pem", &chain);
    danelaw.write("zone", ZONE);
    let danelaw = danelaw.start();
    let advice =
        "www.pem is issued by Let's Encrypt, and the CAA records of example.test permit `sectigo.com` alone";
    for said in [danelaw.cli(&["check"]), danelaw.cli(&["status"])] {
        assert!(said.status.success() && text(&said).contains(advice), "{}", text(&said));
    }
}
