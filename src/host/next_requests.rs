//! Those who asked for next keys and wait until they are made.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::engine::next::MadeNext;

/// A next key that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NewKey {
    /// The file with the private key.
    pub key: PathBuf,
    /// The file with the request for its certificate.
    pub request: PathBuf,
}

/// What is answered: the keys, or why there are none; `None` for an unknown service.
pub(super) type Reply = oneshot::Sender<Option<Result<Vec<NewKey>, String>>>;

/// Those who wait.
#[derive(Default)]
pub(super) struct NextRequests(Vec<Waiting>);

struct Waiting {
    service: String,
    /// How many keys are still being made.
    left: usize,
    made: Vec<NewKey>,
    failed: Vec<String>,
    reply: Reply,
}

impl NextRequests {
    /// Somebody waits for `count` keys of a service, at least one.
    pub(super) fn wait(&mut self, service: String, count: usize, reply: Reply) {
        self.0.push(Waiting { service, left: count, made: Vec::new(), failed: Vec::new(), reply });
    }

    /// A key of a service was made, or not. Whoever waits for no other is answered: nobody else makes keys meanwhile.
    pub(super) fn finished(&mut self, service: &str, outcome: &Result<MadeNext, String>) {
        let Some(at) = self.0.iter().position(|waiting| waiting.service == service) else { return };
        let waiting = &mut self.0[at];
        waiting.left -= 1;
        match outcome {
            Ok(made) => waiting.made.push(NewKey { key: made.key.clone(), request: made.request.clone() }),
            Err(reason) => waiting.failed.push(reason.clone()),
        }
        if waiting.left == 0 {
            let Waiting { made, failed, reply, .. } = self.0.swap_remove(at);
            // Whoever asked may have gone.
            let _ = reply.send(Some(if failed.is_empty() { Ok(made) } else { Err(failed.join("; ")) }));
        }
    }
}
