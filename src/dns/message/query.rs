//! Questions of our own: SOA polls, transfers and NOTIFY.

use super::{
    Compression, Edns, Full, HEADER, Header, Opcode, Opt, Owner, Question, Section, UDP_PAYLOAD, Writer, flag,
};

/// A request to another server.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// To be unpredictable.
    pub id: u16,
    /// QUERY or NOTIFY.
    pub opcode: Opcode,
    /// What is asked.
    pub question: Question<'a>,
    /// The zone's SOA record without its owner, which NOTIFY carries in its answer section (RFC 1996 §3.7), and IXFR
    /// in its authority section (RFC 1995 §3).
    pub soa: Option<&'a [u8]>,
    /// Whether to offer a larger payload. Some old servers answer FORMERR to it.
    pub edns: bool,
    /// Whether to ask for signatures (RFC 3225); needs `edns`.
    pub dnssec_ok: bool,
}

impl Query<'_> {
    /// Writes it to `out`, leaves `reserved` octets for TSIG after it, and says how long it is.
    pub fn write(&self, out: &mut [u8], reserved: usize, names: &mut Compression) -> Result<usize, Full> {
        let edns = Edns { payload: UDP_PAYLOAD, extended_rcode: 0, version: 0, dnssec_ok: self.dnssec_ok };
        let bits = u16::from(self.opcode.0) << 11;
        let header = Header { id: self.id, bits };
        let limit = out.len();
        let opt = self.edns.then(|| Opt::from(edns));
        let mut writer = Writer::new(out, limit, reserved, header, opt.as_ref(), names);
        writer.question(&self.question)?;
        if self.opcode == Opcode::NOTIFY {
            // RFC 1996 §4.5: its sender is authoritative.
            writer.set(flag::AA);
        }
        if let Some(soa) = self.soa {
            let is_notify = self.opcode == Opcode::NOTIFY;
            writer.begin(if is_notify { Section::Answer } else { Section::Authority });
            writer.record(Owner::At(HEADER as u16), soa)?;
        }
        Ok(writer.finish())
    }
}
