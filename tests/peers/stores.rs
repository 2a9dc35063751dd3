//! Each certificate store of DANE.md's table, updated as that store does it: what OpenSSL computes from the new
//! certificate is served as TLSA in under a second, and by a BIND secondary right after.
//!
//! danelaw compares contents every ten seconds beneath its file watching; an update that is served within one
//! was seen by inotify. A machine that is busy with other tests can hold up any single update, so it is the median
//! of a store's updates that has to keep the second; none may wait as long as the comparison would on average.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use data_encoding::BASE64;

use super::certificate::Certificate;
use super::danelaw::{Danelaw, tlsa_owner};
use super::dig;
use super::program::free_port;
use super::secondary::Secondary;
use super::wait::{until, until_within};

/// From the last step of an update to the answer: the median of a store.
const LIMIT: Duration = Duration::from_secs(1);
/// The same for every update: half of the ten seconds between comparisons.
const WORST: Duration = Duration::from_secs(5);
/// BIND has to hear of it, to ask and to transfer.
const SECONDARY_LIMIT: Duration = Duration::from_secs(10);
/// How often each store is updated: a watch that dies with the file survives the first update only.
const UPDATES: usize = 5;

/// How a store keeps one certificate.
struct Store {
    name: &'static str,
    /// What danelaw is told to watch, relative to the store's directory.
    certificate: &'static str,
    /// Puts a certificate there, as version `number` (0 is the first), in the store's directory.
    put: fn(&Path, usize, &Certificate),
}

const STORES: [Store; 15] = [
    Store { name: "certbot", certificate: "live/n/fullchain.pem", put: certbot },
    Store { name: "danebot", certificate: "live/n/combo.pem", put: danebot },
    Store { name: "danectl", certificate: "current/n/fullchain.pem", put: danectl },
    Store { name: "acme-sh", certificate: "fullchain.cer", put: acme_sh },
    Store { name: "dehydrated", certificate: "fullchain.pem", put: dehydrated },
    Store { name: "lego", certificate: "certificates/n.crt", put: lego },
    Store { name: "caddy", certificate: "certificates/issuer/n/n.crt", put: caddy },
    Store { name: "traefik", certificate: "acme.json", put: traefik },
    Store { name: "cert-manager", certificate: "tls.crt", put: cert_manager },
    Store { name: "acmetool", certificate: "live/n/fullchain", put: acmetool },
    Store { name: "step", certificate: "n.crt", put: renamed },
    Store { name: "uacme", certificate: "n/cert.pem", put: uacme },
    Store { name: "nginx-acme", certificate: "n.crt", put: truncated_and_written },
    Store { name: "openssl", certificate: "n.crt", put: written_in_pieces },
    Store { name: "moved-away", certificate: "n.crt", put: moved_away_first },
];

#[test]
fn every_store_is_followed_within_a_second_and_the_secondary_right_after() {
    let port = free_port();
    let mut danelaw = Danelaw::new().secondary(port);
    for store in &STORES {
        danelaw = danelaw.service(store.name, &format!("{}/{}", store.name, store.certificate));
        let directory = danelaw.path(store.name);
        fs::create_dir(&directory).unwrap();
        (store.put)(&directory, 0, &Certificate::new(store.name));
    }
    let danelaw = danelaw.start();
    let mut secondary = Secondary::bind(port, danelaw.port());
    for store in &STORES {
        until(&format!("{} has its first TLSA record", store.name), || {
            (danelaw.tlsa(store.name).len() == 1).then_some(())
        });
    }
    secondary.until_serial(danelaw.serial().unwrap());

    let mut late = Vec::new();
    for store in &STORES {
        let mut took = Vec::new();
        for number in 1..=UPDATES {
            let certificate = Certificate::new(store.name);
            (store.put)(&danelaw.path(store.name), number, &certificate);
            let what = format!("{}, update {number}: the new TLSA record", store.name);
            let served = |port| {
                let records = dig::tlsa(port, &tlsa_owner(store.name));
                records.contains(&certificate.tlsa).then_some(())
            };
            let start = Instant::now();
            until(&format!("{what} at danelaw"), || served(danelaw.port()));
            took.push(start.elapsed());
            until_within(SECONDARY_LIMIT, &format!("{what} at BIND"), || served(secondary.port()));
        }
        took.sort();
        if took[UPDATES / 2] > LIMIT || took[UPDATES - 1] > WORST {
            late.push(format!("{}: {took:?}", store.name));
        }
    }
    assert!(late.is_empty(), "median over {LIMIT:?} or any over {WORST:?}:\n{}", late.join("\n"));
}

/// Links from `live` into `archive`, each removed and made anew.
fn certbot(store: &Path, number: usize, certificate: &Certificate) {
    let (archive, live) = (store.join("archive/n"), store.join("live/n"));
    fs::create_dir_all(&archive).unwrap();
    fs::create_dir_all(&live).unwrap();
    for (kind, text) in
        [("cert", &certificate.chain), ("privkey", &certificate.key), ("fullchain", &certificate.chain)]
    {
        fs::write(archive.join(format!("{kind}{number}.pem")), text).unwrap();
        let link = live.join(format!("{kind}.pem"));
        // What the first version replaces is not there.
        let _ = fs::remove_file(&link);
        symlink(format!("../../archive/n/{kind}{number}.pem"), link).unwrap();
    }
}

/// Key and chain in one file, replaced by rename.
fn danebot(store: &Path, _: usize, certificate: &Certificate) {
    let live = store.join("live/n");
    fs::create_dir_all(&live).unwrap();
    replace(&live.join("combo.pem"), &format!("{}{}", certificate.key, certificate.chain));
}

/// `current/n` is a link to the directory of a lineage; it is made anew, forced.
fn danectl(store: &Path, number: usize, certificate: &Certificate) {
    let lineage = store.join(format!("live/n-{number}"));
    fs::create_dir_all(&lineage).unwrap();
    fs::create_dir_all(store.join("current")).unwrap();
    fs::write(lineage.join("fullchain.pem"), &certificate.chain).unwrap();
    let link = store.join("current/n");
    let _ = fs::remove_file(&link);
    symlink(&lineage, link).unwrap();
}

/// `cat > file`: key, then certificate, in place.
fn acme_sh(store: &Path, _: usize, certificate: &Certificate) {
    fs::write(store.join("n.key"), &certificate.key).unwrap();
    fs::write(store.join("n.cer"), &certificate.chain).unwrap();
    fs::write(store.join("fullchain.cer"), &certificate.chain).unwrap();
}

/// `ln -sf` to a file with the time in its name.
fn dehydrated(store: &Path, number: usize, certificate: &Certificate) {
    for (kind, text) in [("privkey", &certificate.key), ("fullchain", &certificate.chain)] {
        let target = format!("{kind}-17000000{number:02}.pem");
        fs::write(store.join(&target), text).unwrap();
        let link = store.join(format!("{kind}.pem"));
        let _ = fs::remove_file(&link);
        symlink(target, link).unwrap();
    }
}

/// In place, the certificate before the key.
fn lego(store: &Path, _: usize, certificate: &Certificate) {
    let directory = store.join("certificates");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("n.crt"), &certificate.chain).unwrap();
    fs::write(directory.join("n.key"), &certificate.key).unwrap();
}

/// Each file by rename.
fn caddy(store: &Path, _: usize, certificate: &Certificate) {
    let directory = store.join("certificates/issuer/n");
    fs::create_dir_all(&directory).unwrap();
    replace(&directory.join("n.crt"), &certificate.chain);
    replace(&directory.join("n.key"), &certificate.key);
}

/// A mounted Secret: `tls.crt` → `..data/tls.crt`, and `..data` → a directory with a time, swapped by rename.
pub(crate) fn cert_manager(store: &Path, number: usize, certificate: &Certificate) {
    let version = format!("..2026_11_22_03_00_{number:02}.1234");
    fs::create_dir(store.join(&version)).unwrap();
    fs::write(store.join(&version).join("tls.crt"), &certificate.chain).unwrap();
    fs::write(store.join(&version).join("tls.key"), &certificate.key).unwrap();
    let old = fs::read_link(store.join("..data"));
    symlink(&version, store.join("..data_tmp")).unwrap();
    fs::rename(store.join("..data_tmp"), store.join("..data")).unwrap();
    match old {
        // The kubelet removes what nothing points to any more.
        Ok(old) => fs::remove_dir_all(store.join(old)).unwrap(),
        Err(_) => {
            for file in ["tls.crt", "tls.key"] {
                symlink(format!("..data/{file}"), store.join(file)).unwrap();
            }
        }
    }
}

/// `live/n` is a link to a directory, replaced by rename.
fn acmetool(store: &Path, number: usize, certificate: &Certificate) {
    let version = store.join(format!("certs/{number}"));
    fs::create_dir_all(&version).unwrap();
    fs::create_dir_all(store.join("live")).unwrap();
    fs::write(version.join("fullchain"), &certificate.chain).unwrap();
    let staged = store.join("live/.n.new");
    symlink(format!("../certs/{number}"), &staged).unwrap();
    fs::rename(staged, store.join("live/n")).unwrap();
}

/// One file with everything, rewritten in place.
fn traefik(store: &Path, _: usize, certificate: &Certificate) {
    let owner = tlsa_owner("traefik");
    let host = owner.trim_start_matches("_443._tcp.");
    fs::write(store.join("acme.json"), acme_json(host, certificate)).unwrap();
}

/// Traefik's file, with the certificate beside that of another host.
pub(crate) fn acme_json(host: &str, certificate: &Certificate) -> String {
    let entry = |host: &str, certificate: &Certificate| {
        serde_json::json!({
            "domain": {"main": host},
            "certificate": BASE64.encode(certificate.chain.as_bytes()),
            "key": BASE64.encode(certificate.key.as_bytes()),
            "Store": "default",
        })
    };
    let other = Certificate::new("other");
    let json = serde_json::json!({
        "letsencrypt": {"Account": {"Email": "root@example.test"},
            "Certificates": [entry("other.example.test", &other), entry(host, certificate)]},
    });
    serde_json::to_string_pretty(&json).unwrap()
}

fn renamed(store: &Path, _: usize, certificate: &Certificate) {
    replace(&store.join("n.crt"), &certificate.chain);
}

/// By rename, in a directory of its own, the old file linked to a backup before.
fn uacme(store: &Path, number: usize, certificate: &Certificate) {
    let directory = store.join("n");
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("cert.pem");
    if file.exists() {
        fs::hard_link(&file, directory.join(format!("cert-{number}.pem"))).unwrap();
    }
    replace(&file, &certificate.chain);
}

fn truncated_and_written(store: &Path, _: usize, certificate: &Certificate) {
    fs::write(store.join("n.crt"), &certificate.chain).unwrap();
}

/// `openssl x509 -out`: truncated, then written piece by piece.
fn written_in_pieces(store: &Path, _: usize, certificate: &Certificate) {
    use std::io::Write;
    let mut file = fs::File::create(store.join("n.crt")).unwrap();
    for piece in certificate.chain.as_bytes().chunks(64) {
        file.write_all(piece).unwrap();
    }
}

/// `mv n.crt n.crt.old`, then the new one written: for a moment there is none.
fn moved_away_first(store: &Path, _: usize, certificate: &Certificate) {
    // What the first version replaces is not there.
    let _ = fs::rename(store.join("n.crt"), store.join("n.crt.old"));
    fs::write(store.join("n.crt"), &certificate.chain).unwrap();
}

fn replace(file: &Path, text: &str) {
    let staged = file.with_extension("staged");
    fs::write(&staged, text).unwrap();
    fs::rename(staged, file).unwrap();
}
