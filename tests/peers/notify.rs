//! NOTIFY under rapid change, as a secondary sees it that is slow to answer.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use danelaw::dns::message::{Opcode, Request};
use danelaw::dns::name::Name;
use danelaw::dns::time::Timestamp;
use danelaw::dns::tsig::{Algorithm, Key, Keyring, Session};

use super::danelaw::Danelaw;
use super::program::{command, free_port, stdout};
use super::secondary::{TSIG_KEY, TSIG_SECRET, ZONE};
use super::wait::until;

/// How long it takes to answer.
const SLOW: Duration = Duration::from_millis(300);

/// A secondary that hears NOTIFY and does nothing else. Gives back the serials that it was told, in order.
fn listen(port: u16, stop: &Arc<AtomicBool>) -> JoinHandle<Vec<u32>> {
    let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let name = Name::parse(TSIG_KEY).unwrap();
    let key = Key::from_base64(name.as_ref(), Algorithm::Sha256, TSIG_SECRET).unwrap();
    let keys = Keyring::new([Arc::new(key)]);
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let (mut told, mut buffer) = (Vec::new(), [0; 2_048]);
        while !stop.load(Ordering::Relaxed) {
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
            let request = Request::read(&buffer[..length]).unwrap();
            // It is also asked what it serves.
            if request.header.opcode() != Opcode::NOTIFY {
                continue;
            }
            let tsig_at = request.tsig_at.unwrap();
            told.push(request.serial.unwrap());
            let now = Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
            let session = Session::verify(&buffer[..length], tsig_at, &keys, now);
            let mut session =
                session.unwrap_or_else(|_| panic!("a NOTIFY that is not signed as it should be"));
            std::thread::sleep(SLOW);
            // The question again, and no records.
            let question = 12 + buffer[12..].iter().position(|&octet| octet == 0).unwrap() + 5;
            let mut response = buffer[..question].to_vec();
            response[2] |= 0x84;
            response[6..12].fill(0);
            response.resize(1_024, 0);
            let length = session.sign(&mut response, question, now).unwrap();
            socket.send_to(&response[..length], from).unwrap();
        }
        told
    })
}

#[test]
fn of_many_versions_a_slow_secondary_is_told_few_and_the_last_one() {
    let port = free_port();
    let stop = Arc::new(AtomicBool::new(false));
    let listener = listen(port, &stop);
    let danelaw =
        Danelaw::new().secondary(port).zone_line(&format!("allow-update: [{{tsig: {TSIG_KEY}}}]")).start();
    let updates: String =
        (0..100).map(|host| format!("update add host{host}.{ZONE} 60 A 192.0.2.1\nsend\n")).collect();
    danelaw.write("updates", &format!("server 127.0.0.1 {}\nzone {ZONE}\n{updates}", danelaw.port()));
    let key = format!("hmac-sha256:{TSIG_KEY}:{TSIG_SECRET}");
    let first = danelaw.serial().unwrap();
    let start = SystemTime::now();
    stdout(command("nsupdate").args(["-y", &key]).arg(danelaw.path("updates")));
    let last = danelaw.serial().unwrap();
    assert_eq!(last - first, 100, "each update is a version");
    let spent = start.elapsed().unwrap();
    until("the last version is told", || {
        let log = std::fs::read_to_string(danelaw.path("log")).unwrap();
        log.contains(&format!("-> {last},")).then_some(())
    });
    // One may be under way, and one that tells the last.
    std::thread::sleep(3 * SLOW);
    stop.store(true, Ordering::Relaxed);
    let told = listener.join().unwrap();
    assert_eq!(told.last(), Some(&last), "the newest serial wins: {told:?}");
    assert!(told.is_sorted(), "{told:?}");
    let most = (spent.as_secs_f64() / SLOW.as_secs_f64()) as usize + 4;
    assert!(told.len() <= most, "one at a time: {} NOTIFYs in {spent:?}", told.len());
}
