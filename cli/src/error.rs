//! What a command says when it cannot do its work, and the exit code that goes with it.

use std::fmt;
use std::process::ExitCode;

/// Why a command gave up. Displays as one sentence without `error:` and without a full stop.
#[derive(Debug)]
pub enum Error {
    /// Bad arguments or a bad input file: exit code 2.
    Usage(String),
    /// The machine around us failed - a full disk, a busy port, a missing tool: exit code 4.
    Infrastructure(String),
}

impl Error {
    /// Bad arguments or a bad input file.
    pub fn usage(message: impl fmt::Display) -> Error {
        Error::Usage(message.to_string())
    }

    /// The machine around us failed.
    pub fn infrastructure(message: impl fmt::Display) -> Error {
        Error::Infrastructure(message.to_string())
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// Says what went wrong and ends the process, for where nothing can be returned.
    pub fn exit(&self) -> ! {
        eprintln!("error: {self}");
        std::process::exit(self.code().into())
    }

    const fn code(&self) -> u8 {
        match self {
            Error::Usage(_) => 2,
            Error::Infrastructure(_) => 4,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(message) | Error::Infrastructure(message) => f.write_str(message),
        }
    }
}
