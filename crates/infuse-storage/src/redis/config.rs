use std::{fmt, time::Duration};

use deadpool_redis::redis::{
    ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisError,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};

/// How long a connection may be silent before the system asks whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// How many connections background work may have.
const POOL_SIZE: usize = 4;

/// How Redis is reached. Every field can be changed; nothing connects before the first verb.
///
/// `Debug` shows no URL and no password.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisConfig {
    /// What the URLs are of. Default [`RedisMode::Standalone`].
    pub mode: RedisMode,
    /// `redis://user:password@host:6379/0`, or `rediss://` for TLS: the server; several nodes of
    /// a cluster; or the sentinels, and then user, password and database are the servers'.
    pub urls: Vec<String>,
    /// The name by which the sentinels know the master. Only with [`RedisMode::Sentinel`], which
    /// needs it.
    pub sentinel_master: Option<String>,
    /// The user at the sentinels. Default none.
    pub sentinel_username: Option<String>,
    /// The password at the sentinels. Default none.
    pub sentinel_password: Option<String>,
    /// Most connections for background work. One more is for leases, one for listening. On a
    /// cluster each is one to every node. Default 4.
    pub pool_size: usize,
    /// The longest that a verb takes, connecting included. Default 100 ms. Listening to changes
    /// may take longer to begin.
    pub timeout: Duration,
    /// What keys look like. Default [`KeyLayout::Infuse`].
    pub key_layout: KeyLayout,
}

/// What the URLs of a [`RedisConfig`] are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RedisMode {
    /// One server.
    #[default]
    Standalone,
    /// Sentinels that know which server is the master.
    Sentinel,
    /// Nodes of a cluster.
    Cluster,
}

impl RedisMode {
    /// The mode's name: `standalone`, `sentinel` or `cluster`.
    pub const fn as_str(self) -> &'static str {
        match self {
            RedisMode::Standalone => "standalone",
            RedisMode::Sentinel => "sentinel",
            RedisMode::Cluster => "cluster",
        }
    }
}

impl fmt::Display for RedisMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What the keys of a circuit look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum KeyLayout {
    /// `infuse:<namespace>:<key>`, as `insanic-infuse` for Python writes them.
    #[default]
    Infuse,
    /// `<namespace>:pybreaker:<key>`, as pybreaker for Python writes them.
    Pybreaker,
}

impl KeyLayout {
    /// The layout's name: `infuse` or `pybreaker`.
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyLayout::Infuse => "infuse",
            KeyLayout::Pybreaker => "pybreaker",
        }
    }
}

impl fmt::Display for KeyLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A [`RedisConfig`] cannot be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisConfigError {
    /// There is no URL.
    #[error("there is no URL of Redis")]
    NoUrl,
    /// A URL is none, or needs a feature that this was built without.
    #[error("URL {number} of Redis is wrong")]
    Url {
        /// Which one, from 1.
        number: usize,
        /// What is wrong.
        source: RedisError,
    },
    /// Several URLs, but one server.
    #[error("there are {0} URLs of one server: give one, or another mode")]
    SeveralUrls(usize),
    /// Sentinels are asked for a master without a name.
    #[error("the sentinels' master has no name")]
    NoMaster,
    /// A cluster has one database only.
    #[error("database {0} of a cluster: there is only database 0")]
    Database(i64),
    /// No verb can be done in no time.
    #[error("the timeout is zero: it must be longer")]
    NoTime,
    /// No connections.
    #[error("the pool has no connections: give it one at least")]
    NoConnections,
    /// A wrong combination that the client found.
    #[error("Redis cannot be reached like that")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl RedisConfig {
    /// One server, or several nodes: change [`mode`](Self::mode) then.
    pub fn new<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        Self {
            mode: RedisMode::default(),
            urls: urls.into_iter().map(Into::into).collect(),
            sentinel_master: None,
            sentinel_username: None,
            sentinel_password: None,
            pool_size: POOL_SIZE,
            timeout: Duration::from_millis(100),
            key_layout: KeyLayout::default(),
        }
    }

    /// The addresses of the URLs, with what goes with them.
    pub(super) fn addresses(&self) -> Result<Vec<ConnectionInfo>, RedisConfigError> {
        let addresses = self.urls.iter().enumerate().map(|(at, url)| {
            let info = url.as_str().into_connection_info();
            let info = info.map_err(|source| RedisConfigError::Url { number: at + 1, source })?;
            let tcp = TcpSettings::default()
                .set_nodelay(true)
                .set_keepalive(TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE));
            // What is listened to comes by RESP2, whatever the URL says: see `watch`.
            let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
            Ok(info.set_tcp_settings(tcp).set_redis_settings(redis))
        });
        let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
        match (self.mode, addresses.as_slice()) {
            (_, []) => return Err(RedisConfigError::NoUrl),
            (RedisMode::Standalone, [_, _, ..]) => {
                return Err(RedisConfigError::SeveralUrls(addresses.len()));
            }
            (RedisMode::Cluster, all) => {
                let other = all.iter().map(|info| info.redis_settings().db()).find(|db| *db != 0);
                other.map_or(Ok(()), |db| Err(RedisConfigError::Database(db)))?;
            }
            (RedisMode::Sentinel, _) if self.sentinel_master.is_none() => {
                return Err(RedisConfigError::NoMaster);
            }
            _ => {}
        }
        if self.timeout.is_zero() {
            return Err(RedisConfigError::NoTime);
        }
        if self.pool_size == 0 {
            return Err(RedisConfigError::NoConnections);
        }
        Ok(addresses)
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("mode", &self.mode)
            .field("urls", &self.urls.len())
            .field("sentinel_master", &self.sentinel_master)
            .field("pool_size", &self.pool_size)
            .field("timeout", &self.timeout)
            .field("key_layout", &self.key_layout)
            .finish_non_exhaustive()
    }
}
