//! What the host sees when it looks at nameservers and endpoints, some time after it can be seen.
//!
//! The host looks every few minutes; here it looks some minutes after something has changed, which comes to the same
//! and lets years pass quickly.

use std::net::SocketAddr;
use std::sync::Arc;

use danelaw::dns::time::{MINUTE, Seconds};
use danelaw::engine::Input;
use danelaw::engine::outside::{At, Chain, Lookout, Question, SignedRrset, Visit};

use super::{Event, World};

/// What a nameserver was seen to give.
pub(super) type Told = Vec<(SocketAddr, Result<SignedRrset, String>)>;

/// The longest time between two looks.
const RECHECK: Seconds = Seconds(5 * MINUTE.0);

impl World {
    /// The engine says whom to look at.
    pub(super) fn look_at(&mut self, lookout: Arc<Lookout>) {
        self.lookout = lookout;
        self.answered_before.clear();
        self.schedule(self.now + Seconds(1), Event::Questions);
        self.schedule(self.now + Seconds(1), Event::Visits);
        self.parents_told.clear();
        self.schedule(self.now + Seconds(1), Event::Parents);
    }

    /// Something has changed that is seen by asking.
    pub(super) fn ask_nameservers_soon(&mut self) {
        let after = Seconds(1 + self.chance(60));
        self.schedule(self.now + after, Event::Questions);
    }

    /// Something has changed that is seen by looking.
    pub(super) fn visit_within(&mut self, longest: Seconds) {
        let after = Seconds(1 + self.chance(longest.0));
        self.schedule(self.now + after, Event::Visits);
    }

    /// What services present has changed.
    pub(super) fn visit_soon(&mut self) {
        self.visit_within(RECHECK);
    }

    pub(super) fn ask_nameservers(&mut self) {
        if self.asleep {
            return self.ask_nameservers_soon();
        }
        for question in self.lookout.questions.clone() {
            let answers = self.answers(&question);
            // What was told is known.
            if self.answered_before.insert(question.clone(), answers.clone()).as_ref() == Some(&answers) {
                continue;
            }
            let outcome = Ok(answers);
            self.tell(Input::Answered { question, outcome });
        }
    }

    fn answers(&self, question: &Question) -> Told {
        let At::Address(address) = question.server.at else { panic!("{question:?} has no address here") };
        let secondary = self.secondaries.iter().find(|secondary| secondary.address == address);
        let served = secondary
            .filter(|secondary| secondary.dead_until <= self.now)
            .and_then(|secondary| secondary.serves(&question.zone, self.now));
        let answer = served.ok_or_else(|| "does not answer".to_owned()).map(|served| {
            let node = served.snapshot.nodes.get(question.owner.as_ref());
            node.and_then(|node| node.rrset(question.rtype)).map_or_else(SignedRrset::default, |rrset| {
                SignedRrset {
                    ttl: rrset.ttl(),
                    rdatas: rrset.rdatas().map(<[u8]>::to_vec).collect(),
                    signatures: rrset.signature_rdatas().map(<[u8]>::to_vec).collect(),
                }
            })
        });
        vec![(address, answer)]
    }

    pub(super) fn visit(&mut self) {
        if self.asleep {
            return self.visit_within(MINUTE);
        }
        if self.now < self.unreachable_until {
            self.schedule(self.unreachable_until + MINUTE, Event::Visits);
        }
        for visit in self.lookout.visits.clone() {
            let outcome = self.presented_to(&visit);
            self.tell(Input::Presented { visit, outcome });
        }
    }

    fn presented_to(&self, visit: &Visit) -> Result<Vec<Chain>, String> {
        if self.now < self.unreachable_until {
            return Err("has not shaken hands within 10s".to_owned());
        }
        let endpoints = &self.config.services[&visit.service].endpoints;
        let at =
            endpoints.iter().position(|each| each.host == visit.host && each.port == visit.port).unwrap();
        let presented = self.servers.get(&visit.service).ok_or("refuses connections")?;
        let chain =
            |certificate: &super::Cert| Chain { certificates: vec![certificate.der.clone()], by_name: true };
        Ok(presented[at].iter().map(chain).collect())
    }
}
