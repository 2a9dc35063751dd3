//! Records in, records out, and what becomes of signatures.

use super::*;
use crate::dns::zonefile::{self, NoFiles};
use crate::zone::{DraftBuilder, ManagedRrsets};

const TEXT: &str = "$TTL 1h\n@ SOA ns1 root 1 2h 1h 5d 5m\n@ NS ns1\n@ MX 10 Mail\nns1 A 192.0.2.1\n\
    ns1 RRSIG A 13 3 60 20261222000000 20261122000000 1 example.test. AAAA\n\
    0p9mhaveqvm6t7vbl5lop2u3t2rp3tom 300 NSEC3 1 0 0 - 1p9mhaveqvm6t7vbl5lop2u3t2rp3tom A\n";

fn contents() -> Contents {
    let origin = name("example.test");
    let mut builder = DraftBuilder::new(origin.clone(), Presigned::Keep);
    let outcome = zonefile::read("zone", TEXT.as_bytes(), origin.as_ref(), &mut NoFiles, &mut builder);
    assert!(outcome.problems.is_empty(), "{}", outcome.problems);
    builder.build(&ManagedRrsets::default(), |at| outcome.files.place(at)).unwrap().0.contents
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn dirty(revision: &Revision) -> Vec<String> {
    let Dirty::Owners(owners) = &revision.dirty else { panic!("some owners only") };
    owners.iter().map(Name::to_string).collect()
}

fn same(a: &Contents, b: &Contents) -> bool {
    a.nodes.iter().eq(&b.nodes) && a.nsec3.iter().eq(&b.nsec3)
}

#[test]
fn what_is_added_and_taken_out_again_is_no_change() {
    let contents = contents();
    for presigned in [Presigned::Drop, Presigned::Keep] {
        let mut editor = Editor::new(&contents, presigned);
        for owner in ["NS1.example.test", "new.example.test"].map(name) {
            editor.add(owner.as_ref(), Rtype::A, Ttl(3_600), &[192, 0, 2, 9]);
            assert!(editor.remove(owner.as_ref(), Rtype::A, &[192, 0, 2, 9]));
            assert!(!editor.remove(owner.as_ref(), Rtype::A, &[192, 0, 2, 9]));
        }
        let revision = editor.finish();
        assert!(dirty(&revision).is_empty());
        assert!(same(&revision.contents, &contents));
    }
}

#[test]
fn a_record_whose_name_differs_in_case_is_the_same_record() {
    let contents = contents();
    let mut editor = Editor::new(&contents, Presigned::Drop);
    let apex = contents.origin().as_ref();
    let lower = b"\0\x0a\x04mail\x07example\x04test\0";
    assert!(editor.rrset(apex, Rtype::MX).unwrap().position(Rtype::MX, lower).is_some());
    assert!(editor.remove(apex, Rtype::MX, lower));
    assert!(editor.rrset(apex, Rtype::MX).is_none());
    assert!(editor.types(apex).eq([Rtype::NS, Rtype::SOA]));
}

#[test]
fn what_changes_loses_its_signatures_where_the_signer_makes_new_ones() {
    let contents = contents();
    let ns1 = name("ns1.example.test");
    let signatures = |presigned| {
        let mut editor = Editor::new(&contents, presigned);
        editor.add(ns1.as_ref(), Rtype::A, Ttl(60), &[192, 0, 2, 1]);
        editor.add(ns1.as_ref(), Rtype::AAAA, Ttl(60), &[0; 16]);
        let revision = editor.finish();
        assert_eq!(dirty(&revision), ["ns1.example.test."]);
        let node = revision.contents.nodes.get(ns1.as_ref()).unwrap();
        assert_eq!(node.rrset(Rtype::A).unwrap().ttl(), Ttl(60));
        node.rrset(Rtype::A).unwrap().signature_count
    };
    assert_eq!((signatures(Presigned::Drop), signatures(Presigned::Keep)), (0, 1));
}

#[test]
fn signatures_and_denial_records_are_records_like_others_where_nobody_signs_here() {
    let contents = contents();
    let (ns1, hash) = (name("ns1.example.test"), name("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example.test"));
    let mut editor = Editor::new(&contents, Presigned::Keep);
    let rrsig = contents.nodes.get(ns1.as_ref()).unwrap().rrset(Rtype::A).unwrap();
    assert!(editor.remove(ns1.as_ref(), Rtype::RRSIG, rrsig.signature_rdatas().next().unwrap()));
    let nsec3 = editor.rrset(hash.as_ref(), Rtype::NSEC3).unwrap().rdatas[0].clone();
    assert!(editor.remove(hash.as_ref(), Rtype::NSEC3, &nsec3));
    let revision = editor.finish();
    assert_eq!(revision.contents.nsec3.len(), 0);
    let ns1 = revision.contents.nodes.get(ns1.as_ref()).unwrap();
    assert_eq!(ns1.rrset(Rtype::A).unwrap().signature_count, 0);
    let mut back = Editor::new(&revision.contents, Presigned::Keep);
    back.add(hash.as_ref(), Rtype::NSEC3, Ttl(300), &nsec3);
    back.add(ns1.owner(), Rtype::RRSIG, Ttl(3_600), rrsig.signature_rdatas().next().unwrap());
    assert!(same(&back.finish().contents, &contents));
}
