//! What there is to hand to the parent, who is told of it, and what the parent makes of it.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;

use super::super::danelaw::Danelaw;
use super::super::dig;
use super::super::ds;
use super::super::namespace;
use super::super::program::{free_port, text};
use super::super::secondary::ZONE;
use super::super::wait::{PATIENCE, until};
use super::parent::Parent;
use super::world::World;
use super::{CSK, KSK_ZSK};

/// A DS record of a key that nobody has.
const STRAY: &str = "12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF";
const DS_PORT: u16 = 53;
const NOERROR: u8 = 0;
const REFUSED: u8 = 5;

#[test]
fn nothing_goes_on_while_the_parent_does_not_change_its_ds() {
    let mut world = World::secure(KSK_ZSK);
    let old = world.tags(true)[0];
    world.be_deaf();
    world.roll("ksk");
    let said = world.danelaw.until_alarmed(&["hand to the parent", "; remove `example.test. DS"]);
    assert!(said.contains(&format!("remove `example.test. DS {old} 13 2 ")), "{said}");
    world.until_asked(200);
    assert_eq!(world.parent.tags(), [old]);
    let mut tags = world.tags(true);
    tags.retain(|&tag| tag != old);
    assert!(tags.len() == 1 && said.contains(&format!("add `example.test. DS {} 13 2 ", tags[0])), "{said}");
    let (named, left_out) = ds::named(&world.danelaw, &[]);
    assert_eq!(named, tags);
    assert!(left_out.contains(&format!("key {old} is left out: it is to go (asked for)")), "{left_out}");
    let published = dig::answer(world.secondary.port(), ZONE, "DNSKEY");
    assert_eq!(published.len(), 3, "both KSKs are there: {published:?}");
    world.danelaw.until_alarmed(&["hand to the parent"]);
    let reloaded = world.danelaw.reload();
    assert!(reloaded.status.success(), "nothing was refused: {}", text(&reloaded));
    world.listen();
    world.until_replaced(true, old);
    world.danelaw.until_well();
    world.end();
}

#[test]
fn a_key_that_was_in_other_hands_is_not_named_again() {
    let world = World::secure(CSK);
    let old = world.tags(true)[0];
    assert_eq!(ds::named(&world.danelaw, &[]), (vec![old], String::new()));
    world.may_be_bogus();
    let rolled = world.danelaw.cli(&["key", "roll", ZONE, "--compromised", &old.to_string(), "--yes"]);
    assert!(rolled.status.success(), "{}", text(&rolled));
    world.until_replaced(true, old);
    let (named, left_out) = ds::named(&world.danelaw, &[]);
    assert_eq!(named, world.tags(true));
    assert!(left_out.contains(&format!("key {old} is left out: the daemon does not use it")), "{left_out}");
    world.end();
}

#[test]
fn a_ds_at_the_parent_that_names_no_key_is_an_alarm() {
    let mut world = World::secure(CSK);
    world.be_deaf();
    let own = world.parent.ds();
    world.parent.delegate(&[own.clone(), vec![STRAY.to_owned()]].concat());
    // It looks at once when it starts.
    world.danelaw.restart();
    world.danelaw.until_alarmed(&[&format!("the parent has `DS {STRAY}`"), "have it removed"]);
    world.until_asked(20);
    world.may_be_bogus();
    world.parent.delegate(&[STRAY.to_owned()]);
    world.danelaw.restart();
    world.danelaw.until_alarmed(&["VALIDATING RESOLVERS FAIL FOR THE WHOLE ZONE"]);
    world.parent.delegate(&own);
    world.danelaw.restart();
    world.danelaw.until_well();
    world.end();
}

#[test]
fn a_person_says_what_the_parent_has_where_nobody_can_look() {
    let parent = Parent::start(free_port(), "");
    let danelaw = Danelaw::new().policy(CSK).zone_line("parent: \"off\"");
    let mut world = World::around(parent, danelaw, free_port());
    world.listen();
    let tag = until("the key may be named", || {
        let status = world.status();
        status["parent"].as_str().filter(|said| said.contains("add `example.test. DS"))?;
        world.tags(true).first().copied()
    });
    until("the parent names the key", || (world.parent.tags() == [tag]).then_some(()));
    assert!(world.status()["parent"].is_string(), "nobody has looked");

    let unknown = world.danelaw.cli(&["key", "ds-seen", ZONE, &(tag ^ 1).to_string()]);
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    let said = world.danelaw.cli(&["key", "ds-seen", ZONE, &tag.to_string()]);
    assert!(said.status.success(), "{said:?}");
    let status = world.status();
    assert!(status.get("parent").is_none(), "{status}");
    let ds = &status["keys"][0]["parts"][2];
    assert_eq!((&ds["part"], &ds["state"]), (&"DS".into(), &"rumoured".into()));
    // A day after every nameserver was seen with CDS, as nobody knows the TTL at the parent.
    until("it is told when caches have the DS", || {
        world.status()["keys"][0]["parts"][2].get("until").map(drop)
    });
    // Caches may have the zone without it until then.
    let refused = world.danelaw.cli(&["key", "roll", ZONE, "--role", "csk"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    world.end();
}

#[test]
fn a_command_is_given_what_there_is_to_hand_to_the_parent() {
    let parent = Parent::start(free_port(), "");
    let danelaw = Danelaw::new()
        .policy(CSK)
        .zone_line(&format!("parent: \"127.0.0.1:{}\"", parent.port))
        .zone_line("parent-hook: hook");
    let script = "#!/bin/sh\n{ echo \"$1 $ZONE\"; cat; } >> \"${0%/*}/handed\"\nexit 3\n";
    danelaw.write("hook", script);
    fs::set_permissions(danelaw.path("hook"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut world = World::around(parent, danelaw, free_port());
    world.listen();
    world.until_secure();
    let ds = |world: &World| format!("example.test. DS {}\n", world.parent.ds()[0]);
    let old = ds(&world);
    let handed = || fs::read_to_string(world.danelaw.path("handed")).unwrap();
    let first = format!("{ZONE} {ZONE}\nadd {old}");
    // It is run again after a minute, if all of this takes so long.
    let failed = handed();
    assert_eq!(failed.replace(&first, ""), "");
    assert!(
        world.danelaw.log().contains("ended with exit status: 3; it is run again in 60 s"),
        "{}",
        world.danelaw.log()
    );
    world.danelaw.write("hook", &script.replace('3', "0"));
    let tag = world.tags(true)[0];
    world.roll("csk");
    world.until_replaced(true, tag);
    let new = ds(&world);
    let second = format!("{ZONE} {ZONE}\nadd {new}remove {old}");
    assert!(handed().starts_with(&format!("{failed}{second}")), "{}", handed());
    assert!(world.danelaw.log().contains("ended well"), "{}", world.danelaw.log());
    world.end();
}

/// Finds the parent by a resolver of its own, on port 53 as everywhere; tells whom DSYNC names, until it hears.
#[test]
fn the_parent_is_found_and_told_that_cds_has_changed() {
    if !namespace::entered("rollovers::handover::the_parent_is_found_and_told_that_cds_has_changed") {
        return;
    }
    let scanner = UdpSocket::bind("127.0.0.1:0").unwrap();
    scanner.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = scanner.local_addr().unwrap().port();
    // BIND does not know the type's name yet. CDS, NOTIFY, the port, scanner.test.
    let records =
        format!("scanner A 127.0.0.1\n*._dsync TYPE66 \\# 19 003b01{port:04x}077363616e6e6572047465737400\n");
    let parent = Parent::start(DS_PORT, &records);
    let resolver = free_port();
    let danelaw = Danelaw::new().policy(CSK).also(&format!("resolvers: \"127.0.0.1:{resolver}\"\n"));
    let mut world = World::around(parent, danelaw, resolver);
    let (first, _) = told(&scanner);
    let (second, from) = told(&scanner);
    assert_ne!(first[..2], second[..2], "another message, as nobody heard the first");
    answer(&scanner, second, from, NOERROR);
    until("what was heard is logged", || {
        world.danelaw.log().contains("was told that CDS has changed").then_some(())
    });
    world.listen();
    world.until_secure();
    let tag = world.tags(true)[0];
    world.roll("csk");
    let (message, from) = told(&scanner);
    answer(&scanner, message, from, REFUSED);
    until("what was refused is logged", || world.danelaw.log().contains(" answers REFUSED").then_some(()));
    world.until_replaced(true, tag);
    world.end();
}

/// Waits for NOTIFY(CDS). Returns it, and from where it came.
#[track_caller]
fn told(scanner: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut message = [0; 512];
    let (length, from) = scanner.recv_from(&mut message).expect("a NOTIFY");
    let question = b"\0\x01\0\0\0\0\0\0\x07example\x04test\0\0\x3b\0\x01";
    // Opcode NOTIFY with AA.
    assert_eq!(message[2] & 0xfc, 0x24);
    assert_eq!(&message[4..length], question);
    (message[..length].to_vec(), from)
}

/// Says that it was heard, or what else there is to be said.
fn answer(scanner: &UdpSocket, mut message: Vec<u8>, to: SocketAddr, rcode: u8) {
    message[2] |= 0x80;
    message[3] |= rcode;
    scanner.send_to(&message, to).unwrap();
}
