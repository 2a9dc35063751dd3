//! The server's side: checking a request's TSIG, and signing what answers it.

use super::TsigError;
use super::key::{Key, Keyring};
use super::record::{self, Digest, Mac, Tsig, Variables};
use crate::dns::message::{Full, Rcode};
use crate::dns::name::NameBuf;
use crate::dns::time::Timestamp;
use std::sync::Arc;

/// A request whose TSIG is good. Signs each message of the response in turn.
pub struct Session {
    key: Arc<Key>,
    /// Of the request, then of the message before.
    previous: Mac,
    /// Whether a message has been signed; from then on only the timers are covered.
    begun: bool,
    /// Of a BADTIME or BADTRUNC answer, which is signed.
    fault: Option<Variables>,
}

/// A request whose TSIG is not good. The response has this rcode and no records, and is completed by
/// [`Refusal::append`].
pub enum Refusal {
    /// The record is malformed: FORMERR, with no TSIG.
    Malformed,
    /// The key or the MAC is wrong: NOTAUTH, with a TSIG that names the error and has no MAC.
    Unsigned(Box<Unsigned>),
    /// The time or the length of the MAC is wrong, the MAC is right: NOTAUTH, signed.
    Signed(Box<Session>),
}

/// The unsigned TSIG record of BADKEY and BADSIG.
pub struct Unsigned {
    key_name: NameBuf,
    algorithm: NameBuf,
    variables: Variables,
}

impl Session {
    /// Checks the TSIG record that starts at `tsig_at` and ends `request`, in the order of RFC 8945 §5.2: key, MAC,
    /// time, truncation.
    pub fn verify(request: &[u8], tsig_at: usize, keys: &Keyring, now: Timestamp) -> Result<Self, Refusal> {
        let tsig = Tsig::read(request, tsig_at).map_err(|_| Refusal::Malformed)?;
        let refuse = |error| {
            Refusal::Unsigned(Box::new(Unsigned {
                key_name: tsig.key_name.clone(),
                algorithm: tsig.algorithm.clone(),
                variables: Variables { error, signed_at: tsig.signed_at, fudge: tsig.fudge, other: None },
            }))
        };
        let key = keys
            .find(tsig.key_name.as_ref())
            .filter(|key| tsig.algorithm.as_ref().wire().eq_ignore_ascii_case(key.algorithm().wire()))
            .ok_or_else(|| refuse(TsigError::BADKEY))?;
        if !key.algorithm().permits(tsig.mac.len()) {
            return Err(Refusal::Malformed);
        }
        let mut digest = Digest::new(key);
        digest.signed_message(request, tsig_at, tsig.original_id);
        digest.variables(key, &tsig.variables());
        let mac = digest.finish();
        if tsig.other.len() > 6 || !key.same(&mac.as_slice()[..tsig.mac.len()], tsig.mac) {
            return Err(refuse(TsigError::BADSIG));
        }
        let mut session =
            Self { key: Arc::clone(key), previous: Mac::of(tsig.mac), begun: false, fault: None };
        if !tsig.is_in_time(now) {
            session.fault = Some(Variables::bad_time(&tsig, now));
        } else if tsig.mac.len() < key.shortest() {
            session.fault = Some(Variables { error: TsigError::BADTRUNC, ..Variables::at(now) });
        }
        if session.fault.is_some() { Err(Refusal::Signed(Box::new(session))) } else { Ok(session) }
    }

    /// The key that signed the request.
    pub fn key(&self) -> &Arc<Key> {
        &self.key
    }

    /// The room that each message must leave for [`sign`](Self::sign).
    pub fn reserve(&self) -> usize {
        let algorithm = self.key.algorithm();
        record::octets(self.key.name(), algorithm.wire(), algorithm.octets())
    }

    /// Appends a TSIG record to the message in `out[..length]`, and says how long the message is now. Messages of a
    /// transfer are signed in the order in which they are sent.
    pub fn sign(&mut self, out: &mut [u8], length: usize, now: Timestamp) -> Result<usize, Full> {
        let variables = self.fault.unwrap_or_else(|| Variables::at(now));
        let mut digest = Digest::new(&self.key);
        digest.previous(&self.previous);
        digest.plain_message(&out[..length]);
        if self.begun {
            digest.timers(&variables);
        } else {
            digest.variables(&self.key, &variables);
        }
        self.previous = digest.finish();
        self.begun = true;
        let algorithm = self.key.algorithm().wire();
        record::append(out, length, self.key.name(), algorithm, &variables, self.previous.as_slice())
    }
}

impl Refusal {
    /// What the response says.
    pub fn rcode(&self) -> Rcode {
        match self {
            Self::Malformed => Rcode::FORMERR,
            Self::Unsigned(_) | Self::Signed(_) => Rcode::NOTAUTH,
        }
    }

    /// The error that the response's TSIG record names.
    pub fn error(&self) -> TsigError {
        match self {
            Self::Malformed => TsigError::NONE,
            Self::Unsigned(unsigned) => unsigned.variables.error,
            Self::Signed(session) => session.fault.map_or(TsigError::NONE, |fault| fault.error),
        }
    }

    /// The room that the response must leave for [`append`](Self::append).
    pub fn reserve(&self) -> usize {
        match self {
            Self::Malformed => 0,
            Self::Unsigned(unsigned) => {
                record::octets(unsigned.key_name.as_ref(), unsigned.algorithm.as_ref().wire(), 0)
            }
            Self::Signed(session) => session.reserve(),
        }
    }

    /// Completes the response in `out[..length]`, and says how long it is now.
    pub fn append(&mut self, out: &mut [u8], length: usize, now: Timestamp) -> Result<usize, Full> {
        match self {
            Self::Malformed => Ok(length),
            Self::Unsigned(unsigned) => {
                let algorithm = unsigned.algorithm.as_ref().wire();
                record::append(out, length, unsigned.key_name.as_ref(), algorithm, &unsigned.variables, &[])
            }
            Self::Signed(session) => session.sign(out, length, now),
        }
    }
}
