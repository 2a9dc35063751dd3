//! Which keys of a zone are published, and which of them sign what.
//!
//! Keys with the secure-entry-point flag sign the DNSKEY, CDS and CDNSKEY RRsets. The rest is signed by the same
//! keys (a combined signing key) or by those without the flag, as the policy says. Every key that is not yet
//! withdrawn is published, also one that signs nothing: caches may hold signatures made with it.

use super::key::{DigestType, PublicKey, SigningKey};
use crate::dns::name::NameRef;
use crate::dns::time::Timestamp;
use std::sync::Arc;

/// The digest in CDS records; parents must support it (RFC 8624 §3.3).
const CDS_DIGEST: DigestType = DigestType::Sha256;

/// Which keys the zone has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// One combined key.
    #[default]
    Csk,
    /// A key-signing key and a zone-signing key.
    KskZsk,
}

/// When a key is published and when it signs, as its file says; `None` has no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timing {
    /// When it was made.
    pub created: Option<Timestamp>,
    /// From when it is in the DNSKEY RRset.
    pub publish: Option<Timestamp>,
    /// From when it signs.
    pub activate: Option<Timestamp>,
    /// From when it signs no more.
    pub inactive: Option<Timestamp>,
    /// From when it is not published any more.
    pub delete: Option<Timestamp>,
}

impl Timing {
    /// Whether the key belongs in the DNSKEY RRset at `now`.
    pub fn is_published(&self, now: Timestamp) -> bool {
        self.publish.is_none_or(|at| at <= now) && self.delete.is_none_or(|at| now < at)
    }

    /// Whether the key signs at `now`; a key that signs is published, too.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.is_published(now)
            && self.activate.is_none_or(|at| at <= now)
            && self.inactive.is_none_or(|at| now < at)
    }

    /// When what it is used for changes next after `now`.
    pub fn next_change(&self, now: Timestamp) -> Timestamp {
        let events = [self.publish, self.activate, self.inactive, self.delete];
        events.into_iter().flatten().filter(|&at| at > now).min().unwrap_or(Timestamp::NEVER)
    }
}

/// Why a zone cannot be signed with the keys it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// No key with flags 257 is active.
    #[error("no active key with flags 257, expected a {}", if *.0 == Layout::Csk { "CSK" } else { "KSK" })]
    NoEntryPoint(Layout),
    /// The policy has a ZSK and none is active.
    #[error("no active key with flags 256, expected a ZSK; the policy is ksk+zsk")]
    NoZsk,
    /// Two published keys have the same tag.
    #[error("two keys have the tag {0}; remove one that was never published")]
    SameTag(u16),
}

/// The keys of a zone at one moment.
#[derive(Debug, Clone)]
pub struct KeySet {
    layout: Layout,
    published: Vec<Arc<SigningKey>>,
    entry_points: Vec<Arc<SigningKey>>,
    zone_signers: Vec<Arc<SigningKey>>,
}

impl KeySet {
    /// Sorts out what each of `keys` does at `now`.
    pub fn new(
        keys: impl IntoIterator<Item = (Arc<SigningKey>, Timing)>,
        layout: Layout,
        now: Timestamp,
    ) -> Result<Self, KeySetError> {
        let mut set =
            Self { layout, published: Vec::new(), entry_points: Vec::new(), zone_signers: Vec::new() };
        for (key, timing) in keys {
            if !timing.is_published(now) {
                continue;
            }
            if timing.is_active(now) {
                let entry_point = key.public().is_secure_entry_point();
                if entry_point {
                    set.entry_points.push(Arc::clone(&key));
                }
                if entry_point == (layout == Layout::Csk) {
                    set.zone_signers.push(Arc::clone(&key));
                }
            }
            set.published.push(key);
        }
        set.published.sort_by_key(|key| key.public().tag());
        for pair in set.published.windows(2) {
            if pair[0].public().tag() == pair[1].public().tag() {
                return Err(KeySetError::SameTag(pair[0].public().tag()));
            }
        }
        if set.entry_points.is_empty() {
            return Err(KeySetError::NoEntryPoint(layout));
        }
        if set.zone_signers.is_empty() {
            return Err(KeySetError::NoZsk);
        }
        Ok(set)
    }

    /// Which keys the policy asks for.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The keys of the DNSKEY RRset, by tag.
    pub fn published(&self) -> &[Arc<SigningKey>] {
        &self.published
    }

    /// The public halves of the DNSKEY RRset.
    pub fn public(&self) -> impl Iterator<Item = &PublicKey> {
        self.published.iter().map(|key| key.public())
    }

    /// Those that sign the DNSKEY, CDS and CDNSKEY RRsets; at least one.
    pub fn entry_points(&self) -> &[Arc<SigningKey>] {
        &self.entry_points
    }

    /// Those that sign all the rest; at least one.
    pub fn zone_signers(&self) -> &[Arc<SigningKey>] {
        &self.zone_signers
    }

    /// The rdata of the DNSKEY RRset in canonical order.
    pub fn dnskey(&self) -> Vec<Vec<u8>> {
        sorted(self.public().map(PublicKey::rdata))
    }

    /// The rdata of the CDS RRset of the zone at `apex` in canonical order.
    pub fn cds(&self, apex: NameRef<'_>) -> Vec<Vec<u8>> {
        sorted(self.entry_points.iter().map(|key| key.public().ds(apex, CDS_DIGEST)))
    }

    /// The rdata of the CDNSKEY RRset in canonical order.
    pub fn cdnskey(&self) -> Vec<Vec<u8>> {
        sorted(self.entry_points.iter().map(|key| key.public().rdata()))
    }
}

fn sorted(rdata: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = rdata.collect();
    all.sort();
    all
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests may use the system's randomness")]
mod tests {
    use super::*;
    use crate::dns::name::Name;
    use crate::dnssec::key::{Algorithm, Role};
    use ring::rand::SystemRandom;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn key(role: Role) -> Arc<SigningKey> {
        let zone = Name::parse("example.test").unwrap();
        Arc::new(
            SigningKey::generate(&zone, role, Algorithm::EcdsaP256Sha256, &[], &SystemRandom::new())
                .unwrap()
                .0,
        )
    }

    #[test]
    fn a_csk_signs_everything_and_a_zsk_beside_it_is_only_published() {
        let (csk, zsk) = (key(Role::Csk), key(Role::Zsk));
        let keys = [(csk.clone(), Timing::default()), (zsk, Timing::default())];
        let set = KeySet::new(keys, Layout::Csk, NOW).unwrap();
        assert_eq!(set.published().len(), 2);
        assert!(Arc::ptr_eq(&set.entry_points()[0], &csk));
        assert!(Arc::ptr_eq(&set.zone_signers()[0], &csk));
        assert_eq!(set.zone_signers().len(), 1);
        assert_eq!(set.cds(csk.zone()), [csk.public().ds(csk.zone(), DigestType::Sha256)]);
        assert_eq!(set.cdnskey(), [csk.public().rdata()]);
    }

    #[test]
    fn a_ksk_signs_keys_and_a_zsk_the_rest() {
        let (ksk, zsk) = (key(Role::Ksk), key(Role::Zsk));
        let both = [(ksk.clone(), Timing::default()), (zsk.clone(), Timing::default())];
        let set = KeySet::new(both, Layout::KskZsk, NOW).unwrap();
        assert!(Arc::ptr_eq(&set.entry_points()[0], &ksk));
        assert!(Arc::ptr_eq(&set.zone_signers()[0], &zsk));
        let only = |key: Arc<SigningKey>| KeySet::new([(key, Timing::default())], Layout::KskZsk, NOW);
        assert_eq!(only(ksk).err(), Some(KeySetError::NoZsk));
        assert_eq!(only(zsk).err(), Some(KeySetError::NoEntryPoint(Layout::KskZsk)));
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_after_it_has_signed() {
        let timing = Timing {
            created: None,
            publish: Some(Timestamp(10)),
            activate: Some(Timestamp(20)),
            inactive: Some(Timestamp(30)),
            delete: Some(Timestamp(40)),
        };
        let at = |now| (timing.is_published(Timestamp(now)), timing.is_active(Timestamp(now)));
        assert_eq!(at(9), (false, false));
        assert_eq!(at(10), (true, false));
        assert_eq!(at(20), (true, true));
        assert_eq!(at(30), (true, false));
        assert_eq!(at(40), (false, false));
        assert_eq!(timing.next_change(Timestamp(20)), Timestamp(30));
        assert_eq!(timing.next_change(Timestamp(40)), Timestamp::NEVER);
    }

    #[test]
    fn one_key_given_twice_is_refused() {
        let csk = key(Role::Csk);
        let twice = [(csk.clone(), Timing::default()), (csk.clone(), Timing::default())];
        assert_eq!(
            KeySet::new(twice, Layout::Csk, NOW).err(),
            Some(KeySetError::SameTag(csk.public().tag()))
        );
    }
}
