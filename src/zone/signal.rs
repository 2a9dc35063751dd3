//! Signalling names (RFC 9615): below the names of a zone's nameservers, where the CDS and CDNSKEY records of a zone that
//! is not secure yet stand once more, in zones that are.

use crate::dns::name::{Name, NameError, NameRef};

/// The first label (RFC 9615 §3.2).
const BOOTSTRAP: &[u8] = b"_dsboot";
/// The label between the zone and the nameserver.
const SIGNAL: &[u8] = b"_signal";

/// Where `nameserver` signals for `zone`; an error if that is too long for a name.
pub fn name(zone: NameRef<'_>, nameserver: NameRef<'_>) -> Result<Name, NameError> {
    let labels: Vec<&[u8]> = zone.labels().collect();
    let below = nameserver.to_owned().child(SIGNAL)?;
    labels.into_iter().rev().try_fold(below, |name, label| name.child(label))?.child(BOOTSTRAP)
}

/// Whether this is a signalling name. CDS and CDNSKEY records have no business at any other below an apex.
pub fn is_name(owner: NameRef<'_>) -> bool {
    let is = |label: &[u8], wanted: &[u8]| label.eq_ignore_ascii_case(wanted);
    let mut labels = owner.labels();
    labels.next().is_some_and(|first| is(first, BOOTSTRAP)) && labels.any(|label| is(label, SIGNAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    /// RFC 9615 §4.1.1.
    #[test]
    fn a_zone_has_a_name_below_each_of_its_nameservers() {
        let signalled = |zone: &str, nameserver: &str| name(parse(zone).as_ref(), parse(nameserver).as_ref());
        assert_eq!(
            signalled("example.co.uk", "ns1.example.net"),
            Ok(parse("_dsboot.example.co.uk._signal.ns1.example.net"))
        );
        let long = ["a23456789012345678901234567890"; 4].join(".");
        assert_eq!(signalled(&long, &long), Err(NameError::TooLong));
    }

    #[test]
    fn a_signalling_name_is_told_by_its_labels() {
        for (text, is) in [
            ("_dsboot.example.co.uk._signal.ns1.example.net", true),
            ("_DSBOOT.example._Signal.ns1.example.net", true),
            ("_dsboot.example.net", false),
            ("example.co.uk._signal.ns1.example.net", false),
            ("_signal._dsboot.example.net", false),
            (".", false),
        ] {
            assert_eq!(is_name(parse(text).as_ref()), is, "{text}");
        }
    }
}
