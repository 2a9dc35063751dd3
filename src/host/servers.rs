//! The listening sockets, one server for each address of `listen`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use rustls::version::{TLS12, TLS13};
use tokio::runtime::Runtime;

use super::client_certificates;
use super::daemon::{Message, StartError};
use super::https;
use super::identity::Identity;
use super::published::Published;
use super::quic::{self, QuicServer};
use super::tcp::{Layers, TcpServer};
use super::traffic::Traffic;
use super::udp::UdpServer;
use super::watch::Watcher;
use crate::config::Config;
use crate::engine::Input;

/// DNS over TLS among the protocols of TLS (RFC 7858 §3.1, RFC 9103 §7.1).
pub(super) const DOT: &[u8] = b"dot";

/// All servers, until they are stopped.
#[derive(Default)]
pub(super) struct Servers {
    udp: Vec<UdpServer>,
    tcp: Vec<TcpServer>,
    quic: Vec<QuicServer>,
    /// Looks after the certificate of the encrypted ones.
    watcher: Option<Watcher>,
}

impl Servers {
    /// Opens every socket, or says which one cannot be had. What is wrong with the certificate is told to `engine`.
    pub(super) fn start(
        config: &Config,
        published: &Published,
        traffic: &Traffic,
        runtime: &Runtime,
        engine: Sender<Message>,
    ) -> Result<Self, StartError> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut servers = Self::default();
        let (listen, zones, runtime) = (&config.listen, published.zones(), runtime.handle());
        let failed = |address: SocketAddr, protocol: &str| {
            let what = format!("{protocol} {address}");
            move |source| StartError::Socket { what, source }
        };
        for &address in &listen.dns {
            let tcp = TcpServer::start(address, Layers::Dns, zones, traffic, runtime);
            servers.tcp.push(tcp.map_err(failed(address, "TCP"))?);
            let udp = UdpServer::start(address, threads, zones, traffic);
            servers.udp.push(udp.map_err(failed(address, "UDP"))?);
        }
        let Some(files) = &listen.certificate else { return Ok(servers) };
        let (identity, watcher) = Identity::watch(files, runtime, move |presented, problem| {
            let _ = engine.send(Message::Input(Input::ServerCertificate { presented, problem }));
        })?;
        servers.watcher = Some(watcher);
        let clients = listen.client_ca.as_deref().map(client_certificates::verifier).transpose()?;
        let tls = Arc::new(identity.tls(&[&TLS13, &TLS12], &[DOT], clients)?);
        for &address in &listen.tls {
            let tls = TcpServer::start(address, Layers::Tls(Arc::clone(&tls)), zones, traffic, runtime);
            servers.tcp.push(tls.map_err(failed(address, "TLS"))?);
        }
        let tls = Arc::new(identity.tls(&[&TLS13, &TLS12], &https::ALPN, None)?);
        for &address in &listen.https {
            let https = TcpServer::start(
                address,
                Layers::Https(Arc::clone(&tls), Arc::clone(published.policies())),
                zones,
                traffic,
                runtime,
            );
            servers.tcp.push(https.map_err(failed(address, "HTTPS"))?);
        }
        for &address in &listen.quic {
            let tls = identity.tls(&[&TLS13], &[quic::DOQ], None)?;
            let quic = QuicServer::start(address, tls, zones, traffic, runtime);
            servers.quic.push(quic.map_err(failed(address, "QUIC"))?);
        }
        Ok(servers)
    }

    /// Ends them all.
    pub(super) fn stop(self) {
        drop(self.watcher);
        self.quic.into_iter().for_each(QuicServer::stop);
        self.tcp.into_iter().for_each(TcpServer::stop);
        self.udp.into_iter().for_each(UdpServer::stop);
    }
}
