//! When a trial is due, one caller of one process makes it, and none that is lost wedges the rest.

use std::time::{Duration, Instant};

use infuse_test_servers::RedisServer;
use infuse_tests::{Answer, Double, Worker, eventually};
use serde_json::json;
use tokio::time::sleep;

use crate::{alone, fleet, together};

const PROCESSES: usize = 8;
const CYCLES: usize = 50;

/// Trials of 50 ms come 100 ms after the last, and end in a timeout.
const SETTINGS: [&str; 2] =
    ["infuse_breaker_reset_timeout=100ms", "infuse_services.target.timeout=50ms"];

#[tokio::test]
async fn one_trial_a_cycle_however_many_wait() {
    let _turn = alone().await;
    let redis = RedisServer::start().await;
    let service = Double::start(Answer::Silent).await;
    let url = format!("infuse_services.target.url={}", service.url());
    let fleet = fleet(&redis, PROCESSES, &[&url, SETTINGS[0], SETTINGS[1]]).await;
    fleet[0].say("open").await;
    fleet.until("open").await;
    let monitor = redis.monitor().await.unwrap();
    let herd = fleet.ask(json!({ "do": "run", "http": true, "callers": 64, "pause": 10 }));
    let ended = async {
        eventually("the cycles are over", async || service.requests() >= CYCLES).await;
        fleet.ask(json!({ "do": "stop" })).await;
    };
    let (runs, ()) = tokio::join!(herd, ended);

    // A trial under way at the end is over when the circuit is open again.
    fleet.until("open").await;
    let trials = service.requests() as u64;
    let sum = |of: &str| runs.iter().filter_map(|run| run[of].as_u64()).sum::<u64>();
    assert_eq!(sum("failed"), trials);
    assert_eq!(sum("succeeded"), 0);
    assert!(sum("rejected") > 64 * PROCESSES as u64, "{runs:?}");
    // The first opening, and half-open and open for each trial.
    let generation = fleet[0].circuit().await["generation"].as_u64().unwrap();
    assert_eq!(generation, 1 + 2 * trials);
    let sent = monitor.sent().len() as f64;
    let each = sent / trials as f64 / PROCESSES as f64;
    println!("{trials} cycles, {each:.1} commands for each process and cycle");
    assert!(each <= 4.0, "{each}");
}

/// Two workers; the first holds the only trial, and the second is refused one.
async fn prober(redis: &RedisServer) -> [Worker; 2] {
    let url = "infuse_services.target.url=http://127.0.0.1:1";
    let mut fleet = fleet(redis, 2, &[url, SETTINGS[0], SETTINGS[1]]).await;
    fleet[0].say("open").await;
    fleet.until("open").await;
    eventually("a trial is granted", async || fleet[0].say("hold").await["granted"] == true).await;
    fleet.until("half-open").await;
    assert_eq!(fleet[1].say("hold").await["granted"], false);
    fleet.take(2).try_into().unwrap()
}

/// How long it takes until a worker gets a trial.
async fn until_granted(worker: &Worker) -> Duration {
    let began = Instant::now();
    eventually("a trial is granted", async || worker.say("hold").await["granted"] == true).await;
    began.elapsed()
}

async fn closes(by: &Worker, other: Option<&Worker>) {
    assert_eq!(by.ask(json!({ "do": "release", "as": "success" })).await["released"], 1);
    by.until("closed").await;
    if let Some(other) = other {
        other.until("closed").await;
    }
}

#[tokio::test]
async fn a_prober_that_is_killed_gives_way_when_its_lease_ends() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let [prober, next] = prober(&redis).await;
    prober.kill();
    let took = until_granted(&next).await;
    // The timeout of the service and 1 s.
    assert!(took > Duration::from_millis(500), "{took:?}");
    assert!(took < Duration::from_millis(1050 + 500), "{took:?}");
    closes(&next, None).await;
}

#[tokio::test]
async fn a_trial_that_is_dropped_gives_way_at_once() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let [prober, next] = prober(&redis).await;
    assert_eq!(prober.ask(json!({ "do": "release", "as": "drop" })).await["released"], 1);
    let took = until_granted(&next).await;
    assert!(took < Duration::from_millis(500), "{took:?}");
    closes(&next, Some(&prober)).await;
}

#[tokio::test]
async fn a_trial_that_panics_opens_the_circuit_and_the_next_comes() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let [prober, next] = prober(&redis).await;
    prober.ask(json!({ "do": "release", "as": "drop" })).await;
    let seen = next.changes().len();
    eventually("a trial panics", async || prober.say("panic").await["panicked"] == true).await;
    assert_eq!(next.change(seen, "open").await["remote"], true);
    let took = until_granted(&next).await;
    assert!(took < Duration::from_millis(600), "{took:?}");
    closes(&next, Some(&prober)).await;
}

#[tokio::test]
async fn a_prober_that_leaves_in_order_gives_its_lease_back() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let [prober, next] = prober(&redis).await;
    prober.quit().await;
    let took = until_granted(&next).await;
    assert!(took < Duration::from_millis(500), "{took:?}");
    // It stays so for as long as nobody says how it went.
    sleep(Duration::from_millis(200)).await;
    assert_eq!(next.state().await, "half-open");
    closes(&next, None).await;
}
