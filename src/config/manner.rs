//! `starttls`: how TLS begins at an endpoint.

use std::fmt;
use std::str::FromStr;

use super::scalar::{UnknownWord, choose};

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manner {
    /// `off`: at once.
    Tls,
    /// `smtp` (RFC 3207)
    Smtp,
    /// `imap` (RFC 9051 §6.2.1)
    Imap,
    /// `pop3` (RFC 2595 §4)
    Pop3,
    /// `ldap` (RFC 4511 §4.14)
    Ldap,
    /// `xmpp-client`: XMPP, as a client (RFC 6120 §5)
    XmppClient,
    /// `xmpp-server`: XMPP, as another server
    XmppServer,
    /// `ftp` (RFC 4217)
    Ftp,
    /// `postgres`: PostgreSQL's SSLRequest
    Postgres,
    /// `sieve`: ManageSieve (RFC 5804 §2.2)
    Sieve,
}

impl Manner {
    const CHOICES: [(&'static str, Self); 10] = [
        ("smtp", Self::Smtp),
        ("imap", Self::Imap),
        ("pop3", Self::Pop3),
        ("ldap", Self::Ldap),
        ("xmpp-client", Self::XmppClient),
        ("xmpp-server", Self::XmppServer),
        ("ftp", Self::Ftp),
        ("postgres", Self::Postgres),
        ("sieve", Self::Sieve),
        ("off", Self::Tls),
    ];

    /// How TLS begins at a port, by what it is assigned to; at once where nothing else is known.
    pub fn of_port(port: u16) -> Self {
        match port {
            21 => Self::Ftp,
            25 | 587 => Self::Smtp,
            110 => Self::Pop3,
            143 => Self::Imap,
            389 => Self::Ldap,
            4190 => Self::Sieve,
            5222 => Self::XmppClient,
            5269 => Self::XmppServer,
            5432 => Self::Postgres,
            _ => Self::Tls,
        }
    }
}

impl FromStr for Manner {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        choose(text, &Self::CHOICES)
    }
}

impl fmt::Display for Manner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::CHOICES.iter().find(|(_, manner)| manner == self).map_or("", |(word, _)| word);
        f.write_str(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_it_is_written() {
        for (word, manner) in Manner::CHOICES {
            assert_eq!((word.parse(), manner.to_string().as_str()), (Ok(manner), word));
        }
        let said = "tls".parse::<Manner>().unwrap_err().to_string();
        assert!(said.contains("xmpp-client") && said.contains("off"), "{said}");
    }

    #[test]
    fn ports_have_the_manner_of_what_they_are_assigned_to() {
        assert_eq!(Manner::of_port(25), Manner::Smtp);
        assert_eq!(Manner::of_port(465), Manner::Tls);
        assert_eq!(Manner::of_port(5269), Manner::XmppServer);
    }
}
