//! The listening sockets: UDP and TCP at each address of `listen.dns`.

use std::net::SocketAddr;

use tokio::runtime::Runtime;

use super::daemon::StartError;
use super::published::Published;
use super::tcp::TcpServer;
use super::udp::UdpServer;
use crate::config::Config;

/// All servers, until they are stopped.
pub(super) struct Servers {
    udp: Vec<UdpServer>,
    tcp: Vec<TcpServer>,
}

impl Servers {
    /// Opens every socket, or says which one cannot be had.
    pub(super) fn start(
        config: &Config,
        published: &Published,
        runtime: &Runtime,
    ) -> Result<Self, StartError> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut servers = Self { udp: Vec::new(), tcp: Vec::new() };
        let failed = |address: SocketAddr, protocol: &str| {
            let what = format!("{protocol} {address}");
            move |source| StartError::Socket { what, source }
        };
        for &address in &config.listen.dns {
            let tcp = TcpServer::start(address, published.zones(), runtime.handle());
            servers.tcp.push(tcp.map_err(failed(address, "TCP"))?);
            let udp = UdpServer::start(address, threads, published.zones());
            servers.udp.push(udp.map_err(failed(address, "UDP"))?);
        }
        Ok(servers)
    }

    /// Ends them all.
    pub(super) fn stop(self) {
        self.tcp.into_iter().for_each(TcpServer::stop);
        self.udp.into_iter().for_each(UdpServer::stop);
    }
}
