#![allow(clippy::disallowed_methods, reason = "tests may use randomness")]

use std::sync::Arc;

use super::super::fixture::{DAY_0, ZONE, contents, name, records};
use super::super::key::{Algorithm, Role};
use super::super::keyset::{KeySet, Layout, Timing};
use super::super::policy::{Lifetimes, Policy};
use super::super::sign::{self, SignError, Signed, next_due};
use super::super::validate::{Expected, validate};
use super::*;
use crate::dns::time::DAY;
use crate::zone::revision::{Dirty, Revision};
use crate::zone::{Serial, Snapshot};
use ring::rand::SystemRandom;

const WEEK: Seconds = Seconds(7 * DAY.0);

fn key(role: Role) -> Arc<SigningKey> {
    let made = SigningKey::generate(&name("@"), role, Algorithm::EcdsaP256Sha256, &[], &SystemRandom::new());
    Arc::new(made.unwrap().0)
}

fn policy() -> Policy {
    Policy { layout: Layout::KskZsk, ..Policy::default() }
}

/// Three weeks in spans of one, for these zone-signing keys.
fn request(zsks: &[&SigningKey]) -> Request {
    let zsks: Vec<&PublicKey> = zsks.iter().map(|key| key.public()).collect();
    let policy = policy();
    let until = DAY_0 + WEEK + WEEK + WEEK;
    let refresh = policy.lifetimes.refresh;
    Request::new(&name("@"), policy.dnskey_ttl, &zsks, [DAY_0, until], WEEK, refresh).unwrap()
}

/// The key-signing key as the nameserver has it.
fn away(batch: &Batch, ksk: &SigningKey) -> Arc<SigningKey> {
    let keeper = batch.keeper(ksk.public()).unwrap();
    Arc::new(SigningKey::kept_elsewhere(name("@"), ksk.public().clone(), Arc::new(keeper)))
}

/// The next version with these keys, checked.
fn version(
    previous: Option<&Snapshot>,
    keys: &[&Arc<SigningKey>],
    now: Timestamp,
) -> Result<Signed, SignError> {
    let keys = keys.iter().map(|&key| (Arc::clone(key), Timing::default()));
    let keys = KeySet::new(keys, Layout::KskZsk, now).unwrap();
    let (contents, dirty) = match previous {
        None => (contents(&records(ZONE)), Dirty::Everything),
        Some(previous) => {
            let revision = Revision::of_snapshot(previous);
            (revision.contents, revision.dirty)
        }
    };
    let serial = previous.map_or(Serial(1), |previous| previous.serial().successor());
    let policy = policy();
    let request = sign::Request {
        previous,
        contents,
        dirty: &dirty,
        keys: &keys,
        policy: &policy,
        zonemd: false,
        serial,
        now: now.into(),
    };
    let signed = sign::sign(request, &SystemRandom::new())?;
    let public: Vec<PublicKey> = keys.public().cloned().collect();
    let expected =
        Expected { keys: &public, hidden: &[], foreign: &[], denial: policy.denial, now: now.into() };
    validate(previous, Arc::new(signed.snapshot.clone()), &signed.delta, &expected).unwrap();
    Ok(signed)
}

#[test]
fn a_zone_is_signed_through_all_spans_and_a_key_rollover_by_signatures_made_ahead() {
    let (ksk, old, new) = (key(Role::Ksk), key(Role::Zsk), key(Role::Zsk));
    let text = to_text(&request(&[&old, &new])).unwrap();
    let request: Request = text.parse().unwrap();
    let batch = request.sign(&[&ksk], &SystemRandom::new()).unwrap();
    let batch: Batch = to_text(&batch).unwrap().parse().unwrap();
    batch.check(&name("@"), &[old.public(), new.public()]).unwrap();
    let ksk = away(&batch, &ksk);
    assert_eq!(ksk.ahead().map(Ahead::ends), Some(DAY_0 + WEEK + WEEK + WEEK));

    let first = version(None, &[&ksk, &old], DAY_0).unwrap().snapshot;
    // What is due first is what the span ends with.
    let lifetimes = Lifetimes { jitter: Seconds(0), ..policy().lifetimes };
    let due = next_due(&first, &lifetimes, DAY_0.into());
    assert!(due <= DAY_0 + WEEK, "{due}");
    let both = version(Some(&first), &[&ksk, &old, &new], DAY_0 + WEEK).unwrap().snapshot;
    let second = version(Some(&both), &[&ksk, &new], DAY_0 + WEEK + WEEK).unwrap().snapshot;
    // The last span lasts while the others' signatures would.
    version(Some(&second), &[&ksk, &new], DAY_0 + WEEK * 3 + DAY).unwrap();
    let end = version(Some(&second), &[&ksk, &new], DAY_0 + WEEK * 4);
    assert!(matches!(end, Err(SignError::NoSignature(NoSignature::Unavailable { .. }))));
}

#[test]
fn nothing_is_signed_that_was_not_asked_for() {
    let (ksk, asked, other) = (key(Role::Ksk), key(Role::Zsk), key(Role::Zsk));
    let batch = request(&[&asked]).sign(&[&ksk], &SystemRandom::new()).unwrap();
    assert_eq!(batch.check(&name("@"), &[other.public()]), Err(BatchError::Unknown(other.public().tag())));
    let ksk = away(&batch, &ksk);
    for (keys, at) in [([&ksk, &other], DAY_0), ([&ksk, &asked], DAY_0 - DAY)] {
        let refused = version(None, &keys, at).map(drop);
        assert!(matches!(refused, Err(SignError::NoSignature(_))), "{refused:?}");
    }
}

#[test]
fn a_key_signing_key_is_rolled_by_batches_of_both() {
    let (old, new, zsk) = (key(Role::Ksk), key(Role::Ksk), key(Role::Zsk));
    let batch = request(&[&zsk]).sign(&[&old, &new], &SystemRandom::new()).unwrap();
    let (old, new) = (away(&batch, &old), away(&batch, &new));
    let first = version(None, &[&old, &zsk], DAY_0).unwrap().snapshot;
    let both = version(Some(&first), &[&old, &new, &zsk], DAY_0 + HOUR).unwrap().snapshot;
    version(Some(&both), &[&new, &zsk], DAY_0 + WEEK).unwrap();
}

#[test]
fn what_was_tampered_with_is_refused() {
    let (ksk, zsk, stranger) = (key(Role::Ksk), key(Role::Zsk), key(Role::Ksk));
    let batch = request(&[&zsk]).sign(&[&ksk], &SystemRandom::new()).unwrap();
    let refused = |batch: &Batch| batch.keeper(ksk.public()).err();
    assert_eq!(refused(&batch), None);
    assert_eq!(batch.keeper(stranger.public()).err(), Some(BatchError::NotBy(stranger.public().tag())));
    let mut other = batch.clone();
    other.spans[0].signatures[0].of = vec![zsk.public().tag()];
    assert_eq!(refused(&other), Some(BatchError::Signature(ksk.public().tag())));
    let elsewhere = Batch { zone: "other.test.".to_owned(), ..batch.clone() };
    assert!(refused(&elsewhere).is_some());
    assert!(matches!(elsewhere.check(&name("@"), &[]), Err(BatchError::Zone(..))));
    let text = to_text(&batch).unwrap();
    assert!(matches!(text.replace("ttl", "tll").parse::<Batch>(), Err(BatchError::Form(_))));
    assert!(matches!(text[..text.len() / 2].parse::<Batch>(), Err(BatchError::Form(_))));
}

#[test]
fn a_new_batch_goes_on_where_the_one_before_is_used() {
    let (ksk, zsk, new) = (key(Role::Ksk), key(Role::Zsk), key(Role::Zsk));
    let random = SystemRandom::new();
    let before = request(&[&zsk]).sign(&[&ksk], &random).unwrap();
    let later = [DAY_0 + WEEK * 2, DAY_0 + WEEK * 6];
    let zsks = [zsk.public(), new.public()];
    let next = Request::new(&name("@"), policy().dnskey_ttl, &zsks, later, WEEK, WEEK).unwrap();
    let both = next.sign(&[&ksk], &random).unwrap().after(&before, DAY_0);
    assert_eq!(both.ends(), later[1]);
    let ksk = away(&both, &ksk);
    let ahead = ksk.ahead().unwrap();
    assert!(!ahead.covers(new.public(), later[0] - HOUR) && ahead.covers(new.public(), later[0]));
    assert!(ahead.covers(zsk.public(), later[0] - HOUR) && !ahead.covers(zsk.public(), DAY_0 - HOUR));
    let first = version(None, &[&ksk, &zsk], DAY_0).unwrap().snapshot;
    version(Some(&first), &[&ksk, &zsk], DAY_0 + WEEK * 5).unwrap();
}

#[test]
fn what_is_over_goes_when_a_new_batch_comes() {
    let (ksk, gone, zsk, new) = (key(Role::Ksk), key(Role::Zsk), key(Role::Zsk), key(Role::Zsk));
    let random = SystemRandom::new();
    let made = |zsks: &[&PublicKey], from: Timestamp| {
        let span = [from, from + WEEK * 4];
        let next = Request::new(&name("@"), policy().dnskey_ttl, zsks, span, WEEK, WEEK).unwrap();
        next.sign(&[&ksk], &random).unwrap()
    };
    let first = made(&[gone.public()], DAY_0);
    let second = made(&[gone.public(), zsk.public()], DAY_0 + WEEK * 3).after(&first, DAY_0 + WEEK * 2);
    assert_eq!((second.spans.len(), second.keys.len()), (1 + 4, 3));
    let third = made(&[zsk.public(), new.public()], DAY_0 + WEEK * 8).after(&second, DAY_0 + WEEK * 8);
    assert_eq!((third.spans.len(), third.keys.len()), (4, 3));
    assert!(third.check(&name("@"), &[gone.public()]).is_err());
    third.keeper(ksk.public()).unwrap();
}

#[test]
fn more_keys_than_can_be_signed_for_are_refused() {
    let zsks: Vec<_> = (0..=MAX_ZSKS).map(|_| key(Role::Zsk)).collect();
    let zsks: Vec<&PublicKey> = zsks.iter().map(|key| key.public()).collect();
    let made = |zsks: &[&PublicKey], until| {
        Request::new(&name("@"), Ttl(60), zsks, [DAY_0, until], WEEK, WEEK).map(drop)
    };
    assert!(matches!(made(&zsks, DAY_0 + WEEK), Err(BatchError::Count { found: 4, .. })));
    assert!(matches!(made(&[], DAY_0 + WEEK), Err(BatchError::Count { found: 0, .. })));
    assert!(matches!(made(&zsks[..1], DAY_0), Err(BatchError::Time { .. })));
}
