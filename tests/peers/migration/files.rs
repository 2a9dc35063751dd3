//! Key files between danelaw and the tools of others, both ways.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::super::danelaw;
use super::super::program::{command, stdout};
use super::super::secondary::{ZONE, powerdns_home};

/// `danelaw key …` on the directory `keys` here.
fn key(here: &TempDir, arguments: &[&str]) -> String {
    let keys = here.path().join("keys");
    danelaw::run(&[&["key"], arguments, &["--keys", keys.to_str().unwrap()]].concat())
}

/// What a program prints, run here.
fn run(here: &TempDir, program: &mut Command) -> String {
    stdout(program.current_dir(here.path()))
}

/// The tags of the keys here.
fn tags(here: &TempDir) -> Vec<u16> {
    let listed = key(here, &["list", ZONE, "--json"]);
    let listed: Vec<serde_json::Value> = serde_json::from_str(&listed).unwrap();
    listed.iter().map(|key| key["tag"].as_u64().unwrap() as u16).collect()
}

#[test]
fn keys_of_ldns_and_openssl_are_taken_over() {
    let here = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for algorithm in ["ECDSAP256SHA256", "ECDSAP384SHA384", "ED25519", "RSASHA256"] {
        let mut keygen = command("ldns-keygen");
        let stem = run(&here, keygen.args(["-a", algorithm, "-b", "2048", ZONE])).trim().to_owned();
        expected.push(stem.rsplit('+').next().unwrap().parse::<u16>().unwrap());
        key(&here, &["import", ZONE, here.path().join(stem).to_str().unwrap()]);
    }
    expected.sort_unstable();
    assert_eq!(tags(&here), expected);

    let forms: [(&[&str], &str); 4] = [
        (&["genpkey", "-algorithm", "ed25519", "-outform", "DER"], "ed.der"),
        (&["ecparam", "-name", "prime256v1", "-genkey", "-noout"], "sec1.pem"),
        (&["genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "p384.pem"),
        (&["genrsa", "-traditional", "2048"], "rsa.pem"),
    ];
    for (arguments, file) in forms {
        run(&here, command("openssl").args(&arguments[..1]).args(["-out", file]).args(&arguments[1..]));
        let path = here.path().join(file);
        key(&here, &["import", ZONE, path.to_str().unwrap(), "--role", "zsk"]);
    }
    assert_eq!(tags(&here).len(), 8);
    let listed = key(&here, &["list", ZONE]);
    assert_eq!(listed.lines().filter(|line| line.contains("algorithm 8 ")).count(), 2, "{listed}");
}

#[test]
fn a_key_that_the_zone_does_not_publish_is_refused() {
    let here = tempfile::tempdir().unwrap();
    let mut stems = Vec::new();
    for _ in 0..2 {
        let mut keygen = command("dnssec-keygen");
        stems.push(run(&here, keygen.args(["-q", "-a", "13", ZONE])).trim().to_owned());
    }
    let [stranger, published] = [&stems[0], &stems[1]].map(|stem| here.path().join(stem));
    let keys = here.path().join("keys");
    let refused = danelaw::outcome(&[
        "key",
        "import",
        ZONE,
        stranger.to_str().unwrap(),
        "--dnskey",
        &format!("{}.key", published.display()),
        "--keys",
        keys.to_str().unwrap(),
    ]);
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("none of the DNSKEY records is this key's"), "{said}");
    assert!(!keys.exists(), "nothing is written");
}

#[test]
fn our_keys_are_taken_over_by_bind_knot_powerdns_and_openssl() {
    for algorithm in ["13", "14", "15"] {
        let here = tempfile::tempdir().unwrap();
        key(&here, &["generate", ZONE, "--algorithm", algorithm]);
        let tag = tags(&here)[0].to_string();
        let key_file = |directory: &Path| {
            let file =
                directory.join(format!("K{ZONE}.+0{algorithm}+{:05}.key", tag.parse::<u16>().unwrap()));
            let text = fs::read_to_string(file).unwrap();
            text.lines()
                .find(|line| !line.starts_with(';'))
                .unwrap()
                .split_once(" DNSKEY ")
                .unwrap()
                .1
                .to_owned()
        };
        let dnskey = key_file(&here.path().join("keys"));

        let zone = "$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\nns A 192.0.2.1\n";
        fs::write(here.path().join("zone"), zone).unwrap();
        let out = here.path().to_str().unwrap();
        key(&here, &["export", ZONE, &tag, "--format", "bind", "--output", out]);
        assert_eq!(key_file(here.path()), dnskey);
        run(&here, command("dnssec-signzone").args(["-S", "-z", "-o", ZONE, "zone"]));

        key(&here, &["export", ZONE, &tag, "--format", "pkcs8", "--output", &format!("{out}/key.pem")]);
        run(&here, command("openssl").args(["pkey", "-in", "key.pem", "-noout", "-check"]));
        let mut keymgr = command("keymgr");
        keymgr.args([
            "-D",
            "db",
            ZONE,
            "import-pem",
            "key.pem",
            &format!("algorithm={algorithm}"),
            "ksk=yes",
            "zsk=yes",
        ]);
        let id = run(&here, &mut keymgr).lines().next().unwrap().to_owned();
        let of_knot = run(&here, command("keymgr").args(["-D", "db", ZONE, "dnskey", &id]));
        assert!(of_knot.trim().ends_with(&dnskey), "{of_knot}");

        let home = powerdns_home(&here, 1);
        key(&here, &["export", ZONE, &tag, "--format", "pdns", "--output", &format!("{out}/key.pdns")]);
        run(&here, command("pdnsutil").args([&home, "create-zone", ZONE]));
        run(&here, command("pdnsutil").args([&home, "import-zone-key", ZONE, "key.pdns", "ksk"]));
        let of_powerdns = run(&here, command("pdnsutil").args([&home, "export-zone-dnskey", ZONE, "1"]));
        assert!(of_powerdns.trim().ends_with(&dnskey), "{of_powerdns}");
    }
}
