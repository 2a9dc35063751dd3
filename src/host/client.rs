//! The command line's end of the control socket.

use std::path::Path;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
pub use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// Why the daemon gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no daemon answers at {socket}: {source}; is `danelaw run` running with this configuration?")]
    NoDaemon {
        /// The control socket.
        socket: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is about to end.
    #[error("the daemon is stopping")]
    Stopping,
    /// The connection broke.
    #[error("the daemon's answer broke off: {0}")]
    Broken(#[from] hyper::Error),
    /// The request could not be made.
    #[error("request: {0}")]
    Request(#[from] hyper::http::Error),
    /// The output could not be written.
    #[error("output: {0}")]
    Output(#[from] std::io::Error),
}

/// How long somebody waits.
pub struct Patience(Option<Instant>);

impl Patience {
    /// So long from now, or for ever.
    pub fn until(timeout: Option<Duration>) -> Self {
        Self(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    /// Lets time pass; `false` when there is none left.
    pub fn pause(&self, pause: Duration) -> bool {
        let left = self.0.map(|end| end.saturating_duration_since(Instant::now()));
        std::thread::sleep(left.map_or(pause, |left| left.min(pause)));
        left != Some(Duration::ZERO)
    }
}

/// Sends one request without a body and copies the answer to `output`.
pub fn request(
    socket: &Path,
    method: &Method,
    path: &str,
    output: &mut dyn std::io::Write,
) -> Result<StatusCode, ClientError> {
    request_with(socket, method, path, Vec::new(), output)
}

/// Sends one request, whose body is JSON if there is one, and copies the body of the answer to `output` as it comes.
pub fn request_with(
    socket: &Path,
    method: &Method,
    path: &str,
    body: Vec<u8>,
    output: &mut dyn std::io::Write,
) -> Result<StatusCode, ClientError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stream = UnixStream::connect(socket)
            .await
            .map_err(|source| ClientError::NoDaemon { socket: socket.display().to_string(), source })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "danelaw")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let mut response = sender.send_request(request).await?;
        while let Some(frame) = response.frame().await {
            if let Some(data) = frame?.data_ref() {
                output.write_all(data)?;
            }
        }
        connection.abort();
        Ok(response.status())
    })
}
