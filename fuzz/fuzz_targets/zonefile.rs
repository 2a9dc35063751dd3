//! Zone files: no text breaks the reader, it reads the same in pieces, and a zone that is sound is the same when it is
//! written and read again.

#![no_main]

use danelaw::zone::Presigned;
use danelaw_fuzz::{draft, lines, records};
use libfuzzer_sys::fuzz_target;

/// `$GENERATE 0-2147483647 …` is a correct line; this many digits make it one that takes no time.
const DIGITS: usize = 2;

fuzz_target!(|text: &[u8]| {
    if generates_much(text) {
        return;
    }
    let whole = records(text, None);
    for window in [40, 400] {
        let pieces = records(text, Some(window));
        assert!(
            pieces.is_none() || pieces == whole,
            "in pieces, it is another zone: {pieces:?}, not {whole:?}"
        );
    }
    for presigned in [Presigned::Keep, Presigned::Drop] {
        match draft(text, presigned) {
            Ok(zone) => {
                let written = lines(&zone.contents);
                match draft(written.as_bytes(), presigned) {
                    Ok(again) => {
                        assert_eq!(written, lines(&again.contents), "read again, it is another zone")
                    }
                    Err(problems) => panic!("what was written is refused: {problems}\n{written}"),
                }
            }
            // Each says where.
            Err(problems) => {
                for problem in &problems {
                    assert!(!problem.to_string().is_empty());
                }
            }
        }
    }
});

fn generates_much(text: &[u8]) -> bool {
    let directive = text.windows(9).any(|window| window.eq_ignore_ascii_case(b"$generate"));
    directive && text.chunk_by(|a, b| a.is_ascii_digit() && b.is_ascii_digit()).any(|run| run.len() > DIGITS)
}
