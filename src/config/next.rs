//! `next` of a service: what it will present next.
//!
//! That is a file of somebody else's making, or a key that danelaw makes itself. The keys that it makes for a service
//! lie in a directory of that service's name, each in a directory of its own with the request for its certificate;
//! the link [`NEXT`] among them leads to the one that comes next.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::fields::{self, Fields};
use super::report::{Mark, Report};
use super::scalar::{UnknownWord, choose};
use super::yaml::{Node, Value};
use super::{Paths, defaults};

/// What a service will present next, in the order of its certificates.
#[derive(Default)]
pub(super) struct Next {
    /// Each with its place.
    pub(super) files: Vec<(Mark, PathBuf)>,
    /// Which of them danelaw makes.
    pub(super) made: BTreeMap<usize, MadeNext>,
}

/// A next key that danelaw makes, with the request for its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeNext {
    /// What kind of key it is.
    pub algorithm: KeyAlgorithm,
    /// Where all keys of this certificate are kept.
    pub directory: PathBuf,
}

/// What kind of key is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// `ecdsa-p256`
    EcdsaP256,
    /// `rsa-2048`
    Rsa2048,
}

impl MadeNext {
    /// The request for the certificate of the key that comes next. It says which key that is, and stays where it is
    /// if somebody takes the key away: so it is watched, and nobody reads the private key.
    pub fn request(&self) -> PathBuf {
        self.directory.join(NEXT).join(REQUEST)
    }
}

/// The link to the key that comes next.
pub const NEXT: &str = "next";
/// A private key, PEM.
pub const KEY: &str = "privkey.pem";
/// The request for its certificate, PEM.
pub const REQUEST: &str = "csr.pem";

/// What is wrong with `next`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum NextError {
    #[error(
        "`next` lacks `generate`, expected `{{generate: ecdsa-p256, directory: DIR}}` or the path of a file"
    )]
    NoAlgorithm,
    #[error("`{}` holds the next keys of another certificate already, expected another `directory`", .0.display())]
    Taken(PathBuf),
}

/// Reads `next` of `service`: one item or a list, each the path of a file or a mapping. `taken` are the directories
/// of all services so far.
pub(super) fn read_next(
    node: Option<&Node>,
    service: &str,
    paths: &Paths<'_>,
    taken: &mut BTreeSet<PathBuf>,
    report: &mut Report<'_>,
) -> Next {
    let mut next = Next::default();
    for (index, item) in node.map_or(&[][..], fields::one_or_list).iter().enumerate() {
        let file = if let Value::Map(_) = item.value {
            let Some(made) = read_made(item, service, index, paths, report) else { continue };
            if !taken.insert(made.directory.clone()) {
                report.error(item.mark, NextError::Taken(made.directory.clone()));
            }
            let file = made.request();
            next.made.insert(next.files.len(), made);
            file
        } else {
            let Some(file) = fields::read("next", item, report, |text| paths.resolve(text)) else { continue };
            file
        };
        next.files.push((item.mark, file));
    }
    next
}

fn read_made(
    node: &Node,
    service: &str,
    index: usize,
    paths: &Paths<'_>,
    report: &mut Report<'_>,
) -> Option<MadeNext> {
    let fields = Fields::of("next", node, &KEYS, report);
    if fields.get("generate").is_none() {
        report.error(node.mark, NextError::NoAlgorithm);
    }
    let algorithm = fields.read("generate", report, algorithm);
    let directory = fields.read("directory", report, |text| paths.resolve(text));
    let directory = directory.unwrap_or_else(|| paths.directory.join(defaults::NEXT_DIRECTORY));
    let own = if index == 0 { service.to_owned() } else { format!("{service}-{}", index + 1) };
    Some(MadeNext { algorithm: algorithm?, directory: directory.join(own) })
}

fn algorithm(text: &str) -> Result<KeyAlgorithm, UnknownWord> {
    choose(text, &[("ecdsa-p256", KeyAlgorithm::EcdsaP256), ("rsa-2048", KeyAlgorithm::Rsa2048)])
}

const KEYS: [&str; 2] = ["generate", "directory"];
