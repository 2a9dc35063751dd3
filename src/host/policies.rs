//! The MTA-STS policies of mail domains (RFC 8461 §3.3), each under the host that senders ask for it.

use std::collections::BTreeMap;

use arc_swap::ArcSwap;
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::http::Uri;

use crate::config::Config;
use crate::dns::name::Name;
use crate::engine::policy;

/// Where senders look for a policy.
pub(super) const PATH: &str = "/.well-known/mta-sts.txt";
pub(super) const MEDIA_TYPE: &str = "text/plain; charset=utf-8";

/// What is served, replaced as a whole.
#[derive(Default)]
pub struct Policies(ArcSwap<BTreeMap<Name, Bytes>>);

impl Policies {
    /// Serves the policies of these domains from now on. Records follow when they are signed: RFC 8461 §8.1 wants the
    /// policy to be there before them.
    pub(super) fn configure(&self, config: &Config) {
        let policies = config.domains.values().filter_map(|domain| domain.mta_sts.as_ref());
        let policies = policies.map(|mta_sts| (mta_sts.host.clone(), Bytes::from(policy(mta_sts))));
        self.0.store(policies.collect::<BTreeMap<_, _>>().into());
    }

    /// The policy that a request is for: HTTP/2 names the host in the URI, HTTP/1.1 in a header.
    pub(super) fn find(&self, uri: &Uri, headers: &HeaderMap) -> Option<Bytes> {
        let host = uri.host().or_else(|| headers.get(HOST)?.to_str().ok())?;
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        self.0.load().get(&Name::parse(host).ok()?).cloned()
    }
}
