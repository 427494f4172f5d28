//! Modes, put on by hand in one process, hold in all.

use std::time::Duration;

use infuse_test_servers::RedisServer;
use infuse_tests::{Fleet, eventually};
use serde_json::{Value, json};

use crate::{fleet, together};

const QUICK: &str = "infuse_sync_interval=100ms";
const REASON: &str = "their disk is full,\n\"again\" – ask Ada %20 *";

async fn until_all(fleet: &Fleet, what: &str, holds: impl Fn(&Value) -> bool) {
    for worker in fleet.iter() {
        eventually(what, async || holds(&worker.circuit().await)).await;
    }
}

fn isolated(circuit: &Value) -> bool {
    circuit["mode"] == "isolated"
}

#[tokio::test]
async fn an_override_holds_in_all_and_ends_by_itself() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 3, &[QUICK]).await;
    let night = json!({
        "do": "override", "mode": "isolated", "by": "ada", "reason": REASON, "millis": 6000,
    });
    assert_eq!(fleet[0].ask(night).await["reach"], "fleet");
    until_all(&fleet, "isolated", isolated).await;
    // Somebody who comes later has it too.
    let late = crate::fleet(&redis, 1, &[QUICK]).await;
    until_all(&late, "isolated", isolated).await;
    for worker in fleet.iter().chain(&*late) {
        assert_eq!(worker.went("succeed").await, "rejected");
        let circuit = worker.circuit().await;
        assert_eq!(circuit["state"], "closed", "{circuit}");
        assert_eq!(circuit["override"]["by"], "ada");
        assert_eq!(circuit["override"]["reason"], REASON);
        let left = circuit["override"]["left"].as_f64().unwrap();
        assert!((0.0..=6.0).contains(&left), "{left}");
    }
    // Nobody takes it away.
    for worker in fleet.iter().chain(&*late) {
        eventually("the override ends", async || worker.went("succeed").await == "succeeded").await;
        let circuit = worker.circuit().await;
        assert_eq!(circuit["mode"], "enabled");
        assert!(circuit["override"].is_null(), "{circuit}");
    }
}

#[tokio::test]
async fn an_override_outlives_a_redis_that_forgets() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 2, &[QUICK]).await;
    let long = json!({ "do": "override", "mode": "isolated", "by": "ada", "reason": REASON });
    assert_eq!(fleet[0].ask(long).await["reach"], "fleet");
    until_all(&fleet, "isolated", isolated).await;
    let mut connection = redis.connect().await.unwrap();
    connection.command(&["FLUSHALL"]).await.unwrap();
    eventually("it is mended", async || {
        let found = connection.command(&["EXISTS", &crate::key("record")]).await.unwrap();
        found.int() == Some(1)
    })
    .await;
    let late = crate::fleet(&redis, 1, &[QUICK]).await;
    until_all(&late, "isolated", isolated).await;
    for worker in fleet.iter().chain(&*late) {
        assert_eq!(worker.went("succeed").await, "rejected");
        assert_eq!(worker.circuit().await["override"]["reason"], REASON);
    }
    assert_eq!(late[0].say("relieve").await["reach"], "fleet");
    until_all(&fleet, "enabled", |circuit| circuit["mode"] == "enabled").await;
    assert_eq!(fleet[0].went("succeed").await, "succeeded");
}

#[tokio::test]
async fn observing_tells_what_it_would_reject() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 2, &[QUICK, "infuse_breaker_mode=observe"]).await;
    for _ in 0..5 {
        assert_eq!(fleet[0].went("fail").await, "failed");
    }
    fleet.until("open").await;
    for worker in fleet.iter() {
        for _ in 0..3 {
            assert_eq!(worker.went("succeed").await, "succeeded");
        }
        assert_eq!(worker.circuit().await["would_have_rejected"], 3);
        assert_eq!(worker.state().await, "open");
    }
}

#[tokio::test]
async fn a_disabled_circuit_counts_nothing_anywhere() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 2, &[QUICK]).await;
    assert_eq!(
        fleet[0].ask(json!({ "do": "override", "mode": "disabled" })).await["reach"],
        "fleet"
    );
    until_all(&fleet, "disabled", |circuit| circuit["mode"] == "disabled").await;
    for worker in fleet.iter() {
        for _ in 0..20 {
            assert_eq!(worker.went("fail").await, "failed");
        }
        assert_eq!(worker.state().await, "closed");
        assert_eq!(worker.circuit().await["fail_counter"], 0);
    }
    assert_eq!(fleet[1].say("relieve").await["reach"], "fleet");
    until_all(&fleet, "enabled", |circuit| circuit["mode"] == "enabled").await;
    for _ in 0..5 {
        assert_eq!(fleet[0].went("fail").await, "failed");
    }
    fleet.until("open").await;
}

#[tokio::test]
async fn settings_change_while_open_and_the_state_stays() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 2, &[QUICK]).await;
    for _ in 0..5 {
        fleet[0].went("fail").await;
    }
    fleet.until("open").await;
    let lower = json!({
        "do": "reload",
        "settings": { "infuse_breaker_max_failure": "2", "infuse_breaker_reset_timeout": "1h" },
    });
    for worker in fleet.iter() {
        let changed = worker.ask(lower.clone()).await["changed"].as_str().unwrap().to_owned();
        assert!(changed.contains("5") && changed.contains('2'), "{changed}");
        let circuit = worker.circuit().await;
        assert_eq!(circuit["state"], "open");
        assert!(circuit["retry_after"].as_f64().unwrap() <= 15.0, "{circuit}");
    }
    // All or nothing.
    let wrong = json!({
        "do": "reload",
        "settings": { "infuse_breaker_max_failure": "3", "infuse_breaker_reset_timeout": "soon" },
    });
    assert!(fleet[0].ask(wrong).await["refused"].as_str().unwrap().contains("soon"));
    assert_eq!(fleet[0].say("close").await["reach"], "fleet");
    fleet.until("closed").await;
    for _ in 0..2 {
        assert_eq!(fleet[0].went("fail").await, "failed");
    }
    fleet.until("open").await;
    let circuit = fleet[1].circuit().await;
    assert!(circuit["retry_after"].as_f64().unwrap() > 3000.0, "{circuit}");
    // Where the circuits are cannot change in a process that runs.
    let moved = json!({ "do": "reload", "settings": { "infuse_environment": "production" } });
    let refused = fleet[0].ask(moved).await;
    assert!(refused["refused"].as_str().unwrap().contains("INFUSE_ENVIRONMENT"), "{refused}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(fleet[0].state().await, "open");
}
