//! `danelaw diff`: how a zone differs from its file.

use std::fmt::Write as _;
use std::io::{Write, stderr, stdout};

use super::args::{Cli, DiffArgs};
use super::daemon::{segment, socket};
use super::exit::{Exit, Failure};
use crate::engine::difference::Difference;
use crate::host::client::{Method, StatusCode, request};

/// `danelaw diff`
pub(super) fn diff(cli: &Cli, args: &DiffArgs) -> Result<Exit, Failure> {
    let mut said = Vec::new();
    let path = format!("/diff/{}", segment(&args.zone));
    let status = request(&socket(cli)?, &Method::GET, &path, &mut said)?;
    if status != StatusCode::OK {
        stderr().write_all(&said)?;
        return Ok(Exit::Wrong);
    }
    if args.output.json {
        stdout().write_all(&said)?;
        writeln!(stdout())?;
    } else {
        let differences: Vec<Difference> = serde_json::from_slice(&said)?;
        stdout().write_all(text(&differences).as_bytes())?;
    }
    Ok(Exit::Done)
}

/// One record a line: `+` is here and not in the file, `-` in the file and not here.
fn text(differences: &[Difference]) -> String {
    let mut out = String::new();
    for Difference { change, owner, ttl, rtype, rdata, by } in differences {
        let sign = if change == "removed" { '-' } else { '+' };
        let ttl = ttl.map_or(String::new(), |ttl| format!("{ttl} "));
        let _ = writeln!(out, "{sign} {owner} {ttl}IN {rtype} {rdata} ; by {by}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_a_line_of_a_zone_file_with_a_sign() {
        let record = |change: &str, ttl, by: &str| Difference {
            change: change.to_owned(),
            owner: "www.example.test.".to_owned(),
            ttl,
            rtype: "A".to_owned(),
            rdata: "192.0.2.1".to_owned(),
            by: by.to_owned(),
        };
        let both = [record("removed", None, "update"), record("added", Some(60), "certificate")];
        assert_eq!(
            text(&both),
            "- www.example.test. IN A 192.0.2.1 ; by update\n+ www.example.test. 60 IN A 192.0.2.1 ; by certificate\n"
        );
    }
}
