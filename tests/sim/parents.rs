//! A parent that danelaw serves, too.

use danelaw::dns::time::HOUR;
use danelaw::engine::outside::At;

use crate::world::{World, name};

const CONFIG: &str = r#"
remotes:
  transfers: {address: "192.0.2.1:53"}
zones:
  example.test: {file: example.test.zone, policy: unsigned, secondaries: [transfers]}
  shop.example.test: {file: shop.example.test.zone, secondaries: [transfers]}
services: {}
"#;

/// The address that a provider transfers from need not be where it answers.
#[test]
fn nameservers_of_the_parent_whose_addresses_are_elsewhere_are_asked_too() {
    let mut world = World::new(CONFIG);
    let soa = "$TTL 1h\n@ SOA ns hostmaster 1 4h 15m 5d 1h\n@ NS ns\nns A 192.0.2.2\n";
    world.write_zone(
        "example.test",
        &format!("{soa}@ NS ns1.provider.org.\nshop NS ns.shop\nns.shop A 192.0.2.2\n"),
    );
    world.write_zone("shop.example.test", soa);
    world.start();
    world.run_for(HOUR);
    let mut parents = world.lookout.parents.iter();
    let watch = parents.find(|watch| watch.zone == name("shop.example.test")).unwrap();
    let here = |address: &str| At::Address(address.parse().unwrap());
    let all = [here("192.0.2.1:53"), here("192.0.2.2:53"), At::Host(name("ns1.provider.org"), 53)];
    assert_eq!(watch.servers, all);
}
