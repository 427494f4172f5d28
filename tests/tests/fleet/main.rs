//! Several processes that share circuits through one Redis, each on servers of its own.

#![allow(clippy::unwrap_used)]

mod agreement;
mod clocks;
mod cost;
mod engine;
mod failover;
mod false_trips;
mod gateways;
mod herd;
mod loss;
mod modes;
mod python;

use std::time::Duration;

use infuse_test_servers::RedisServer;
use infuse_tests::{Fleet, eventually};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

const WORKER: &str = env!("CARGO_BIN_EXE_worker");

/// The keys of the circuit of the workers begin like this.
const KEYS: &str = "infuse:development:target";

/// A test that measures times, or keeps all processors busy, is alone.
static TURN: RwLock<()> = RwLock::const_new(());

async fn alone() -> RwLockWriteGuard<'static, ()> {
    TURN.write().await
}

async fn together() -> RwLockReadGuard<'static, ()> {
    TURN.read().await
}

/// A machine that is busy must not look like a Redis that is lost, where that is not the subject.
const PATIENCE: &str = "infuse_redis_timeout=2s";

/// Workers on a Redis.
async fn fleet(redis: &RedisServer, workers: usize, settings: &[&str]) -> Fleet {
    let settings = [&[PATIENCE], settings].concat();
    Fleet::start(WORKER, redis, workers, &settings).await
}

/// A key of the workers' circuit.
fn key(name: &str) -> String {
    format!("{KEYS}:{name}")
}

/// Waits until a key has this value.
async fn until_key(redis: &RedisServer, key: &str, value: &str) {
    eventually(&format!("{key} is {value}"), async || {
        redis.get(key).await.unwrap().as_deref() == Some(value)
    })
    .await;
}

/// The time below which so many hundredths of these are, in the order of their size.
fn quantile(sorted: &[Duration], of: usize) -> Duration {
    sorted[(sorted.len() * of / 100).min(sorted.len() - 1)]
}
