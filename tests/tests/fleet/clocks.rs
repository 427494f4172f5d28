//! Time is Redis' alone: clocks that are wrong change nothing, and neither do restarts.

use std::time::{Duration, Instant};

use infuse_test_servers::{Monitor, RedisServer};
use serde_json::Value;

use crate::{fleet, key, together, until_key};

fn retry_after(circuit: &Value) -> f64 {
    circuit["retry_after"].as_f64().unwrap_or_default()
}

#[tokio::test]
async fn clocks_five_minutes_apart_agree() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let reset = "infuse_breaker_reset_timeout=2";
    let early = fleet(&redis, 1, &[reset, "--wall-shift=-300"]).await;
    let late = fleet(&redis, 1, &[reset, "--wall-shift=300"]).await;
    let right = fleet(&redis, 1, &[reset]).await;
    let all = [&early[0], &late[0], &right[0]];
    for _ in 0..5 {
        early[0].went("fail").await;
    }
    for worker in all {
        worker.until("open").await;
    }
    let mut left = Vec::new();
    for worker in all {
        let circuit = worker.circuit().await;
        assert!(retry_after(&circuit) > 1.0, "{circuit}");
        left.push(retry_after(&circuit));
    }
    let apart = left.iter().fold(0.0, |most: f64, one| most.max((one - left[0]).abs()));
    assert!(apart < 0.5, "{left:?}");
    for worker in all {
        assert_eq!(worker.went("succeed").await, "rejected");
    }
    // The one whose clock is ahead is not early.
    let began = Instant::now();
    while late[0].went("succeed").await == "rejected" {
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    assert!(began.elapsed().as_secs_f64() > left[1] - 0.5, "{:?} of {left:?}", began.elapsed());
    for worker in all {
        worker.until("closed").await;
    }
}

/// What was written to the circuit, but for when it expires.
fn writes(monitor: &Monitor) -> Vec<String> {
    let mut lines = monitor.lines();
    lines.retain(|line| {
        let words: Vec<_> = line.split('"').map(str::to_lowercase).collect();
        let command = words.get(1).map(String::as_str).unwrap_or_default();
        let written =
            ["set", "hset", "hdel", "del", "incr", "incrby", "hincrby", "unlink", "getset"];
        written.contains(&command) && line.contains(":target:")
    });
    lines
}

#[tokio::test]
async fn a_rolling_restart_leaves_the_time_that_is_left() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let settings = [
        "infuse_services.target.url=http://127.0.0.1:1",
        "infuse_breaker_reset_timeout=60",
        "infuse_sync_interval=100ms",
    ];
    let mut callers = fleet(&redis, 3, &settings).await;
    for _ in 0..5 {
        callers[0].went("fail").await;
    }
    callers.until("open").await;
    until_key(&redis, &key("state"), "open").await;
    let opened_at = redis.get(&key("opened_at")).await.unwrap();
    let first = retry_after(&callers[1].circuit().await);
    let then = Instant::now();

    let monitor = redis.monitor().await.unwrap();
    let mut restarted = Vec::new();
    for old in callers.take(3) {
        restarted.push(fleet(&redis, 1, &settings).await);
        old.quit().await;
    }
    for caller in &restarted {
        assert_eq!(caller[0].went("succeed").await, "rejected");
        let left = retry_after(&caller[0].circuit().await) + then.elapsed().as_secs_f64();
        assert!((left - first).abs() < 0.3, "{left} of {first}");
    }
    // Long enough for a few looks of each.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(monitor.lines().iter().any(|line| line.contains(":target:")), "nobody looked");
    assert_eq!(writes(&monitor), [""; 0]);
    assert_eq!(redis.get(&key("opened_at")).await.unwrap(), opened_at);
}
