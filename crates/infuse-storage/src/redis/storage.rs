use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use deadpool_redis::redis;

use super::{
    RedisConfig, RedisConfigError, RedisMode,
    codec::{Answer, Arguments, Verb, decode_answers, decode_instances, micros},
    keys::Keys,
    link::{Lane, Link, Run, Script},
    scripts::Scripts,
    servers::{Listening, Servers},
    watch::{self, RedisWatch},
};
use crate::{
    Announcement, CircuitKey, Clear, Control, Instance, LeaseAnswer, LeaseRequest, Look, ProcessId,
    Report, Seed, Settle, StorageError, Trip, View,
    storage::{BoxFuture, Storage, Watch},
};

/// Keeps circuits in Redis, for all processes that use the same database. See the
/// [module](super).
///
/// Clones share their connections.
#[derive(Clone)]
pub struct RedisStorage(Arc<Shared>);

struct Shared {
    link: Link,
    scripts: Scripts,
    keys: Arc<Keys>,
    /// Where changes are published. Publishing ignores the database, so its number stands here.
    channel: String,
    listening: Listening,
    /// How often listening was begun: on a cluster each attempt is made at another node.
    attempts: AtomicUsize,
    limit: Duration,
}

impl RedisStorage {
    /// The commands that a user of Redis must be allowed, as rules of an ACL. See
    /// [Access](super#access).
    pub const ACL: &str = "+evalsha +eval +ping +unwatch +subscribe +time +get +set +del +hmget \
                           +hgetall +hset +hdel +pttl +pexpire +publish";

    /// A storage in this Redis. Nothing is connected before the first verb.
    ///
    /// # Errors
    ///
    /// [`RedisConfigError`] if the configuration cannot be right. That Redis is away is none.
    pub fn new(config: RedisConfig) -> Result<Self, RedisConfigError> {
        Self::with_scripts(&config, Scripts::new())
    }

    /// A storage that takes a key's number of microseconds for the time.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    #[cfg(feature = "conformance")]
    #[doc(hidden)]
    pub fn on_clock_in(config: RedisConfig, key: &str) -> Result<Self, RedisConfigError> {
        Self::with_scripts(&config, Scripts::on_clock_in(key))
    }

    fn with_scripts(config: &RedisConfig, scripts: Scripts) -> Result<Self, RedisConfigError> {
        let servers = Servers::new(config)?;
        let wrong = |error: redis::RedisError| RedisConfigError::Client(error.into());
        Ok(Self(Arc::new(Shared {
            link: Link::new(config, &servers)?,
            scripts,
            keys: Arc::new(Keys::new(config.key_layout, config.mode == RedisMode::Cluster)),
            channel: format!("infuse:events:{}", servers.database()),
            listening: Listening::new(&servers).map_err(wrong)?,
            attempts: AtomicUsize::new(0),
            limit: config.timeout,
        })))
    }

    /// Does a verb to each circuit of a batch.
    async fn each<V: Verb>(
        &self,
        lane: Lane,
        script: &Script,
        verbs: &[V],
    ) -> Result<Vec<Answer>, StorageError> {
        if verbs.is_empty() {
            return Ok(Vec::new());
        }
        let Shared { link, keys, channel, .. } = &*self.0;
        let batches = batches(verbs, link.circuits_per_run());
        let run = |batch: &Vec<usize>| {
            let mut arguments = Arguments::new(channel);
            batch.iter().for_each(|at| verbs[*at].arguments(&mut arguments));
            let keys = batch.iter().flat_map(|at| keys.of(verbs[*at].key())).collect();
            Run { keys, args: arguments.into_words() }
        };
        let values = link.run(lane, script, batches.iter().map(run).collect()).await?;
        let mut answers: Vec<Option<Answer>> = verbs.iter().map(|_| None).collect();
        for (batch, value) in batches.iter().zip(&values) {
            for (at, answer) in batch.iter().zip(decode_answers(value, batch.len())?) {
                if answer.found_rubbish {
                    tracing::warn!(
                        target: "infuse",
                        circuit = %verbs[*at].key(),
                        "keys of the circuit held what no circuit is: they were deleted and mended",
                    );
                }
                answers[*at] = Some(answer);
            }
        }
        let too_few = || StorageError::Answer(format!("{} for {}", values.len(), batches.len()));
        answers.into_iter().collect::<Option<_>>().ok_or_else(too_few)
    }

    /// Does something to a group.
    async fn about(
        &self,
        script: &Script,
        group: &str,
        args: Vec<String>,
    ) -> Result<redis::Value, StorageError> {
        let run = Run { keys: vec![self.0.keys.instances(group)], args };
        let mut values = self.0.link.run(Lane::Background, script, vec![run]).await?;
        values.pop().ok_or_else(|| StorageError::Answer("none".to_owned()))
    }

    async fn views<V: Verb>(
        &self,
        lane: Lane,
        script: &Script,
        verbs: &[V],
    ) -> Result<Vec<View>, StorageError> {
        let answers = self.each(lane, script, verbs).await?;
        Ok(answers.into_iter().map(|answer| answer.view).collect())
    }
}

/// Which verbs go into each run: so many circuits, and what is about the same circuit stays
/// together and in order, because runs need not be.
fn batches<V: Verb>(verbs: &[V], circuits: usize) -> Vec<Vec<usize>> {
    let mut batches: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut batch_of: HashMap<&CircuitKey, usize> = HashMap::with_capacity(verbs.len());
    for (at, verb) in verbs.iter().enumerate() {
        let batch = *batch_of.entry(verb.key()).or_insert_with(|| {
            if batches.last().is_none_or(|(full, _)| *full == circuits) {
                batches.push((0, Vec::with_capacity(circuits.min(verbs.len()))));
            }
            let last = batches.len() - 1;
            batches[last].0 += 1;
            last
        });
        batches[batch].1.push(at);
    }
    batches.into_iter().map(|(_, verbs)| verbs).collect()
}

impl Storage for RedisStorage {
    fn look<'a>(&'a self, looks: &'a [Look]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(self.views(Lane::Background, &self.0.scripts.look, looks))
    }

    fn report<'a>(
        &'a self,
        reports: &'a [Report],
    ) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(self.views(Lane::Background, &self.0.scripts.report, reports))
    }

    fn trip<'a>(&'a self, trips: &'a [Trip]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(self.views(Lane::Background, &self.0.scripts.trip, trips))
    }

    fn clear<'a>(&'a self, clears: &'a [Clear]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(self.views(Lane::Background, &self.0.scripts.clear, clears))
    }

    fn lease<'a>(
        &'a self,
        requests: &'a [LeaseRequest],
    ) -> BoxFuture<'a, Result<Vec<LeaseAnswer>, StorageError>> {
        Box::pin(async {
            let answers = self.each(Lane::Lease, &self.0.scripts.lease, requests).await?;
            let granted = |it: Answer| LeaseAnswer { view: it.view, granted: it.granted };
            Ok(answers.into_iter().map(granted).collect())
        })
    }

    fn settle<'a>(
        &'a self,
        settles: &'a [Settle],
    ) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(self.views(Lane::Lease, &self.0.scripts.settle, settles))
    }

    fn control<'a>(
        &'a self,
        commands: &'a [Control],
    ) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(self.views(Lane::Background, &self.0.scripts.control, commands))
    }

    fn seed<'a>(&'a self, seeds: &'a [Seed]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(self.views(Lane::Background, &self.0.scripts.seed, seeds))
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async {
            let run = || vec![Run { keys: vec![self.0.keys.probe()], args: Vec::new() }];
            let probe = |lane| self.0.link.run(lane, &self.0.scripts.probe, run());
            // Both ways have to be there, and are afterwards.
            tokio::try_join!(probe(Lane::Background), probe(Lane::Lease)).map(drop)
        })
    }

    fn announce<'a>(&'a self, said: &'a Announcement) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async {
            said.check()?;
            let lasting = micros(said.lasting).to_string();
            let args = vec![said.process.to_string(), lasting, said.text.to_string()];
            self.about(&self.0.scripts.announce, &said.group, args).await.map(drop)
        })
    }

    fn withdraw<'a>(
        &'a self,
        group: &'a str,
        process: ProcessId,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        let args = vec![process.to_string()];
        Box::pin(async { self.about(&self.0.scripts.withdraw, group, args).await.map(drop) })
    }

    fn instances<'a>(
        &'a self,
        group: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Instance>, StorageError>> {
        Box::pin(async {
            let now = self.about(&self.0.scripts.time, group, Vec::new()).await?;
            // No script: it would take many times as long, and Redis does nothing else meanwhile.
            let all = self.0.link.hash(Lane::Background, &self.0.keys.instances(group)).await?;
            decode_instances(now, all)
        })
    }

    fn release(&self) {
        self.0.link.release();
    }

    fn watch(&self) -> BoxFuture<'_, Result<Box<dyn Watch>, StorageError>> {
        Box::pin(async {
            // Relaxed: it only spreads attempts.
            let attempt = self.0.attempts.fetch_add(1, Ordering::Relaxed);
            let heard = watch::watch(&self.0.listening, attempt, &self.0.channel).await?;
            self.0.link.warm();
            let watch = RedisWatch::new(heard, Arc::clone(&self.0.keys), self.0.limit);
            Ok(Box::new(watch) as Box<dyn Watch>)
        })
    }
}

impl fmt::Debug for RedisStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { link, channel, .. } = &*self.0;
        f.debug_struct("RedisStorage").field("link", link).field("channel", channel).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Presented;

    fn looks(names: &[&str]) -> Vec<Look> {
        let look = |name: &&str| Look::new(CircuitKey::new(*name), Presented::NOTHING);
        names.iter().map(look).collect()
    }

    #[test]
    fn what_is_about_the_same_circuit_stays_together() {
        assert_eq!(batches(&looks(&["a", "b", "c"]), 2), [vec![0, 1], vec![2]]);
        assert_eq!(
            batches(&looks(&["a", "b", "a", "c", "b"]), 1),
            [vec![0, 2], vec![1, 4], vec![3]]
        );
        assert_eq!(batches(&looks(&["a", "b", "a", "c", "b"]), 2), [vec![0, 1, 2, 4], vec![3]]);
        assert_eq!(batches(&looks(&["a", "a", "a"]), 2), [vec![0, 1, 2]]);
        assert_eq!(batches(&looks(&[]), 2), Vec::<Vec<usize>>::new());
    }
}
