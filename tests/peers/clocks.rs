//! What a start makes of a wall clock that shows more than the time that has passed.

use std::fs;

use super::certificate::Certificate;
use super::danelaw::Danelaw;
use super::namespace::entered;
use super::program::{command, stdout, text};
use super::wait::until;

/// A danelaw whose next key has two hours to wait, and has written down what time it is.
fn waiting() -> Danelaw {
    waiting_of(Danelaw::new())
}

/// The same of one that is made already.
fn waiting_of(danelaw: Danelaw) -> Danelaw {
    let [old, next] = [Certificate::new("www.example.test"), Certificate::new("www.example.test")];
    let services = "services:\n  www: {endpoints: 'www.example.test:443', certificate: www.pem, next: www.next, \
                    ttl: 1h, probe: 'off'}\n";
    let danelaw = danelaw.also(services);
    danelaw.write("www.pem", &old.chain);
    danelaw.write("www.next", &next.key);
    let danelaw = danelaw.start();
    danelaw.until_tlsa("www", &next.tlsa);
    until("the time is written down", || (!kept(&danelaw).is_empty()).then_some(()));
    assert!(gate(&danelaw).contains("closed"));
    danelaw
}

/// The time that is written down for the next start.
fn kept(danelaw: &Danelaw) -> String {
    fs::read_to_string(danelaw.path("state/clock")).unwrap_or_default()
}

fn gate(danelaw: &Danelaw) -> String {
    text(&danelaw.cli(&["gate", "www"]))
}

#[test]
fn a_clock_that_is_set_ahead_while_danelaw_is_down_opens_no_gate() {
    let mut danelaw = waiting();
    danelaw.stop();
    let mut danelaw = danelaw.skewed("+3d");
    let before = kept(&danelaw);
    danelaw.restart();
    assert!(gate(&danelaw).contains("closed"), "{}", danelaw.log());
    // What was taken into account once, and is durable, is not a second time.
    until("the time is written down", || (kept(&danelaw) != before).then_some(()));
    danelaw.stop();
    danelaw.restart();
    assert!(gate(&danelaw).contains("closed"), "{}", danelaw.log());
    assert_eq!(danelaw.log().matches("while danelaw was down").count(), 1, "{}", danelaw.log());
}

#[test]
fn a_reload_right_after_the_clock_was_set_ahead_opens_no_gate() {
    let danelaw = waiting_of(Danelaw::new().settable_clock());
    danelaw.set_clock("+3d");
    danelaw.reload();
    assert!(gate(&danelaw).contains("closed"), "{}", danelaw.log());
    assert_eq!(danelaw.log().matches("the clock was set ahead").count(), 1, "{}", danelaw.log());
}

#[test]
fn over_a_reboot_no_wait_ends_by_what_the_clock_shows() {
    if !entered("clocks::over_a_reboot_no_wait_ends_by_what_the_clock_shows") {
        return;
    }
    let mut danelaw = waiting();
    danelaw.kill_9();
    let boot = danelaw.path("boot_id");
    fs::write(&boot, "00000000-0000-4000-8000-000000000000\n").unwrap();
    stdout(command("mount").arg("--bind").arg(&boot).arg("/proc/sys/kernel/random/boot_id"));
    let mut danelaw = danelaw.skewed("+3d");
    danelaw.restart();
    assert!(gate(&danelaw).contains("closed"), "{}", danelaw.log());
    assert!(danelaw.log().contains("the machine was started anew"), "{}", danelaw.log());
}
