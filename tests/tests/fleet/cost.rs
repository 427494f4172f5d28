//! What sharing costs: nothing for each call, and little for each circuit.

use std::time::{Duration, Instant};

use infuse_test_servers::RedisServer;
use infuse_tests::{Worker, eventually};
use serde_json::json;
use tokio::time::sleep;

use crate::{WORKER, alone, fleet};

#[tokio::test]
async fn successful_calls_send_nothing() {
    let _turn = alone().await;
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 1, &[]).await;
    sleep(Duration::from_millis(200)).await;
    let monitor = redis.monitor().await.unwrap();
    let load = json!({ "do": "run", "calls": 100_000, "callers": 8, "rate": 20_000 });
    let run = fleet[0].ask(load).await;
    assert_eq!((&run["succeeded"], &run["failed"]), (&json!(100_000), &json!(0)));
    let seconds = run["seconds"].as_f64().unwrap();
    let (sent, looks) = (monitor.sent(), looks(&monitor.sent()) as f64);
    println!("100,000 calls in {seconds:.2} s: {looks} looks, {} commands in all", sent.len());
    // One a second: those of the background, and no other.
    assert!((seconds - 2.0..seconds + 2.0).contains(&looks), "{sent:#?}");
    // With what a pool says to a connection before it lends it, and what keeps others alive.
    assert!(sent.len() as f64 <= 3.0 * looks + seconds, "{sent:#?}");
}

const CIRCUITS: u64 = 10_000;

/// Makes the circuits; what each takes of the memory, in bytes, when `until` is over.
async fn memory_of_each(worker: &Worker, until: impl Future<Output = ()>) -> u64 {
    let memory = async || worker.say("memory").await["bytes"].as_u64().unwrap();
    // What a process needs once.
    worker.ask(json!({ "do": "circuits", "number": 100 })).await;
    sleep(Duration::from_millis(300)).await;
    let before = memory().await;
    worker.ask(json!({ "do": "circuits", "number": 100 + CIRCUITS })).await;
    until.await;
    memory().await.saturating_sub(before) / CIRCUITS
}

#[tokio::test]
async fn ten_thousand_circuits_are_cheap() {
    let _turn = alone().await;
    let alone = Worker::start(WORKER, &["infuse_storage=memory"]).await;
    let without = memory_of_each(&alone, sleep(Duration::from_secs(1))).await;

    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 1, &[]).await;
    let monitor = redis.monitor().await.unwrap();
    let mut seconds = 0.0;
    let looked = async {
        monitor.clear();
        let began = Instant::now();
        eventually("many are looked at", async || looks(&monitor.sent()) >= 4_000).await;
        seconds = began.elapsed().as_secs_f64();
    };
    let with = memory_of_each(&fleet[0], looked).await;
    let rate = looks(&monitor.sent()) as f64 / (seconds + 1.0);
    println!(
        "10,000 circuits: {rate:.0} looks a second, {with} bytes each, {without} without Redis"
    );
    // The first come at once, and what is between rounds is not always the same.
    assert!(rate <= 525.0, "{rate}");
    assert!(with <= without + 1024, "{with} and {without} bytes");

    // One that changes is not kept waiting by the others.
    let other = Worker::start(WORKER, &[&format!("infuse_redis_url={}", redis.url())]).await;
    other.say("open").await;
    fleet[0].until("open").await;
}

/// How many circuits the scripts were run for: each has five keys.
fn looks(sent: &[String]) -> u64 {
    let scripts = sent.iter().filter(|line| line.contains("] \"EVAL"));
    scripts.filter_map(|line| line.split('"').nth(5)?.parse::<u64>().ok()).sum::<u64>() / 5
}
