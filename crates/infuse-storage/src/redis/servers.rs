//! Where the servers are, for the pools and for the one connection that listens.

use deadpool_redis::{
    redis::{
        Client, ConnectionAddr, ConnectionInfo, ErrorKind, RedisConnectionInfo, RedisError,
        ServerErrorKind, TlsMode,
        aio::PubSub,
        sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType},
    },
    sentinel,
};
use tokio::sync::Mutex;

use super::{RedisConfig, RedisConfigError, RedisMode};

/// The servers, by mode.
pub(super) enum Servers {
    Standalone(ConnectionInfo),
    Sentinel(Behind),
    Cluster(Vec<ConnectionInfo>),
}

/// Servers behind sentinels.
pub(super) struct Behind {
    sentinels: Vec<ConnectionInfo>,
    master: String,
    redis: RedisConnectionInfo,
    tls: bool,
}

impl Servers {
    pub(super) fn new(config: &RedisConfig) -> Result<Self, RedisConfigError> {
        let mut addresses = config.addresses()?;
        provide_crypto(&addresses);
        Ok(match config.mode {
            RedisMode::Standalone => Servers::Standalone(addresses.swap_remove(0)),
            RedisMode::Cluster => Servers::Cluster(addresses),
            RedisMode::Sentinel => Servers::Sentinel(Behind::new(config, addresses)),
        })
    }

    /// The number of the database.
    pub(super) fn database(&self) -> i64 {
        match self {
            Servers::Standalone(info) => info.redis_settings().db(),
            Servers::Sentinel(behind) => behind.redis.db(),
            Servers::Cluster(_) => 0,
        }
    }
}

impl Behind {
    fn new(config: &RedisConfig, addresses: Vec<ConnectionInfo>) -> Self {
        let mut login = RedisConnectionInfo::default();
        if let Some(username) = &config.sentinel_username {
            login = login.set_username(username);
        }
        if let Some(password) = &config.sentinel_password {
            login = login.set_password(password);
        }
        Self {
            redis: addresses[0].redis_settings().clone(),
            tls: matches!(addresses[0].addr(), ConnectionAddr::TcpTls { .. }),
            master: config.sentinel_master.clone().unwrap_or_default(),
            sentinels: addresses
                .into_iter()
                .map(|info| info.set_redis_settings(login.clone()))
                .collect(),
        }
    }

    pub(super) fn manager(&self) -> Result<sentinel::Manager, RedisError> {
        let node = sentinel::SentinelNodeConnectionInfo {
            tls_mode: self.tls.then_some(sentinel::TlsMode::Secure),
            redis_connection_info: Some(self.redis.clone().into()),
        };
        sentinel::Manager::new(
            self.sentinels.clone(),
            self.master.clone(),
            Some(node),
            sentinel::SentinelServerType::Master,
        )
    }

    fn client(&self) -> Result<SentinelClient, RedisError> {
        let node =
            SentinelNodeConnectionInfo::default().set_redis_connection_info(self.redis.clone());
        let node = if self.tls { node.set_tls_mode(TlsMode::Secure) } else { node };
        SentinelClient::build(
            self.sentinels.clone(),
            self.master.clone(),
            Some(node),
            SentinelServerType::Master,
        )
    }
}

/// Makes connections that listen, each of its own.
pub(super) enum Listening {
    /// One server; or the nodes of a cluster, of which any will do.
    AnyOf(Vec<Client>),
    /// The master: whom the sentinels name.
    Master(Box<Mutex<SentinelClient>>),
}

impl Listening {
    pub(super) fn new(servers: &Servers) -> Result<Self, RedisError> {
        Ok(match servers {
            Servers::Standalone(info) => Listening::AnyOf(vec![Client::open(info.clone())?]),
            Servers::Cluster(nodes) => {
                let clients = nodes.iter().map(|info| Client::open(info.clone()));
                Listening::AnyOf(clients.collect::<Result<_, _>>()?)
            }
            Servers::Sentinel(behind) => Listening::Master(Box::new(Mutex::new(behind.client()?))),
        })
    }

    /// Connects. On a cluster each attempt is made at the next node.
    pub(super) async fn connect(&self, attempt: usize) -> Result<PubSub, RedisError> {
        match self {
            Listening::Master(sentinels) => {
                let client = sentinels.lock().await.async_get_client().await?;
                client.get_async_pubsub().await
            }
            Listening::AnyOf(clients) => clients[attempt % clients.len()].get_async_pubsub().await,
        }
    }
}

/// TLS needs a process-wide choice of cryptography: without one, or with two to choose from, the
/// first connection would panic.
#[cfg(feature = "redis-tls")]
fn provide_crypto(addresses: &[ConnectionInfo]) {
    let secure = |info: &ConnectionInfo| matches!(info.addr(), ConnectionAddr::TcpTls { .. });
    if addresses.iter().any(secure) && rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error says that somebody else was faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

#[cfg(not(feature = "redis-tls"))]
fn provide_crypto(_: &[ConnectionInfo]) {}

/// Whether the server has no script of that hash: it was restarted, or flushed.
pub(super) fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
