//! Servers of a few lines that misbehave; the real ones are in tests/peers.

use tokio::net::TcpListener;

use super::*;
use crate::dns::name::Name;

/// What is made of a server that answers each connection with `words`, and then holds it open or hangs up.
async fn fault(manner: Manner, words: &'static [u8], hold: bool) -> ProbeError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(words).await;
            if hold {
                held.push(stream);
            } else {
                // Hanging up with something unread would be a reset.
                let _ = stream.shutdown().await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        }
    });
    let (host, ehlo) = (Name::parse("mail.example.test").unwrap(), Name::parse("probe.test").unwrap());
    let target = Target { address, manner, host: host.as_ref(), domain: None, ehlo: ehlo.as_ref() };
    let outcome = look(&target).await;
    server.abort();
    outcome.unwrap_err()
}

#[tokio::test]
async fn nobody_listening_is_no_silence() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let host = Name::parse("mail.example.test").unwrap();
    let target =
        Target { address: free, manner: Manner::Tls, host: host.as_ref(), domain: None, ehlo: host.as_ref() };
    assert_eq!(look(&target).await, Err(ProbeError::Refused));
}

#[tokio::test]
async fn a_server_that_hangs_up_says_when() {
    assert_eq!(fault(Manner::Smtp, b"", false).await, ProbeError::Protocol(Fault::Closed));
    assert_eq!(fault(Manner::Smtp, b"220 x\r\n250-x\r\n", false).await, ProbeError::Protocol(Fault::Closed));
    assert_eq!(fault(Manner::Tls, b"", false).await, ProbeError::NoHandshake(Refusal::Closed));
    let alert = ProbeError::NoHandshake(Refusal::Alert(AlertDescription::HandshakeFailure));
    assert_eq!(fault(Manner::Tls, b"\x15\x03\x03\0\x02\x02\x28", false).await, alert);
    assert_eq!(fault(Manner::Smtp, b"220 x\r\n250 x\r\n", true).await, ProbeError::NoStartTls);
}

#[tokio::test]
async fn what_is_no_tls_is_not_taken_for_a_refusal() {
    let error = fault(Manner::Tls, b"220 mail.example.test ESMTP\r\n", true).await;
    assert!(matches!(error, ProbeError::Tls(rustls::Error::InvalidMessage(_))), "{error:?}");
}

#[tokio::test]
async fn words_before_tls_are_not_carried_into_it() {
    let injected = b"220 x\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n250 injected\r\n";
    assert_eq!(fault(Manner::Smtp, injected, true).await, ProbeError::Protocol(Fault::Early));
}

#[tokio::test]
async fn endless_talk_comes_to_an_end() {
    static ENDLESS: [u8; 2 * MOST] = [b'-'; 2 * MOST];
    for manner in [Manner::Imap, Manner::Smtp, Manner::Sieve] {
        assert_eq!(fault(manner, &ENDLESS, true).await, ProbeError::Protocol(Fault::TooMuch), "{manner:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_waited_for_ten_seconds() {
    let start = tokio::time::Instant::now();
    assert_eq!(fault(Manner::Smtp, b"", true).await, ProbeError::TimedOut);
    assert_eq!(start.elapsed().as_secs(), TIMEOUT.as_secs());
}
