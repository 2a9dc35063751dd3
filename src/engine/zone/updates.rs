//! Dynamic updates of a zone (RFC 2136): they wait until the zone is idle, become one version together, and are
//! answered when that is durable and served.

use std::sync::Arc;

use super::{Keys, RETRY, STATE, ToStore, Work, Zone};
use crate::dns::message::Rcode;
use crate::dns::time::{Now, Seconds, Ttl};
use crate::dnssec::validate::Verified;
use crate::engine::input::Effect;
use crate::engine::job::Version;
use crate::zone::Step;
use crate::zone::overlay::Overlay;
use crate::zone::update::Update;

/// How many updates of one zone may wait.
const MOST_WAITING: usize = 1_000;

impl Zone {
    /// Somebody who may asks for a change.
    pub(in crate::engine) fn update(&mut self, id: u64, update: Arc<Update>, effects: &mut Vec<Effect>) {
        if self.updates.len() < MOST_WAITING {
            self.updates.push_back((id, update));
        } else {
            answer([id], Rcode::SERVFAIL, effects);
        }
    }

    /// Whether a version with updates can be hoped for.
    pub(super) fn can_update(&self) -> bool {
        // Nothing can be stored, or nothing can be signed.
        let stuck = matches!(self.work, Work::Waiting { .. });
        let has_keys = matches!(self.keys, Keys::Read(_)) && !self.blocked;
        let may_retry = self.retry_at.is_none();
        self.served.is_some() && !stuck && may_retry && (has_keys || !self.is_signed_here())
    }

    /// Answers everybody who waits that nothing comes of it.
    pub(in crate::engine) fn refuse_updates(&mut self, effects: &mut Vec<Effect>) {
        answer(self.updates.drain(..).map(|(id, _)| id), Rcode::SERVFAIL, effects);
    }

    /// A version with updates could not be stored: who asked for them is told, and the zone is as it was before
    /// (RFC 2136 §3.5). What else was in it is made again.
    pub(super) fn undo_updates(&mut self, now: Now, made: ToStore, reason: &str, effects: &mut Vec<Effect>) {
        answer(made.updates, Rcode::SERVFAIL, effects);
        let text = format!("an update cannot be stored: {reason}; its sender was told so");
        self.refuse(now.latest, STATE, &text, effects);
        // A disk may fail and have it written nevertheless.
        self.unsure = self.overlay.of(made.overrides.into_keys());
        self.draft = self.draft.take().or(made.pending);
        self.unsettled = true;
        self.retry_at = Some(now.shown + RETRY);
    }

    /// What is served, as a version by which nothing changes.
    pub(super) fn same_version(&self) -> Option<Version> {
        let verified = self.served.clone()?;
        let step = Step::none(verified.snapshot().serial());
        Some(Version { verified, step, signatures: 0 })
    }

    /// The largest TTL with which signatures are made anew before they expire anywhere.
    pub(super) fn largest_ttl(&self) -> Ttl {
        let snapshot = self.served.as_ref().map(Verified::snapshot);
        let expire = snapshot.map_or(0, |snapshot| snapshot.timers().expire);
        let refresh = self.signing_policy().lifetimes.refresh;
        let room = Seconds(refresh.0.saturating_sub(u64::from(expire) + 1));
        let most = i32::MAX as u32;
        Ttl(if self.is_signed_here() { u32::try_from(room.0).unwrap_or(most).min(most) } else { most })
    }

    /// How the zone differs from its file by updates.
    pub(in crate::engine) fn overlay(&self) -> &Arc<Overlay> {
        &self.overlay
    }
}

/// Answers these updates alike.
pub(super) fn answer(ids: impl IntoIterator<Item = u64>, rcode: Rcode, effects: &mut Vec<Effect>) {
    effects.extend(ids.into_iter().map(|id| Effect::Updated { id, rcode }));
}

/// Answers those of the updates that came to nothing, and gives back the others.
pub(super) fn refused(ids: Vec<u64>, answers: Vec<Rcode>, effects: &mut Vec<Effect>) -> Vec<u64> {
    let (done, refused): (Vec<_>, Vec<_>) =
        ids.into_iter().zip(answers).partition(|(_, rcode)| *rcode == Rcode::NOERROR);
    effects.extend(refused.into_iter().map(|(id, rcode)| Effect::Updated { id, rcode }));
    done.into_iter().map(|(id, _)| id).collect()
}
