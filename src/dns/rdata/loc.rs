//! Locations as text (RFC 1876 §3).

use std::fmt;

use super::fault::TextError;
use super::parse::{Input, unexpected};
use super::table::Field;

/// Size, horizontal and vertical precision when they are left out: 1 m, 10 km, 10 m.
const DEFAULTS: [u8; 3] = [0x12, 0x16, 0x13];
/// Altitudes count centimetres from 100 km below the reference spheroid.
const ALTITUDE_ZERO: i64 = 10_000_000;
/// Angles count thousandths of a second of arc from here, the equator or the prime meridian.
const ANGLE_ZERO: u32 = 1 << 31;

/// Reads `d [m [s]] N|S d [m [s]] E|W altitude [size [horizontal [vertical]]]`.
pub(super) fn parse(input: &mut Input<'_, '_>) -> Result<(), TextError> {
    let latitude = parse_angle(input, 90, *b"NS")?;
    let longitude = parse_angle(input, 180, *b"EW")?;
    let token = input.word(Field::Loc)?;
    let altitude = metres(token.text).map(|altitude| altitude + ALTITUDE_ZERO);
    let altitude = altitude.and_then(|altitude| u32::try_from(altitude).ok());
    let altitude = altitude.ok_or_else(|| unexpected(token, Field::Loc))?;
    let mut precision = DEFAULTS;
    for octet in &mut precision {
        let Some(token) = input.next_token()? else { break };
        let centimetres = metres(token.text).filter(|_| !token.quoted);
        *octet = centimetres.and_then(to_power).ok_or_else(|| unexpected(token, Field::Loc))?;
    }
    input.out.push(0);
    input.out.extend_from_slice(&precision);
    for number in [latitude, longitude, altitude] {
        input.out.extend_from_slice(&number.to_be_bytes());
    }
    Ok(())
}

/// Writes sixteen octets that are known to be a location.
pub(super) fn write(loc: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let number = |at: usize| u32::from_be_bytes([loc[at], loc[at + 1], loc[at + 2], loc[at + 3]]);
    for (at, [positive, negative]) in [(4, ['N', 'S']), (8, ['E', 'W'])] {
        let angle = number(at).abs_diff(ANGLE_ZERO);
        let side = if number(at) >= ANGLE_ZERO { positive } else { negative };
        let (seconds, thousandths) = (angle / 1_000, angle % 1_000);
        let (degrees, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(out, "{degrees} {minutes} {seconds}.{thousandths:03} {side} ")?;
    }
    let altitude = i64::from(number(12)) - ALTITUDE_ZERO;
    let sign = if altitude < 0 { "-" } else { "" };
    write!(out, "{sign}{}.{:02}m", altitude.abs() / 100, altitude.abs() % 100)?;
    for &octet in &loc[1..4] {
        let centimetres = u64::from(octet >> 4) * 10u64.pow(u32::from(octet & 0xf));
        if centimetres >= 100 {
            write!(out, " {}m", centimetres / 100)?;
        } else {
            write!(out, " 0.{centimetres:02}m")?;
        }
    }
    Ok(())
}

fn parse_angle(input: &mut Input<'_, '_>, most: i64, sides: [u8; 2]) -> Result<u32, TextError> {
    let token = input.word(Field::Loc)?;
    let degrees = fixed(token.text, 0).filter(|degrees| (0..=most).contains(degrees));
    let mut angle = degrees.ok_or_else(|| unexpected(token, Field::Loc))? * 3_600_000;
    // Minutes are whole, seconds have up to three decimals.
    for (decimals, scale) in [(0, 60_000), (3, 1)] {
        let token = input.word(Field::Loc)?;
        if let Some(angle) = on_side(token.text, angle, sides) {
            return within(angle, most).ok_or_else(|| unexpected(token, Field::Loc));
        }
        let part = fixed(token.text, decimals).map(|part| part * scale);
        let limit = if decimals == 0 { 3_600_000 } else { 60_000 };
        angle +=
            part.filter(|part| (0..limit).contains(part)).ok_or_else(|| unexpected(token, Field::Loc))?;
    }
    let token = input.word(Field::Loc)?;
    let angle = on_side(token.text, angle, sides).and_then(|angle| within(angle, most));
    angle.ok_or_else(|| unexpected(token, Field::Loc))
}

/// The angle with the sign of its hemisphere.
fn on_side(text: &[u8], angle: i64, sides: [u8; 2]) -> Option<i64> {
    match text {
        [side] if side.eq_ignore_ascii_case(&sides[0]) => Some(angle),
        [side] if side.eq_ignore_ascii_case(&sides[1]) => Some(-angle),
        _ => None,
    }
}

fn within(angle: i64, most: i64) -> Option<u32> {
    if angle.abs() <= most * 3_600_000 { u32::try_from(angle + i64::from(ANGLE_ZERO)).ok() } else { None }
}

/// Centimetres of a length in metres, with or without its unit.
fn metres(text: &[u8]) -> Option<i64> {
    fixed(text.strip_suffix(b"m").or_else(|| text.strip_suffix(b"M")).unwrap_or(text), 2)
}

/// A length as one digit and a power of ten, the rest cut off (RFC 1876 §2).
fn to_power(centimetres: i64) -> Option<u8> {
    let mut digit = u64::try_from(centimetres).ok()?;
    let mut power = 0;
    while digit > 9 {
        digit /= 10;
        power += 1;
    }
    (power <= 9).then_some((digit as u8) << 4 | power)
}

/// A number with a sign or none and at most `decimals` decimals, times ten to the power of `decimals`.
fn fixed(text: &[u8], decimals: usize) -> Option<i64> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (whole, fraction) = match text.iter().position(|&octet| octet == b'.') {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, &[][..]),
    };
    if whole.is_empty() && fraction.is_empty() || whole.len() > 10 || fraction.len() > decimals {
        return None;
    }
    let padding = std::iter::repeat_n(&b'0', decimals - fraction.len());
    let number = whole.iter().chain(fraction).chain(padding).try_fold(0, |number, &octet| {
        if octet.is_ascii_digit() { Some(number * 10 + i64::from(octet - b'0')) } else { None }
    })?;
    Some(if negative { -number } else { number })
}
