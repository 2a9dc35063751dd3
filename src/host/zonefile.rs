//! Reading a zone file and what it includes from disk.

use std::io;
use std::path::{Path, PathBuf};

use twox_hash::XxHash3_128;

use super::files;
use crate::dns::problem::{Place, Problem, Problems};
use crate::dns::zonefile::{self, File, Loader};
use crate::engine::Source;
use crate::engine::input::ReadZone;
use crate::zone::DraftBuilder;

/// Reads and checks the zone file that `reading` names. Its digest is that of all octets read: a fast one, for it
/// tells an edited file from the same, and who may write the file need not forge it.
pub fn read(reading: &ReadZone) -> Result<Source, Problems> {
    let name = reading.file.path.display().to_string();
    let text = files::read_regular(&reading.file.path).map_err(|error| {
        let mut problems = Problems::default();
        problems
            .push(Problem::error(Place::file(name.as_str()), format_args!("{error}, expected a zone file")));
        problems
    })?;
    let mut loader = Includes::new(&reading.file.path, &reading.file.allow_includes);
    loader.digest.write(&text);
    // What includes nothing need not be parsed to be known again.
    if reading.known.is_some() && !has_includes(&text) && reading.known == Some(loader.so_far()) {
        return Ok(Source::Unchanged);
    }
    let mut builder = DraftBuilder::new(reading.zone.clone(), reading.presigned);
    let outcome = zonefile::read(name.as_str(), &text, reading.zone.as_ref(), &mut loader, &mut builder);
    let digest = loader.so_far();
    // A large file need not stay in memory while the zone is built of it.
    drop(text);
    if reading.known == Some(digest) && !outcome.problems.refuse() {
        return Ok(Source::Unchanged);
    }
    let mut problems = outcome.problems;
    let built = builder.build(&reading.managed, |at| outcome.files.place(at));
    match built {
        Ok((draft, warnings)) if !problems.refuse() => {
            problems.append(warnings);
            Ok(Source::Draft { draft: Box::new(draft), warnings: problems, digest })
        }
        Ok((_, more)) | Err(more) => {
            problems.append(more);
            Err(problems)
        }
    }
}

fn has_includes(text: &[u8]) -> bool {
    const DIRECTIVE: &[u8] = b"$include";
    text.split(|&octet| octet == b'\n')
        .any(|line| line.get(..DIRECTIVE.len()).is_some_and(|start| start.eq_ignore_ascii_case(DIRECTIVE)))
}

/// Opens what `$INCLUDE` names: relative to the zone file's directory, and below it or below a directory that the
/// configuration allows, wherever symlinks lead.
struct Includes {
    directory: PathBuf,
    allowed: Vec<PathBuf>,
    digest: XxHash3_128,
}

/// Why a file is not included.
#[derive(Debug, thiserror::Error)]
enum IncludeError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error(
        "{0} is outside the zone file's directory; `allow-includes` of the zone can permit its directory"
    )]
    Outside(String),
}

impl Includes {
    fn new(zone_file: &Path, allow_includes: &[PathBuf]) -> Self {
        let directory = zone_file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new(".")).to_owned();
        let allowed = std::iter::once(&directory).chain(allow_includes);
        let allowed = allowed.filter_map(|directory| directory.canonicalize().ok()).collect();
        Self { directory, allowed, digest: XxHash3_128::new() }
    }

    /// The digest of everything read up to now.
    fn so_far(&self) -> [u8; 16] {
        self.digest.finish_128().to_be_bytes()
    }
}

impl Loader for Includes {
    type Error = IncludeError;

    fn load(&mut self, path: &str, _from: &str) -> Result<File, IncludeError> {
        let path = self.directory.join(path);
        let real = path.canonicalize()?;
        if !self.allowed.iter().any(|directory| real.starts_with(directory)) {
            return Err(IncludeError::Outside(real.display().to_string()));
        }
        let text = files::read_regular(&real)?;
        self.digest.write(&text);
        Ok(File { name: path.display().to_string().into(), text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ZoneFile;
    use crate::dns::name::Name;
    use crate::zone::{ManagedRrsets, Presigned};

    const ZONE: &str = "$TTL 1h\n@ SOA ns1 root 1 2h 1h 5d 5m\n@ NS ns1\nns1 A 192.0.2.1\n";

    fn reading(file: PathBuf, known: Option<[u8; 16]>) -> ReadZone {
        ReadZone {
            zone: Name::parse("example.test").unwrap(),
            file: ZoneFile { path: file, allow_includes: Vec::new() },
            known,
            presigned: Presigned::Drop,
            managed: ManagedRrsets::default(),
        }
    }

    fn digest(source: Result<Source, Problems>) -> [u8; 16] {
        match source {
            Ok(Source::Draft { digest, .. }) => digest,
            Ok(Source::Unchanged) => panic!("unchanged"),
            Err(problems) => panic!("{problems}"),
        }
    }

    #[test]
    fn the_same_octets_are_known_again_and_an_include_counts() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("zone");
        std::fs::write(&file, ZONE).unwrap();
        let first = digest(read(&reading(file.clone(), None)));
        assert!(matches!(read(&reading(file.clone(), Some(first))), Ok(Source::Unchanged)));

        std::fs::write(&file, format!("{ZONE}$INCLUDE more\n")).unwrap();
        std::fs::write(scratch.path().join("more"), "www A 192.0.2.2\n").unwrap();
        let second = digest(read(&reading(file.clone(), Some(first))));
        assert!(matches!(read(&reading(file.clone(), Some(second))), Ok(Source::Unchanged)));
        std::fs::write(scratch.path().join("more"), "www A 192.0.2.3\n").unwrap();
        digest(read(&reading(file, Some(second))));
    }

    #[test]
    fn what_is_no_file_is_refused_and_never_waited_for() {
        let scratch = tempfile::tempdir().unwrap();
        let pipe = scratch.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [pipe, scratch.path().to_owned(), PathBuf::from("/dev/null")] {
            let problems = read(&reading(path, None)).err().unwrap().to_string();
            assert!(problems.contains("not a regular file, expected a zone file"), "{problems}");
        }
    }

    #[test]
    fn a_file_outside_the_directory_is_included_only_where_the_configuration_allows_it() {
        let scratch = tempfile::tempdir().unwrap();
        let (zones, others) = (scratch.path().join("zones"), scratch.path().join("others"));
        std::fs::create_dir(&zones).unwrap();
        std::fs::create_dir(&others).unwrap();
        std::fs::write(zones.join("zone"), format!("{ZONE}$INCLUDE link\n")).unwrap();
        std::fs::write(others.join("more"), "www A 192.0.2.2\n").unwrap();
        std::os::unix::fs::symlink(others.join("more"), zones.join("link")).unwrap();
        let mut reading = reading(zones.join("zone"), None);
        let problems = read(&reading).err().unwrap().to_string();
        assert!(problems.contains("zone:5:10:") && problems.contains("allow-includes"), "{problems}");
        reading.file.allow_includes = vec![others];
        assert!(read(&reading).is_ok());
    }
}
