//! What is kept of a zone beside its nodes, and of a service; and the form of both on disk.
//!
//! On disk both are JSON. Unknown fields are refused: a field that is ignored could be one that matters. A form
//! that changes is a new format number of the [store](super::store), which tells an older danelaw to keep off.

use data_encoding::HEXLOWER;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{Cause, Damage, StateError};
use crate::dns::name::Name;
use crate::dns::rtype::Rtype;
use crate::dns::time::Timestamp;
use crate::dnssec::lifecycle::Lifecycle;
use crate::zone::{ManagedRrsets, Serial};

/// What is kept of a zone beside its nodes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ZoneRecord {
    /// The serial of the version.
    pub serial: Serial,
    /// The digest of the files that the version was made from.
    pub digest: Option<[u8; 16]>,
    /// The serial that those files have.
    pub file_serial: Option<Serial>,
    /// Whether danelaw signed the version.
    pub signed: bool,
    /// Whether danelaw ever signed the zone: if so, it never gets new keys unasked.
    pub ever_signed: bool,
    /// The tags of the keys that were published when danelaw signed it last.
    pub key_tags: Vec<u16>,
    /// Where each of its keys is in its life.
    pub keys: Lifecycle,
    /// What danelaw made in it.
    pub managed: ManagedRrsets,
    /// When a primary last had this content for current, in a zone that comes from one.
    pub current: Option<Timestamp>,
    /// Where the state was restored: secondaries may have versions up to this serial that are forgotten here. So the
    /// next version is made at once, with a serial above it.
    pub above: Option<Serial>,
}

/// The state of one service, in whatever serializable form its owner gives it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceState(Box<[u8]>);

/// A [`ZoneRecord`] on disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct StoredRecord {
    /// Which part of the table of nodes is the zone's.
    pub(super) range: u32,
    pub(super) serial: u32,
    digest: Option<String>,
    file_serial: Option<u32>,
    signed: bool,
    ever_signed: bool,
    key_tags: Vec<u16>,
    /// Up to format 3 keys had no life.
    #[serde(default, skip_serializing_if = "Lifecycle::is_untouched")]
    keys: Lifecycle,
    /// `OWNER TYPE`
    managed: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    above: Option<u32>,
}

impl StoredRecord {
    pub(super) fn new(range: u32, record: &ZoneRecord) -> Self {
        Self {
            range,
            serial: record.serial.0,
            digest: record.digest.map(|digest| HEXLOWER.encode(&digest)),
            file_serial: record.file_serial.map(|serial| serial.0),
            signed: record.signed,
            ever_signed: record.ever_signed,
            key_tags: record.key_tags.clone(),
            keys: record.keys.clone(),
            managed: record.managed.iter().map(|(owner, rtype)| format!("{owner} {rtype}")).collect(),
            current: record.current,
            above: record.above.map(|serial| serial.0),
        }
    }

    pub(super) fn read(stored: &[u8]) -> Result<Self, Damage> {
        serde_json::from_slice(stored).map_err(|_| Damage::Record)
    }

    /// The octets to store; there is nothing in it that JSON cannot say.
    pub(super) fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl TryFrom<StoredRecord> for ZoneRecord {
    type Error = Damage;

    fn try_from(stored: StoredRecord) -> Result<Self, Damage> {
        let digest =
            |text: String| -> Option<[u8; 16]> { HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok() };
        Ok(Self {
            serial: Serial(stored.serial),
            digest: stored.digest.map(|text| digest(text).ok_or(Damage::Record)).transpose()?,
            file_serial: stored.file_serial.map(Serial),
            signed: stored.signed,
            ever_signed: stored.ever_signed,
            key_tags: stored.key_tags,
            keys: stored.keys,
            managed: stored
                .managed
                .iter()
                .map(|rrset| managed(rrset).ok_or(Damage::Record))
                .collect::<Result<_, _>>()?,
            current: stored.current,
            above: stored.above.map(Serial),
        })
    }
}

/// An owner and its type. Up to format 2 the type was TLSA, and was not written.
fn managed(stored: &str) -> Option<(Name, Rtype)> {
    let (owner, rtype) = stored.split_once(' ').unwrap_or((stored, "TLSA"));
    Some((Name::parse(owner).ok()?, rtype.parse().ok()?))
}

impl ServiceState {
    /// Takes the state of `service`; `state` is a plain structure, such as JSON can say.
    pub fn of(service: &str, state: &impl Serialize) -> Result<Self, StateError> {
        serde_json::to_vec(state)
            .map(|json| Self(json.into()))
            .map_err(|error| StateError::Service(service.into(), Cause::new(&error)))
    }

    /// Gives the state of `service` back.
    pub fn read<T: DeserializeOwned>(&self, service: &str) -> Result<T, StateError> {
        serde_json::from_slice(&self.0)
            .map_err(|error| StateError::Service(service.into(), Cause::new(&error)))
    }

    pub(super) fn stored(octets: &[u8]) -> Self {
        Self(octets.into())
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ZoneRecord {
        ZoneRecord {
            serial: Serial(2_024_061_803),
            digest: Some([0x5a; 16]),
            file_serial: Some(Serial(7)),
            signed: true,
            ever_signed: true,
            key_tags: vec![12_345, 7],
            keys: Lifecycle::default(),
            managed: [
                (r"_25._tcp.a\.b\032c.example.test", Rtype::TLSA),
                ("host.example.test", Rtype(65_280)),
            ]
            .map(|(owner, rtype)| (Name::parse(owner).unwrap(), rtype))
            .into_iter()
            .collect(),
            current: Some(Timestamp(1_795_305_600)),
            above: Some(Serial(2_024_061_900)),
        }
    }

    #[test]
    fn a_record_reads_back() {
        for record in [record(), ZoneRecord::default()] {
            let stored = StoredRecord::read(&StoredRecord::new(3, &record).write()).unwrap();
            assert_eq!(stored.range, 3);
            assert_eq!(ZoneRecord::try_from(stored), Ok(record));
        }
    }

    #[test]
    fn owners_without_a_type_are_those_of_tlsa_records() {
        let json = String::from_utf8(StoredRecord::new(3, &record()).write()).unwrap();
        assert!(json.contains(r" TLSA"), "{json}");
        let old = StoredRecord::read(json.replace(" TLSA", "").as_bytes()).unwrap();
        assert_eq!(ZoneRecord::try_from(old), Ok(record()));
    }

    #[test]
    fn a_field_that_is_not_known_is_refused() {
        let json = String::from_utf8(StoredRecord::new(3, &record()).write()).unwrap();
        let more = json.replacen('{', r#"{"frozen":true,"#, 1);
        assert_eq!(StoredRecord::read(more.as_bytes()).err(), Some(Damage::Record));
    }

    #[test]
    fn a_digest_that_is_cut_off_is_damage() {
        let stored = StoredRecord { digest: Some("5a5a".to_owned()), ..StoredRecord::new(3, &record()) };
        assert_eq!(ZoneRecord::try_from(stored), Err(Damage::Record));
    }
}
