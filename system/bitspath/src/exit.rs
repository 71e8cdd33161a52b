//! How a command ends.
use bitspath_core::Fault;
use std::process::ExitCode;

/// The three ends of every command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// A check failed; the command has said which.
    Failed,
    /// Arguments, configuration or surroundings cannot be used.
    Unusable(String),
}

impl Exit {
    /// Tells stderr what stderr must know.
    pub fn code(self) -> ExitCode {
        match self {
            Exit::Done => ExitCode::SUCCESS,
            Exit::Failed => ExitCode::from(1),
            Exit::Unusable(what) => {
                eprintln!("{what}");
                ExitCode::from(2)
            }
        }
    }
}

impl From<Result<(), Fault>> for Exit {
    fn from(result: Result<(), Fault>) -> Exit {
        match result {
            Ok(()) => Exit::Done,
            Err(fault) => Exit::Unusable(fault.to_string()),
        }
    }
}
