//! EDNS (RFC 6891): the OPT record, and the options that a server acts on.
//!
//! Options of a request are read into [`Options`], unknown ones passed over. The OPT record of a response is an
//! [`Opt`], which says how much room it needs before anything else is written.

use super::reader::{Malformed, Reader};
use super::{OPT_OCTETS, Rcode};

/// What an OPT record says (RFC 6891 §6.1), options left aside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edns {
    /// The largest message its sender can take over UDP.
    pub payload: u16,
    /// The upper 8 bits of the rcode; 0 in requests.
    pub extended_rcode: u8,
    /// The EDNS version of the sender.
    pub version: u8,
    /// DO: DNSSEC records are wanted (RFC 3225).
    pub dnssec_ok: bool,
}

/// The options of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options<'a> {
    /// The server's identity is asked for (RFC 5001).
    pub nsid: bool,
    /// A cookie came along (RFC 7873).
    pub cookie: Option<Cookie<'a>>,
    /// The client would keep the connection (RFC 7828).
    pub keepalive: bool,
    /// The request is padded, so the response should be (RFC 7830 §4).
    pub padding: bool,
}

/// The COOKIE option (RFC 7873 §4): what the client chose, and what a server gave it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cookie<'a>(&'a [u8]);

/// Why a response is what it is (RFC 8914 §4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExtendedError(pub u16);

impl ExtendedError {
    /// Signatures of the zone have expired: it is not kept up.
    pub const STALE: Self = Self(3);
    /// The zone has no version to serve yet.
    pub const NOT_READY: Self = Self(14);
    /// This client may not have that.
    pub const PROHIBITED: Self = Self(18);
    /// No zone here encloses the name.
    pub const NOT_AUTHORITATIVE: Self = Self(20);
    /// Such requests are not understood here.
    pub const NOT_SUPPORTED: Self = Self(21);
    /// The zone has expired.
    pub const INVALID_DATA: Self = Self(24);
}

/// The OPT record of a response.
#[derive(Clone, Copy, Debug)]
pub struct Opt<'a> {
    /// Its fixed part.
    pub edns: Edns,
    /// Both halves of the COOKIE option.
    pub cookie: Option<[u8; COOKIE_OCTETS]>,
    /// The server's identity.
    pub nsid: Option<&'a [u8]>,
    /// How long an idle connection is kept, in tenths of a second.
    pub keepalive: Option<u16>,
    /// Why.
    pub error: Option<ExtendedError>,
    /// The message is filled up to a multiple of [`PADDING_BLOCK`].
    pub padded: bool,
}

/// A client's cookie and one of ours (RFC 9018 §4).
pub const COOKIE_OCTETS: usize = 8 + 16;
/// What padded responses are a multiple of (RFC 8467 §4.1).
pub const PADDING_BLOCK: usize = 468;

const NSID: u16 = 3;
const COOKIE: u16 = 10;
const KEEPALIVE: u16 = 11;
const PADDING: u16 = 12;
const EXTENDED_ERROR: u16 = 15;
/// Octets of an option's code and length.
const OPTION: usize = 4;

impl Edns {
    /// Reads class and TTL of an OPT record.
    pub fn of(class: u16, ttl: u32) -> Self {
        let [extended_rcode, version, flags, _] = ttl.to_be_bytes();
        Self { payload: class, extended_rcode, version, dnssec_ok: flags & 0x80 != 0 }
    }

    /// The record without options, owner first.
    fn encode(self) -> [u8; OPT_OCTETS] {
        let [payload_high, payload_low] = self.payload.to_be_bytes();
        let flags = u8::from(self.dnssec_ok) << 7;
        [0, 0, 41, payload_high, payload_low, self.extended_rcode, self.version, flags, 0, 0, 0]
    }
}

impl<'a> Options<'a> {
    /// Reads the rdata of an OPT record. Of an option that comes twice the first counts.
    pub fn read(rdata: &'a [u8]) -> Result<Self, Malformed> {
        let mut options = Self::default();
        let mut reader = Reader::new(rdata, 0);
        while !reader.is_at_end() {
            let (code, length) = (reader.u16()?, reader.u16()?);
            let data = reader.octets(length.into())?;
            match code {
                NSID => options.nsid = true,
                COOKIE => options.cookie = options.cookie.or(Some(Cookie::read(data)?)),
                KEEPALIVE => options.keepalive = true,
                PADDING => options.padding = true,
                _ => {}
            }
        }
        Ok(options)
    }
}

impl<'a> Cookie<'a> {
    /// Reads the option's data. RFC 7873 §5.2.2: any other length is a format error.
    pub fn read(data: &'a [u8]) -> Result<Self, Malformed> {
        match data.len() {
            8 | 16..=40 => Ok(Self(data)),
            _ => Err(Malformed),
        }
    }

    /// What the client chose.
    pub fn client(self) -> [u8; 8] {
        self.0.first_chunk().copied().unwrap_or_default()
    }

    /// What a server gave it, 8 to 32 octets; empty at the first contact.
    pub fn server(self) -> &'a [u8] {
        self.0.get(8..).unwrap_or_default()
    }
}

impl From<Edns> for Opt<'_> {
    /// Without options.
    fn from(edns: Edns) -> Self {
        Self { edns, cookie: None, nsid: None, keepalive: None, error: None, padded: false }
    }
}

impl Opt<'_> {
    /// How much room it needs, whatever the padding.
    pub fn octets(&self) -> usize {
        OPT_OCTETS + self.option_octets() + if self.padded { OPTION } else { 0 }
    }

    fn option_octets(&self) -> usize {
        let cookie = self.cookie.map_or(0, |cookie| OPTION + cookie.len());
        let nsid = self.nsid.map_or(0, |id| OPTION + id.len());
        let keepalive = self.keepalive.map_or(0, |_| OPTION + 2);
        let error = self.error.map_or(0, |_| OPTION + 2);
        cookie + nsid + keepalive + error
    }

    /// Writes the record with the upper bits of `rcode` at `at`, where [`octets`](Self::octets) are free, and says
    /// where it ends. `after` octets will follow, and all of it may be as long as `limit`.
    pub(super) fn write(&self, rcode: Rcode, out: &mut [u8], at: usize, after: usize, limit: usize) -> usize {
        let edns = Edns { extended_rcode: (rcode.0 >> 4) as u8, ..self.edns };
        let mut end = at + OPT_OCTETS;
        if let Some(place) = out[at..].first_chunk_mut() {
            *place = edns.encode();
        }
        if self.octets() == OPT_OCTETS {
            return end;
        }
        if let Some(cookie) = &self.cookie {
            end = put_option(out, end, COOKIE, cookie);
        }
        if let Some(id) = self.nsid {
            end = put_option(out, end, NSID, id);
        }
        if let Some(timeout) = self.keepalive {
            end = put_option(out, end, KEEPALIVE, &timeout.to_be_bytes());
        }
        if let Some(ExtendedError(code)) = self.error {
            end = put_option(out, end, EXTENDED_ERROR, &code.to_be_bytes());
        }
        if self.padded {
            let bare = end + OPTION + after;
            let length = bare.next_multiple_of(PADDING_BLOCK).min(limit).saturating_sub(bare);
            end = put_option(out, end, PADDING, &[0; PADDING_BLOCK][..length]);
        }
        let length = (end - at - OPT_OCTETS) as u16;
        put(out, at + OPT_OCTETS - 2, &length.to_be_bytes());
        end
    }
}

fn put(out: &mut [u8], at: usize, octets: &[u8]) -> usize {
    let end = at + octets.len();
    out[at..end].copy_from_slice(octets);
    end
}

fn put_option(out: &mut [u8], at: usize, code: u16, data: &[u8]) -> usize {
    let at = put(out, at, &code.to_be_bytes());
    let at = put(out, at, &(data.len() as u16).to_be_bytes());
    put(out, at, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_mean_something_are_found_among_others() {
        let rdata = b"\0\x03\0\0\0\x08\0\x02ab\0\x0a\0\x08clientck\0\x0b\0\0\0\x0c\0\x01\0";
        let options = Options::read(rdata).unwrap();
        assert!(options.nsid && options.keepalive && options.padding);
        assert_eq!(options.cookie, Some(Cookie(b"clientck")));
        assert_eq!(Options::read(b"").unwrap(), Options::default());
    }

    #[test]
    fn a_cookie_of_another_length_and_an_option_that_is_cut_off_are_format_errors() {
        let cookie = |length: usize| {
            let length = length as u8;
            Options::read(&[&[0, 10, 0, length][..], &vec![7; length.into()]].concat()).is_ok()
        };
        let lengths: Vec<usize> = (0..50).filter(|&length| cookie(length)).collect();
        assert_eq!(lengths, [vec![8], (16..=40).collect()].concat());
        assert!(Options::read(b"\0\x03\0\x01").is_err());
        assert!(Options::read(b"\0\x03\0").is_err());
    }

    #[test]
    fn an_opt_record_is_as_long_as_it_says_and_pads_the_message_to_whole_blocks() {
        let edns = Edns { payload: 1_232, extended_rcode: 0, version: 0, dnssec_ok: true };
        let mut opt = Opt {
            cookie: Some([9; COOKIE_OCTETS]),
            nsid: Some(b"ns1"),
            keepalive: Some(300),
            error: Some(ExtendedError::NOT_READY),
            ..Opt::from(edns)
        };
        let mut out = [0; 1_232];
        let end = opt.write(Rcode::BADVERS, &mut out, 100, 0, 1_232);
        assert_eq!(end, 100 + opt.octets());
        assert_eq!(out[100..111], [0, 0, 41, 4, 208, 1, 0, 128, 0, 0, 28 + 7 + 6 + 6]);
        assert!(out[..end].ends_with(b"\0\x0b\0\x02\x01\x2c\0\x0f\0\x02\0\x0e"));
        opt.padded = true;
        assert_eq!(opt.write(Rcode::NOERROR, &mut out, 100, 60, 1_232), PADDING_BLOCK - 60);
        // Never beyond the limit.
        assert_eq!(opt.write(Rcode::NOERROR, &mut out, 1_100, 0, 1_200), 1_200);
    }
}
