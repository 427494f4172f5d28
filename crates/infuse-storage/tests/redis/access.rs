//! What a user of Redis must be allowed.

use std::{sync::Arc, time::Duration};

use infuse_storage::{
    CircuitKey, Control, Look, Presented, ProcessId, RedisConfig, RedisMode, RedisStorage, Report,
    State, Storage,
};
use infuse_test_servers::{Cluster, RedisServer, Sentinels};

use crate::{
    cluster::OnCluster,
    conformance,
    support::{LONG, assert_view, config, token},
};

/// A Redis with a user who may do that, and a storage for that user.
async fn allowed(rules: &str) -> (RedisServer, RedisStorage) {
    let user = format!("app on >secret resetkeys resetchannels -@all {rules}");
    let redis = RedisServer::builder().user_acl(&user).start().await;
    let url = format!("redis://app:secret@127.0.0.1:{}", redis.port());
    let mut config = config(&redis);
    config.urls = vec![url];
    (redis, RedisStorage::new(config).unwrap())
}

/// What the user was refused.
async fn refused(redis: &RedisServer) -> Vec<String> {
    let log = redis.command(&["ACL", "LOG"]).await.unwrap();
    let objects = log.list().iter().map(|entry| format!("{:?}", entry.named("object")));
    // What clients are is told where it can be, and nobody minds if it cannot.
    objects.filter(|object| !object.contains("client")).collect()
}

#[tokio::test]
async fn the_documented_rules_are_enough() {
    let rules = format!("~infuse:* &infuse:events:* {}", RedisStorage::ACL);
    let (redis, storage) = allowed(&rules).await;
    conformance::check(Arc::new(storage.clone())).await;
    storage.probe().await.unwrap();
    assert_eq!(refused(&redis).await, Vec::<String>::new());
}

/// Does all for which anything is needed. What comes of it is of no interest.
async fn use_all(redis: &RedisServer, storage: &RedisStorage) {
    let key = CircuitKey::new("payments");
    let report = |process, failures, lapse| {
        let process = ProcessId::from_u64(process);
        let mut report = Report::new(key.clone(), Presented::NOTHING, process, failures);
        report.lapse = lapse;
        [report]
    };
    let watch = storage.watch().await;
    for _ in 0..2 {
        redis.command(&["SCRIPT", "FLUSH"]).await.unwrap();
        let _ = storage.look(&[Look::new(key.clone(), Presented::NOTHING)]).await;
        let _ = storage.report(&report(1, 4, Duration::ZERO)).await;
        // It lapses at once, and a share goes by that.
        let _ = storage.report(&report(2, 1, Duration::ZERO)).await;
        let _ = storage.report(&report(3, 0, Duration::ZERO)).await;
        let command = Control::put(key.clone(), token(1), State::Open, LONG);
        let _ = storage.control(&[command]).await;
        let _ = storage.probe().await;
    }
    drop(watch);
}

/// Without any one of them something is refused: there is none too many.
#[tokio::test]
async fn the_documented_rules_are_needed() {
    let all: Vec<_> = RedisStorage::ACL.split(' ').collect();
    // Those two are for connections that were idle for seconds.
    for left_out in all.iter().filter(|rule| !["+ping", "+unwatch"].contains(rule)) {
        let rules: Vec<_> = all.iter().filter(|rule| *rule != left_out).copied().collect();
        let rules = format!("~infuse:* &infuse:events:* {}", rules.join(" "));
        let (redis, storage) = allowed(&rules).await;
        use_all(&redis, &storage).await;
        assert!(!refused(&redis).await.is_empty(), "{left_out} is not needed");
    }
}

#[tokio::test]
async fn without_the_channel_verbs_work() {
    let (redis, storage) = allowed(&format!("~infuse:* {}", RedisStorage::ACL)).await;
    let key = CircuitKey::new("payments");
    let command = Control::put(key.clone(), token(1), State::Open, LONG);
    let views = storage.control(&[command]).await.unwrap();
    assert_view(&views[0], State::Open, 1);
    let look = Look::new(key, Presented::NOTHING);
    assert_view(&storage.look(&[look]).await.unwrap()[0], State::Open, 1);
    assert!(storage.watch().await.is_err());
    assert!(!refused(&redis).await.is_empty());
}

/// Servers on which the same user may do that, and the URLs of some with that user.
async fn allow_on(nodes: &[RedisServer], urls: Vec<String>, rules: &str) -> Vec<String> {
    let rules = format!("on >secret resetkeys resetchannels -@all {rules}");
    for node in nodes {
        let words: Vec<_> = ["ACL", "SETUSER", "app"].into_iter().chain(rules.split(' ')).collect();
        node.command(&words).await.unwrap();
    }
    urls.into_iter().map(|url| url.replace("redis://", "redis://app:secret@")).collect()
}

#[tokio::test]
async fn the_documented_rules_are_enough_on_a_cluster() {
    let cluster = Cluster::start().await;
    let rules = format!("~infuse:* &infuse:events:* {} +cluster|slots +asking", RedisStorage::ACL);
    let urls = allow_on(cluster.nodes(), cluster.urls(), &rules).await;
    conformance::check(Arc::new(OnCluster::new(urls))).await;
    for node in cluster.nodes() {
        assert_eq!(refused(node).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_documented_rules_are_enough_behind_sentinel() {
    let sentinels = Sentinels::start(1).await;
    let rules = format!("~infuse:* &infuse:events:* {} +role", RedisStorage::ACL);
    let mut config = RedisConfig::new(allow_on(sentinels.nodes(), sentinels.urls(), &rules).await);
    config.mode = RedisMode::Sentinel;
    config.sentinel_master = Some(sentinels.master_name().to_owned());
    config.timeout = Duration::from_secs(30);
    conformance::check(Arc::new(RedisStorage::new(config).unwrap())).await;
    assert_eq!(refused(sentinels.master()).await, Vec::<String>::new());
}
