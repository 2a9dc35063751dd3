//! Certificates and keys that differ and are sound DER, and the TLSA records that vouch for them, computed here
//! once more: nothing of `danelaw::tlsa` is used.

use data_encoding::{BASE64, HEXLOWER};
use ring::digest::{SHA256, SHA512, digest};

/// A certificate and its key, told apart by a number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Cert {
    pub(crate) number: u32,
    pub(crate) der: Vec<u8>,
    pub(crate) spki: Vec<u8>,
}

impl Cert {
    /// A self-made certificate for the key of this number. Nothing is signed: nobody here verifies it.
    pub(crate) fn new(number: u32) -> Self {
        Self::renewed(number, 1)
    }

    /// Another certificate for the same key.
    pub(crate) fn renewed(number: u32, serial: u8) -> Self {
        let mut key = [0x5a; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        let spki = wrap(SEQUENCE, &[ed25519(), wrap(BIT_STRING, &[&[0][..], &key].concat())].concat());
        let time = |text: &str| wrap(UTC_TIME, text.as_bytes());
        let to_be_signed = [
            wrap(CONTEXT_0, &wrap(INTEGER, &[2])),
            wrap(INTEGER, &[serial]),
            ed25519(),
            name("CA"),
            wrap(SEQUENCE, &[time("260101000000Z"), time("491231000000Z")].concat()),
            name("server"),
            spki.clone(),
        ];
        let signature = wrap(BIT_STRING, &[0; 65]);
        let der = wrap(SEQUENCE, &[wrap(SEQUENCE, &to_be_signed.concat()), ed25519(), signature].concat());
        Self { number, der, spki }
    }

    pub(crate) fn pem(&self) -> Vec<u8> {
        pem("CERTIFICATE", &self.der)
    }

    /// The public key alone, as a file for `next` may hold it.
    pub(crate) fn key_pem(&self) -> Vec<u8> {
        pem("PUBLIC KEY", &self.spki)
    }

    /// Whether a TLSA record vouches for it (RFC 6698 §2.1; usages of the end entity only).
    pub(crate) fn matches(&self, tlsa: &[u8]) -> bool {
        let (&[_usage, selector, matching], data) = tlsa.split_first_chunk().unwrap();
        let selected = if selector == 0 { &self.der } else { &self.spki };
        match matching {
            0 => selected == data,
            1 => digest(&SHA256, selected).as_ref() == data,
            _ => digest(&SHA512, selected).as_ref() == data,
        }
    }

    /// The beginning of its SHA-256, as danelaw shows it.
    pub(crate) fn digest(&self) -> String {
        HEXLOWER.encode(&digest(&SHA256, &self.der).as_ref()[..8])
    }

    /// The rdata of its `3 1 1` record.
    pub(crate) fn tlsa(&self) -> Vec<u8> {
        [&[3, 1, 1], digest(&SHA256, &self.spki).as_ref()].concat()
    }
}

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    let lines: Vec<String> = BASE64
        .encode(der)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8(line.to_vec()).unwrap() + "\n")
        .collect();
    format!("-----BEGIN {label}-----\n{}-----END {label}-----\n", lines.concat()).into_bytes()
}

fn ed25519() -> Vec<u8> {
    wrap(SEQUENCE, &wrap(OID, &[0x2b, 0x65, 0x70]))
}

fn name(common: &str) -> Vec<u8> {
    let attribute = [wrap(OID, &[0x55, 0x04, 0x03]), wrap(UTF8, common.as_bytes())].concat();
    wrap(SEQUENCE, &wrap(SET, &wrap(SEQUENCE, &attribute)))
}

/// A DER value of less than 64 KiB.
fn wrap(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [high, low] = (contents.len() as u16).to_be_bytes();
    let length: &[u8] = match contents.len() {
        0..128 => &[low],
        128..256 => &[0x81, low],
        _ => &[0x82, high, low],
    };
    [&[tag], length, contents].concat()
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;
const UTF8: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT_0: u8 = 0xa0;
