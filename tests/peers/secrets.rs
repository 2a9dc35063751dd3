//! Private keys stay where they belong: in files for their owner, and in the memory of a process that nobody looks
//! into.

use std::fs;

use super::danelaw::Danelaw;
use super::dig;
use super::program::text;
use super::secondary::{TSIG_SECRET, ZONE};

#[test]
fn core_dumps_are_off() {
    let danelaw = Danelaw::new().start();
    let limits = fs::read_to_string(format!("/proc/{}/limits", danelaw.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let values: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(values, ["0", "0"], "{core}");
}

#[test]
fn no_secret_is_in_the_log_or_in_what_commands_print() {
    let danelaw = Danelaw::new().logging("trace").policy("{keys: ksk+zsk}").start();
    danelaw.write("zone", "broken");
    let _ = danelaw.reload();
    assert!(dig::transfer(danelaw.port(), ZONE).is_some());
    let mut secrets = vec![TSIG_SECRET.to_owned()];
    for entry in fs::read_dir(danelaw.path("keys")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "private") {
            let file = fs::read_to_string(&path).unwrap();
            let secret = file.lines().find_map(|line| line.strip_prefix("PrivateKey: ")).unwrap();
            secrets.push(secret.to_owned());
        }
    }
    assert_eq!(secrets.len(), 3);
    let mut said = danelaw.log();
    assert!(said.contains("signatures made"), "it logs at all");
    for arguments in [&["status"][..], &["status", "--json"], &["check"], &["ds", ZONE], &["key", "list"]] {
        said += &text(&danelaw.cli(arguments));
    }
    let backed_up = danelaw.cli(&["backup", danelaw.path("backup").to_str().unwrap()]);
    said += &text(&backed_up);
    for secret in secrets {
        assert!(!said.contains(&secret), "{said}");
    }
}
