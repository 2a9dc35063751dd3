//! Clients that are slow, many, or talk at length, over real sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::*;
use crate::engine::Input;
use crate::host::clock;
use crate::host::crowd::{IDLE, MAX_PER_CLIENT, STALLED};
use crate::host::daemon::Message;
use crate::host::notices::Notices;
use crate::host::published::Published;
use crate::host::reports::{MAX_BODIES_OF_CLIENT, MAX_POSTED, MAX_SENT};
use crate::host::traffic::Traffic;
use crate::host::updates::Updates;

const REPORT: &str = r#"{"report-id": "1", "policies": []}"#;
const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The listener, and what the engine is told.
async fn listener(takes_reports: bool) -> (SocketAddr, Receiver<Message>) {
    let (engine, told) = channel();
    let (notices, updates) = (Notices::new(engine.clone()), Updates::new(engine.clone()));
    let published = Arc::new(Published::new(Arc::new(notices), Arc::new(updates)));
    published.intake().open(takes_reports);
    let state = std::path::PathBuf::new();
    let api = Api { engine, published, traffic: Arc::new(Traffic::default()), started: clock::now(), state };
    let listener = TcpListener::bind((LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, api));
    (address, told)
}

async fn connect(to: SocketAddr, from: Ipv4Addr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// The beginning of a report that is so long, and what there is of it.
fn post(length: usize, body: &str) -> String {
    format!("POST /tlsrpt HTTP/1.1\r\nHost: mail.example.test\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// The status of the answer; `None` for the end of the connection.
async fn status(client: &mut TcpStream) -> Option<String> {
    let mut line = [0; 12];
    let read = timeout(2 * BODY, client.read_exact(&mut line)).await;
    read.expect("an answer, or the end").ok()?;
    Some(String::from_utf8_lossy(&line[9..]).into_owned())
}

/// What becomes of a request on a connection of its own.
async fn ask(to: SocketAddr, from: Ipv4Addr, request: &str) -> Option<String> {
    let mut client = connect(to, from).await;
    client.write_all(request.as_bytes()).await.unwrap();
    status(&mut client).await
}

#[tokio::test]
async fn a_client_may_have_only_so_many_connections() {
    let (address, _told) = listener(false).await;
    let mut clients = Vec::new();
    for _ in 0..=MAX_PER_CLIENT {
        clients.push(connect(address, LOCALHOST).await);
    }
    let request = b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.example.test\r\n\r\n";
    let mut refused = clients.pop().unwrap();
    let _ = refused.write_all(request).await;
    assert_eq!(status(&mut refused).await, None);
    let last = clients.last_mut().unwrap();
    last.write_all(request).await.unwrap();
    assert_eq!(status(last).await.unwrap(), "404");
}

/// Sends an octet a second for longer than anybody has; then what has come back, if that is the end.
async fn dribble(client: &mut TcpStream) -> Option<Vec<u8>> {
    for _ in 0..=2 * STALLED.max(IDLE).as_secs() {
        sleep(Duration::from_secs(1)).await;
        let _ = client.write_all(b"a").await;
    }
    let mut said = Vec::new();
    // An end in the middle of what was sent is a reset.
    let _ = timeout(Duration::from_secs(5), client.read_to_end(&mut said)).await.ok()?;
    Some(said)
}

#[tokio::test(start_paused = true)]
async fn whoever_dribbles_headers_or_a_body_is_let_go() {
    let (address, _told) = listener(true).await;
    let mut client = connect(address, LOCALHOST).await;
    client.write_all(b"GET /status HTTP/1.1\r\nX-Long: ").await.unwrap();
    assert!(dribble(&mut client).await.is_some(), "headers");
    let mut client = connect(address, LOCALHOST).await;
    client.write_all(post(1_000, "{").as_bytes()).await.unwrap();
    assert!(dribble(&mut client).await.is_some(), "a body");
    let mut client = connect(address, LOCALHOST).await;
    client.write_all(post(1_000, "{").as_bytes()).await.unwrap();
    assert_eq!(status(&mut client).await.unwrap(), "408");
}

#[tokio::test]
async fn a_report_is_refused_before_it_is_sent() {
    let (address, _told) = listener(false).await;
    assert_eq!(ask(address, LOCALHOST, &post(1_000, "")).await.unwrap(), "404");
    let (address, _told) = listener(true).await;
    assert_eq!(ask(address, LOCALHOST, &post(MAX_SENT + 1, "")).await.unwrap(), "413");
    for _ in 0..MAX_POSTED {
        assert_eq!(ask(address, LOCALHOST, &post(REPORT.len(), REPORT)).await.unwrap(), "200");
    }
    assert_eq!(ask(address, LOCALHOST, &post(1_000, "")).await.unwrap(), "429");
}

#[tokio::test]
async fn what_is_no_report_takes_no_place_of_one() {
    let (address, told) = listener(true).await;
    for _ in 0..2 * MAX_POSTED {
        assert_eq!(ask(address, LOCALHOST, &post(4, "junk")).await.unwrap(), "400");
    }
    assert_eq!(ask(address, LOCALHOST, &post(REPORT.len(), REPORT)).await.unwrap(), "200");
    let told: Vec<bool> = told
        .try_iter()
        .map(|message| match message {
            Message::Input(Input::TlsReport(report)) => report.is_ok(),
            _ => panic!("something else than a report"),
        })
        .collect();
    let junk = told.iter().filter(|is_report| !**is_report).count();
    assert_eq!((junk, told.last()), (MAX_POSTED as usize, Some(&true)), "the engine has other things to do");
}

#[tokio::test]
async fn a_client_may_send_only_so_many_reports_at_once() {
    let (address, _told) = listener(true).await;
    let mut senders = Vec::new();
    for _ in 0..MAX_BODIES_OF_CLIENT {
        let mut sender = connect(address, LOCALHOST).await;
        sender.write_all(post(REPORT.len(), "").as_bytes()).await.unwrap();
        senders.push(sender);
    }
    let whole = post(REPORT.len(), REPORT);
    assert_eq!(ask(address, LOCALHOST, &whole).await.unwrap(), "429");
    assert_eq!(ask(address, ELSEWHERE, &whole).await.unwrap(), "200");
    let first = &mut senders[0];
    first.write_all(REPORT.as_bytes()).await.unwrap();
    assert_eq!(status(first).await.unwrap(), "200");
    assert_eq!(ask(address, LOCALHOST, &whole).await.unwrap(), "200");
}
