//! Another server takes over, or another node of a cluster.

use infuse_test_servers::{Cluster, Sentinels};
use infuse_tests::{Fleet, Worker, eventually};
use serde_json::json;

use crate::{WORKER, alone};

async fn start(workers: usize, settings: &[String]) -> Fleet {
    let mut fleet = Vec::new();
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    for _ in 0..workers {
        fleet.push(Worker::start(WORKER, &settings).await);
    }
    Fleet::from(fleet)
}

fn settings(mode: &str, urls: &[String]) -> Vec<String> {
    vec![
        format!("infuse_redis_url={}", urls.join(",")),
        format!("infuse_redis_mode={mode}"),
        "infuse_sync_interval=300ms".to_owned(),
        "infuse_breaker_reset_timeout=60".to_owned(),
    ]
}

/// Waits until all share the circuit in this state. A loss was said once at most, and then its end
/// too.
async fn until_agreed(fleet: &Fleet, state: &str) {
    eventually("all share again", async || {
        for worker in fleet.iter() {
            let circuit = worker.circuit().await;
            if circuit["shared"] != true || circuit["state"] != state {
                return false;
            }
        }
        true
    })
    .await;
    for worker in fleet.iter() {
        let (lost, back) = ("the storage is lost", "the storage is back");
        assert_eq!(worker.logged(lost).len(), worker.logged(back).len(), "{:#?}", worker.log());
        assert!(worker.logged(lost).len() <= 1, "{:#?}", worker.log());
        assert_eq!(worker.logged("panicked"), [""; 0]);
    }
}

#[tokio::test]
async fn a_replica_that_lacks_the_last_writes_learns_them() {
    let _turn = alone().await;
    let sentinels = Sentinels::start(1).await;
    let mut settings = settings("sentinel", &sentinels.urls());
    settings.push(format!("infuse_redis_sentinel_master={}", sentinels.master_name()));
    let fleet = start(2, &settings).await;
    sentinels.cut_replication().await.unwrap();
    assert_eq!(fleet[0].say("open").await["reach"], "fleet");
    fleet.until("open").await;
    sentinels.kill_master();
    sentinels.wait_for_failover().await;
    until_agreed(&fleet, "open").await;
    let state = || async {
        sentinels.master().get("infuse:development:target:state").await.unwrap_or_default()
    };
    eventually("the new master has it", async || state().await.as_deref() == Some("open")).await;
    for worker in fleet.iter() {
        assert_eq!(worker.went("succeed").await, "rejected");
    }
    // Pushing works there too.
    assert_eq!(fleet[1].say("close").await["reach"], "fleet");
    fleet.until("closed").await;
}

#[tokio::test]
async fn a_cluster_fails_over_and_moves_a_slot() {
    let _turn = alone().await;
    let cluster = Cluster::start().await;
    let fleet = start(2, &settings("cluster", &cluster.urls())).await;
    // On a cluster, all keys of a circuit share the tag.
    let key = "infuse:{development:target}:state";
    assert_eq!(fleet[0].say("open").await["reach"], "fleet");
    fleet.until("open").await;
    let has = async |state: &str| {
        let value = cluster.node_of_slot_of(key).await.get(key).await;
        value.unwrap_or_default().as_deref() == Some(state)
    };
    assert!(has("open").await);

    cluster.move_slot_of(key).await.unwrap();
    assert!(has("open").await);
    assert_eq!(fleet[1].say("half-open").await["reach"], "fleet");
    fleet.until("half-open").await;
    assert!(has("half-open").await);
    assert_eq!(fleet[1].say("open").await["reach"], "fleet");
    fleet.until("open").await;

    assert_eq!(fleet[0].say("close").await["reach"], "fleet");
    fleet.until("closed").await;

    // Calls go on without noticing while another node takes over.
    let load = fleet[0].ask(json!({ "do": "run", "rate": 200 }));
    cluster.kill_master_of(key).await;
    cluster.wait_for_failover(key).await;
    until_agreed(&fleet, "closed").await;
    fleet[0].say("stop").await;
    let load = load.await;
    assert_eq!((&load["failed"], &load["rejected"]), (&json!(0), &json!(0)), "{load}");
    assert!(load["succeeded"].as_u64().unwrap() > 100, "{load}");
    assert_eq!(fleet[0].say("open").await["reach"], "fleet");
    fleet.until("open").await;
    assert!(has("open").await);
}
