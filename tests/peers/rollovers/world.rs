//! danelaw, a secondary that is asked in its place, the zone above, and a validator that is asked all the time.

use std::fmt::Write;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::super::danelaw::Danelaw;
use super::super::dig;
use super::super::program::free_port;
use super::super::secondary::{Secondary, ZONE};
use super::super::validator::Unbound;
use super::super::wait::{until, until_within};
use super::parent::{PARENT, Parent, Scanner};

/// Every cache turns over in moments.
const ZONE_TEXT: &str = "$TTL 2\n@ SOA ns hostmaster 1 3600 600 86400 2\n@ NS ns\nns A 127.0.0.1\nwww A 192.0.2.80\n\
                         *.wild TXT any\n";
/// The longest rollover, on a busy machine.
pub(super) const ROLLOVER: Duration = Duration::from_mins(5);
/// An answer that takes longer says nothing of signatures.
const ANSWER: Duration = Duration::from_secs(5);
const SERVFAIL: u8 = 2;

/// What is asked for: numbers of types as RFC 1035, RFC 4034 and RFC 7344 have them. `#` is another one each time.
const QUESTIONS: [(&str, u16); 7] = [
    ("example.test", 6),
    ("www.example.test", 1),
    ("n#.example.test", 1),
    ("www.example.test", 16),
    ("n#.wild.example.test", 16),
    ("example.test", 48),
    ("example.test", 59),
];

/// Everything that runs.
pub(super) struct World {
    pub(super) danelaw: Danelaw,
    pub(super) parent: Parent,
    pub(super) secondary: Secondary,
    unbound: Unbound,
    scanner: Option<Scanner>,
    asking: Asking,
}

/// Questions to the validator, and what was wrong with the answers.
struct Asking {
    rounds: Arc<AtomicUsize>,
    /// Whether answers that nobody vouches for are wrong.
    secure: Arc<AtomicBool>,
    /// Whether SERVFAIL is right.
    may_fail: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    wrong: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl World {
    /// The zone is signed by this policy, and the parent names it.
    pub(super) fn secure(policy: &str) -> Self {
        let mut world = Self::new(policy);
        world.listen();
        world.until_secure();
        world
    }

    /// The parent does not look at CDS yet.
    pub(super) fn new(policy: &str) -> Self {
        let parent = Parent::start(free_port(), "");
        let danelaw = Danelaw::new().zone_line(&format!("parent: \"127.0.0.1:{}\"", parent.port));
        Self::around(parent, danelaw.policy(policy), free_port())
    }

    /// With this danelaw, which has not been started, and unbound on this port.
    pub(super) fn around(parent: Parent, danelaw: Danelaw, resolver: u16) -> Self {
        let port = free_port();
        let danelaw = danelaw.secondary(port);
        danelaw.write("zone", ZONE_TEXT);
        let danelaw = danelaw.start();
        let mut secondary = Secondary::bind(port, danelaw.port());
        secondary.until_serial(danelaw.serial().unwrap());
        let unbound = Unbound::below(resolver, PARENT, parent.port, &parent.anchor(), &[port]);
        let asking = Asking::begin(unbound.port);
        Self { danelaw, parent, secondary, unbound, scanner: None, asking }
    }

    /// The parent does as CDS says from now on,
    pub(super) fn listen(&mut self) {
        self.scanner = Some(self.parent.scan(self.secondary.port(), &self.unbound));
    }

    /// or not.
    pub(super) fn be_deaf(&mut self) {
        self.scanner = None;
    }

    /// Waits until danelaw and the validator know that the zone is secure; every answer has to be from then on.
    #[track_caller]
    pub(super) fn until_secure(&mut self) {
        self.until_settled();
        let all = QUESTIONS.map(|(name, rtype)| (name.replace('#', "x"), rtype));
        for (name, rtype) in all {
            until(&format!("unbound vouches for {name}"), || {
                matches!(ask(self.unbound.port, &name, rtype), Some((_, true))).then_some(())
            });
        }
        // Nothing of what was insecure is in the cache any more: all of it has been asked for since.
        self.until_asked(5);
        self.asking.secure.store(true, Ordering::Relaxed);
    }

    /// Answers that nobody vouches for are good enough from now on.
    pub(super) fn may_be_insecure(&self) {
        self.asking.secure.store(false, Ordering::Relaxed);
    }

    /// Nothing can be expected of answers from now on.
    pub(super) fn may_be_bogus(&self) {
        self.may_be_insecure();
        self.asking.may_fail.store(true, Ordering::Relaxed);
    }

    /// Changes the policy.
    pub(super) fn set_policy(&mut self, policy: &str) {
        self.danelaw.set_policy(policy);
        self.danelaw.reload();
    }

    /// Adds a record to the zone.
    pub(super) fn add(&self, record: &str) {
        self.danelaw.write("zone", &format!("{ZONE_TEXT}{record}\n"));
        self.danelaw.reload();
    }

    /// `danelaw key roll`, which must be taken.
    pub(super) fn roll(&self, role: &str) {
        let said = self.danelaw.cli(&["key", "roll", ZONE, "--role", role]);
        assert!(said.status.success(), "{said:?}");
    }

    /// What `danelaw status` says of the zone.
    pub(super) fn status(&self) -> Value {
        let said = self.danelaw.cli(&["status", ZONE, "--json"]);
        let mut status: Value = serde_json::from_slice(&said.stdout).unwrap();
        status["zones"][0].take()
    }

    /// The tags of keys, by `entry_point` or not.
    pub(super) fn tags(&self, entry_point: bool) -> Vec<u64> {
        let status = self.status();
        let keys = status["keys"].as_array().unwrap().iter();
        let keys = keys.filter(|key| key["entry-point"] == entry_point);
        keys.map(|key| key["tag"].as_u64().unwrap()).collect()
    }

    /// Waits until no key is on its way anywhere.
    #[track_caller]
    pub(super) fn until_settled(&self) {
        until_within(ROLLOVER, "all keys have come to rest", || {
            let status = self.status();
            let rests = |part: &Value| part["state"] == "omnipresent" || part["state"] == "hidden";
            let keys = status["keys"].as_array()?;
            let settled = keys.iter().all(|key| {
                let shown = key["parts"][0]["state"] == "omnipresent";
                shown && key.get("retired").is_none() && key["parts"].as_array().unwrap().iter().all(rests)
            });
            (settled && !keys.is_empty() && status.get("parent").is_none()).then_some(())
        });
    }

    /// Waits until the key with this tag is nowhere, and another one in its place: at the secondary, at the parent if
    /// it is an entry point. Returns the new one's.
    #[track_caller]
    pub(super) fn until_replaced(&self, entry_point: bool, old: u64) -> u64 {
        until_within(ROLLOVER, &format!("key {old} is gone"), || {
            let tags = self.tags(entry_point);
            (!tags.is_empty() && !tags.contains(&old)).then_some(())
        });
        self.until_settled();
        let tags = self.tags(entry_point);
        assert_eq!(tags.len(), 1);
        if entry_point {
            assert_eq!(self.parent.tags(), tags, "the parent names the new key alone");
        }
        self.until_published();
        self.until_asked(5);
        tags[0]
    }

    /// Waits until the secondary's DNSKEY records are those that `danelaw status` lists.
    #[track_caller]
    fn until_published(&self) {
        until("the secondary has the keys and no others", || {
            let keys = dig::answer(self.secondary.port(), ZONE, "DNSKEY").len();
            (keys == self.status()["keys"].as_array()?.len()).then_some(())
        });
    }

    /// Waits until every question has been asked so many times more.
    #[track_caller]
    pub(super) fn until_asked(&self, rounds: usize) {
        let end = self.asking.rounds.load(Ordering::Relaxed) + rounds;
        until(&format!("{rounds} rounds of questions"), || {
            (self.asking.rounds.load(Ordering::Relaxed) >= end).then_some(())
        });
    }

    /// Whether the validator vouches for the zone.
    pub(super) fn is_secure(&self) -> bool {
        matches!(ask(self.unbound.port, "www.example.test", 1), Some((_, true)))
    }

    /// No answer was wrong.
    #[track_caller]
    pub(super) fn end(mut self) {
        self.scanner = None;
        self.asking.stop.store(true, Ordering::Relaxed);
        self.asking.thread.take().unwrap().join().unwrap();
        let mut said = String::new();
        let wrong = self.asking.wrong.lock().unwrap();
        for line in wrong.iter().take(10) {
            writeln!(said, "{line}").unwrap();
        }
        let rounds = self.asking.rounds.load(Ordering::Relaxed);
        let log = self.unbound.printed();
        let why: Vec<&str> =
            log.lines().filter(|line| line.contains("validation failure")).take(10).collect();
        assert!(
            wrong.is_empty(),
            "{} wrong answers in {rounds} rounds:\n{said}{}",
            wrong.len(),
            why.join("\n")
        );
    }
}

impl Asking {
    fn begin(resolver: u16) -> Self {
        let this = Self {
            rounds: Arc::default(),
            secure: Arc::default(),
            may_fail: Arc::default(),
            stop: Arc::default(),
            wrong: Arc::default(),
            thread: None,
        };
        let (rounds, secure) = (Arc::clone(&this.rounds), Arc::clone(&this.secure));
        let may_fail = Arc::clone(&this.may_fail);
        let (stop, wrong) = (Arc::clone(&this.stop), Arc::clone(&this.wrong));
        let thread = std::thread::spawn(move || {
            for round in 0_usize.. {
                for (name, rtype) in QUESTIONS {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let name = name.replace('#', &round.to_string());
                    let must_be_secure = secure.load(Ordering::Relaxed);
                    let Some((rcode, vouched)) = ask(resolver, &name, rtype) else { continue };
                    let failed = rcode == SERVFAIL && !may_fail.load(Ordering::Relaxed);
                    if failed || must_be_secure && !vouched {
                        let at = jiff::Timestamp::now();
                        let line = format!("{at} {name} type {rtype}: rcode {rcode}, secure: {vouched}");
                        wrong.lock().unwrap().push(line);
                    }
                }
                rounds.store(round + 1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { thread: Some(thread), ..this }
    }
}

/// The response code, and whether the resolver vouches for the answer; none where it does not come in time.
fn ask(resolver: u16, name: &str, rtype: u16) -> Option<(u8, bool)> {
    // RD; one question; an OPT record with DO.
    let mut query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01".to_vec();
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend(label.as_bytes());
    }
    query.push(0);
    query.extend(rtype.to_be_bytes());
    query.extend(b"\0\x01\0\0\x29\x10\0\0\0\x80\0\0\0");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(ANSWER)).unwrap();
    socket.send_to(&query, ("127.0.0.1", resolver)).unwrap();
    let mut answer = [0; 4_096];
    let length = socket.recv(&mut answer).ok()?;
    (length >= 12).then_some((answer[3] & 0x0f, answer[3] & 0x20 != 0))
}
