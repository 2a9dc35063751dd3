//! Reading a zone file and what it includes from disk.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fmt, fs};

use twox_hash::XxHash3_128;

use super::files;
use crate::dns::problem::{Place, Problem, Problems};
use crate::dns::zonefile::{self, BYTE_ORDER_MARK, File, Loader, PiecesError};
use crate::engine::Source;
use crate::engine::input::ReadZone;
use crate::zone::DraftBuilder;

/// How much of a zone file is in memory at a time, so that a large one does not stand beside the zone that is made of
/// it. A record that does not fit has the file read with a window so many times larger.
const WINDOW: usize = 1 << 20;
const LARGER: usize = 16;
/// How often a file that somebody writes to meanwhile is read again.
const ATTEMPTS: usize = 5;

/// Reads and checks the zone file that `reading` names. Its digest is that of all octets read: a fast one, for it
/// tells an edited file from the same, and who may write the file need not forge it.
pub fn read(reading: &ReadZone) -> Result<Source, Problems> {
    let path = &reading.file.path;
    let name = path.display().to_string();
    let refuse = |what: fmt::Arguments<'_>| {
        let mut problems = Problems::default();
        problems.push(Problem::error(Place::file(name.as_str()), what));
        problems
    };
    let unreadable = |error: io::Error| refuse(format_args!("{error}, expected a zone file"));
    // What includes nothing need not be parsed to be known again.
    if let Some(known) = reading.known
        && digest_of_one(path).map_err(unreadable)? == Some(known)
    {
        return Ok(Source::Unchanged);
    }
    let mut largest = WINDOW;
    let mut attempts = 0;
    let (outcome, builder, digest) = loop {
        let mut text = Text::open(path).map_err(unreadable)?;
        let mut loader = Includes::new(path, &reading.file.allow_includes);
        let mut builder = DraftBuilder::new(reading.zone.clone(), reading.presigned);
        let origin = reading.zone.as_ref();
        // Of a small file, all of it, and where it ends.
        let window = largest.min(text.before.0 as usize + 1);
        match zonefile::read_pieces(&*name, &mut text, window, origin, &mut loader, &mut builder) {
            Ok(outcome) if text.is_as_before().map_err(unreadable)? => {
                break (outcome, builder, loader.digest_with(&text));
            }
            Ok(_) if attempts == ATTEMPTS => {
                return Err(refuse(format_args!(
                    "the file is written to while it is read, expected a whole one; write it beside this one and rename it"
                )));
            }
            Ok(_) => attempts += 1,
            Err(PiecesError::Window) => largest = largest.saturating_mul(LARGER),
            Err(PiecesError::Io(error)) => return Err(unreadable(error)),
        }
    };
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

/// A zone file that is being read.
struct Text {
    file: fs::File,
    digest: XxHash3_128,
    /// Its size and when it was written last, before it was read.
    before: (u64, SystemTime),
}

impl Text {
    fn open(path: &Path) -> io::Result<Self> {
        let file = files::open_regular(path)?;
        let before = Self::state(&file)?;
        Ok(Self { file, digest: XxHash3_128::new(), before })
    }

    fn state(file: &fs::File) -> io::Result<(u64, SystemTime)> {
        let metadata = file.metadata()?;
        Ok((metadata.len(), metadata.modified()?))
    }

    /// Whether nobody has written to it meanwhile.
    fn is_as_before(&self) -> io::Result<bool> {
        Ok(Self::state(&self.file)? == self.before)
    }
}

impl Read for Text {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(out)?;
        self.digest.write(&out[..read]);
        Ok(read)
    }
}

const INCLUDE: &[u8] = b"$include";

/// The digest of a file that includes no other.
fn digest_of_one(path: &Path) -> io::Result<Option<[u8; 16]>> {
    let mut text = Text::open(path)?;
    let mut window = vec![0; WINDOW];
    // The last octets of the piece before stand in front of each, so that no directive is cut in two.
    let tail = INCLUDE.len();
    window[tail - 1] = b'\n';
    loop {
        let read = text.read(&mut window[tail..])?;
        if read == 0 {
            return Ok(Some(text.digest.finish_128().to_be_bytes()));
        }
        let lines = window[..tail + read].split(|&octet| octet == b'\n').skip(1);
        let mut lines = lines.map(|line| line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line));
        if lines.any(|line| line.get(..tail).is_some_and(|start| start.eq_ignore_ascii_case(INCLUDE))) {
            return Ok(None);
        }
        window.copy_within(read..tail + read, 0);
    }
}

/// Opens what `$INCLUDE` names: relative to the zone file's directory, and below it or below a directory that the
/// configuration allows, wherever symlinks lead.
struct Includes {
    directory: PathBuf,
    allowed: Vec<PathBuf>,
    /// Of everything included; `None` where nothing is.
    digest: Option<XxHash3_128>,
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
        Self { directory, allowed, digest: None }
    }

    /// The digest of a zone file and all that it includes.
    fn digest_with(&self, text: &Text) -> [u8; 16] {
        let one = text.digest.finish_128();
        let all = self.digest.as_ref().map(|included| {
            let mut all = included.clone();
            all.write(&one.to_be_bytes());
            all.finish_128()
        });
        all.unwrap_or(one).to_be_bytes()
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
        self.digest.get_or_insert_default().write(&text);
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
        fs::write(&file, ZONE).unwrap();
        let first = digest(read(&reading(file.clone(), None)));
        assert!(matches!(read(&reading(file.clone(), Some(first))), Ok(Source::Unchanged)));

        fs::write(&file, format!("{ZONE}$INCLUDE more\n")).unwrap();
        fs::write(scratch.path().join("more"), "www A 192.0.2.2\n").unwrap();
        let second = digest(read(&reading(file.clone(), Some(first))));
        assert!(matches!(read(&reading(file.clone(), Some(second))), Ok(Source::Unchanged)));
        fs::write(scratch.path().join("more"), "www A 192.0.2.3\n").unwrap();
        digest(read(&reading(file, Some(second))));
    }

    #[test]
    fn an_include_is_found_wherever_a_piece_ends() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("zone");
        let line = "; nothing\n";
        for at in WINDOW - 2 * INCLUDE.len()..WINDOW + 2 {
            fs::write(&file, format!("{}\n$Include more\n{line}", " ".repeat(at - 1))).unwrap();
            assert_eq!(digest_of_one(&file).unwrap(), None, "{at}");
        }
        fs::write(&file, "\u{feff}$INCLUDE more\n").unwrap();
        assert_eq!(digest_of_one(&file).unwrap(), None);
        fs::write(&file, format!("{}; $INCLUDE more\n", line.repeat(WINDOW / 4))).unwrap();
        assert!(digest_of_one(&file).unwrap().is_some());
    }

    #[test]
    fn a_record_larger_than_the_window_is_read_and_the_digest_is_that_of_the_file() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("zone");
        let comment = ";".repeat(2 * WINDOW);
        fs::write(&file, format!("{ZONE}wide A ( {comment}\n192.0.2.2 )\n")).unwrap();
        let first = digest(read(&reading(file.clone(), None)));
        assert_eq!(digest_of_one(&file).unwrap(), Some(first));
        assert!(matches!(read(&reading(file, Some(first))), Ok(Source::Unchanged)));
    }

    #[test]
    fn a_file_that_is_written_to_is_seen() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("zone");
        fs::write(&file, ZONE).unwrap();
        let text = Text::open(&file).unwrap();
        assert!(text.is_as_before().unwrap());
        fs::write(&file, format!("{ZONE}www A 192.0.2.2\n")).unwrap();
        assert!(!text.is_as_before().unwrap());
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
        fs::create_dir(&zones).unwrap();
        fs::create_dir(&others).unwrap();
        fs::write(zones.join("zone"), format!("{ZONE}$INCLUDE link\n")).unwrap();
        fs::write(others.join("more"), "www A 192.0.2.2\n").unwrap();
        std::os::unix::fs::symlink(others.join("more"), zones.join("link")).unwrap();
        let mut reading = reading(zones.join("zone"), None);
        let problems = read(&reading).err().unwrap().to_string();
        assert!(problems.contains("zone:5:10:") && problems.contains("allow-includes"), "{problems}");
        reading.file.allow_includes = vec![others];
        assert!(read(&reading).is_ok());
    }
}
