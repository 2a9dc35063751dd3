//! Dynamic updates as real clients send them: `nsupdate`, `knsupdate`, and certbot's plugin for DNS challenges.

use std::process::Output;

use super::certificate::Certificate;
use super::check::{self, Keys};
use super::danelaw::{Danelaw, ZONE_TEXT};
use super::dig;
use super::program::{command, free_port, output, text};
use super::secondary::{Secondary, TSIG_KEY, TSIG_SECRET, ZONE};
use super::wait::until;

/// The key of an ACME client, which may put TXT records at one name and do nothing else.
const ACME_KEY: &str = "acme.example.test";
const ACME_SECRET: &str = "QW5kIGEgc2VjcmV0IG9mIGFuIEFDTUUgY2xpZW50ISE=";

fn danelaw() -> Danelaw {
    Danelaw::new().key(ACME_KEY, ACME_SECRET).zone_line(&format!(
        "allow-update: [{{tsig: {TSIG_KEY}}}, {{tsig: {ACME_KEY}, name: _acme-challenge.{ZONE}, types: TXT}}]"
    ))
}

/// Has a program such as nsupdate send these lines, signed.
fn send(program: &str, danelaw: &Danelaw, key: &str, secret: &str, lines: &str) -> Output {
    let lines = lines.replace(".~", &format!(".{ZONE}"));
    let script = format!("server 127.0.0.1 {}\nzone {ZONE}\n{lines}\nsend\n", danelaw.port());
    danelaw.write("update", &script);
    output(command(program).arg("-y").arg(format!("hmac-sha256:{key}:{secret}")).arg(danelaw.path("update")))
}

/// Sends these lines with the key that may change everything, which must succeed.
#[track_caller]
fn update(danelaw: &Danelaw, lines: &str) {
    let sent = send("nsupdate", danelaw, TSIG_KEY, TSIG_SECRET, lines);
    assert!(sent.status.success(), "{}", text(&sent));
}

/// The rcode with which these lines are refused.
#[track_caller]
fn refused(danelaw: &Danelaw, key: &str, secret: &str, lines: &str) -> String {
    let sent = send("nsupdate", danelaw, key, secret, lines);
    assert!(!sent.status.success(), "{lines} was done");
    let said = text(&sent);
    let rcode = said.split_once("update failed: ").map(|(_, rest)| rest.split_whitespace().next().unwrap());
    rcode.unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[test]
fn nsupdate_changes_a_signed_zone_and_secondaries_follow() {
    let port = free_port();
    let danelaw = danelaw().secondary(port).start();
    let mut secondary = Secondary::bind(port, danelaw.port());
    secondary.until_serial(danelaw.serial().unwrap());
    update(
        &danelaw,
        "update add new.~ 60 A 192.0.2.7\nupdate add new.~ 60 A 192.0.2.8\nupdate add txt.~ 60 TXT \"a b\"",
    );
    // It is served before it is answered.
    assert_eq!(dig::rdata(danelaw.port(), "new.example.test", "A"), ["192.0.2.7", "192.0.2.8"]);
    for (program, lines) in [
        (
            "nsupdate",
            "prereq yxrrset new.~ A\nupdate delete new.~ A 192.0.2.7\nupdate add new.~ 60 AAAA 2001:db8::1",
        ),
        ("knsupdate", "prereq nxdomain newer.~\nupdate add newer.~ 60 MX 10 new.~"),
    ] {
        let sent = send(program, &danelaw, TSIG_KEY, TSIG_SECRET, lines);
        assert!(sent.status.success(), "{program}: {}", text(&sent));
    }
    assert_eq!(dig::rdata(danelaw.port(), "new.example.test", "A"), ["192.0.2.8"]);
    assert_eq!(dig::rdata(danelaw.port(), "newer.example.test", "MX"), ["10 NEW.EXAMPLE.TEST."]);
    secondary.until_serial(danelaw.serial().unwrap());
    let copy = secondary.zone();
    assert_eq!(copy, danelaw.zone());
    danelaw.write("copy", &(copy.join("\n") + "\n"));
    check::all(&danelaw.path("copy"), ZONE, Keys::Csk);
}

#[test]
fn what_must_not_be_is_refused() {
    let certificate = Certificate::new("www.example.test");
    let danelaw = danelaw().service("www", "www.pem");
    danelaw.write("www.pem", &certificate.chain);
    let danelaw = danelaw.start();
    until("the TLSA record is served", || (!danelaw.tlsa("www").is_empty()).then_some(()));
    let serial = danelaw.serial();
    let by_all = |lines: &str| refused(&danelaw, TSIG_KEY, TSIG_SECRET, lines);
    for lines in [
        "update add example.test. 60 SOA a. b. 1 2 3 4 5",
        "update delete example.test. SOA",
        "update add _443._tcp.www.~ 60 TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000000",
        "update delete _443._tcp.www.~ TLSA",
        "update delete _443._tcp.www.~",
        "update delete www.~ RRSIG",
        "update add www.~ 60 NSEC www.example.test. A",
        "update add example.test. 60 NSEC3PARAM 1 0 0 -",
        "update delete example.test. DNSKEY",
        "update add mail.~ 60 DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000",
        "update add www.example.org. 60 A 192.0.2.1",
    ] {
        assert_eq!(by_all(lines), "REFUSED", "{lines}");
    }
    for (lines, rcode) in [
        ("prereq yxdomain nobody.~\nupdate add a.~ 60 A 192.0.2.1", "NXDOMAIN"),
        ("prereq nxdomain www.~\nupdate add a.~ 60 A 192.0.2.1", "YXDOMAIN"),
        ("prereq yxrrset mail.~ MX\nupdate add a.~ 60 A 192.0.2.1", "NXRRSET"),
        ("prereq nxrrset mail.~ A\nupdate add a.~ 60 A 192.0.2.1", "YXRRSET"),
    ] {
        assert_eq!(by_all(lines), rcode, "{lines}");
    }
    let by_acme = |lines: &str| refused(&danelaw, ACME_KEY, ACME_SECRET, lines);
    for lines in [
        "update add _acme-challenge.~ 60 CAA 0 issue x",
        "update add _acme-challenge.www.~ 60 TXT x",
        "update add www.~ 60 TXT x",
        "update delete _acme-challenge.~",
    ] {
        assert_eq!(by_acme(lines), "REFUSED", "{lines}");
    }
    assert_eq!(refused(&danelaw, ACME_KEY, TSIG_SECRET, "update add a.~ 60 A 192.0.2.1"), "NOTAUTH(BADSIG)");
    assert_eq!(refused(&danelaw, "nobody", ACME_SECRET, "update add a.~ 60 A 192.0.2.1"), "NOTAUTH(BADKEY)");
    danelaw.write(
        "update",
        &format!(
            "server 127.0.0.1 {}\nzone {ZONE}\nupdate add a.{ZONE} 60 A 192.0.2.1\nsend\n",
            danelaw.port()
        ),
    );
    let unsigned = output(command("nsupdate").arg(danelaw.path("update")));
    assert!(text(&unsigned).contains("REFUSED"), "{}", text(&unsigned));
    assert_eq!(danelaw.serial(), serial, "nothing has changed");
}

#[test]
fn updates_outlive_restarts_and_come_together_with_an_edited_file() {
    let mut danelaw = danelaw().start();
    update(&danelaw, "update add new.~ 60 A 192.0.2.7\nupdate delete mail.~ A");
    let differences = || text(&danelaw.cli(&["diff", ZONE]));
    let expected = "- mail.example.test. IN A 192.0.2.25 ; by update\n+ new.example.test. 60 IN A 192.0.2.7 ; by update\n";
    assert_eq!(differences(), expected);
    danelaw.kill_9();
    danelaw.restart();
    let served = || {
        (
            dig::rdata(danelaw.port(), "new.example.test", "A"),
            dig::rdata(danelaw.port(), "mail.example.test", "A"),
        )
    };
    assert_eq!(served(), (vec!["192.0.2.7".to_owned()], vec![]));
    danelaw.write("zone", &format!("{ZONE_TEXT}\nadded A 192.0.2.99\n"));
    assert!(danelaw.reload().status.success());
    assert_eq!(dig::rdata(danelaw.port(), "added.example.test", "A"), ["192.0.2.99"]);
    assert_eq!(served(), (vec!["192.0.2.7".to_owned()], vec![]));
    let dump = text(&danelaw.cli(&["dump", "--unsigned", ZONE]));
    assert!(
        dump.contains("new.example.test.") && dump.contains("added.example.test.") && !dump.contains("RRSIG")
    );
    // The file comes round to the update, and it is the file's from then on.
    danelaw.write("zone", &format!("{ZONE_TEXT}\nnew 60 A 192.0.2.7\n"));
    assert!(danelaw.reload().status.success());
    assert!(!text(&danelaw.cli(&["diff", ZONE])).contains("new."));
    danelaw.write("zone", ZONE_TEXT);
    assert!(danelaw.reload().status.success());
    assert!(dig::rdata(danelaw.port(), "new.example.test", "A").is_empty());
}

#[test]
fn a_file_and_an_update_that_contradict_each_other_leave_the_zone_as_it_was() {
    let danelaw = danelaw().start();
    update(&danelaw, "update add new.~ 60 A 192.0.2.7");
    danelaw.write("zone", &format!("{ZONE_TEXT}\nnew CNAME www\nadded A 192.0.2.99\n"));
    let reload = danelaw.reload();
    assert_eq!(reload.status.code(), Some(1));
    let said = text(&reload);
    assert!(
        said.contains("new.example.test.") && said.contains("danelaw diff") && said.contains("still serving"),
        "{said}"
    );
    assert_eq!(dig::rdata(danelaw.port(), "new.example.test", "A"), ["192.0.2.7"]);
    update(&danelaw, "update delete new.~ A");
    assert!(danelaw.reload().status.success());
    assert_eq!(dig::rdata(danelaw.port(), "new.example.test", "CNAME"), ["WWW.EXAMPLE.TEST."]);
    danelaw.until_well();
}

/// certbot's plugin, driven as certbot drives it for each challenge.
const CERTBOT: &str = "
import sys, dns.tsig
from certbot_dns_rfc2136._internal.dns_rfc2136 import _RFC2136Client
port, key, secret = int(sys.argv[1]), sys.argv[2], sys.argv[3]
client = _RFC2136Client('127.0.0.1', port, key, secret, dns.tsig.HMAC_SHA256)
change = client.add_txt_record if sys.argv[4] == 'add' else client.del_txt_record
arguments = ['_acme-challenge.example.test', sys.argv[5]] + ([60] if sys.argv[4] == 'add' else [])
change(*arguments)
";

#[test]
fn certbot_answers_a_challenge() {
    let danelaw = danelaw().start();
    let certbot = |arguments: [&str; 2]| {
        let port = danelaw.port().to_string();
        let done = output(
            command("/usr/bin/python3").args(["-c", CERTBOT, &port, ACME_KEY, ACME_SECRET]).args(arguments),
        );
        assert!(done.status.success(), "{}", text(&done));
    };
    let challenge = || dig::rdata(danelaw.port(), "_acme-challenge.example.test", "TXT");
    certbot(["add", "first"]);
    certbot(["add", "second"]);
    assert_eq!(challenge(), ["\"FIRST\"", "\"SECOND\""]);
    certbot(["del", "first"]);
    certbot(["del", "second"]);
    assert!(challenge().is_empty());
}
