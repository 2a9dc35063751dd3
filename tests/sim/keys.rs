//! Years of every rollover at once: zones with TTLs from five minutes to a week, secondaries that lag, a parent that is
//! slow and flaky, caches that keep everything to the last second. After every change every validation path over any
//! mix of cached and fresh records is tried. `DANELAW_KEY_YEARS` runs more worlds than CI does, `DANELAW_SIM_SEED` one.

use danelaw::dns::time::{DAY, HOUR, MINUTE, Seconds};
use danelaw::engine::KeyOrder;

use crate::disk::Survival;
use crate::seeds;
use crate::world::{World, name};

const ZONE: &str = "example.test";
const TTLS: [&str; 4] = ["5m", "1h", "1d", "7d"];

/// What the configuration of a world says, and may come to say.
#[derive(Clone)]
struct Policy {
    keys: &'static str,
    algorithm: u8,
    denial: &'static str,
    dnskey_ttl: &'static str,
    lifetimes: &'static str,
    ksk_rollover: &'static str,
}

impl Policy {
    fn config(&self) -> String {
        let Self { keys, algorithm, denial, dnskey_ttl, lifetimes, ksk_rollover } = self;
        // `none` is the built-in policy of zones that are served as they are.
        let (named, keys) = if *keys == "none" { ("unsigned", "csk") } else { ("p", *keys) };
        format!(
            r#"
remotes:
  ns1: {{address: "192.0.2.1:53"}}
  ns2: {{address: "192.0.2.2:53"}}
policies:
  p:
    keys: {keys}
    algorithm: {algorithm}
    denial: {denial}
    dnskey-ttl: {dnskey_ttl}
    lifetimes: {lifetimes}
    ksk-rollover: {ksk_rollover}
    signatures: {{validity: 60d, refresh: 25d, jitter: 3d}}
    journal: {{versions: 20}}
zones:
  {ZONE}: {{file: example.test.zone, policy: {named}, secondaries: [ns1, ns2]}}
services: {{}}
"#
        )
    }
}

fn zone(serial: u32, ttl: &str) -> String {
    format!(
        "$TTL {ttl}\n@ SOA ns1 hostmaster {serial} 4h 15m 7d {ttl}\n@ NS ns1\n@ NS ns2\nns1 A 192.0.2.1\n\
         ns2 A 192.0.2.2\nwww A 192.0.2.80\n"
    )
}

/// What people do, and what goes wrong.
fn trouble(world: &mut World, mut policy: Policy, mut serial: u32) {
    let ttl = TTLS[world.chance(4) as usize];
    let span = HOUR * (1 + world.chance(300));
    let what = match world.chance(13) {
        0 | 1 => {
            world.order_key(ZONE, KeyOrder::Roll { entry_point: true });
            "the KSK is rolled".to_owned()
        }
        2 | 3 => {
            world.order_key(ZONE, KeyOrder::Roll { entry_point: false });
            "the ZSK is rolled".to_owned()
        }
        4 => {
            policy.keys = ["csk", "ksk+zsk", "none"][world.chance(3) as usize];
            format!("keys: {}", policy.keys)
        }
        5 => {
            policy.algorithm = [13, 15][world.chance(2) as usize];
            format!("algorithm: {}", policy.algorithm)
        }
        6 => {
            policy.denial = ["nsec", "nsec3"][world.chance(2) as usize];
            format!("denial: {}", policy.denial)
        }
        7 => {
            policy.dnskey_ttl = ttl;
            format!("dnskey-ttl: {ttl}")
        }
        8 => {
            serial += 1;
            world.edit_zone(ZONE, &zone(serial, ttl));
            format!("TTLs of {ttl}")
        }
        9 => {
            let which = world.chance(2) as usize;
            world.secondaries[which].cut_off = world.now + HOUR * world.chance(150);
            format!("ns{} is cut off until {}", which + 1, world.secondaries[which].cut_off)
        }
        10 => {
            policy.ksk_rollover = ["double-ksk", "double-ds"][world.chance(2) as usize];
            format!("ksk-rollover: {}", policy.ksk_rollover)
        }
        11 => {
            world.crash(Survival::All);
            let down = Seconds(1 + world.chance(100_000));
            world.later(down, World::start);
            format!("danelaw crashes, for {down}")
        }
        _ => {
            let until = world.now + span;
            let servers = world.parents.get_mut(&name(ZONE)).unwrap();
            servers[0].silent_until = until;
            format!("a server of the parent is silent until {until}")
        }
    };
    let now = world.now;
    world.story.push((now, what));
    if world.is_up() {
        world.reload(&policy.config());
    }
    // Now in quick succession, now after a rest.
    let rest = if world.chance(2) == 0 { 12 } else { 900 };
    let pause = HOUR * (1 + world.chance(rest));
    world.later(pause, move |world| again(world, policy, serial));
}

/// Not while danelaw is down.
fn again(world: &mut World, policy: Policy, serial: u32) {
    if world.is_up() {
        trouble(world, policy, serial);
    } else {
        world.later(MINUTE * 30, move |world| again(world, policy, serial));
    }
}

/// So many years, and what came of them.
fn years(seed: u64, years: u64) -> World {
    let lifetimes = ["{}", "{zsk: 30d}", "{ksk: 90d, zsk: 20d}", "{csk: 60d}"];
    let policy = Policy {
        keys: ["csk", "ksk+zsk"][seed as usize % 2],
        algorithm: 13,
        denial: "nsec",
        dnskey_ttl: TTLS[seed as usize / 2 % 4],
        lifetimes: lifetimes[seed as usize / 8 % 4],
        ksk_rollover: "double-ksk",
    };
    let mut world = World::new(&policy.config());
    world.seed(seed);
    world.resolver_count = 0;
    world.thorough = false;
    world.may_expire = true;
    world.quick_disk = true;
    world.write_zone(ZONE, &zone(1, TTLS[seed as usize / 4 % 4]));
    world.have_parent(ZONE);
    world.start();
    let pause = DAY * 20;
    world.later(pause, move |world| trouble(world, policy, 1));
    world.run_for(DAY * (365 * years));
    world
}

#[test]
fn in_ten_years_of_every_rollover_no_mix_of_cached_and_fresh_records_is_bogus() {
    seeds::each("DANELAW_KEY_YEARS", 4, |seed| {
        let world = years(seed, 10);
        let (made, judged) = (world.keys_made, world.judged());
        assert!(made > 5 && judged > 1_000, "seed {seed}: {made} keys, {judged} paths");
    });
}
