//! XMPP's stream negotiation (RFC 6120 §4, §5): of its XML only the tags are read.

use super::{Dialogue, Fault, Heard, Next, Step, unexpected};

/// What opens a stream to `to`.
pub(super) fn header(namespace: &str, to: &str) -> Vec<u8> {
    let mut text = format!("<?xml version='1.0'?><stream:stream xmlns='{namespace}' to='");
    for character in to.chars() {
        match character {
            '&' | '<' | '\'' => text.extend(["&#", &u32::from(character).to_string(), ";"]),
            other => text.push(other),
        }
    }
    text.push_str("' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>");
    text.into_bytes()
}

const START_TLS: &[u8] = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

impl Dialogue<'_> {
    pub(super) fn hear_xmpp(&mut self, inbox: &[u8]) -> Result<Option<Heard>, Fault> {
        let first = inbox.trim_ascii_start();
        if self.step == Step::Greeting && first.first().is_some_and(|&octet| octet != b'<') {
            return Err(unexpected("an XML stream", first));
        }
        let Some((tag, used)) = Tag::read(inbox) else { return Ok(None) };
        let next = match (self.step, tag.kind, tag.local) {
            (Step::Greeting, _, _) => {
                self.step = Step::Capabilities;
                Next::Listen
            }
            // What is in it names the condition (RFC 6120 §4.9.2).
            (Step::Capabilities | Step::Begin, Kind::Open, b"error") => {
                self.step = Step::Failing;
                Next::Listen
            }
            (Step::Failing, _, condition) => return Err(unexpected("a stream that goes on", condition)),
            (_, Kind::Close, b"stream") => return Err(unexpected("a stream that goes on", &inbox[..used])),
            (Step::Capabilities, Kind::Open | Kind::Empty, b"starttls") => {
                self.offered = true;
                Next::Listen
            }
            (Step::Capabilities, Kind::Empty | Kind::Close, b"features") if self.offered => {
                self.say(Step::Begin, START_TLS)
            }
            (Step::Capabilities, Kind::Empty | Kind::Close, b"features")
            | (Step::Begin, Kind::Open | Kind::Empty, b"failure") => Next::NoStartTls,
            (Step::Begin, Kind::Empty | Kind::Close, b"proceed") => Next::Tls,
            _ => Next::Listen,
        };
        Ok(Some(Heard { used, next }))
    }
}

/// `<a:b …>`, `</a:b>` or `<a:b/>`, without prefix and attributes.
struct Tag<'a> {
    kind: Kind,
    local: &'a [u8],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
    Empty,
    /// `<?xml …?>`.
    Instruction,
}

impl<'a> Tag<'a> {
    /// The next tag, and where it ends; text before it is passed over.
    fn read(octets: &'a [u8]) -> Option<(Self, usize)> {
        let start = octets.iter().position(|&octet| octet == b'<')? + 1;
        let mut quote = None;
        let length = octets[start..].iter().position(|&octet| {
            match (quote, octet) {
                (None, b'\'' | b'"') => quote = Some(octet),
                (Some(open), close) if open == close => quote = None,
                (None, b'>') => return true,
                _ => {}
            }
            false
        })?;
        let inside = &octets[start..start + length];
        let (kind, inside) = match inside {
            [b'/', rest @ ..] => (Kind::Close, rest),
            [b'?', rest @ ..] => (Kind::Instruction, rest),
            [rest @ .., b'/'] => (Kind::Empty, rest),
            rest => (Kind::Open, rest),
        };
        let name = inside.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        let local = name.rsplit(|&octet| octet == b':').next().unwrap_or_default();
        Some((Self { kind, local }, start + length + 1))
    }
}
