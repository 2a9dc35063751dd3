//! `listen.http`: pages that anybody may read, and reports about TLS (RFC 8460) that anybody may send.
//!
//! It has the limits of the other listeners: so many connections of one client and of all, and so long that each may
//! be quiet (the [`crowd`](super::crowd)). A request whose headers, or body, do not come within that time ends its
//! connection. A report is refused before any of it is read, if it is not wanted.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::control::{self, Api};
use super::crowd::{Crowd, Place};
use super::daemon::Message;
use super::reports::{self, MAX_SENT};
use crate::engine::Input;
use crate::engine::reports::{Report, ReportError};

/// Octets of a request's headers in all.
const MAX_HEADERS: usize = 16_384;
/// A report that has begun is there within this time.
const BODY: Duration = Duration::from_secs(10);

/// Serves the pages until the runtime stops.
pub(super) async fn serve(listener: TcpListener, api: Api) {
    let pages = control::readable().route(reports::PATH, post(take_report)).with_state(api);
    let crowd = Arc::new(Crowd::default());
    // What is in the set ends with it.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, most likely: others will close theirs.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(place) = crowd.enter(peer.ip()) else { continue };
        connections.spawn(converse(stream, Client(peer.ip()), pages.clone(), Arc::new(place)));
    }
}

/// Who asks.
#[derive(Clone, Copy)]
struct Client(IpAddr);

/// Answers the requests of one connection until the client closes, or has been quiet for too long.
async fn converse(stream: TcpStream, client: Client, pages: Router, place: Arc<Place>) {
    let _ = stream.set_nodelay(true);
    let pages = TowerToHyperService::new(pages);
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(client);
        let (pages, place) = (pages.clone(), Arc::clone(&place));
        async move {
            // Until the next request is whole nothing happens, in the sense of the place: that is the limit of headers.
            place.works();
            let response = pages.call(request).await;
            place.waits();
            response
        }
    });
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEADERS);
    let _ = place.while_lively(builder.serve_connection(TokioIo::new(stream), service)).await;
}

/// Why a report is not taken.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("no reports are taken here")]
    Closed,
    #[error("too many reports in this minute")]
    TooMany,
    #[error("too many reports at once")]
    TooManyAtOnce,
    #[error("larger than {MAX_SENT} octets")]
    TooLong,
    #[error("not there within {} seconds", BODY.as_secs())]
    Slow,
    #[error("broken off")]
    BrokenOff,
    #[error("{0}")]
    NoReport(#[from] ReportError),
    #[error("danelaw is stopping")]
    Stopping,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Closed => StatusCode::NOT_FOUND,
            Self::TooMany | Self::TooManyAtOnce => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLong | Self::NoReport(ReportError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::BrokenOff | Self::NoReport(_) => StatusCode::BAD_REQUEST,
            Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, format!("{self}\n")).into_response()
    }
}

/// RFC 8460 §5.4.
async fn take_report(
    State(api): State<Api>,
    Extension(Client(client)): Extension<Client>,
    request: Request<Body>,
) -> Result<(), Refusal> {
    let intake = api.published.intake();
    if !intake.is_open() {
        return Err(Refusal::Closed);
    }
    if !intake.reports.has_room(Instant::now()) {
        return Err(Refusal::TooMany);
    }
    let place = intake.bodies.enter(client).ok_or(Refusal::TooManyAtOnce)?;
    let octets = timeout(BODY, body(request)).await.map_err(|_| Refusal::Slow)??;
    // Who asks for the status meanwhile should not wait for a large report.
    let read = tokio::task::spawn_blocking(move || {
        // It takes memory until it has been read, even if its sender has gone.
        let _place = place;
        Report::read(&octets).map(Arc::new)
    });
    let report = read.await.map_err(|_| Refusal::Stopping)?;
    let (outcome, now) = (report.as_ref().map(|_| ()).map_err(|error| (*error).into()), Instant::now());
    if outcome.is_ok() && !intake.reports.admits(now) {
        return Err(Refusal::TooMany);
    }
    // However much junk there is, reports are taken, and the engine has other things to do than to count it.
    if outcome.is_ok() || intake.junk.admits(now) {
        api.engine.send(Message::Input(Input::TlsReport(report))).map_err(|_| Refusal::Stopping)?;
    }
    outcome
}

/// The whole body, unless it is too long.
async fn body(request: Request<Body>) -> Result<Bytes, Refusal> {
    let body = request.into_body();
    if body.size_hint().lower() > MAX_SENT as u64 {
        return Err(Refusal::TooLong);
    }
    match Limited::new(body, MAX_SENT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLong),
        Err(_) => Err(Refusal::BrokenOff),
    }
}

#[cfg(test)]
mod tests;
