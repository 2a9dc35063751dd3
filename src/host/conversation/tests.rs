use std::sync::Arc;
use std::time::Duration;

use tokio::io::{DuplexStream, duplex};
use tokio::time::Instant;

use super::*;
use crate::answer::Transport;
use crate::host::crowd::{CROWDED, Crowd, IDLE, IDLE_IN_A_CROWD, STALLED};

/// A query for which no zone is served: REFUSED comes back, as long as the query.
const QUERY: &[u8] = b"\0\x13\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01x\0\0\x01\0\x01";

/// Leads a conversation at the other end of the returned stream, whose pipe holds `pipe` octets. The task tells
/// whether it was broken off.
fn start(pipe: usize) -> (DuplexStream, tokio::task::JoinHandle<bool>) {
    start_in(&Arc::default(), pipe)
}

/// The same in a crowd with others.
fn start_in(crowd: &Arc<Crowd>, pipe: usize) -> (DuplexStream, tokio::task::JoinHandle<bool>) {
    let (client, mut stream) = duplex(pipe);
    let place = crowd.enter("192.0.2.1".parse().unwrap()).unwrap();
    let task = tokio::spawn(async move {
        let zones = ArcSwap::from_pointee(Zones::default());
        let (peer, tally) =
            (Peer::from("192.0.2.1".parse::<std::net::IpAddr>().unwrap()), Tally::new(Transport::Tcp));
        let conversation = Conversation { peer, zones: &zones, tally: &tally, place: &place };
        place.while_lively(conversation.lead(&mut stream)).await.is_none()
    });
    (client, task)
}

fn numbered(count: u16) -> Vec<u8> {
    let mut queries = QUERY.repeat(count.into());
    for (index, query) in (0..count).zip(queries.chunks_mut(QUERY.len())) {
        query[2..4].copy_from_slice(&index.to_be_bytes());
    }
    queries
}

#[tokio::test]
async fn pipelined_queries_are_answered_in_order_wherever_they_are_cut() {
    for cut in 1..2 * QUERY.len() {
        let (mut client, _task) = start(1 << 16);
        let queries = numbered(300);
        client.write_all(&queries[..cut]).await.unwrap();
        tokio::task::yield_now().await;
        client.write_all(&queries[cut..]).await.unwrap();
        for index in 0..300_u16 {
            let mut response = [0; QUERY.len()];
            client.read_exact(&mut response).await.unwrap();
            assert_eq!(response[..2], [0, 19]);
            assert_eq!(response[2..4], index.to_be_bytes());
            assert_eq!(response[4..6], [0x81, 5]);
        }
    }
}

#[tokio::test]
async fn what_has_been_read_is_answered_with_one_write() {
    let (mut client, _task) = start(1 << 16);
    client.write_all(&numbered(100)).await.unwrap();
    let mut all = vec![0; 200 * QUERY.len()];
    // One read of a pipe gives what one write has put there, when nothing else is in it.
    assert_eq!(client.read(&mut all).await.unwrap(), 100 * QUERY.len());
}

#[tokio::test]
async fn a_long_message_is_read_whole_and_its_room_given_back() {
    let (mut client, _task) = start(1 << 10);
    // Not a sound query: it has octets after its end.
    let mut long = QUERY.to_vec();
    long.resize(PREFIX + MAX_MESSAGE, 0);
    long[..2].copy_from_slice(&u16::MAX.to_be_bytes());
    client.write_all(&long).await.unwrap();
    client.write_all(QUERY).await.unwrap();
    let mut response = [0; QUERY.len()];
    for rcode in [1, 5] {
        client.read_exact(&mut response).await.unwrap();
        assert_eq!(response[5] & 15, rcode);
    }
    let mut inbox = Inbox { octets: vec![0xff; LONGEST], start: LONGEST, end: LONGEST };
    assert_eq!(inbox.room().len(), READ_AHEAD);
    assert_eq!(inbox.octets.capacity(), READ_AHEAD);
}

#[tokio::test]
async fn what_is_no_query_ends_the_conversation_after_the_answers_before_it() {
    let (mut client, task) = start(1 << 10);
    let mut sent = QUERY.to_vec();
    sent.extend(b"\0\x04junk");
    client.write_all(&sent).await.unwrap();
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.unwrap();
    assert_eq!(received.len(), QUERY.len());
    assert!(!task.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_now_and_then_stays_and_one_that_dawdles_does_not() {
    let (mut client, task) = start(1 << 10);
    for _ in 0..10 {
        tokio::time::sleep(IDLE * 9 / 10).await;
        client.write_all(QUERY).await.unwrap();
        client.read_exact(&mut [0; QUERY.len()]).await.unwrap();
    }
    // One octet a second is no query within any time.
    let start = Instant::now();
    for _ in 0..100 {
        if client.write_all(&[0xff]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(task.await.unwrap());
    assert!(start.elapsed() >= STALLED);
}

/// The idle time that a response to [`QUERY`] with the option edns-tcp-keepalive tells (RFC 7828 §3.1).
async fn told(client: &mut DuplexStream) -> Duration {
    let mut query = QUERY.to_vec();
    query[1] += 15;
    query[13] = 1;
    query.extend(b"\0\0\x29\x10\0\0\0\0\0\0\x04\0\x0b\0\0");
    client.write_all(&query).await.unwrap();
    // An extended error comes with it, in no certain order.
    let mut response = vec![0; client.read_u16().await.unwrap().into()];
    client.read_exact(&mut response).await.unwrap();
    let option = response.windows(4).position(|head| head == b"\0\x0b\0\x02").unwrap() + 4;
    let tenths = u16::from_be_bytes([response[option], response[option + 1]]);
    Duration::from_millis(100) * u32::from(tenths)
}

#[tokio::test(start_paused = true)]
async fn the_idle_time_that_is_told_is_the_one_that_is_granted() {
    let crowd = Arc::new(Crowd::default());
    let (mut client, _task) = start_in(&crowd, 1 << 10);
    assert_eq!(told(&mut client).await, IDLE);
    let address = |number| std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into();
    let others: Vec<_> = (1..CROWDED as u32).map_while(|number| crowd.enter(address(number))).collect();
    assert_eq!(told(&mut client).await, IDLE_IN_A_CROWD);
    drop(others);
    assert_eq!(told(&mut client).await, IDLE);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_answers_is_let_go() {
    let (mut client, task) = start(100);
    let asked = Instant::now();
    let (mut read, mut write) = tokio::io::split(&mut client);
    let flood = async { while write.write_all(QUERY).await.is_ok() {} };
    flood.await;
    assert!(task.await.unwrap());
    assert!((30..=32).contains(&asked.elapsed().as_secs()));
    assert!(read.read(&mut [0; 100]).await.unwrap() > 0);
}
