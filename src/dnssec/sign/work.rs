//! Making nodes: what still holds is copied, what is missing is signed.

use super::super::key::{Random, SigningKey};
use super::super::keyset::KeySet;
use super::super::policy::{Lifetimes, Policy};
use super::super::rrsig::{Fields, SigningInput, Validity, label_count};
use super::super::{bitmap, nsec3};
use super::SignError;
use super::hashed::{HashedTask, Types};
use super::plan::{Task, is_signed, keeps};
use crate::dns::name::{Name, NameRef};
use crate::dns::rdata;
use crate::dns::rtype::Rtype;
use crate::dns::time::{Now, Timestamp, Ttl};
use crate::zone::{Change, Contents, Node, NodeBuilder, RrsetRef, Standing};
use rayon::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Fewer tasks than this are done by the calling thread alone, in a tenth of a second or so: the pool may be busy
/// with a large zone for much longer.
const ALONE: usize = 2_000;
/// Tasks that a thread takes at a time.
const CHUNK: usize = 256;

/// What all tasks of one signing share.
pub(super) struct Work<'a> {
    origin: Name,
    negative_ttl: Ttl,
    keys: &'a KeySet,
    lifetimes: Lifetimes,
    opt_out: bool,
    now: Now,
    random: Random<'a>,
    made: AtomicUsize,
}

/// What became of a node.
pub(super) enum Done {
    /// It holds as it was.
    Kept,
    /// It is this now, or nothing.
    New(Option<Node>),
}

impl Done {
    /// The node, where `kept` is what it was.
    pub(super) fn or_kept(self, kept: Option<&Node>) -> Option<Node> {
        match self {
            Self::Kept => kept.cloned(),
            Self::New(node) => node,
        }
    }

    /// What changed, where `old` is what it was.
    pub(super) fn change(self, old: &Node) -> Option<Change> {
        match self {
            Self::Kept => None,
            Self::New(new) => Some(Change { old: Some(old.clone()), new }),
        }
    }
}

impl<'a> Work<'a> {
    pub(super) fn new(
        contents: &Contents,
        keys: &'a KeySet,
        policy: &Policy,
        now: Now,
        random: Random<'a>,
    ) -> Self {
        Self {
            origin: contents.origin().clone(),
            negative_ttl: contents.negative_ttl(),
            keys,
            lifetimes: policy.lifetimes,
            opt_out: policy.denial == super::DenialPolicy::Nsec3OptOut,
            now,
            random,
            made: AtomicUsize::new(0),
        }
    }

    /// How many signatures were made.
    pub(super) fn signatures(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    /// What expires before this is made anew.
    pub(super) fn renew_before(&self) -> Timestamp {
        self.lifetimes.renew_before(self.now.latest)
    }

    /// The apex with this ZONEMD record, signed, in the place that was held for it.
    pub(super) fn sealed(&self, apex: &Node, zonemd: &[u8]) -> Result<Option<Node>, SignError> {
        Hand::new(self).sealed(apex, zonemd)
    }

    /// Does the tasks, in order.
    pub(super) fn nodes(&self, tasks: &[Task<'_>]) -> Result<Vec<Done>, SignError> {
        self.each(tasks, |hand, task| hand.node(task))
    }

    /// Does the tasks of an NSEC3 chain, in order.
    pub(super) fn hashed(&self, tasks: &[HashedTask]) -> Result<Vec<Done>, SignError> {
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method is not general over lifetimes"
        )]
        self.each(tasks, |hand, task| hand.hashed(task))
    }

    fn each<T: Sync>(
        &self,
        tasks: &[T],
        run: impl Fn(&mut Hand<'_>, &T) -> Result<Done, SignError> + Sync,
    ) -> Result<Vec<Done>, SignError> {
        let chunk = |tasks: &[T]| {
            let mut hand = Hand::new(self);
            tasks.iter().map(|task| run(&mut hand, task)).collect::<Result<Vec<_>, _>>()
        };
        if tasks.len() < ALONE {
            return chunk(tasks);
        }
        let done: Vec<_> = tasks.par_chunks(CHUNK).map(chunk).collect::<Result<_, _>>()?;
        Ok(done.into_iter().flatten().collect())
    }

    fn signers(&self, owner: NameRef<'_>, rtype: Rtype) -> &[Arc<SigningKey>] {
        let of_keys = matches!(rtype, Rtype::DNSKEY | Rtype::CDS | Rtype::CDNSKEY);
        if of_keys && owner == self.origin.as_ref() {
            self.keys.entry_points()
        } else {
            self.keys.zone_signers()
        }
    }
}

/// One thread's buffers.
struct Hand<'w> {
    work: &'w Work<'w>,
    builder: NodeBuilder,
    input: SigningInput,
    types: Vec<Rtype>,
    denial: Vec<u8>,
    signature: Vec<u8>,
    made: usize,
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        self.work.made.fetch_add(self.made, Ordering::Relaxed);
    }
}

impl<'w> Hand<'w> {
    fn new(work: &'w Work<'_>) -> Self {
        Self {
            work,
            builder: NodeBuilder::default(),
            input: SigningInput::default(),
            types: Vec::new(),
            denial: Vec::new(),
            signature: Vec::new(),
            made: 0,
        }
    }

    /// Rebuilds the node of an owner.
    fn node(&mut self, task: &Task<'_>) -> Result<Done, SignError> {
        let node = task.node;
        let owner = node.owner();
        let work = self.work;
        let origin = work.origin.as_ref();
        let validity = self.work.lifetimes.validity(owner, self.work.now);
        let mut changed = false;
        self.builder.start(owner);
        let mut denied = task.next.is_none();
        for rrset in node.rrsets() {
            if !denied && rrset.rtype >= Rtype::NSEC {
                changed |= self.nsec(task, validity)?;
                denied = true;
            }
            if !keeps(origin, owner, rrset.rtype) {
                changed |= rrset.rtype != Rtype::NSEC || task.next.is_none();
            } else if rrset.rtype == Rtype::ZONEMD && owner == origin {
                // It is digested and signed when everything else is.
                changed = true;
                self.builder.copy_unsigned(rrset);
            } else if is_signed(task.standing, &rrset) {
                changed |= self.rrset(owner, rrset, validity)?;
            } else {
                changed |= rrset.signature_count > 0;
                self.builder.copy_unsigned(rrset);
            }
        }
        if !denied {
            changed |= self.nsec(task, validity)?;
        }
        Ok(if changed { Done::New(self.builder.finish()) } else { Done::Kept })
    }

    /// Rebuilds the apex with this rdata in the place held for ZONEMD.
    fn sealed(&mut self, apex: &Node, zonemd: &[u8]) -> Result<Option<Node>, SignError> {
        let owner = apex.owner();
        let validity = self.work.lifetimes.validity(owner, self.work.now);
        self.builder.start(owner);
        for rrset in apex.rrsets() {
            if rrset.rtype == Rtype::ZONEMD {
                self.builder.begin(Rtype::ZONEMD);
                self.builder.record(rrset.ttl(), zonemd);
                let record = |input: &mut SigningInput| input.record(|out| out.extend(zonemd));
                self.sign(owner, Rtype::ZONEMD, rrset.ttl(), validity, record)?;
            } else {
                self.builder.copy(rrset);
            }
        }
        Ok(self.builder.finish())
    }

    /// Adds an RRset with signatures that hold; says whether any had to be made.
    fn rrset(
        &mut self,
        owner: NameRef<'_>,
        rrset: RrsetRef<'_>,
        validity: Validity,
    ) -> Result<bool, SignError> {
        if self.holds(owner, &rrset) {
            self.builder.copy(rrset);
            return Ok(false);
        }
        self.builder.copy_unsigned(rrset);
        self.sign(owner, rrset.rtype, rrset.ttl(), validity, |input| {
            for rdata in rrset.rdatas() {
                input.record(|out| rdata::canonical(rrset.rtype, rdata, out));
            }
        })?;
        Ok(true)
    }

    /// Adds the owner's NSEC record; says whether it is another than before.
    fn nsec(&mut self, task: &Task<'_>, validity: Validity) -> Result<bool, SignError> {
        let Some(next) = task.next else { return Ok(false) };
        self.denial.clear();
        next.write_canonical(&mut self.denial);
        self.bitmap(Some((task.node, task.standing)), Some(Rtype::NSEC));
        self.denial_rrset(task.node.owner(), Rtype::NSEC, Some(task.node), validity)
    }

    /// Rebuilds an NSEC3 node.
    fn hashed(&mut self, task: &HashedTask) -> Result<Done, SignError> {
        let owner = nsec3::owner(&task.hash, self.work.origin.as_ref())?;
        let owner = owner.as_ref();
        let validity = self.work.lifetimes.validity(owner, self.work.now);
        self.denial.clear();
        let flags = if self.work.opt_out { nsec3::OPT_OUT } else { 0 };
        self.denial.extend([nsec3::SHA1, flags, 0, 0, 0, task.next.len() as u8]);
        self.denial.extend(task.next);
        match &task.types {
            Types::Of(node, standing) => self.bitmap(Some((node, *standing)), None),
            Types::Nothing => {}
            Types::AsBefore => {
                let old = task.old.as_ref().and_then(|node| node.rrset(Rtype::NSEC3));
                let bitmap = old.and_then(|rrset| rrset.first().get(self.denial.len()..));
                self.denial.extend(bitmap.unwrap_or_default());
            }
        }
        self.builder.start(owner);
        let changed = self.denial_rrset(owner, Rtype::NSEC3, task.old.as_ref(), validity)?;
        Ok(if changed { Done::New(self.builder.finish()) } else { Done::Kept })
    }

    /// Adds the NSEC or NSEC3 record whose rdata stands in `self.denial`, as it is in `old` if it holds.
    fn denial_rrset(
        &mut self,
        owner: NameRef<'_>,
        rtype: Rtype,
        old: Option<&Node>,
        validity: Validity,
    ) -> Result<bool, SignError> {
        let ttl = self.work.negative_ttl;
        if let Some(old) = old.and_then(|node| node.rrset(rtype))
            && old.count == 1
            && old.ttl() == ttl
            && old.first() == self.denial
            && self.holds(owner, &old)
        {
            self.builder.copy(old);
            return Ok(false);
        }
        let denial = std::mem::take(&mut self.denial);
        self.builder.begin(rtype);
        self.builder.record(ttl, &denial);
        let signed = self.sign(owner, rtype, ttl, validity, |input| input.record(|out| out.extend(&denial)));
        self.denial = denial;
        signed.map(|()| true)
    }

    /// Appends the type bitmap of a node to `self.denial`; `None` is an empty non-terminal. `own` is the type of
    /// the record that the bitmap is for, if it stands at the same owner.
    fn bitmap(&mut self, node: Option<(&Node, Standing)>, own: Option<Rtype>) {
        self.types.clear();
        if let Some((node, standing)) = node {
            let origin = self.work.origin.as_ref();
            let present = node.types().filter(|&rtype| keeps(origin, node.owner(), rtype));
            // At a delegation only NS and what the parent speaks for (RFC 4035 §2.3).
            let cut = standing == Standing::Cut;
            self.types.extend(present.filter(|&rtype| !cut || matches!(rtype, Rtype::NS | Rtype::DS)));
            if own.is_some() || !cut || node.has(Rtype::DS) {
                self.types.push(Rtype::RRSIG);
            }
            self.types.extend(own);
            self.types.sort_unstable();
        }
        bitmap::write(self.types.iter().copied(), &mut self.denial);
    }

    /// Adds a signature by each key that signs this RRset.
    fn sign(
        &mut self,
        owner: NameRef<'_>,
        rtype: Rtype,
        ttl: Ttl,
        validity: Validity,
        mut records: impl FnMut(&mut SigningInput),
    ) -> Result<(), SignError> {
        for key in self.work.signers(owner, rtype) {
            let validity = key.validity(self.work.now).unwrap_or(validity);
            let fields = Fields::new(key, owner, rtype, ttl, validity);
            self.input.begin(&fields, owner);
            records(&mut self.input);
            self.signature.clear();
            self.input.sign(&fields, key, self.work.random, &mut self.signature)?;
            self.builder.signature(ttl, &self.signature);
            self.made += 1;
        }
        Ok(())
    }

    /// Whether the signatures of `rrset` are those of the keys that sign it now, and last long enough.
    fn holds(&self, owner: NameRef<'_>, rrset: &RrsetRef<'_>) -> bool {
        let Work { lifetimes, now, origin, .. } = self.work;
        let signers = self.work.signers(owner, rrset.rtype);
        let renew_before = lifetimes.renew_before(now.latest);
        usize::from(rrset.signature_count) == signers.len()
            && rrset.signature_rdatas().zip(signers).all(|(rdata, key)| {
                let Some((fields, signature)) = Fields::from_rdata(rdata) else { return false };
                let public = key.public();
                fields.covered == rrset.rtype
                    && fields.key_tag == public.tag()
                    && fields.algorithm == public.algorithm().number()
                    && fields.labels == label_count(owner)
                    && fields.original_ttl == rrset.ttl()
                    && fields.signer == origin.as_ref()
                    && signature.len() == public.signature_length()
                    && now.shown.nearest_rrsig(fields.inception) <= now.shown
                    && now.latest.nearest_rrsig(fields.expiration) >= renew_before
            })
    }
}
