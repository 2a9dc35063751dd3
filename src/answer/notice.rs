//! NOTIFY (RFC 1996): a primary says that a zone has changed there.
//!
//! It is answered at once. What follows from it is for whoever listens.

use std::net::IpAddr;

use super::Transport;
use super::access::Peer;
use super::zones::Zones;
use crate::dns::message::{ExtendedError, Rcode, Request};
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::{CLASS_IN, Rtype};
use crate::dns::tsig::Session;
use crate::zone::Serial;

/// Is told which zones are said to have changed, and which have been sent. Must not wait for anything: it is called between two answers.
pub trait Listener: Send + Sync {
    /// Somebody at `from`, who may, says that `zone` has changed, and perhaps which serial it has.
    fn notified(&self, zone: NameRef<'_>, from: IpAddr, serial: Option<Serial>);

    /// A transfer has come to its end.
    fn sent(&self, sent: Sent);
}

/// A transfer that has come to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// The zone.
    pub zone: Name,
    /// To whom.
    pub to: IpAddr,
    /// The key that its messages were signed with.
    pub key: Option<Name>,
    /// The version.
    pub serial: Serial,
    /// The version that the changes apply to; `None` if all of the zone was sent.
    pub since: Option<Serial>,
    /// How many octets its messages had.
    pub octets: u64,
    /// How it went.
    pub transport: Transport,
}

/// Whether a NOTIFY is heard, or why not; who listens has been told then.
pub(super) fn judge(
    request: &Request<'_>,
    peer: Peer<'_>,
    session: Option<&Session>,
    zones: &Zones,
) -> Result<(), (Rcode, Option<ExtendedError>)> {
    let question = request.question;
    // RFC 1996 §3.10: a zone that is not here.
    let Some(zone) = zones.find(question.name).filter(|_| question.class == CLASS_IN) else {
        return Err((Rcode::NOTAUTH, None));
    };
    let allowed = zone
        .notify_access()
        .is_some_and(|access| access.allows(peer, session.map(|session| session.key().name())));
    if !allowed {
        return Err((Rcode::REFUSED, Some(ExtendedError::PROHIBITED)));
    }
    // RFC 1996 §3.4: no other type has a meaning yet.
    if question.rtype != Rtype::SOA {
        return Err((Rcode::NOTIMP, Some(ExtendedError::NOT_SUPPORTED)));
    }
    if let Some(listener) = zones.listener() {
        listener.notified(zone.origin(), peer.address, request.serial.map(Serial));
    }
    Ok(())
}
