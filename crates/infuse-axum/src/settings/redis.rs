use std::time::Duration;

use super::{KeyLayout, RedisMode, RedisUrl, Secret};

/// How Redis is reached, and how circuits are kept there.
///
/// With the feature `redis` it converts to the `RedisConfig` of a `RedisStorage`. `Debug` shows no
/// secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisSettings {
    /// `INFUSE_REDIS_MODE`: what there is at the addresses. Default one server.
    pub mode: RedisMode,
    /// `INFUSE_REDIS_URL`, or the address in `INFUSE_CACHES`: where Redis is, or its sentinels, or
    /// some nodes of its cluster. None without Redis, which is the default.
    ///
    /// User, password and database are those of the nodes that keep the data, of sentinels too.
    pub urls: Vec<RedisUrl>,
    /// `INFUSE_REDIS_SENTINEL_MASTER`: the name that the sentinels have for the master. Default
    /// none.
    pub sentinel_master: Option<String>,
    /// `INFUSE_REDIS_SENTINEL_USERNAME`: the user at the sentinels. Default none.
    pub sentinel_username: Option<String>,
    /// `INFUSE_REDIS_SENTINEL_PASSWORD`: the password at the sentinels. Default none.
    pub sentinel_password: Option<Secret>,
    /// `INFUSE_REDIS_POOL_SIZE`: connections for background work at most; 1 to 1000. One more is
    /// for leases, one for listening. Default 4.
    pub pool_size: usize,
    /// `INFUSE_REDIS_TIMEOUT`: the longest that a request may wait for the lease of a trial call,
    /// and `init_app` for Redis. Default 100 ms.
    pub timeout: Duration,
    /// `INFUSE_REDIS_KEY_LAYOUT`: how the keys of circuits are named. Default as Infuse does.
    pub key_layout: KeyLayout,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            mode: RedisMode::default(),
            urls: Vec::new(),
            sentinel_master: None,
            sentinel_username: None,
            sentinel_password: None,
            pool_size: 4,
            timeout: Duration::from_millis(100),
            key_layout: KeyLayout::default(),
        }
    }
}

#[cfg(feature = "redis")]
impl From<&RedisSettings> for infuse_storage::RedisConfig {
    fn from(settings: &RedisSettings) -> Self {
        let mut config = Self::new(settings.urls.iter().map(RedisUrl::expose));
        config.mode = settings.mode.into();
        config.sentinel_master = settings.sentinel_master.clone();
        config.sentinel_username = settings.sentinel_username.clone();
        config.sentinel_password =
            settings.sentinel_password.as_ref().map(|password| password.expose().to_owned());
        config.pool_size = settings.pool_size;
        config.timeout = settings.timeout;
        config.key_layout = settings.key_layout.into();
        config
    }
}

#[cfg(all(test, feature = "redis"))]
mod tests {
    use infuse_storage::RedisConfig;

    use super::*;

    #[test]
    fn all_of_it_reaches_the_storage() {
        let settings = RedisSettings {
            mode: RedisMode::Sentinel,
            urls: vec![RedisUrl::parse("redis://user:hunter2@one/3").unwrap()],
            sentinel_master: Some("main".to_owned()),
            sentinel_username: Some("watcher".to_owned()),
            sentinel_password: Some(Secret::new("hunter3")),
            pool_size: 7,
            timeout: Duration::from_millis(20),
            key_layout: KeyLayout::Pybreaker,
        };
        let config = RedisConfig::from(&settings);
        assert_eq!(config.mode, infuse_storage::RedisMode::Sentinel);
        assert_eq!(config.urls, ["redis://user:hunter2@one/3"]);
        assert_eq!(config.sentinel_master.as_deref(), Some("main"));
        assert_eq!(config.sentinel_username.as_deref(), Some("watcher"));
        assert_eq!(config.sentinel_password.as_deref(), Some("hunter3"));
        assert_eq!(config.pool_size, 7);
        assert_eq!(config.timeout, Duration::from_millis(20));
        assert_eq!(config.key_layout, infuse_storage::KeyLayout::Pybreaker);

        let debug = format!("{settings:?} {config:?}");
        assert!(!debug.contains("hunter"), "{debug}");
    }

    #[test]
    fn the_defaults_are_those_of_the_storage() {
        let none: [String; 0] = [];
        assert_eq!(RedisConfig::from(&RedisSettings::default()), RedisConfig::new(none));
    }
}
