//! `keys` and `state`: what the command line needs to know to reach a daemon that runs, whatever else has become of
//! the configuration meanwhile.

use std::path::{Path, PathBuf};

use super::fields::Fields;
use super::report::Report;
use super::{KEYS, Paths, defaults, yaml};
use crate::dns::problem::Problem;

/// The directories that are danelaw's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directories {
    /// Of DNSSEC private keys.
    pub keys: PathBuf,
    /// Of what must survive a restart.
    pub state: PathBuf,
}

impl Directories {
    /// Those that the text of `file` names, with a syntax error if there is one: what comes after it is not known, and
    /// the default takes the place of a directory that is not named before it. No other error is looked for.
    pub fn parse(text: &str, file: &str, directory: &Path) -> (Self, Option<Problem>) {
        let mut report = Report::new(file, text);
        let (root, whole) = yaml::parse_beginning(text, &mut report);
        let broken = report.finish().into_iter().rfind(Problem::is_error).filter(|_| !whole);
        // What is wrong with the rest is for others to say.
        let mut report = Report::new(file, text);
        let fields = Fields::of("the configuration", &root, &KEYS, &mut report);
        (read(&fields, &Paths { directory }, &mut report), broken)
    }

    /// Those of a configuration in `directory` that names none.
    pub fn default_in(directory: &Path) -> Self {
        Self {
            keys: directory.join(defaults::KEYS_DIRECTORY),
            state: directory.join(defaults::STATE_DIRECTORY),
        }
    }

    /// The socket on which the command line reaches the daemon.
    pub fn control_socket(&self) -> PathBuf {
        self.state.join(defaults::CONTROL_SOCKET)
    }
}

pub(super) fn read(fields: &Fields<'_>, paths: &Paths<'_>, report: &mut Report<'_>) -> Directories {
    let mut given = |key| fields.read(key, report, |text| paths.resolve(text));
    let (keys, state) = (given("keys"), given("state"));
    let default = Directories::default_in(paths.directory);
    Directories { keys: keys.unwrap_or(default.keys), state: state.unwrap_or(default.state) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Directories, Option<Problem>) {
        Directories::parse(text, "danelaw.yaml", Path::new("/etc/danelaw"))
    }

    #[test]
    fn the_state_is_found_in_a_configuration_that_is_not_sound() {
        let (found, broken) =
            parse("zoens: {}\nstate: /var/lib/danelaw\nkeys: private\nlisten: {dns: nowhere}\n");
        assert_eq!(found.control_socket(), Path::new("/var/lib/danelaw/control.sock"));
        assert_eq!(found.keys, Path::new("/etc/danelaw/private"));
        assert_eq!(broken, None);
    }

    #[test]
    fn what_stands_before_a_syntax_error_counts_and_the_error_is_told() {
        let (found, broken) = parse("state: /var/lib/danelaw\nzones:\n  a: {file: [}\nkeys: private\n");
        assert_eq!(found.state, Path::new("/var/lib/danelaw"));
        assert_eq!(found.keys, Path::new("/etc/danelaw/keys"));
        assert_eq!(broken.map(|problem| problem.place.line), Some(3));

        let (found, broken) = parse("{ : :\n- x\n");
        assert_eq!(found, Directories::default_in(Path::new("/etc/danelaw")));
        assert!(broken.is_some());
    }
}
