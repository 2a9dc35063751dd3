//! The HTTP API on the control socket: what the command line asks of the daemon.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /status` | [`Status`](crate::engine::Status) as JSON |
//! | `GET /metrics` | the same as [metrics](super::metrics) |
//! | `GET /dump/{zone}?unsigned=true` | the zone as text, one record a line |
//! | `GET /diff/{zone}` | how it differs from its file, an array of [`Difference`](crate::engine::difference::Difference)s |
//! | `POST /reload?zone=NAME` | 200 when all is well, 409 with the reasons, one a line |
//! | `POST /notify/{zone}` | 200, or 404 for a zone that is not served |
//!
//! `listen.http` has the first two of these alone: it asks nobody who they are.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path as Segment, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use http_body_util::channel::Channel;
use serde::Deserialize;
use tokio::net::UnixListener;
use tokio::sync::oneshot;

use super::daemon::Message;
use super::metrics;
use super::published::Published;
use super::traffic::Traffic;
use crate::answer::rate::{Counts, Kind, RateLimiter};
use crate::dns::name::Name;
use crate::dns::time::Timestamp;
use crate::engine::status::{LimitedStatus, ProcessStatus, RateLimitStatus};
use crate::engine::{Input, Status};
use crate::zone::Snapshot;
use crate::zone::text;

/// What the handlers need.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) engine: Sender<Message>,
    pub(super) published: Arc<Published>,
    pub(super) traffic: Arc<Traffic>,
    /// When the process was started.
    pub(super) started: Timestamp,
}

/// Serves the API until the runtime stops.
pub(super) async fn serve(listener: UnixListener, api: Api) {
    if let Err(error) = axum::serve(listener, router(api)).await {
        tracing::error!("control socket: {error}");
    }
}

/// A socket that only the daemon's user can open. Needs a runtime.
pub(super) fn bind(socket: &Path) -> std::io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    // The state's lock is ours, so a socket that is there is a dead daemon's.
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves what anybody may read, on `listen.http`.
pub(super) async fn serve_http(listener: tokio::net::TcpListener, api: Api) {
    if let Err(error) = axum::serve(listener, readable().with_state(api)).await {
        tracing::error!("listen.http: {error}");
    }
}

/// What anybody may read.
fn readable() -> Router<Api> {
    Router::new().route("/status", get(status)).route("/metrics", get(scrape))
}

fn router(api: Api) -> Router {
    readable()
        .route("/dump/{zone}", get(dump))
        .route("/diff/{zone}", get(diff))
        .route("/reload", post(reload))
        .route("/notify/{zone}", post(notify))
        .with_state(api)
}

/// The daemon is about to end.
fn stopping() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "danelaw is stopping\n").into_response()
}

async fn status(State(api): State<Api>) -> Response {
    report(&api).await.map_or_else(stopping, |status| Json(status).into_response())
}

async fn scrape(State(api): State<Api>) -> Response {
    let text = report(&api).await.map(|status| metrics::text(&status));
    text.map_or_else(stopping, |text| ([(CONTENT_TYPE, metrics::MEDIA_TYPE)], text).into_response())
}

/// What the engine says, and what it cannot know.
async fn report(api: &Api) -> Option<Status> {
    let (reply, answer) = oneshot::channel();
    api.engine.send(Message::Status(reply)).ok()?;
    let mut status = answer.await.ok()?;
    status.process = Some(ProcessStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: api.started,
        traffic: api.traffic.status(),
    });
    status.rate_limit = api.published.zones().load().server().limiter.as_ref().map(limited);
    Some(status)
}

fn limited(limiter: &RateLimiter) -> RateLimitStatus {
    let by_kind: Vec<_> = Kind::ALL
        .into_iter()
        .map(|kind| {
            let Counts { dropped, truncated } = limiter.counts(kind);
            LimitedStatus { kind: kind.to_string(), dropped, truncated }
        })
        .collect();
    RateLimitStatus {
        dropped: by_kind.iter().map(|kind| kind.dropped).sum(),
        truncated: by_kind.iter().map(|kind| kind.truncated).sum(),
        log_only: limiter.settings().log_only,
        by_kind,
    }
}

#[derive(Deserialize)]
struct DumpQuery {
    #[serde(default)]
    unsigned: bool,
}

async fn dump(
    State(api): State<Api>,
    Segment(zone): Segment<String>,
    Query(query): Query<DumpQuery>,
) -> Response {
    match served(&api, &zone) {
        Ok(snapshot) => {
            // A large zone is many megabytes of text: made on a thread that may take its time, sent as it is made.
            let (mut sender, body) = Channel::<Bytes>::new(4);
            let runtime = tokio::runtime::Handle::current();
            tokio::task::spawn_blocking(move || {
                let _ = text::chunks(&snapshot, query.unsigned, |chunk| {
                    runtime.block_on(sender.send_data(chunk.into())).map_err(|_| std::fmt::Error)
                });
            });
            Body::new(body).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn diff(State(api): State<Api>, Segment(zone): Segment<String>) -> Response {
    let zone = match zone_name(&zone) {
        Ok(zone) => zone,
        Err(refusal) => return refusal.into_response(),
    };
    let (reply, answer) = oneshot::channel();
    let asked = api.engine.send(Message::Differences { zone: zone.clone(), reply });
    match answer.await {
        Ok(Some(differences)) if asked.is_ok() => Json(differences).into_response(),
        Ok(None) => {
            (StatusCode::NOT_FOUND, format!("zone {zone} is not in the configuration\n")).into_response()
        }
        _ => stopping(),
    }
}

/// What is wrong with a request.
type Refusal = (StatusCode, String);

fn served(api: &Api, zone: &str) -> Result<Arc<Snapshot>, Refusal> {
    let origin = zone_name(zone)?;
    api.published
        .snapshot(&origin)
        .ok_or_else(|| (StatusCode::NOT_FOUND, format!("zone {origin} is not served\n")))
}

fn zone_name(zone: &str) -> Result<Name, Refusal> {
    Name::parse(zone).map_err(|error| (StatusCode::BAD_REQUEST, format!("zone `{zone}`: {error}\n")))
}

#[derive(Deserialize)]
struct ReloadQuery {
    zone: Option<String>,
}

async fn reload(State(api): State<Api>, Query(query): Query<ReloadQuery>) -> Response {
    let zone = match query.zone.as_deref().map(zone_name).transpose() {
        Ok(zone) => zone,
        Err(refusal) => return refusal.into_response(),
    };
    let (reply, answer) = oneshot::channel();
    if api.engine.send(Message::Reload { zone, reply }).is_err() {
        return stopping();
    }
    match answer.await {
        Ok(problems) if problems.is_empty() => (StatusCode::OK, "").into_response(),
        Ok(problems) => (StatusCode::CONFLICT, problems.join("\n") + "\n").into_response(),
        Err(_) => stopping(),
    }
}

async fn notify(State(api): State<Api>, Segment(zone): Segment<String>) -> Response {
    if let Err(refusal) = served(&api, &zone) {
        return refusal.into_response();
    }
    let Ok(zone) = zone_name(&zone) else { return stopping() };
    match api.engine.send(Message::Input(Input::NotifyAgain { zone })) {
        Ok(()) => (StatusCode::OK, "").into_response(),
        Err(_) => stopping(),
    }
}
