//! The protocols that talk in lines: SMTP and FTP in replies with codes, IMAP, POP3 and ManageSieve in words.

use super::{Dialogue, Fault, Heard, Next, Step, unexpected};

impl Dialogue<'_> {
    pub(super) fn hear_smtp(&mut self, inbox: &[u8]) -> Result<Option<Heard>, Fault> {
        let Some(reply) = Reply::read(inbox)? else { return Ok(None) };
        let next = match (self.step, reply.code) {
            (Step::Greeting, 220) => self.say(Step::Capabilities, format!("EHLO {}\r\n", self.names.ehlo)),
            (Step::Greeting, _) => return Err(unexpected("220", reply.octets)),
            (Step::Capabilities, 250) if reply.has_keyword("STARTTLS") => {
                self.say(Step::Begin, *b"STARTTLS\r\n")
            }
            // RFC 5321 §4.1.1.1: who does not know EHLO knows no extension.
            (Step::Capabilities, 250 | 500..=504) => Next::NoStartTls,
            (Step::Capabilities, _) => return Err(unexpected("250", reply.octets)),
            (_, 220) => Next::Tls,
            (_, 500..=599) => Next::NoStartTls,
            (_, _) => return Err(unexpected("220", reply.octets)),
        };
        Ok(Some(Heard { used: reply.octets.len(), next }))
    }

    pub(super) fn hear_ftp(&mut self, inbox: &[u8]) -> Result<Option<Heard>, Fault> {
        let Some(reply) = Reply::read(inbox)? else { return Ok(None) };
        let next = match (self.step, reply.code) {
            // RFC 959 §5.4: ready in some minutes, and 220 then.
            (Step::Greeting, 120) => Next::Listen,
            (Step::Greeting, 220) => self.say(Step::Begin, *b"AUTH TLS\r\n"),
            (Step::Greeting, _) => return Err(unexpected("220", reply.octets)),
            (_, 234) => Next::Tls,
            (_, 500..=599) => Next::NoStartTls,
            (_, _) => return Err(unexpected("234", reply.octets)),
        };
        Ok(Some(Heard { used: reply.octets.len(), next }))
    }

    pub(super) fn hear_imap(&mut self, inbox: &[u8]) -> Result<Option<Heard>, Fault> {
        let Some(line) = line(inbox) else { return Ok(None) };
        let mut words = line.split(u8::is_ascii_whitespace);
        let (tag, status) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let is = |word: &str| status.eq_ignore_ascii_case(word.as_bytes());
        let next = match (self.step, tag) {
            (Step::Greeting, b"*") if is("OK") => self.say(Step::Begin, *b"a STARTTLS\r\n"),
            // RFC 9051 §7.1.4: it is too late for TLS.
            (Step::Greeting, b"*") if is("PREAUTH") => Next::NoStartTls,
            (Step::Begin, b"*") if !is("BYE") => Next::Listen,
            (Step::Begin, b"a") if is("OK") => Next::Tls,
            (Step::Begin, b"a") if is("NO") || is("BAD") => Next::NoStartTls,
            (_, _) => return Err(unexpected("OK", line)),
        };
        Ok(Some(Heard { used: line.len(), next }))
    }

    pub(super) fn hear_pop3(&mut self, inbox: &[u8]) -> Result<Option<Heard>, Fault> {
        let Some(line) = line(inbox) else { return Ok(None) };
        let next = match self.step {
            Step::Greeting if line.starts_with(b"+OK") => self.say(Step::Begin, *b"STLS\r\n"),
            Step::Begin if line.starts_with(b"+OK") => Next::Tls,
            Step::Begin if line.starts_with(b"-ERR") => Next::NoStartTls,
            _ => return Err(unexpected("+OK", line)),
        };
        Ok(Some(Heard { used: line.len(), next }))
    }

    pub(super) fn hear_sieve(&mut self, inbox: &[u8]) -> Result<Option<Heard>, Fault> {
        let Some(line) = line_with_literals(inbox) else { return Ok(None) };
        let first = line.split(|octet| octet.is_ascii_whitespace() || *octet == b'(').next();
        let is = |word: &str| first.is_some_and(|first| first.eq_ignore_ascii_case(word.as_bytes()));
        let next = match self.step {
            _ if is("BYE") => return Err(unexpected("OK", line)),
            Step::Greeting if is("OK") && self.offered => self.say(Step::Begin, *b"STARTTLS\r\n"),
            Step::Greeting if is("OK") => Next::NoStartTls,
            Step::Greeting if line.starts_with(b"\"") => {
                self.offered |= is("\"STARTTLS\"");
                Next::Listen
            }
            Step::Begin if is("OK") => Next::Tls,
            Step::Begin if is("NO") => Next::NoStartTls,
            _ => return Err(unexpected("OK", line)),
        };
        Ok(Some(Heard { used: line.len(), next }))
    }
}

/// A reply of one line or several (RFC 5321 §4.2.1, RFC 959 §4.2).
struct Reply<'a> {
    code: u16,
    octets: &'a [u8],
}

impl<'a> Reply<'a> {
    fn read(inbox: &'a [u8]) -> Result<Option<Self>, Fault> {
        let Some(first) = line(inbox) else { return Ok(None) };
        let (digits, rest) = first.split_at(first.len().min(3));
        let code = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|c| c.is_ascii_digit()));
        let (Some(Ok(code)), Some(b' ' | b'-' | b'\r' | b'\n')) = (code.map(str::parse), rest.first()) else {
            return Err(unexpected("a reply of three digits and a text", first));
        };
        // The last line has the code and no hyphen; FTP has lines without code in between.
        let mut end = 0;
        while let Some(next) = line(&inbox[end..]) {
            end += next.len();
            if next.starts_with(digits) && next[3] != b'-' && !next[3].is_ascii_digit() {
                return Ok(Some(Self { code, octets: &inbox[..end] }));
            }
        }
        Ok(None)
    }

    /// Whether a line after the first one begins with this word, as those of EHLO's reply do.
    fn has_keyword(&self, keyword: &str) -> bool {
        self.octets.split(|&octet| octet == b'\n').skip(1).any(|line| {
            let mut words = line.get(4..).unwrap_or_default().split(u8::is_ascii_whitespace);
            words.next().is_some_and(|word| word.eq_ignore_ascii_case(keyword.as_bytes()))
        })
    }
}

/// The first line, its end included, if it has one.
fn line(octets: &[u8]) -> Option<&[u8]> {
    let end = octets.iter().position(|&octet| octet == b'\n')?;
    Some(&octets[..=end])
}

/// The first line, where strings may be literals, `{5}` or `{5+}` with five octets after the line's end
/// (RFC 5804 §1.2).
fn line_with_literals(octets: &[u8]) -> Option<&[u8]> {
    let mut end = 0;
    loop {
        let part = line(octets.get(end..)?)?;
        end += part.len();
        let Some(length) = literal(part.trim_ascii_end()) else { return octets.get(..end) };
        end += length;
    }
}

/// The length of the literal that follows a line.
fn literal(line: &[u8]) -> Option<usize> {
    let inside = line.strip_suffix(b"}")?;
    let digits = &inside[inside.iter().rposition(|&octet| octet == b'{')? + 1..];
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    std::str::from_utf8(digits).ok()?.parse::<u16>().ok().map(usize::from)
}
