//! Asks a server many questions: over UDP with a window of them under way, over TCP what came back cut off.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::time::Duration;

use super::peers::Peer;
use super::wire::Question;

/// How many questions are under way at a time.
const WINDOW: usize = 64;
/// A datagram that takes longer on loopback was dropped.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a question is repeated before the server is called silent.
const ATTEMPTS: usize = 5;

/// The responses to `questions`, in order; `None` where the server said nothing.
pub(crate) fn ask(peer: &Peer, questions: &[Question]) -> Vec<Option<Vec<u8>>> {
    let socket = connect(peer.port);
    questions.chunks(WINDOW).flat_map(|window| ask_window(&socket, peer.port, window)).collect()
}

/// One question over UDP, once.
pub(crate) fn try_one(port: u16, question: &Question) -> Option<Vec<u8>> {
    let socket = connect(port);
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    socket.send(&question.request(1)).ok()?;
    let mut buffer = vec![0; 65_535];
    let length = socket.recv(&mut buffer).ok()?;
    Some(buffer[..length].to_vec())
}

fn connect(port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn ask_window(socket: &UdpSocket, port: u16, window: &[Question]) -> Vec<Option<Vec<u8>>> {
    let mut replies = vec![None; window.len()];
    let mut buffer = vec![0; 65_535];
    for attempt in 0..ATTEMPTS {
        let missing: Vec<usize> = (0..window.len()).filter(|&place| replies[place].is_none()).collect();
        let mut outstanding = missing.len();
        for place in missing {
            // Answers to an earlier attempt, or to an earlier window, have another ID.
            socket.send(&window[place].request(id(attempt, place))).unwrap();
        }
        while outstanding > 0 {
            let Ok(length) = socket.recv(&mut buffer) else { break };
            let reply = &buffer[..length];
            let place = (0..window.len()).find(|&place| {
                replies[place].is_none()
                    && reply.starts_with(&id(attempt, place).to_be_bytes())
                    && window[place].is_asked_in(reply)
            });
            if let Some(place) = place {
                replies[place] = Some(reply.to_vec());
                outstanding -= 1;
            }
        }
        if outstanding == 0 {
            break;
        }
    }
    for (reply, question) in replies.iter_mut().zip(window) {
        if reply.as_ref().is_some_and(|reply| reply[2] & 2 != 0) {
            *reply = Some(over_tcp(port, question));
        }
    }
    replies
}

fn id(attempt: usize, place: usize) -> u16 {
    (attempt * WINDOW + place + 1) as u16
}

fn over_tcp(port: u16, question: &Question) -> Vec<u8> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE * 10)).unwrap();
    let request = question.request(1);
    stream.write_all(&[&(request.len() as u16).to_be_bytes(), request.as_slice()].concat()).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply).unwrap();
    reply
}
