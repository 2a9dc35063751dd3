//! UPDATE (RFC 2136): who may ask for what, and the response that is sent when it is done.
//!
//! A request that may be carried out leaves the answerer as a [`Requested`]: carrying it out takes a signature and a
//! disk. Its [`Reply`] is written when that has come to an end.

use std::net::IpAddr;
use std::sync::Arc;

use super::access::Prefix;
use super::zones::Zones;
use crate::dns::message::{
    Compression, Edns, ExtendedError, Full, Header, Opt, PLAIN_UDP, Question, Rcode, Request, Writer,
};
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::{CLASS_IN, Rtype};
use crate::dns::time::Timestamp;
use crate::dns::tsig::Session;
use crate::zone::update::Update;

/// An update that its sender may ask for.
pub struct Requested {
    /// The zone.
    pub zone: Name,
    /// What is asked for.
    pub update: Arc<Update>,
    /// The key that signed it.
    pub key: Name,
    /// Where it came from.
    pub from: IpAddr,
    /// How to answer.
    pub reply: Reply,
}

/// The response to an update, but for its rcode.
pub struct Reply {
    header: Header,
    asked: Name,
    rtype: Rtype,
    edns: Option<Edns>,
    session: Session,
}

/// Sends a response.
pub type Respond = Box<dyn FnOnce(&[u8]) + Send>;

/// Carries out updates. Must not wait for anything: it is called between two answers.
pub trait Updater: Send + Sync {
    /// Does what is requested, and then responds.
    fn update(&self, requested: Requested, respond: Respond);
}

/// What a key may change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The key.
    pub key: Name,
    /// Where the request comes from; anywhere if `None`.
    pub from: Option<Prefix>,
    /// These names.
    pub names: Vec<Name>,
    /// These names and all below them.
    pub subtrees: Vec<Name>,
    /// Records of these types; all if `None`.
    pub types: Option<Vec<Rtype>>,
}

/// Who may change what of a zone; nobody anything if there are none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Grants(Vec<Grant>);

impl Grants {
    /// Any of these suffices for each single change.
    pub fn new(grants: Vec<Grant>) -> Self {
        Self(grants)
    }

    /// Whether `peer`, who has the key `key`, may change every record of `update` in the zone `origin`.
    fn permit(&self, peer: IpAddr, key: NameRef<'_>, origin: NameRef<'_>, update: &Update) -> bool {
        let held: Vec<&Grant> = self.0.iter().filter(|grant| grant.is_held(peer, key)).collect();
        !held.is_empty()
            && update.touches().all(|(owner, rtype)| {
                owner.as_ref().is_at_or_below(origin)
                    && held.iter().any(|grant| grant.covers(owner.as_ref(), rtype))
            })
    }
}

impl Grant {
    fn is_held(&self, peer: IpAddr, key: NameRef<'_>) -> bool {
        self.key.as_ref() == key && self.from.is_none_or(|prefix| prefix.contains(peer))
    }

    /// Whether records of `rtype` at `owner` may be changed; of all types if `None`.
    fn covers(&self, owner: NameRef<'_>, rtype: Option<Rtype>) -> bool {
        let by_name = self.names.iter().any(|name| name.as_ref() == owner)
            || self.subtrees.iter().any(|subtree| owner.is_at_or_below(subtree.as_ref()));
        let by_type = match (&self.types, rtype) {
            (None, _) => true,
            (Some(types), Some(rtype)) => types.contains(&rtype),
            (Some(_), None) => false,
        };
        by_name && by_type
    }
}

/// The update that `message` asks for, if its sender may; or the rcode that it is refused with.
pub(super) fn judge(
    message: &[u8],
    request: &Request<'_>,
    peer: IpAddr,
    session: &Session,
    zones: &Zones,
) -> Result<Arc<Update>, (Rcode, Option<ExtendedError>)> {
    let question = request.question;
    // RFC 2136 §3.1.
    if question.rtype != Rtype::SOA {
        return Err((Rcode::FORMERR, None));
    }
    let Some(zone) = zones.find(question.name).filter(|_| question.class == CLASS_IN) else {
        return Err((Rcode::NOTAUTH, None));
    };
    let update = Update::read(message, zone.origin()).map_err(|rcode| (rcode, None))?;
    // RFC 2136 §3.3. Who may nothing learns nothing of what there is.
    if !zone.grants().permit(peer, session.key().name(), zone.origin(), &update) {
        return Err((Rcode::REFUSED, Some(ExtendedError::PROHIBITED)));
    }
    if zone.snapshot().is_none() {
        return Err((Rcode::SERVFAIL, Some(ExtendedError::NOT_READY)));
    }
    Ok(Arc::new(update))
}

impl Reply {
    pub(super) fn new(request: &Request<'_>, session: Session) -> Self {
        Self {
            header: request.header.reply(),
            asked: request.question.name.to_owned(),
            rtype: request.question.rtype,
            edns: request.edns.map(super::reply_edns),
            session,
        }
    }

    /// Writes the response, and says how long it is. `out` has room for [`PLAIN_UDP`] octets.
    pub fn write(mut self, rcode: Rcode, out: &mut [u8], now: Timestamp) -> Result<usize, Full> {
        let opt = self.edns.map(Opt::from);
        let mut names = Compression::default();
        let reserved = self.session.reserve();
        let mut writer = Writer::new(out, PLAIN_UDP, reserved, self.header, opt.as_ref(), &mut names);
        writer.question(&Question { name: self.asked.as_ref(), rtype: self.rtype, class: CLASS_IN })?;
        writer.set_rcode(rcode);
        let length = writer.finish();
        self.session.sign(out, length, now)
    }
}
