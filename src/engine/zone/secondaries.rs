//! What each secondary was seen to serve, and which of them need a person.

use std::net::SocketAddr;

use super::Zone;
use crate::config;
use crate::dns::time::{MINUTE, Seconds, Timestamp};
use crate::engine::input::{Effect, Level};
use crate::zone::Serial;

/// How long a secondary may lack a version before that needs a person. The host tells it of the version again and asks
/// for its serial at least once a minute meanwhile, so what is left then does not go away by itself.
const PATIENCE: Seconds = Seconds(15 * MINUTE.0);

/// What is known of a secondary.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Sighting {
    pub(in crate::engine) serial: Option<Serial>,
    pub(in crate::engine) seen: Option<Timestamp>,
    pub(in crate::engine) error: Option<(Timestamp, String)>,
    lacks: Option<Lack>,
}

/// A version that a secondary was not seen to serve when it was looked at.
#[derive(Clone, Copy, Debug)]
struct Lack {
    since: Timestamp,
    serial: Serial,
}

impl Zone {
    /// A secondary's serial was seen, or it could not be.
    pub(in crate::engine) fn secondary(
        &mut self,
        now: Timestamp,
        remote: &str,
        address: SocketAddr,
        outcome: Result<Serial, String>,
        effects: &mut Vec<Effect>,
    ) {
        let served = self.serial().filter(|_| !self.upstream.withdrawn);
        let topic = topic(remote, address);
        let sighting = self.secondaries.entry((remote.to_owned(), address)).or_default();
        match outcome {
            Ok(serial) => {
                let lacks = served.filter(|&served| serial != served).map(|served| {
                    // Whoever is told of new versions all the time may never be seen with the newest.
                    let goes_on = |lack: &Lack| lack.serial <= serial && serial < served;
                    sighting
                        .lacks
                        .filter(|lack| !goes_on(lack))
                        .unwrap_or(Lack { since: now, serial: served })
                });
                *sighting = Sighting { serial: Some(serial), seen: Some(now), error: None, lacks };
            }
            Err(error) => {
                let since = sighting.error.as_ref().map_or(now, |(since, _)| *since);
                sighting.error = Some((since, error));
                let lack = served.map(|serial| Lack { since: now, serial });
                sighting.lacks = sighting.lacks.or(lack).filter(|_| served.is_some());
            }
        }
        let Some(Lack { since, serial }) = sighting.lacks.filter(|lack| now.since(lack.since) >= PATIENCE)
        else {
            self.alarms.clear(&topic);
            return;
        };
        let found = match (&sighting.error, sighting.serial) {
            (Some((_, error)), _) => error.clone(),
            (None, Some(seen)) if seen > serial => {
                format!("it serves serial {seen}, which is ahead, and takes nothing that is not above")
            }
            (None, Some(seen)) => format!("it serves serial {seen}"),
            (None, None) => "it has not been seen".to_owned(),
        };
        let text = format!(
            "secondary {remote} at {address} has not been seen to serve serial {serial} since {since}: {found}; whoever \
             asks it gets older records or none; see its log, and whether it may transfer the zone, then `danelaw notify {}`",
            self.origin().as_ref().undotted()
        );
        // What is found there may change; that it needs a person is news once.
        let is_known = self.alarms.is_raised(&topic);
        if self.alarms.raise(&topic, now, text.clone()) && !is_known {
            effects.push(Effect::Log { level: Level::Error, line: format!("{}: {text}", self.origin()) });
        }
    }

    /// Forgets secondaries that this configuration does not have.
    pub(super) fn keep_secondaries(&mut self, config: &config::Zone) {
        let is_there = |name: &str, address: &SocketAddr| {
            config.secondaries.iter().any(|remote| remote.name == name && remote.addresses.contains(address))
        };
        let alarms = &mut self.alarms;
        self.secondaries.retain(|(name, address), _| {
            let stays = is_there(name, address);
            if !stays {
                alarms.clear(&topic(name, *address));
            }
            stays
        });
    }
}

fn topic(remote: &str, address: SocketAddr) -> String {
    format!("{SECONDARY}{remote} {address}")
}

const SECONDARY: &str = "secondary ";
