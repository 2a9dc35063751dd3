//! PEM (RFC 7468) taken strictly: a file that is still being written is told from a whole one.
//!
//! Text around the blocks is allowed (`openssl x509 -text`, bag attributes); octets that no text
//! has are not, and neither is a line that begins like a boundary and is none.

use data_encoding::BASE64;
use zeroize::Zeroizing;

/// One block: its label and what its base64 says. Wiped from memory, as it may be a private key.
pub(crate) struct Block {
    pub(crate) label: String,
    pub(crate) contents: Zeroizing<Vec<u8>>,
    /// RFC 1421 §4.6.1.1: the contents are encrypted with a pass phrase.
    pub(crate) encrypted: bool,
}

/// What keeps text from being read as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PemError {
    /// The block of this label has no END line; no label when its BEGIN line is not whole either.
    CutOff(Option<String>),
    /// The block of this label is not base64.
    Base64(String),
    /// Octets outside the blocks that are no text.
    Garbage,
}

/// One block.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    let base64 = BASE64.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in base64.as_bytes().chunks(64) {
        text.extend(line.iter().map(|&octet| char::from(octet)));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

/// Whether the input means to be PEM, whole or not.
pub(crate) fn looks_like_pem(input: &[u8]) -> bool {
    lines(input).any(|line| line.starts_with(DASHES))
}

/// Every block of `input`, in order.
pub(crate) fn blocks(input: &[u8]) -> Result<Vec<Block>, PemError> {
    let mut blocks = Vec::new();
    let mut lines = lines(input).peekable();
    while let Some(line) = lines.next() {
        if !line.starts_with(DASHES) {
            if line.iter().any(|&octet| octet.is_ascii_control() && !octet.is_ascii_whitespace()) {
                return Err(PemError::Garbage);
            }
            // The next block, caught as its first dashes are written.
            if !line.is_empty() && DASHES.starts_with(line) && lines.peek().is_none() {
                return Err(PemError::CutOff(None));
            }
            continue;
        }
        let label = label(line, b"-----BEGIN ").ok_or(PemError::CutOff(None))?;
        blocks.push(block(label, &mut lines, input.len())?);
    }
    Ok(blocks)
}

/// The rest of a block whose BEGIN line has been read.
fn block<'a>(
    name: &str,
    lines: &mut impl Iterator<Item = &'a [u8]>,
    capacity: usize,
) -> Result<Block, PemError> {
    let cut_off = || PemError::CutOff(Some(name.to_owned()));
    let not_base64 = || PemError::Base64(name.to_owned());
    // With room for everything from the start: growing would leave copies of a key behind.
    let mut base64 = Zeroizing::new(Vec::with_capacity(capacity));
    let mut encrypted = false;
    loop {
        let line = lines.next().ok_or_else(cut_off)?;
        if line.starts_with(DASHES) {
            if label(line, b"-----END ") != Some(name) {
                return Err(cut_off());
            }
            break;
        }
        if line.contains(&b':') {
            encrypted |= line.starts_with(b"Proc-Type:") && line.ends_with(b"ENCRYPTED");
            continue;
        }
        base64.extend(line.iter().copied().filter(|octet| !octet.is_ascii_whitespace()));
    }
    if encrypted {
        return Ok(Block { label: name.to_owned(), contents: Zeroizing::new(Vec::new()), encrypted });
    }
    let room = BASE64.decode_len(base64.len()).map_err(|_| not_base64())?;
    let mut contents = Zeroizing::new(vec![0; room]);
    let length = BASE64.decode_mut(&base64, &mut contents).map_err(|_| not_base64())?;
    contents.truncate(length);
    Ok(Block { label: name.to_owned(), contents, encrypted })
}

/// One block, wiped when dropped: it may be a private key.
pub(crate) fn write(label: &str, der: &[u8]) -> Zeroizing<String> {
    let lines = der.chunks(OCTETS_A_LINE);
    // With room for everything from the start, as above.
    let room = lines.len() * (LINE + 1) + 2 * (label.len() + "-----BEGIN -----\n".len());
    let mut text = Zeroizing::new(String::with_capacity(room));
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    for line in lines {
        let mut base64 = Zeroizing::new([0; LINE]);
        let used = &mut base64[..BASE64.encode_len(line.len())];
        text.push_str(BASE64.encode_mut_str(line, used));
        text.push('\n');
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// The label of a boundary line that begins with `begin`; `None` unless the line is whole.
fn label<'a>(line: &'a [u8], begin: &[u8]) -> Option<&'a str> {
    let label = line.strip_prefix(begin)?.strip_suffix(DASHES)?;
    std::str::from_utf8(label).ok().filter(|label| !label.is_empty() && !label.contains('-'))
}

/// Lines without their ends and without blanks around them.
fn lines(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    let input = input.strip_prefix(BYTE_ORDER_MARK).unwrap_or(input);
    input.split(|&octet| octet == b'\n' || octet == b'\r').map(<[u8]>::trim_ascii)
}

const DASHES: &[u8] = b"-----";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// RFC 7468 §2: every line but the last has so many characters …
const LINE: usize = 64;
/// … which are so many octets.
const OCTETS_A_LINE: usize = LINE / 4 * 3;
