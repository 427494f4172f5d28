use std::{error::Error, fmt};

use infuse_storage::StartError;

use crate::{
    client::ClientError,
    error::causes,
    settings::{ParseServiceNameError, SettingsErrors},
};

/// Infuse could not be installed. Its text says what is wrong, where, and how to mend it; secrets
/// are not in it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// Settings are wrong. The text has a line for each of them.
    #[error(transparent)]
    Settings(#[from] SettingsErrors),
    /// The application's name in the builder is none that a service can have.
    #[error("service name {name:?} in the builder")]
    ServiceName {
        /// The name.
        name: String,
        /// What is wrong with it.
        source: ParseServiceNameError,
    },
    /// A transport in the builder is for a service that is not configured.
    #[error(
        "the builder has a transport for the service {service:?}, which is not configured; name \
         it in INFUSE_SERVICE_CONNECTIONS"
    )]
    UnknownTransport {
        /// The service.
        service: String,
    },
    /// No client could be made for a service.
    #[error(transparent)]
    Client(Box<dyn Error + Send + Sync>),
    /// There can be no Redis storage by these settings. What is wrong with settings is found
    /// before, so that this is a defect of Infuse.
    #[cfg(feature = "redis")]
    #[error("the Redis storage cannot be used")]
    Redis(#[from] infuse_storage::RedisConfigError),
    /// Circuits could not be started.
    #[error("circuits could not be started")]
    Start(#[from] StartError),
}

impl From<ClientError> for InitError {
    fn from(error: ClientError) -> Self {
        Self::Client(Box::new(error))
    }
}

/// The text, which is what `main` shows of an error that it returns.
impl fmt::Debug for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_causes(self, f)
    }
}

/// An error's text and those of its causes, in one.
pub(crate) fn write_causes(
    error: &(dyn Error + 'static),
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(f, "{error}")?;
    causes(error).skip(1).try_for_each(|cause| write!(f, ": {cause}"))
}
