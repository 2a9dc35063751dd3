//! What dynamic updates have made of zones, RRset by RRset.
//!
//! ```text
//! updates   origin, owner (both lower case, wire), type u16   → ttl u32, then twice: number u16, and as often
//!                                                               length u16, rdata (what was added; what was removed)
//! ```

use redb::{ReadableTable, Table, TableDefinition};

use super::error::{Damage, StateError};
use crate::dns::name::{Name, NameRef};
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;
use crate::zone::overlay::{Overlay, Override, Overrides};

pub(super) const UPDATES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("updates");

type Updates<'t> = Table<'t, &'static [u8], &'static [u8]>;

/// Writes what has changed.
pub(super) fn change(
    updates: &mut Updates<'_>,
    origin: &Name,
    changes: &Overrides,
) -> Result<(), StateError> {
    for ((owner, rtype), change) in changes {
        let key = key(origin, owner, *rtype);
        if change.is_empty() {
            updates.remove(&key[..])?;
        } else {
            updates.insert(&key[..], &write(change)[..])?;
        }
    }
    Ok(())
}

/// Forgets what concerns a zone.
pub(super) fn clear(updates: &mut Updates<'_>, origin: &Name) -> Result<(), StateError> {
    let (first, end) = bounds(origin);
    Ok(updates.retain_in::<&[u8], _>(&first[..]..&end[..], |_, _| false)?)
}

/// What updates have made of a zone. The inner error is damage.
pub(super) fn load(
    updates: &impl ReadableTable<&'static [u8], &'static [u8]>,
    origin: &Name,
) -> Result<Result<Overlay, Damage>, StateError> {
    let (first, end) = bounds(origin);
    let mut overrides = Overrides::new();
    for entry in updates.range::<&[u8]>(&first[..]..&end[..])? {
        let (key, value) = entry?;
        let Some((at, change)) = read(&key.value()[first.len()..], value.value()) else {
            return Ok(Err(Damage::Updates));
        };
        if !at.0.as_ref().is_at_or_below(origin.as_ref()) {
            return Ok(Err(Damage::Updates));
        }
        overrides.insert(at, change);
    }
    Ok(Ok(Overlay::new(overrides)))
}

/// A name ends with its root label, so none is the beginning of another.
fn key(origin: &Name, owner: &Name, rtype: Rtype) -> Vec<u8> {
    let mut key = Vec::with_capacity(origin.len() + owner.len() + 2);
    origin.as_ref().write_canonical(&mut key);
    owner.as_ref().write_canonical(&mut key);
    key.extend(rtype.0.to_be_bytes());
    key
}

/// The first key of a zone, and one behind its last: an owner begins with the length of a label.
fn bounds(origin: &Name) -> (Vec<u8>, Vec<u8>) {
    let mut first = Vec::with_capacity(origin.len() + 1);
    origin.as_ref().write_canonical(&mut first);
    let mut end = first.clone();
    end.push(u8::MAX);
    (first, end)
}

fn write(change: &Override) -> Vec<u8> {
    let mut out = change.ttl.0.to_be_bytes().to_vec();
    for rdatas in [&change.added, &change.removed] {
        out.extend((rdatas.len() as u16).to_be_bytes());
        for rdata in rdatas {
            out.extend((rdata.len() as u16).to_be_bytes());
            out.extend(&**rdata);
        }
    }
    out
}

fn read(key: &[u8], value: &[u8]) -> Option<((Name, Rtype), Override)> {
    let owner = NameRef::from_wire(key).ok()?;
    let rtype: [u8; 2] = key[owner.wire().len()..].try_into().ok()?;
    let (ttl, mut rest) = value.split_first_chunk()?;
    let number = |rest: &mut &[u8]| {
        let (number, more) = rest.split_first_chunk()?;
        *rest = more;
        Some(usize::from(u16::from_be_bytes(*number)))
    };
    let mut rdatas = || {
        let count = number(&mut rest)?;
        let mut rdatas = Vec::new();
        for _ in 0..count {
            let length = number(&mut rest)?;
            let (rdata, more) = rest.split_at_checked(length)?;
            rdatas.push(rdata.into());
            rest = more;
        }
        Some(rdatas)
    };
    let (added, removed) = (rdatas()?, rdatas()?);
    let change = Override { ttl: Ttl(u32::from_be_bytes(*ttl)), added, removed };
    rest.is_empty().then(|| ((owner.to_owned(), Rtype(u16::from_be_bytes(rtype))), change))
}
