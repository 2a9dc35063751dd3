//! Mail by DANE, end to end: danelaw, a BIND secondary, unbound, Postfix that receives with STARTTLS, Postfix that sends
//! with `smtp_tls_security_level = dane`. A certificate with a fresh key is deployed by a hook that asks the gate, while
//! a message is sent every second.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::certificate::Certificate;
use super::danelaw::{self, Danelaw};
use super::dig;
use super::namespace;
use super::postfix::{Postfix, write_chain_file};
use super::program::{command, free_port, output, stdout, text};
use super::secondary::{Secondary, ZONE};
use super::validator::Unbound;
use super::wait::{until, until_within};

const HOST: &str = "mail.example.test";
const OWNER: &str = "_25._tcp.mail.example.test";
/// Where the mail server is.
const ADDRESS: &str = "127.0.0.25";
/// The TTL of TLSA records in seconds: caches are asked again at every second or third message.
const TTL: u64 = 2;

/// The world of one domain.
struct World {
    danelaw: Danelaw,
    unbound: Unbound,
    _bind: Secondary,
    receiver: Postfix,
    sender: Postfix,
    submission: u16,
}

impl World {
    /// All of it, with mail flowing by `certificate`.
    fn start(certificate: &Certificate) -> Self {
        namespace::resolve_at("127.0.0.1");
        let secondary = free_port();
        let danelaw = Danelaw::new().secondary(secondary).also(&format!(
            "services:\n  mail:\n    endpoints: [\"{HOST}:25\"]\n    certificate: live/fullchain.pem\n    \
             ttl: {TTL}s\n"
        ));
        danelaw.write(
            "zone",
            &format!(
                "$TTL 60\n@ SOA ns1 hostmaster 1 3600 600 86400 {TTL}\n@ NS ns1\n@ MX 10 mail\nns1 A 127.0.0.1\n\
                 mail A {ADDRESS}\n"
            ),
        );
        danelaw.write("live/fullchain.pem", &certificate.chain);
        let presented = danelaw.path("presented.pem");
        write_chain_file(&presented, certificate);
        let receiver = Postfix::start(
            &format!(
                "myhostname = {HOST}\nmydestination = {ZONE}\nlocal_transport = discard\n\
                 inet_interfaces = 127.0.0.1\nsmtpd_tls_security_level = may\nsmtpd_tls_chain_files = {}\n",
                presented.display()
            ),
            &format!("{ADDRESS}:25 inet n - n - - smtpd\n"),
        );
        let danelaw = danelaw.start();
        let mut bind = Secondary::bind(secondary, danelaw.port());
        until("the TLSA record is served", || {
            dig::tlsa(danelaw.port(), OWNER).contains(&certificate.tlsa).then_some(())
        });
        bind.until_serial(danelaw.serial().unwrap());
        let unbound = Unbound::start_at(53, secondary, &danelaw.anchor());
        let submission = free_port();
        let sender = Postfix::start(
            "myhostname = sender.example.test\nmydestination =\nmynetworks = 127.0.0.0/8\n\
             inet_interfaces = 127.0.0.1\nsmtp_dns_support_level = dnssec\nsmtp_tls_security_level = dane\n\
             smtp_tls_loglevel = 1\nsmtp_connection_cache_on_demand = no\nsmtp_tls_session_cache_database =\n",
            &format!("127.0.0.1:{submission} inet n - n - - smtpd\n"),
        );
        Self { danelaw, unbound, _bind: bind, receiver, sender, submission }
    }

    /// Every client there is finds what the server presents vouched for.
    #[track_caller]
    fn every_client_verifies(&self, presented: &Certificate, when: &str) {
        let records = dig::resolved_tlsa(self.unbound.port, OWNER);
        let said = finger();
        assert!(said.contains("Verified TLS connection established"), "posttls-finger {when}:\n{said}");
        let (succeeds, said) = s_client(&records);
        assert!(succeeds, "openssl s_client {when}:\n{said}");
        let (succeeds, said) = ldns_dane(presented);
        assert!(succeeds, "ldns-dane {when}:\n{said}");
    }

    /// What `danelaw verify` says must be without a failure.
    #[track_caller]
    fn verify_is_content(&self, when: &str) {
        let output = self.danelaw.cli(&["verify", ZONE]);
        assert!(output.status.success(), "danelaw verify {when}:\n{}", text(&output));
    }

    /// A message to the domain, handed to the sender.
    fn send(&self) {
        send(self.submission);
    }
}

fn send(submission: u16) {
    let to = format!("127.0.0.1:{submission}");
    let mut run = command("smtp-source");
    stdout(run.args(["-m", "1", "-f", "a@sender.example.test", "-t", &format!("postmaster@{ZONE}"), &to]));
}

fn finger() -> String {
    text(&output(command("posttls-finger").args(["-c", "-l", "dane", "-L", "summary", ZONE])))
}

/// Whether OpenSSL's client accepts the server by these records, and what it says.
fn s_client(records: &[String]) -> (bool, String) {
    let mut run = command("openssl");
    run.args(["s_client", "-brief", "-starttls", "smtp", "-connect", &format!("{ADDRESS}:25")]);
    run.args(["-dane_tlsa_domain", HOST, "-dane_ee_no_namechecks", "-verify_return_error"]);
    for record in records {
        run.args(["-dane_tlsa_rrdata", record]);
    }
    let output = output(&mut run);
    (output.status.success(), text(&output))
}

/// Whether ldns finds this certificate vouched for.
fn ldns_dane(certificate: &Certificate) -> (bool, String) {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("chain.pem");
    fs::write(&file, &certificate.chain).unwrap();
    let mut run = command("ldns-dane");
    run.arg("-c").arg(&file).args(["-n", "-T", "-r", "127.0.0.1", "verify", HOST, "25"]);
    let output = output(&mut run);
    (output.status.success(), text(&output))
}

/// A message every second, until it is told to stop.
struct Stream {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Stream {
    fn start(submission: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut sent = 0;
            while !stopped.load(Ordering::Relaxed) {
                send(submission);
                sent += 1;
                std::thread::sleep(Duration::from_secs(1));
            }
            sent
        });
        Self { stop, thread }
    }

    /// How many messages there have been.
    fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// What a certbot user would write: ask the gate, install, reload.
fn deploy_hook(world: &World, staged: &Path) -> PathBuf {
    let hook = world.danelaw.path("deploy-hook");
    let script = format!(
        "#!/bin/sh\nset -e\n{} -c {} gate mail --certificate {live}/fullchain.pem --wait --timeout 5m\n\
         cp {} {}\npostfix -c {} reload\n",
        danelaw::BINARY,
        world.danelaw.path("danelaw.yaml").display(),
        staged.display(),
        world.danelaw.path("presented.pem").display(),
        world.receiver.etc().display(),
        live = world.danelaw.path("live").display(),
    );
    fs::write(&hook, script).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    hook
}

#[test]
fn no_message_is_deferred_while_a_hook_that_asks_the_gate_deploys_a_fresh_key() {
    if !namespace::entered("mail::no_message_is_deferred_while_a_hook_that_asks_the_gate_deploys_a_fresh_key")
    {
        return;
    }
    let (first, second, stranger) =
        (Certificate::for_host(HOST), Certificate::for_host(HOST), Certificate::for_host(HOST));
    let mut world = World::start(&first);
    world.every_client_verifies(&first, "before");
    world.verify_is_content("before");
    let (accepted, said) = ldns_dane(&stranger);
    assert!(!accepted, "ldns-dane knows a stranger:\n{said}");

    let stream = Stream::start(world.submission);
    until("the first messages are delivered", || (delivered(&world) >= 2).then_some(()));

    // The ACME client has a new certificate, and runs its deploy hook.
    let staged = world.danelaw.path("staged.pem");
    write_chain_file(&staged, &second);
    world.danelaw.write("live/fullchain.pem", &second.chain);
    let hook = deploy_hook(&world, &staged);
    let deploy = std::thread::spawn(move || output(&mut std::process::Command::new(hook)));
    // The gate opens once every cache has both; what is presented is still the first.
    until("both records are in the resolver", || {
        let records = dig::resolved_tlsa(world.unbound.port, OWNER);
        (records.contains(&first.tlsa) && records.contains(&second.tlsa)).then_some(())
    });
    let (accepted, said) = ldns_dane(&second);
    assert!(accepted, "ldns-dane does not know the next:\n{said}");
    if !deploy.is_finished() {
        world.every_client_verifies(&first, "during");
        world.verify_is_content("during");
    }
    let deployed = deploy.join().unwrap();
    assert!(deployed.status.success(), "{}", text(&deployed));

    until("the second certificate is presented", || finger_sees(&second).then_some(()));
    world.every_client_verifies(&second, "after");
    world.verify_is_content("after");
    let gone = Duration::from_mins(5);
    until_within(gone, "the first record goes", || {
        (dig::resolved_tlsa(world.unbound.port, OWNER) == [second.tlsa.clone()]).then_some(())
    });
    world.every_client_verifies(&second, "in the end");
    let sent = stream.stop();
    until("all messages are delivered", || (delivered(&world) == sent).then_some(()));
    let log = world.sender.log();
    assert!(!log.contains("status=deferred") && !log.contains("status=bounced"), "{log}");
    let verified = log.matches(&format!("Verified TLS connection established to {HOST}")).count();
    assert_eq!(verified, sent, "each message over a verified connection\n{log}");
    assert!(sent > 5, "{sent} messages");

    // Nobody but the server's owner deploys this one: danelaw is not there to hear of it.
    world.danelaw.stop();
    write_chain_file(&world.danelaw.path("presented.pem"), &stranger);
    stdout(command("postfix").arg("-c").arg(world.receiver.etc()).arg("reload"));
    until("the stranger's certificate is presented", || finger_sees(&stranger).then_some(()));
    assert!(!finger().contains("Verified TLS connection established"));
    assert!(!s_client(&dig::resolved_tlsa(world.unbound.port, OWNER)).0);
    world.send();
    until("the message is deferred", || {
        let log = world.sender.log();
        let mut lines = log.lines();
        lines.any(|line| line.contains("dsn=4.7.5, status=deferred (Server certificate not")).then_some(())
    });
    assert_eq!(delivered(&world), sent);
}

/// How many messages the sender has delivered.
fn delivered(world: &World) -> usize {
    world.sender.log().matches("status=sent").count()
}

/// Whether the server presents this certificate, whoever vouches for it.
fn finger_sees(certificate: &Certificate) -> bool {
    let mut run = command("openssl");
    run.args(["s_client", "-starttls", "smtp", "-connect", &format!("{ADDRESS}:25")]);
    let body = |text: &str| -> Option<String> {
        let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
        Some(rest.split_once("-----END")?.0.split_whitespace().collect())
    };
    body(&text(&output(&mut run))) == body(&certificate.chain)
}
