//! The parent's part: which DS records it was seen with, and what it should be told.

use serde::{Deserialize, Serialize};

use super::{KeyId, Life, Lifecycle, RollError, State, UNSEEN_DS_TTL};
use crate::dns::name::NameRef;
use crate::dns::time::{Timestamp, Ttl};
use crate::dnssec::key::{DigestType, PublicKey};
use crate::dnssec::lifecycle::Ttls;
use crate::zone::Serial;

/// The DS RRset as one server of the parent gave it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DsRrset {
    /// The TTL; of no records, that of the answer.
    pub ttl: Ttl,
    /// The rdata of each record.
    pub rdatas: Vec<Vec<u8>>,
}

/// Whether the parent has any DS record of the zone, whomever it names.
///
/// ```text
///   Unknown ──▶ Secure ──none is seen──▶ Released ──no cache trusts keys by one──▶ Insecure
///      │          ▲                       ▲   │                                       │
///      └──────────┼───────────────────────┘   │one is seen                            │
///                 └───────────────────────────┴───────────────────────────────────────┘
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Delegation {
    /// The parent was not asked, nor told of.
    #[default]
    Unknown,
    /// Some server has one.
    Secure,
    /// No server has one; caches may.
    Released {
        /// Since it was found so.
        since: Timestamp,
    },
    /// No cache has one, nor trusts keys by one.
    Insecure,
}

impl Delegation {
    /// Some server was seen with a DS record, or none was.
    fn seen(&mut self, any: bool, now: Timestamp) {
        *self = match *self {
            _ if any => Self::Secure,
            Self::Unknown | Self::Secure => Self::Released { since: now },
            known => known,
        }
    }
}

impl Life {
    /// CDS asks the parent for its DS, or does not any more, since this version.
    pub(super) fn ask(&mut self, asked: bool, serial: Serial, now: Timestamp) {
        self.asked = asked;
        match (asked, self.ds.state) {
            (true, State::Hidden | State::Unretentive) => self.ds.set(State::Rumoured, now, Some(serial.0)),
            (false, State::Rumoured | State::Omnipresent) => {
                self.ds.set(State::Unretentive, now, Some(serial.0));
            }
            _ => {}
        }
        if asked {
            self.in_use = self.in_use.or(Some(now));
        }
    }
}

impl Lifecycle {
    /// What every server of the parent gave, `now`. Says whether anything changed.
    pub fn parent(
        &mut self,
        apex: NameRef<'_>,
        keys: &[PublicKey],
        servers: &[DsRrset],
        now: Timestamp,
    ) -> bool {
        let Some(ttl) = servers.iter().map(|rrset| rrset.ttl).max() else { return false };
        let before = self.clone();
        let any = servers.iter().any(|rrset| !rrset.rdatas.is_empty());
        if any {
            self.ds_ttls.seen(ttl, now);
        }
        self.delegation.seen(any, now);
        for key in keys {
            let named = |rrset: &DsRrset| rrset.rdatas.iter().any(|ds| names(ds, key, apex));
            let at = servers.iter().filter(|rrset| named(rrset)).count();
            self.ds_at(KeyId::of(key), at > 0, at == servers.len(), now);
        }
        *self != before
    }

    /// A person says that the parent has a key's DS everywhere, or nowhere any more.
    pub fn ds_told(&mut self, tag: u16, present: bool, now: Timestamp) -> Result<(), RollError> {
        let id = self.keys.keys().find(|id| id.tag == tag).copied().ok_or(RollError::Unknown(tag))?;
        if self.ds_ttls == Ttls::default() {
            self.ds_ttls.seen(UNSEEN_DS_TTL, now);
        }
        self.ds_at(id, present, present, now);
        // Whoever tells of every key tells whether there is any DS at all.
        let none = self.keys.values().all(|life| !life.unseen && !life.ds.is_shown());
        if present || none {
            self.delegation.seen(present, now);
        }
        Ok(())
    }

    /// Whether the parent has a key's DS at some of its servers, and at all.
    fn ds_at(&mut self, id: KeyId, some: bool, all: bool, now: Timestamp) {
        let Some(life) = self.keys.get_mut(&id) else { return };
        life.unseen = false;
        life.sighted |= some;
        let phase = &mut life.ds;
        // Whoever put it there, or took it away: caches know it.
        match phase.state {
            State::Hidden if some => phase.set(State::Rumoured, now, None),
            State::Omnipresent if !all && life.asked => phase.set(State::Rumoured, now, None),
            State::Rumoured | State::Omnipresent if !some && !life.asked => {
                phase.set(State::Unretentive, now, None);
            }
            State::Unretentive if all && life.retired.is_none() => phase.set(State::Rumoured, now, None),
            _ => {}
        }
        if some {
            life.in_use = life.in_use.or(Some(now));
        }
        let as_wanted = match life.ds.state {
            State::Rumoured => all,
            State::Unretentive => !some,
            State::Hidden | State::Omnipresent => return,
        };
        life.ds.everywhere = as_wanted.then(|| life.ds.everywhere.unwrap_or(now));
    }

    /// Until when a cache may trust the keys by a DS that is gone since then. RFC 4035 §5.3.3: keys that were validated
    /// stay so for a TTL of their own, with or without the DS that led to them.
    pub(super) fn trusted_until(&self, gone: Timestamp) -> Timestamp {
        self.dnskey_ttls.forgotten(self.ds_ttls.forgotten(gone))
    }

    /// Whether the parent names any key, or may seem to.
    pub fn is_secure(&self) -> bool {
        self.keys.values().any(|life| match life.ds.state {
            State::Hidden => life.unseen,
            State::Rumoured => life.sighted || life.unseen,
            State::Omnipresent | State::Unretentive => true,
        })
    }

    /// The keys whose DS the parent should have and was not seen with, and those whose DS should go.
    pub fn for_parent(&self) -> (Vec<KeyId>, Vec<KeyId>) {
        let of = |state| {
            let keys = self.keys.iter().filter(move |(_, life)| {
                let concerns = if state == State::Rumoured { life.asked } else { life.sighted };
                life.ds.is(state) && life.ds.everywhere.is_none() && concerns
            });
            keys.map(|(id, _)| *id).collect()
        };
        (of(State::Rumoured), of(State::Unretentive))
    }
}

/// Whether DS rdata names this key. A digest that cannot be computed here is taken for the right one.
pub fn names(ds: &[u8], key: &PublicKey, apex: NameRef<'_>) -> bool {
    let [tag_high, tag_low, algorithm, digest_type, ..] = *ds else { return false };
    if (u16::from_be_bytes([tag_high, tag_low]), algorithm) != (key.tag(), key.algorithm().number()) {
        return false;
    }
    let known =
        [DigestType::Sha256, DigestType::Sha384].into_iter().find(|each| each.number() == digest_type);
    known.is_none_or(|digest_type| key.ds(apex, digest_type) == ds)
}
