use std::{error::Error, time::Duration};

/// Why a storage did not do what it was asked.
///
/// Whatever the reason, the caller of a guarded call never sees it: the circuit goes on by what
/// this process knows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The storage cannot be reached, or refuses to write.
    #[error("the storage is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The storage did not answer in time.
    #[error("the storage did not answer within {0:?}")]
    TimedOut(Duration),
    /// The storage answered with something that makes no sense.
    #[error("the storage's answer makes no sense: {0}")]
    Answer(String),
}

impl StorageError {
    /// [`StorageError::Unavailable`] for a reason.
    pub fn unavailable(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(reason.into())
    }
}

/// Circuits could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Circuits are shared by a background task, which needs a runtime of tokio.
    #[error("circuits must be started within a tokio runtime")]
    NoRuntime,
    /// A time is zero.
    #[error("{0} is zero: it must be longer")]
    ZeroTime(&'static str),
    /// A time is longer than a year.
    #[error("{0} is longer than a year: it must be shorter")]
    LongTime(&'static str),
}
