//! Against our own server as the primary, with the zone in several versions; the daemons of others are in
//! tests/peers.

use arc_swap::ArcSwap;

use super::*;
use crate::answer::{Access, Rule, Zone, Zones};
use crate::dns::name::Name;
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;
use crate::host::tcp::{Layers, TcpServer};
use crate::host::traffic::Traffic;
use crate::host::udp::UdpServer;
use crate::zone::node::single;
use crate::zone::zonemd::Demand;
use crate::zone::{Contents, ManagedRrsets, NodeBuilder, Presigned, Snapshot};

fn origin() -> Name {
    Name::parse("example.test").unwrap()
}

/// The zone in this version.
fn snapshot(serial: u32) -> Arc<Snapshot> {
    let soa = [&origin()[..], &origin()[..], &serial.to_be_bytes(), &[0; 16]].concat();
    let mut contents = Contents::new(origin());
    let mut apex = NodeBuilder::default();
    apex.start(origin().as_ref());
    apex.begin(Rtype::NS);
    apex.record(Ttl(60), b"\x02ns\x07example\x04test\0");
    apex.begin(Rtype::SOA);
    apex.record(Ttl(60), &soa);
    contents.nodes.insert(apex.finish().unwrap());
    let host = origin().child(b"ns").unwrap();
    contents.nodes.insert(single(&host, Rtype::A, Ttl(60), &[&[192, 0, 2, serial as u8]]).unwrap());
    Arc::new(Snapshot::new(contents).unwrap())
}

struct Servers {
    runtime: tokio::runtime::Runtime,
    running: Vec<(UdpServer, TcpServer)>,
}

impl Servers {
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { runtime, running: Vec::new() }
    }

    /// A primary at 127.0.0.`host` that has this version.
    fn with(&mut self, name: &str, host: u8, serial: u32) -> Arc<Remote> {
        let everybody = Access::new(vec![Rule { from: None, key: None, tls: None }]);
        let zone = Zone::ready(snapshot(serial), Arc::new(everybody));
        let zones = Zones::new(vec![zone], Arc::default(), Arc::default());
        let zones = Arc::new(ArcSwap::from_pointee(zones));
        let traffic = Traffic::default();
        // A port that is free for both: another process may take it in between.
        for _ in 0..100 {
            let address = SocketAddr::from(([127, 0, 0, host], 0));
            let udp = UdpServer::start(address, 1, &zones, &traffic).unwrap();
            let address = udp.address();
            match TcpServer::start(address, Layers::Dns, &zones, &traffic, self.runtime.handle()) {
                Ok(tcp) => {
                    self.running.push((udp, tcp));
                    return remote(name, address);
                }
                Err(_) => udp.stop(),
            }
        }
        panic!("no free port");
    }

    fn ask(&self, refresh: &Refresh) -> Result<Refreshed, String> {
        let (polls, transfers) = (Semaphore::new(1), Semaphore::new(1));
        self.runtime.block_on(ask(refresh, &Keyring::default(), &polls, &transfers))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for (udp, tcp) in self.running.drain(..) {
            udp.stop();
            tcp.stop();
        }
    }
}

fn remote(name: &str, address: SocketAddr) -> Arc<Remote> {
    Arc::new(Remote { name: name.to_owned(), addresses: vec![address], tsig: None, tls: None })
}

/// What is asked when serial `known` is here.
fn refresh(remotes: &[&Arc<Remote>], known: Option<u32>) -> Refresh {
    Refresh {
        id: 1,
        remotes: remotes.iter().map(|&remote| Arc::clone(remote)).collect(),
        first: None,
        known: known.map(Serial),
        base: known.map(|serial| Base { serial: Serial(serial), snapshot: snapshot(serial) }),
        order: Order {
            zone: origin(),
            presigned: Presigned::Keep,
            managed: ManagedRrsets::default(),
            max_size: 1 << 20,
            zonemd: Demand::IfPresent,
            primary: String::new(),
        },
    }
}

/// Who sent which serial.
fn sent(outcome: Result<Refreshed, String>) -> Result<(String, u32), String> {
    outcome.map(|refreshed| match refreshed {
        Refreshed::Current { primary, serial } => (primary, serial.0),
        Refreshed::Content { primary, received } => {
            assert_eq!(received.contents.soa_timers().unwrap().serial, received.serial.0);
            (primary, received.serial.0)
        }
    })
}

fn named(remote: &Remote, serial: u32) -> (String, u32) {
    (format!("{} ({})", remote.name, remote.addresses[0]), serial)
}

#[test]
fn primaries_are_asked_in_their_order_until_one_has_told() {
    let mut servers = Servers::new();
    let (old, new) = (servers.with("old", 1, 4), servers.with("new", 1, 6));
    assert_eq!(sent(servers.ask(&refresh(&[&new, &old], Some(5)))), Ok(named(&new, 6)));
    // What is behind what is here is a primary that lags, and the next one is asked.
    assert_eq!(sent(servers.ask(&refresh(&[&old, &new], Some(5)))), Ok(named(&new, 6)));
    assert_eq!(sent(servers.ask(&refresh(&[&old, &new], Some(4)))), Ok(named(&old, 4)), "up to date");
    assert_eq!(sent(servers.ask(&refresh(&[&old, &new], None))), Ok(named(&old, 4)), "anything is newer");
    let error = sent(servers.ask(&refresh(&[&old], Some(5)))).unwrap_err();
    assert!(error.contains("has serial 4, which is behind 5"), "{error}");
}

#[test]
fn whoever_notified_is_asked_first() {
    let mut servers = Servers::new();
    let (other, notifier) = (servers.with("other", 1, 6), servers.with("notifier", 2, 7));
    let mut refresh = refresh(&[&other, &notifier], Some(5));
    assert_eq!(sent(servers.ask(&refresh)), Ok(named(&other, 6)));
    refresh.first = Some(notifier.addresses[0].ip());
    assert_eq!(sent(servers.ask(&refresh)), Ok(named(&notifier, 7)));
}

#[test]
fn every_primary_that_fails_is_named_with_its_fault() {
    let servers = Servers::new();
    // Nobody listens where a socket has just been closed.
    let closed = [1, 2].map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let (a, b) = (remote("a", closed[0]), remote("b", closed[1]));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (polls, transfers) = (Semaphore::new(1), Semaphore::new(1));
    let refresh = refresh(&[&a, &b], None);
    let outcome = runtime.block_on(ask(&refresh, &Keyring::default(), &polls, &transfers));
    let error = sent(outcome).unwrap_err();
    let [first, second] = closed;
    assert!(error.starts_with(&format!("primary a ({first}): cannot be reached: ")), "{error}");
    assert!(error.contains(&format!("; primary b ({second}): cannot be reached: ")), "{error}");
    drop(servers);
}
