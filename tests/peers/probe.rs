//! What the probe sees of real services.

use danelaw::config::Manner;
use danelaw::dns::name::Name;
use danelaw::host::probe::{self, Presented, ProbeError, Signature, Target};
use data_encoding::BASE64;

use super::certificate::{Authority, Certificate};
use super::tls_server::TlsServer;

const HOST: &str = "mail.example.test";

fn look(server: &TlsServer, number: usize, manner: Manner) -> Result<Vec<Presented>, ProbeError> {
    look_for(server, number, manner, None)
}

fn look_for(
    server: &TlsServer,
    number: usize,
    manner: Manner,
    domain: Option<&str>,
) -> Result<Vec<Presented>, ProbeError> {
    let host = Name::parse(HOST).unwrap();
    let domain = domain.map(|domain| Name::parse(domain).unwrap());
    let target = Target {
        address: server.address(number),
        manner,
        host: host.as_ref(),
        domain: domain.as_ref().map(Name::as_ref),
        ehlo: host.as_ref(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(probe::look(&target))
}

/// The certificates of a PEM file in DER.
fn der(pem: &str) -> Vec<Vec<u8>> {
    let blocks = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
    let bodies =
        blocks.map(|block| block.split("-----END").next().unwrap().split_whitespace().collect::<String>());
    bodies.map(|body| BASE64.decode(body.as_bytes()).unwrap()).collect()
}

/// That exactly these chains are presented, each in all four handshakes that offer its kind of key.
#[track_caller]
fn presents(seen: &Result<Vec<Presented>, ProbeError>, expected: &[(&str, Signature)]) {
    let seen = seen.as_ref().unwrap();
    assert_eq!(seen.len(), expected.len(), "{seen:?}");
    for (presented, (chain, signature)) in seen.iter().zip(expected) {
        assert!(presented.chain == der(chain), "another chain than expected for {signature:?}");
        let all_of_them = presented.handshakes.iter().all(|handshake| handshake.signature == *signature);
        assert!(all_of_them && presented.handshakes.len() == 4, "{:?}", presented.handshakes);
    }
}

fn pair() -> (Certificate, Certificate) {
    (Certificate::new(HOST), Certificate::rsa(HOST))
}

#[test]
fn postfix_shows_both_of_its_certificates() {
    let (ecdsa, rsa) = pair();
    let server = TlsServer::postfix(&[&rsa, &ecdsa]);
    let both = [(&ecdsa.chain[..], Signature::Ecdsa), (&rsa.chain, Signature::Rsa)];
    presents(&look(&server, 0, Manner::Smtp), &both);
    // Another protocol's greeting is not taken for TLS, nor for its own.
    assert!(matches!(look(&server, 0, Manner::Tls), Err(ProbeError::Tls(_))));
    assert!(matches!(look(&server, 0, Manner::Imap), Err(ProbeError::Protocol(_))));
}

#[test]
fn dovecot_shows_both_of_its_certificates_in_three_protocols() {
    let (ecdsa, rsa) = pair();
    let server = TlsServer::dovecot(&ecdsa, &rsa);
    let both = [(&ecdsa.chain[..], Signature::Ecdsa), (&rsa.chain, Signature::Rsa)];
    for (number, manner) in [Manner::Imap, Manner::Pop3, Manner::Sieve].into_iter().enumerate() {
        presents(&look(&server, number, manner), &both);
    }
}

#[test]
fn openldap_shows_its_certificate() {
    let ecdsa = Certificate::new(HOST);
    let server = TlsServer::slapd(&ecdsa);
    presents(&look(&server, 0, Manner::Ldap), &[(&ecdsa.chain, Signature::Ecdsa)]);
}

#[test]
fn prosody_shows_its_certificate_to_clients_and_servers_of_its_domain() {
    let rsa = Certificate::rsa(HOST);
    let server = TlsServer::prosody("example.test", &rsa);
    for (number, manner) in [Manner::XmppClient, Manner::XmppServer].into_iter().enumerate() {
        let seen = look_for(&server, number, manner, Some("example.test"));
        presents(&seen, &[(&rsa.chain, Signature::Rsa)]);
        let Err(ProbeError::Protocol(fault)) = look(&server, number, manner) else {
            panic!("the host is no domain of its");
        };
        assert!(fault.to_string().contains("host-unknown"), "{fault}");
    }
}

#[test]
fn vsftpd_shows_both_of_its_certificates() {
    let (ecdsa, rsa) = pair();
    let server = TlsServer::vsftpd(&rsa, &ecdsa);
    let both = [(&ecdsa.chain[..], Signature::Ecdsa), (&rsa.chain, Signature::Rsa)];
    presents(&look(&server, 0, Manner::Ftp), &both);
}

#[test]
fn postgresql_shows_its_certificate() {
    let rsa = Certificate::rsa(HOST);
    let server = TlsServer::postgresql(&rsa);
    presents(&look(&server, 0, Manner::Postgres), &[(&rsa.chain, Signature::Rsa)]);
}

#[test]
fn a_server_that_was_given_no_certificate_offers_no_starttls() {
    let server = TlsServer::postfix(&[]);
    assert_eq!(look(&server, 0, Manner::Smtp), Err(ProbeError::NoStartTls));
}

#[test]
fn a_certificate_that_only_those_who_name_the_host_see_is_seen_and_so_is_the_other() {
    let (named, unnamed) = (Certificate::new(HOST), Certificate::new("default.example.test"));
    let (ecdsa, rsa) = pair();
    let sni = ["-servername", HOST, "-cert", "0.pem", "-key", "0.key", "-cert2", "1.pem", "-key2", "1.key"];
    let server = TlsServer::openssl(&[("0", &unnamed), ("1", &named)], &sni);
    let seen = look(&server, 0, Manner::Tls).unwrap();
    let chains: Vec<_> = seen.iter().map(|presented| presented.chain.clone()).collect();
    assert_eq!(chains, [der(&named.chain), der(&unnamed.chain)]);
    assert!(seen[0].handshakes.iter().all(|handshake| handshake.sni) && seen[0].handshakes.len() == 2);
    assert!(seen[1].handshakes.iter().all(|handshake| !handshake.sni) && seen[1].handshakes.len() == 2);

    let two = ["-cert", "0.pem", "-key", "0.key", "-dcert", "1.pem", "-dkey", "1.key"];
    let server = TlsServer::openssl(&[("0", &rsa), ("1", &ecdsa)], &two);
    let both = [(&ecdsa.chain[..], Signature::Ecdsa), (&rsa.chain, Signature::Rsa)];
    presents(&look(&server, 0, Manner::Tls), &both);
}

#[test]
fn the_chain_is_as_it_was_sent() {
    let authority = Authority::new();
    let (leaf, key) = authority.certify(HOST);
    let certificate = Certificate { chain: leaf.clone(), key, tlsa: String::new() };
    let issuer = Certificate { chain: authority.certificate().to_owned(), ..certificate.clone() };
    let server = TlsServer::openssl(
        &[("0", &certificate), ("1", &issuer)],
        &["-cert", "0.pem", "-key", "0.key", "-cert_chain", "1.pem"],
    );
    let seen = look(&server, 0, Manner::Tls);
    presents(&seen, &[(&(leaf + authority.certificate()), Signature::Ecdsa)]);
}

#[test]
fn who_wants_a_certificate_of_ours_has_shown_its_own() {
    // TLS 1.2 asks for it within the handshake, which then fails.
    let ecdsa = Certificate::new(HOST);
    let server = TlsServer::openssl(
        &[("0", &ecdsa)],
        &["-cert", "0.pem", "-key", "0.key", "-tls1_2", "-Verify", "1", "-verify_return_error"],
    );
    let seen = look(&server, 0, Manner::Tls).unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].chain.clone(), seen[0].handshakes.len()), (der(&ecdsa.chain), 2));
}

#[test]
fn a_certificate_of_version_1_is_seen_as_well() {
    let old = Certificate::version_1(HOST);
    let server = TlsServer::openssl(&[("0", &old)], &["-cert", "0.pem", "-key", "0.key"]);
    presents(&look(&server, 0, Manner::Tls), &[(&old.chain, Signature::Ecdsa)]);
}

#[test]
fn a_server_without_a_key_that_is_offered_refuses_every_handshake() {
    let ecdsa = Certificate::new(HOST);
    let server =
        TlsServer::openssl(&[("0", &ecdsa)], &["-cert", "0.pem", "-key", "0.key", "-sigalgs", "ECDSA+SHA1"]);
    assert!(matches!(look(&server, 0, Manner::Tls), Err(ProbeError::NoHandshake(_))));
}
