use std::{fmt, future::Future, time::Duration};

use deadpool::managed::{Manager, Object, Pool, PoolError, Timeouts};
use deadpool_redis::{
    Runtime,
    redis::{
        self, AsyncConnectionConfig, Cmd, Pipeline, RedisError, Value, aio::ConnectionLike, cmd,
    },
    sentinel,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::timeout;

use super::{
    RedisConfig, RedisConfigError,
    managers::{Nodes, Quiet},
    servers::{Servers, is_unknown_script},
};
use crate::StorageError;

/// How long connecting may take. Verbs do not wait so long: what is connected too late is there
/// for the next one.
const CONNECTING: Duration = Duration::from_secs(5);
/// Circuits in one run of a script: Redis does nothing else meanwhile.
const CIRCUITS: usize = 50;
/// Runs at once on a cluster, where each circuit needs its own.
const AT_ONCE: usize = 64;

/// Runs scripts, within a time.
pub(super) struct Link {
    lanes: Lanes,
    limit: Duration,
}

/// Which connections a script may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// One of the pool's.
    Background,
    /// The one that is kept for leases, so that background work cannot delay them.
    Lease,
}

/// A script, and the hash by which a server knows it that has seen it.
pub(super) struct Script {
    text: String,
    hash: String,
}

impl Script {
    pub(super) fn new(text: String) -> Self {
        let hash = redis::Script::new(&text).get_hash().to_owned();
        Self { text, hash }
    }
}

/// One run of a script.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) keys: Vec<String>,
    pub(super) args: Vec<String>,
}

enum Lanes {
    Standalone(Pair<Quiet<deadpool_redis::Manager>>),
    Sentinel(Pair<Quiet<sentinel::Manager>>),
    Cluster(Pair<Nodes>),
}

/// The pools of a mode.
struct Pair<M: Manager> {
    background: Pool<M>,
    leases: Pool<M>,
}

impl Link {
    pub(super) fn new(config: &RedisConfig, servers: &Servers) -> Result<Self, RedisConfigError> {
        let lanes = match servers {
            Servers::Standalone(info) => {
                // The verb has a limit of its own: these bound what goes on when it has given up.
                let timeouts = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECTING))
                    .set_response_timeout(Some(config.timeout));
                Lanes::Standalone(Pair::new(config, || {
                    deadpool_redis::Manager::new_with_config(info.clone(), timeouts.clone())
                        .map(Quiet)
                })?)
            }
            Servers::Sentinel(behind) => {
                Lanes::Sentinel(Pair::new(config, || behind.manager().map(Quiet))?)
            }
            Servers::Cluster(nodes) => Lanes::Cluster(Pair::new(config, || {
                // The nodes that are there answer although one does not.
                Nodes::new(nodes, CONNECTING / 5, config.timeout)
            })?),
        };
        Ok(Self { lanes, limit: config.timeout })
    }

    /// Connects for leases in the background, so that the first trial does not wait for that.
    pub(super) fn warm(&self) {
        match &self.lanes {
            Lanes::Standalone(pair) => pair.warm(),
            Lanes::Sentinel(pair) => pair.warm(),
            Lanes::Cluster(pair) => pair.warm(),
        }
    }

    /// Closes the connections that nobody uses at the moment.
    pub(super) fn release(&self) {
        match &self.lanes {
            Lanes::Standalone(pair) => pair.release(),
            Lanes::Sentinel(pair) => pair.release(),
            Lanes::Cluster(pair) => pair.release(),
        }
    }

    /// How many circuits one run may be about. On a cluster the keys of a script share a slot.
    pub(super) fn circuits_per_run(&self) -> usize {
        match self.lanes {
            Lanes::Standalone(_) | Lanes::Sentinel(_) => CIRCUITS,
            Lanes::Cluster(_) => 1,
        }
    }

    /// Runs a script as often as it says; the answers come in the order of the runs.
    ///
    /// The limit holds whatever the pool and the client do. When it is over, or the server refuses,
    /// the connections are thrown away: a server that has become a replica, or one that answers
    /// nothing any more, would else be asked again and again.
    ///
    /// # Cancel safety
    ///
    /// What was sent may still be carried out.
    pub(super) async fn run(
        &self,
        lane: Lane,
        script: &Script,
        runs: Vec<Run>,
    ) -> Result<Vec<Value>, StorageError> {
        let running = async {
            match &self.lanes {
                Lanes::Standalone(pair) => together(pair.of(lane), lane, script, runs).await,
                Lanes::Sentinel(pair) => together(pair.of(lane), lane, script, runs).await,
                Lanes::Cluster(pair) => apart(pair.of(lane), lane, script, runs).await,
            }
        };
        self.in_time(running).await
    }

    /// All of a hash; nothing if the key is of another type. Within the limit, as [`run`](Self::run).
    pub(super) async fn hash(&self, lane: Lane, key: &str) -> Result<Value, StorageError> {
        let mut command = cmd("HGETALL");
        command.arg(key);
        self.in_time(async {
            match &self.lanes {
                Lanes::Standalone(pair) => read(pair.of(lane), lane, &command).await,
                Lanes::Sentinel(pair) => read(pair.of(lane), lane, &command).await,
                Lanes::Cluster(pair) => read(pair.of(lane), lane, &command).await,
            }
        })
        .await
    }

    async fn in_time<T>(
        &self,
        running: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        timeout(self.limit, running).await.unwrap_or(Err(StorageError::TimedOut(self.limit)))
    }
}

impl<M> Pair<M>
where
    M: Manager<Error = RedisError> + 'static,
    M::Type: Send,
{
    fn warm(&self) {
        let leases = self.leases.clone();
        // An error is one of the first lease, too.
        tokio::spawn(async move { drop(leases.get().await) });
    }

    fn new(
        config: &RedisConfig,
        manager: impl Fn() -> Result<M, RedisError>,
    ) -> Result<Self, RedisConfigError> {
        let pool = |size| {
            let manager = manager().map_err(|error| RedisConfigError::Client(error.into()))?;
            Pool::builder(manager)
                .max_size(size)
                .timeouts(Timeouts {
                    wait: Some(config.timeout),
                    create: Some(CONNECTING),
                    recycle: Some(config.timeout),
                })
                .runtime(Runtime::Tokio1)
                .build()
                .map_err(|error| RedisConfigError::Client(error.into()))
        };
        Ok(Self { background: pool(config.pool_size)?, leases: pool(1)? })
    }

    fn release(&self) {
        self.background.retain(|_, _| false);
        self.leases.retain(|_, _| false);
    }

    fn of(&self, lane: Lane) -> &Pool<M> {
        match lane {
            Lane::Background => &self.background,
            Lane::Lease => &self.leases,
        }
    }
}

/// Sends all runs at once, to one server.
async fn together<M>(
    pool: &Pool<M>,
    lane: Lane,
    script: &Script,
    runs: Vec<Run>,
) -> Result<Vec<Value>, StorageError>
where
    M: Manager<Error = RedisError> + 'static,
    M::Type: ConnectionLike + Clone + Send + Sync,
{
    let doubts = Doubts { pool, unfounded: false };
    let mut connection = Connection::get(pool, lane).await?;
    // The first names it so; it is known by the others then.
    let send = |first| {
        let mut pipeline = Pipeline::with_capacity(runs.len());
        for (at, run) in runs.iter().enumerate() {
            pipeline.add_command(run.command(script, if at == 0 { first } else { By::Hash }));
        }
        pipeline
    };
    let mut answers = send(By::Hash).query_async(connection.as_mut()).await;
    if answers.as_ref().is_err_and(is_unknown_script) {
        answers = send(By::Text).query_async(connection.as_mut()).await;
    }
    drop(connection);
    doubts.dispel(answers)
}

/// Sends each run to the node that it belongs to.
async fn apart<M>(
    pool: &Pool<M>,
    lane: Lane,
    script: &Script,
    runs: Vec<Run>,
) -> Result<Vec<Value>, StorageError>
where
    M: Manager<Error = RedisError> + 'static,
    M::Type: ConnectionLike + Clone + Send + Sync,
{
    let doubts = Doubts { pool, unfounded: false };
    let mut connection = Connection::get(pool, lane).await?;
    let shared = &*connection.as_mut();
    let asking = runs.into_iter().map(|run| {
        let mut connection = shared.clone();
        async move {
            let answer = run.command(script, By::Hash).query_async(&mut connection).await;
            match answer {
                Err(error) if is_unknown_script(&error) => {
                    run.command(script, By::Text).query_async(&mut connection).await
                }
                answer => answer,
            }
        }
    });
    let answers = stream::iter(asking).buffered(AT_ONCE).try_collect().await;
    drop(connection);
    doubts.dispel(answers)
}

/// Sends a command that reads a key.
async fn read<M>(pool: &Pool<M>, lane: Lane, command: &Cmd) -> Result<Value, StorageError>
where
    M: Manager<Error = RedisError> + 'static,
    M::Type: ConnectionLike + Clone + Send + Sync,
{
    let doubts = Doubts { pool, unfounded: false };
    let mut connection = Connection::get(pool, lane).await?;
    let answer = command.query_async(connection.as_mut()).await;
    drop(connection);
    doubts.dispel(match answer {
        Err(error) if error.code() == Some("WRONGTYPE") => Ok(Value::Nil),
        answer => answer,
    })
}

/// How a script is named.
#[derive(Clone, Copy)]
enum By {
    Hash,
    Text,
}

impl Run {
    fn command(&self, script: &Script, by: By) -> Cmd {
        let (name, script) = match by {
            By::Hash => ("EVALSHA", &script.hash),
            By::Text => ("EVAL", &script.text),
        };
        let mut command = cmd(name);
        command.arg(script).arg(self.keys.len()).arg(&self.keys).arg(&self.args);
        command
    }
}

/// A connection for one verb.
enum Connection<M: Manager> {
    /// Held, so that others use another.
    Held(Object<M>),
    /// Shared: what one asks for does not wait for what others did.
    Shared(M::Type),
}

impl<M> Connection<M>
where
    M: Manager<Error = RedisError> + 'static,
    M::Type: Clone + Send,
{
    async fn get(pool: &Pool<M>, lane: Lane) -> Result<Self, StorageError> {
        // In a task, so that connecting goes on when the verb has given up: a server that is
        // farther away than the limit would never be reached otherwise.
        let pool = pool.clone();
        let getting = tokio::spawn(async move { pool.get().await });
        let object = match getting.await {
            Ok(Ok(object)) => object,
            Ok(Err(PoolError::Backend(error))) => return Err(StorageError::unavailable(error)),
            Ok(Err(error)) => return Err(StorageError::unavailable(error)),
            Err(error) => return Err(StorageError::unavailable(error)),
        };
        Ok(match lane {
            Lane::Background => Connection::Held(object),
            Lane::Lease => Connection::Shared(M::Type::clone(&object)),
        })
    }

    fn as_mut(&mut self) -> &mut M::Type {
        match self {
            Connection::Held(object) => object,
            Connection::Shared(connection) => connection,
        }
    }
}

/// Doubts about the pool's connections, which are thrown away unless a verb has succeeded. Before
/// the connection, so that it is dropped later: what is held is back in the pool by then.
struct Doubts<'a, M: Manager> {
    pool: &'a Pool<M>,
    unfounded: bool,
}

impl<M: Manager> Doubts<'_, M> {
    /// To be asked when the connection is back in the pool, where it is thrown away: one that is
    /// dead would else be taken again and again.
    fn dispel<T>(mut self, answers: Result<T, RedisError>) -> Result<T, StorageError> {
        self.unfounded = answers.is_ok();
        answers.map_err(StorageError::unavailable)
    }
}

impl<M: Manager> Drop for Doubts<'_, M> {
    fn drop(&mut self) {
        if !self.unfounded {
            self.pool.retain(|_, _| false);
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.lanes {
            Lanes::Standalone(_) => "standalone",
            Lanes::Sentinel(_) => "sentinel",
            Lanes::Cluster(_) => "cluster",
        };
        f.debug_struct("Link").field("mode", &mode).field("limit", &self.limit).finish()
    }
}
