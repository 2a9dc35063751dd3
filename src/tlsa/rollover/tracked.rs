//! One certificate or key of a service: the facts about it, from which its standing follows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::standing::{Standing, Why};
use crate::dns::time::{Seconds, Timestamp};
use crate::tlsa::association::Association;
use crate::tlsa::material::Material;
use crate::tlsa::params::Params;

/// One certificate or key, and what is known of it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Tracked {
    pub(super) slot: Arc<str>,
    pub(super) material: Material,
    /// The certificate file holds it.
    pub(super) current: bool,
    /// Since when it does, or did last.
    pub(super) placed: Option<Timestamp>,
    /// The file of the next key holds it, or held it last.
    pub(super) next: Next,
    /// Until when it is kept because somebody asked the gate for it.
    pub(super) asked: Option<Timestamp>,
    /// It has been in the certificate file, or presented: a server may have it.
    pub(super) fielded: bool,
    /// The service presents it, or is taken to.
    pub(super) live: bool,
    /// The endpoints that presented it when they were last looked at.
    pub(super) at: BTreeSet<Arc<str>>,
    /// It was presented before it was published.
    pub(super) healed: bool,
    /// The earliest moment at which the service can have begun to present it.
    pub(super) exposed: Option<Timestamp>,
    /// When it was seen that clients may have met it before they could know it, and that this is over.
    pub(super) seen_late: Option<Timestamp>,
    /// It was among the first records that the service had: no cache knew others.
    pub(super) first: bool,
    /// Every cache that knows other records of the service knows this one.
    pub(super) known: bool,
    /// When the last cache that lacked it asked again, once that is over: the TTLs of that time are forgotten by then.
    pub(super) known_by: Option<Timestamp>,
    /// When it left its file, or was no longer presented.
    pub(super) left: Option<(Timestamp, Why)>,
    /// When it is dropped, counted from then.
    pub(super) until: Option<Timestamp>,
    /// Since when all its records are served.
    pub(super) served: Option<Timestamp>,
    /// Nameservers that nobody waits for.
    pub(super) except: BTreeSet<Arc<str>>,
    pub(super) compromised: bool,
    pub(super) standing: Standing,
    pub(super) since: Timestamp,
    pub(super) why: Why,
}

/// Whether a file for the next key holds something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    No,
    Here,
    /// It did, and is gone; nothing has taken its place.
    Gone,
}

impl Tracked {
    pub(super) fn new(now: Timestamp, slot: Arc<str>, material: Material, why: Why) -> Self {
        Self {
            slot,
            material,
            current: false,
            placed: None,
            next: Next::No,
            asked: None,
            fielded: false,
            live: false,
            at: BTreeSet::new(),
            healed: false,
            exposed: None,
            seen_late: None,
            first: false,
            known: false,
            known_by: None,
            left: None,
            until: None,
            served: None,
            except: BTreeSet::new(),
            compromised: false,
            standing: Standing::Announced { until: None },
            since: now,
            why,
        }
    }

    /// The records that it has under these parameters, as far as it can give them.
    pub(super) fn records(&self, params: &[Params]) -> Vec<Association> {
        records(&self.material, params)
    }

    /// Whether some file holds it, or somebody asked for it.
    pub(super) fn is_held(&self) -> bool {
        self.current || self.next != Next::No || self.asked.is_some()
    }

    /// Nothing holds it any more, from now on.
    pub(super) fn leaves(&mut self, now: Timestamp, why: Why, keep: Seconds) {
        self.left = Some((now, why));
        self.until = Some(now + keep);
    }

    /// Takes what says more of the same key.
    pub(super) fn learn(&mut self, material: Material, params: &[Params]) {
        if material.leaf().is_some() || self.material.leaf().is_none() {
            if records(&material, params) != self.records(params) {
                self.served = None;
            }
            self.material = material;
        }
    }

    /// Whether `other` makes the same records, as far as both can make any: a key, and the certificate for it.
    pub(super) fn is(&self, other: &Material, params: &[Params]) -> bool {
        let mut common = 0;
        for &params in params {
            let made = (Association::new(params, &self.material), Association::new(params, other));
            if let (Ok(one), Ok(another)) = made {
                if one != another {
                    return false;
                }
                common += 1;
            }
        }
        common > 0
    }

    pub(super) fn now_stands(&mut self, now: Timestamp, standing: Standing, why: Why) {
        if !self.standing.is_as(standing) || self.why != why {
            (self.since, self.why) = (now, why);
        }
        self.standing = standing;
    }
}

/// The records of one material, as far as it can give them.
pub(super) fn records(material: &Material, params: &[Params]) -> Vec<Association> {
    params.iter().filter_map(|&params| Association::new(params, material).ok()).collect()
}
