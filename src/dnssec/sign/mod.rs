//! Signing a zone: the first time, after any change, and when signatures become due, all by one way.
//!
//! ```text
//! apex     SOA serial, DNSKEY, CDS, CDNSKEY, NSEC3PARAM are put in place
//! plan     which owners may need new records: all of them, or the changed ones, the names whose authority changed
//!          with them, their neighbours in the chain of denial, and what is due for renewal
//! work     each owner's node is rebuilt; signatures that still hold are kept, the others are made
//! apply    the trees of the new snapshot share everything else with the old
//! seal     if there is to be a ZONEMD record, all of the version is digested, and the record signed (RFC 8976 §3)
//! ```
//!
//! Authoritative RRsets are signed, glue, delegation NS and hidden data never (RFC 4035 §2.2). The input's own
//! DNSKEY, CDS and CDNSKEY records are replaced by those of the keys, its ZONEMD record at the apex by ours or none.

mod hashed;
#[cfg(test)]
mod measure;
mod plan;
#[cfg(test)]
mod tests;
mod work;

use super::key::{NoSignature, Random};
use super::keyset::KeySet;
use super::nsec3;
use super::policy::{DenialPolicy, Lifetimes, Policy};
use super::rrsig::Fields;
use crate::dns::name::{Name, NameError};
use crate::dns::rtype::Rtype;
use crate::dns::time::{Now, Timestamp, Ttl};
use crate::zone::contents::soa_with_serial;
use crate::zone::revision::Dirty;
use crate::zone::snapshot::NoSoa;
use crate::zone::zonemd::{self, Hash};
use crate::zone::{Change, Contents, Delta, Serial, Snapshot, Tree};
use plan::Scope;
use std::collections::BTreeSet;
use work::{Done, Work};

/// At most this many owners are renewed in one version when nothing else asks for it: what is due spreads over
/// several versions instead of holding up one. Each tree has this bound.
pub const MAX_RENEWED: usize = 10_000;

/// The TTL of NSEC3PARAM, which nobody but the zone's own servers needs (RFC 5155 §4).
const NSEC3PARAM_TTL: Ttl = Ttl(0);

/// What is to be signed, and how.
pub struct Request<'a> {
    /// The version before, if there is one.
    pub previous: Option<&'a Snapshot>,
    /// The content wanted; RRsets that did not change since `previous` carry their signatures.
    pub contents: Contents,
    /// The owners that differ from `previous`.
    pub dirty: &'a Dirty,
    /// The zone's keys.
    pub keys: &'a KeySet,
    /// How to sign.
    pub policy: &'a Policy,
    /// Whether the version carries a digest of itself. That costs one pass over all of it, however little changed.
    pub zonemd: bool,
    /// The new version's serial.
    pub serial: Serial,
    /// The moment of signing.
    pub now: Now,
}

/// A new version.
#[derive(Debug)]
pub struct Signed {
    /// The zone.
    pub snapshot: Snapshot,
    /// What differs from the version before.
    pub delta: Delta,
    /// How many signatures were made.
    pub signatures: usize,
}

/// Why a zone cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// There is no SOA to sign.
    #[error(transparent)]
    NoSoa(#[from] NoSoa),
    /// A key gives no signature.
    #[error(transparent)]
    NoSignature(#[from] NoSignature),
    /// The apex is so long that no hashed owner fits below it.
    #[error("the zone's name is too long for NSEC3, expected at most 222 octets; use `denial: nsec`")]
    ApexTooLong(#[from] NameError),
    /// Two names have the same hash (RFC 5155 §7.2).
    #[error("two owner names have the same NSEC3 hash; use `denial: nsec`")]
    SameHash,
}

/// Signs. Work on many names is spread over rayon's threads; work on few never waits for them.
pub fn sign(request: Request<'_>, random: Random<'_>) -> Result<Signed, SignError> {
    let Request { previous, mut contents, dirty, keys, policy, zonemd, serial, now } = request;
    prepare_apex(&mut contents, keys, policy, serial)?;
    prepare_zonemd(&mut contents, zonemd, serial);
    let work = Work::new(&contents, keys, policy, now, random);
    let scope = Scope::new(previous, &contents, dirty, keys, policy, now);
    let some = if let (Scope::Owners(dirty), Some(previous)) = (scope, previous) {
        Some((previous, sign_some(previous, &mut contents, dirty, &work, policy)?))
    } else {
        sign_all(&mut contents, &work, policy)?;
        None
    };
    if zonemd {
        let digest = zonemd::digest(&contents, Hash::Sha384);
        let sealed =
            work.sealed(contents.apex().ok_or(NoSoa)?, &zonemd::rdata(serial, Hash::Sha384, &digest))?;
        contents.nodes.insert(sealed.ok_or(NoSoa)?);
    }
    let delta = if let Some((previous, touched)) = some {
        touched.delta(previous, &contents, serial)
    } else {
        let from = previous.map(Snapshot::serial);
        Delta::between(previous.map(Snapshot::contents), &contents, from, serial)
    };
    let signatures = work.signatures();
    Ok(Signed { snapshot: Snapshot::new(contents)?, delta, signatures })
}

/// When the next signature of `snapshot` is due to be made anew.
pub fn next_due(snapshot: &Snapshot, lifetimes: &Lifetimes, now: Now) -> Timestamp {
    match snapshot.soonest() {
        Some(_) if begins_later(snapshot, now.shown) => now.shown,
        Some(soonest) => lifetimes.due(now.latest.nearest_rrsig(soonest)),
        None => Timestamp::NEVER,
    }
}

/// Whether the version was signed by a clock that was ahead of `shown`, so that validators refuse its signatures.
/// Every version signs its SOA, whose RRSIG therefore tells when that was.
fn begins_later(snapshot: &Snapshot, shown: Timestamp) -> bool {
    let mut inceptions = snapshot.soa().into_iter().flat_map(|soa| {
        soa.signature_rdatas().filter_map(|rdata| Some(Fields::from_rdata(rdata)?.0.inception))
    });
    inceptions.any(|inception| shown < shown.nearest_rrsig(inception))
}

/// Puts in what the signer owns at the apex.
fn prepare_apex(
    contents: &mut Contents,
    keys: &KeySet,
    policy: &Policy,
    serial: Serial,
) -> Result<(), SignError> {
    let origin = contents.origin().clone();
    let (ttl, soa) = {
        let soa = contents.soa().ok_or(NoSoa)?;
        (soa.ttl(), soa_with_serial(soa.first(), serial))
    };
    contents.set(&origin, Rtype::SOA, ttl, &[&soa]);
    let records = [
        (Rtype::DNSKEY, keys.dnskey()),
        (Rtype::CDS, keys.cds(origin.as_ref())),
        (Rtype::CDNSKEY, keys.cdnskey()),
    ];
    for (rtype, rdatas) in &records {
        let rdatas: Vec<_> = rdatas.iter().map(Vec::as_slice).collect();
        contents.set(&origin, *rtype, policy.dnskey_ttl, &rdatas);
    }
    // Flags are 0 whether there is opt-out or not (RFC 5155 §4.1.2).
    let parameters: &[u8] = &[nsec3::SHA1, 0, 0, 0, 0];
    let parameters: &[&[u8]] = if policy.denial == DenialPolicy::Nsec { &[] } else { &[parameters] };
    contents.set(&origin, Rtype::NSEC3PARAM, NSEC3PARAM_TTL, parameters);
    Ok(())
}

/// Holds the place of the ZONEMD record, so that the bitmap of the apex has its type (RFC 8976 §3.1).
fn prepare_zonemd(contents: &mut Contents, wanted: bool, serial: Serial) {
    let origin = contents.origin().clone();
    // RFC 8976 §2.2: the TTL of the SOA record.
    let ttl = contents.soa().map(|soa| soa.ttl()).unwrap_or_default();
    let placeholder = zonemd::rdata(serial, Hash::Sha384, &[]);
    let rdatas: &[&[u8]] = if wanted { &[&placeholder] } else { &[] };
    contents.set(&origin, Rtype::ZONEMD, ttl, rdatas);
}

/// Every owner, in one pass over the trees.
fn sign_all(contents: &mut Contents, work: &Work<'_>, policy: &Policy) -> Result<(), SignError> {
    let nodes = {
        let tasks = plan::all(contents, policy.denial);
        let apex_length = contents.nodes.apex_length();
        let done = work.nodes(&tasks)?;
        let nodes = tasks.iter().zip(done).filter_map(|(task, done)| done.or_kept(Some(task.node)));
        Tree::from_sorted(apex_length, nodes)
    };
    contents.nodes = nodes;
    let nsec3 = if policy.denial == DenialPolicy::Nsec {
        Vec::new()
    } else {
        let tasks = hashed::all(contents, policy.denial)?;
        let done = work.hashed(&tasks)?;
        tasks.iter().zip(done).filter_map(|(task, done)| done.or_kept(task.old.as_ref())).collect()
    };
    contents.nsec3 = Tree::from_sorted(contents.nodes.apex_length(), nsec3);
    Ok(())
}

/// The changed owners and what hangs on them.
fn sign_some(
    previous: &Snapshot,
    contents: &mut Contents,
    dirty: &BTreeSet<Name>,
    work: &Work<'_>,
    policy: &Policy,
) -> Result<Touched, SignError> {
    let mut owners = plan::spread(previous, contents, dirty);
    owners.extend(
        contents
            .nodes
            .expiring_before(work.renew_before().rrsig())
            .take(MAX_RENEWED)
            .map(|node| node.owner().to_owned()),
    );
    if policy.denial == DenialPolicy::Nsec {
        plan::add_predecessors(previous, contents, &mut owners);
    }
    let changes: Vec<_> = {
        let tasks = plan::some(contents, &owners, policy.denial);
        let done = work.nodes(&tasks)?;
        tasks.iter().zip(done).filter_map(|(task, done)| done.change(task.node)).collect()
    };
    contents.nodes.apply(&changes);
    let mut hashes = BTreeSet::new();
    if policy.denial != DenialPolicy::Nsec {
        let hashed::Changes { removed, tasks } =
            hashed::some(contents, &owners, work.renew_before(), policy.denial)?;
        hashes = removed;
        for (task, done) in tasks.iter().zip(work.hashed(&tasks)?) {
            hashes.insert(nsec3::owner(&task.hash, contents.origin().as_ref())?);
            if let Done::New(Some(node)) = done {
                contents.nsec3.insert(node);
            }
        }
    }
    Ok(Touched { owners, hashes })
}

/// Where the new version may differ from the one before.
struct Touched {
    owners: BTreeSet<Name>,
    hashes: BTreeSet<Name>,
}

impl Touched {
    fn delta(&self, previous: &Snapshot, contents: &Contents, to: Serial) -> Delta {
        let differing = |owners: &BTreeSet<Name>, old: &Tree, new: &Tree| {
            owners
                .iter()
                .map(|owner| Change {
                    old: old.get(owner.as_ref()).cloned(),
                    new: new.get(owner.as_ref()).cloned(),
                })
                .filter(|change| change.old != change.new)
                .collect()
        };
        Delta {
            from: Some(previous.serial()),
            to,
            nodes: differing(&self.owners, &previous.nodes, &contents.nodes),
            nsec3: differing(&self.hashes, &previous.nsec3, &contents.nsec3),
        }
    }
}
