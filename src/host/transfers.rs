//! What has been transferred to whom, on its way to the engine: however much it is, one message a zone waits for it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

use super::clock;
use super::daemon::Message;
use crate::answer::Sent;
use crate::dns::name::Name;
use crate::engine::{Input, Transferred};

/// How many clients of one zone are remembered until they are looked at; who may transfer is few.
const MOST: usize = 1_000;

/// The last transfer of each zone to each client that has not been looked at.
pub(super) struct Transfers {
    engine: Sender<Message>,
    waiting: Mutex<BTreeMap<Name, Waiting>>,
}

/// By address and key.
type Waiting = BTreeMap<(IpAddr, Option<Name>), Transferred>;

impl Transfers {
    pub(super) fn new(engine: Sender<Message>) -> Self {
        Self { engine, waiting: Mutex::default() }
    }

    /// A transfer has come to its end just now.
    pub(super) fn note(&self, sent: Sent) {
        let Sent { zone, to, key, serial, since, octets, transport } = sent;
        let transferred =
            Transferred { at: clock::now(), serial, since, octets, transport: transport.to_string() };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let news = !waiting.contains_key(&zone);
        let clients = waiting.entry(zone.clone()).or_default();
        if clients.len() < MOST {
            clients.insert((to, key), transferred);
        }
        if news {
            // The engine's thread ends with the process.
            let _ = self.engine.send(Message::Transferred(zone));
        }
    }

    /// What is waiting for `zone`, which is looked at now.
    pub(super) fn take(&self, zone: Name) -> Option<Input> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let clients = waiting.remove(&zone)?;
        let clients = clients.into_iter().map(|((from, key), transferred)| (from, key, transferred));
        Some(Input::Transferred { zone, clients: clients.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Transport;
    use crate::zone::Serial;

    #[test]
    fn a_storm_is_one_message_with_the_last_transfer_of_each_client() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let transfers = Transfers::new(sender);
        let zone = Name::parse("example.test").unwrap();
        for (client, serial) in [(1, 5), (2, 5), (1, 6)] {
            transfers.note(Sent {
                zone: zone.clone(),
                to: IpAddr::from([192, 0, 2, client]),
                key: None,
                serial: Serial(serial),
                since: None,
                octets: 100,
                transport: Transport::Tcp,
            });
        }
        assert!(matches!(receiver.try_recv(), Ok(Message::Transferred(of)) if of == zone));
        assert!(receiver.try_recv().is_err());
        let Some(Input::Transferred { clients, .. }) = transfers.take(zone.clone()) else {
            panic!("nothing")
        };
        let serials: Vec<_> =
            clients.iter().map(|(from, _, last)| (from.to_string(), last.serial.0)).collect();
        assert_eq!(serials, [("192.0.2.1".to_owned(), 6), ("192.0.2.2".to_owned(), 5)]);
        assert!(transfers.take(zone).is_none());
    }
}
