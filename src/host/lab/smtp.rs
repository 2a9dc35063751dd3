//! A mail server that offers STARTTLS and forgets every message: as much of SMTP as clients need to try their TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::super::identity::provider;

/// The longest line of a command (RFC 5321 §4.5.3.1.4), and much longer than one of a message.
const LINE: u64 = 2_048;
/// How long a session may take.
const SESSION: Duration = Duration::from_mins(5);

/// A running server, which ends with its runtime.
pub(super) struct MailServer {
    presented: Arc<Presented>,
}

/// What new clients are shown.
#[derive(Debug)]
struct Presented(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Presented {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl MailServer {
    /// Listens at `address`, and presents `certified`.
    pub(super) fn start(
        runtime: &Handle,
        address: SocketAddr,
        certified: Arc<CertifiedKey>,
    ) -> Result<Self, io::Error> {
        let presented = Arc::new(Presented(ArcSwap::new(certified)));
        let config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&presented) as Arc<dyn ResolvesServerCert>);
        let listener = runtime.block_on(TcpListener::bind(address))?;
        runtime.spawn(accept(listener, TlsAcceptor::from(Arc::new(config))));
        Ok(Self { presented })
    }

    /// Presents this from now on.
    pub(super) fn present(&self, certified: Arc<CertifiedKey>) {
        self.presented.0.store(certified);
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            // How a session ends is its client's business.
            tokio::spawn(async move { timeout(SESSION, serve(stream, tls)).await });
        }
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 danelaw lab ESMTP\r\n").await?;
    if let End::StartTls = session(&mut stream, true).await? {
        // What came before TLS is not taken for protected (RFC 3207 §6).
        if stream.buffer().is_empty() {
            let mut stream = BufReader::new(tls.accept(stream.into_inner()).await?);
            session(&mut stream, false).await?;
            stream.shutdown().await?;
        }
    }
    Ok(())
}

/// How a session ended.
enum End {
    Quit,
    StartTls,
}

async fn session<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    offers_tls: bool,
) -> io::Result<End> {
    loop {
        let Some(line) = line(stream).await? else { return Ok(End::Quit) };
        let verb = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        let reply: &[u8] = match &verb.to_ascii_uppercase()[..] {
            b"EHLO" if offers_tls => b"250-danelaw lab\r\n250 STARTTLS\r\n",
            b"EHLO" | b"HELO" => b"250 danelaw lab\r\n",
            b"STARTTLS" if offers_tls => {
                stream.write_all(b"220 go ahead\r\n").await?;
                return Ok(End::StartTls);
            }
            b"MAIL" | b"RCPT" | b"RSET" | b"NOOP" => b"250 ok\r\n",
            b"DATA" => {
                stream.write_all(b"354 end with a dot\r\n").await?;
                stream.flush().await?;
                while line_of_message(stream).await? {}
                b"250 forgotten\r\n"
            }
            b"QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                stream.flush().await?;
                return Ok(End::Quit);
            }
            _ => b"502 not in the lab\r\n",
        };
        stream.write_all(reply).await?;
        stream.flush().await?;
    }
}

/// Whether there are more lines of the message.
async fn line_of_message<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<bool> {
    Ok(line(stream).await?.is_some_and(|line| line != b".\r\n"))
}

/// The next line with its end, or as much of it as a line may have; nothing at the end of the connection.
async fn line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let count = stream.take(LINE).read_until(b'\n', &mut line).await?;
    Ok((count > 0).then_some(line))
}
