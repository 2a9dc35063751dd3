//! Whether TLSA records vouch for what a server presents (RFC 6698 §2.1, RFC 7671 §5, §8).

use super::association::Association;
use super::material::Certificate;
use super::params::{Params, Usage};

/// What the records of one RRset say of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Some record of each set of parameters matches; these are the ones that do.
    Matched(Vec<Association>),
    /// Some records match, but none with these parameters: a client that goes by them alone finds no match
    /// (RFC 7671 §8, RFC 7671 §9).
    Partly(Vec<Params>),
    /// No record matches.
    Unmatched,
}

/// Judges a chain, the server's own certificate first, by matching alone: who signed whom is not looked at.
pub fn verdict(records: &[Association], chain: &[Certificate]) -> Verdict {
    let (matching, others): (Vec<&Association>, Vec<&Association>) =
        records.iter().partition(|record| matched(record, chain).is_some());
    if matching.is_empty() {
        return Verdict::Unmatched;
    }
    let mut unmatched: Vec<Params> = others.iter().map(|record| record.params()).collect();
    unmatched.retain(|params| matching.iter().all(|record| record.params() != *params));
    unmatched.sort_unstable();
    unmatched.dedup();
    if unmatched.is_empty() {
        Verdict::Matched(matching.into_iter().cloned().collect())
    } else {
        Verdict::Partly(unmatched)
    }
}

/// The certificate of the chain that a record is about: the server's own, or one of those above it.
pub fn matched<'c>(record: &Association, chain: &'c [Certificate]) -> Option<&'c Certificate> {
    let (leaf, above) = chain.split_at(chain.len().min(1));
    let candidates = if record.params().usage().is_some_and(Usage::is_issuer) { above } else { leaf };
    candidates.iter().find(|certificate| record.is_of(certificate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlsa::material::Material;
    use crate::tlsa::params::Combination;
    use crate::tlsa::sample;

    fn records(params: &[&str], material: &Material) -> Vec<Association> {
        params.iter().map(|params| Association::new(params.parse().unwrap(), material).unwrap()).collect()
    }

    #[test]
    fn every_kind_of_record_finds_its_certificate() {
        let chain = sample::chain(1, 2);
        for combination in Combination::all() {
            let params = Params::Tlsa(combination);
            let record = Association::new(params, &chain).unwrap();
            let at = usize::from(combination.usage.is_issuer());
            assert_eq!(matched(&record, chain.chain()), Some(&chain.chain()[at]), "{params}");
            // A server that leaves out its issuer gives those who trust that one nothing to go by.
            let alone = matched(&record, &chain.chain()[..1]);
            assert_eq!(alone.is_some(), at == 0, "{params}");
            assert_eq!(matched(&record, &[]), None);
        }
    }

    #[test]
    fn each_set_of_parameters_needs_a_match() {
        let chain = sample::chain(1, 2);
        let other = sample::chain(3, 2);
        let (good, stale) = (records(&["3 1 1"], &chain), records(&["3 1 1", "3 1 2"], &other));
        let judge = |records: &[&[Association]]| verdict(&records.concat(), chain.chain());
        assert_eq!(judge(&[&good]), Verdict::Matched(good.clone()));
        assert_eq!(judge(&[&stale[..1], &good]), Verdict::Matched(good.clone()), "current and next");
        assert_eq!(judge(&[&good, &stale]), Verdict::Partly(vec!["3 1 2".parse().unwrap()]));
        assert_eq!(judge(&[&stale]), Verdict::Unmatched);
        assert_eq!(judge(&[&[]]), Verdict::Unmatched);
    }
}
