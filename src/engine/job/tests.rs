//! What becomes of the digest of a zone that nobody signs here, and of its serial after the state was restored.

use super::*;
use crate::dns::problem::Place;
use crate::dns::zonefile::{self, NoFiles};
use crate::zone::DraftBuilder;
use crate::zone::zonemd::Verdict;
use ring::rand::SystemRandom;

const NOW: Timestamp = Timestamp(1_800_000_000);

fn origin() -> Name {
    Name::parse("example.test").unwrap()
}

fn zone(serial: u32, more: &str) -> Contents {
    let text = format!(
        "@ 3600 SOA ns1 root {serial} 7200 900 432000 300\n@ 3600 NS ns1\nns1 3600 A 192.0.2.1\n{more}"
    );
    let mut builder = DraftBuilder::new(origin(), Presigned::Keep);
    let read = zonefile::read("test", text.as_bytes(), origin().as_ref(), &mut NoFiles, &mut builder);
    assert!(!read.problems.refuse(), "{}", read.problems);
    builder.build(&ManagedRrsets::default(), |_| Place::file("")).unwrap().0.contents
}

/// As whoever made the zone has sealed it.
fn sealed(mut contents: Contents) -> Contents {
    let serial = file_serial(&contents).unwrap();
    let digest = zonemd::digest(&contents, Hash::Sha384);
    put_zonemd(&mut contents, Some(&zonemd::rdata(serial, Hash::Sha384, &digest)));
    contents
}

#[derive(Default)]
struct Making {
    zonemd: bool,
    above: Option<Serial>,
    managed: Vec<Managed>,
}

impl Making {
    /// The version that comes of this draft, and what its digest is worth.
    fn make(&self, previous: Option<&Arc<Snapshot>>, draft: Contents) -> Option<(Arc<Snapshot>, Verdict)> {
        let job = Job {
            zone: origin(),
            id: 1,
            previous: previous.cloned(),
            draft: Some(draft),
            managed: self.managed.clone(),
            released: ManagedRrsets::default(),
            updates: Vec::new(),
            overlay: Arc::default(),
            largest_ttl: Ttl(0),
            signing: None,
            zonemd: self.zonemd,
            serial: SerialPolicy::Increment,
            above: self.above,
            now: NOW.into(),
        };
        let version = job.run(&SystemRandom::new()).unwrap().version?;
        let snapshot = Arc::clone(version.verified.snapshot());
        let verdict = zonemd::verify(&snapshot).unwrap();
        Some((snapshot, verdict))
    }
}

#[test]
fn an_unsigned_zone_has_its_own_digest_by_policy_and_a_reload_without_changes_is_no_version() {
    let making = Making { zonemd: true, ..Making::default() };
    let (first, verdict) = making.make(None, zone(5, "")).unwrap();
    assert_eq!(verdict, Verdict::Right);
    for same in [zone(5, ""), zone(4, ""), sealed(zone(5, ""))] {
        assert!(making.make(Some(&first), same).is_none());
    }
    let (second, verdict) = making.make(Some(&first), zone(5, "www A 192.0.2.80\n")).unwrap();
    assert_eq!((second.serial(), verdict), (Serial(6), Verdict::Right));
    // It comes and goes with the policy, though nothing else has changed.
    let without = Making::default();
    let (third, verdict) = without.make(Some(&second), zone(5, "www A 192.0.2.80\n")).unwrap();
    assert_eq!((third.serial(), verdict), (Serial(7), Verdict::Absent));
    let (fourth, verdict) = making.make(Some(&third), zone(5, "www A 192.0.2.80\n")).unwrap();
    assert_eq!((fourth.serial(), verdict), (Serial(8), Verdict::Right));
}

#[test]
fn the_digest_of_the_source_is_served_with_the_zone_that_it_is_of_and_with_no_other() {
    let as_it_is = Making::default();
    let (first, verdict) = as_it_is.make(None, sealed(zone(5, ""))).unwrap();
    assert_eq!(verdict, Verdict::Right);
    assert!(as_it_is.make(Some(&first), sealed(zone(5, ""))).is_none());
    let (second, verdict) = as_it_is.make(Some(&first), sealed(zone(9, "www A 192.0.2.80\n"))).unwrap();
    assert_eq!((second.serial(), verdict), (Serial(9), Verdict::Right));
    // Edited without another serial: the version has one of danelaw's, of which the digest does not know.
    let (third, verdict) = as_it_is.make(Some(&second), sealed(zone(9, "www A 192.0.2.81\n"))).unwrap();
    assert_eq!((third.serial(), verdict), (Serial(10), Verdict::Absent));
    assert!(as_it_is.make(Some(&third), sealed(zone(9, "www A 192.0.2.81\n"))).is_none());

    let tlsa = Managed {
        owner: Name::parse("_25._tcp.mail.example.test").unwrap(),
        rtype: Rtype::TLSA,
        ttl: Ttl(60),
        rdatas: vec![[&[3, 1, 1][..], &[7; 32]].concat()],
    };
    let added_to = Making { managed: vec![tlsa], ..Making::default() };
    assert_eq!(added_to.make(None, sealed(zone(5, ""))).unwrap().1, Verdict::Absent);
}

#[test]
fn a_restored_zone_is_numbered_above_all_that_secondaries_may_have_though_nothing_has_changed() {
    let (first, _) = Making::default().make(None, zone(5, "")).unwrap();
    // The last of them is long gone (RFC 1982).
    for (above, expected, edited_to) in [(5, 6, 7), (8, 9, 9), (u32::MAX, 6, 7)] {
        let restored = Making { above: Some(Serial(above)), ..Making::default() };
        let (second, _) = restored.make(Some(&first), zone(5, "")).unwrap();
        assert_eq!(second.serial(), Serial(expected));
        // The file's own serial is taken if it is greater than all of them.
        let (edited, _) = restored.make(Some(&first), zone(7, "www A 192.0.2.80\n")).unwrap();
        assert_eq!(edited.serial(), Serial(edited_to));
    }
}
