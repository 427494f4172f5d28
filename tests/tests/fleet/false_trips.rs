//! Failures of all processes add up. Scattered errors of a healthy fleet must not.

use infuse_test_servers::RedisServer;
use infuse_tests::Fleet;
use serde_json::{Value, json};

use crate::{alone, fleet};

const PROCESSES: usize = 16;

/// Calls of which 2 % fail at random, a few hundred a second in each process.
async fn run(fleet: &Fleet, calls: u64) -> Vec<Value> {
    fleet
        .ask_each(|number| {
            json!({ "do": "run", "calls": calls, "rate": 300, "failing": 20, "seed": number + 1 })
        })
        .await
}

fn sum(runs: &[Value], of: &str) -> u64 {
    runs.iter().filter_map(|run| run[of].as_u64()).sum()
}

#[tokio::test]
async fn a_healthy_fleet_does_not_open() {
    let _turn = alone().await;
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, PROCESSES, &[]).await;
    let monitor = redis.monitor().await.unwrap();
    let runs = run(&fleet, 50_000 / PROCESSES as u64).await;
    let sent = monitor.sent().len() as f64;
    assert_eq!(sum(&runs, "rejected"), 0);
    let failed = sum(&runs, "failed");
    assert!((700..1300).contains(&failed), "{failed}");
    for worker in fleet.iter() {
        assert!(worker.changes().is_empty(), "{:?}", worker.changes());
    }
    let seconds = runs[0]["seconds"].as_f64().unwrap();
    let each = sent / seconds / PROCESSES as f64;
    println!("{failed} scattered errors; {each:.1} commands a second for each process");
    assert!(each <= 25.0, "{each}");
}

/// That the test above can fail.
#[tokio::test]
async fn without_successes_and_grace_it_opens() {
    let _turn = alone().await;
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, PROCESSES, &["--graceless"]).await;
    let runs = run(&fleet, 600).await;
    assert!(sum(&runs, "rejected") > 0);
    fleet.until("open").await;
}
