//! The keys that danelaw makes to come next: when one is wanted, and what became of it.
//!
//! ```text
//! Waiting ──certificate known; no next key, or it has gone live──▶ Making ──made──▶ Waiting
//!    ▲                                                               │
//!    └────────────────────────────an hour────────────────────────────┴─failed
//! ```
//!
//! A file of a next key that cannot be read is no reason to make another: the one in it may be in use tomorrow.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::convert;
use crate::config;
use crate::dns::name::Name;
use crate::dns::time::{HOUR, MINUTE, Seconds, Timestamp};
use crate::tlsa::rollover::Standing;
use crate::tlsa::{KeyAlgorithm, Material};

/// What is to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MakeNext {
    /// The service.
    pub service: String,
    /// Which of its next keys.
    pub index: usize,
    /// What kind of key.
    pub algorithm: KeyAlgorithm,
    /// What its certificate will be asked for, at least one.
    pub names: Vec<Name>,
    /// Where the keys of this certificate are kept.
    pub directory: PathBuf,
}

/// What was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MadeNext {
    /// The file with the private key.
    pub key: PathBuf,
    /// The file with the request for its certificate.
    pub request: PathBuf,
    /// What that one holds.
    pub contents: Arc<Zeroizing<Vec<u8>>>,
}

/// What the service presents, as far as next keys depend on it.
pub trait Presented {
    /// The certificate that the next key of this number will replace.
    fn current(&self, index: usize) -> Option<&Material>;
    /// Whether the service presents this key.
    fn is_live(&self, key: &Material) -> bool;
    /// How the next key of this number stands, and since when, if it is published.
    fn next(&self, index: usize) -> Option<(Standing, Timestamp)>;
}

/// Why no next key is made although somebody asks.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotMade {
    /// The configuration does not say how.
    #[error("danelaw makes no keys for it, expected `next: {{generate: ecdsa-p256}}` in its configuration")]
    NotConfigured,
    /// Nobody knows what to ask a certificate for.
    #[error("its certificate has not been read yet, expected one whose names the next one is to have")]
    NoCertificate,
    /// It is on its way.
    #[error("a next key is being made")]
    Busy,
    /// There is one that was not used yet.
    #[error(
        "a next key waits to be used{}; its request is {}; --force makes another",
        stands(*.standing),
        .request.display()
    )]
    Waits {
        /// The request for its certificate.
        request: PathBuf,
        /// How it stands, and since when, if it is published.
        standing: Option<(Standing, Timestamp)>,
    },
}

/// The next keys of one service.
#[derive(Default)]
pub struct NextKeys(BTreeMap<usize, NextKey>);

#[derive(Default)]
struct NextKey {
    /// What its file holds; `None` until that is known.
    file: Option<File>,
    making: bool,
    /// When it is tried again, after it failed.
    again: Option<Timestamp>,
}

enum File {
    Absent,
    Holds(Material),
}

impl NextKeys {
    /// The file of a next key was read, or is not there.
    pub fn saw(&mut self, now: Timestamp, index: usize, material: Option<&Material>) {
        let file = material.map_or(File::Absent, |material| File::Holds(material.clone()));
        let key = self.0.entry(index).or_default();
        // Whoever saw that there is none may have looked before there was one, and looks again.
        if let (Some(File::Holds(_)), File::Absent) = (&key.file, &file) {
            key.again = Some(now + SECOND_LOOK);
        }
        key.file = Some(file);
    }

    /// A [`MakeNext`] has come to its end, before what it made is [seen](Self::saw).
    pub fn finished(&mut self, now: Timestamp, index: usize, failed: bool) {
        let key = self.0.entry(index).or_default();
        key.making = false;
        key.again = failed.then_some(now + RETRY);
    }

    /// What is to be made now. It counts as being made from then on.
    pub fn due(
        &mut self,
        now: Timestamp,
        service: &config::Service,
        presented: &impl Presented,
    ) -> Vec<MakeNext> {
        for key in self.0.values_mut() {
            key.again = key.again.filter(|&again| now < again);
        }
        let wanted = service.made.iter().filter_map(|(&index, made)| {
            let key = self.0.get_mut(&index)?;
            if key.making || key.again.is_some() || !key.is_wanted(presented) {
                return None;
            }
            let order = order(service, index, made, presented.current(index)?)?;
            key.making = true;
            Some(order)
        });
        wanted.collect()
    }

    /// What is to be made because somebody asks: what is wanted or, by `force`, all, whether it waits to be used or
    /// not. It counts as being made from then on.
    pub fn asked(
        &mut self,
        service: &config::Service,
        presented: &impl Presented,
        force: bool,
    ) -> Result<Vec<MakeNext>, NotMade> {
        if self.0.values().any(|key| key.making) {
            return Err(NotMade::Busy);
        }
        let mut orders = Vec::new();
        let mut refusal = NotMade::NotConfigured;
        for (&index, made) in &service.made {
            let key = self.0.entry(index).or_default();
            let current = presented.current(index);
            match current.and_then(|current| order(service, index, made, current)) {
                None => refusal = NotMade::NoCertificate,
                Some(order) if force || key.is_wanted(presented) => {
                    key.making = true;
                    orders.push(order);
                }
                Some(_) => {
                    let standing = presented.next(index);
                    refusal = NotMade::Waits { request: made.request(), standing };
                }
            }
        }
        if orders.is_empty() { Err(refusal) } else { Ok(orders) }
    }

    /// When something is tried again.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.0.values().filter_map(|key| key.again).min()
    }
}

impl NextKey {
    fn is_wanted(&self, presented: &impl Presented) -> bool {
        match &self.file {
            None => false,
            Some(File::Absent) => true,
            Some(File::Holds(material)) => presented.is_live(material),
        }
    }
}

/// The next certificate has the names of the current one; if that has none, as old ones do, the service's own.
fn order(
    service: &config::Service,
    index: usize,
    made: &config::MadeNext,
    current: &Material,
) -> Option<MakeNext> {
    let mut names = current.leaf()?.dns_names();
    if names.is_empty() {
        names = service.endpoints.iter().map(|endpoint| endpoint.host.clone()).collect();
        names.dedup();
    }
    Some(MakeNext {
        service: service.name.clone(),
        index,
        algorithm: convert::key_algorithm(made.algorithm),
        names,
        directory: made.directory.clone(),
    })
}

/// `, ready since …`
fn stands(standing: Option<(Standing, Timestamp)>) -> String {
    standing.map_or(String::new(), |(standing, since)| format!(", {standing} since {since}"))
}

/// How long to wait before it is tried again: an attempt may leave a key behind.
pub const RETRY: Seconds = HOUR;
/// How long a key that is gone is waited for: files are compared several times within this.
const SECOND_LOOK: Seconds = MINUTE;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::tlsa::sample::{key, leaf};

    const NOON: Timestamp = Timestamp(1_800_000_000);

    /// A service with an ECDSA and an RSA certificate, of which danelaw makes the next keys.
    fn service() -> config::Service {
        let text = "zones: {example.test: {file: z}}\n\
                    services: {mail: {endpoints: ['mail.example.test:25', 'mail.example.test:587'], \
                    certificate: [a, b], next: [{generate: ecdsa-p256}, {generate: rsa-2048}]}}";
        Config::parse(text, "danelaw.yaml", Path::new("/etc")).unwrap().0.services["mail"].clone()
    }

    /// What a service presents: its certificates by number, and the one key that is live beside them.
    struct Shown(Vec<Option<Material>>, Option<Material>);

    impl Presented for Shown {
        fn current(&self, index: usize) -> Option<&Material> {
            self.0[index].as_ref()
        }
        fn is_live(&self, key: &Material) -> bool {
            self.0.iter().flatten().chain(&self.1).any(|live| live.matches(key))
        }
        fn next(&self, _: usize) -> Option<(Standing, Timestamp)> {
            Some((Standing::Ready, NOON))
        }
    }

    fn indexes(orders: &[MakeNext]) -> Vec<usize> {
        orders.iter().map(|order| order.index).collect()
    }

    #[test]
    fn a_next_key_is_made_once_it_is_known_that_there_is_none_and_for_which_names() {
        let (service, mut keys) = (service(), NextKeys::default());
        let shown = Shown(vec![Some(leaf(1)), None], None);
        assert_eq!(keys.due(NOON, &service, &shown), []);
        keys.saw(NOON, 0, None);
        keys.saw(NOON, 1, None);
        let orders = keys.due(NOON, &service, &shown);
        let order = MakeNext {
            service: "mail".to_owned(),
            index: 0,
            algorithm: KeyAlgorithm::EcdsaP256,
            names: vec![service.endpoints[0].host.clone()],
            directory: "/etc/next/mail".into(),
        };
        assert_eq!(orders, [order]);
        assert_eq!(keys.due(NOON, &service, &shown), [], "it is being made");
        let both = Shown(vec![Some(leaf(1)), Some(leaf(1))], None);
        assert_eq!(indexes(&keys.due(NOON, &service, &both)), [1]);
    }

    #[test]
    fn the_one_after_is_made_when_a_key_has_gone_live() {
        let (service, mut keys) = (service(), NextKeys::default());
        let next = key(2);
        keys.saw(NOON, 0, Some(&next));
        let before = Shown(vec![Some(leaf(1)), None], None);
        assert_eq!(keys.due(NOON, &service, &before), []);
        let after = Shown(vec![Some(leaf(1)), None], Some(next));
        assert_eq!(indexes(&keys.due(NOON, &service, &after)), [0]);
        keys.finished(NOON, 0, false);
        keys.saw(NOON, 0, Some(&key(3)));
        assert_eq!(keys.due(NOON, &service, &after), []);
    }

    #[test]
    fn a_key_that_seems_to_be_gone_is_waited_for() {
        let (service, mut keys) = (service(), NextKeys::default());
        let shown = Shown(vec![Some(leaf(1)), None], None);
        keys.saw(NOON, 0, None);
        assert_eq!(keys.due(NOON, &service, &shown).len(), 1);
        keys.finished(NOON, 0, false);
        keys.saw(NOON, 0, Some(&key(2)));
        // Told late by somebody who looked before it was there; and then he has looked again.
        keys.saw(NOON, 0, None);
        assert_eq!(keys.due(NOON, &service, &shown), []);
        keys.saw(NOON, 0, Some(&key(2)));
        assert_eq!(keys.due(NOON + MINUTE, &service, &shown), []);
        // And once it is really gone.
        keys.saw(NOON, 0, None);
        assert_eq!(keys.wake_at(), Some(NOON + MINUTE));
        assert_eq!(keys.due(NOON + MINUTE, &service, &shown).len(), 1);
    }

    #[test]
    fn what_failed_is_tried_again_after_an_hour() {
        let (service, mut keys) = (service(), NextKeys::default());
        let shown = Shown(vec![Some(leaf(1)), None], None);
        keys.saw(NOON, 0, None);
        assert_eq!(keys.due(NOON, &service, &shown).len(), 1);
        keys.finished(NOON, 0, true);
        assert_eq!(keys.wake_at(), Some(NOON + HOUR));
        assert_eq!(keys.due(NOON + HOUR - Seconds(1), &service, &shown), []);
        assert_eq!(keys.due(NOON + HOUR, &service, &shown).len(), 1);
        assert_eq!(keys.wake_at(), None);
    }

    #[test]
    fn somebody_who_asks_gets_a_key_unless_one_waits_and_force_makes_another() {
        let (mut service, mut keys) = (service(), NextKeys::default());
        service.made.remove(&1);
        let unread = Shown(vec![None, None], None);
        assert_eq!(keys.asked(&service, &unread, true), Err(NotMade::NoCertificate));
        let shown = Shown(vec![Some(leaf(1)), None], None);
        keys.saw(NOON, 0, Some(&key(3)));
        let refusal = keys.asked(&service, &shown, false).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "a next key waits to be used, ready since 2027-01-15T08:00:00Z; its request is \
             /etc/next/mail/next/csr.pem; --force makes another"
        );
        assert_eq!(indexes(&keys.asked(&service, &shown, true).unwrap()), [0]);
        assert_eq!(keys.asked(&service, &shown, true), Err(NotMade::Busy));
        keys.finished(NOON, 0, false);
        service.made.clear();
        assert_eq!(keys.asked(&service, &shown, true), Err(NotMade::NotConfigured));
    }
}
