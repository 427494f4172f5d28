//! Where circuits are kept, by the settings.

use std::sync::Arc;

use infuse_storage::{MemoryStorage, Storage, TimeSource};

use crate::{
    InitError,
    settings::{Settings, StorageKind},
};

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
