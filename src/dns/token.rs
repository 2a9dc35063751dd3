//! Tokens of presentation form (RFC 1035 §5.1), as slices of the text they stand in.
//!
//! A record ends at the end of its line, unless parentheses are open. Escapes are left as they are written:
//! what they mean depends on what the token is.

use wide::u8x16;

/// A word or a quoted string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What is written, without the quotes and with its escapes.
    pub text: &'a [u8],
    /// Whether it stood in quotes.
    pub quoted: bool,
    /// Where it starts in the lexer's text, the quote included.
    pub at: usize,
}

/// Text that cannot be cut into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LexError {
    /// The line ends within quotes.
    #[error("the quoted string is not closed on its line, expected another \"")]
    UnclosedQuote,
    /// The text ends within parentheses; the first of them is meant.
    #[error("the parenthesis is never closed, expected a matching )")]
    UnclosedParenthesis,
    /// There is nothing to close.
    #[error("unexpected ), no parenthesis is open")]
    UnopenedParenthesis,
}

/// Cuts a text into tokens.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// How many parentheses are open, and where the first of them is.
    depth: u32,
    opened: usize,
    /// The line `at` is on, from 1, and where it starts.
    line: u32,
    line_start: usize,
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of `text`.
    pub fn new(text: &'a [u8]) -> Self {
        Self::from_line(text, 1)
    }

    /// A lexer at the start of `text`, which is that of a line.
    pub fn from_line(text: &'a [u8], line: u32) -> Self {
        Self { text, at: 0, depth: 0, opened: 0, line, line_start: 0 }
    }

    /// Where the next token is looked for.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The line of [`at`](Self::at), from 1, and the offset of its first octet.
    pub fn line(&self) -> (u32, usize) {
        (self.line, self.line_start)
    }

    /// What is not read yet.
    pub fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    /// Passes spaces and tabs.
    #[inline]
    pub fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t') = self.peek_octet() {
            self.at += 1;
        }
    }

    /// The next octet, as it is written.
    pub fn peek_octet(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The next token of the record; `None` at its end, which is not passed. An error is followed by
    /// whatever comes after its cause.
    #[inline]
    pub fn token(&mut self) -> Result<Option<Token<'a>>, (usize, LexError)> {
        self.skip_blanks();
        let (at, rest) = (self.at, self.rest());
        // Nearly every token is a word without escapes, or the end of the line.
        match ordinary(rest) {
            0 if self.depth == 0 && matches!(rest.first(), None | Some(b'\n' | b'\r')) => Ok(None),
            length if length > 0 && rest.get(length) != Some(&b'\\') => {
                self.at += length;
                Ok(Some(Token { text: &rest[..length], quoted: false, at }))
            }
            _ => self.any_token(),
        }
    }

    #[inline(never)]
    fn any_token(&mut self) -> Result<Option<Token<'a>>, (usize, LexError)> {
        loop {
            let at = self.at;
            let Some(&octet) = self.text.get(at) else {
                if self.depth > 0 {
                    self.depth = 0;
                    return Err((self.opened, LexError::UnclosedParenthesis));
                }
                return Ok(None);
            };
            match octet {
                b'\n' | b'\r' if self.depth == 0 => return Ok(None),
                b'\n' => self.pass_newline(),
                b' ' | b'\t' | b'\r' => self.at += 1,
                b';' => self.pass_comment(),
                b'(' => {
                    if self.depth == 0 {
                        self.opened = at;
                    }
                    self.depth += 1;
                    self.at += 1;
                }
                b')' => {
                    self.at += 1;
                    match self.depth.checked_sub(1) {
                        Some(depth) => self.depth = depth,
                        None => return Err((at, LexError::UnopenedParenthesis)),
                    }
                }
                b'"' => return self.quoted().map(Some),
                _ => return Ok(Some(self.word())),
            }
        }
    }

    /// Passes the rest of the record and the end of its line; `false` when that is the end of the text. What is
    /// passed over is not looked at, save for parentheses that are never closed.
    #[inline]
    pub fn next_line(&mut self) -> Result<bool, (usize, LexError)> {
        loop {
            match self.token() {
                Ok(None) => break,
                // What follows a lost quote is not to be trusted, parentheses included.
                Err((_, LexError::UnclosedQuote)) => self.depth = 0,
                Err(error @ (_, LexError::UnclosedParenthesis)) => return Err(error),
                Ok(Some(_)) | Err((_, LexError::UnopenedParenthesis)) => {}
            }
        }
        match self.peek_octet() {
            None => return Ok(false),
            Some(b'\n') => self.pass_newline(),
            Some(_) => self.at += 1,
        }
        Ok(self.at < self.text.len())
    }

    fn pass_newline(&mut self) {
        self.at += 1;
        self.line += 1;
        self.line_start = self.at;
    }

    fn pass_comment(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.iter().position(|&octet| matches!(octet, b'\n' | b'\r')).unwrap_or(rest.len());
    }

    #[inline]
    fn word(&mut self) -> Token<'a> {
        let start = self.at;
        let rest = &self.text[start..];
        let mut length = ordinary(rest);
        // An escaped blank or quote does not end the word; the end of the line always does.
        while let Some([b'\\', after @ ..]) = rest.get(length..) {
            length += if matches!(after, [] | [b'\n' | b'\r', ..]) { 1 } else { 2 };
            length += ordinary(&rest[length..]);
        }
        self.at = start + length;
        Token { text: &rest[..length], quoted: false, at: start }
    }

    fn quoted(&mut self) -> Result<Token<'a>, (usize, LexError)> {
        let start = self.at;
        let mut at = start + 1;
        loop {
            match self.text.get(at) {
                Some(b'"') => break,
                Some(b'\\') if !matches!(self.text.get(at + 1), None | Some(b'\n' | b'\r')) => at += 2,
                None | Some(b'\n' | b'\r') => {
                    self.at = at;
                    return Err((start, LexError::UnclosedQuote));
                }
                Some(_) => at += 1,
            }
        }
        self.at = at + 1;
        Ok(Token { text: &self.text[start + 1..at], quoted: true, at: start })
    }
}

/// Reads seconds, plain or with units each of which follows its number: `3600`, `1h30m`, `1w2d`.
pub fn period(text: &[u8]) -> Option<u32> {
    if let Some(seconds) = decimal(text) {
        return u32::try_from(seconds).ok();
    }
    let mut total = 0u64;
    let mut number = None;
    for octet in text {
        let unit = match octet {
            b'0'..=b'9' => {
                let so_far: u64 = number.unwrap_or(0);
                number = Some(so_far.checked_mul(10)?.checked_add(u64::from(octet - b'0'))?);
                continue;
            }
            b'w' | b'W' => 604_800,
            b'd' | b'D' => 86_400,
            b'h' | b'H' => 3_600,
            b'm' | b'M' => 60,
            b's' | b'S' => 1,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    if number.is_some() || text.is_empty() { None } else { u32::try_from(total).ok() }
}

/// Reads a decimal number of nothing but digits, at most ten of them.
#[inline]
pub fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 10 {
        return None;
    }
    text.iter().try_fold(0, |number, octet| match octet {
        b'0'..=b'9' => Some(number * 10 + u64::from(octet - b'0')),
        _ => None,
    })
}

/// How many octets neither end a word nor escape anything.
#[inline]
fn ordinary(text: &[u8]) -> usize {
    let is_special = |octet: u8| SPECIAL[usize::from(octet)];
    let mut length = 0;
    while let Some(octets) = text[length..].first_chunk() {
        let may_be_special = suspects(octets);
        if may_be_special == 0 {
            length += octets.len();
            continue;
        }
        length += may_be_special.trailing_zeros() as usize;
        if is_special(text[length]) {
            return length;
        }
        length += 1;
    }
    let rest = &text[length..];
    length + rest.iter().position(|&octet| is_special(octet)).unwrap_or(rest.len())
}

/// One bit for each octet that may be special, the lowest for the first.
#[inline]
fn suspects(octets: &[u8; 16]) -> u32 {
    let octets = u8x16::new(*octets);
    let all = u8x16::splat;
    // Blanks, ends of lines, quotes and parentheses, and a few that are not special.
    let low = octets.min(all(b')')).simd_eq(octets);
    (low | octets.simd_eq(all(b';')) | octets.simd_eq(all(b'\\'))).to_bitmask()
}

static SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let octets = b" \t\r\n();\"\\";
    let mut i = 0;
    while i < octets.len() {
        special[octets[i] as usize] = true;
        i += 1;
    }
    special
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut lexer = Lexer::new(text.as_bytes());
        let mut words = Vec::new();
        while let Some(token) = lexer.token().unwrap() {
            words.push(String::from_utf8_lossy(token.text).into_owned());
        }
        words
    }

    #[test]
    fn a_record_ends_with_its_line_unless_parentheses_are_open() {
        assert_eq!(words("a b;c\nd"), ["a", "b"]);
        assert_eq!(words("a(b ; c)\n\r\n\t\"d e\"f)g ( (h)) \nx"), ["a", "b", "d e", "f", "g", "h"]);
        assert_eq!(words(r#"a\ b "c\"d" e\;f"g""#), [r"a\ b", r#"c\"d"#, r"e\;f", "g"]);
        assert_eq!(words("a\\\nb"), ["a\\"]);
    }

    #[test]
    fn lost_quotes_and_parentheses_are_found_where_they_are() {
        let error = |text: &str| {
            let mut lexer = Lexer::new(text.as_bytes());
            loop {
                match lexer.token() {
                    Ok(Some(_)) => {}
                    Ok(None) => return None,
                    Err(error) => return Some(error),
                }
            }
        };
        assert_eq!(error("a \"b\nc\""), Some((2, LexError::UnclosedQuote)));
        assert_eq!(error("a (b (c) \nd"), Some((2, LexError::UnclosedParenthesis)));
        assert_eq!(error("a ) b"), Some((2, LexError::UnopenedParenthesis)));
    }

    #[test]
    fn lines_are_counted_also_within_parentheses() {
        let mut lexer = Lexer::new(b"a (\n\nb)\r\nc");
        assert_eq!(lexer.line(), (1, 0));
        assert_eq!(lexer.next_line(), Ok(true));
        // The carriage return ends the record, the newline is an empty line of its own.
        assert_eq!(lexer.next_line(), Ok(true));
        assert_eq!(lexer.line(), (4, 9));
        assert_eq!(lexer.next_line(), Ok(false));
    }

    proptest! {
        #[test]
        fn several_octets_at_a_time_are_seen_as_one_at_a_time(
            text in prop::collection::vec(prop_oneof![4 => b'#'..b'z', 1 => any::<u8>()], 0..60)
        ) {
            let one_at_a_time = text.iter().position(|&octet| SPECIAL[usize::from(octet)]);
            prop_assert_eq!(ordinary(&text), one_at_a_time.unwrap_or(text.len()));
        }
    }

    #[test]
    fn periods_have_units_or_none() {
        assert_eq!(period(b"3600"), Some(3_600));
        assert_eq!(period(b"1h30m"), Some(5_400));
        assert_eq!(period(b"1W2D"), Some(777_600));
        assert_eq!(period(b"4294967295"), Some(u32::MAX));
        for wrong in [&b""[..], b"h", b"1h30", b"1x", b"-1", b"4294967296", b"9999999999999999999999w"] {
            assert_eq!(period(wrong), None, "{wrong:?}");
        }
    }
}
