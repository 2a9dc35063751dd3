//! Text to rdata, field by field.

use super::check::{check, end_of, has_no_key};
use super::encoding::{Base64, Hex, base32hex, hex_digit};
use super::fault::{TextError, TextProblem, Written};
use super::table::{Field, fields};
use super::{RdataError, address, loc, mnemonic, svcb};
use crate::dns::name::{MAX_LABEL, MAX_NAME, NameBuf, NameError, NameRef, unescape};
use crate::dns::rtype::Rtype;
use crate::dns::token::{Lexer, Token, decimal, period};

/// Reads the rdata of one record from `lexer`, up to the end of the record, and appends it to `out`.
/// Names are completed with `origin`; `@` is the origin. `\#` is read for every type (RFC 3597 §5).
///
/// What `out` holds beyond its old end after an error is of no use.
pub fn parse(
    rtype: Rtype,
    lexer: &mut Lexer<'_>,
    origin: NameRef<'_>,
    out: &mut Vec<u8>,
) -> Result<(), TextError> {
    let mut input = Input { lexer, origin, start: out.len(), out };
    input.lexer.skip_blanks();
    let at = input.lexer.at();
    if let Some(generic) = input.generic() {
        input.octets()?;
        input.end()?;
        return check(rtype, &input.out[input.start..]).map_err(|error| wrong(generic.at, error));
    }
    for &field in fields(rtype) {
        input.field(field)?;
    }
    input.end()?;
    if input.out.len() - input.start > super::MAX_RDATA {
        return Err(wrong(at, RdataError::TooLong));
    }
    Ok(())
}

/// Reads the rdata of one record from a text of its own.
pub fn from_text(rtype: Rtype, text: &str, origin: NameRef<'_>) -> Result<Vec<u8>, TextError> {
    let mut out = Vec::new();
    parse(rtype, &mut Lexer::new(text.as_bytes()), origin, &mut out).map(|()| out)
}

/// Appends the name that `text` writes to `out`, completed with `origin`; `@` is the origin.
#[inline]
pub fn parse_name(text: &[u8], origin: NameRef<'_>, out: &mut Vec<u8>) -> Result<(), NameError> {
    let start = out.len();
    match text {
        b"@" => {
            out.extend_from_slice(origin.wire());
            return Ok(());
        }
        b"." => {
            out.push(0);
            return Ok(());
        }
        b"" => return Err(NameError::Empty),
        _ => {}
    }
    // A name is its text with each dot replaced by the length of the label after it, and one length in front.
    out.push(0);
    out.extend_from_slice(text);
    let labels = &mut out[start..];
    let mut length_at = 0;
    for at in 1..labels.len() {
        match labels[at] {
            b'.' => {
                labels[length_at] = label_length(at - length_at - 1)?;
                labels[at] = 0;
                length_at = at;
            }
            b'\\' => {
                out.truncate(start);
                return parse_escaped_name(text, origin, out);
            }
            _ => {}
        }
    }
    // A final dot has become the root.
    if length_at + 1 < labels.len() {
        labels[length_at] = label_length(labels.len() - length_at - 1)?;
        out.extend_from_slice(origin.wire());
    }
    if out.len() - start > MAX_NAME { Err(NameError::TooLong) } else { Ok(()) }
}

#[cold]
fn parse_escaped_name(text: &[u8], origin: NameRef<'_>, out: &mut Vec<u8>) -> Result<(), NameError> {
    let name = NameBuf::parse(text, Some(origin))?;
    out.extend_from_slice(name.as_ref().wire());
    Ok(())
}

#[inline]
fn label_length(length: usize) -> Result<u8, NameError> {
    match length {
        0 => Err(NameError::EmptyLabel),
        1..=MAX_LABEL => Ok(length as u8),
        _ => Err(NameError::LabelTooLong),
    }
}

/// The tokens of one record's data, and the rdata that is made of them.
pub(super) struct Input<'l, 'a> {
    pub(super) lexer: &'l mut Lexer<'a>,
    pub(super) origin: NameRef<'l>,
    pub(super) out: &'l mut Vec<u8>,
    /// Where this rdata starts in `out`.
    start: usize,
}

impl<'a> Input<'_, 'a> {
    /// Passes `\#`, wherever it stands in parentheses; anything else is left.
    fn generic(&mut self) -> Option<Token<'a>> {
        // What most records begin with is looked at once.
        if !matches!(self.lexer.peek_octet(), Some(b'\\' | b'(' | b')' | b';' | b'\n' | b'\r')) {
            return None;
        }
        let before = self.lexer.clone();
        let token = self.lexer.token().ok().flatten();
        let generic = token.filter(|token| token.text == b"\\#" && !token.quoted);
        if generic.is_none() {
            *self.lexer = before;
        }
        generic
    }

    /// Reads one field. What a field's text alone does not guarantee is checked on its octets.
    #[inline]
    fn field(&mut self, field: Field) -> Result<(), TextError> {
        self.lexer.skip_blanks();
        let at = self.lexer.at();
        let start = self.out.len();
        self.read(field)?;
        if !is_always_valid(field) {
            end_of(field, &self.out[self.start..], start - self.start).map_err(|error| wrong(at, error))?;
        }
        Ok(())
    }

    fn read(&mut self, field: Field) -> Result<(), TextError> {
        match field {
            Field::NameCompressible | Field::NameLower | Field::NameAsIs => {
                let token = self.word(field)?;
                self.name(token)
            }
            Field::NamesAsIs => {
                while let Some(token) = self.next_token()? {
                    self.name(token)?;
                }
                Ok(())
            }
            Field::Ipv4 => self.by(field, ipv4),
            Field::Ipv6 => self.by(field, ipv6),
            Field::U8 => self.u8_or_mnemonic(field, &[]),
            Field::U16 => {
                self.by(field, |text| decimal(text).and_then(|n| u16::try_from(n).ok()).map(u16::to_be_bytes))
            }
            Field::U32 => {
                self.by(field, |text| decimal(text).and_then(|n| u32::try_from(n).ok()).map(u32::to_be_bytes))
            }
            Field::Period => self.by(field, |text| period(text).map(u32::to_be_bytes)),
            Field::Time => self.by(field, |text| time(text).map(u32::to_be_bytes)),
            // BIND takes a bare number as well.
            Field::Rtype => self.u16_or(field, |text| mnemonic::rtype(text).map(|rtype| rtype.0)),
            Field::Algorithm => self.u8_or_mnemonic(field, mnemonic::ALGORITHMS),
            Field::KeyProtocol => self.u8_or_mnemonic(field, mnemonic::KEY_PROTOCOLS),
            Field::DsyncScheme => self.u8_or_mnemonic(field, mnemonic::DSYNC_SCHEMES),
            Field::CertType => self.u16_or(field, |text| mnemonic::number_of(text, mnemonic::CERT_TYPES)),
            Field::KeyFlags | Field::NoFlags => self.u16_or(field, |text| {
                if let Some(digits) =
                    text.strip_prefix(b"0x").filter(|digits| (1..=4).contains(&digits.len()))
                {
                    return digits
                        .iter()
                        .try_fold(0, |flags, &digit| Some(flags << 4 | u16::from(hex_digit(digit)?)));
                }
                let flag = |name| mnemonic::number_of(name, mnemonic::KEY_FLAGS);
                text.split(|&octet| octet == b'|').try_fold(0, |flags, name| Some(flags | flag(name)?))
            }),
            Field::CharacterString | Field::PsdnAddress | Field::Tag | Field::Substitution => {
                let token = self.token(field)?;
                self.character_string(token)
            }
            Field::OptionalCharacterString => match self.next_token()? {
                Some(token) => self.character_string(token),
                None => Ok(()),
            },
            Field::CharacterStrings => {
                let token = self.token(field)?;
                self.character_string(token)?;
                while let Some(token) = self.next_token()? {
                    self.character_string(token)?;
                }
                Ok(())
            }
            Field::LongText | Field::UriTarget => {
                let token = self.token(field)?;
                self.string(token)
            }
            Field::Hex => self.hex(field),
            Field::OptionalKeyData if has_no_key(&self.out[self.start..]) => Ok(()),
            Field::Base64 | Field::KeyData | Field::OptionalKeyData => self.base64(field),
            Field::Base64OrNothing | Field::IpsecKey => self.base64_or_nothing(field),
            Field::Base64OrDash => {
                let before = self.lexer.clone();
                if self.word(field)?.text == b"-" {
                    return Ok(());
                }
                *self.lexer = before;
                self.base64(field)
            }
            Field::HexWithLength => {
                let token = self.word(field)?;
                self.with_length(
                    token,
                    field,
                    |text, out| if text == b"-" { Some(()) } else { whole_hex(text, out) },
                )
            }
            Field::Base32WithLength => {
                let token = self.word(field)?;
                self.with_length(token, field, base32hex)
            }
            Field::TypeBitmap | Field::TypeBitmapOrNothing => self.type_bitmap(field),
            Field::NxtBitmap => self.nxt_bitmap(field),
            Field::DsDigest => {
                self.u8_or_mnemonic(field, mnemonic::DS_DIGESTS)?;
                self.hex(field)
            }
            Field::SshFingerprint | Field::ZoneDigest => {
                self.u8_or_mnemonic(field, &[])?;
                self.hex(field)
            }
            Field::Loc => loc::parse(self),
            Field::SvcParams => svcb::parse(self),
            Field::Apl => address::parse_apl(self),
            Field::IpsecGateway => address::parse_ipsec_gateway(self),
            Field::AmtRelay => address::parse_amt_relay(self),
            Field::HipKey => address::parse_hip_key(self),
            Field::A6 => address::parse_a6(self),
            Field::Services => address::parse_services(self),
            Field::Nsap => address::parse_nsap(self),
            Field::Atma => address::parse_atma(self),
            Field::Eui48 => self.by(field, |text| address::groups::<6, 1>(text, b'-')),
            Field::Eui64 => self.by(field, |text| address::groups::<8, 1>(text, b'-')),
            Field::Locator64 => self.by(field, |text| address::groups::<8, 2>(text, b':')),
            Field::Opaque => {
                let token = self.token(field)?;
                Err(unexpected(token, field))
            }
        }
    }

    /// The next token, or nothing at the end of the record.
    #[inline]
    pub(super) fn next_token(&mut self) -> Result<Option<Token<'a>>, TextError> {
        self.lexer.token().map_err(|(at, error)| TextError { at, what: error.into() })
    }

    /// The next token, which must be there.
    #[inline]
    pub(super) fn token(&mut self, field: Field) -> Result<Token<'a>, TextError> {
        match self.next_token()? {
            Some(token) => Ok(token),
            None => Err(TextError { at: self.lexer.at(), what: TextProblem::Missing(field) }),
        }
    }

    /// The next token, which must be there and not in quotes.
    #[inline]
    pub(super) fn word(&mut self, field: Field) -> Result<Token<'a>, TextError> {
        match self.token(field)? {
            token if token.quoted => Err(unexpected(token, field)),
            token => Ok(token),
        }
    }

    /// Passes the end of the record's data, at which there must be nothing more.
    #[inline]
    fn end(&mut self) -> Result<(), TextError> {
        match self.next_token()? {
            None => Ok(()),
            Some(token) => {
                Err(TextError { at: token.at, what: TextProblem::Trailing(Written::of(token.text)) })
            }
        }
    }

    /// Appends the name that a token writes.
    pub(super) fn name(&mut self, token: Token<'_>) -> Result<(), TextError> {
        parse_name(token.text, self.origin, self.out).map_err(|why| TextError {
            at: token.at,
            what: TextProblem::Name { got: Written::of(token.text), why },
        })
    }

    /// A decimal number of at most `most`.
    pub(super) fn number(&mut self, field: Field, most: u64) -> Result<u64, TextError> {
        let token = self.word(field)?;
        decimal(token.text).filter(|&number| number <= most).ok_or_else(|| unexpected(token, field))
    }

    /// A number of one octet, or a mnemonic of one.
    pub(super) fn u8_or_mnemonic(&mut self, field: Field, table: &[(&str, u8)]) -> Result<(), TextError> {
        let token = self.word(field)?;
        let number = decimal(token.text).and_then(|number| u8::try_from(number).ok());
        let number = number.or_else(|| mnemonic::number_of(token.text, table));
        self.out.push(number.ok_or_else(|| unexpected(token, field))?);
        Ok(())
    }

    /// A number of two octets, or what `named` makes of the word.
    fn u16_or(&mut self, field: Field, named: impl FnOnce(&[u8]) -> Option<u16>) -> Result<(), TextError> {
        self.by(field, |text| {
            let number = decimal(text).and_then(|number| u16::try_from(number).ok());
            number.or_else(|| named(text)).map(u16::to_be_bytes)
        })
    }

    /// The octets that `read` makes of one word.
    #[inline]
    pub(super) fn by<const N: usize>(
        &mut self,
        field: Field,
        read: impl FnOnce(&[u8]) -> Option<[u8; N]>,
    ) -> Result<(), TextError> {
        let token = self.word(field)?;
        let octets = read(token.text).ok_or_else(|| unexpected(token, field))?;
        self.out.extend_from_slice(&octets);
        Ok(())
    }

    /// Appends the octets that a token writes with its escapes.
    pub(super) fn string(&mut self, token: Token<'_>) -> Result<(), TextError> {
        let mut text = token.text;
        while let Some(at) = text.iter().position(|&octet| octet == b'\\') {
            self.out.extend_from_slice(&text[..at]);
            let (octet, used) = unescape(&text[at + 1..]).map_err(|_| TextError {
                at: token.at,
                what: TextProblem::Escape(Written::of(token.text)),
            })?;
            self.out.push(octet);
            text = &text[at + 1 + used..];
        }
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn character_string(&mut self, token: Token<'_>) -> Result<(), TextError> {
        let length_at = self.out.len();
        self.out.push(0);
        self.string(token)?;
        let length = self.out.len() - length_at - 1;
        let too_long = || TextError { at: token.at, what: TextProblem::StringTooLong(length) };
        self.out[length_at] = u8::try_from(length).map_err(|_| too_long())?;
        Ok(())
    }

    /// Appends what `read` makes of a token, with its length in front.
    pub(super) fn with_length(
        &mut self,
        token: Token<'_>,
        field: Field,
        read: impl FnOnce(&[u8], &mut Vec<u8>) -> Option<()>,
    ) -> Result<(), TextError> {
        let length_at = self.out.len();
        self.out.push(0);
        read(token.text, self.out).ok_or_else(|| unexpected(token, field))?;
        let length = self.out.len() - length_at - 1;
        self.out[length_at] = u8::try_from(length).map_err(|_| unexpected(token, field))?;
        Ok(())
    }

    /// Hexadecimal to the end of the record.
    pub(super) fn hex(&mut self, field: Field) -> Result<(), TextError> {
        let mut hex = Hex::default();
        let mut last = self.word(field)?;
        loop {
            hex.push(last.text, self.out).ok_or_else(|| unexpected(last, field))?;
            match self.next_token()? {
                Some(token) if token.quoted => return Err(unexpected(token, field)),
                Some(token) => last = token,
                None => return hex.finish().ok_or_else(|| unexpected(last, field)),
            }
        }
    }

    fn base64_or_nothing(&mut self, field: Field) -> Result<(), TextError> {
        let mut probe = self.lexer.clone();
        if matches!(probe.token(), Ok(None)) { Ok(()) } else { self.base64(field) }
    }

    /// Base64 to the end of the record.
    fn base64(&mut self, field: Field) -> Result<(), TextError> {
        let mut base64 = Base64::default();
        let mut last = self.word(field)?;
        loop {
            base64.push(last.text, self.out).ok_or_else(|| unexpected(last, field))?;
            match self.next_token()? {
                Some(token) if token.quoted => return Err(unexpected(token, field)),
                Some(token) => last = token,
                None => return base64.finish().ok_or_else(|| unexpected(last, field)),
            }
        }
    }

    /// What follows `\#`: the length and as many octets in hexadecimal (RFC 3597 §5).
    fn octets(&mut self) -> Result<(), TextError> {
        let token = self.word(Field::U16)?;
        let said = decimal(token.text).filter(|&said| said <= super::MAX_RDATA as u64);
        let said = said.ok_or_else(|| unexpected(token, Field::U16))?;
        let start = self.out.len();
        if said > 0 {
            self.hex(Field::Hex)?;
        }
        match self.out.len() - start {
            found if found as u64 == said => Ok(()),
            found => Err(TextError { at: token.at, what: TextProblem::Length { said, found } }),
        }
    }

    fn type_bitmap(&mut self, field: Field) -> Result<(), TextError> {
        let start = self.out.len();
        // The types of the first window, which most are in.
        let mut first = [0; 32];
        while let Some(token) = self.next_token()? {
            let rtype = mnemonic::rtype(token.text).filter(|_| !token.quoted);
            match rtype.ok_or_else(|| unexpected(token, field))? {
                Rtype(number @ 0..256) => first[usize::from(number / 8)] |= 0x80 >> (number % 8),
                rtype => set_bit(self.out, start, rtype),
            }
        }
        if let Some(last) = first.iter().rposition(|&octet| octet != 0) {
            let length = last + 1;
            self.out
                .splice(start..start, [0, length as u8].into_iter().chain(first[..length].iter().copied()));
        }
        Ok(())
    }

    fn nxt_bitmap(&mut self, field: Field) -> Result<(), TextError> {
        let start = self.out.len();
        while let Some(token) = self.next_token()? {
            // RFC 2535 §5.2: the bitmap ends before type 128.
            let rtype =
                mnemonic::rtype(token.text).filter(|rtype| !token.quoted && (1..128).contains(&rtype.0));
            let number = rtype.ok_or_else(|| unexpected(token, field))?.0;
            let octet = start + usize::from(number / 8);
            if self.out.len() <= octet {
                self.out.resize(octet + 1, 0);
            }
            self.out[octet] |= 0x80 >> (number % 8);
        }
        Ok(())
    }
}

/// Whether text that is read as this field cannot make octets that [`end_of`] refuses.
const fn is_always_valid(field: Field) -> bool {
    matches!(
        field,
        Field::NameCompressible
            | Field::NameLower
            | Field::NameAsIs
            | Field::U8
            | Field::U16
            | Field::U32
            | Field::Period
            | Field::Ipv4
            | Field::Ipv6
            | Field::CharacterString
            | Field::CharacterStrings
            | Field::Time
            | Field::Rtype
            | Field::Algorithm
    )
}

/// Hexadecimal that is one whole token.
pub(super) fn whole_hex(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut hex = Hex::default();
    hex.push(text, out)?;
    hex.finish()
}

/// Sets the bit of `rtype` in the type bitmap from `start` to the end of `out` (RFC 4034 §4.1.2).
fn set_bit(out: &mut Vec<u8>, start: usize, rtype: Rtype) {
    let [window, low] = rtype.0.to_be_bytes();
    let octet = usize::from(low / 8);
    let mut at = start;
    while at < out.len() && out[at] < window {
        at += 2 + usize::from(out[at + 1]);
    }
    if at == out.len() || out[at] > window {
        out.splice(at..at, [window, 0]);
    }
    let length = usize::from(out[at + 1]);
    if length <= octet {
        let end = at + 2 + length;
        out.splice(end..end, std::iter::repeat_n(0, octet + 1 - length));
        out[at + 1] = octet as u8 + 1;
    }
    out[at + 2 + octet] |= 0x80 >> (low % 8);
}

/// A dotted quad without leading zeros.
#[inline]
pub(super) fn ipv4(text: &[u8]) -> Option<[u8; 4]> {
    let mut address = [0; 4];
    let mut parts = text.split(|&octet| octet == b'.');
    for octet in &mut address {
        *octet = match *parts.next()? {
            [a @ b'0'..=b'9'] => a - b'0',
            [a @ b'1'..=b'9', b @ b'0'..=b'9'] => (a - b'0') * 10 + b - b'0',
            [a @ b'1'..=b'2', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
                u8::try_from(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
                    .ok()?
            }
            _ => return None,
        };
    }
    parts.next().is_none().then_some(address)
}

/// An IPv6 address in any of the forms of RFC 4291 §2.2.
#[inline]
pub(super) fn ipv6(text: &[u8]) -> Option<[u8; 16]> {
    let mut octets = [0; 16];
    let mut at = 0;
    // Where the zeros go that `::` stands for.
    let mut gap = None;
    let mut rest = text;
    if let [b':', b':', after @ ..] = text {
        gap = Some(0);
        rest = after;
    }
    while !rest.is_empty() {
        let mut group = 0u16;
        let mut digits = 0;
        while let Some(digit) = rest.get(digits).and_then(|&octet| hex_digit(octet)) {
            group = group << 4 | u16::from(digit);
            digits += 1;
            if digits > 4 {
                return None;
            }
        }
        if rest.get(digits) == Some(&b'.') {
            octets.get_mut(at..at + 4)?.copy_from_slice(&ipv4(rest)?);
            at += 4;
            break;
        }
        if digits == 0 {
            return None;
        }
        octets.get_mut(at..at + 2)?.copy_from_slice(&group.to_be_bytes());
        at += 2;
        rest = match &rest[digits..] {
            [] => break,
            [b':', b':', after @ ..] if gap.is_none() => {
                gap = Some(at);
                after
            }
            // A single colon does not end an address.
            [b':', after @ ..] if !after.is_empty() => after,
            _ => return None,
        };
    }
    match gap {
        None => (at == 16).then_some(octets),
        Some(gap) if at < 16 => {
            octets[gap..].rotate_right(16 - at);
            Some(octets)
        }
        Some(_) => None,
    }
}

/// `YYYYMMDDHHmmSS`, or seconds since 1970 (RFC 4034 §3.2), in 32 bits.
fn time(text: &[u8]) -> Option<u32> {
    if text.len() <= 10 {
        return decimal(text).and_then(|seconds| u32::try_from(seconds).ok());
    }
    let (date, clock) = text.split_at_checked(8).filter(|_| text.len() == 14)?;
    let (date, clock) = (decimal(date)?, decimal(clock)?);
    let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
    let (hour, minute, second) = (clock / 10_000, clock / 100 % 100, clock % 100);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_in_month = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if year < 1970 || !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years that begin in March put the leap day last.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (153 * months + 2) / 5 + day - 1;
    let days = days - DAYS_TO_1970;
    Some((days * 86_400 + hour * 3_600 + minute * 60 + second) as u32)
}

/// Days from 1 March of the year 0 to 1 January 1970.
const DAYS_TO_1970: u64 = 719_468;

/// A token that is not the field that it should be.
#[cold]
pub(super) fn unexpected(token: Token<'_>, expected: Field) -> TextError {
    TextError { at: token.at, what: TextProblem::Unexpected { got: Written::of(token.text), expected } }
}

#[cold]
fn wrong(at: usize, error: RdataError) -> TextError {
    TextError { at, what: error.into() }
}
