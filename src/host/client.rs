//! The command line's end of the control socket.

use std::path::Path;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
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

/// Sends one request and copies the body of the answer to `output` as it comes.
pub fn request(
    socket: &Path,
    method: &Method,
    path: &str,
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
            .body(Empty::<Bytes>::new())?;
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
