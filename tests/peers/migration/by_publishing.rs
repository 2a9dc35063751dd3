//! The zone gets new keys, and each signer publishes those of the other before it may be asked (RFC 8901, model 2).

use std::fs;
use std::io::Write;

use super::super::danelaw::{self, Danelaw};
use super::super::dig;
use super::super::program::{output, stdout, text};
use super::super::secondary::ZONE;
use super::super::wait::until;
use super::signers::Signer;
use super::world::{World, zone_text};

/// The configuration of a danelaw beside which these keys sign the zone elsewhere. It sees the parent.
fn configuration(world: &World, foreign: &[String]) -> String {
    let foreign: Vec<String> = foreign.iter().map(|key| format!("{key:?}")).collect();
    format!(
        "policies:\n  moved: {{keys: csk, dnskey-ttl: 2s}}\nzones:\n  {ZONE}:\n    file: zone\n    policy: moved\n    \
         allow-transfer: 127.0.0.1\n    propagation: secondaries\n    parent: \"127.0.0.1:{}\"\n    \
         foreign-dnskeys: [{}]\n",
        world.parent_port(),
        foreign.join(", ")
    )
}

/// `publish` makes the old signer publish the new key, of which it gets the DNSKEY rdata.
fn moves(mut old: Signer, publish: impl Fn(&mut Signer, &str)) {
    let foreign = old.dnskeys();
    let world = World::new(old.port);
    let mut danelaw = Danelaw::new().configured(&configuration(&world, &foreign));
    danelaw.write("zone", &zone_text("new"));
    world.until_served_by("old");

    // A key that nobody uses yet: both know it before danelaw is asked for the first time.
    let keys = danelaw.path("keys");
    danelaw::run(&["key", "generate", ZONE, "--keys", keys.to_str().unwrap()]);
    let said = danelaw::run(&["ds", ZONE, "--keys", keys.to_str().unwrap(), "--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let (_, dnskey) = said["dnskey"][0].as_str().unwrap().split_once(" DNSKEY ").unwrap();
    publish(&mut old, dnskey);
    until("the old signer publishes the new key", || {
        (old.dnskeys().len() == foreign.len() + 1).then_some(())
    });
    world.until_settled("DNSKEY", foreign.len() + 1);
    world.delegate(&world.ds_of(old.port));

    danelaw = danelaw.start();
    let both = dig::answer(danelaw.port(), ZONE, "DNSKEY").len();
    assert_eq!(both, foreign.len() + 1);
    world.asks(&[old.port, danelaw.port()]);
    world.until_served_by("new");
    world.until_asked(3);
    world.asks(&[danelaw.port()]);
    old.stop();
    world.until_asked(3);
    world.until_settled("DNSKEY", both);
    world.until_served_by("new");

    // Nothing of the old signer is in any cache: its keys go from the parent first, then from the zone.
    let own = said["ds"][0].as_str().unwrap().to_owned();
    world.delegate(&[own]);
    danelaw.reconfigure(&configuration(&world, &[]));
    let reloaded = danelaw.reload();
    assert!(reloaded.status.success(), "{reloaded:?}");
    until("the old keys are gone", || (dig::answer(danelaw.port(), ZONE, "DNSKEY").len() == 1).then_some(()));
    world.until_settled("DNSKEY", 1);
    world.until_asked(3);
    world.end();
}

#[test]
fn a_zone_moves_from_bind_by_publishing_keys() {
    moves(Signer::bind(), |old, dnskey| {
        let update = old.path("update");
        let port = old.port;
        fs::write(&update, format!("server 127.0.0.1 {port}\nupdate add {ZONE}. 2 DNSKEY {dnskey}\nsend\n"))
            .unwrap();
        let said = output(old.tool("nsupdate").arg(&update));
        assert!(said.status.success(), "{}", text(&said));
    });
}

#[test]
fn a_zone_moves_from_knot_by_publishing_keys() {
    moves(Signer::knot(), |old, dnskey| {
        let file = old.path("new.key");
        fs::write(&file, format!("{ZONE}. IN DNSKEY {dnskey}\n")).unwrap();
        stdout(old.tool("keymgr").args([ZONE, "import-pub"]).arg(&file));
        stdout(old.tool("knotc").args(["zone-keys-load", ZONE]));
    });
}

#[test]
fn a_zone_moves_from_powerdns_by_publishing_keys() {
    moves(Signer::powerdns(), |old, dnskey| {
        stdout(old.tool("pdnsutil").args(["add-record", ZONE, "@", "DNSKEY", "2", dnskey]));
        stdout(old.tool("pdns_control").args(["purge", &format!("{ZONE}$")]));
    });
}

#[test]
fn a_zone_signed_by_dnssec_signzone_moves_by_publishing_keys() {
    moves(Signer::signzone("ECDSAP256SHA256"), |old, dnskey| {
        let mut zone = fs::File::options().append(true).open(old.path("zone")).unwrap();
        writeln!(zone, "@ 2 DNSKEY {dnskey}").unwrap();
        old.sign_again();
    });
}
