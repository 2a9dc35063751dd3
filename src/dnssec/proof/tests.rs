//! Zones of our own signing; those of others, and what their servers make of them, are in tests/peers.

use super::*;
use crate::dnssec::fixture::{DAY_0, Signer, ZONE, every_signer, name, records};
use crate::dnssec::keyset::Layout;
use crate::dnssec::policy::DenialPolicy;
use crate::zone::Snapshot;

const LATER: Timestamp = Timestamp(DAY_0.0 + 3_600);
const NOW: Now = Now { shown: LATER, latest: LATER };

fn keys(signer: &Signer) -> Vec<Dnskey> {
    signer.public().iter().map(|key| Dnskey::from_rdata(&key.rdata()).unwrap()).collect()
}

/// All RRsets of a zone, as they would come in messages.
fn rrsets(zone: &Snapshot) -> Vec<Rrset> {
    let of_node = |node: &crate::zone::Node| {
        let owner = node.owner().to_owned();
        let rrset = |rrset: crate::zone::node::RrsetRef<'_>| Rrset {
            owner: owner.clone(),
            rtype: rrset.rtype,
            ttl: rrset.ttl(),
            rdatas: rrset.rdatas().map(<[u8]>::to_vec).collect(),
            signatures: rrset.signature_rdatas().map(<[u8]>::to_vec).collect(),
        };
        node.rrsets().map(rrset).collect::<Vec<_>>()
    };
    zone.nodes.iter().chain(&zone.nsec3).flat_map(of_node).collect()
}

fn signed(signer: &Signer) -> Vec<Rrset> {
    rrsets(&signer.first(&records(ZONE), DAY_0).snapshot)
}

/// A response with the whole chain of denial.
fn reply(rrsets: &[Rrset], rcode: Rcode, answer: Vec<Rrset>) -> Reply {
    let authority =
        rrsets.iter().filter(|rrset| matches!(rrset.rtype, Rtype::NSEC | Rtype::NSEC3)).cloned().collect();
    Reply { rcode, authoritative: true, answer, authority, additional: Vec::new() }
}

#[test]
fn every_signature_is_verified_and_none_of_something_else() {
    let apex = name("@");
    for signer in every_signer() {
        let keys = keys(&signer);
        for rrset in signed(&signer).iter().filter(|rrset| !rrset.signatures.is_empty()) {
            let verified = rrset.verify(apex.as_ref(), &keys, NOW).unwrap();
            assert_eq!(verified.encloser, None, "{rrset:?}");
            let late = Now::from(Timestamp(verified.expires.0 + 1));
            assert_eq!(rrset.verify(apex.as_ref(), &keys, late), Err(Unproven::Expired(verified.expires)));
            let early = rrset.verify(apex.as_ref(), &keys, Timestamp(DAY_0.0 - 86_400).into());
            assert!(matches!(early, Err(Unproven::NotYet(_))));
            assert!(matches!(rrset.verify(apex.as_ref(), &[], NOW), Err(Unproven::UnknownKey(_))));
            let elsewhere = rrset.verify(name("www").as_ref(), &keys, NOW);
            assert_eq!(elsewhere, Err(Unproven::Signer(apex.clone())));
            let mut other = rrset.clone();
            other.rdatas[0].push(0);
            assert!(matches!(other.verify(apex.as_ref(), &keys, NOW), Err(Unproven::Wrong(_))));
            // A clock that was set back: neither what it shows nor what it has shown may be past the end.
            let back = Now { shown: LATER, latest: late.latest };
            assert_eq!(rrset.verify(apex.as_ref(), &keys, back), Err(Unproven::Expired(verified.expires)));
            let of_another = Rrset { rtype: Rtype::CAA, ..rrset.clone() };
            assert_eq!(of_another.verify(apex.as_ref(), &keys, NOW), Err(Unproven::Unsigned));
            let bare = Rrset { signatures: Vec::new(), ..rrset.clone() };
            assert_eq!(bare.verify(apex.as_ref(), &keys, NOW), Err(Unproven::Unsigned));
            let cut_off = Rrset { signatures: vec![rrset.signatures[0][..20].to_vec()], ..rrset.clone() };
            assert!(cut_off.verify(apex.as_ref(), &keys, NOW).is_err());
        }
    }
}

#[test]
fn of_two_signatures_one_is_enough_and_the_case_of_names_is_nothing() {
    let signer = Signer::new(Layout::Csk, DenialPolicy::Nsec);
    let (apex, all) = (name("@"), signed(&signer));
    let mut mx = find(&all, apex.as_ref(), Rtype::MX).unwrap().clone();
    let first = mx.signatures[0].clone();
    mx.signatures.insert(0, [&first[..first.len() - 1], &[!first[first.len() - 1]]].concat());
    for rdata in &mut mx.rdatas {
        rdata[2..].make_ascii_uppercase();
    }
    mx.rdatas.reverse();
    assert!(mx.verify(name("@").as_ref(), &keys(&signer), NOW).is_ok());
}

#[test]
fn what_is_absent_is_denied_and_nothing_else() {
    let there: [(&str, Rtype); 5] = [
        ("www", Rtype::A),
        ("_25._tcp.mail", Rtype::TLSA),
        ("*.wild", Rtype::TXT),
        ("zzz", Rtype(65_280)),
        ("secure", Rtype::DS),
    ];
    let no_data: [(&str, Rtype); 9] = [
        ("www", Rtype::TLSA),
        ("_25._tcp.mail", Rtype::A),
        ("_tcp.mail", Rtype::A),
        ("ent", Rtype::A),
        ("b.c.ent", Rtype::TXT),
        ("anything.wild", Rtype::A),
        ("@", Rtype::TLSA),
        ("@", Rtype::AAAA),
        ("insecure", Rtype::DS),
    ];
    let no_name = ["nothing", "a.www", "x.sub.wild", "_443._tcp.mail", "_udp.mail", "aaa", "zzzz", "z.ent"];
    // Nobody but the child can say so.
    let not_ours = ["insecure", "secure", "x.insecure", "x.secure", "x.tree", "ns.insecure"];
    for signer in every_signer() {
        let (apex, keys, all) = (name("@"), keys(&signer), signed(&signer));
        let denials = reply(&all, Rcode::NOERROR, Vec::new()).denials(apex.as_ref(), &keys, NOW).unwrap();
        let opt_out = signer.policy.denial == DenialPolicy::Nsec3OptOut;
        for (owner, rtype) in there {
            assert!(!denials.no_data(name(owner).as_ref(), rtype), "{owner} {rtype}");
            assert!(!denials.no_name(name(owner).as_ref()), "{owner}");
        }
        for (owner, rtype) in no_data {
            // Where insecure delegations are left out, that is all that is said of them.
            let left_out = opt_out && owner == "insecure";
            assert_eq!(denials.no_data(name(owner).as_ref(), rtype), !left_out, "{owner} {rtype}");
            assert!(!denials.no_name(name(owner).as_ref()), "{owner}");
        }
        for owner in no_name {
            assert_eq!(denials.no_name(name(owner).as_ref()), !opt_out, "{owner}");
            assert!(!denials.no_data(name(owner).as_ref(), Rtype::A), "{owner}");
        }
        for owner in not_ours {
            assert!(!denials.no_data(name(owner).as_ref(), Rtype::A), "{owner}");
        }
        for (owner, expected) in [
            ("www", Delegation::None),
            ("ent", Delegation::None),
            ("nothing", Delegation::None),
            ("insecure", Delegation::Insecure),
        ] {
            let expected = if opt_out && owner == "nothing" { Delegation::Insecure } else { expected };
            assert_eq!(denials.delegation(name(owner).as_ref()), expected, "{owner}");
        }
        let other = Name::parse("www.example.org").unwrap();
        assert!(!denials.no_name(other.as_ref()) && !denials.no_data(other.as_ref(), Rtype::A));
    }
}

#[test]
fn a_response_proves_what_it_says_or_nothing() {
    let apex = name("@");
    for signer in every_signer() {
        let (keys, all) = (keys(&signer), signed(&signer));
        let asked = |reply: &Reply, owner: &str, rtype| {
            reply.proves(apex.as_ref(), &keys, name(owner).as_ref(), rtype, NOW)
        };
        let rrset = |owner: &str, rtype| find(&all, name(owner).as_ref(), rtype).unwrap().clone();

        let found = reply(&[], Rcode::NOERROR, vec![rrset("www", Rtype::A)]);
        let Proof::Records { rdatas, ttl: Ttl(600), expires } = asked(&found, "www", Rtype::A).unwrap()
        else {
            panic!("expected records");
        };
        assert!(rdatas.len() == 2 && expires > LATER);
        // An answer to another question is none.
        assert_eq!(asked(&found, "mail", Rtype::A), Err(Flaw::NoData));
        let alias = reply(&[], Rcode::NOERROR, vec![rrset("alias", Rtype::CNAME)]);
        assert_eq!(asked(&alias, "alias", Rtype::A), Ok(Proof::Alias { target: name("www") }));

        // A wildcard's record stands for names that have no closer one.
        let expanded = |owner: &str| Rrset { owner: name(owner), ..rrset("*.wild", Rtype::TXT) };
        let found = reply(&all, Rcode::NOERROR, vec![expanded("any.wild")]);
        let opt_out = signer.policy.denial == DenialPolicy::Nsec3OptOut;
        match asked(&found, "any.wild", Rtype::TXT) {
            Ok(Proof::Records { .. }) => assert!(!opt_out),
            flaw => assert!(opt_out && flaw == Err(Flaw::CloserName), "{flaw:?}"),
        }
        let bare = Reply { authority: Vec::new(), ..found };
        assert_eq!(asked(&bare, "any.wild", Rtype::TXT), Err(Flaw::CloserName));
        let closer = reply(&all, Rcode::NOERROR, vec![expanded("x.sub.wild")]);
        assert_eq!(asked(&closer, "x.sub.wild", Rtype::TXT), Err(Flaw::CloserName));

        let empty = reply(&all, Rcode::NOERROR, Vec::new());
        assert_eq!(asked(&empty, "_tcp.mail", Rtype::A), Ok(Proof::NoData));
        assert_eq!(asked(&empty, "www", Rtype::A), Err(Flaw::NoData));
        let missing = reply(&all, Rcode::NXDOMAIN, Vec::new());
        let expected = if opt_out { Err(Flaw::NoName) } else { Ok(Proof::NoName) };
        assert_eq!(asked(&missing, "nothing", Rtype::A), expected);
        assert_eq!(asked(&missing, "_tcp.mail", Rtype::A), Err(Flaw::NoName));

        let mut broken = missing.clone();
        broken.authority[0].signatures.clear();
        let rtype = broken.authority[0].rtype;
        let flaw = Flaw::Unproven { rtype, why: Unproven::Unsigned };
        assert_eq!(asked(&broken, "nothing", Rtype::A), Err(flaw));
        let refused = reply(&all, Rcode::REFUSED, Vec::new());
        assert_eq!(asked(&refused, "www", Rtype::A), Err(Flaw::Rcode(Rcode::REFUSED)));
        let elsewhere = Reply { authoritative: false, ..empty };
        assert_eq!(asked(&elsewhere, "www", Rtype::TLSA), Err(Flaw::NotAuthoritative));
    }
}

#[test]
fn a_ds_record_names_one_key() {
    let signer = Signer::new(Layout::KskZsk, DenialPolicy::Nsec);
    let apex = name("@");
    for (public, key) in signer.public().iter().zip(keys(&signer)) {
        for digest in [crate::dnssec::key::DigestType::Sha256, crate::dnssec::key::DigestType::Sha384] {
            let ds = public.ds(apex.as_ref(), digest);
            let named = keys(&signer).iter().filter(|key| key.is_named_by(apex.as_ref(), &ds)).count();
            assert!(key.is_named_by(apex.as_ref(), &ds) && named == 1);
            assert!(!key.is_named_by(name("www").as_ref(), &ds));
            assert!(!key.is_named_by(apex.as_ref(), &ds[..ds.len() - 1]));
        }
        let mut revoked = public.rdata();
        revoked[1] |= 0x80;
        assert_eq!(Dnskey::from_rdata(&revoked), None);
        assert_eq!(Dnskey::from_rdata(&public.rdata()[..3]), None);
    }
}
