//! Trust anchors: the DS or DNSKEY records that a validating walk begins with.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::super::files;
use crate::dns::name::{Name, NameRef};
use crate::dns::problem::{Place, Problem, Problems};
use crate::dns::rtype::Rtype;
use crate::dns::time::Ttl;
use crate::dns::zonefile::{self, At, File, Loader, Sink};
use crate::dnssec::proof::Dnskey;

/// The keys of a zone that are trusted without asking anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The zone's apex.
    pub zone: Name,
    /// DS records, rdata.
    pub ds: Vec<Vec<u8>>,
    /// DNSKEY records, rdata.
    pub dnskey: Vec<Vec<u8>>,
}

impl Anchor {
    /// Whether `key` is one of those that are trusted.
    pub(super) fn trusts(&self, key: &Dnskey) -> bool {
        self.dnskey.iter().any(|trusted| trusted == key.rdata())
            || self.ds.iter().any(|ds| key.is_named_by(self.zone.as_ref(), ds))
    }
}

/// Reads the DS and DNSKEY records in the file at `path`, which is written as a zone file is; a TTL is not needed.
pub fn read(path: &Path) -> Result<Vec<Anchor>, Problems> {
    let name = path.display().to_string();
    let blame = |text: &dyn std::fmt::Display| {
        let mut problems = Problems::default();
        problems.push(Problem::error(Place::file(name.as_str()), text));
        problems
    };
    let text = files::read(path).map_err(|error| blame(&error))?;
    let mut anchors = Anchors::default();
    let mut loader = One(Some(File { name: name.as_str().into(), text: text.to_vec() }));
    // Records of `danelaw ds` have no TTL, as nobody needs one here.
    let text: &[u8] = b"$TTL 1\n$INCLUDE anchors\n";
    let outcome =
        zonefile::read(Arc::from("anchors"), text, Name::root().as_ref(), &mut loader, &mut anchors);
    if outcome.problems.refuse() {
        return Err(outcome.problems);
    }
    if anchors.0.is_empty() {
        return Err(blame(&"no trust anchor, expected DS or DNSKEY records"));
    }
    Ok(anchors.0.into_values().collect())
}

/// The file itself, whatever it is asked for.
struct One(Option<File>);

impl Loader for One {
    type Error = zonefile::NoFilesError;
    fn load(&mut self, _: &str, _: &str) -> Result<File, Self::Error> {
        self.0.take().ok_or(zonefile::NoFilesError)
    }
}

#[derive(Default)]
struct Anchors(BTreeMap<Name, Anchor>);

impl Sink for Anchors {
    fn record(&mut self, owner: NameRef<'_>, _: Ttl, rtype: Rtype, rdata: &[u8], _: At) {
        let zone = owner.to_owned();
        let anchor = || Anchor { zone: zone.clone(), ds: Vec::new(), dnskey: Vec::new() };
        match rtype {
            Rtype::DS => self.0.entry(zone.clone()).or_insert_with(anchor).ds.push(rdata.to_vec()),
            Rtype::DNSKEY => self.0.entry(zone.clone()).or_insert_with(anchor).dnskey.push(rdata.to_vec()),
            // `danelaw ds` prints CDS records as well.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("anchors");
        std::fs::write(&path, text).unwrap();
        (scratch, path)
    }

    #[test]
    fn records_with_and_without_ttl_are_taken_by_zone() {
        let digest = "b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17";
        let ds = format!("example.test. IN DS 55648 13 2 {digest}\n. 3600 IN DS 1 8 2 {digest} ; the root\n");
        let (_scratch, path) = written(&format!("{ds}example.test. IN CDS 55648 13 2 {digest}\n"));
        let anchors = read(&path).unwrap();
        let zones: Vec<_> = anchors.iter().map(|anchor| (anchor.zone.to_string(), anchor.ds.len())).collect();
        assert_eq!(zones, [(".".to_owned(), 1), ("example.test.".to_owned(), 1)]);
    }

    #[test]
    fn what_is_wrong_is_told_by_line() {
        let (_scratch, path) = written("\nexample.test. IN DS 55648 13 2 xyz\n");
        let said = read(&path).unwrap_err().to_string();
        assert!(said.contains("anchors:2:"), "{said}");
        let (_scratch, path) = written("example.test. IN A 192.0.2.1\n");
        assert!(read(&path).unwrap_err().to_string().contains("expected DS or DNSKEY records"));
        assert!(read(Path::new("/nowhere/at/all")).unwrap_err().to_string().contains("/nowhere/at/all"));
    }
}
