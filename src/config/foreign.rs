//! `zones.*.foreign-dnskeys`: DNSKEY records of another signer of the same zone (RFC 8901, model 2), which stand beside
//! ours and sign nothing here.

use super::fields::Fields;
use super::policy::Policy;
use super::report::Report;
use crate::dns::name::Name;
use crate::dns::rdata;
use crate::dns::rdata::TextError;
use crate::dns::rtype::Rtype;

/// What is wrong with `foreign-dnskeys`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ForeignError {
    #[error("{0}; expected the data of a DNSKEY record, as `dig +short` prints it")]
    Text(TextError),
    #[error("flags lack the zone flag or protocol is not 3, expected `256 3 …` or `257 3 …`")]
    NotAZoneKey,
    #[error("`foreign-dnskeys` has its effect with a policy that signs, and `{0}` does not")]
    Unsigned(String),
}

/// Reads DNSKEY rdata, one entry a key, of a zone with this policy.
pub(super) fn read_foreign_dnskeys(
    fields: &Fields<'_>,
    policy: &Policy,
    report: &mut Report<'_>,
) -> Vec<Vec<u8>> {
    if let Some(node) = fields.get("foreign-dnskeys").filter(|_| !policy.signs()) {
        report.error(node.mark, ForeignError::Unsigned(policy.name.clone()));
    }
    let keys = fields.read_any("foreign-dnskeys", report, dnskey);
    keys.into_iter().map(|(_, rdata)| rdata).collect()
}

fn dnskey(text: &str) -> Result<Vec<u8>, ForeignError> {
    let root = Name::root();
    let rdata = rdata::from_text(Rtype::DNSKEY, text, root.as_ref()).map_err(ForeignError::Text)?;
    // RFC 4034 §2.1.1 and §2.1.2.
    match rdata[..] {
        [flags, _, 3, ..] if flags & 1 == 1 => Ok(rdata),
        _ => Err(ForeignError::NotAZoneKey),
    }
}
