//! Catalogs, and who may transfer by TLS.

use super::*;

const REMOTES: &str = "remotes: {ns2: {address: 192.0.2.2}, ns3: {address: 192.0.2.3}}\n";

fn listed<'a>(config: &'a Config, catalog: &str) -> &'a BTreeMap<Name, Member> {
    let ZoneSource::Catalog(catalog) = &config.zones[&name(catalog)].source else { panic!("{catalog}") };
    &catalog.members
}

fn named(remotes: &[Arc<Remote>]) -> Vec<&str> {
    remotes.iter().map(|remote| &*remote.name).collect()
}

#[test]
fn a_catalog_lists_its_zones_and_lends_them_what_they_do_not_say() {
    let config = sound(&format!(
        "{REMOTES}catalogs:\n  c.test: {{secondaries: [ns2, ns3], allow-transfer: 192.0.2.0/24}}\n  \
         old.test: {{secondaries: ns3}}\n\
         zones:\n  a.test: {{file: a, catalog: C.test., group: signed}}\n  \
         b.test: {{file: b, catalog: c.test, moved-from: old.test, secondaries: [ns3, ns2], allow-transfer: []}}\n  \
         d.test: {{file: d}}\n"
    ));
    let (a, b) = (&config.zones[&name("a.test")], &config.zones[&name("b.test")]);
    assert_eq!((named(&a.secondaries), a.allow_transfer.len()), (vec!["ns2", "ns3"], 1));
    assert_eq!((named(&b.secondaries), b.allow_transfer.len()), (vec!["ns3", "ns2"], 0));
    assert!(config.zones[&name("d.test")].secondaries.is_empty());
    let (c, old) = (listed(&config, "c.test"), listed(&config, "old.test"));
    assert_eq!(c.keys().collect::<Vec<_>>(), [&name("a.test"), &name("b.test")]);
    assert_eq!(c[&name("a.test")], Member { group: Some("signed".to_owned()), moves_to: None });
    assert_eq!(c[&name("b.test")], Member::default());
    let moving = Member { group: None, moves_to: Some(name("c.test")) };
    assert_eq!(old.iter().collect::<Vec<_>>(), [(&name("b.test"), &moving)]);
    let catalog = &config.zones[&name("c.test")];
    assert!(!catalog.policy.signs() && catalog.propagation == Propagation::Secondaries);
}

#[test]
fn what_is_wrong_with_catalogs_has_its_place() {
    let long = "abcdefg.".repeat(27);
    let told = errors(&format!(
        "{REMOTES}catalogs:\n  c.test: {{secondaries: ns2}}\n  C.test.: {{secondaries: ns2}}\n  \
         {long}: {{secondaries: ns4}}\n  a.test: {{secondaries: ns2}}\n\
         zones:\n  a.test: {{file: a, catalog: d.test}}\n  \
         b.test: {{file: b, catalog: c.test, moved-from: c.test, group: ''}}\n  \
         e.test: {{file: e, group: signed, moved-from: c.test}}\n  \
         f.test: {{file: f, catalog: c.test, group: {}}}\n\
         services: {{s: {{certificate: c, endpoints: 'm.c.test:25'}}}}\n",
        "g".repeat(256)
    ));
    let expected = [
        "4:3: catalog `C.test.` is given twice, first in line 3",
        "5:3: catalog `abcdefg.",
        "5:235: unknown remote `ns4`, nearest is `ns2`",
        "6:3: catalog `a.test.` is a zone as well",
        "8:30: unknown catalog `d.test`, nearest is `a.test`",
        "9:50: the zone moves from the catalog that it is in",
        "9:65: group ``: a word of 0 octets, expected 1 to 255",
        "10:28: `group` without a `catalog`",
        "10:48: `moved-from` without a `catalog`",
        "11:45: group `ggg",
        "12:43: endpoint `m.c.test:25`",
    ];
    assert_each_starts(&told, &expected);
}

#[test]
fn a_catalog_for_nobody_and_a_zone_without_its_catalogs_secondary_are_warned_about() {
    let told = warnings(&format!(
        "{REMOTES}catalogs: {{c.test: {{secondaries: [ns2, ns3]}}, n.test: {{}}}}\n\
         zones: {{a.test: {{file: a, catalog: c.test, secondaries: ns2}}}}\n"
    ));
    let expected = [
        "2:47: warning: nobody may transfer catalog `n.test.`",
        "3:57: warning: secondary `ns3` of catalog `c.test.` will look for this zone and may not transfer it",
    ];
    assert_each_starts(&told, &expected);
}

#[test]
fn an_entry_that_wants_tls_needs_a_listener_and_an_authority() {
    const LISTEN: &str = "listen: {tls: 192.0.2.1, certificate: {chain: c, key: k}, client-ca: ca.pem}\n";
    let config = sound(&format!(
        "{LISTEN}zones: {{a.test: {{file: a, allow-transfer: [{{tls: NS2.test, address: 192.0.2.2}}, {{tls: any}}]}}}}\n"
    ));
    assert_eq!(config.listen.client_ca.as_deref(), Some(Path::new("/etc/danelaw/ca.pem")));
    let zone = &config.zones[&name("a.test")];
    assert_eq!(zone.allow_transfer[0].tls, Some(AllowTls::Named(name("ns2.test"))));
    assert_eq!(zone.allow_transfer[1], Allow { from: None, tsig: None, tls: Some(AllowTls::Any) });
    assert!(!zone.may_transfer(ip("192.0.2.2"), None), "in the clear");

    let zones = "zones: {a.test: {file: a, allow-transfer: [{tls: any}, {tls: ns2.test}, {tls: 'a..b'}]}}\n";
    assert_each_starts(
        &errors(zones),
        &["1:50: nobody can come by TLS", "1:62: nobody can come by TLS", "1:79: tls `a..b`: "],
    );
    let told = errors(&format!("{}{zones}", LISTEN.replace(", client-ca: ca.pem", "")));
    assert_each_starts(&told, &["2:62: no client certificate is trusted", "2:79: tls `a..b`: "]);
    let told = warnings("listen: {client-ca: ca.pem}\nzones: {a.test: {file: a}}\n");
    assert_each_starts(&told, &["1:21: warning: `client-ca` is asked of nobody"]);
}
