//! `danelaw.yaml`: whatever is written there, it is refused with reasons that have their places, or it is a
//! configuration, and every time the same.

#![no_main]

use std::path::Path;

use danelaw::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = || Config::parse(text, "danelaw.yaml", Path::new("/etc/danelaw"));
    let told = match read() {
        Ok((config, warnings)) => {
            let again = read().map(|(config, _)| config);
            assert_eq!(again.as_ref(), Ok(&config), "the same text is another configuration");
            warnings
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            problems
        }
    };
    for problem in told {
        let line = problem.to_string();
        assert!(line.starts_with("danelaw.yaml"), "no place: {line}");
    }
});
