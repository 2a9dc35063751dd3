//! What a zone has to say of a name, type set aside (RFC 1034 §4.3.2 step 3, RFC 4592 §3.3, RFC 6672 §3.2).

use crate::dns::name::{Key, NameBuf, NameRef};
use crate::dns::rtype::Rtype;
use crate::zone::{Descent, Node, Snapshot};

/// Where a search ended.
pub(super) enum Found<'z> {
    /// The name has records.
    Name(&'z Node),
    /// The name has none, but there are names below it.
    EmptyNonTerminal,
    /// The name does not exist; a wildcard stands in for it.
    Wildcard {
        /// Its records; `None` if the wildcard is an empty non-terminal itself.
        node: Option<&'z Node>,
        /// The closest encloser: so many labels below the apex.
        encloser: usize,
    },
    /// The name does not exist.
    Nothing {
        /// The closest encloser: so many labels below the apex.
        encloser: usize,
    },
    /// The name is at or below this delegation.
    Delegation(&'z Node),
    /// The name is below this DNAME.
    Dname(&'z Node),
}

/// Searches for `name`, which is at or below the apex, and leaves its key in `key`. At a delegation, the parent's own
/// records are found only for `rtype` DS (RFC 4035 §3.1.4.1).
pub(super) fn find<'z>(zone: &'z Snapshot, name: NameRef<'_>, rtype: Rtype, key: &mut Key) -> Found<'z> {
    key.set(name, zone.nodes.apex_length());
    let encloser = match zone.nodes.descend(key, Some(name), |node| zone.occludes(node)) {
        Descent::Stopped(node) if zone.is_cut(node) => return Found::Delegation(node),
        Descent::Stopped(node) => return Found::Dname(node),
        Descent::Found(node) if rtype != Rtype::DS && zone.is_cut(node) => return Found::Delegation(node),
        Descent::Found(node) => return Found::Name(node),
        Descent::Missing(encloser) => encloser,
    };
    if encloser == key.labels() {
        return Found::EmptyNonTerminal;
    }
    if !zone.nodes.has_asterisks() {
        return Found::Nothing { encloser };
    }
    match zone.nodes.descend(&key.wildcard(encloser), None, |_| false) {
        Descent::Found(node) => Found::Wildcard { node: Some(node), encloser },
        Descent::Missing(labels) if labels > encloser => Found::Wildcard { node: None, encloser },
        Descent::Missing(_) | Descent::Stopped(_) => Found::Nothing { encloser },
    }
}

/// `name` or the ancestor of it that has `labels` labels below the apex.
pub(super) fn ancestor<'n>(zone: &Snapshot, name: NameRef<'n>, labels: usize) -> NameRef<'n> {
    let surplus = name.label_count().saturating_sub(zone.apex_labels() + labels);
    (0..surplus).fold(name, |name, _| name.parent().unwrap_or(name))
}

/// The wildcard right below `encloser`; nothing if that is too long to have any name below it.
pub(super) fn wildcard(encloser: NameRef<'_>) -> Option<NameBuf> {
    let mut wildcard = NameBuf::default();
    wildcard.push_label(b"*").ok()?;
    wildcard.finish(Some(encloser)).ok()?;
    Some(wildcard)
}
