//! The gate and what it goes by, with a real secondary, a real TLS server and a daemon that restarts.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;

use super::certificate::{Authority, Certificate};
use super::danelaw::{BINARY, Danelaw};
use super::dig;
use super::program::{Running, free_port, output, text};
use super::secondary::Secondary;
use super::tls_server::TlsServer;
use super::wait::until;

const HOST: &str = "mail.example.test";
const OPENSSL: [&str; 4] = ["-cert", "0.pem", "-key", "0.key"];
const OWNER: &str = "_443._tcp.mail.example.test";

/// A danelaw with one service.
fn danelaw(ttl: &str, more: &str, certificate: &Certificate) -> Danelaw {
    let danelaw = Danelaw::new().http().also(&format!(
        "services:\n  mail:\n    endpoints: [\"{HOST}:443\"]\n    certificate: mail.pem\n    next: mail.next\n    \
         ttl: {ttl}\n{more}"
    ));
    danelaw.write("mail.pem", &certificate.chain);
    danelaw
}

fn until_published(danelaw: &Danelaw, certificate: &Certificate) {
    until("the record is published", || {
        dig::tlsa(danelaw.port(), OWNER).contains(&certificate.tlsa).then_some(())
    });
}

/// `danelaw gate mail …`: its exit status and what it says.
fn gate(danelaw: &Danelaw, arguments: &[&str]) -> (Option<i32>, String) {
    let output = danelaw.cli(&[&["gate", "mail"], arguments].concat());
    (output.status.code(), text(&output))
}

/// `GET /gate/mail` on `listen.http`.
fn over_http(danelaw: &Danelaw) -> (String, serde_json::Value) {
    let url = format!("http://127.0.0.1:{}/gate/mail", danelaw.http_port());
    let said = text(&output(Command::new("curl").args(["-s", "-w", "\n%{http_code}", &url])));
    let (body, code) = said.trim_end().rsplit_once('\n').unwrap();
    (code.to_owned(), serde_json::from_str(body).unwrap())
}

#[test]
fn the_gate_names_the_nameserver_that_it_waits_for_and_leaves_out_the_one_that_it_is_told_to() {
    // Something is there, and says nothing.
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let silent = silent.local_addr().unwrap().port();
    let port = free_port();
    let [old, new] = [Certificate::new(HOST), Certificate::new(HOST)];
    let danelaw = danelaw("2s", "    probe: off\n", &old).secondary(port).secondary(silent).start();
    let _bind = Secondary::bind(port, danelaw.port());
    danelaw.write("mail.next", &new.key);
    until("the secondary serves the next key", || dig::tlsa(port, OWNER).contains(&new.tlsa).then_some(()));
    let said = until("only the silent one is waited for", || {
        let (code, said) = gate(&danelaw, &[]);
        assert_eq!(code, Some(1), "{said}");
        (said.contains(&format!("ns{silent} ")) && !said.contains(&format!("ns{port} "))).then_some(said)
    });
    assert!(said.starts_with("gate of mail is closed: 3 1 1 "), "{said}");
    let (code, json) = over_http(&danelaw);
    assert_eq!((&code[..], &json["open"]), ("409", &false.into()));

    let (code, said) = gate(&danelaw, &["--wait", "--timeout", "2s"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("gave up waiting"), "{said}");

    let (code, said) = gate(&danelaw, &["--except", &format!("ns{silent},ns-other")]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("is called `ns-other`, expected one of: ") && said.contains(&format!("ns{silent} ")),
        "{said}"
    );
    assert!(!text(&danelaw.cli(&["gate", "mail"])).contains("does not wait for"), "nothing is on record");

    let (code, said) = gate(&danelaw, &["--except", &format!("ns{silent}"), "--wait", "--timeout", "50s"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, json) = over_http(&danelaw);
    assert_eq!((&code[..], &json["open"]), ("200", &true.into()));
    assert!(text(&danelaw.cli(&["gate", "mail"])).contains(&format!("does not wait for ns{silent}")));
    assert!(danelaw.log().contains(&format!("the gate no longer waits for ns{silent}, as somebody asked")));
}

#[test]
fn somebody_who_waits_at_the_gate_waits_through_a_restart() {
    let port = free_port();
    let [old, new] = [Certificate::new(HOST), Certificate::new(HOST)];
    let mut danelaw = danelaw("2s", "    probe: off\n", &old).secondary(port).start();
    danelaw.write("fresh.pem", &new.chain);
    // The key is in no file that is watched: to ask for it is to announce it.
    let mut waiting = Command::new(BINARY);
    let file = danelaw.path("fresh.pem");
    waiting
        .arg("-c")
        .arg(danelaw.path("danelaw.yaml"))
        .args(["gate", "mail", "--wait", "--certificate"])
        .arg(file);
    let log = danelaw.path("waiting");
    let mut waiting = Running::start(&mut waiting, &log);
    until("it waits", || waiting.printed().contains("is closed").then_some(()));
    until_published(&danelaw, &new);
    danelaw.kill_9();
    until("it waits for the daemon", || {
        waiting.printed().contains("waiting for the daemon to come back").then_some(())
    });
    assert_eq!(gate(&danelaw, &[]).0, Some(3));
    danelaw.restart();
    assert!(dig::tlsa(danelaw.port(), OWNER).contains(&new.tlsa), "announced is announced");
    let _bind = Secondary::bind(port, danelaw.port());
    until("it is open", || waiting.has_ended().then_some(()));
    let said = waiting.printed();
    assert!(said.lines().last().unwrap_or_default().contains("gate of mail is open"), "{said}");
}

#[test]
fn what_a_server_presents_unannounced_is_published_at_once_and_the_alarm_says_until_when_it_hurts() {
    let [old, new] = [Certificate::for_host(HOST), Certificate::for_host(HOST)];
    let server = TlsServer::openssl(&[("0", &old)], &OPENSSL);
    let address = server.address(0);
    let danelaw = danelaw("5s", &format!("    probe: \"{address}\"\n"), &old).start();
    let looked = format!("looked at {HOST}:443 at {address}  seen");
    until("the server is seen", || text(&danelaw.cli(&["status"])).contains(&looked).then_some(()));
    drop(server);
    // A file that danelaw does not watch, and a server that starts with it.
    let _server = TlsServer::openssl_at(address, &[("0", &new)], &OPENSSL);
    let alarm =
        danelaw.until_alarmed(&["presented by mail.example.test:443", "validating clients may fail from"]);
    assert!(alarm.contains("which was not published before"), "{alarm}");
    // The alarm is there before the version with the record is on the disk.
    until_published(&danelaw, &new);
    let records = dig::tlsa(danelaw.port(), OWNER);
    assert!(records.contains(&new.tlsa) && records.contains(&old.tlsa), "{records:?}");
    danelaw.until_well();
    // The certificate file still holds the old one.
    assert!(dig::tlsa(danelaw.port(), OWNER).contains(&old.tlsa));
    danelaw.write("mail.pem", &new.chain);
    until("the old one goes", || {
        let records = dig::tlsa(danelaw.port(), OWNER);
        (records == [new.tlsa.clone()]).then_some(())
    });
}

#[test]
fn a_compromised_key_goes_when_another_is_live_and_only_if_somebody_says_yes() {
    let [old, new] = [Certificate::for_host(HOST), Certificate::for_host(HOST)];
    let server = TlsServer::openssl(&[("0", &old)], &OPENSSL);
    let address = server.address(0);
    // Ten minutes: nobody waits that long here.
    let danelaw = danelaw("10m", &format!("    probe: \"{address}\"\n"), &old).start();
    let looked = format!("looked at {HOST}:443 at {address}  seen");
    until("the server is seen", || text(&danelaw.cli(&["status"])).contains(&looked).then_some(()));
    danelaw.write("mail.next", &new.key);
    until_published(&danelaw, &new);
    let asked = danelaw.cli(&["rollover", "mail", "--compromised"]);
    let said = text(&asked);
    assert_eq!(asked.status.code(), Some(1), "{said}");
    assert!(
        said.contains("nothing has been changed") && said.contains("validating clients fail until"),
        "{said}"
    );
    assert_eq!(gate(&danelaw, &[]).0, Some(1));
    let done = danelaw.cli(&["rollover", "mail", "--compromised", "--yes"]);
    assert!(done.status.success(), "{}", text(&done));
    let (code, said) = gate(&danelaw, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the key in use is compromised: it is open all the same"), "{said}");
    assert_eq!(dig::tlsa(danelaw.port(), OWNER).len(), 2);
    drop(server);
    danelaw.write("mail.pem", &new.chain);
    let _server = TlsServer::openssl_at(address, &[("0", &new)], &OPENSSL);
    until("the old one is withdrawn", || {
        let records = dig::tlsa(danelaw.port(), OWNER);
        (records == [new.tlsa.clone()]).then_some(())
    });
}

#[test]
fn a_server_that_leaves_out_the_issuer_which_records_speak_of_is_told_of() {
    let authority = Authority::new();
    let (leaf, key) = authority.certify(HOST);
    let certificate = Certificate { chain: leaf, key, tlsa: String::new() };
    // OpenSSL's server sends the first certificate of the file alone.
    let server = TlsServer::openssl(&[("0", &certificate)], &OPENSSL);
    let address = server.address(0);
    let danelaw = danelaw(
        "2s",
        &format!("    probe: \"{address}\"\n    tlsa: [\"2 1 1\", \"3 1 1\"]\n"),
        &Certificate { chain: certificate.chain.clone() + authority.certificate(), ..certificate.clone() },
    )
    .start();
    let advice =
        format!("{HOST}:443 at {address} does not send the issuer's certificate, which `2 1 1` speaks of");
    until("status says so", || text(&danelaw.cli(&["status"])).contains(&advice).then_some(()));
}
