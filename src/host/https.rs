//! DNS over HTTPS (RFC 8484): GET and POST at [`PATH`], by HTTP/2 or HTTP/1.1.
//!
//! The MTA-STS policies of mail domains (RFC 8461) are served here as well.
//!
//! A response's octets are those that any other transport carries. How long a cache may keep it is in
//! `Cache-Control`.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use data_encoding::BASE64URL_NOPAD;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::crowd::{FAREWELL, Place};
use super::policies::{self, Policies};
use super::traffic::Tally;
use super::workshop;
use crate::answer::Zones;
use crate::dns::message::reader::Malformed;
use crate::dns::message::{HEADER, MAX_MESSAGE, Reader};
use crate::dns::rtype::Rtype;

/// Where DNS is, as clients expect it.
pub const PATH: &str = "/dns-query";
/// HTTP/2 (RFC 9113 §3.2) and HTTP/1.1 (RFC 7301 §6) among the protocols of TLS.
pub(super) const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];
const MEDIA_TYPE: &str = "application/dns-message";
/// Requests at once on a connection; each may hold a response until it is taken.
const MAX_STREAMS: u32 = 32;
/// Headers in all of a request. A query in a URL takes few more than its name.
const MAX_HEADERS: u32 = 16_384;

/// Why a request gets no DNS response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("nothing here, expected {PATH}")]
    Path,
    #[error("no policy of this host")]
    Host,
    #[error("expected GET")]
    PolicyMethod,
    #[error("expected GET or POST")]
    Method,
    #[error("expected ?dns= with the query in Base64url without padding")]
    Parameter,
    #[error("expected content of type {MEDIA_TYPE}")]
    MediaType,
    #[error("expected at most {MAX_MESSAGE} octets")]
    TooLong,
    #[error("expected a DNS query")]
    NoQuery,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Path | Self::Host => StatusCode::NOT_FOUND,
            Self::Method | Self::PolicyMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Parameter | Self::NoQuery => StatusCode::BAD_REQUEST,
        }
    }
}

/// Answers the requests of one connection until the client closes, or has been quiet for too long.
pub(super) async fn converse(
    stream: TlsStream<TcpStream>,
    peer: IpAddr,
    zones: &Arc<ArcSwap<Zones>>,
    policies: &Arc<Policies>,
    tally: &Arc<Tally>,
    place: &Arc<Place>,
) {
    let service = service_fn(|request| {
        let (zones, tally, place) = (Arc::clone(zones), Arc::clone(tally), Arc::clone(place));
        let policies = Arc::clone(policies);
        async move {
            place.works();
            let response = if request.uri().path() == policies::PATH {
                policy(&request, &policies)
            } else {
                respond(request, peer, &zones, &tally).await.map(carry)
            };
            place.waits();
            Ok::<_, Infallible>(response.unwrap_or_else(refuse))
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(MAX_HEADERS as usize);
    builder
        .http2()
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADERS)
        .max_send_buf_size(MAX_MESSAGE);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    if place.while_lively(connection.as_mut()).await.is_none() {
        // RFC 9113 §6.8: whoever is about to ask learns that it was not heard, and may ask again.
        connection.as_mut().graceful_shutdown();
        let _ = timeout(FAREWELL, connection).await;
    }
}

async fn respond(
    request: Request<Incoming>,
    peer: IpAddr,
    zones: &ArcSwap<Zones>,
    tally: &Tally,
) -> Result<Vec<u8>, Refusal> {
    let query = query(request).await?;
    workshop::exchange(&query, peer, zones, tally).ok_or(Refusal::NoQuery)
}

/// The DNS message in a request (RFC 8484 §4.1).
async fn query(request: Request<Incoming>) -> Result<Bytes, Refusal> {
    if request.uri().path() != PATH {
        return Err(Refusal::Path);
    }
    match *request.method() {
        Method::GET => {
            let mut parameters = request.uri().query().unwrap_or("").split('&');
            let query = parameters.find_map(|parameter| parameter.strip_prefix("dns="));
            let query = query.ok_or(Refusal::Parameter)?;
            BASE64URL_NOPAD.decode(query.as_bytes()).map(Bytes::from).map_err(|_| Refusal::Parameter)
        }
        Method::POST => {
            // A client may add parameters to the type, which has none.
            let given = request.headers().get(CONTENT_TYPE).and_then(|given| given.to_str().ok());
            let given = given.and_then(|given| given.split(';').next());
            if !given.is_some_and(|given| given.trim().eq_ignore_ascii_case(MEDIA_TYPE)) {
                return Err(Refusal::MediaType);
            }
            let body = Limited::new(request.into_body(), MAX_MESSAGE).collect().await;
            body.map(http_body_util::Collected::to_bytes).map_err(|_| Refusal::TooLong)
        }
        _ => Err(Refusal::Method),
    }
}

/// The MTA-STS policy of the domain whose host is asked.
fn policy(request: &Request<Incoming>, policies: &Policies) -> Result<Response<Full<Bytes>>, Refusal> {
    if *request.method() != Method::GET {
        return Err(Refusal::PolicyMethod);
    }
    let policy = policies.find(request.uri(), request.headers()).ok_or(Refusal::Host)?;
    let mut response = Response::new(Full::from(policy));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(policies::MEDIA_TYPE));
    Ok(response)
}

fn carry(message: Vec<u8>) -> Response<Full<Bytes>> {
    let freshness = format!("max-age={}", freshness(&message).unwrap_or(0));
    let mut response = Response::new(Full::from(message));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    if let Ok(freshness) = HeaderValue::try_from(freshness) {
        response.headers_mut().insert(CACHE_CONTROL, freshness);
    }
    response
}

fn refuse(refusal: Refusal) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{refusal}\n")));
    *response.status_mut() = refusal.status();
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    let allowed = match refusal {
        Refusal::Method => Some("GET, POST"),
        Refusal::PolicyMethod => Some("GET"),
        _ => None,
    };
    if let Some(allowed) = allowed {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    }
    response
}

/// For how many seconds a response may be kept (RFC 8484 §5.1): the smallest TTL of its answer, or what the SOA
/// record says of negative answers (RFC 2308 §5). What has neither is for once.
fn freshness(message: &[u8]) -> Result<u32, Malformed> {
    let mut counts = Reader::new(message, 4);
    let (questions, answers, authorities) = (counts.u16()?, counts.u16()?, counts.u16()?);
    let mut reader = Reader::new(message, HEADER);
    for _ in 0..questions {
        reader.question()?;
    }
    let mut least = None;
    for _ in 0..answers {
        least = Some(reader.record()?.ttl.min(least.unwrap_or(u32::MAX)));
    }
    if let Some(least) = least {
        return Ok(least);
    }
    for _ in 0..authorities {
        let record = reader.record()?;
        if record.rtype == Rtype::SOA {
            let minimum = record.rdata.last_chunk().map_or(0, |minimum| u32::from_be_bytes(*minimum));
            return Ok(minimum.min(record.ttl));
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A response with these records: section (1 or 2), type, TTL, the last four octets of the rdata.
    fn response(records: &[(u8, u16, u32, u32)]) -> Vec<u8> {
        let count = |section| records.iter().filter(|(of, ..)| *of == section).count() as u8;
        let mut message = vec![0, 0, 0x80, 0, 0, 1, 0, count(1), 0, count(2), 0, 0];
        message.extend(b"\x01x\0\0\x01\0\x01");
        for (_, rtype, ttl, last) in records {
            message.extend(b"\xc0\x0c");
            message.extend(rtype.to_be_bytes());
            message.extend(b"\0\x01");
            message.extend(ttl.to_be_bytes());
            message.extend(b"\0\x04");
            message.extend(last.to_be_bytes());
        }
        message
    }

    #[test]
    fn a_response_is_fresh_for_its_smallest_ttl_or_as_long_as_the_soa_record_says() {
        let fresh = |records| freshness(&response(records));
        assert_eq!(fresh(&[(1, 1, 300, 0), (1, 46, 60, 0), (2, 6, 5, 5)]), Ok(60));
        assert_eq!(fresh(&[(2, 47, 10, 0), (2, 6, 3_600, 900)]), Ok(900));
        assert_eq!(fresh(&[(2, 6, 60, 900)]), Ok(60));
        // A referral, and a refusal.
        assert_eq!(fresh(&[(2, 2, 3_600, 0)]), Ok(0));
        assert_eq!(fresh(&[]), Ok(0));
        assert_eq!(freshness(&response(&[(1, 1, 300, 0)])[..20]), Err(Malformed));
    }
}
