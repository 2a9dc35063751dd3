//! The HTTP API on the control socket: what the command line asks of the daemon.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /status` | [`Status`](crate::engine::Status) as JSON |
//! | `GET /metrics` | the same as [metrics](super::metrics) |
//! | `GET /dump/{zone}?unsigned=true` | the zone as text, one record a line |
//! | `GET /state` | a copy of the state as it is now, a redb database |
//! | `GET /diff/{zone}` | how it differs from its file, an array of [`Difference`](crate::engine::difference::Difference)s |
//! | `POST /reload?zone=NAME` | 200 when all is well, 409 with the reasons, one a line |
//! | `POST /next/{service}?force=true` | an array of [`NewKey`](super::next_requests::NewKey)s, or 409 with the reasons |
//! | `POST /notify/{zone}` | 200, or 404 for a zone that is not served |
//! | `GET /gate/{service}` | whether what its files hold may be deployed: [`GateStatus`](crate::engine::status::GateStatus), 200 if it may, 409 if not |
//! | `POST /gate/{service}?except=NAME` | the same for the certificate or public key in the body (PEM), nobody waiting for the named nameservers |
//! | `POST /key/{zone}` | rolls keys, or notes what a person saw at the parent (JSON, [`KeyOrder`]) |
//! | `POST /rollover/{service}?compromised=true` | withdraws the keys in use as soon as others are live, and says what that means |
//! | `GET /rollover/{service}` | what that would mean |
//!
//! [`listen.http`](super::http) has `/status`, `/metrics` and `GET /gate` alone, as it asks nobody who they are, and
//! `GET /.well-known/mta-sts.txt`: the MTA-STS policy of the domain that the request is for, which a web server passes
//! on. There alone `POST /tlsrpt` takes a report about TLS (RFC 8460), JSON or gzip, where `tls-reports` wants it.

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path as Segment, Query, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use http_body_util::channel::Channel;
use serde::Deserialize;
use tokio::net::UnixListener;
use tokio::sync::oneshot;

use super::daemon::Message;
use super::disk;
use super::metrics;
use super::policies;
use super::published::Published;
use super::traffic::Traffic;
use crate::answer::rate::{Counts, Kind, RateLimiter};
use crate::dns::name::Name;
use crate::dns::time::Timestamp;
use crate::engine::status::{LimitedStatus, ProcessStatus, RateLimitStatus};
use crate::engine::{Input, KeyOrder, Status};
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
    /// The state's directory.
    pub(super) state: PathBuf,
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

/// What anybody may read.
pub(super) fn readable() -> Router<Api> {
    Router::new()
        .route("/status", get(status))
        .route("/metrics", get(scrape))
        .route(policies::PATH, get(policy))
        .route("/gate/{service}", get(gate))
}

fn router(api: Api) -> Router {
    readable()
        .route("/dump/{zone}", get(dump))
        .route("/diff/{zone}", get(diff))
        .route("/state", get(copy_state))
        .route("/key/{zone}", post(key))
        .route("/reload", post(reload))
        .route("/next/{service}", post(next))
        .route("/notify/{zone}", post(notify))
        .route("/gate/{service}", post(ask_gate))
        .route("/rollover/{service}", get(cost_of_compromise).post(compromise))
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

async fn policy(State(api): State<Api>, uri: Uri, headers: HeaderMap) -> Response {
    match api.published.policies().find(&uri, &headers) {
        Some(policy) => ([(CONTENT_TYPE, policies::MEDIA_TYPE)], policy).into_response(),
        None => (StatusCode::NOT_FOUND, "no policy of this host\n").into_response(),
    }
}

/// Asks the engine's thread; `None` when the daemon is about to end.
async fn ask<T>(api: &Api, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    api.engine.send(message(reply)).ok()?;
    answer.await.ok()
}

/// What the engine says, and what it cannot know.
async fn report(api: &Api) -> Option<Status> {
    let mut status = ask(api, Message::Status).await?;
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

async fn copy_state(State(api): State<Api>) -> Response {
    let Some(moment) = ask(&api, Message::CopyState).await else { return stopping() };
    let copied = tokio::task::spawn_blocking(move || {
        let moment = moment.map_err(|error| error.to_string())?;
        let mut file = disk::copy(&moment, &api.state).map_err(|error| error.to_string())?;
        let length = file.seek(SeekFrom::End(0)).and_then(|end| file.rewind().map(|()| end));
        length.map(|length| (file, length)).map_err(|error| error.to_string())
    });
    let Ok(copied) = copied.await else { return stopping() };
    let (mut file, length) = match copied {
        Ok(copied) => copied,
        Err(reason) => return (StatusCode::INTERNAL_SERVER_ERROR, reason + "\n").into_response(),
    };
    let (mut sender, body) = Channel::<Bytes>::new(4);
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        loop {
            let mut chunk = vec![0; CHUNK];
            // What breaks off is shorter than was said before, which the other end sees.
            let Ok(read @ 1..) = file.read(&mut chunk) else { return };
            chunk.truncate(read);
            if runtime.block_on(sender.send_data(chunk.into())).is_err() {
                return;
            }
        }
    });
    ([(CONTENT_LENGTH, length)], Body::new(body)).into_response()
}

/// How much of a file is sent at a time.
const CHUNK: usize = 1 << 16;

async fn diff(State(api): State<Api>, Segment(zone): Segment<String>) -> Response {
    let zone = match zone_name(&zone) {
        Ok(zone) => zone,
        Err(refusal) => return refusal.into_response(),
    };
    match ask(&api, |reply| Message::Differences { zone: zone.clone(), reply }).await {
        Some(Some(differences)) => Json(differences).into_response(),
        Some(None) => {
            (StatusCode::NOT_FOUND, format!("zone {zone} is not in the configuration\n")).into_response()
        }
        None => stopping(),
    }
}

async fn gate(State(api): State<Api>, Segment(service): Segment<String>) -> Response {
    at_gate(&api, service, None, BTreeSet::new()).await
}

#[derive(Deserialize)]
struct GateQuery {
    /// Names with commas between them.
    #[serde(default)]
    except: String,
}

async fn ask_gate(
    State(api): State<Api>,
    Segment(service): Segment<String>,
    Query(query): Query<GateQuery>,
    body: Bytes,
) -> Response {
    let except = query.except.split(',').filter(|name| !name.is_empty()).map(Arc::from).collect();
    let wanted = (!body.is_empty()).then(|| Arc::from(&body[..]));
    at_gate(&api, service, wanted, except).await
}

async fn at_gate(
    api: &Api,
    service: String,
    wanted: Option<Arc<[u8]>>,
    except: BTreeSet<Arc<str>>,
) -> Response {
    let unknown = no_service(&service);
    match ask(api, |reply| Message::Gate { service, wanted, except, reply }).await {
        Some(Some(Err(strangers))) => (StatusCode::BAD_REQUEST, format!("{strangers}\n")).into_response(),
        Some(Some(Ok(status))) => {
            let code = if status.open { StatusCode::OK } else { StatusCode::CONFLICT };
            (code, Json(status)).into_response()
        }
        Some(None) => unknown.into_response(),
        None => stopping(),
    }
}

#[derive(Deserialize)]
struct RolloverQuery {
    #[serde(default)]
    compromised: bool,
}

async fn cost_of_compromise(State(api): State<Api>, Segment(service): Segment<String>) -> Response {
    withdraw(&api, service, false).await
}

async fn compromise(
    State(api): State<Api>,
    Segment(service): Segment<String>,
    Query(query): Query<RolloverQuery>,
) -> Response {
    withdraw(&api, service, query.compromised).await
}

async fn withdraw(api: &Api, service: String, confirmed: bool) -> Response {
    let unknown = no_service(&service);
    match ask(api, |reply| Message::Compromised { service, confirmed, reply }).await {
        Some(Some(cost)) => (StatusCode::OK, cost + "\n").into_response(),
        Some(None) => unknown.into_response(),
        None => stopping(),
    }
}

async fn key(
    State(api): State<Api>,
    Segment(zone): Segment<String>,
    Json(order): Json<KeyOrder>,
) -> Response {
    let zone = match zone_name(&zone) {
        Ok(zone) => zone,
        Err(refusal) => return refusal.into_response(),
    };
    match ask(&api, |reply| Message::Key { zone: zone.clone(), order, reply }).await {
        Some(Some(Ok(said))) => (StatusCode::OK, said + "\n").into_response(),
        Some(Some(Err(reason))) => (StatusCode::CONFLICT, format!("{zone}: {reason}\n")).into_response(),
        Some(None) => {
            (StatusCode::NOT_FOUND, format!("zone {zone} is not in the configuration\n")).into_response()
        }
        None => stopping(),
    }
}

fn no_service(service: &str) -> Refusal {
    (StatusCode::NOT_FOUND, format!("service `{service}` is not in the configuration\n"))
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
    match ask(&api, |reply| Message::Reload { zone, reply }).await {
        Some(problems) if problems.is_empty() => (StatusCode::OK, "").into_response(),
        Some(problems) => (StatusCode::CONFLICT, problems.join("\n") + "\n").into_response(),
        None => stopping(),
    }
}

#[derive(Deserialize)]
struct NextQuery {
    #[serde(default)]
    force: bool,
}

async fn next(
    State(api): State<Api>,
    Segment(service): Segment<String>,
    Query(query): Query<NextQuery>,
) -> Response {
    match ask(&api, |reply| Message::Next { service: service.clone(), force: query.force, reply }).await {
        Some(Some(Ok(made))) => Json(made).into_response(),
        Some(Some(Err(reason))) => {
            (StatusCode::CONFLICT, format!("service {service}: {reason}\n")).into_response()
        }
        Some(None) => no_service(&service).into_response(),
        None => stopping(),
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
