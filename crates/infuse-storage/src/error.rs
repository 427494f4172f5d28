use std::{error::Error, sync::Arc, time::Duration};

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
    /// What is announced is too long. Nothing was written.
    #[error("{bytes} bytes are announced, and {most} are the most")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
}

impl StorageError {
    /// [`StorageError::Unavailable`] for a reason.
    pub fn unavailable(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(reason.into())
    }

    /// Why, for people who must not see what an error may hold: addresses, names of users.
    pub(crate) fn reason(&self) -> Arc<str> {
        match self {
            Self::Unavailable(source) => match kind(&**source) {
                Some(kind) => format!("{self}: {kind}").into(),
                None => self.to_string().into(),
            },
            Self::Answer(_) => "the storage's answer makes no sense".into(),
            Self::TimedOut(_) | Self::TooLong { .. } => self.to_string().into(),
        }
    }

    /// The same for one more of those who have asked together.
    pub(crate) fn share(&self) -> Self {
        match self {
            Self::Unavailable(source) => Self::unavailable(source.to_string()),
            Self::TimedOut(limit) => Self::TimedOut(*limit),
            Self::Answer(what) => Self::Answer(what.clone()),
            Self::TooLong { bytes, most } => Self::TooLong { bytes: *bytes, most: *most },
        }
    }
}

/// What kind of an error it is, if that is known.
fn kind(error: &(dyn Error + 'static)) -> Option<String> {
    #[cfg(feature = "redis")]
    if let Some(kind) = crate::redis::kind(error) {
        return Some(kind);
    }
    let mut error = Some(error);
    while let Some(this) = error {
        if let Some(this) = this.downcast_ref::<std::io::Error>() {
            return Some(this.kind().to_string());
        }
        error = this.source();
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_tells_no_address() {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "10.0.0.1:6379");
        for (error, reason) in [
            (StorageError::unavailable(refused), "the storage is unavailable: connection refused"),
            (StorageError::unavailable("10.0.0.1 is away"), "the storage is unavailable"),
            (StorageError::Answer("secret".to_owned()), "the storage's answer makes no sense"),
            (
                StorageError::TimedOut(Duration::from_millis(100)),
                "the storage did not answer within 100ms",
            ),
        ] {
            assert_eq!(&*error.reason(), reason);
            assert_eq!(error.share().to_string(), error.to_string());
        }
    }
}
