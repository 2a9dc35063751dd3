//! Every certificate store of DANE.md's table, updated as that store does it: what its file holds
//! afterwards is delivered within a second, by inotify alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "tests make the files that danelaw watches")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use danelaw::host::watch::{ReadError, WatchEvent, Watcher};
use tempfile::TempDir;

/// So long that no test sees a poll.
const NEVER: Duration = Duration::from_hours(24);
const ONE_SECOND: Duration = Duration::from_secs(1);

/// A directory with a store in it, and a watcher on one of its files.
struct Store {
    scratch: TempDir,
    events: Receiver<WatchEvent>,
    watcher: Option<Watcher>,
}

impl Store {
    fn new() -> Self {
        let (_, events) = channel();
        Self { scratch: tempfile::tempdir().unwrap(), events, watcher: None }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.scratch.path().join(path)
    }

    fn put(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    fn link(&self, target: &str, path: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        symlink(target, self.at(path)).unwrap();
    }

    /// Runs a shell script in the store.
    fn sh(&self, script: &str) {
        let status = Command::new("sh").args(["-euc", script]).current_dir(self.scratch.path()).status();
        assert!(status.unwrap().success(), "{script}");
    }

    /// Starts watching, and waits for what is there now.
    fn watch(&mut self, path: &str, now: Option<&str>) {
        self.watch_polling(path, now, NEVER);
    }

    fn watch_polling(&mut self, path: &str, now: Option<&str>, poll: Duration) {
        let (sender, events) = channel();
        let sink = move |event| drop(sender.send(event));
        self.events = events;
        self.watcher = Some(Watcher::start(vec![("mail".into(), self.at(path))], poll, sink).unwrap());
        match now {
            Some(text) => self.holds(text),
            None => self.is_gone(),
        }
    }

    fn next(&self) -> Result<String, ReadError> {
        let event = self.events.recv_timeout(ONE_SECOND).expect("a delivery within a second");
        event.outcome.map(|contents| String::from_utf8(contents.to_vec()).unwrap())
    }

    /// The next delivery is `text`: nothing half done came before it, and it came in time.
    fn holds(&self, text: &str) {
        let began = Instant::now();
        assert_eq!(self.next().as_deref(), Ok(text));
        println!("{text:.20} delivered after {:?}", began.elapsed());
    }

    fn is_gone(&self) {
        assert_eq!(self.next(), Err(ReadError::NotFound));
    }

    /// Nothing is delivered any more.
    fn is_quiet(&self) {
        assert_eq!(self.events.recv_timeout(Duration::from_millis(400)), Err(RecvTimeoutError::Timeout));
    }
}

#[test]
fn certbot_unlinks_and_links_each_of_four_symlinks() {
    let mut store = Store::new();
    let names = ["cert", "privkey", "chain", "fullchain"];
    for name in names {
        store.put(&format!("archive/mail/{name}1.pem"), &format!("{name} 1"));
        store.link(&format!("../../archive/mail/{name}1.pem"), &format!("live/mail/{name}.pem"));
    }
    store.watch("live/mail/fullchain.pem", Some("fullchain 1"));
    for name in names {
        store.put(&format!("archive/mail/{name}2.pem"), &format!("{name} 2"));
    }
    for name in names {
        fs::remove_file(store.at(&format!("live/mail/{name}.pem"))).unwrap();
        store.link(&format!("../../archive/mail/{name}2.pem"), &format!("live/mail/{name}.pem"));
    }
    store.holds("fullchain 2");
    store.is_quiet();
}

#[test]
fn danebot_replaces_its_combined_file_atomically() {
    let mut store = Store::new();
    store.put("live/mail/combo.pem", "key and chain 1");
    store.watch("live/mail/combo.pem", Some("key and chain 1"));
    for round in 2..5 {
        let text = format!("key and chain {round}");
        store.put("live/mail/combo.pem.tmp", &text);
        fs::rename(store.at("live/mail/combo.pem.tmp"), store.at("live/mail/combo.pem")).unwrap();
        store.holds(&text);
    }
    store.is_quiet();
}

#[test]
fn danebot_stages_its_next_key_in_a_directory_that_does_not_exist_yet() {
    let mut store = Store::new();
    store.watch("staging/mail/nextkey.pem", None);
    store.sh("mkdir staging; mkdir staging/mail; printf 'next 1' > staging/mail/nextkey.pem");
    store.holds("next 1");
    store.sh("rm -r staging");
    store.is_gone();
    store.sh("mkdir -p staging/mail; printf 'next 2' > staging/mail/nextkey.pem");
    store.holds("next 2");
}

#[test]
fn danectl_points_directory_symlinks_elsewhere() {
    let mut store = Store::new();
    store.put("live/mail/fullchain.pem", "one");
    store.put("live/mail-duplicate/fullchain.pem", "two");
    store.link("../live/mail", "current/mail");
    store.link("../live/mail-duplicate", "next/mail");
    store.watch("current/mail/fullchain.pem", Some("one"));
    store.sh(
        "rm -f current/mail next/mail; ln -s ../live/mail-duplicate current/mail; ln -s ../live/mail next/mail",
    );
    store.holds("two");
    store.sh("ln -sfn ../live/mail current/mail");
    store.holds("one");
}

#[test]
fn acme_sh_writes_in_place_with_cat() {
    let mut store = Store::new();
    store.put("mail/fullchain.cer", "leaf 1, ca");
    store.put("new", "leaf 2, ca");
    store.watch("mail/fullchain.cer", Some("leaf 1, ca"));
    store.sh("cat new > mail/fullchain.cer");
    store.holds("leaf 2, ca");
    store.is_quiet();
}

#[test]
fn acme_sh_moves_its_next_key_away() {
    let mut store = Store::new();
    store.put("mail/mail.key.next", "next 1");
    store.watch("mail/mail.key.next", Some("next 1"));
    store.sh("mv mail/mail.key.next mail/mail.key");
    store.is_gone();
    store.sh("printf 'next 2' > mail/mail.key.next");
    store.holds("next 2");
}

#[test]
fn dehydrated_links_to_a_file_with_a_time_in_its_name() {
    let mut store = Store::new();
    store.put("certs/mail/fullchain-1700000000.pem", "chain 1");
    store.link("fullchain-1700000000.pem", "certs/mail/fullchain.pem");
    store.watch("certs/mail/fullchain.pem", Some("chain 1"));
    store.put("certs/mail/fullchain-1800000000.pem", "chain 2");
    store.sh("cd certs/mail && ln -sf fullchain-1800000000.pem fullchain.pem");
    store.holds("chain 2");
    store.is_quiet();
}

#[test]
fn dehydrated_consumes_its_rollover_key_and_makes_another() {
    let mut store = Store::new();
    store.put("certs/mail/privkey.roll.pem", "roll 1");
    store.watch("certs/mail/privkey.roll.pem", Some("roll 1"));
    store.sh("cd certs/mail; mv privkey.roll.pem privkey-1800000000.pem; printf 'roll 2' > privkey.roll.pem");
    store.holds("roll 2");
}

#[test]
fn lego_writes_certificate_and_then_key_in_place() {
    let mut store = Store::new();
    store.put("certificates/mail.crt", "leaf 1, ca");
    store.put("certificates/mail.key", "key 1");
    store.watch("certificates/mail.crt", Some("leaf 1, ca"));
    store.put("certificates/mail.crt", "leaf 2, ca");
    store.put("certificates/mail.key", "key 2");
    store.holds("leaf 2, ca");
}

#[test]
fn caddy_renames_each_file_into_place() {
    let mut store = Store::new();
    let path = "certificates/acme-v02/mail/mail.crt";
    store.put(path, "leaf 1");
    store.watch(path, Some("leaf 1"));
    store.put("certificates/acme-v02/mail/.tmp-mail.crt", "leaf 2");
    fs::rename(store.at("certificates/acme-v02/mail/.tmp-mail.crt"), store.at(path)).unwrap();
    store.holds("leaf 2");
}

#[test]
fn traefik_rewrites_its_one_file_in_place() {
    let mut store = Store::new();
    let old = "A".repeat(200_000);
    let new = "B".repeat(150_000);
    store.put("acme.json", &old);
    store.watch("acme.json", Some(&old));
    store.put("acme.json", &new);
    store.holds(&new);
}

#[test]
fn cert_manager_swaps_the_data_symlink_of_a_mounted_secret() {
    let mut store = Store::new();
    store.put("tls/..2026_01/tls.crt", "chain 1");
    store.link("..2026_01", "tls/..data");
    store.link("..data/tls.crt", "tls/tls.crt");
    store.watch("tls/tls.crt", Some("chain 1"));
    for (old, new, text) in [("..2026_01", "..2026_03", "chain 2"), ("..2026_03", "..2026_05", "chain 3")] {
        store.put(&format!("tls/{new}/tls.crt"), text);
        store.link(new, "tls/..data_tmp");
        fs::rename(store.at("tls/..data_tmp"), store.at("tls/..data")).unwrap();
        fs::remove_dir_all(store.at(&format!("tls/{old}"))).unwrap();
        store.holds(text);
    }
    store.is_quiet();
}

#[test]
fn acmetool_renames_a_symlink_over_the_directory_symlink() {
    let mut store = Store::new();
    store.put("certs/aaaa/fullchain", "one");
    store.put("certs/bbbb/fullchain", "two");
    store.link("../certs/aaaa", "live/mail.example.test");
    store.watch("live/mail.example.test/fullchain", Some("one"));
    store.link("../certs/bbbb", "live/.tmp");
    fs::rename(store.at("live/.tmp"), store.at("live/mail.example.test")).unwrap();
    store.holds("two");
}

#[test]
fn uacme_keeps_a_link_to_the_old_file_and_renames_the_new_one() {
    let mut store = Store::new();
    store.put("mail/cert.pem", "one");
    store.put("mail/cert.pem.new", "two");
    store.watch("mail/cert.pem", Some("one"));
    store.sh("ln mail/cert.pem mail/cert-1800000000.pem; mv mail/cert.pem.new mail/cert.pem");
    store.holds("two");
}

#[test]
fn step_and_openssl_write_in_place_shorter_or_longer_than_before() {
    let mut store = Store::new();
    store.put("site.crt", "a long certificate");
    store.watch("site.crt", Some("a long certificate"));
    store.sh("printf short > site.crt");
    store.holds("short");
    store.sh("printf ' and more' >> site.crt");
    store.holds("short and more");
}

#[test]
fn a_directory_that_is_moved_away_and_made_anew_is_watched_again() {
    let mut store = Store::new();
    store.put("live/mail/cert.pem", "one");
    store.watch("live/mail/cert.pem", Some("one"));
    for text in ["two", "three", "four"] {
        store.sh(&format!("rm -rf old; mv live old; mkdir -p live/mail; printf {text} > live/mail/cert.pem"));
        store.holds(text);
    }
    // The new directory is watched, not only its name.
    store.put("live/mail/cert.pem", "five");
    store.holds("five");
    store.sh("rm -rf live; mkdir -p live/mail; printf six > live/mail/cert.pem");
    store.holds("six");
    store.put("live/mail/cert.pem", "seven");
    store.holds("seven");
}

#[test]
fn the_same_contents_are_no_event() {
    let mut store = Store::new();
    store.put("cert.pem", "same");
    store.watch("cert.pem", Some("same"));
    store.put("cert.pem", "same");
    store.sh("touch cert.pem; cp cert.pem other; mv other cert.pem");
    store.is_quiet();
}

#[test]
fn a_file_caught_empty_is_waited_for_and_believed_in_the_end() {
    let mut store = Store::new();
    store.put("cert.pem", "before");
    store.watch("cert.pem", Some("before"));
    // A writer that pauses after truncating, as one on a busy machine does.
    store.sh(": > cert.pem; sleep 0.08; printf after > cert.pem");
    store.holds("after");
    // One that never comes back.
    store.sh(": > cert.pem");
    store.holds("");
}

#[test]
fn files_can_be_replaced_by_others_and_known_ones_are_not_delivered_again() {
    let mut store = Store::new();
    store.put("a.pem", "a");
    store.put("b.pem", "b");
    store.watch("a.pem", Some("a"));
    let files = [("mail", "a.pem"), ("web", "b.pem")].map(|(id, path)| (id.into(), store.at(path)));
    let watcher = store.watcher.take().unwrap();
    watcher.replace(files.to_vec());
    let event = store.events.recv_timeout(ONE_SECOND).unwrap();
    assert_eq!((&*event.id, event.outcome.map(|contents| contents.to_vec())), ("web", Ok(b"b".to_vec())));
    store.put("a.pem", "a again");
    store.holds("a again");
    watcher.replace(files[1..].to_vec());
    store.put("a.pem", "unseen");
    store.put("b.pem", "seen");
    store.holds("seen");
    store.is_quiet();
}

#[test]
fn a_watcher_ends_when_it_is_dropped() {
    let mut store = Store::new();
    store.put("cert.pem", "one");
    store.watch("cert.pem", Some("one"));
    store.watcher = None;
    store.put("cert.pem", "two");
    assert_eq!(store.events.recv_timeout(ONE_SECOND), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn what_inotify_does_not_tell_is_found_by_polling() {
    let mut store = Store::new();
    // A change through a hard link elsewhere is no event in the watched directory.
    store.put("elsewhere/other", "one");
    fs::create_dir(store.at("watched")).unwrap();
    fs::hard_link(store.at("elsewhere/other"), store.at("watched/cert.pem")).unwrap();
    store.watch_polling("watched/cert.pem", Some("one"), Duration::from_millis(50));
    store.put("elsewhere/other", "two");
    store.holds("two");
}
