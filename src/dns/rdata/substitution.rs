//! Substitution expressions, the regexp of NAPTR: delimiter, extended regular expression, delimiter, replacement,
//! delimiter and flags (RFC 3402 §3.2).
//!
//! One that is none costs more than its own record: BIND refuses the whole transfer of a zone that has it. So the
//! regular expression is looked at as well, by the grammar of POSIX (XBD §9.5.3). What that leaves undefined is refused
//! where BIND does.

/// Whether `text` is empty or a substitution expression.
pub(super) fn is_substitution(text: &[u8]) -> bool {
    let [delimiter, rest @ ..] = text else { return true };
    if matches!(delimiter, 0 | b'0'..=b'9' | b'i' | b'\\') || rest.contains(&0) {
        return false;
    }
    let parts = split(rest, *delimiter).and_then(|(ere, rest)| Some((ere, split(rest, *delimiter)?)));
    let Some((ere, (replacement, flags))) = parts else { return false };
    groups(ere).is_some_and(|groups| refers_to(replacement, groups)) && flags.iter().all(|&flag| flag == b'i')
}

/// What is before the first delimiter that no backslash precedes, and what is after it.
fn split(text: &[u8], delimiter: u8) -> Option<(&[u8], &[u8])> {
    let mut escaped = false;
    let at = text.iter().position(|&octet| {
        let found = octet == delimiter && !escaped;
        escaped = octet == b'\\' && !escaped;
        found
    })?;
    Some((&text[..at], &text[at + 1..]))
}

/// Whether all back references of a replacement are to groups that there are.
fn refers_to(replacement: &[u8], groups: usize) -> bool {
    let mut rest = replacement;
    while let Some(at) = rest.iter().position(|&octet| octet == b'\\') {
        let Some(&escaped) = rest.get(at + 1) else { return false };
        if escaped.is_ascii_digit() && !(1..=groups).contains(&usize::from(escaped - b'0')) {
            return false;
        }
        rest = &rest[at + 2..];
    }
    true
}

/// What comes before the place at hand in a regular expression.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The branch begins here.
    Nothing,
    /// The group begins here.
    Open,
    Anchor,
    Atom,
    Repetition,
}

/// How many groups an extended regular expression has; `None` when it is none.
fn groups(ere: &[u8]) -> Option<usize> {
    let (mut groups, mut open) = (0, 0_usize);
    let mut before = Before::Nothing;
    let mut rest = ere;
    while let [octet, after @ ..] = rest {
        rest = after;
        before = match (octet, before) {
            (b'(', _) => {
                groups += 1;
                open += 1;
                Before::Open
            }
            // One that closes nothing stands for itself.
            (b')', _) if open == 0 => Before::Atom,
            (b'|', Before::Nothing | Before::Open) | (b')', Before::Nothing) => return None,
            (b')', _) => {
                open -= 1;
                Before::Atom
            }
            (b'|', _) => Before::Nothing,
            (b'^' | b'$', _) => Before::Anchor,
            (b'*' | b'+' | b'?', Before::Atom) => Before::Repetition,
            (b'*' | b'+' | b'?', _) => return None,
            // Any other brace stands for itself.
            (b'{', _) if after.first().is_some_and(u8::is_ascii_digit) => {
                rest = interval(after).filter(|_| before == Before::Atom)?;
                Before::Repetition
            }
            (b'[', _) => {
                rest = bracket(after)?;
                Before::Atom
            }
            (b'\\', _) => {
                let (escaped, after) = after.split_first()?;
                if escaped.is_ascii_digit() && usize::from(escaped - b'0') > groups {
                    return None;
                }
                rest = after;
                Before::Atom
            }
            _ => Before::Atom,
        };
    }
    (open == 0 && before != Before::Nothing).then_some(groups)
}

/// What follows the interval `low}`, `low,}` or `low,high}`.
fn interval(text: &[u8]) -> Option<&[u8]> {
    let end = text.iter().position(|&octet| octet == b'}')?;
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u8>().ok();
    let (low, high) = match text[..end].iter().position(|&octet| octet == b',') {
        None => (number(&text[..end])?, None),
        Some(comma) if comma + 1 == end => (number(&text[..comma])?, None),
        Some(comma) => (number(&text[..comma])?, Some(number(&text[comma + 1..end])?)),
    };
    high.is_none_or(|high| low <= high).then_some(&text[end + 1..])
}

/// What follows a bracket expression, whose opening bracket is before `text`.
fn bracket(text: &[u8]) -> Option<&[u8]> {
    let start = text.strip_prefix(b"^").unwrap_or(text);
    let mut rest = start;
    loop {
        rest = match rest {
            // One that comes first stands for itself.
            [b']', after @ ..] if rest.len() < start.len() => return Some(after),
            [b'[', kind @ (b':' | b'.' | b'='), after @ ..] => {
                let end = after.windows(2).position(|pair| pair == [*kind, b']'])?;
                if *kind == b':' && !CLASSES.contains(&&after[..end]) {
                    return None;
                }
                &after[end + 2..]
            }
            [_, b'-', named @ ..] if matches!(named, [b'[', b'.' | b'=', ..]) => named,
            [low, b'-', high, after @ ..] if *high != b']' => {
                // The end of a range begins no other.
                let goes_on = matches!(after, [b'-', next, ..] if *next != b']');
                if low > high || goes_on {
                    return None;
                }
                after
            }
            [_, after @ ..] => after,
            [] => return None,
        };
    }
}

/// The character classes of POSIX (XBD §7.3.1).
const CLASSES: [&[u8]; 12] = [
    b"alnum", b"alpha", b"blank", b"cntrl", b"digit", b"graph", b"lower", b"print", b"punct", b"space",
    b"upper", b"xdigit",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Every expression here was put to `named-checkzone` 9.18, which says the same.
    #[test]
    fn expressions_are_told_from_what_bind_refuses() {
        let right = "a () a) (a)b) a{1} a{1,} a{,3} a{255} a{ { a{x} []a] [^]a] [a-z] [[:alpha:]] [[.a.]] [[=a=]] \
            [[.ab.]] [--a] \\. (a)\\1 (a)(b) ((a)) (a|b) $ ^ ^$ a^b a$b (^a) . [[a] a] } a} \\d \\( [\\]a] (a)* \
            (a){2} ^.*$ ^(.*)$ ^^ (a)\\1* [[:alpha:]-z] [a-[.z.]] ^\\+44(.*)$";
        for ere in right.split_ascii_whitespace() {
            assert!(is_substitution(format!("!{ere}!b!").as_bytes()), "{ere}");
        }
        let wrong = "*a a** a*? ^* ^+a a| |a a||b (a a{1 a{2,1} a{256} a{1}{2} [ [a [] [a- [z-a] [[:foo:]] \
            [[:alpha:] [a-c-e] \\1 (a)\\2 a\\9 (|b) (a|) (*a) (^*a) a|*b +a ?a $+ (a)** [a-\\z]";
        for ere in std::iter::once("").chain(wrong.split_ascii_whitespace()) {
            assert!(!is_substitution(format!("!{ere}!b!").as_bytes()), "{ere}");
        }
        let right = "!a!b!i !a!b!ii !(a)!\\1! !(a)!\\\\2! !a!\\x! !a!! !a\\!b!c! !a!b\\!c! /a/b/ .a.b. !(a)(b)!\\2! \
            !(a(b))!\\2! !(a)!\\1\\1!";
        for text in std::iter::once("").chain(right.split_ascii_whitespace()) {
            assert!(is_substitution(text.as_bytes()), "{text}");
        }
        let wrong = "!a !a!b !a!b!x !a!\\0! !a!\\1! !(a)!\\2! !!! a!b! !(a!b)!c! ![!]!b! !(a!b! !a!b\\";
        for text in ["!", "ia i b i", "!a\0!b!"].into_iter().chain(wrong.split_ascii_whitespace()) {
            assert!(!is_substitution(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn an_anchor_cannot_be_repeated() {
        // BIND takes an asterisk after a dollar sign.
        assert!(!is_substitution(b"!$*!b!"));
    }
}
