//! How commands end.

use crate::host::client::ClientError;
use crate::host::settings::SettingsError;

/// The exit status of a command that ran. Usage errors exit with 2 before that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Done, or all is well.
    Done,
    /// Something is wrong, and it has been said what.
    Wrong,
    /// No daemon answers.
    NoDaemon,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => 0,
            Exit::Wrong => 1,
            Exit::NoDaemon => 3,
        }
        .into()
    }
}

/// Why a command could not do its work. Printed once, at the edge.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The daemon.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The daemon could not start.
    #[error(transparent)]
    Start(#[from] crate::host::daemon::StartError),
    /// The laboratory.
    #[error(transparent)]
    Lab(#[from] crate::host::lab::LabError),
    /// The times of signatures.
    #[error("--validity: {0}")]
    Times(#[from] crate::config::PolicyError),
    /// What no client can be imitated for.
    #[error(
        "service `{service}`: nothing to verify: it has {rtype} records and no endpoint over TCP, and only clients over TCP \
         can be imitated; `danelaw status {service}` says what is published and what nameservers were seen to serve"
    )]
    NothingToVerify {
        /// The service.
        service: String,
        /// The type of its records.
        rtype: crate::dns::rtype::Rtype,
    },
    /// Signing a file.
    #[error(transparent)]
    Once(#[from] crate::host::once::OnceError),
    /// Saving.
    #[error(transparent)]
    Backup(#[from] crate::host::backup::BackupError),
    /// Putting back.
    #[error(transparent)]
    Restore(#[from] crate::host::backup::RestoreError),
    /// Keys.
    #[error("{0}")]
    Keys(String),
    /// A certificate or key file.
    #[error("{file}: {reason}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The daemon says no.
    #[error("{0}")]
    Refused(String),
    /// Neither a zone nor a service.
    #[error("`{0}` is neither a zone nor a service of this configuration")]
    Unknown(String),
    /// No service.
    #[error("`{0}` is not a service of this configuration")]
    UnknownService(String),
    /// The daemon speaks another language.
    #[error("the daemon's answer is not understood: {0}; is it of another version?")]
    Answer(#[from] serde_json::Error),
    /// Output.
    #[error("output: {0}")]
    Output(#[from] std::io::Error),
}

impl Failure {
    /// Whether nobody reads the output any more.
    pub fn is_broken_pipe(&self) -> bool {
        let error = match self {
            Self::Output(error) | Self::Client(ClientError::Output(error)) => error,
            Self::Once(crate::host::once::OnceError::Output { source, .. }) => source,
            _ => return false,
        };
        error.kind() == std::io::ErrorKind::BrokenPipe
    }

    /// The exit status that goes with it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Client(ClientError::NoDaemon { .. }) => Exit::NoDaemon,
            _ => Exit::Wrong,
        }
    }
}
