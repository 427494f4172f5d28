//! A cluster whose masters can be killed and whose slots can be moved.

#![allow(clippy::unwrap_used)]

use infuse_test_servers::{Cluster, Reply};

#[tokio::test]
async fn a_replica_takes_over_and_a_slot_moves() {
    let cluster = Cluster::start().await;
    assert_eq!(cluster.urls().len(), 6);
    for key in ["a", "b", "c"] {
        cluster.node_of_slot_of(key).await.set(key, "1").await.unwrap();
    }
    assert_eq!(cluster.slot_of("{a}b").await, cluster.slot_of("a").await);

    let from = cluster.node_of_slot_of("a").await;
    cluster.move_slot_of("a").await.unwrap();
    let to = cluster.node_of_slot_of("a").await;
    assert_ne!(from.port(), to.port());
    assert_eq!(to.get("a").await.unwrap().as_deref(), Some("1"));
    let moved = from.get("a").await.unwrap_err();
    assert!(moved.starts_with("MOVED"), "{moved}");

    // Replication may be behind: this waits for it.
    assert_eq!(to.command(&["WAIT", "1", "5000"]).await, Ok(Reply::Int(1)));
    cluster.kill_master_of("a").await;
    cluster.wait_for_failover("a").await;
    let taken = cluster.node_of_slot_of("a").await;
    assert_ne!(taken.port(), to.port());
    assert_eq!(taken.get("a").await.unwrap().as_deref(), Some("1"));
    taken.set("a", "2").await.unwrap();
}
