//! Making one version of one zone: from what is wanted to a checked snapshot. Pure and self-contained, so that
//! the host can do it on any thread while the engine goes on with other zones.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::convert;
use crate::config;
use crate::dns::message::Rcode;
use crate::dns::name::Name;
use crate::dns::rtype::Rtype;
use crate::dns::time::{Now, Timestamp, Ttl};
use crate::dnssec::key::{PublicKey, Random, SigningKey};
use crate::dnssec::keyset::{KeySet, KeySetError, Timing};
use crate::dnssec::policy::Policy as SigningPolicy;
use crate::dnssec::sign::{Request, SignError, Signed, sign};
use crate::dnssec::validate::{Expected, Invalid, Verified, validate};
use crate::zone::contents::soa_with_serial;
use crate::zone::overlay::{Contradiction, Edited, Overlay, Overrides};
use crate::zone::revision::Revision;
use crate::zone::update::{Protected, Update, Updated};
use crate::zone::zonemd::{self, Hash};
use crate::zone::{
    Change, Contents, Delta, ManagedRrsets, Presigned, RrsetRef, Serial, SerialPolicy, Snapshot, Step,
};

/// An RRset that danelaw keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Managed {
    /// Its owner, such as `_port._proto.host`.
    pub owner: Name,
    /// Its type.
    pub rtype: Rtype,
    /// The TTL of the RRset.
    pub ttl: Ttl,
    /// The rdata of its records, in canonical order. None of them holds a name.
    pub rdatas: Vec<Vec<u8>>,
}

impl Managed {
    /// Which RRset it is.
    pub fn rrset(&self) -> (Name, Rtype) {
        (self.owner.clone(), self.rtype)
    }
}

/// How the version is signed.
#[derive(Clone)]
pub struct Signing {
    /// The zone's keys.
    pub keys: Arc<KeySet>,
    /// Denial, validities, TTLs.
    pub policy: SigningPolicy,
}

/// Everything that a version is made from.
pub struct Job {
    /// The zone.
    pub zone: Name,
    /// Tells this job's result from that of an earlier one.
    pub id: u64,
    /// What is served now.
    pub previous: Option<Arc<Snapshot>>,
    /// New content from the zone file, if that is the reason.
    pub draft: Option<Contents>,
    /// All RRsets that danelaw keeps in the zone.
    pub managed: Vec<Managed>,
    /// Those that it kept, and does no more.
    pub released: ManagedRrsets,
    /// Dynamic updates, to be carried out one after the other.
    pub updates: Vec<Arc<Update>>,
    /// What earlier ones have made of the zone.
    pub overlay: Arc<Overlay>,
    /// The largest TTL that an update may ask for.
    pub largest_ttl: Ttl,
    /// `None` serves the content as it stands (policy `unsigned`).
    pub signing: Option<Signing>,
    /// Whether the version carries a digest of itself (RFC 8976).
    pub zonemd: bool,
    /// How the serial advances.
    pub serial: SerialPolicy,
    /// A serial that secondaries may have of versions that are forgotten here: there is a new version in any case,
    /// and its serial is greater.
    pub above: Option<Serial>,
    /// When it is made.
    pub now: Now,
}

/// What came of a job.
pub struct Made {
    /// The version, `None` when nothing differs from what is served.
    pub version: Option<Version>,
    /// What is to be said of each update.
    pub answers: Vec<Rcode>,
    /// What updates have made of the zone, where the job has changed that.
    pub overrides: Overrides,
}

/// A version that may be stored and then published.
pub struct Version {
    /// The snapshot, checked.
    pub verified: Verified,
    /// What differs from the version before.
    pub step: Step,
    /// How many signatures were made for it.
    pub signatures: usize,
}

/// Makes the first version of a zone, for who signs a file once.
pub fn first_version(
    contents: Contents,
    keys: impl IntoIterator<Item = (Arc<SigningKey>, Timing)>,
    policy: &config::Policy,
    now: Timestamp,
    random: Random<'_>,
) -> Result<Version, VersionError> {
    let keys = Arc::new(KeySet::new(keys, convert::layout(policy.keys), now)?);
    let job = Job {
        zone: contents.origin().clone(),
        id: 0,
        previous: None,
        draft: Some(contents),
        managed: Vec::new(),
        released: ManagedRrsets::default(),
        signing: Some(Signing { keys, policy: convert::signing_policy(policy) }),
        zonemd: policy.zonemd,
        updates: Vec::new(),
        overlay: Arc::default(),
        largest_ttl: Ttl(0),
        serial: convert::serial_policy(policy.serial),
        above: None,
        now: now.into(),
    };
    job.run(random)?.version.ok_or(VersionError::NoContent)
}

/// Why no version could be made. What is served stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// There is nothing to make it from.
    #[error("no zone content yet")]
    NoContent,
    /// The keys do not make a set.
    #[error("keys: {0}")]
    Keys(#[from] KeySetError),
    /// The content has no SOA record.
    #[error(transparent)]
    NoSoa(#[from] crate::zone::snapshot::NoSoa),
    /// Its SOA is signed by another signer, so that the serial cannot be raised here.
    #[error(
        "the zone was signed elsewhere with serial {file}, expected one above {served}: secondaries would not see the \
         change"
    )]
    SignedElsewhere {
        /// The serial in the file.
        file: Serial,
        /// The serial that is served.
        served: Serial,
    },
    /// The file and what dynamic updates have added contradict each other.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// It could not be signed.
    #[error("signing failed: {0}")]
    Sign(#[from] SignError),
    /// It was signed, and the check with the public keys refused it.
    #[error("the signed zone did not pass its check and is not published: {0}")]
    Invalid(#[from] Invalid),
}

impl Job {
    /// Makes the version.
    pub fn run(mut self, random: Random<'_>) -> Result<Made, VersionError> {
        let previous = self.previous.take();
        let mut made = Made { version: None, answers: Vec::new(), overrides: Overrides::new() };
        let mut draft = self.draft.take();
        if let Some(file) = draft.take_if(|_| !self.overlay.is_empty()) {
            let (merged, overrides) = self.overlay.merge(&file)?;
            (draft, made.overrides) = (Some(merged), overrides);
        }
        made.version = match self.signing.clone() {
            Some(signing) => self.signed(previous.as_deref(), draft, &signing, random, &mut made)?,
            None => self.unsigned(previous.as_deref(), draft, &mut made)?,
        };
        Ok(made)
    }

    /// Carries out the updates on content, and says which owners differ by them.
    fn update(&self, contents: Contents, presigned: Presigned, made: &mut Made) -> Updated {
        let mut updated = Updated { contents, dirty: BTreeSet::new() };
        if self.updates.is_empty() {
            return updated;
        }
        let managed = self.managed.iter().map(Managed::rrset).collect();
        let protected = Protected { managed: &managed, largest_ttl: self.largest_ttl, presigned };
        let mut overlay = Edited::new(&self.overlay, std::mem::take(&mut made.overrides));
        made.answers.extend(self.updates.iter().map(|update| {
            let outcome = update.apply(&mut updated, &mut overlay, &protected);
            outcome.err().unwrap_or(Rcode::NOERROR)
        }));
        made.overrides = overlay.finish();
        updated
    }

    fn signed(
        &self,
        previous: Option<&Snapshot>,
        draft: Option<Contents>,
        signing: &Signing,
        random: Random<'_>,
        made: &mut Made,
    ) -> Result<Option<Version>, VersionError> {
        let (mut revision, serial) = match (draft, previous) {
            (Some(mut draft), Some(previous)) => {
                self.manage(|owner, rtype, ttl, rdatas| {
                    draft.set(owner, rtype, ttl, rdatas);
                });
                (Revision::of_draft(&draft, previous), previous.serial())
            }
            (Some(mut draft), None) => {
                self.manage(|owner, rtype, ttl, rdatas| {
                    draft.set(owner, rtype, ttl, rdatas);
                });
                let serial = file_serial(&draft)?;
                (Revision::first(draft), serial)
            }
            (None, Some(previous)) => {
                let mut revision = Revision::of_snapshot(previous);
                self.manage(|owner, rtype, ttl, rdatas| revision.set(owner, rtype, ttl, rdatas));
                (revision, previous.serial())
            }
            (None, None) => return Err(VersionError::NoContent),
        };
        let updated = self.update(revision.contents, Presigned::Drop, made);
        revision.contents = updated.contents;
        revision.dirty.extend(updated.dirty);
        let signed = sign(
            Request {
                previous,
                contents: revision.contents,
                dirty: &revision.dirty,
                keys: &signing.keys,
                policy: &signing.policy,
                zonemd: self.zonemd,
                serial: self.after(serial),
                now: self.now,
            },
            random,
        )?;
        if previous.is_some() && self.above.is_none() && is_serial_alone(&signed.delta) {
            return Ok(None);
        }
        let Signed { snapshot, delta, signatures } = signed;
        let keys: Vec<PublicKey> = signing.keys.public().cloned().collect();
        let hidden: Vec<PublicKey> = signing.keys.hidden().cloned().collect();
        let expected = Expected {
            keys: &keys,
            hidden: &hidden,
            foreign: signing.keys.foreign(),
            denial: signing.policy.denial,
            now: self.now,
        };
        let verified = validate(previous, Arc::new(snapshot), &delta, &expected)?;
        Ok(Some(Version { verified, step: Step::new(delta), signatures }))
    }

    fn unsigned(
        &self,
        previous: Option<&Snapshot>,
        draft: Option<Contents>,
        made: &mut Made,
    ) -> Result<Option<Version>, VersionError> {
        let from_file = draft.is_some();
        let Some(mut contents) = draft.or_else(|| previous.map(|previous| previous.contents().clone()))
        else {
            return Err(VersionError::NoContent);
        };
        self.manage(|owner, rtype, ttl, rdatas| {
            contents.set(owner, rtype, ttl, rdatas);
        });
        let own = file_serial(&contents)?;
        let signed_elsewhere = contents.soa().is_some_and(|soa| soa.signature_count > 0);
        if signed_elsewhere {
            // Whoever signs it is the one to change it.
            made.answers = vec![Rcode::REFUSED; self.updates.len()];
        } else {
            contents = self.update(contents, Presigned::Keep, made).contents;
            self.hold_zonemd(previous, &mut contents, own);
        }
        if let Some(previous) = previous {
            // A serial alone is no change.
            let mut probe = contents.clone();
            put_serial(&mut probe, previous.serial());
            let delta = Delta::between(Some(previous), &probe, Some(previous.serial()), previous.serial());
            let raised = from_file && own > previous.serial();
            if delta.is_empty() && !raised && (self.above.is_none() || signed_elsewhere) {
                return Ok(None);
            }
            if !raised && signed_elsewhere {
                return Err(VersionError::SignedElsewhere { file: own, served: previous.serial() });
            }
        }
        // A serial that the file has raised, or that its own signature covers, is the file's to choose.
        let serial = match previous {
            None => own,
            Some(previous) if from_file && own > previous.serial() && !self.is_forgotten(own) => own,
            Some(previous) => self.after(previous.serial()),
        };
        put_serial(&mut contents, serial);
        if self.zonemd && !signed_elsewhere {
            let digest = zonemd::digest(&contents, Hash::Sha384);
            put_zonemd(&mut contents, Some(&zonemd::rdata(serial, Hash::Sha384, &digest)));
        } else if serial != own && !signed_elsewhere {
            put_zonemd(&mut contents, None);
        }
        let from = previous.map(Snapshot::serial);
        let delta = Delta::between(previous.map(Snapshot::contents), &contents, from, serial);
        let verified = Verified::unsigned(Arc::new(Snapshot::new(contents)?));
        Ok(Some(Version { verified, step: Step::new(delta), signatures: 0 }))
    }

    /// The serial of a version after one with `serial`.
    fn after(&self, serial: Serial) -> Serial {
        let next = serial.advance(self.serial, self.now.latest);
        match self.above {
            Some(above) if self.is_forgotten(next) => above.successor(),
            _ => next,
        }
    }

    /// Whether a version with `serial` may have been served that is forgotten here.
    fn is_forgotten(&self, serial: Serial) -> bool {
        // Where RFC 1982 knows no order, one above both is greater than what matters: what secondaries have.
        self.above.is_some_and(|above| serial.partial_cmp(&above) != Some(std::cmp::Ordering::Greater))
    }

    /// Puts at the apex of an unsigned zone what is there before the version is digested: of the version before, so
    /// that both can be compared; or what the source has, if it is about just this.
    fn hold_zonemd(&self, previous: Option<&Snapshot>, contents: &mut Contents, own: Serial) {
        if self.zonemd {
            let before = previous.and_then(|previous| previous.apex()?.rrset(Rtype::ZONEMD));
            put_zonemd(contents, Some(before.map_or(&[], |rrset| rrset.first())));
            return;
        }
        let as_it_came = self.managed.is_empty()
            && self.released.is_empty()
            && self.overlay.is_empty()
            && self.updates.is_empty()
            && previous.is_none_or(|previous| own >= previous.serial());
        if !as_it_came {
            put_zonemd(contents, None);
        }
    }

    fn manage(&self, mut set: impl FnMut(&Name, Rtype, Ttl, &[&[u8]])) {
        for (owner, rtype) in self.released.iter() {
            set(owner, rtype, Ttl(0), &[]);
        }
        for managed in &self.managed {
            let rdatas: Vec<&[u8]> = managed.rdatas.iter().map(Vec::as_slice).collect();
            set(&managed.owner, managed.rtype, managed.ttl, &rdatas);
        }
    }
}

fn file_serial(contents: &Contents) -> Result<Serial, VersionError> {
    Ok(Serial(contents.soa_timers().ok_or(crate::zone::snapshot::NoSoa)?.serial))
}

/// Writes `serial` into the SOA, whose signature (in a zone signed elsewhere) stays with it when nothing changes.
pub(super) fn put_serial(contents: &mut Contents, serial: Serial) {
    let Some(soa) = contents.soa() else { return };
    let (ttl, rdata) = (soa.ttl(), soa_with_serial(soa.first(), serial));
    let origin = contents.origin().clone();
    contents.set(&origin, Rtype::SOA, ttl, &[&rdata]);
}

/// Puts a ZONEMD record at the apex, or takes out those that are there.
fn put_zonemd(contents: &mut Contents, rdata: Option<&[u8]>) {
    let ttl = contents.soa().map(|soa| soa.ttl()).unwrap_or_default();
    let origin = contents.origin().clone();
    contents.set(&origin, Rtype::ZONEMD, ttl, rdata.as_slice());
}

/// Whether a version differs in its serial and nothing else, so that nobody needs it. The digest that covers the
/// serial differs with it.
fn is_serial_alone(delta: &Delta) -> bool {
    let apex = delta.nodes.first().map(Change::owner);
    delta.rrsets().all(|(change, old, new)| {
        let sealed = |rrset: RrsetRef<'_>| rrset.rtype == Rtype::ZONEMD && Some(change.owner()) == apex;
        old.is_some_and(sealed) && new.is_some_and(sealed)
            || new.is_some_and(|new| new.rtype == Rtype::SOA)
                && old.zip(new).is_some_and(|(old, new)| {
                    old.ttl() == new.ttl()
                        && soa_with_serial(old.first(), Serial(0)) == soa_with_serial(new.first(), Serial(0))
                })
    })
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests may use the system's randomness")]
mod tests;
