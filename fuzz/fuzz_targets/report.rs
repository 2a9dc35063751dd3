//! Reports about TLS (RFC 8460): no octets break their reader, and gzip makes no difference.

#![no_main]

use std::io::Write;

use danelaw::engine::reports::{MAX_REPORT, Report, ReportError};
use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let read = Report::read(data);
    assert_eq!(Report::read(data), read, "the same octets are another report");
    // What is compressed twice is no report.
    if data.starts_with(&[0x1f, 0x8b]) {
        return;
    }
    assert!(data.len() <= MAX_REPORT || read == Err(ReportError::TooLarge));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).expect("memory");
    assert_eq!(Report::read(&encoder.finish().expect("memory")), read, "compressed, it is another report");
});
