//! The zone keeps its keys: they are copied, and for a while both signers sign with them.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::danelaw::{self, Danelaw};
use super::super::program::stdout;
use super::super::secondary::ZONE;
use super::signers::Signer;
use super::world::{World, zone_text};

/// A danelaw for the zone that has not been started. It knows the parent: what that names stays in use.
fn new_home(policy: &str, world: &World) -> Danelaw {
    let danelaw = Danelaw::new().configured(&format!(
        "policies:\n  moved: {policy}\nzones:\n  {ZONE}: {{file: zone, policy: moved, allow-transfer: 127.0.0.1, \
         propagation: secondaries, parent: \"127.0.0.1:{}\"}}\n",
        world.parent_port()
    ));
    danelaw.write("zone", &zone_text("new"));
    danelaw
}

/// `danelaw key import`, of these files.
fn import(danelaw: &Danelaw, files: &[PathBuf], more: &[&Path]) -> String {
    let keys = danelaw.path("keys");
    let mut arguments = vec!["key", "import", ZONE, "--keys", keys.to_str().unwrap()];
    arguments.extend(
        more.iter()
            .chain(files.iter().map(PathBuf::as_path).collect::<Vec<_>>().iter())
            .map(|argument| argument.to_str().unwrap()),
    );
    danelaw::run(&arguments)
}

/// Both serve the zone, then danelaw alone.
fn moves(world: World, old: Signer, danelaw: Danelaw) {
    world.until_served_by("old");
    let danelaw = danelaw.start();
    assert_eq!(world.ds_of(danelaw.port()), world.ds_of(old.port), "the parent need not know");
    world.asks(&[old.port, danelaw.port()]);
    world.until_served_by("new");
    world.until_asked(3);
    world.asks(&[danelaw.port()]);
    old.stop();
    world.until_asked(3);
    world.until_served_by("new");
    world.end();
}

#[test]
fn a_zone_that_moves_without_its_keys_goes_bogus_and_the_world_notices() {
    let old = Signer::signzone("ECDSAP256SHA256");
    let world = World::new(old.port);
    let danelaw = new_home("{keys: csk, dnskey-ttl: 2s}", &world).start();
    world.asks(&[danelaw.port()]);
    old.stop();
    world.until_asked(3);
    assert!(!world.not_secure().is_empty());
}

#[test]
fn a_zone_moves_from_bind_with_its_keys() {
    let old = Signer::bind();
    let world = World::new(old.port);
    let danelaw = new_home("{keys: ksk+zsk, dnskey-ttl: 2s}", &world);
    let said = import(&danelaw, &old.files("keys", ".state"), &[Path::new("--dnskey"), &old.dnskey_file()]);
    assert_eq!(said.lines().count(), 2, "{said}");
    // The end of the ZSK is BIND's forecast, and danelaw has a policy of its own.
    let kept = old
        .files("keys", ".private")
        .iter()
        .any(|file| fs::read_to_string(file).unwrap().contains("Delete:"));
    assert!(kept, "BIND forecasts");
    for entry in fs::read_dir(danelaw.path("keys")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("Delete:") && text.contains("Activate:"), "{text}");
    }
    moves(world, old, danelaw);
}

#[test]
fn a_zone_moves_from_knot_with_its_keys() {
    let old = Signer::knot();
    let list = old.path("keys.json");
    fs::write(&list, stdout(old.tool("keymgr").args(["-j", ZONE, "list"]))).unwrap();
    let world = World::new(old.port);
    let danelaw = new_home("{keys: ksk+zsk, denial: nsec3, dnskey-ttl: 2s}", &world);
    let more = [Path::new("--keymgr"), &list, Path::new("--dnskey"), &old.dnskey_file()];
    let said = import(&danelaw, &old.files("db/keys/keys", ".pem"), &more);
    assert_eq!(said.lines().count(), 2, "{said}");
    moves(world, old, danelaw);
}

#[test]
fn a_zone_moves_from_powerdns_with_its_key() {
    let old = Signer::powerdns();
    let key = old.path("key");
    fs::write(&key, stdout(old.tool("pdnsutil").args(["export-zone-key", ZONE, "1"]))).unwrap();
    let world = World::new(old.port);
    let danelaw = new_home("{keys: csk, dnskey-ttl: 2s}", &world);
    import(&danelaw, &[key], &[Path::new("--dnskey"), &old.dnskey_file()]);
    moves(world, old, danelaw);
}

#[test]
fn a_zone_signed_by_dnssec_signzone_with_rsa_moves_with_its_keys() {
    let old = Signer::signzone("RSASHA256");
    let world = World::new(old.port);
    let danelaw = new_home("{keys: ksk+zsk, dnskey-ttl: 2s}", &world);
    import(&danelaw, &old.files(".", ".private"), &[Path::new("--dnskey"), &old.dnskey_file()]);
    moves(world, old, danelaw);
}
