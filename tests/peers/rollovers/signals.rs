//! Signalling names (RFC 9615): how the parent finds out that it may name the first key of a zone.

use super::super::danelaw::Danelaw;
use super::super::dig;
use super::super::program::{free_port, text};
use super::super::secondary::ZONE;
use super::super::validator::delv_below;
use super::super::wait::until;
use super::KSK_ZSK;
use super::parent::{Parent, joined};

const OPERATOR: &str = "operator.test";
const OWNER: &str = "_dsboot.example.test._signal.ns.operator.test";
const TYPES: [&str; 2] = ["CDS", "CDNSKEY"];

/// A parent without DS record, and a danelaw that has a zone and one in which its nameserver is.
fn start() -> (Parent, Danelaw) {
    let parent = Parent::start(free_port(), "");
    let danelaw = Danelaw::new().configured(&format!(
        r#"
policies:
  tested: {KSK_ZSK}
zones:
  {ZONE}:
    file: zone
    policy: tested
    propagation: secondaries
    parent: "127.0.0.1:{}"
    signal: true
  {OPERATOR}: {{file: operator, policy: tested, propagation: secondaries, parent: "off"}}
"#,
        parent.port
    ));
    danelaw.write(
        "zone",
        "$TTL 2\n@ SOA ns.operator.test. hostmaster 1 3600 600 86400 2\n@ NS ns.operator.test.\n\
         @ NS ns.example.org.\n@ NS ns\nns A 127.0.0.1\n",
    );
    danelaw.write(
        "operator",
        "$TTL 2\n@ SOA ns hostmaster 1 3600 600 86400 2\n@ NS ns\nns A 127.0.0.1\nwww A 192.0.2.80\n",
    );
    (parent, danelaw.start())
}

#[test]
fn nameservers_signal_the_first_key_until_the_parent_names_it() {
    let (parent, danelaw) = start();
    let port = danelaw.port();
    let signalled = |rtype: &str| dig::rdata(port, OWNER, rtype);
    for rtype in TYPES {
        let there = until(&format!("{rtype} is signalled"), || {
            let records = signalled(rtype);
            (!records.is_empty()).then_some(records)
        });
        assert_eq!(there, dig::rdata(port, ZONE, rtype), "the same as at the apex");
    }
    let keys = dig::answer(port, OPERATOR, "DNSKEY");
    let anchor = keys.iter().find(|key| key.contains("DNSKEY\t257 ")).unwrap();
    let vouched = |rtype: &str| delv_below(OPERATOR, port, anchor, OWNER, rtype);
    for rtype in TYPES {
        let said = vouched(rtype);
        assert!(said.contains("; fully validated"), "{said}");
    }

    let cds = joined(dig::rdata(port, ZONE, "CDS"));
    let status = text(&danelaw.cli(&["status", ZONE]));
    for line in [
        "signal ns.operator.test.  made here, in operator.test.",
        "signal ns.example.org.  to be put at _dsboot.example.test._signal.ns.example.org. ",
        "signal ns.example.test.  is in the zone itself",
    ] {
        assert!(status.contains(line), "{line}:\n{status}");
    }
    let said = text(&danelaw.cli(&["ds", ZONE, "--signal"]));
    let to_be_put = said.lines().filter_map(|line| {
        let (head, cds) = line.split_once(" IN CDS ")?;
        assert!(head.starts_with("_dsboot.example.test._signal.ns.example.org. "), "{line}");
        Some(cds.to_ascii_uppercase())
    });
    assert_eq!(to_be_put.collect::<Vec<_>>(), cds, "{said}");
    assert!(said.contains(" IN CDNSKEY "), "{said}");

    parent.delegate(&cds);
    until("nothing is signalled any more", || {
        TYPES.iter().all(|rtype| signalled(rtype).is_empty()).then_some(())
    });
    let said = vouched("CDS");
    assert!(said.contains("; negative response, fully validated"), "{said}");
    assert_eq!(joined(dig::rdata(port, ZONE, "CDS")), cds, "at the apex it stays");
    let status = text(&danelaw.cli(&["status", ZONE]));
    assert!(!status.contains("signal ns."), "{status}");
}
