//! The same secondaries and checks with BIND in danelaw's place: if these fail, look at the machine, not at danelaw.

use std::fs;

use super::check::{self, Keys};
use super::danelaw::ZONE_TEXT;
use super::dig;
use super::program::{Running, command, free_port, stdout};
use super::secondary::{Secondary, TSIG_KEY, TSIG_SECRET, ZONE};
use super::wait::until;

#[test]
fn every_secondary_transfers_a_sound_zone_from_bind() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    fs::write(path("zone"), ZONE_TEXT).unwrap();
    for flags in [["-f", "KSK"].as_slice(), &[]] {
        stdout(command("dnssec-keygen").current_dir(&scratch).args(["-q", "-a", "13"]).args(flags).arg(ZONE));
    }
    stdout(command("dnssec-signzone").current_dir(&scratch).args(["-S", "-o", ZONE, "zone"]));

    let port = free_port();
    let configuration = format!(
        r#"
        options {{
            directory "{here}";
            listen-on port {port} {{ 127.0.0.1; }};
            listen-on-v6 {{ none; }};
            pid-file "{here}/named.pid";
                session-keyfile "{here}/session.key";
            recursion no;
            notify no;
            allow-transfer {{ key "{TSIG_KEY}"; }};
        }};
        controls {{ }};
        key "{TSIG_KEY}" {{ algorithm hmac-sha256; secret "{TSIG_SECRET}"; }};
        zone "{ZONE}" {{ type primary; file "zone.signed"; }};
        "#,
        here = scratch.path().display()
    );
    fs::write(path("named.conf"), configuration).unwrap();
    let mut primary =
        Running::start(command("named").args(["-g", "-n", "1", "-c"]).arg(path("named.conf")), &path("log"));
    let serial = until("BIND serves the zone", || {
        primary.must_run();
        dig::serial(port, ZONE)
    });

    for start in [Secondary::bind, Secondary::nsd, Secondary::knot, Secondary::powerdns] {
        let mut secondary = start(free_port(), port);
        secondary.until_serial(serial);
        let copy = path("copy");
        fs::write(&copy, secondary.zone().join("\n") + "\n").unwrap();
        check::all(&copy, ZONE, Keys::KskZsk);
    }
}
