//! What a zone may hold, in master-file text.

use super::*;
use crate::dns::zonefile::{self, NoFiles};

const APEX: &str = "$TTL 1h\n@ SOA ns1 root 1 2h 1h 5d 5m\n@ NS ns1\nns1 A 192.0.2.1\n";

fn build(text: &str, presigned: Presigned, managed: &[(&str, Rtype)]) -> Result<(Draft, Problems), Problems> {
    let origin = Name::parse("example.test").unwrap();
    let mut builder = DraftBuilder::new(origin.clone(), presigned);
    let outcome = zonefile::read("zone", text.as_bytes(), origin.as_ref(), &mut NoFiles, &mut builder);
    assert!(outcome.problems.is_empty(), "{}", outcome.problems);
    let managed = managed.iter().map(|(name, rtype)| (Name::parse(name).unwrap(), *rtype)).collect();
    builder.build(&managed, |at| outcome.files.place(at))
}

/// What is wrong with the apex and these lines.
fn wrong(lines: &str) -> String {
    let managed = [("_25._tcp.mail.example.test", Rtype::TLSA), ("_mta-sts.example.test", Rtype::TXT)];
    match build(&format!("{APEX}{lines}"), Presigned::Drop, &managed) {
        Ok((_, warnings)) => warnings.to_string(),
        Err(problems) => problems.to_string(),
    }
}

fn draft(lines: &str) -> Draft {
    build(&format!("{APEX}{lines}"), Presigned::Drop, &[]).unwrap_or_else(|problems| panic!("{problems}")).0
}

fn node<'d>(draft: &'d Draft, owner: &str) -> &'d Node {
    draft.contents.nodes.get(Name::parse(owner).unwrap().as_ref()).unwrap()
}

#[test]
fn records_come_together_by_owner_and_type_whatever_their_order() {
    let draft = draft("b A 192.0.2.9\na A 192.0.2.3\nB A 192.0.2.8\nb A 192.0.2.9\nb TXT x\n");
    let b = node(&draft, "b.example.test");
    assert_eq!(b.types().collect::<Vec<_>>(), [Rtype::A, Rtype::TXT]);
    assert_eq!(b.rrset(Rtype::A).unwrap().rdatas().collect::<Vec<_>>(), [[192, 0, 2, 8], [192, 0, 2, 9]]);
    let owners: Vec<String> = draft.contents.nodes.iter().map(|node| node.owner().to_string()).collect();
    assert_eq!(owners, ["example.test.", "a.example.test.", "b.example.test.", "ns1.example.test."]);
}

#[test]
fn records_stand_in_canonical_order_of_lower_cased_names() {
    let draft = draft("@ MX 10 Mail-b\n@ MX 10 mail-a\n@ MX 10 MAIL-A\n");
    let mx = node(&draft, "example.test").rrset(Rtype::MX).unwrap();
    let names: Vec<_> =
        mx.rdatas().map(|rdata| NameRef::from_wire(&rdata[2..]).unwrap().to_string()).collect();
    assert_eq!(names, ["mail-a.example.test.", "Mail-b.example.test."]);
}

#[test]
fn every_rule_names_line_and_column() {
    for (lines, expected) in [
        (
            "a CNAME b\na A 192.0.2.1\n",
            "zone:6:1: A beside the CNAME at a.example.test., expected no other data",
        ),
        ("a CNAME b\na CNAME c\n", "zone:6:1: second CNAME at a.example.test., expected exactly one"),
        ("a DNAME b\na DNAME c\n", "zone:6:1: second DNAME at a.example.test., expected exactly one"),
        (
            "a DNAME b\nx.a A 192.0.2.1\n",
            "zone:6:1: x.a.example.test. lies below the DNAME at a.example.test.",
        ),
        ("a SOA . . 1 1 1 1 1\n", "zone:5:1: SOA at a.example.test., expected one at the apex"),
        (
            "a DS 1 13 1 0123456789012345678901234567890123456789\n",
            "zone:5:1: DS at a.example.test., which is no delegation",
        ),
        (
            "@ DS 1 13 1 0123456789012345678901234567890123456789\n",
            "zone:5:1: DS at example.test., which is no delegation",
        ),
        ("a.test. A 192.0.2.1\n", "zone:5:1: a.test. is outside the zone example.test."),
        ("@ SOA ns1 root 2 1 1 1 1\n", "zone:5:1: second SOA at example.test., expected exactly one"),
        (
            "_25._tcp.mail TLSA 3 1 1 AB\n",
            "zone:5:1: TLSA at _25._tcp.mail.example.test., whose TLSA records danelaw",
        ),
        (
            "mail NS ns1\n",
            "zone:5:1: mail.example.test. hides _25._tcp.mail.example.test., whose TLSA records danelaw",
        ),
        (
            "_mta-sts A 192.0.2.1\n_mta-sts TXT v=STSv1\n",
            "zone:6:1: TXT at _mta-sts.example.test., whose TXT records danelaw makes; expected none in the file",
        ),
        (
            "_mta-sts CNAME elsewhere.test.\n",
            "zone:5:1: CNAME at _mta-sts.example.test., whose TXT records danelaw makes; expected no alias there",
        ),
        ("a 5 A 192.0.2.1\na 9 A 192.0.2.2\n", "zone:6:1: warning: TTL 9 differs within the A RRset"),
        (
            "sub NS ns.sub\n",
            "zone:5:1: warning: sub.example.test. is delegated to ns.sub.example.test., which has no",
        ),
        ("*.x NS ns1\n", "zone:5:1: NS at the wildcard *.x.example.test., expected none"),
        (
            "a NS ns1\na DNAME b\n",
            "zone:6:1: DNAME beside NS at a.example.test., expected that at the apex only",
        ),
        (
            "@ NS nx\n",
            "zone:5:1: warning: example.test. has the nameserver nx.example.test., which has no address here",
        ),
        (
            "@ NS alias\nalias CNAME ns1\n",
            "zone:5:1: warning: example.test. has the nameserver alias.example.test., which is an alias",
        ),
        ("w IPSECKEY 10 0 0 .\n", "zone:5:1: warning: IPSECKEY at w.example.test. has no key: BIND refuses"),
        (
            "sub NS ns1\nx.sub TXT x\n",
            "zone:6:1: warning: TXT at x.sub.example.test. is hidden below the delegation",
        ),
    ] {
        let wrong = wrong(lines);
        assert!(wrong.contains(expected), "{lines}\n{wrong}");
    }
}

#[test]
fn the_apex_needs_soa_and_ns() {
    let problems = build("a 60 A 192.0.2.1\n", Presigned::Drop, &[]).err().unwrap().to_string();
    assert_eq!(
        problems,
        "zone: no SOA record at example.test., expected exactly one\nzone: no NS record at example.test., expected at least one"
    );
}

#[test]
fn all_problems_are_reported_up_to_fifty() {
    let lines: String =
        (0..60).map(|i| format!("n{i} DS 1 13 1 0123456789012345678901234567890123456789\n")).collect();
    let wrong = wrong(&lines);
    assert_eq!(wrong.lines().count(), 51);
    assert!(wrong.ends_with("… and 10 more"), "{wrong}");
}

#[test]
fn glue_and_its_delegation_are_no_problem() {
    assert_eq!(
        wrong("sub NS ns.sub\nsub DS 1 13 1 0123456789012345678901234567890123456789\nns.sub A 192.0.2.2\n"),
        ""
    );
    assert_eq!(wrong("sub NS ns.other.test.\n"), "");
    // That name is for the other zone to answer.
    assert_eq!(wrong("a NS ns.b\nb NS ns1\n"), "");
    assert_eq!(wrong("@ NS ns.b\nb NS ns1\n"), "");
    // A wildcard answers for it, unless a name in between exists.
    assert_eq!(wrong("@ NS x.y.wild\n*.wild A 192.0.2.2\n"), "");
    assert_ne!(wrong("@ NS x.y.wild\n*.wild A 192.0.2.2\ny.wild TXT y\n"), "");
    assert_ne!(wrong("sub NS ns.sub\n*.sub A 192.0.2.2\n"), "");
    assert_eq!(wrong("@ DNAME other.test.\n").matches("NS").count(), 0);
}

#[test]
fn differing_ttls_become_the_lowest() {
    let draft = draft("a 900 A 192.0.2.1\na 300 A 192.0.2.2\n");
    assert_eq!(node(&draft, "a.example.test").rrset(Rtype::A).unwrap().ttl(), Ttl(300));
}

#[test]
fn an_rrset_that_no_message_holds_is_refused() {
    let lines: String = (0..300).map(|i| format!("big TXT \"{i:0250}\"\n")).collect();
    let wrong = wrong(&lines);
    assert!(
        wrong.contains("TXT RRset of big.example.test. has 78900 octets, expected at most 61439"),
        "{wrong}"
    );
}

#[test]
fn more_than_offsets_can_tell_is_refused() {
    let origin = Name::parse("example.test").unwrap();
    let mut builder = DraftBuilder::new(origin.clone(), Presigned::Drop);
    builder.room = 4 * (MAX_OWNER + 80);
    let text = format!("{APEX}{}", "a TXT \"{}\"\n".replace("{}", &"x".repeat(200)).repeat(20));
    let outcome = zonefile::read("zone", text.as_bytes(), origin.as_ref(), &mut NoFiles, &mut builder);
    let built = builder.build(&ManagedRrsets::default(), |at| outcome.files.place(at));
    let problems = built.err().unwrap().to_string();
    assert!(
        problems.contains(": the zone is too large, expected records of at most 3392 octets"),
        "{problems}"
    );
    assert!(problems.starts_with("zone:1"), "{problems}");
}

#[test]
fn dnssec_records_are_dropped_or_kept_with_what_they_cover() {
    let lines = "a A 192.0.2.1\na RRSIG A 13 3 3600 20300101000000 20200101000000 1 example.test. AAAA\n\
        a NSEC b.example.test. A RRSIG NSEC\n";
    let text = format!("{APEX}{lines}");
    let (dropped, _) = build(&text, Presigned::Drop, &[]).unwrap();
    assert_eq!(dropped.dropped, 2);
    assert_eq!(node(&dropped, "a.example.test").record_count(), 1);
    let (kept, _) = build(&text, Presigned::Keep, &[]).unwrap();
    let a = node(&kept, "a.example.test");
    assert_eq!(a.types().collect::<Vec<_>>(), [Rtype::A, Rtype::NSEC]);
    assert_eq!(a.rrset(Rtype::A).unwrap().signature_count, 1);
}
