//! Dynamic updates on their way from the sockets to the engine, and its answers on their way back.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

use super::clock;
use super::daemon::Message;
use crate::answer::update::{Reply, Requested, Respond, Updater};
use crate::dns::message::{PLAIN_UDP, Rcode};
use crate::engine::Input;

/// How many may be under way in all.
const MOST: usize = 4_000;

/// The updates under way.
pub(super) struct Updates {
    engine: Sender<Message>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    all: BTreeMap<u64, Answer>,
}

/// How one of them is answered, and what is said of it in the log.
struct Answer {
    reply: Reply,
    respond: Respond,
    about: String,
}

impl Updates {
    pub(super) fn new(engine: Sender<Message>) -> Self {
        Self { engine, waiting: Mutex::default() }
    }

    /// Answers an update, which has come to its end.
    pub(super) fn finish(&self, id: u64, rcode: Rcode) {
        let answer = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).all.remove(&id);
        if let Some(answer) = answer {
            answer.send(rcode);
        }
    }
}

impl Updater for Updates {
    fn update(&self, requested: Requested, respond: Respond) {
        let Requested { zone, update, key, from, reply } = requested;
        let about = format!("{zone}: update by {key} from {from}");
        let answer = Answer { reply, respond, about };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.all.len() >= MOST {
            drop(waiting);
            return answer.send(Rcode::SERVFAIL);
        }
        waiting.last += 1;
        let id = waiting.last;
        waiting.all.insert(id, answer);
        drop(waiting);
        if self.engine.send(Message::Input(Input::Update { zone, id, update })).is_err() {
            self.finish(id, Rcode::SERVFAIL);
        }
    }
}

impl Answer {
    fn send(self, rcode: Rcode) {
        tracing::info!("{}: {rcode}", self.about);
        let mut out = [0; PLAIN_UDP];
        if let Ok(length) = self.reply.write(rcode, &mut out, clock::now()) {
            (self.respond)(&out[..length]);
        }
    }
}
