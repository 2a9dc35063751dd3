//! The records of a catalog zone (RFC 9432), made of what the configuration lists.
//!
//! A member's node has a label that is made of the member's name alone. So it is the same after a restart, with
//! another order in the configuration, and in a catalog that the member moves to; a secondary that saw another label
//! would take the member for a new zone and forget what it knows of it (RFC 9432 §5.4).

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

use crate::config::{Catalog, Member};
use crate::dns::name::{Name, NameError};
use crate::dns::rtype::Rtype;
use crate::dns::time::{HOUR, MINUTE, Ttl};
use crate::zone::Contents;

/// The records of the catalog `origin`. The serial is 0: it is given when a version is made.
pub(super) fn contents(origin: &Name, catalog: &Catalog) -> Result<Contents, NameError> {
    let mut contents = Contents::new(origin.clone());
    let mut set = |owner: &Name, rtype, rdata: &[u8]| contents.set(owner, rtype, TTL, &[rdata]);
    // RFC 9432 §4.1: nobody asks for them, and they need not lead anywhere.
    let nobody = Name::parse("invalid")?;
    let timers = [0, REFRESH, RETRY, EXPIRE, 0].map(u32::to_be_bytes);
    set(origin, Rtype::SOA, &[&nobody[..], &nobody[..], timers.as_flattened()].concat());
    set(origin, Rtype::NS, &nobody);
    set(&origin.child(b"version")?, Rtype::TXT, &text(VERSION));
    for (name, Member { group, moves_to }) in &catalog.members {
        let node = node(origin, name)?;
        set(&node, Rtype::PTR, name);
        if let Some(group) = group {
            set(&node.child(b"group")?, Rtype::TXT, &text(group));
        }
        if let Some(catalog) = moves_to {
            set(&node.child(b"coo")?, Rtype::PTR, catalog);
        }
    }
    Ok(contents)
}

/// The owner of what the catalog `origin` says of `member`.
pub(super) fn node(origin: &Name, member: &Name) -> Result<Name, NameError> {
    origin.child(b"zones")?.child(label(member).as_bytes())
}

/// The label of a member's node: half of a hash of its name.
fn label(member: &Name) -> String {
    let mut canonical = Vec::with_capacity(member.len());
    member.as_ref().write_canonical(&mut canonical);
    HEXLOWER.encode(&digest(&SHA256, &canonical).as_ref()[..16])
}

/// A character string, which the configuration has seen to be short enough.
fn text(text: &str) -> Vec<u8> {
    [&[text.len() as u8][..], text.as_bytes()].concat()
}

/// The schema that this is (RFC 9432 §4.2.1).
const VERSION: &str = "2";
/// Records that no resolver asks for need not be kept by any.
const TTL: Ttl = Ttl(0);
/// NOTIFY tells of a change; this is for one that was lost.
const REFRESH: u32 = HOUR.0 as u32;
const RETRY: u32 = 10 * MINUTE.0 as u32;
/// Secondaries go on with the zones that they know for as long as there is no danelaw to ask (RFC 9432 §5.1).
const EXPIRE: u32 = i32::MAX as u32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Snapshot;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn records(members: &[(&str, Option<&str>, Option<&str>)]) -> Vec<String> {
        let members = members.iter().map(|&(member, group, moves_to)| {
            (name(member), Member { group: group.map(str::to_owned), moves_to: moves_to.map(name) })
        });
        let catalog = Catalog { members: members.collect(), arrivals: Vec::new() };
        let mut text = Vec::new();
        let snapshot = Snapshot::new(contents(&name("cat.example"), &catalog).unwrap()).unwrap();
        crate::zone::text::write(&snapshot, false, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn a_catalog_is_what_the_rfc_has_it_be() {
        // Canonical order.
        assert_eq!(
            records(&[
                ("Member.Example", Some("signed"), Some("new.example")),
                ("other.example", None, None)
            ]),
            [
                "cat.example. 0 IN NS invalid.",
                "cat.example. 0 IN SOA invalid. invalid. 0 3600 600 2147483647 0",
                "version.cat.example. 0 IN TXT \"2\"",
                "3d302fbfda89806f48b28f01d5289af7.zones.cat.example. 0 IN PTR other.example.",
                "60173fb7af88038727955f482d0295dd.zones.cat.example. 0 IN PTR Member.Example.",
                "coo.60173fb7af88038727955f482d0295dd.zones.cat.example. 0 IN PTR new.example.",
                "group.60173fb7af88038727955f482d0295dd.zones.cat.example. 0 IN TXT \"signed\"",
            ]
        );
    }

    #[test]
    fn a_members_label_depends_on_its_name_alone_and_not_on_case() {
        assert_eq!(label(&name("Member.Example")), label(&name("member.example.")));
        assert_ne!(label(&name("member.example")), label(&name("member2.example")));
    }
}
