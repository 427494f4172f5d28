//! Sentinels make a replica the master when the master is gone.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use infuse_test_servers::{RedisServer, Sentinels};
use tokio::time::sleep;

/// A node that the sentinels make a replica closes its connections: what it then answers counts.
async fn until_has(node: &RedisServer, key: &str, value: &str) {
    let mut last = Ok(None);
    for _ in 0..5000 {
        last = node.get(key).await;
        if matches!(&last, Ok(Some(now)) if now == value) {
            return;
        }
        sleep(Duration::from_millis(2)).await;
    }
    panic!("it was not copied: {last:?}");
}

#[tokio::test]
async fn a_replica_takes_over() {
    let sentinels = Sentinels::start(2).await;
    assert_eq!(sentinels.urls().len(), 3);
    assert_eq!(sentinels.nodes().len(), 3);
    let old = sentinels.master().port();
    assert_eq!(old, sentinels.nodes()[0].port());
    sentinels.master().set("a", "1").await.unwrap();
    for node in sentinels.nodes() {
        until_has(node, "a", "1").await;
    }

    sentinels.kill_master();
    sentinels.wait_for_failover().await;
    assert_ne!(sentinels.master().port(), old);
    assert_eq!(sentinels.master().get("a").await.unwrap().as_deref(), Some("1"));
    sentinels.master().set("a", "2").await.unwrap();

    // And again, by one that only stands still. It learns of it when it goes on.
    let stopped = sentinels.master();
    sentinels.nodes()[0].restart().await;
    until_has(&sentinels.nodes()[0], "a", "2").await;
    stopped.stop_signal();
    sentinels.wait_for_failover().await;
    assert_ne!(sentinels.master().port(), stopped.port());
    sentinels.master().set("a", "3").await.unwrap();
    stopped.cont_signal();
    until_has(stopped, "a", "3").await;
    let error = stopped.set("a", "4").await.unwrap_err();
    assert!(error.starts_with("READONLY"), "{error}");
}

#[tokio::test]
async fn the_last_writes_can_be_lost() {
    let sentinels = Sentinels::start(1).await;
    sentinels.master().set("a", "1").await.unwrap();
    until_has(&sentinels.nodes()[1], "a", "1").await;
    sentinels.cut_replication().await.unwrap();
    sentinels.master().set("a", "2").await.unwrap();
    sentinels.kill_master();
    sentinels.wait_for_failover().await;
    assert_eq!(sentinels.master().get("a").await.unwrap().as_deref(), Some("1"));
}
