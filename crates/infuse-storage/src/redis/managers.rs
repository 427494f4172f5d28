//! What makes the pools' connections.

use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleResult};
use deadpool_redis::redis::{
    ConnectionInfo, RedisError,
    aio::ConnectionLike,
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    cmd,
};

/// How long a connection may have been idle before it is asked whether it is alive. Asking each
/// time would be two commands more for each verb, and a way to the server and back.
const IDLE: Duration = Duration::from_secs(10);
/// How long the cluster's client waits at first, and at most, before it asks again where a slot is:
/// in milliseconds. By its own figures it would wait longer than verbs may take.
const RETRY_WAIT: (u64, u64) = (5, 20);

/// Asks a connection whether it is alive only when it is new, or was idle for long.
pub(super) struct Quiet<M>(pub(super) M);

impl<M> Manager for Quiet<M>
where
    M: Manager<Error = RedisError>,
    M::Type: ConnectionLike + Send,
{
    type Type = M::Type;
    type Error = RedisError;

    async fn create(&self) -> Result<M::Type, RedisError> {
        let mut connection = self.0.create().await?;
        // A server that wants a password cuts off a script without a word, and answers this.
        cmd("PING").query_async::<()>(&mut connection).await?;
        Ok(connection)
    }

    async fn recycle(
        &self,
        connection: &mut M::Type,
        metrics: &Metrics,
    ) -> RecycleResult<RedisError> {
        if metrics.last_used() < IDLE {
            return Ok(());
        }
        self.0.recycle(connection, metrics).await
    }

    fn detach(&self, connection: &mut M::Type) {
        self.0.detach(connection);
    }
}

/// Connections to all nodes of a cluster, within times; the client by itself has none. They are
/// not asked whether they are alive, because one node that is not would answer for all: the client
/// sees to its nodes itself.
pub(super) struct Nodes(ClusterClient);

impl Nodes {
    pub(super) fn new(
        nodes: &[ConnectionInfo],
        connecting: Duration,
        answering: Duration,
    ) -> Result<Self, RedisError> {
        let (first, most) = RETRY_WAIT;
        let mut builder = ClusterClientBuilder::new(nodes.iter().cloned())
            .connection_timeout(connecting)
            .response_timeout(answering)
            .min_retry_wait(first)
            .max_retry_wait(most);
        if let Some(node) = nodes.first() {
            builder = builder.tcp_settings(node.tcp_settings().clone());
        }
        builder.build().map(Self)
    }
}

impl Manager for Nodes {
    type Type = ClusterConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<ClusterConnection, RedisError> {
        self.0.get_async_connection().await
    }

    async fn recycle(&self, _: &mut ClusterConnection, _: &Metrics) -> RecycleResult<RedisError> {
        Ok(())
    }
}
