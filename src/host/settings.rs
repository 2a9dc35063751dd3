//! The configuration as read from disk, with the secrets that it points to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{files, server};
use crate::answer::Server;
use crate::config::defaults::CONFIG_FILES;
use crate::config::{Config, Directories, Secret, SecretSource, TsigAlgorithm};
use crate::dns::problem::{Place, Problem, Problems};
use crate::dns::tsig::{Algorithm, Key, Keyring};

/// A checked configuration, ready to be used.
pub struct Settings {
    /// The configuration.
    pub config: Arc<Config>,
    /// The TSIG keys with their secrets.
    pub keyring: Arc<Keyring>,
    /// What answers to all zones have in common.
    pub server: Arc<Server>,
    /// What someone should look at.
    pub warnings: Problems,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is none.
    #[error("no configuration: neither {} nor {} exists; name one with -c FILE", CONFIG_FILES[0], CONFIG_FILES[1])]
    NotFound,
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not sound.
    #[error("{0}")]
    Unsound(Problems),
}

/// The file to read: the one named, or the first of the defaults that exists.
pub fn find(named: Option<&Path>) -> Result<PathBuf, SettingsError> {
    match named {
        Some(path) => Ok(path.to_owned()),
        None => {
            CONFIG_FILES.iter().map(PathBuf::from).find(|path| path.exists()).ok_or(SettingsError::NotFound)
        }
    }
}

/// Reads the configuration at `path`, without the secrets that it names: the command line needs none of them.
pub fn load_without_secrets(path: &Path) -> Result<Config, SettingsError> {
    parse(path).map(|(config, _)| config)
}

/// The directories of the configuration at `path`, as far as it can be read, with what is doubtful about them: a daemon
/// goes on with the configuration that it has, and must be reached although the file is broken or gone.
pub fn directories(path: &Path) -> (Directories, Option<Problem>) {
    let (name, directory) = (path.display().to_string(), directory_of(path));
    match std::fs::read(path) {
        Ok(octets) => Directories::parse(&String::from_utf8_lossy(&octets), &name, &directory),
        Err(error) => (Directories::default_in(&directory), Some(Problem::warning(Place::file(name), error))),
    }
}

fn read(path: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(path).map_err(|source| SettingsError::Read { path: path.to_owned(), source })
}

fn parse(path: &Path) -> Result<(Config, Problems), SettingsError> {
    let text = read(path)?;
    let name = path.display().to_string();
    let directory = directory_of(path);
    match Config::parse(&text, &name, &directory) {
        Ok((config, warnings)) => Ok((config, gather(warnings))),
        Err(problems) => Err(SettingsError::Unsound(gather(problems))),
    }
}

/// What is left of the configuration at `path` when its errors are left out, with everything that is wrong with it and
/// with the secrets that it names: to be looked at, not to be used. Nothing is left after a syntax error.
pub(super) fn survey(path: &Path) -> Result<(Option<Config>, Problems), SettingsError> {
    let name = path.display().to_string();
    let (config, problems) = Config::parse_what_is_sound(&read(path)?, &name, &directory_of(path));
    let mut problems = gather(problems);
    if let Some(config) = &config {
        problems.append(read_keys(config, &name).1);
        if let Err(problem) = server::make(config) {
            problems.push(problem);
        }
    }
    Ok((config, problems))
}

/// Reads the configuration at `path` and the secrets that it names. Everything that is wrong is told at once.
pub fn load(path: &Path) -> Result<Settings, SettingsError> {
    let (config, warnings) = parse(path)?;
    let (keys, mut problems) = read_keys(&config, &path.display().to_string());
    match server::make(&config) {
        Ok(server) if !problems.refuse() => {
            Ok(Settings { config: Arc::new(config), keyring: Arc::new(Keyring::new(keys)), server, warnings })
        }
        Ok(_) => Err(SettingsError::Unsound(problems)),
        Err(problem) => {
            problems.push(problem);
            Err(SettingsError::Unsound(problems))
        }
    }
}

/// The TSIG keys of the configuration in the file `name`, and what is wrong with the others.
fn read_keys(config: &Config, name: &str) -> (Vec<Arc<Key>>, Problems) {
    let mut problems = Problems::default();
    let mut keys = Vec::new();
    for key in config.tsig.values() {
        let secret = match &key.secret {
            SecretSource::Inline(secret) => Ok(secret.clone()),
            SecretSource::File(path) => read_secret(path),
        };
        let algorithm = match key.algorithm {
            TsigAlgorithm::HmacSha1 => Algorithm::Sha1,
            TsigAlgorithm::HmacSha256 => Algorithm::Sha256,
            TsigAlgorithm::HmacSha384 => Algorithm::Sha384,
            TsigAlgorithm::HmacSha512 => Algorithm::Sha512,
        };
        let made = secret.and_then(|secret| {
            Key::new(key.name.as_ref(), algorithm, Zeroizing::new(secret.octets().to_vec())).map_err(
                |error| Problem::error(Place::file(name), format_args!("tsig {}: {error}", key.name)),
            )
        });
        match made {
            Ok(key) => keys.push(Arc::new(key)),
            Err(problem) => problems.push(problem),
        }
    }
    (keys, problems)
}

/// Relative paths in a configuration are relative to where it lies, whatever the working directory becomes.
fn directory_of(path: &Path) -> PathBuf {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned())
}

fn gather(list: Vec<Problem>) -> Problems {
    let mut problems = Problems::default();
    for problem in list {
        problems.push(problem);
    }
    problems
}

fn read_secret(path: &Path) -> Result<Secret, Problem> {
    let text = files::read_secret(path)?;
    Secret::from_base64(&text).map_err(|error| Problem::error(Place::file(path.display().to_string()), error))
}
