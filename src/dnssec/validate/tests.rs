use super::super::fixture::{DAY_0, Signer, ZONE, every_signer, name, records};
use super::super::key::Algorithm;
use super::super::keyset::{KeySet, Layout, Timing};
use super::*;
use crate::dns::time::{DAY, HOUR, Ttl};
use crate::zone::revision::Revision;
use crate::zone::{NodeBuilder, Serial};

/// `snapshot` with the RRsets at `owner` changed by `tamper`: rdata or signature octets, or dropped whole.
fn tampered(
    snapshot: &Snapshot,
    in_nsec3: bool,
    owner: NameRef<'_>,
    tamper: impl Fn(Rtype, &mut Vec<Vec<u8>>, &mut Vec<Vec<u8>>),
) -> Snapshot {
    let mut contents = snapshot.contents().clone();
    let tree = if in_nsec3 { &mut contents.nsec3 } else { &mut contents.nodes };
    let node = tree.get(owner).unwrap().clone();
    let mut builder = NodeBuilder::default();
    builder.start(node.owner());
    for rrset in node.rrsets() {
        let mut rdatas: Vec<_> = rrset.rdatas().map(<[u8]>::to_vec).collect();
        let mut signatures: Vec<_> = rrset.signature_rdatas().map(<[u8]>::to_vec).collect();
        tamper(rrset.rtype, &mut rdatas, &mut signatures);
        builder.begin(rrset.rtype);
        for rdata in &rdatas {
            builder.record(rrset.ttl(), rdata);
        }
        for rdata in &signatures {
            builder.signature(rrset.ttl(), rdata);
        }
    }
    match builder.finish() {
        Some(node) => drop(tree.insert(node)),
        None => drop(tree.remove(owner)),
    }
    Snapshot::new(contents).unwrap()
}

/// A second version in which `www` gets a TXT record and `new.www` comes to be.
fn second(signer: &Signer) -> (Snapshot, Snapshot) {
    let first = signer.first(&records(ZONE), DAY_0).snapshot;
    let mut revision = Revision::of_snapshot(&first);
    revision.set(&name("www"), Rtype::TXT, Ttl(600), &[b"\x01x"]);
    revision.set(&name("a.new.www"), Rtype::TXT, Ttl(600), &[b"\x01x"]);
    revision.set(&name("insecure"), Rtype::TXT, Ttl(600), &[b"\x01x"]);
    let signed = signer.sign(Some(&first), revision.contents, &revision.dirty, DAY_0 + HOUR);
    (first, signed.snapshot)
}

/// What both ways of validating say of a second version after `tamper`.
fn faults(
    signer: &Signer,
    in_nsec3: bool,
    owner: NameRef<'_>,
    tamper: impl Fn(Rtype, &mut Vec<Vec<u8>>, &mut Vec<Vec<u8>>),
) -> Vec<String> {
    let (first, second) = second(signer);
    let bad = tampered(&second, in_nsec3, owner, tamper);
    let delta = Delta::between(Some(&first), &bad, Some(first.serial()), bad.serial());
    let some = signer.validate(Some(&first), &bad, &delta, DAY_0 + HOUR);
    let whole = signer.validate_whole(&bad, DAY_0 + HOUR);
    [some, whole].into_iter().map(|result| result.unwrap_err().to_string()).collect()
}

#[track_caller]
fn assert_all(faults: &[String], expected: &str) {
    assert!(faults.iter().all(|fault| fault == expected), "{faults:?}, expected {expected}");
}

#[test]
fn a_flipped_bit_is_seen_in_records_and_in_signatures() {
    for signer in every_signer() {
        let www = name("www");
        let found = faults(&signer, false, www.as_ref(), |rtype, rdatas, _| {
            if rtype == Rtype::TXT {
                rdatas[0][1] ^= 1;
            }
        });
        assert_all(&found, "www.example.test. TXT: signature does not verify");
        let found = faults(&signer, false, www.as_ref(), |rtype, _, signatures| {
            if rtype == Rtype::TXT {
                *signatures[0].last_mut().unwrap() ^= 1;
            }
        });
        assert_all(&found, "www.example.test. TXT: signature does not verify");
    }
}

#[test]
fn a_missing_signature_and_one_too_many_are_seen() {
    for signer in every_signer() {
        let found = faults(&signer, false, name("www").as_ref(), |rtype, _, signatures| {
            if rtype == Rtype::TXT {
                signatures.clear();
            }
        });
        assert_all(&found, "www.example.test. TXT: not signed");
        let (_, version) = second(&signer);
        let signature = version
            .nodes
            .get(name("www").as_ref())
            .unwrap()
            .rrset(Rtype::TXT)
            .unwrap()
            .signature_rdatas()
            .next();
        let signature = signature.unwrap().to_vec();
        let found = faults(&signer, false, name("insecure").as_ref(), |rtype, _, signatures| {
            if rtype == Rtype::NS {
                signatures.push(signature.clone());
            }
        });
        assert_all(&found, "insecure.example.test. NS: signed, though the zone has no authority over it");
        let found = faults(&signer, false, name("ns.insecure").as_ref(), |_, _, signatures| {
            signatures.push(signature.clone());
        });
        assert_all(&found, "ns.insecure.example.test. A: signed, though the zone has no authority over it");
    }
}

#[test]
fn fields_that_do_not_fit_are_named() {
    let signer = Signer::new(Layout::Csk, DenialPolicy::Nsec);
    let change = |at: usize| {
        faults(&signer, false, name("www").as_ref(), move |rtype, _, signatures| {
            if rtype == Rtype::TXT {
                signatures[0][at] ^= 1;
            }
        })
    };
    let says = |what: &str| format!("www.example.test. TXT: RRSIG does not fit: wrong {what}");
    assert_all(&change(1), &says("type covered"));
    assert_all(&change(3), &says("labels"));
    assert_all(&change(7), &says("original TTL"));
    assert_all(&change(19), &says("signer"));
    let tag = signer.keys.entry_points()[0].public().tag() ^ 1;
    assert_all(
        &change(17),
        &format!("www.example.test. TXT: signed by key {tag}, which is not in the DNSKEY RRset"),
    );
}

#[test]
fn a_missing_nsec_and_a_changed_one_are_seen() {
    let signer = Signer::new(Layout::Csk, DenialPolicy::Nsec);
    let of_nsec = |change: fn(&mut Vec<Vec<u8>>)| {
        faults(&signer, false, name("www").as_ref(), move |rtype, rdatas, _| {
            if rtype == Rtype::NSEC {
                change(rdatas);
            }
        })
    };
    assert_all(&of_nsec(Vec::clear), "www.example.test. NSEC: missing");
    assert_all(&of_nsec(|rdatas| rdatas[0][1] ^= 1), "www.example.test. NSEC: signature does not verify");
}

#[test]
fn denial_records_that_are_signed_but_wrong_are_seen() {
    // The signer is made to believe in other content: what it signs is then wrong for the content that is served.
    for signer in every_signer() {
        let (first, second) = second(&signer);
        let stale = |change: fn(&mut Revision)| {
            let mut revision = Revision::of_snapshot(&second);
            change(&mut revision);
            let other = signer.sign(Some(&second), revision.contents, &revision.dirty, DAY_0 + HOUR);
            let mut contents = second.contents().clone();
            contents.nsec3 = other.snapshot.nsec3.clone();
            for change in &other.delta.nodes {
                // Only the NSEC records are taken over.
                let (Some(node), Some(right)) = (&change.new, contents.nodes.get(change.owner()).cloned())
                else {
                    continue;
                };
                let mut builder = NodeBuilder::default();
                builder.start(right.owner());
                for rrset in right.rrsets() {
                    builder.copy(if rrset.rtype == Rtype::NSEC {
                        node.rrset(Rtype::NSEC).unwrap()
                    } else {
                        rrset
                    });
                }
                contents.nodes.insert(builder.finish().unwrap());
            }
            let bad = Snapshot::new(contents).unwrap();
            let delta = Delta::between(Some(&first), &bad, Some(first.serial()), bad.serial());
            let some = signer.validate(Some(&first), &bad, &delta, DAY_0 + HOUR);
            let whole = signer.validate_whole(&bad, DAY_0 + HOUR);
            [some, whole].map(|result| result.unwrap_err().fault)
        };
        let bitmap = stale(|revision| {
            revision.set(&name("www"), Rtype::TXT, Ttl(600), &[]);
        });
        assert_eq!(bitmap, [Fault::Bitmap, Fault::Bitmap]);
        let link = stale(|revision| {
            revision.set(&name("a.new.www"), Rtype::TXT, Ttl(600), &[]);
        });
        let expected = if signer.policy.denial == DenialPolicy::Nsec { Fault::Next } else { Fault::Missing };
        assert_eq!(link, [expected, expected]);
        let stray = stale(|revision| {
            revision.set(&name("other"), Rtype::TXT, Ttl(600), &[b"\x01x"]);
        });
        let expected = if signer.policy.denial == DenialPolicy::Nsec { Fault::Next } else { Fault::Stray };
        assert_eq!(stray, [expected, expected]);
    }
}

#[test]
fn signatures_are_valid_from_their_inception_to_before_their_expiration() {
    let signer = Signer::new(Layout::Csk, DenialPolicy::Nsec);
    let first = signer.first(&records(ZONE), DAY_0).snapshot;
    let at = |now| signer.validate_whole(&first, now).map_err(|invalid| invalid.fault);
    assert!(at(DAY_0 - HOUR).is_ok());
    assert_eq!(at(DAY_0 - HOUR - HOUR).err(), Some(Fault::Time));
    assert!(at(DAY_0 + DAY * 13 - HOUR).is_ok());
    assert_eq!(at(DAY_0 + DAY * 14).err(), Some(Fault::Time));
}

#[test]
fn other_keys_another_way_of_denial_and_a_wrong_difference_are_refused() {
    let signers: Vec<_> = every_signer().collect();
    let first = signers[0].first(&records(ZONE), DAY_0);
    let mut stranger = Signer::new(Layout::Csk, DenialPolicy::Nsec);
    let faulty = |signer: &Signer| signer.validate_whole(&first.snapshot, DAY_0).unwrap_err().fault;
    assert_eq!(faulty(&stranger), Fault::Keys);
    stranger.keys = signers[0].keys.clone();
    stranger.policy.denial = DenialPolicy::Nsec3;
    assert_eq!(faulty(&stranger), Fault::Denial);

    let signer = &signers[0];
    let refused = |delta: &Delta| signer.validate(None, &first.snapshot, delta, DAY_0).unwrap_err().fault;
    let mut short = first.delta.clone();
    short.nodes.pop();
    assert_eq!(refused(&short), Fault::Delta);
    let other_serial = Delta { to: Serial(9), ..first.delta.clone() };
    assert_eq!(refused(&other_serial), Fault::Delta);
}

#[test]
fn an_algorithm_signs_everything_before_its_key_is_published() {
    let algorithms = [Algorithm::EcdsaP256Sha256, Algorithm::Ed25519];
    let both = Signer::with_algorithms(Layout::Csk, DenialPolicy::Nsec, &algorithms);
    let signers: Vec<_> = both.keys.entry_points().to_vec();
    let with = |second: Timing| {
        let timings = [Timing::default(), second];
        let mut signer = Signer::new(Layout::Csk, DenialPolicy::Nsec);
        signer.keys = KeySet::new(signers.iter().cloned().zip(timings), Layout::Csk, DAY_0).unwrap();
        signer
    };
    // Published first, it asks for signatures that are not there.
    let early = with(Timing { activate: Some(DAY_0 + HOUR), ..Timing::default() });
    let refused = early.validate_whole(&early.first(&records(ZONE), DAY_0).snapshot, DAY_0).unwrap_err();
    assert_eq!(refused.fault, Fault::Algorithm(signers[1].public().algorithm().number()));

    // Signing first, it is not known by the DNSKEY RRset, which is another signer's.
    let alone = with(Timing { publish: Some(DAY_0 + HOUR), ..Timing::default() });
    let of_one = alone.first(&records(ZONE), DAY_0).snapshot;
    let mut contents = both.first(&records(ZONE), DAY_0).snapshot.contents().clone();
    let mut builder = NodeBuilder::default();
    builder.start(name("@").as_ref());
    for rrset in contents.apex().unwrap().rrsets() {
        let keys = of_one.apex().unwrap().rrset(Rtype::DNSKEY);
        builder.copy(keys.filter(|_| rrset.rtype == Rtype::DNSKEY).unwrap_or(rrset));
    }
    let apex = builder.finish().unwrap();
    contents.nodes.insert(apex);
    let new = Arc::new(Snapshot::new(contents).unwrap());
    let delta = Delta::between(None, &new, None, new.serial());
    let [one, other] = [0, 1].map(|at| signers[at].public().clone());
    let checked = |hidden: &[PublicKey]| {
        let keys = std::slice::from_ref(&one);
        let denial = DenialPolicy::Nsec;
        let expected = Expected { keys, hidden, foreign: &[], denial, now: DAY_0.into() };
        validate(None, Arc::clone(&new), &delta, &expected).map(drop).map_err(|invalid| invalid.fault)
    };
    assert_eq!(checked(&[]), Err(Fault::UnknownKey(other.tag())));
    assert_eq!(checked(&[other]), Ok(()));
}

#[test]
fn keys_of_another_signer_stand_beside_ours() {
    for mut signer in every_signer() {
        let other =
            Signer::with_algorithms(Layout::KskZsk, DenialPolicy::Nsec, &[Algorithm::EcdsaP384Sha384]);
        let foreign: Vec<_> =
            other.public().iter().filter_map(|key| Dnskey::from_rdata(&key.rdata())).collect();
        signer.keys = signer.keys.with_foreign(foreign);
        let signed = signer.first(&records(ZONE), DAY_0).snapshot;
        let dnskey = signed.apex().unwrap().rrset(Rtype::DNSKEY).unwrap();
        assert_eq!(usize::from(dnskey.count), signer.public().len() + 2);
        signer.validate_whole(&signed, DAY_0).unwrap();
        signer.keys = signer.keys.with_foreign([]);
        assert_eq!(signer.validate_whole(&signed, DAY_0).unwrap_err().fault, Fault::Keys);
    }
}

#[test]
fn a_delegation_that_comes_without_its_subtree_being_stripped_is_refused() {
    for signer in every_signer() {
        let first = signer.first(&records(ZONE), DAY_0).snapshot;
        let mut revision = Revision::of_snapshot(&first);
        revision.set(&name("wild"), Rtype::NS, Ttl(600), &[b"\x01x\x00"]);
        let signed = signer.sign(Some(&first), revision.contents, &revision.dirty, DAY_0 + HOUR);
        let mut contents = signed.snapshot.contents().clone();
        contents.nodes.insert(first.nodes.get(name("sub.wild").as_ref()).unwrap().clone());
        let bad = Snapshot::new(contents).unwrap();
        let delta = Delta::between(Some(&first), &bad, Some(first.serial()), bad.serial());
        let refused = signer.validate(Some(&first), &bad, &delta, DAY_0 + HOUR).unwrap_err();
        assert_eq!((refused.owner, refused.fault), (name("sub.wild"), Fault::NotOurs));
    }
}
