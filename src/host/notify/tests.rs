//! Against our own server, and against secondaries of a few lines that misbehave.

use std::net::UdpSocket as StdSocket;
use std::thread;

use arc_swap::ArcSwap;

use super::*;
use crate::answer::{Access, Zone, Zones};
use crate::dns::message::flag;
use crate::dns::name::Name;
use crate::dns::time::Ttl;
use crate::dns::tsig::{Algorithm, Keyring};
use crate::host::tcp::{Layers, TcpServer};
use crate::host::traffic::Traffic;
use crate::host::udp::UdpServer;
use crate::zone::node::single;
use crate::zone::{Contents, Snapshot};

const SERIAL: u32 = 2_024_061_803;

fn origin() -> Name {
    Name::parse("example.test").unwrap()
}

fn key(secret: &str) -> Arc<Key> {
    let name = Name::parse("poll").unwrap();
    Arc::new(Key::from_base64(name.as_ref(), Algorithm::Sha512, secret).unwrap())
}

fn snapshot() -> Snapshot {
    let rdata = [&origin()[..], &origin()[..], &SERIAL.to_be_bytes(), &[0; 16]].concat();
    let mut contents = Contents::new(origin());
    contents.nodes.insert(single(&origin(), Rtype::SOA, Ttl(60), &[&rdata]).unwrap());
    Snapshot::new(contents).unwrap()
}

fn zones() -> Arc<ArcSwap<Zones>> {
    let zone = Zone::ready(Arc::new(snapshot()), Arc::new(Access::default()));
    let keys = Keyring::new([key("c2VjcmV0")]);
    Arc::new(ArcSwap::from_pointee(Zones::new(vec![zone], Arc::new(keys), Arc::default())))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Answers one datagram after the other with what `respond` makes of it.
fn misbehave(respond: impl Fn(usize, Vec<u8>) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = StdSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 1_024];
        for count in 0.. {
            let Ok((length, client)) = socket.recv_from(&mut buffer) else { return };
            for response in respond(count, buffer[..length].to_vec()) {
                socket.send_to(&response, client).unwrap();
            }
        }
    });
    address
}

fn responding(mut message: Vec<u8>, bits: u16) -> Vec<u8> {
    let [high, low] = (flag::QR | bits).to_be_bytes();
    message[2] |= high;
    message[3] |= low;
    message
}

#[test]
fn the_serial_is_read_with_and_without_a_key() {
    let runtime = runtime();
    let server = UdpServer::start("127.0.0.1:0".parse().unwrap(), 1, &zones(), &Traffic::default()).unwrap();
    let zone = origin();
    for key in [None, Some(key("c2VjcmV0"))] {
        let serial = runtime.block_on(poll_serial(server.address(), zone.as_ref(), key.as_ref())).unwrap();
        assert_eq!(serial, Serial(SERIAL));
    }
    let wrong = key("d3Jvbmc=");
    let result = runtime.block_on(poll_serial(server.address(), zone.as_ref(), Some(&wrong)));
    assert!(matches!(result, Err(RemoteError::Tsig(ResponseFault::BadSignature))));
    let elsewhere = Name::parse("example.org").unwrap();
    let result = runtime.block_on(poll_serial(server.address(), elsewhere.as_ref(), None));
    assert!(matches!(result, Err(RemoteError::Refused(Rcode::REFUSED))));
    server.stop();
}

#[test]
fn a_response_that_was_cut_off_is_asked_for_again_by_tcp() {
    let runtime = runtime();
    let remote = misbehave(|_, query| vec![responding(query, flag::TC)]);
    let server =
        TcpServer::start(remote, Layers::Dns, &zones(), &Traffic::default(), runtime.handle()).unwrap();
    let serial = runtime.block_on(poll_serial(remote, origin().as_ref(), None)).unwrap();
    assert_eq!(serial, Serial(SERIAL));
    server.stop();
}

#[test]
fn what_is_refused_by_udp_is_asked_for_again_by_tcp() {
    let runtime = runtime();
    let remote = misbehave(|_, query| vec![responding(query, Rcode::REFUSED.0)]);
    let server =
        TcpServer::start(remote, Layers::Dns, &zones(), &Traffic::default(), runtime.handle()).unwrap();
    let serial = runtime.block_on(poll_serial(remote, origin().as_ref(), None)).unwrap();
    assert_eq!(serial, Serial(SERIAL));
    server.stop();
}

#[test]
fn a_notify_is_sent_again_until_its_own_response_comes() {
    let runtime = runtime();
    let remote = misbehave(|count, query| {
        assert_eq!((query[2], query[7]), (0x24, 1), "NOTIFY, AA, one record in the answer section");
        let mut forged = responding(query.clone(), 0);
        forged[0] ^= 0xff;
        if count == 0 { vec![forged] } else { vec![forged, responding(query, 0)] }
    });
    let snapshot = snapshot();
    let soa = snapshot.soa().unwrap().records;
    runtime.block_on(notify(remote, origin().as_ref(), soa, None)).unwrap();
    let refusing = misbehave(|_, query| vec![responding(query, Rcode::NOTAUTH.0)]);
    let result = runtime.block_on(notify(refusing, origin().as_ref(), soa, None));
    assert!(matches!(result, Err(RemoteError::Refused(Rcode::NOTAUTH))));
}
