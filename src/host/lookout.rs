//! Looking at nameservers and at services from outside, again and again.
//!
//! One task for each [`Question`] and one for each [`Visit`]. A nameserver is asked in quick succession until it gives
//! what danelaw serves, then now and again; an endpoint is looked at in quick succession after something has changed,
//! then now and again. Everything seen is told to the engine, which decides what it means.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use ring::rand::SystemRandom;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::daemon::Message;
use super::dsync;
use super::notify;
use super::parent;
use super::probe;
use super::published::Published;
use crate::dns::name::Name;
use crate::engine::Input;
use crate::engine::outside::{At, Chain, Lookout, ParentWatch, Question, SignedRrset, Target, Visit};
use crate::zone::Snapshot;

/// The first pause after something changed; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest pause while something is awaited.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// How often a look is taken where nothing is awaited, at most,
const RECHECK: Duration = Duration::from_mins(4);
/// and by how much later.
const SPREAD: Duration = Duration::from_mins(1);
/// How many looks are taken in quick succession after something changed: for a quarter of an hour.
const LOOKS: u32 = 20;
/// What we call ourselves in EHLO where the system has no name that is one.
const EHLO: &str = "danelaw.invalid";

/// All the tasks.
pub(super) struct Lookouts {
    published: Arc<Published>,
    engine: Sender<Message>,
    runtime: Handle,
    questions: BTreeMap<Question, Asking>,
    visits: BTreeMap<Visit, Visiting>,
    parents: BTreeMap<ParentWatch, JoinHandle<()>>,
    /// Parents are told that the CDS records of these zones have changed.
    announcements: BTreeMap<Name, JoinHandle<()>>,
    /// Those of the configuration.
    resolvers: Arc<[SocketAddr]>,
}

/// The rdata of an RRset as danelaw serves it.
type Wanted = Option<Vec<Vec<u8>>>;

struct Asking {
    wanted: watch::Sender<Wanted>,
    task: JoinHandle<()>,
}

struct Visiting {
    hurry: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Lookouts {
    pub(super) fn new(
        published: Arc<Published>,
        engine: Sender<Message>,
        runtime: Handle,
        resolvers: &[SocketAddr],
    ) -> Self {
        Self {
            resolvers: resolvers.into(),
            published,
            engine,
            runtime,
            questions: BTreeMap::new(),
            visits: BTreeMap::new(),
            parents: BTreeMap::new(),
            announcements: BTreeMap::new(),
        }
    }

    /// Parents are found by these resolvers from now on.
    pub(super) fn configure(&mut self, resolvers: &[SocketAddr]) {
        if *self.resolvers == *resolvers {
            return;
        }
        self.resolvers = resolvers.into();
        for (watch, task) in std::mem::take(&mut self.parents) {
            task.abort();
            let task = self.watch_parent(watch.clone());
            self.parents.insert(watch, task);
        }
    }

    /// Tells the parent that CDS records have changed, if it wants to be told.
    pub(super) fn notify_parent(&mut self, zone: Name) {
        let (of, resolvers) = (zone.clone(), Arc::clone(&self.resolvers));
        let task = self.runtime.spawn(async move { dsync::tell(&of, &resolvers).await });
        // Whoever hears the newer one need not hear the older.
        if let Some(older) = self.announcements.insert(zone, task) {
            older.abort();
        }
    }

    fn watch_parent(&self, watch: ParentWatch) -> JoinHandle<()> {
        self.runtime.spawn(parent::watch(watch, Arc::clone(&self.resolvers), self.engine.clone()))
    }

    /// Looks at exactly these from now on; what was looked at before goes on.
    pub(super) fn replace(&mut self, lookout: &Lookout) {
        let mut old = std::mem::take(&mut self.questions);
        for question in &lookout.questions {
            let task = old.remove(question).unwrap_or_else(|| self.ask(question.clone()));
            self.questions.insert(question.clone(), task);
        }
        for gone in old.into_values() {
            gone.task.abort();
        }
        let mut old = std::mem::take(&mut self.parents);
        for watch in &lookout.parents {
            let task = old.remove(watch);
            let task = task.unwrap_or_else(|| self.watch_parent(watch.clone()));
            self.parents.insert(watch.clone(), task);
        }
        for gone in old.into_values() {
            gone.abort();
        }
        let mut old = std::mem::take(&mut self.visits);
        for visit in &lookout.visits {
            let task = old.remove(visit).unwrap_or_else(|| self.visit(visit.clone()));
            self.visits.insert(visit.clone(), task);
        }
        for gone in old.into_values() {
            gone.task.abort();
        }
    }

    /// A version is served: nameservers should come to serve it.
    pub(super) fn published(&self, snapshot: &Snapshot) {
        for (question, asking) in &self.questions {
            if question.zone == *snapshot.origin() {
                let now = wanted(snapshot, question);
                asking.wanted.send_if_modified(|wanted| {
                    let changed = *wanted != now;
                    *wanted = now;
                    changed
                });
            }
        }
    }

    /// A service is about to present something else.
    pub(super) fn hurry(&self, service: &str) {
        for (visit, visiting) in &self.visits {
            if visit.service == service {
                visiting.hurry.send_replace(());
            }
        }
    }

    fn ask(&self, question: Question) -> Asking {
        let now = self.published.snapshot(&question.zone).and_then(|snapshot| wanted(&snapshot, &question));
        let (wanted, receiver) = watch::channel(now);
        let task = self.runtime.spawn(ask(question, receiver, self.engine.clone()));
        Asking { wanted, task }
    }

    fn visit(&self, visit: Visit) -> Visiting {
        let (hurry, receiver) = watch::channel(());
        let task = self.runtime.spawn(look(visit, receiver, self.engine.clone()));
        Visiting { hurry, task }
    }
}

impl Drop for Lookouts {
    fn drop(&mut self) {
        let questions = self.questions.values().map(|asking| &asking.task);
        let visits = self.visits.values().map(|visiting| &visiting.task);
        let others = self.parents.values().chain(self.announcements.values());
        for task in questions.chain(visits).chain(others) {
            task.abort();
        }
    }
}

/// What a nameserver should give: the records in canonical order.
fn wanted(snapshot: &Snapshot, question: &Question) -> Wanted {
    let rrset = snapshot.nodes.get(question.owner.as_ref())?.rrset(question.rtype)?;
    Some(rrset.rdatas().map(<[u8]>::to_vec).collect())
}

async fn ask(question: Question, mut wanted: watch::Receiver<Wanted>, engine: Sender<Message>) {
    let mut pause = FIRST_WAIT;
    loop {
        let target = wanted.borrow_and_update().clone().unwrap_or_default();
        let outcome = match addresses(&question.server).await {
            Ok(addresses) => {
                let mut answers = Vec::new();
                for address in addresses {
                    let answer = notify::ask_rrset(address, question.owner.as_ref(), question.rtype).await;
                    answers.push((address, answer.map_err(|error| error.to_string())));
                }
                Ok(answers)
            }
            Err(error) => Err(error),
        };
        let gives = |answer: &SignedRrset| {
            let mut rdatas = answer.rdatas.clone();
            rdatas.sort_unstable();
            rdatas == target
        };
        let done = outcome
            .as_ref()
            .is_ok_and(|answers| answers.iter().all(|(_, answer)| answer.as_ref().is_ok_and(gives)));
        if engine.send(Message::Input(Input::Answered { question: question.clone(), outcome })).is_err() {
            return;
        }
        let wait = if done { recheck() } else { pause };
        pause = if done { FIRST_WAIT } else { (pause * 2).min(LONGEST_WAIT) };
        match tokio::time::timeout(wait, wanted.changed()).await {
            Ok(Err(_)) => return,
            Ok(Ok(())) => pause = FIRST_WAIT,
            Err(_) => {}
        }
    }
}

async fn look(visit: Visit, mut hurry: watch::Receiver<()>, engine: Sender<Message>) {
    let ehlo = ehlo();
    let mut last = None;
    // Looks since something changed.
    let mut looks = 0;
    loop {
        let outcome = see(&visit, &ehlo).await;
        let failed = outcome.is_err();
        if !failed && last.as_ref() != outcome.as_ref().ok() {
            last = outcome.as_ref().ok().cloned();
            // What is another one at each look is not looked at all the time.
            looks = if looks > LOOKS { 0 } else { looks };
        }
        if engine.send(Message::Input(Input::Presented { visit: visit.clone(), outcome })).is_err() {
            return;
        }
        let quick = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(looks)).min(LONGEST_WAIT);
        // What was awaited may not come.
        let wait = if looks >= LOOKS && !failed { recheck() } else { quick };
        looks += 1;
        match tokio::time::timeout(wait, hurry.changed()).await {
            Ok(Err(_)) => return,
            Ok(Ok(())) => looks = 0,
            Err(_) => {}
        }
    }
}

/// The chains that an endpoint presents, at all its addresses.
async fn see(visit: &Visit, ehlo: &Name) -> Result<Vec<Chain>, String> {
    let mut chains: Vec<Chain> = Vec::new();
    for address in addresses(&visit.target).await? {
        let target = probe::Target {
            address,
            manner: visit.manner,
            host: visit.host.as_ref(),
            domain: visit.domain.as_ref().map(Name::as_ref),
            ehlo: ehlo.as_ref(),
        };
        let presented = probe::look(&target).await.map_err(|error| format!("{address} {error}"))?;
        for each in presented {
            let by_name = each.handshakes.iter().any(|handshake| handshake.sni);
            match chains.iter_mut().find(|chain| chain.certificates == each.chain) {
                Some(chain) => chain.by_name |= by_name,
                None => chains.push(Chain { certificates: each.chain, by_name }),
            }
        }
    }
    Ok(chains)
}

/// Where a target is now; at least one address.
async fn addresses(target: &Target) -> Result<Vec<SocketAddr>, String> {
    match &target.at {
        At::Address(address) => Ok(vec![*address]),
        At::Host(name, port) => {
            let found = tokio::net::lookup_host((name.as_ref().undotted(), *port)).await;
            let found: Vec<SocketAddr> =
                found.map_err(|error| format!("has no address that can be found: {error}"))?.collect();
            if found.is_empty() { Err("has no address".to_owned()) } else { Ok(found) }
        }
    }
}

/// The machine's name, if it is one.
pub(super) fn ehlo() -> Name {
    let hostname = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let name = hostname.filter(|name| !name.is_empty()).and_then(|name| Name::parse(&name).ok());
    name.or_else(|| Name::parse(EHLO).ok()).unwrap_or_else(Name::root)
}

/// How long until a look where nothing is awaited: not all of them at once.
pub(super) fn recheck() -> Duration {
    let random = SystemRandom::new();
    let chance = ring::rand::generate::<[u8; 2]>(&random).map_or([0; 2], ring::rand::Random::expose);
    RECHECK + SPREAD * u32::from(u16::from_be_bytes(chance)) / (1 << 16)
}
