//! The suite that every storage must pass.

use std::{sync::Arc, time::Duration};

use infuse_storage::{
    BoxFuture, CircuitKey, Control, RedisConfig, RedisMode, RedisStorage, State, Storage,
    conformance::{self, Harness},
};
use infuse_test_servers::Cluster;
use tokio::task::JoinSet;

use crate::support::{Fixture, LONG, assert_view, pushed, token};

/// A server, whose time passes by itself.
pub(crate) struct Server(pub(crate) Arc<dyn Storage>);

impl Harness for Server {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.0)
    }

    fn pass(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// All cases at once: they wait, mostly, and each has circuits of its own.
pub(crate) async fn check(storage: Arc<dyn Storage>) {
    let harness = Arc::new(Server(storage));
    let mut running = JoinSet::new();
    for case in conformance::cases() {
        let harness = Arc::clone(&harness);
        running.spawn(async move { case.run(&*harness).await });
    }
    let failed: Vec<_> = running.join_all().await.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test]
async fn redis_conforms() {
    let fixture = Fixture::new().await;
    check(fixture.storage()).await;
}

#[tokio::test]
async fn a_cluster_conforms() {
    let cluster = Cluster::start().await;
    let mut config = RedisConfig::new(cluster.urls());
    config.mode = RedisMode::Cluster;
    config.timeout = Duration::from_secs(30);
    let storage = RedisStorage::new(config).unwrap();
    check(Arc::new(storage.clone())).await;

    // Whatever the namespace, the keys of a circuit share a slot; and it is heard of.
    let mut watch = storage.watch().await.unwrap();
    for name in ["", " ", "}", "}{a}", "{", "{}", "{}a", "a{b", "a}b", "x{a}", "\r\n"] {
        let key = CircuitKey::new(name);
        let command = Control::new(key.clone(), token(1), State::Open, LONG);
        let twice = storage.control(&[command.clone(), command]).await.unwrap();
        twice.iter().for_each(|view| assert_view(view, State::Open, 1));
        assert_eq!(pushed(&mut *watch).await.0, key);
    }
}
