//! Which keys of a zone are published, and which of them sign what.
//!
//! Keys with the secure-entry-point flag sign the DNSKEY, CDS and CDNSKEY RRsets. The rest is signed by the same
//! keys (a combined signing key) or by those without the flag, as the policy says. Every key that is not yet
//! withdrawn is published, also one that signs nothing: caches may hold signatures made with it.

use super::key::{DigestType, PublicKey, SigningKey};
use super::proof::Dnskey;
use crate::dns::name::NameRef;
use crate::dns::time::Timestamp;
use std::sync::Arc;

/// The digest in CDS records; parents must support it (RFC 8624 §3.3).
const CDS_DIGEST: DigestType = DigestType::Sha256;
/// `0 0 0 00` (RFC 8078 §4).
const CDS_DELETE: [u8; 5] = [0; 5];
/// `0 3 0 AA==` (RFC 8078 §4).
const CDNSKEY_DELETE: [u8; 5] = [0, 0, 3, 0, 0];

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
        self.publish.is_none_or(|at| at <= now) && !self.is_deleted(now)
    }

    /// Whether the key is not to be in the DNSKEY RRset any more at `now`.
    pub fn is_deleted(&self, now: Timestamp) -> bool {
        self.delete.is_some_and(|at| at <= now)
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

/// What is done with a key at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a duty of its own")]
pub struct Duties {
    /// It is in the DNSKEY RRset.
    pub published: bool,
    /// It signs the DNSKEY, CDS and CDNSKEY RRsets.
    pub signs_keys: bool,
    /// It signs the zone's data.
    pub signs_data: bool,
    /// CDS and CDNSKEY name it.
    pub submitted: bool,
}

/// What CDS and CDNSKEY ask of the parent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Submission {
    /// The DS records of the keys that are submitted; nothing, if none is.
    #[default]
    Keys,
    /// No DS at all (RFC 8078 §4).
    Delete,
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
    submitted: Vec<Arc<SigningKey>>,
    submission: Submission,
    foreign: Vec<Dnskey>,
}

impl KeySet {
    /// What each of `keys` does at `now` by the times in its file alone, as when a zone is signed once.
    pub fn new(
        keys: impl IntoIterator<Item = (Arc<SigningKey>, Timing)>,
        layout: Layout,
        now: Timestamp,
    ) -> Result<Self, KeySetError> {
        let duties = |(key, timing): (Arc<SigningKey>, Timing)| {
            let (entry_point, active) = (key.public().is_secure_entry_point(), timing.is_active(now));
            let duties = Duties {
                published: timing.is_published(now),
                signs_keys: active && entry_point,
                signs_data: active && entry_point == (layout == Layout::Csk),
                submitted: active && entry_point,
            };
            (key, duties)
        };
        Self::of(keys.into_iter().map(duties), layout, Submission::Keys)
    }

    /// Keys with what each of them does.
    pub fn of(
        keys: impl IntoIterator<Item = (Arc<SigningKey>, Duties)>,
        layout: Layout,
        submission: Submission,
    ) -> Result<Self, KeySetError> {
        let mut set = Self {
            layout,
            published: Vec::new(),
            entry_points: Vec::new(),
            zone_signers: Vec::new(),
            submitted: Vec::new(),
            submission,
            foreign: Vec::new(),
        };
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_by_key(|(key, _)| key.public().tag());
        for (key, duties) in keys {
            let lists = [
                (duties.published, &mut set.published),
                (duties.signs_keys, &mut set.entry_points),
                (duties.signs_data, &mut set.zone_signers),
                (duties.submitted, &mut set.submitted),
            ];
            for (_, list) in lists.into_iter().filter(|(does, _)| *does) {
                list.push(Arc::clone(&key));
            }
        }
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

    /// The same with the keys of another signer of the zone beside ours (RFC 8901 §2.2.2): they are published, and
    /// the parent is to name their entry points, too.
    #[must_use]
    pub fn with_foreign(mut self, foreign: impl IntoIterator<Item = Dnskey>) -> Self {
        let own: Vec<_> = self.public().map(PublicKey::rdata).collect();
        self.foreign = foreign.into_iter().filter(|key| !own.iter().any(|own| own == key.rdata())).collect();
        self
    }

    /// The keys of another signer.
    pub fn foreign(&self) -> &[Dnskey] {
        &self.foreign
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
        sorted(self.public().map(PublicKey::rdata).chain(self.foreign.iter().map(|key| key.rdata().to_vec())))
    }

    /// The keys that sign without being in the DNSKEY RRset: those of an algorithm that comes or goes.
    pub fn hidden(&self) -> impl Iterator<Item = &PublicKey> {
        let is_published =
            |key: &Arc<SigningKey>| self.published.iter().any(|other| other.public() == key.public());
        self.zone_signers.iter().filter(move |key| !is_published(key)).map(|key| key.public())
    }

    /// The rdata of the CDS RRset of the zone at `apex` in canonical order.
    pub fn cds(&self, apex: NameRef<'_>) -> Vec<Vec<u8>> {
        let own = self.submitted.iter().map(|key| key.public().ds(apex, CDS_DIGEST));
        match self.submission {
            Submission::Delete => vec![CDS_DELETE.to_vec()],
            Submission::Keys => {
                sorted(own.chain(self.foreign_entry_points().map(|key| key.ds(apex, CDS_DIGEST))))
            }
        }
    }

    /// The rdata of the CDNSKEY RRset in canonical order.
    pub fn cdnskey(&self) -> Vec<Vec<u8>> {
        let own = self.submitted.iter().map(|key| key.public().rdata());
        match self.submission {
            Submission::Delete => vec![CDNSKEY_DELETE.to_vec()],
            Submission::Keys => {
                sorted(own.chain(self.foreign_entry_points().map(|key| key.rdata().to_vec())))
            }
        }
    }

    fn foreign_entry_points(&self) -> impl Iterator<Item = &Dnskey> {
        self.foreign.iter().filter(|key| key.is_secure_entry_point())
    }
}

fn sorted(rdata: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = rdata.collect();
    all.sort();
    all.dedup();
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
    fn keys_of_another_signer_are_published_and_meant_for_the_parent_and_sign_nothing() {
        let (csk, other, zsk) = (key(Role::Csk), key(Role::Ksk), key(Role::Zsk));
        let dnskey = |key: &SigningKey| Dnskey::from_rdata(&key.public().rdata()).unwrap();
        let foreign = [dnskey(&csk), dnskey(&other), dnskey(&zsk)];
        let set = KeySet::new([(csk.clone(), Timing::default())], Layout::Csk, NOW).unwrap();
        let set = set.with_foreign(foreign);
        assert_eq!(set.foreign().len(), 2, "our own key is ours");
        assert_eq!((set.published().len(), set.zone_signers().len()), (1, 1));
        assert_eq!((set.dnskey().len(), set.cds(csk.zone()).len(), set.cdnskey().len()), (3, 2, 2));
        assert!(set.cds(csk.zone()).contains(&other.public().ds(csk.zone(), DigestType::Sha256)));
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
