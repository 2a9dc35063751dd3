//! What may be introduced and withdrawn next. A guard looks at states alone, all of them those before the version.
//!
//! Each keeps one of the promises to validators, whatever mix of answers they hold:
//!
//! 1. Every DS that a cache may have names a key that is in, and signs, every DNSKEY RRset that a cache may have; or
//!    another DS that every cache has does.
//! 2. Every signature over data that a cache may have is by a key in every DNSKEY RRset that a cache may have.
//! 3. Every algorithm in a DS that a cache may have is in every DNSKEY RRset, and every algorithm in one of these has
//!    signatures over all data (RFC 4035 §2.2, RFC 6840 §5.11).

use std::collections::BTreeSet;

use super::{KeyId, Life, Lifecycle, Method, Part, Plan, State, Transition};
use crate::dns::time::Timestamp;
use crate::dnssec::keyset::Layout;

use Part::{Dnskey, Ds, Signatures};
use State::{Hidden, Omnipresent, Rumoured, Unretentive};

/// The keys as they are, with what the policy makes of them.
struct View<'l> {
    life: &'l Lifecycle,
    layout: Option<Layout>,
    method: Method,
    now: Timestamp,
}

/// What the next version does.
pub(super) fn transitions(life: &Lifecycle, plan: &Plan, now: Timestamp) -> Vec<Transition> {
    let view = View { life, layout: plan.layout, method: plan.method, now };
    let mut chosen = Vec::new();
    let algorithms: BTreeSet<u8> = life.keys.keys().map(|id| id.algorithm).collect();
    for algorithm in algorithms {
        view.signatures(algorithm, &mut chosen);
    }
    for (id, key) in &life.keys {
        if view.introduces(*id, key) {
            chosen.push(Transition { key: *id, part: Dnskey, state: Rumoured });
        } else if view.withdraws(*id, key) {
            chosen.push(Transition { key: *id, part: Dnskey, state: Unretentive });
        }
    }
    view.ds(&mut chosen);
    chosen
}

impl<'l> View<'l> {
    fn of(&self, algorithm: u8) -> impl Iterator<Item = (&'l KeyId, &'l Life)> + Clone + use<'l> {
        self.life.keys.iter().filter(move |(id, _)| id.algorithm == algorithm)
    }

    /// Whether it is this key's task to sign the zone's data.
    fn is_to_sign(&self, key: &Life) -> bool {
        key.is_present()
            && self.layout.is_some_and(|layout| key.entry_point == (layout == Layout::Csk))
            && key.activate.is_none_or(|at| at <= self.now)
    }

    /// Whether its DNSKEY is, or will be, in the DNSKEY RRset.
    fn may_be_known(&self, key: &Life) -> bool {
        key.is_present() && self.layout.is_some() || key.dnskey.is_shown()
    }

    /// Whether it signed the zone's data where it comes from, as far as the keys tell: whoever has a ZSK signs with it.
    fn signed_elsewhere(&self, algorithm: u8, key: &Life) -> bool {
        let has_zsk = self.of(algorithm).any(|(_, key)| key.taken_over && !key.entry_point);
        key.taken_over
            && key.entry_point != has_zsk
            && key.signatures.is(Hidden)
            && key.activate.is_none_or(|at| at <= self.now)
    }

    /// The change from one signing key to another of its algorithm happens in one version: promise 2 holds since the
    /// new one is in every DNSKEY RRset by then, and the old one still is.
    fn signatures(&self, algorithm: u8, chosen: &mut Vec<Transition>) {
        if self.layout.is_none() {
            return;
        }
        let keys = self.of(algorithm);
        let signs = |key: &Life| key.signatures.is_shown();
        // One that goes, and is not published, signs for nobody.
        let anybody = keys.clone().any(|(_, key)| signs(key) && self.may_be_known(key));
        let mut succeeded = false;
        let elsewhere: Vec<_> = keys
            .clone()
            .filter(|(_, key)| self.signed_elsewhere(algorithm, key))
            .map(|(id, _)| *id)
            .collect();
        for &key in &elsewhere {
            chosen.push(Transition { key, part: Signatures, state: Rumoured });
        }
        let anybody = anybody || !elsewhere.is_empty();
        for (id, key) in keys.clone().filter(|(_, key)| self.is_to_sign(key)) {
            let is_known = key.dnskey.is(Omnipresent);
            // The first key of an algorithm signs before anybody sees its DNSKEY.
            let may_begin = (!anybody || is_known) && !elsewhere.contains(id);
            if !signs(key) && may_begin {
                chosen.push(Transition { key: *id, part: Signatures, state: Rumoured });
            }
            succeeded |= is_known;
        }
        // Promise 3: the last to go of an algorithm that leaves.
        let unpublished = self.leaves(algorithm) && keys.clone().all(|(_, key)| key.dnskey.is(Hidden));
        // All data that a cache may have is signed by it, or by another one that goes on.
        let covered = keys.clone().any(|(_, key)| self.is_to_sign(key) && key.signatures.is(Omnipresent));
        for (id, key) in keys {
            let shared = key.signatures.is(Omnipresent) && key.dnskey.is_shown();
            let succeeded = succeeded && (covered || shared);
            if signs(key) && !self.is_to_sign(key) && (succeeded || unpublished) {
                chosen.push(Transition { key: *id, part: Signatures, state: Unretentive });
            }
        }
    }

    /// Whether the DNSKEY record may be introduced.
    fn introduces(&self, id: KeyId, key: &Life) -> bool {
        if self.layout.is_none() || key.dnskey.is_shown() {
            return false;
        }
        if key.taken_over {
            return true;
        }
        if !key.is_present() || key.publish.is_some_and(|at| at > self.now) {
            return false;
        }
        if self.is_heralded(id, key) && !key.ds.is(Omnipresent) {
            return false;
        }
        let published = |key: &Life| key.dnskey.is_shown();
        let joins = self.of(id.algorithm).any(|(_, key)| published(key));
        let is_only = !self.life.keys.values().any(published);
        // Promise 3 for a new algorithm: its signatures are everywhere, and its DNSKEY RRset will have one, too.
        let signed =
            self.of(id.algorithm).any(|(_, key)| key.signatures.is(Omnipresent) && self.may_be_known(key))
                && self.of(id.algorithm).any(|(_, key)| key.is_present() && key.entry_point);
        joins || is_only || signed
    }

    /// Whether the parent has its DS before anybody has its DNSKEY: another one leads to the zone's keys meanwhile.
    fn is_heralded(&self, id: KeyId, key: &Life) -> bool {
        let leads = |other: &Life| other.asked && other.dnskey.is(Omnipresent) && other.ds.is(Omnipresent);
        self.method == Method::DoubleDs
            && key.is_present()
            && key.entry_point
            && key.dnskey.is(Hidden)
            && key.publish.is_none_or(|at| at <= self.now)
            && self.of(id.algorithm).any(|(_, other)| leads(other))
    }

    /// Whether one whose DS every cache has takes the place of this one in the DNSKEY RRset with this version: a cache
    /// has either DNSKEY record, and both DS records.
    fn is_exchanged(&self, id: KeyId, key: &Life) -> bool {
        self.method == Method::DoubleDs
            && key.asked
            && key.ds.is(Omnipresent)
            && self.of(id.algorithm).any(|(at, other)| {
                let introduced = other.dnskey.is_shown() || self.introduces(*at, other);
                other.is_present() && other.asked && other.ds.is(Omnipresent) && introduced
            })
    }

    /// Whether the DNSKEY record may be withdrawn.
    fn withdraws(&self, id: KeyId, key: &Life) -> bool {
        if self.layout.is_none() || key.is_present() || key.taken_over || !key.dnskey.is_shown() {
            return false;
        }
        let mut same = self.of(id.algorithm).map(|(_, key)| key);
        if self.leaves(id.algorithm) {
            return same.all(is_unnamed);
        }
        let is_known = |other: &Life| other.is_present() && other.dnskey.is(Omnipresent);
        if !key.signatures.is(Hidden) {
            return false;
        }
        if key.entry_point && self.is_exchanged(id, key) {
            return true;
        }
        if !is_unnamed(key) {
            return false;
        }
        if key.entry_point {
            same.any(|other| other.entry_point && is_known(other) && self.vouches(other))
        } else {
            same.any(|other| is_known(other) && other.signatures.is(Omnipresent))
        }
    }

    /// Whether a validator gets to the zone's keys by this one, as far as it gets there at all.
    fn vouches(&self, key: &Life) -> bool {
        key.ds.is(Omnipresent) || !self.life.is_secure()
    }

    /// Whether another algorithm has taken this one's place entirely.
    fn leaves(&self, algorithm: u8) -> bool {
        let is_wanted = self.of(algorithm).any(|(_, key)| key.is_present());
        let others: BTreeSet<u8> = self.life.keys.keys().map(|id| id.algorithm).collect();
        !is_wanted
            && others.into_iter().filter(|other| *other != algorithm).any(|other| {
                let entry = |key: &Life| {
                    key.is_present() && key.entry_point && key.dnskey.is(Omnipresent) && self.vouches(key)
                };
                self.is_signed(other) && self.of(other).any(|(_, key)| entry(key))
            })
    }

    /// Whether all data that a cache may have is signed with this algorithm, by keys that every cache may know.
    fn is_signed(&self, algorithm: u8) -> bool {
        let keys = self.of(algorithm).map(|(_, key)| key);
        let signed = |state| keys.clone().filter(move |key| key.signatures.is(state));
        let known = |key: &Life| key.dnskey.is(Omnipresent);
        if signed(Omnipresent).any(known) {
            return true;
        }
        // Between two of them, what is not signed by the new one is by the old one.
        let (mut new, mut old) = (signed(Rumoured).peekable(), signed(Unretentive).peekable());
        new.peek().is_some() && old.peek().is_some() && new.chain(old).all(known)
    }

    /// For which keys the parent is asked. The new DS takes the place of the old one: a cache has either, and both
    /// name keys that every cache may know; or it comes beside the old one, which every cache has.
    fn ds(&self, chosen: &mut Vec<Transition>) {
        let mut named = false;
        for (id, key) in self.life.keys.iter().filter(|(_, key)| key.is_present() && key.entry_point) {
            if self.layout.is_some() && key.dnskey.is(Omnipresent) && self.is_signed(id.algorithm) {
                named = true;
            } else if !self.is_heralded(*id, key) {
                continue;
            }
            if !key.asked {
                chosen.push(Transition { key: *id, part: Ds, state: Rumoured });
            }
        }
        // A key that came from elsewhere, or back, may have a DS that CDS never asked for.
        for (id, key) in self.life.keys.iter().filter(|(_, key)| key.asked || key.ds.is_shown()) {
            if self.layout.is_none() || !key.is_present() && named {
                chosen.push(Transition { key: *id, part: Ds, state: Unretentive });
            }
        }
    }
}

/// Whether no cache knows a DS of this key.
fn is_unnamed(key: &Life) -> bool {
    key.ds.is(Hidden) && !key.unseen
}
