//! Primaries of zones that come from one: each has a text, and moods.

use std::net::IpAddr;

use danelaw::dns::name::Name;
use danelaw::dns::problem::Place;
use danelaw::dns::time::{Seconds, Timestamp};
use danelaw::dns::zonefile::{self, NoFiles};
use danelaw::engine::{Input, Refresh, Refreshed};
use danelaw::zone::transfer::Received;
use danelaw::zone::{DraftBuilder, ManagedRrsets, Serial};

use super::{Event, World, name};

/// How a primary behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// It answers.
    Up,
    /// It does not.
    Down,
    /// It tells its serial and gives nothing away.
    Closed,
}

/// The primary of one zone.
pub(crate) struct Upstream {
    pub(crate) state: State,
    pub(crate) text: String,
    /// When it was asked, and the serial that was known then.
    pub(crate) asked: Vec<(Timestamp, Option<Serial>)>,
    /// How many refreshes are under way.
    pub(super) asking: usize,
}

/// How long an answer takes.
const DELAY: Seconds = Seconds(1);

impl World {
    /// What the primary of a zone has from now on.
    pub(crate) fn upstream_has(&mut self, zone: &str, text: &str) {
        let upstream = self.upstream.entry(name(zone)).or_insert_with(|| Upstream {
            state: State::Up,
            text: String::new(),
            asked: Vec::new(),
            asking: 0,
        });
        text.clone_into(&mut upstream.text);
    }

    /// How the primary of a zone behaves from now on.
    pub(crate) fn upstream_is(&mut self, zone: &str, state: State) {
        self.upstream.get_mut(&name(zone)).unwrap().state = state;
    }

    /// The primary of a zone says that it has changed.
    pub(crate) fn upstream_notifies(&mut self, zone: &str) {
        let serial = self.upstream[&name(zone)].serial();
        let from = IpAddr::from([192, 0, 2, 9]);
        self.tell(Input::Notified { zone: name(zone), from, serial: Some(serial) });
    }

    /// When the primary of a zone was asked.
    pub(crate) fn asked(&self, zone: &str) -> Vec<Timestamp> {
        self.upstream[&name(zone)].asked.iter().map(|(at, _)| *at).collect()
    }

    pub(super) fn refresh(&mut self, refresh: Refresh) {
        let Refresh { id, known, order, .. } = refresh;
        let (zone, now) = (order.zone, self.now);
        let upstream = self.upstream.get_mut(&zone).expect("a primary");
        assert_eq!(upstream.asking, 0, "{zone}: two refreshes at once");
        upstream.asking += 1;
        upstream.asked.push((now, known));
        let (state, serial) = (upstream.state, upstream.serial());
        let outcome = match state {
            State::Down => Err("primary hidden (192.0.2.9:53): does not answer".to_owned()),
            State::Up | State::Closed if known == Some(serial) => {
                Ok(Refreshed::Current { primary: "hidden (192.0.2.9:53)".to_owned(), serial })
            }
            State::Closed => Err("primary hidden (192.0.2.9:53): answers REFUSED".to_owned()),
            State::Up => {
                let mut builder = DraftBuilder::new(zone.clone(), order.presigned);
                let text = upstream.text.clone();
                zonefile::read("primary", text.as_bytes(), zone.as_ref(), &mut NoFiles, &mut builder);
                let built = builder.build(&ManagedRrsets::default(), |_| Place::file("primary"));
                let (draft, warnings) = built.unwrap_or_else(|problems| panic!("{problems}"));
                let contents = draft.contents;
                let received = Received { contents, serial, incremental: false, warnings, size: 0 };
                let primary = "hidden (192.0.2.9:53)".to_owned();
                Ok(Refreshed::Content { primary, received: Box::new(received) })
            }
        };
        let chance = self.chance(1 << 16) as u16;
        let life = self.life;
        self.later(DELAY, move |world| {
            if life != world.life {
                return;
            }
            if let Some(upstream) = world.upstream.get_mut(&zone) {
                upstream.asking = 0;
            }
            world.happen(Event::Input(life, Box::new(Input::Refreshed { zone, id, outcome, chance })));
        });
    }

    /// Whether danelaw serves the zone.
    pub(crate) fn is_served(&self, zone: &str) -> bool {
        self.primary.contains_key(&name(zone))
    }

    /// Whether danelaw serves this name of the zone.
    pub(crate) fn serves_name(&self, zone: &str, owner: &str) -> bool {
        let owner: Name = name(owner);
        self.primary
            .get(&name(zone))
            .is_some_and(|served| served.snapshot.nodes.get(owner.as_ref()).is_some())
    }
}

impl Upstream {
    /// The third word after the owner of the SOA record.
    fn serial(&self) -> Serial {
        let soa = self.text.lines().find(|line| line.starts_with("@ SOA ")).unwrap();
        Serial(soa.split_whitespace().nth(4).unwrap().parse().unwrap())
    }
}
