//! Where circuits are kept, by the settings.

use std::sync::Arc;

use infuse_storage::{MemoryStorage, Storage, TimeSource};

use crate::{
    InitError,
    settings::{Settings, StorageKind},
};

impl Settings {
    /// The storage that these settings ask for, for programs that share circuits with applications
    /// and serve nobody. It is not reached for before its first verb; one in memory is new, and
    /// shared with nobody.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use infuse_axum::settings::Settings;
    /// use infuse_storage::{Circuits, State};
    ///
    /// # let config = infuse_axum::config::Config::default();
    /// # #[cfg(any())]
    /// let config = infuse_axum::load_config()?;
    /// let (settings, _) = Settings::from_config(&config, &Default::default())?;
    /// let namespaces = settings.clone();
    /// let circuits = Circuits::builder()
    ///     .storage(settings.open_storage()?)
    ///     .namespace(move |circuit| namespaces.circuit_namespace(circuit))
    ///     .start()?;
    /// let payments = circuits.circuit("payments", settings.circuit_policy("payments"));
    /// assert_eq!(payments.state(), State::Closed);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InitError::Redis`] if there can be none by these settings, which is a defect of Infuse where
    /// they were read from a `Config`.
    pub fn open_storage(&self) -> Result<Arc<dyn Storage>, InitError> {
        // Before the first connection, which would panic without one.
        #[cfg(feature = "tls")]
        crate::crypto::install_provider();
        storage(self, &TimeSource::system())
    }
}

/// The storage that the settings ask for. It is not reached for yet.
pub(crate) fn storage(
    settings: &Settings,
    clock: &TimeSource,
) -> Result<Arc<dyn Storage>, InitError> {
    match settings.storage {
        #[cfg(feature = "redis")]
        StorageKind::Redis => {
            let config = infuse_storage::RedisConfig::from(&settings.redis);
            let urls: Vec<String> = settings.redis.urls.iter().map(ToString::to_string).collect();
            tracing::info!(
                target: "infuse",
                urls = urls.join(", "),
                mode = config.mode.as_str(),
                key_layout = config.key_layout.as_str(),
                "circuits are shared through Redis",
            );
            Ok(Arc::new(infuse_storage::RedisStorage::new(config)?))
        }
        #[cfg(not(feature = "redis"))]
        // Not in a build without the feature: its settings are wrong where they ask for Redis.
        StorageKind::Redis => Ok(Arc::new(MemoryStorage::with_clock(clock.clone()))),
        StorageKind::Memory => Ok(Arc::new(MemoryStorage::with_clock(clock.clone()))),
    }
}
