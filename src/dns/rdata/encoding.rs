//! Hexadecimal, Base64 and Base32hex, read piece by piece: rdata spreads them over several tokens.

/// Reads hexadecimal; an octet may be split between two pieces.
#[derive(Default)]
pub(super) struct Hex {
    high: Option<u8>,
}

impl Hex {
    /// Appends the octets of `text`; `None` when it is not hexadecimal.
    pub(super) fn push(&mut self, text: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let mut text = text;
        if self.high.is_none() {
            let (pairs, rest) = text.as_chunks();
            let mut seen = 0;
            out.extend(pairs.iter().map(|pair: &[u8; 2]| {
                let (high, low) = (HEX[usize::from(pair[0])], HEX[usize::from(pair[1])]);
                seen |= high | low;
                high << 4 | low
            }));
            if seen == NONE {
                return None;
            }
            text = rest;
        }
        for &octet in text {
            let value = HEX[usize::from(octet)];
            if value == NONE {
                return None;
            }
            match self.high.take() {
                None => self.high = Some(value << 4),
                Some(high) => out.push(high | value),
            }
        }
        Some(())
    }

    /// `None` when half an octet is left over.
    pub(super) fn finish(self) -> Option<()> {
        self.high.is_none().then_some(())
    }
}

/// Reads Base64 with padding (RFC 4648 §4).
#[derive(Default)]
pub(super) struct Base64 {
    bits: u32,
    digits: u8,
    padding: u8,
}

impl Base64 {
    /// Appends the octets of `text`; `None` when it is not Base64.
    pub(super) fn push(&mut self, text: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let mut text = text;
        if self.digits == 0 && self.padding == 0 {
            let start = out.len();
            let (quads, _) = text.as_chunks::<4>();
            out.resize(start + quads.len() * 3, 0);
            let mut whole = 0;
            for (triple, quad) in out[start..].as_chunks_mut().0.iter_mut().zip(quads) {
                let digit = |at: usize| BASE64_OF_FOUR[at][usize::from(quad[at])];
                let [wrong, octets @ ..] = (digit(0) | digit(1) | digit(2) | digit(3)).to_be_bytes();
                if wrong != 0 {
                    break;
                }
                *triple = octets;
                whole += 1;
            }
            out.truncate(start + whole * 3);
            text = &text[whole * 4..];
        }
        for &octet in text {
            self.push_digit(octet, out)?;
        }
        Some(())
    }

    fn push_digit(&mut self, octet: u8, out: &mut Vec<u8>) -> Option<()> {
        let value = match BASE64[usize::from(octet)] {
            NONE if octet == b'=' && self.digits >= 2 => {
                self.padding += 1;
                0
            }
            NONE => return None,
            _ if self.padding > 0 => return None,
            value => value,
        };
        self.bits = self.bits << 6 | u32::from(value);
        self.digits += 1;
        if self.digits == 4 {
            let octets = self.bits.to_be_bytes();
            let (kept, padded) = octets[1..].split_at(3 - usize::from(self.padding));
            // Bits that stand for nothing are zero, so that one value has one text.
            if padded.iter().any(|&octet| octet != 0) {
                return None;
            }
            out.extend_from_slice(kept);
            self.bits = 0;
            self.digits = 0;
        }
        Some(())
    }

    /// `None` when the last group of four is not complete.
    pub(super) fn finish(self) -> Option<()> {
        (self.digits == 0).then_some(())
    }
}

/// Appends the octets of Base32hex without padding (RFC 4648 §7), in any case.
pub(super) fn base32hex(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (groups, mut text) = text.as_chunks::<8>();
    for group in groups {
        let (bits, seen) = group.iter().fold((0, 0), |(bits, seen), &octet| {
            let value = BASE32HEX[usize::from(octet)];
            (bits << 5 | u64::from(value & 31), seen | value)
        });
        if seen == NONE {
            return None;
        }
        let [_, _, _, octets @ ..] = bits.to_be_bytes();
        out.extend_from_slice(&octets);
    }
    let (mut bits, mut count) = (0u32, 0);
    while let [octet, rest @ ..] = text {
        let value = Some(BASE32HEX[usize::from(*octet)]).filter(|&value| value != NONE)?;
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
        text = rest;
    }
    (bits == 0 && count < 5).then_some(())
}

/// The value of one hexadecimal digit.
#[inline]
pub(super) fn hex_digit(octet: u8) -> Option<u8> {
    Some(HEX[usize::from(octet)]).filter(|&value| value != NONE)
}

/// No digit. All its bits are set, so that it shows through whatever it is or-ed with.
const NONE: u8 = 0xff;

static HEX: [u8; 256] = values(b"0123456789ABCDEF", true);
static BASE32HEX: [u8; 256] = values(b"0123456789ABCDEFGHIJKLMNOPQRSTUV", true);
static BASE64: [u8; 256] = values(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", false);

/// The value of each digit of four in its place; what is no digit is in the octet that no digit is in.
static BASE64_OF_FOUR: [[u32; 256]; 4] = {
    let mut values = [[u32::MAX; 256]; 4];
    let mut octet = 0;
    while octet < 256 {
        let mut at = 0;
        while at < 4 && BASE64[octet] != NONE {
            values[at][octet] = (BASE64[octet] as u32) << (18 - 6 * at);
            at += 1;
        }
        octet += 1;
    }
    values
};

const fn values(digits: &[u8], any_case: bool) -> [u8; 256] {
    let mut values = [NONE; 256];
    let mut i = 0;
    while i < digits.len() {
        values[digits[i] as usize] = i as u8;
        if any_case {
            values[digits[i].to_ascii_lowercase() as usize] = i as u8;
        }
        i += 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base64(pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let (mut out, mut decoder) = (Vec::new(), Base64::default());
        for piece in pieces {
            decoder.push(piece, &mut out)?;
        }
        decoder.finish().map(|()| out)
    }

    #[test]
    fn what_is_not_whole_or_not_canonical_is_refused() {
        assert_eq!(base64(&[b"AQID"]), Some(vec![1, 2, 3]));
        assert_eq!(base64(&[b"AQ", b"ID", b"AA", b"=="]), Some(vec![1, 2, 3, 0]));
        for wrong in [&b"AQI"[..], b"AQI=AQID", b"AQ=D", b"A===", b"=", b"AR==", b"A*ID"] {
            assert_eq!(base64(&[wrong]), None, "{wrong:?}");
        }
        assert_eq!(base32hex(b"1", &mut Vec::new()), None);
        assert_eq!(base32hex(b"01", &mut Vec::new()), None);
        assert_eq!(base32hex(b"W0", &mut Vec::new()), None);
    }

    proptest! {
        #[test]
        fn what_a_library_encodes_is_read_back(data in prop::collection::vec(any::<u8>(), 0..40), cut in 0usize..20) {
            let text = data_encoding::BASE64.encode(&data);
            let cut = cut.min(text.len());
            prop_assert_eq!(base64(&[&text.as_bytes()[..cut], &text.as_bytes()[cut..]]), Some(data.clone()));
            let text = data_encoding::HEXUPPER.encode(&data);
            let cut = cut.min(text.len());
            let (mut out, mut hex) = (Vec::new(), Hex::default());
            hex.push(&text.as_bytes()[..cut], &mut out).unwrap();
            hex.push(text[cut..].to_lowercase().as_bytes(), &mut out).unwrap();
            hex.finish().unwrap();
            prop_assert_eq!(&out, &data);
            let mut out = Vec::new();
            base32hex(data_encoding::BASE32HEX_NOPAD.encode(&data).as_bytes(), &mut out).unwrap();
            prop_assert_eq!(&out, &data);
        }
    }
}
