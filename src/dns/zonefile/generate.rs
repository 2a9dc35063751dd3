//! `$GENERATE` as BIND 9.18 reads it: a range, and templates into which its numbers are put.
//!
//! In a template `$` is the number, `$$` a dollar sign, `\$` an escaped one, and `${offset,width,base}` the
//! number plus an offset, padded with zeros to a width, in base `d`, `o`, `x`, `X`, or as nibbles in reverse
//! with dots between (`n`, `N`).

use std::io::Write;

use super::MAX_GENERATED;
use crate::dns::token::decimal;

/// Why `$GENERATE` cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum GenerateError {
    /// The range is not one.
    #[error("not a range, expected start-stop or start-stop/step with start up to stop and a step above 0")]
    Range,
    /// What follows `${` is not a modifier.
    #[error(
        "bad modifier after $, expected ${{offset}}, ${{offset,width}} or ${{offset,width,base}} with base d, o, x, X, n or N"
    )]
    Modifier,
    /// All directives together make so many records.
    #[error("$GENERATE makes {0} records up to here, expected at most {MAX_GENERATED} in a zone file")]
    TooMany(u64),
    /// The number and its offset make more than 32 bits can hold.
    #[error("the number plus its offset is out of range, expected at most 2147483647")]
    Overflow,
}

/// The widest that a number is padded to; a label is not longer.
const MAX_WIDTH: u64 = 255;

/// The range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generate {
    start: i32,
    stop: i32,
    step: i32,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(Vec<u8>),
    Number { offset: i64, width: usize, base: u8 },
}

impl Generate {
    /// Reads `start-stop` or `start-stop/step`.
    pub(super) fn range(text: &[u8]) -> Result<Self, GenerateError> {
        let number = |digits| {
            decimal(digits).and_then(|number| i32::try_from(number).ok()).ok_or(GenerateError::Range)
        };
        let (bounds, step) = match text.iter().position(|&octet| octet == b'/') {
            Some(slash) => (&text[..slash], number(&text[slash + 1..])?),
            None => (text, 1),
        };
        let dash = bounds.iter().position(|&octet| octet == b'-').ok_or(GenerateError::Range)?;
        let (start, stop) = (number(&bounds[..dash])?, number(&bounds[dash + 1..])?);
        if start > stop || step == 0 { Err(GenerateError::Range) } else { Ok(Self { start, stop, step }) }
    }

    /// How many numbers there are.
    pub(super) fn count(self) -> u64 {
        u64::from(self.stop.abs_diff(self.start) / self.step.unsigned_abs()) + 1
    }

    /// The numbers.
    pub(super) fn numbers(self) -> impl Iterator<Item = i64> {
        (self.start..=self.stop).step_by(self.step.unsigned_abs() as usize).map(i64::from)
    }

    /// Takes a template apart. In a quoted one, `\"` is a quote that stands for itself in what is made.
    pub(super) fn parts(text: &[u8], quoted: bool) -> Result<Vec<Part>, GenerateError> {
        let mut parts = Vec::new();
        let mut run = Vec::new();
        let mut rest = text;
        while let [octet, after @ ..] = rest {
            rest = after;
            match (octet, after) {
                (b'\\', [b'"', after @ ..]) if quoted => {
                    run.push(b'"');
                    rest = after;
                }
                (b'\\', [escaped, after @ ..]) => {
                    run.extend_from_slice(&[b'\\', *escaped]);
                    rest = after;
                }
                (b'$', [b'$', after @ ..]) => {
                    run.push(b'$');
                    rest = after;
                }
                (b'$', _) => {
                    let number = match after {
                        [b'{', modifier @ ..] => {
                            let end = modifier.iter().position(|&octet| octet == b'}');
                            let end = end.ok_or(GenerateError::Modifier)?;
                            rest = &modifier[end + 1..];
                            modifier_of(&modifier[..end]).ok_or(GenerateError::Modifier)?
                        }
                        _ => Part::Number { offset: 0, width: 0, base: b'd' },
                    };
                    parts.push(Part::Text(std::mem::take(&mut run)));
                    parts.push(number);
                }
                _ => run.push(*octet),
            }
        }
        parts.push(Part::Text(run));
        Ok(parts)
    }

    /// Appends what a template makes of `number`.
    pub(super) fn expand(parts: &[Part], number: i64, out: &mut Vec<u8>) -> Result<(), GenerateError> {
        for part in parts {
            let &Part::Number { offset, width, base } = part else {
                if let Part::Text(text) = part {
                    out.extend_from_slice(text);
                }
                continue;
            };
            let number = i32::try_from(number + offset).map_err(|_| GenerateError::Overflow)?;
            // Writing to a vector cannot fail.
            let _ = match base {
                b'o' => write!(out, "{number:0width$o}"),
                b'x' => write!(out, "{number:0width$x}"),
                b'X' => write!(out, "{number:0width$X}"),
                b'n' => {
                    nibbles(number.cast_unsigned(), width, b"0123456789abcdef", out);
                    Ok(())
                }
                b'N' => {
                    nibbles(number.cast_unsigned(), width, b"0123456789ABCDEF", out);
                    Ok(())
                }
                _ => write!(out, "{number:0width$}"),
            };
        }
        Ok(())
    }
}

/// Reads `offset[,width[,base]]`.
fn modifier_of(text: &[u8]) -> Option<Part> {
    let mut parts = text.split(|&octet| octet == b',');
    let (negative, digits) = match parts.next()? {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let offset = i64::try_from(decimal(digits)?).ok()?;
    let width = parts.next().map_or(Some(0), decimal).filter(|&width| width <= MAX_WIDTH)? as usize;
    let base = match parts.next() {
        None => b'd',
        Some([base @ (b'd' | b'o' | b'x' | b'X' | b'n' | b'N')]) => *base,
        Some(_) => return None,
    };
    let offset = if negative { -offset } else { offset };
    parts.next().is_none().then_some(Part::Number { offset, width, base })
}

/// Appends nibbles, the lowest first; the dots between them count towards the width, and one may end it.
fn nibbles(mut number: u32, mut width: usize, digits: &[u8; 16], out: &mut Vec<u8>) {
    loop {
        out.push(digits[(number & 15) as usize]);
        number >>= 4;
        width = width.saturating_sub(1);
        if number == 0 && width == 0 {
            return;
        }
        out.push(b'.');
        width = width.saturating_sub(1);
        if number == 0 && width == 0 {
            return;
        }
    }
}
