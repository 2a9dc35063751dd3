//! NOTIFYs on their way from the sockets to the engine: however many come, one message a zone waits for it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

use super::daemon::Message;
use super::transfers::Transfers;
use crate::answer::{Listener, Sent};
use crate::dns::name::{Name, NameRef};
use crate::engine::Input;
use crate::zone::Serial;

/// What has been said of each zone, and not been looked at.
pub(super) struct Notices {
    engine: Sender<Message>,
    /// Transfers go the same way.
    pub(super) transfers: Transfers,
    waiting: Mutex<BTreeMap<Name, (IpAddr, Option<Serial>)>>,
}

impl Notices {
    pub(super) fn new(engine: Sender<Message>) -> Self {
        Self { transfers: Transfers::new(engine.clone()), engine, waiting: Mutex::default() }
    }

    /// What is waiting for `zone`, which is looked at now.
    pub(super) fn take(&self, zone: Name) -> Option<Input> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, serial) = waiting.remove(&zone)?;
        Some(Input::Notified { zone, from, serial })
    }
}

impl Listener for Notices {
    fn notified(&self, zone: NameRef<'_>, from: IpAddr, serial: Option<Serial>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.entry(zone.to_owned()) {
            Entry::Occupied(mut said) => {
                // One that names no serial may mean any; of two, the greater is what is to be had.
                let newer = match (said.get().1, serial) {
                    (Some(before), Some(now)) => now > before,
                    (Some(_), None) => true,
                    (None, _) => false,
                };
                if newer {
                    said.insert((from, serial));
                }
            }
            Entry::Vacant(place) => {
                let zone = place.key().clone();
                place.insert((from, serial));
                // The engine's thread ends with the process.
                let _ = self.engine.send(Message::Notified(zone));
            }
        }
    }

    fn sent(&self, sent: Sent) {
        self.transfers.note(sent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_is_one_message_with_the_newest_serial() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let notices = Notices::new(sender);
        let zone = Name::parse("example.test").unwrap();
        for serial in [3, 9, 4] {
            notices.notified(zone.as_ref(), IpAddr::from([192, 0, 2, serial as u8]), Some(Serial(serial)));
        }
        assert!(matches!(receiver.try_recv(), Ok(Message::Notified(of)) if of == zone));
        assert!(receiver.try_recv().is_err());
        let taken = notices.take(zone.clone());
        assert!(matches!(taken, Some(Input::Notified { from, serial: Some(Serial(9)), .. })
            if from == IpAddr::from([192, 0, 2, 9])));
        assert!(notices.take(zone.clone()).is_none());
        notices.notified(zone.as_ref(), IpAddr::from([192, 0, 2, 1]), None);
        assert!(receiver.try_recv().is_ok(), "the next one is told again");
    }
}
