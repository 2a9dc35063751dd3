//! The reader: lines to directives and records.

use std::sync::Arc;
use std::{fmt, io};

use super::generate::{Generate, GenerateError};
use super::{
    At, BYTE_ORDER_MARK, File, Files, Loader, MAX_GENERATED, MAX_INCLUDE_DEPTH, Outcome, PiecesError, Sink,
};
use crate::dns::name::{Name, NameError, NameRef};
use crate::dns::problem::{Problem, Problems};
use crate::dns::rdata::{self, TextError, TextProblem, Written};
use crate::dns::rtype::{CLASS_IN, Rtype};
use crate::dns::time::Ttl;
use crate::dns::token::{LexError, Lexer, Token, decimal, period};

/// The highest TTL (RFC 2181 §8).
const MAX_TTL: u32 = 0x7fff_ffff;

/// Reads one zone file and what it includes.
pub(super) struct Reader<'r, S, L> {
    sink: &'r mut S,
    loader: &'r mut L,
    files: Vec<Arc<str>>,
    problems: Problems,
    records: u64,
    /// How many of them by `$GENERATE`.
    generated: u64,
    owner: Owner,
    ttl: TtlRules,
    /// The rdata of the record at hand; kept for its memory.
    rdata: Vec<u8>,
}

/// The owner that a line without one means.
#[derive(Clone)]
struct Owner {
    wire: Vec<u8>,
    state: OwnerState,
    /// How it was written below the origin at hand; empty where that is not known.
    text: Vec<u8>,
}

impl Owner {
    fn new(state: OwnerState) -> Self {
        Self { wire: Vec::new(), state, text: Vec::new() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OwnerState {
    /// No record came yet.
    None,
    /// The last one.
    Known,
    /// The last one could not be read; records that lean on it are looked at, but lead nowhere.
    Unreadable,
}

/// What TTL a record has that states none.
#[derive(Default)]
struct TtlRules {
    /// That of `$TTL`, or of the SOA record where neither came before it.
    default: Option<Ttl>,
    /// The last that was stated (RFC 1035 §5.1).
    last: Option<Ttl>,
    /// Whether a warning was given that `last` is used.
    warned: bool,
}

/// One file, and the line that is read.
struct Source<'a> {
    text: &'a [u8],
    file: u16,
    depth: usize,
    origin: Name,
    /// Whether no record followed the last `$ORIGIN`.
    fresh_origin: bool,
    line: u32,
    line_start: usize,
}

/// What is wrong in a line, and where in the text.
pub(super) struct Fault {
    at: usize,
    what: FaultKind,
}

#[derive(Debug, thiserror::Error)]
enum FaultKind {
    #[error(transparent)]
    Text(#[from] TextProblem),
    #[error(transparent)]
    Generate(#[from] GenerateError),
    #[error("no owner name, and no record before to take it from")]
    NoOwner,
    #[error("unknown directive {0}, expected $ORIGIN, $TTL, $INCLUDE or $GENERATE")]
    UnknownDirective(Written),
    #[error("the line ends here, expected {0}")]
    MissingArgument(&'static str),
    #[error("the record ends here, expected a TTL, class or record type")]
    MissingType,
    #[error("unknown record type {0}, expected a mnemonic or TYPEnnn")]
    UnknownType(Written),
    #[error("no zone can hold records of type {0}")]
    MetaType(Rtype),
    #[error("class {0}, expected IN")]
    Class(Written),
    #[error("TTL {0} is not a number of seconds, nor one with units as 1h30m, up to 2147483647")]
    Ttl(Written),
    #[error("no TTL, and neither $TTL nor a record before to take it from")]
    NoTtl,
    #[error("cannot include {path}: {why}")]
    Include { path: Written, why: String },
    #[error("$INCLUDE nests deeper than {MAX_INCLUDE_DEPTH} files")]
    TooDeep,
    #[error("$INCLUDE opens more than 65535 files")]
    TooManyFiles,
}

impl<'r, S: Sink, L: Loader> Reader<'r, S, L> {
    pub(super) fn new(sink: &'r mut S, loader: &'r mut L) -> Self {
        Self {
            sink,
            loader,
            files: Vec::new(),
            problems: Problems::default(),
            records: 0,
            generated: 0,
            owner: Owner::new(OwnerState::None),
            ttl: TtlRules::default(),
            rdata: Vec::new(),
        }
    }

    pub(super) fn read(mut self, name: Arc<str>, text: &[u8], origin: NameRef<'_>) -> Outcome {
        self.files.push(name);
        self.file(text, 0, 0, origin.to_owned());
        self.outcome()
    }

    pub(super) fn read_pieces(
        mut self,
        name: Arc<str>,
        text: &mut impl io::Read,
        window: usize,
        origin: NameRef<'_>,
    ) -> Result<Outcome, PiecesError> {
        self.files.push(name);
        let mut window = vec![0; window];
        let mut filled = 0;
        let (mut origin, mut fresh_origin, mut line) = (origin.to_owned(), false, 1);
        loop {
            let ends = fill(&mut window, &mut filled, text)?;
            let text = &window[..filled];
            let text = text.strip_prefix(BYTE_ORDER_MARK).filter(|_| line == 1).unwrap_or(text);
            let mut lexer = Lexer::from_line(text, line);
            let mut source = Source { text, file: 0, depth: 0, origin, fresh_origin, line, line_start: 0 };
            // What begins far from the end of the window should end in it, too.
            let last = if ends { usize::MAX } else { text.len() - text.len() / 4 };
            let end_seen = self.entries(&mut lexer, &mut source, last);
            if ends {
                return Ok(self.outcome());
            }
            if end_seen {
                return Err(PiecesError::Window);
            }
            (origin, fresh_origin, line) = (source.origin, source.fresh_origin, lexer.line().0);
            let rest = lexer.rest().len();
            window.copy_within(filled - rest..filled, 0);
            filled = rest;
        }
    }

    fn outcome(self) -> Outcome {
        Outcome { files: Files(self.files), problems: self.problems, records: self.records }
    }

    fn file(&mut self, text: &[u8], file: u16, depth: usize, origin: Name) {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let mut lexer = Lexer::new(text);
        let mut source =
            Source { text, file, depth, origin, fresh_origin: depth > 0, line: 1, line_start: 0 };
        self.entries(&mut lexer, &mut source, usize::MAX);
    }

    /// Reads entries (RFC 1035 §5.1) up to the first that begins a line at `last` or behind it; whether it came to the
    /// end of the text instead.
    fn entries(&mut self, lexer: &mut Lexer<'_>, source: &mut Source<'_>, last: usize) -> bool {
        loop {
            (source.line, source.line_start) = lexer.line();
            if source.line_start >= last && source.line_start == lexer.at() {
                return false;
            }
            if let Err(fault) = self.line(lexer, source) {
                self.report(source, &fault);
            }
            match lexer.next_line() {
                Ok(true) => {}
                Ok(false) => return true,
                Err((at, error)) => {
                    self.report(source, &Fault::lex((at, error)));
                    return true;
                }
            }
        }
    }

    #[inline]
    fn line(&mut self, lexer: &mut Lexer<'_>, source: &mut Source<'_>) -> Result<(), Fault> {
        let blank = matches!(lexer.peek_octet(), Some(b' ' | b'\t'));
        let Some(first) = lexer.token().map_err(Fault::lex)? else { return Ok(()) };
        let at = source.at(first.at, lexer);
        let mut token = first;
        if !blank {
            if first.text.starts_with(b"$") && !first.quoted {
                return self.directive(first, lexer, source);
            }
            self.owner(first, source)?;
            token =
                lexer.token().map_err(Fault::lex)?.ok_or_else(|| Fault::at(lexer, FaultKind::MissingType))?;
        } else if self.owner.state == OwnerState::None {
            return Err(Fault { at: first.at, what: FaultKind::NoOwner });
        } else if source.fresh_origin {
            self.warn_of_inherited_owner(source, first.at);
        }
        source.fresh_origin = false;
        let head = Head::read(token, lexer)?;
        self.rdata.clear();
        rdata::parse(head.rtype, lexer, source.origin.as_ref(), &mut self.rdata)?;
        let ttl = self.ttl(head.ttl, head.rtype, first.at, source)?;
        self.emit(ttl, head.rtype, at);
        Ok(())
    }

    #[cold]
    fn warn_of_inherited_owner(&mut self, source: &Source<'_>, at: usize) {
        if let Ok(owner) = NameRef::from_wire(&self.owner.wire) {
            let owner = owner.to_owned();
            let origin = &source.origin;
            self.warn(
                source,
                at,
                format_args!("the first record after $ORIGIN {origin} takes over the owner {owner}"),
            );
        }
    }

    #[inline]
    fn owner(&mut self, token: Token<'_>, source: &Source<'_>) -> Result<(), Fault> {
        // Records of one owner mostly follow each other.
        if token.text == self.owner.text && !token.text.is_empty() {
            return Ok(());
        }
        self.owner.state = OwnerState::Unreadable;
        self.owner.text.clear();
        self.owner.wire.clear();
        rdata::parse_name(token.text, source.origin.as_ref(), &mut self.owner.wire)
            .map_err(|why| Fault::name(token, why))?;
        self.owner.text.extend_from_slice(token.text);
        self.owner.state = OwnerState::Known;
        Ok(())
    }

    /// The TTL of a record that states `stated`. `at` is where the record starts.
    #[inline]
    fn ttl(
        &mut self,
        stated: Option<Ttl>,
        rtype: Rtype,
        at: usize,
        source: &Source<'_>,
    ) -> Result<Ttl, Fault> {
        if let Some(ttl) = stated.or(self.ttl.default) {
            self.ttl.last = Some(ttl);
            return Ok(ttl);
        }
        if let Some(ttl) = self.ttl.last {
            if !self.ttl.warned {
                self.ttl.warned = true;
                self.warn(
                    source,
                    at,
                    format_args!("no TTL and no $TTL; records take that of the record before, {ttl}"),
                );
            }
            return Ok(ttl);
        }
        match self.rdata.last_chunk() {
            // RFC 1035 §3.3.13: the minimum is what other records take.
            Some(&minimum) if rtype == Rtype::SOA => {
                let ttl = Ttl(u32::from_be_bytes(minimum).min(MAX_TTL));
                self.ttl.default = Some(ttl);
                self.ttl.last = Some(ttl);
                self.warn(
                    source,
                    at,
                    format_args!("no TTL and no $TTL; the minimum of the SOA record is used, {ttl}"),
                );
                Ok(ttl)
            }
            _ => Err(Fault { at, what: FaultKind::NoTtl }),
        }
    }

    #[inline]
    fn emit(&mut self, ttl: Ttl, rtype: Rtype, at: At) {
        if self.owner.state == OwnerState::Known {
            self.records += 1;
            self.sink.record(NameRef::assume_valid(&self.owner.wire), ttl, rtype, &self.rdata, at);
        }
    }

    fn directive(
        &mut self,
        token: Token<'_>,
        lexer: &mut Lexer<'_>,
        source: &mut Source<'_>,
    ) -> Result<(), Fault> {
        let is = |name: &[u8]| token.text.eq_ignore_ascii_case(name);
        if is(b"$ORIGIN") {
            let origin = argument(lexer, "a domain name")?;
            end(lexer)?;
            source.origin = name(origin, &source.origin)?;
            source.fresh_origin = true;
            self.owner.text.clear();
        } else if is(b"$TTL") {
            let ttl = argument(lexer, "a TTL")?;
            end(lexer)?;
            self.ttl.default = Some(read_ttl(ttl)?);
        } else if is(b"$INCLUDE") {
            let path = argument(lexer, "a file")?;
            let origin = match lexer.token().map_err(Fault::lex)? {
                Some(origin) => name(origin, &source.origin)?,
                None => source.origin.clone(),
            };
            end(lexer)?;
            self.include(path, origin, source)?;
        } else if is(b"$GENERATE") {
            self.generate(lexer, source, token.at)?;
        } else {
            return Err(Fault { at: token.at, what: FaultKind::UnknownDirective(Written::of(token.text)) });
        }
        Ok(())
    }

    /// Reads another file. It begins with the owner at hand; its own ends with it, as its `$ORIGIN` does (RFC 1035 §5.1).
    /// Its `$TTL` goes on after it, as with BIND: RFC 2308 §4 has it hold up to the next one.
    fn include(&mut self, path: Token<'_>, origin: Name, source: &Source<'_>) -> Result<(), Fault> {
        let fault = |what| Fault { at: path.at, what };
        if source.depth >= MAX_INCLUDE_DEPTH {
            return Err(fault(FaultKind::TooDeep));
        }
        let file = u16::try_from(self.files.len()).map_err(|_| fault(FaultKind::TooManyFiles))?;
        let refused = |why: String| fault(FaultKind::Include { path: Written::of(path.text), why });
        let text = std::str::from_utf8(path.text).map_err(|error| refused(error.to_string()))?;
        let from = self.files[usize::from(source.file)].clone();
        let File { name, text } =
            self.loader.load(text, &from).map_err(|error| refused(error.to_string()))?;
        self.files.push(name);
        let owner = self.owner.clone();
        self.owner.text.clear();
        self.file(&text, file, source.depth + 1, origin);
        self.owner = owner;
        Ok(())
    }

    /// Makes the records of `$GENERATE`. The first that cannot be made ends it.
    fn generate(&mut self, lexer: &mut Lexer<'_>, source: &Source<'_>, at: usize) -> Result<(), Fault> {
        let range = argument(lexer, "a range, as 1-9 or 0-254/2")?;
        let generate =
            Generate::range(range.text).map_err(|error| Fault { at: range.at, what: error.into() })?;
        self.generated += generate.count();
        if self.generated > MAX_GENERATED {
            return Err(Fault { at: range.at, what: GenerateError::TooMany(self.generated).into() });
        }
        let left = argument(lexer, "an owner name")?;
        let token = argument(lexer, "a TTL, class or record type")?;
        let head = Head::read(token, lexer)?;
        let right = argument(lexer, "the record's data, in quotes where it has blanks")?;
        end(lexer)?;
        let place = source.at(at, lexer);
        let wrong = |at, error: GenerateError| Fault { at, what: error.into() };
        let left_parts = Generate::parts(left.text, left.quoted).map_err(|error| wrong(left.at, error))?;
        let right_parts =
            Generate::parts(right.text, right.quoted).map_err(|error| wrong(right.at, error))?;
        // The owner of the record before stays that of a line without one.
        let before = std::mem::replace(&mut self.owner, Owner::new(OwnerState::Known));
        let mut text = Vec::new();
        let outcome = generate.numbers().try_for_each(|number| {
            text.clear();
            Generate::expand(&left_parts, number, &mut text).map_err(|error| wrong(left.at, error))?;
            self.owner.wire.clear();
            let name = Token { text: &text, ..left };
            rdata::parse_name(&text, source.origin.as_ref(), &mut self.owner.wire)
                .map_err(|why| Fault::name(name, why))?;
            text.clear();
            Generate::expand(&right_parts, number, &mut text).map_err(|error| wrong(right.at, error))?;
            self.rdata.clear();
            let mut lexer = Lexer::new(&text);
            rdata::parse(head.rtype, &mut lexer, source.origin.as_ref(), &mut self.rdata)
                .map_err(|error| Fault { at: right.at, what: error.what.into() })?;
            let ttl = self.ttl(head.ttl, head.rtype, at, source)?;
            self.emit(ttl, head.rtype, place);
            Ok(())
        });
        self.owner = before;
        outcome
    }

    #[cold]
    fn report(&mut self, source: &Source<'_>, fault: &Fault) {
        let place = self.place(source, fault.at);
        self.problems.push(Problem::error(place, &fault.what));
    }

    #[cold]
    fn warn(&mut self, source: &Source<'_>, at: usize, what: impl fmt::Display) {
        let place = self.place(source, at);
        self.problems.push(Problem::warning(place, what));
    }

    fn place(&self, source: &Source<'_>, at: usize) -> crate::dns::problem::Place {
        let (line, column) = source.line_and_column(at);
        crate::dns::problem::Place { file: self.files[usize::from(source.file)].clone(), line, column }
    }
}

impl Source<'_> {
    /// The place of a token of the line at hand.
    #[inline]
    fn at(&self, at: usize, lexer: &Lexer<'_>) -> At {
        let (line, start) = lexer.line();
        let (line, column) =
            if at >= start { (line, (at - start) as u32 + 1) } else { self.line_and_column(at) };
        At { file: self.file, line, column: u16::try_from(column).unwrap_or(u16::MAX) }
    }

    /// The line and column of an offset at or after the start of the line at hand.
    fn line_and_column(&self, at: usize) -> (u32, u32) {
        let before = &self.text[self.line_start..at.max(self.line_start).min(self.text.len())];
        let newlines = before.iter().filter(|&&octet| octet == b'\n').count();
        let last = before.iter().rposition(|&octet| octet == b'\n').map_or(0, |newline| newline + 1);
        (self.line + newlines as u32, (before.len() - last) as u32 + 1)
    }
}

/// What stands between a record's owner and its data.
struct Head {
    ttl: Option<Ttl>,
    rtype: Rtype,
}

impl Head {
    /// Reads TTL and class, both of which may be missing, in either order, and the type.
    #[inline]
    fn read(first: Token<'_>, lexer: &mut Lexer<'_>) -> Result<Self, Fault> {
        let mut ttl = None;
        let mut class = false;
        let mut token = first;
        loop {
            let fault = |what: fn(Written) -> FaultKind| {
                Err(Fault { at: token.at, what: what(Written::of(token.text)) })
            };
            if token.quoted {
                return fault(FaultKind::UnknownType);
            }
            // No mnemonic of a type or class starts with a digit.
            if ttl.is_none() && token.text.first().is_some_and(u8::is_ascii_digit) {
                ttl = Some(read_ttl(token)?);
            } else if !class && token.text == b"IN" {
                class = true;
            } else if let Some(rtype) = rdata::rtype(token.text) {
                if rtype.is_meta() {
                    return Err(Fault { at: token.at, what: FaultKind::MetaType(rtype) });
                }
                return Ok(Self { ttl, rtype });
            } else {
                match class_number(token.text) {
                    Some(CLASS_IN) if !class => class = true,
                    Some(number) if number != CLASS_IN => return fault(FaultKind::Class),
                    _ => return fault(FaultKind::UnknownType),
                }
            }
            token =
                lexer.token().map_err(Fault::lex)?.ok_or_else(|| Fault::at(lexer, FaultKind::MissingType))?;
        }
    }
}

/// Reads until the window is full, or to the end of the text; whether that was the end.
fn fill(window: &mut [u8], filled: &mut usize, text: &mut impl io::Read) -> io::Result<bool> {
    while *filled < window.len() {
        match text.read(&mut window[*filled..]) {
            Ok(0) => return Ok(true),
            Ok(read) => *filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// The class that `text` names, by mnemonic or as `CLASSnnn` (RFC 3597 §5).
fn class_number(text: &[u8]) -> Option<u16> {
    for (mnemonic, class) in [(&b"IN"[..], CLASS_IN), (b"CH", 3), (b"CHAOS", 3), (b"HS", 4), (b"HESIOD", 4)] {
        if text.eq_ignore_ascii_case(mnemonic) {
            return Some(class);
        }
    }
    let (prefix, digits) = text.split_at_checked(5)?;
    if !prefix.eq_ignore_ascii_case(b"CLASS") {
        return None;
    }
    decimal(digits).and_then(|number| u16::try_from(number).ok())
}

fn read_ttl(token: Token<'_>) -> Result<Ttl, Fault> {
    match period(token.text) {
        Some(seconds) if seconds <= MAX_TTL && !token.quoted => Ok(Ttl(seconds)),
        _ => Err(Fault { at: token.at, what: FaultKind::Ttl(Written::of(token.text)) }),
    }
}

fn name(token: Token<'_>, origin: &Name) -> Result<Name, Fault> {
    let mut wire = Vec::new();
    rdata::parse_name(token.text, origin.as_ref(), &mut wire)
        .and_then(|()| Name::from_wire(&wire))
        .map_err(|why| Fault::name(token, why))
}

fn argument<'a>(lexer: &mut Lexer<'a>, what: &'static str) -> Result<Token<'a>, Fault> {
    lexer.token().map_err(Fault::lex)?.ok_or_else(|| Fault::at(lexer, FaultKind::MissingArgument(what)))
}

/// Nothing more must follow a directive.
fn end(lexer: &mut Lexer<'_>) -> Result<(), Fault> {
    match lexer.token().map_err(Fault::lex)? {
        None => Ok(()),
        Some(token) => {
            Err(Fault { at: token.at, what: TextProblem::Trailing(Written::of(token.text)).into() })
        }
    }
}

impl Fault {
    #[cold]
    fn at(lexer: &Lexer<'_>, what: FaultKind) -> Self {
        Self { at: lexer.at(), what }
    }

    #[cold]
    fn lex((at, error): (usize, LexError)) -> Self {
        Self { at, what: TextProblem::from(error).into() }
    }

    #[cold]
    fn name(token: Token<'_>, why: NameError) -> Self {
        Self { at: token.at, what: TextProblem::Name { got: Written::of(token.text), why }.into() }
    }
}

impl From<TextError> for Fault {
    fn from(error: TextError) -> Self {
        Self { at: error.at, what: error.what.into() }
    }
}
