//! A certificate that nobody but its own key has signed: what DANE-EE needs, and laboratories use.

use jiff::Timestamp as Moment;
use jiff::tz::TimeZone;
use ring::rand::SecureRandom;

use super::new_key::{NewKey, NewKeyError, alternatives, subject, texts};
use super::{Validity, private_key};
use crate::asn1::der::{self, BIT_STRING, CONTEXT_0, CONTEXT_3, INTEGER, SEQUENCE, UTC_TIME};
use crate::asn1::pem;
use crate::dns::name::Name;
use crate::dns::time::Timestamp;

/// Version 3 (RFC 5280 §4.1.2.1).
const VERSION: u8 = 2;
/// Octets of a serial number, which should be unpredictable.
const SERIAL: usize = 8;

impl NewKey {
    /// A certificate for these names in PEM, issued by the first of them to itself (RFC 5280 §4.1). Its times must lie
    /// before 2050.
    pub fn self_signed(
        &self,
        names: &[Name],
        validity: Validity,
        random: &dyn SecureRandom,
    ) -> Result<String, NewKeyError> {
        let spki = private_key::from_pkcs8(self.pkcs8()).map_err(|_| NewKeyError::Unusable)?;
        let texts = texts(names);
        let subject = der::wrap(SEQUENCE, &subject(texts.first().ok_or(NewKeyError::NoNames)?));
        let mut serial = [0; SERIAL];
        random.fill(&mut serial).map_err(|_| NewKeyError::NoRandomness)?;
        // A positive number without superfluous zeros.
        serial[0] = serial[0] & 0x7f | 0x40;
        let period = [utc_time(validity.not_before), utc_time(validity.not_after)].concat();
        let extensions = der::wrap(SEQUENCE, &alternatives(&texts));
        // The algorithm stands inside and outside of what is signed with it; how, only signing tells.
        let (algorithm, _) = self.sign(&[], random)?;
        let fields = [
            der::wrap(CONTEXT_0, &der::wrap(INTEGER, &[VERSION])),
            der::wrap(INTEGER, &serial),
            algorithm.clone(),
            subject.clone(),
            der::wrap(SEQUENCE, &period),
            subject,
            spki,
            der::wrap(CONTEXT_3, &extensions),
        ];
        let content = der::wrap(SEQUENCE, &fields.concat());
        let (_, signature) = self.sign(&content, random)?;
        let signature = der::wrap(BIT_STRING, &[&[0], &signature[..]].concat());
        let certificate = der::wrap(SEQUENCE, &[content, algorithm, signature].concat());
        Ok(pem::write("CERTIFICATE", &certificate).to_string())
    }
}

/// `YYMMDDHHMMSSZ` (RFC 5280 §4.1.2.5.1).
fn utc_time(at: Timestamp) -> Vec<u8> {
    let seconds = i64::try_from(at.0).unwrap_or(i64::MAX);
    let moment = Moment::from_second(seconds).unwrap_or(Moment::UNIX_EPOCH).to_zoned(TimeZone::UTC);
    let text = moment.strftime("%y%m%d%H%M%SZ").to_string();
    der::wrap(UTC_TIME, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;
    use crate::tlsa::Material;
    use crate::tlsa::new_key::KeyAlgorithm;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a key is as good as its randomness")]
    fn it_is_of_the_key_for_the_names_and_the_period_that_were_asked_for() {
        let random = SystemRandom::new();
        let names = ["mail.example.test", "example.test"].map(|name| Name::parse(name).unwrap());
        let validity = Validity { not_before: Timestamp(1_790_000_000), not_after: Timestamp(1_790_086_400) };
        for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Rsa2048] {
            let key = NewKey::generate(algorithm, &random).unwrap();
            let pem = key.self_signed(&names, validity, &random).unwrap();
            let material = Material::parse(format!("{pem}{}", *key.pem()).as_bytes()).unwrap();
            let certificate = material.leaf().unwrap();
            assert_eq!(certificate.dns_names(), names);
            assert_eq!(certificate.validity(), validity);
            assert_ne!(pem, key.self_signed(&names, validity, &random).unwrap(), "another serial number");
            assert_eq!(key.self_signed(&[], validity, &random), Err(NewKeyError::NoNames));
        }
    }
}
