//! Circuits on a cluster.

use std::{sync::Arc, time::Duration};

use infuse_storage::{
    Announcement, BoxFuture, CircuitKey, Clear, Control, Instance, LeaseAnswer, LeaseRequest, Look,
    ProcessId, RedisConfig, RedisMode, RedisStorage, Report, Seed, Settle, State, Storage,
    StorageError, Trip, View, Watch,
};
use infuse_test_servers::Cluster;
use tokio::time::sleep;

use crate::{
    conformance,
    support::{LONG, assert_view, pushed, token},
};

/// How long a message takes at most from node to node. It is a fraction of a millisecond.
const BETWEEN_NODES: Duration = Duration::from_millis(250);

/// A storage on a cluster. Messages go from node to node by themselves: who begins to listen at
/// one node may hear what was published at another just before, so it is waited for here.
#[derive(Debug, Clone)]
pub(crate) struct OnCluster(RedisStorage);

impl OnCluster {
    pub(crate) fn new(urls: Vec<String>) -> Self {
        let mut config = RedisConfig::new(urls);
        config.mode = RedisMode::Cluster;
        config.timeout = Duration::from_secs(30);
        Self(RedisStorage::new(config).unwrap())
    }
}

macro_rules! handed_on {
    ($($verb:ident: $of:ty => $answer:ty,)*) => {
        $(fn $verb<'a>(
            &'a self,
            verbs: &'a [$of],
        ) -> BoxFuture<'a, Result<Vec<$answer>, StorageError>> {
            self.0.$verb(verbs)
        })*
    };
}

impl Storage for OnCluster {
    handed_on! {
        look: Look => View,
        report: Report => View,
        trip: Trip => View,
        clear: Clear => View,
        lease: LeaseRequest => LeaseAnswer,
        settle: Settle => View,
        control: Control => View,
        seed: Seed => View,
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.0.probe()
    }

    fn announce<'a>(&'a self, said: &'a Announcement) -> BoxFuture<'a, Result<(), StorageError>> {
        self.0.announce(said)
    }

    fn withdraw<'a>(
        &'a self,
        group: &'a str,
        process: ProcessId,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        self.0.withdraw(group, process)
    }

    fn instances<'a>(
        &'a self,
        group: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Instance>, StorageError>> {
        self.0.instances(group)
    }

    fn watch(&self) -> BoxFuture<'_, Result<Box<dyn Watch>, StorageError>> {
        Box::pin(async {
            sleep(BETWEEN_NODES).await;
            self.0.watch().await
        })
    }
}

#[tokio::test]
async fn a_cluster_conforms() {
    let cluster = Cluster::start().await;
    conformance::check(Arc::new(OnCluster::new(cluster.urls()))).await;
}

#[tokio::test]
async fn whatever_the_namespace_the_keys_of_a_circuit_share_a_slot() {
    let cluster = Cluster::start().await;
    let storage = OnCluster::new(cluster.urls());
    let mut watch = storage.watch().await.unwrap();
    for name in ["", " ", "}", "}{a}", "{", "{}", "{}a", "a{b", "a}b", "x{a}", "\r\n"] {
        let key = CircuitKey::new(name);
        let command = Control::put(key.clone(), token(1), State::Open, LONG);
        let twice = storage.control(&[command.clone(), command]).await.unwrap();
        twice.iter().for_each(|view| assert_view(view, State::Open, 1));
        // `a` and `{a}` are one circuit, and are told both.
        while pushed(&mut *watch).await.0 != key {}
    }
}
