//! How protocols come to TLS: what is said before it, without a socket.
//!
//! Octets in, what to do next out. Whoever calls puts what has come into an inbox and bounds it; [`Dialogue::hear`]
//! takes one message from its front at a time, and says so if that is not all there yet.

mod ldap;
mod lines;
mod xmpp;

use crate::config::Manner;

/// Why a dialogue cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Something else than the protocol asks for.
    #[error("expected {expected}, got \"{got}\"")]
    Unexpected {
        /// What the protocol asks for.
        expected: &'static str,
        /// How it began, printable.
        got: String,
    },
    /// It hung up, or broke off.
    #[error("closed the connection before TLS")]
    Closed,
    /// More than any such server has to say.
    #[error("talks without end before TLS")]
    TooMuch,
    /// Something that was sent in the clear would be taken for protected.
    #[error("sent more before TLS than it was asked for")]
    Early,
}

/// The names that a dialogue needs.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// Whom an XMPP stream is for.
    pub to: &'a str,
    /// Our own.
    pub ehlo: &'a str,
}

/// A dialogue that has begun.
#[derive(Debug)]
pub struct Dialogue<'a> {
    manner: Manner,
    names: Names<'a>,
    step: Step,
    /// Whether a list that is read item by item has had STARTTLS in it.
    offered: bool,
}

/// What the server says next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Its first words.
    Greeting,
    /// What it can do.
    Capabilities,
    /// Whether TLS begins.
    Begin,
    /// Why it ends the stream (XMPP).
    Failing,
}

/// One message of the server's.
#[derive(Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its octets at the front of the inbox.
    pub used: usize,
    /// What to do.
    pub next: Next,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// The server says more.
    Listen,
    /// Answer.
    Say(Vec<u8>),
    /// The handshake comes next.
    Tls,
    /// There is no TLS to be had.
    NoStartTls,
}

/// What is said within TLS before hanging up, where the protocol has words for it.
pub(super) fn parting(manner: Manner) -> Option<&'static [u8]> {
    match manner {
        Manner::Smtp | Manner::Pop3 | Manner::Ftp => Some(b"QUIT\r\n"),
        Manner::Imap => Some(b"b LOGOUT\r\n"),
        Manner::Sieve => Some(b"LOGOUT\r\n"),
        Manner::Ldap => Some(ldap::UNBIND),
        // The streams and sessions that these would close have not been opened.
        Manner::XmppClient | Manner::XmppServer | Manner::Postgres | Manner::Tls => None,
    }
}

impl<'a> Dialogue<'a> {
    /// The dialogue, and what we say first; none where TLS begins at once.
    pub fn begin(manner: Manner, names: Names<'a>) -> Option<(Self, Vec<u8>)> {
        let opening = match manner {
            Manner::Tls => return None,
            Manner::Smtp | Manner::Imap | Manner::Pop3 | Manner::Ftp | Manner::Sieve => Vec::new(),
            Manner::Ldap => ldap::START_TLS.to_vec(),
            Manner::XmppClient => xmpp::header("jabber:client", names.to),
            Manner::XmppServer => xmpp::header("jabber:server", names.to),
            Manner::Postgres => SSL_REQUEST.to_vec(),
        };
        Some((Self { manner, names, step: Step::Greeting, offered: false }, opening))
    }

    /// Takes the next message from the front of `inbox`; [`None`] if it is not whole yet.
    pub fn hear(&mut self, inbox: &[u8]) -> Result<Option<Heard>, Fault> {
        match self.manner {
            Manner::Tls => Ok(Some(Heard { used: 0, next: Next::Tls })),
            Manner::Smtp => self.hear_smtp(inbox),
            Manner::Imap => self.hear_imap(inbox),
            Manner::Pop3 => self.hear_pop3(inbox),
            Manner::Ldap => ldap::hear(inbox),
            Manner::XmppClient | Manner::XmppServer => self.hear_xmpp(inbox),
            Manner::Ftp => self.hear_ftp(inbox),
            Manner::Postgres => hear_postgres(inbox),
            Manner::Sieve => self.hear_sieve(inbox),
        }
    }

    fn say(&mut self, step: Step, words: impl Into<Vec<u8>>) -> Next {
        self.step = step;
        Next::Say(words.into())
    }
}

/// PostgreSQL's protocol, "SSLRequest": a length, and a code that is no version.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

fn hear_postgres(inbox: &[u8]) -> Result<Option<Heard>, Fault> {
    let next = match inbox.first() {
        None => return Ok(None),
        Some(b'S') => Next::Tls,
        Some(b'N') => Next::NoStartTls,
        Some(_) => return Err(unexpected("S or N", inbox)),
    };
    Ok(Some(Heard { used: 1, next }))
}

/// Longest of a stranger's words that are repeated.
const QUOTED: usize = 80;

fn unexpected(expected: &'static str, got: &[u8]) -> Fault {
    let got = got.trim_ascii_end();
    Fault::Unexpected { expected, got: got[..got.len().min(QUOTED)].escape_ascii().to_string() }
}

#[cfg(test)]
mod tests;
