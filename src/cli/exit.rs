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
    /// Signing a file.
    #[error(transparent)]
    Once(#[from] crate::host::once::OnceError),
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
    /// Neither a zone nor a service.
    #[error("`{0}` is neither a zone nor a service of this configuration")]
    Unknown(String),
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
