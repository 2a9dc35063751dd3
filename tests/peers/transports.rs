//! One answer, whichever way it goes: UDP, TCP, TLS, HTTPS and QUIC, asked by kdig, dig, OpenSSL, and clients that
//! break the rules.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::{Child, Stdio};
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, VarInt};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

use super::certificate::{Certificate, expired};
use super::danelaw::Danelaw;
use super::program::{command, output, stdout, text};
use super::secondary::ZONE;
use super::wait::until;

/// `www.example.test A` without EDNS, its length in front; a CNAME leads to the apex.
const QUERY: &[u8] = b"\0\x22\0\0\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x04test\0\0\x01\0\x01";
/// One question of each kind that fits into one datagram.
const QUESTIONS: [(&str, &str); 10] = [
    ("example.test", "SOA"),
    ("example.test", "MX"),
    ("example.test", "DNSKEY"),
    ("www.example.test", "A"),
    ("nothing.example.test", "A"),
    ("empty.example.test", "TXT"),
    ("any.shop.example.test", "A"),
    ("a.old.example.test", "A"),
    ("host.signed.example.test", "A"),
    ("elsewhere.example.org", "A"),
];

fn started() -> (Danelaw, Certificate) {
    let certificate = Certificate::new("ns1.example.test");
    (Danelaw::new().encrypted(&certificate).start(), certificate)
}

/// What a tool says to a question: rcode and all records, in no order, without the spaces that tools put into long
/// fields.
fn asked(tool: &str, port: u16, options: &[&str], name: &str, rtype: &str) -> Vec<String> {
    let mut run = command(tool);
    run.args(["@127.0.0.1", "-p", &port.to_string(), name, rtype, "+dnssec", "+norecurse", "+time=5"]);
    let said = stdout(run.args(options));
    let mut lines: Vec<String> = said
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(';'))
        .map(|line| line.split_whitespace().collect())
        .collect();
    lines.sort_unstable();
    // kdig speaks of a status of HTTP before.
    let status = said.split("HEADER<<-").nth(1).and_then(|head| head.split("status: ").nth(1));
    let status = status.and_then(|rest| rest.split([';', ',']).next());
    lines.push(status.unwrap_or_else(|| panic!("{tool} {options:?} got no answer:\n{said}")).to_owned());
    lines
}

#[test]
fn every_transport_gives_the_same_answer() {
    let (danelaw, _) = started();
    let (port, ports) = (danelaw.port(), danelaw.ports());
    for (name, rtype) in QUESTIONS {
        let udp = asked("dig", port, &["+notcp", "+ignore"], name, rtype);
        assert!(udp.len() > 1 || udp == ["REFUSED"], "{name} {rtype}: {udp:?}");
        let others: [(&str, u16, &[&str]); 9] = [
            ("dig", port, &["+tcp"]),
            ("dig", ports.tls, &["+tls"]),
            ("dig", ports.https, &["+https"]),
            ("dig", ports.https, &["+https-get"]),
            ("kdig", port, &["+notcp"]),
            ("kdig", ports.tls, &["+tls"]),
            ("kdig", ports.https, &["+https"]),
            ("kdig", ports.https, &["+https-get"]),
            ("kdig", ports.quic, &["+quic"]),
        ];
        for (tool, port, options) in others {
            let other = asked(tool, port, options, name, rtype);
            assert_eq!(other, udp, "{name} {rtype} by {tool} {options:?}");
        }
    }
}

#[tokio::test]
async fn without_edns_every_transport_carries_the_same_octets() {
    let (danelaw, _) = started();
    let ports = danelaw.ports();
    let plain = SocketAddr::from(([127, 0, 0, 1], danelaw.port()));
    let query = &QUERY[2..];

    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.send_to(query, plain).unwrap();
    let mut answer = [0; 512];
    let length = udp.recv(&mut answer).unwrap();
    let answer = &answer[..length];

    let mut tcp = TcpStream::connect(plain).unwrap();
    tcp.write_all(QUERY).unwrap();
    let mut by_tcp = vec![0; 2 + length];
    tcp.read_exact(&mut by_tcp).unwrap();
    assert_eq!(&by_tcp[2..], answer, "TCP");

    assert_eq!(Client::connect(ports.tls, &[]).ask(), answer, "TLS");

    let get = data_encoding::BASE64URL_NOPAD.encode(query);
    let get = format!("GET /dns-query?dns={get} HTTP/1.1\r\nHost: ns1\r\nConnection: close\r\n\r\n");
    let said = Client::connect(ports.https, &[]).exchange(get.as_bytes());
    let content = said.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(&said[content..], answer, "HTTPS");

    let (_endpoint, connection) = quic(ports.quic, b"doq").await.unwrap();
    assert_eq!(&on_a_stream(&connection, QUERY).await.unwrap()[2..], answer, "QUIC");
}

#[test]
fn a_zone_is_transferred_over_tls() {
    let (danelaw, _) = started();
    let mut run = command("dig");
    run.args(["@127.0.0.1", "-p", &danelaw.ports().tls.to_string(), "+tls", ZONE, "AXFR"]);
    let said = stdout(run.args(["+noall", "+answer", "+onesoa"]));
    let mut records: Vec<&str> =
        said.lines().filter(|line| !line.is_empty() && !line.starts_with(';')).collect();
    records[1..].sort_unstable();
    assert_eq!(records, danelaw.zone());
}

/// A connection by `openssl s_client` with these arguments, its streams ours.
struct Client(Child);

impl Client {
    fn connect(port: u16, arguments: &[&str]) -> Self {
        let mut run = command("openssl");
        run.args(["s_client", "-quiet", "-connect", &format!("127.0.0.1:{port}")]).args(arguments);
        Self(run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Sends a query, and takes its answer, which has to hold an address.
    #[track_caller]
    fn ask(&mut self) -> Vec<u8> {
        self.0.stdin.as_mut().unwrap().write_all(QUERY).unwrap();
        let received = self.0.stdout.as_mut().unwrap();
        let mut length = [0; 2];
        received.read_exact(&mut length).unwrap();
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        received.read_exact(&mut message).unwrap();
        assert_eq!(message[6..8], [0, 2], "CNAME and A");
        message
    }

    /// Sends a request, and takes everything that comes until the server closes.
    fn exchange(mut self, request: &[u8]) -> Vec<u8> {
        let mut said = Vec::new();
        self.0.stdin.as_mut().unwrap().write_all(request).unwrap();
        self.0.stdout.as_mut().unwrap().read_to_end(&mut said).unwrap();
        said
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The certificate that a new client is shown, in PEM without line breaks; nothing when the handshake fails.
fn presented(port: u16, arguments: &[&str]) -> Option<String> {
    let mut run = command("openssl");
    run.args(["s_client", "-connect", &format!("127.0.0.1:{port}")]).args(arguments);
    body(&text(&output(&mut run)))
}

/// The Base64 of the first certificate in some PEM.
fn body(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    Some(rest.split_once("-----END")?.0.split_whitespace().collect())
}

#[test]
fn a_renewed_certificate_is_presented_to_new_clients_while_old_connections_go_on() {
    let (mut danelaw, first) = started();
    let ports = danelaw.ports();
    let mut open = Client::connect(ports.tls, &["-alpn", "dot"]);
    open.ask();
    assert_eq!(presented(ports.tls, &[]), body(&first.chain));

    let second = Certificate::new("ns1.example.test");
    danelaw.present(&second.chain, &second.key);
    until("the new certificate is presented", || {
        (presented(ports.tls, &[]) == body(&second.chain)).then_some(())
    });
    assert_eq!(presented(ports.https, &["-alpn", "h2"]), body(&second.chain));
    open.ask();

    // What is broken changes nothing but the status.
    danelaw.write("server.pem", "-----BEGIN CERTIFICATE-----\nAAAA");
    danelaw.until_alarmed(&["server.pem", "broken PEM", "keep the certificate that they had"]);
    danelaw.present(&first.chain, &second.key);
    danelaw.until_alarmed(&["server.key", "does not belong to the certificate"]);
    assert_eq!(presented(ports.tls, &[]), body(&second.chain));
    let check = danelaw.cli(&["check"]);
    assert!(check.status.code() == Some(1) && text(&check).contains("server.key"), "{}", text(&check));
    danelaw.write("server.key", &first.key);
    danelaw.until_well();
    until("the first again", || (presented(ports.tls, &[]) == body(&first.chain)).then_some(()));
    open.ask();

    // DNS itself does not wait for TLS.
    danelaw.stop();
    danelaw.write("server.key", "");
    danelaw.restart();
    danelaw.until_alarmed(&["server.key", "no private key found", "refuse every client"]);
    assert_eq!(presented(ports.tls, &[]), None);
    danelaw.write("server.key", &first.key);
    until("TLS is back", || presented(ports.tls, &[]));
    danelaw.until_well();
}

#[test]
fn a_certificate_that_has_expired_is_presented_and_is_an_alarm() {
    let certificate = Certificate::new("ns1.example.test");
    let danelaw = Danelaw::new().encrypted(&certificate);
    let expired = expired(&certificate);
    danelaw.write("server.pem", &expired);
    let danelaw = danelaw.start();
    danelaw.until_alarmed(&["server.pem expired at 2020-02-01T00:00:00Z; clients", "refuse it"]);
    assert_eq!(presented(danelaw.ports().tls, &[]), body(&expired));
    let check = text(&danelaw.cli(&["check"]));
    assert!(check.contains("server.pem: warning: expired at 2020-02-01"), "{check}");
    danelaw.write("server.pem", &certificate.chain);
    danelaw.until_well();
}

#[test]
fn tls_is_what_clients_of_it_speak() {
    let (danelaw, _) = started();
    let port = danelaw.ports().tls;
    for arguments in [&["-tls1_2"][..], &["-tls1_3"], &["-alpn", "dot"], &[]] {
        Client::connect(port, arguments).ask();
    }
    for arguments in [&["-alpn", "h2"][..], &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]] {
        assert_eq!(presented(port, arguments), None, "{arguments:?}");
    }
}

#[test]
fn who_does_not_finish_the_handshake_has_a_connection_all_the_same() {
    let (danelaw, _) = started();
    let address = SocketAddr::from(([127, 0, 0, 1], danelaw.ports().tls));
    let mut silent: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut refused = TcpStream::connect(address).unwrap();
    assert!(matches!(refused.read(&mut [0]), Ok(0) | Err(_)), "closed at once");
    silent.pop();
    until("a place is free again", || presented(address.port(), &[]));
}

#[test]
fn http_errors_say_what_was_expected() {
    let (danelaw, _) = started();
    let port = danelaw.ports().https;
    let ask = |head: &str, content: &[u8]| {
        let length = content.len();
        let head = format!("{head}\r\nHost: ns1\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        let said =
            Client::connect(port, &["-alpn", "http/1.1"]).exchange(&[head.as_bytes(), content].concat());
        String::from_utf8_lossy(&said).into_owned()
    };
    let typed = |kind: &str| format!("POST /dns-query HTTP/1.1\r\nContent-Type: {kind}");
    let query = &QUERY[2..];
    let answer = ask(&typed("application/dns-message"), query).to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 200 "), "{answer}");
    assert!(answer.contains("\r\ncontent-type: application/dns-message\r\n"), "{answer}");
    assert!(answer.contains("\r\ncache-control: max-age=3600\r\n"), "{answer}");
    let get = data_encoding::BASE64URL_NOPAD.encode(query);
    let wrong: [(&str, &[u8], &str); 8] = [
        ("GET / HTTP/1.1", b"", "404"),
        ("PUT /dns-query HTTP/1.1", b"", "405"),
        ("GET /dns-query HTTP/1.1", b"", "400"),
        (&format!("GET /dns-query?dns={get}= HTTP/1.1"), b"", "400"),
        (&typed("text/plain"), query, "415"),
        (&typed("application/dns-message"), b"junk", "400"),
        (&typed("application/dns-message"), &vec![0; 65_536], "413"),
        // A response is no query.
        (&typed("application/dns-message"), b"\0\0\x80\0\0\0\0\0\0\0\0\0", "400"),
    ];
    for (head, content, status) in wrong {
        let answer = ask(head, content);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}");
    }
}

/// Accepts any certificate: it is the protocol that is looked at here.
#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("QUIC has TLS 1.3".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

async fn quic(port: u16, alpn: &[u8]) -> Result<(Endpoint, Connection), ConnectionError> {
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting))
        .with_no_client_auth();
    tls.alpn_protocols = vec![alpn.to_vec()];
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let connection = endpoint.connect_with(config, address, "ns1.example.test").unwrap().await?;
    Ok((endpoint, connection))
}

/// What comes back on a stream that carries `sent` and ends.
async fn on_a_stream(connection: &Connection, sent: &[u8]) -> Result<Vec<u8>, ConnectionError> {
    let (mut send, mut receive) = connection.open_bi().await?;
    let _ = send.write_all(sent).await;
    let _ = send.finish();
    match receive.read_to_end(70_000).await {
        Ok(received) => Ok(received),
        Err(_) => Err(connection.closed().await),
    }
}

#[tokio::test]
async fn quic_answers_each_stream_and_closes_on_those_who_break_the_rules() {
    let (danelaw, _) = started();
    let port = danelaw.ports().quic;
    let (_endpoint, connection) = quic(port, b"doq").await.unwrap();
    // A stream that is not done holds up none of those after it.
    let (mut slow, mut late) = connection.open_bi().await.unwrap();
    slow.write_all(&QUERY[..20]).await.unwrap();
    for _ in 0..200 {
        let answer = on_a_stream(&connection, QUERY).await.unwrap();
        assert_eq!((&answer[2..4], &answer[8..10]), (&[0, 0][..], &[0, 2][..]), "ID, CNAME and A");
        assert_eq!(usize::from(u16::from_be_bytes([answer[0], answer[1]])), answer.len() - 2);
    }
    slow.write_all(&QUERY[20..]).await.unwrap();
    slow.finish().unwrap();
    assert_eq!(late.read_to_end(70_000).await.unwrap()[8..10], [0, 2]);

    let mut with_id = QUERY.to_vec();
    with_id[3] = 1;
    let mut response = QUERY.to_vec();
    response[4] |= 0x80;
    // OPT with edns-tcp-keepalive (RFC 9250 §5.5.2).
    let mut keepalive = QUERY.to_vec();
    keepalive[13] = 1;
    keepalive.extend(b"\0\0\x29\x10\0\0\0\0\0\0\x04\0\x0b\0\0");
    keepalive[1] += 15;
    let cut = QUERY[..QUERY.len() - 1].to_vec();
    let breaches = [with_id, response, keepalive, QUERY.repeat(2), cut, vec![0], vec![0; 70_000]];
    for breach in breaches {
        let (_endpoint, connection) = quic(port, b"doq").await.unwrap();
        on_a_stream(&connection, QUERY).await.unwrap();
        match on_a_stream(&connection, &breach).await {
            Err(ConnectionError::ApplicationClosed(close)) => {
                assert_eq!(close.error_code, VarInt::from_u32(2), "DOQ_PROTOCOL_ERROR");
            }
            other => panic!("{breach:?}: {other:?}"),
        }
    }
    assert!(quic(port, b"h3").await.is_err());
}
