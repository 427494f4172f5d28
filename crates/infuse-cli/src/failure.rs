use std::{error::Error, fmt, io, process::ExitCode};

use infuse_storage::StorageError;

use crate::clean::clean;

/// Why a command is not done. Its text says how to mend it, and holds no secret.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The storage cannot be reached, or is lost: at these addresses.
    Storage { at: String, why: String },
    /// A command reached nobody, or nobody knows.
    NotConfirmed(String),
    /// The command line or the settings are wrong.
    Usage(String),
    /// There is no such circuit; and which there are.
    Unknown { name: String, environment: String, known: Vec<String> },
    /// Something could not be written, or no runtime or terminal be had: what, and why.
    Output(&'static str, io::Error),
}

/// How many of the circuits that there are an error names.
const NAMED: usize = 10;

impl Failure {
    /// The storage did not do what it was asked.
    pub(crate) fn storage(at: &str, error: &StorageError) -> Self {
        Self::Storage { at: at.to_owned(), why: causes(error) }
    }

    /// The exit status: see [`EXIT_STATUS`](crate::args::EXIT_STATUS).
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::Storage { .. } | Self::NotConfirmed(_) | Self::Output(..) => 1,
            Self::Usage(_) => 2,
            Self::Unknown { .. } => 3,
        }
    }

    /// Says it, and what to exit with.
    pub(crate) fn tell(&self) -> ExitCode {
        // Whoever reads only the head of the output wants no more.
        if let Self::Output(_, error) = self
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            return ExitCode::SUCCESS;
        }
        let lines: Vec<_> = self.to_string().lines().map(clean).collect();
        eprintln!("infusectl: {}", lines.join("\n  "));
        ExitCode::from(self.code())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage { at, why } => write!(f, "Redis at {at}: {why}"),
            Self::NotConfirmed(why) | Self::Usage(why) => f.write_str(why),
            Self::Unknown { name, environment, known } => {
                write!(
                    f,
                    "there is no circuit {name:?} in the environment {environment}: it is neither \
                     configured, nor announced by a running instance, nor in Redis"
                )?;
                if !known.is_empty() {
                    let more = if known.len() > NAMED { ", …" } else { "" };
                    let named = &known[..known.len().min(NAMED)];
                    write!(f, "\nthere are: {}{more}", named.join(", "))?;
                }
                write!(f, "\nif it is right, use --force with a command that changes it")
            }
            Self::Output(what, error) => write!(f, "{what}: {error}"),
        }
    }
}

/// An error's text and those of its causes. What they quote of others is made clean when it is told.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        // Some repeat what caused them.
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_some_of_the_circuits_that_there_are() {
        let known = (0..12).map(|number| format!("c{number:02}")).collect();
        let environment = "production".to_owned();
        let said = Failure::Unknown { name: "x\u{1b}".to_owned(), environment, known }.to_string();
        assert!(said.contains("no circuit \"x\\u{1b}\" in the environment production"), "{said}");
        assert!(said.contains("c09, …\n") && !said.contains("c10"), "{said}");
    }

    #[test]
    fn causes_are_said_once_each() {
        let io = io::Error::other("refused");
        let error = StorageError::unavailable(io);
        assert_eq!(causes(&error), "the storage is unavailable: refused");
    }
}
