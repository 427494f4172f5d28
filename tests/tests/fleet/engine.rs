//! Rates, open times and recovery are the fleet's.

use std::time::{Duration, SystemTime};

use infuse_test_servers::RedisServer;
use infuse_tests::{Answer, Double, Fleet, eventually};
use serde_json::json;
use tokio::time::sleep;

use crate::{fleet, together};

const QUICK: &str = "infuse_sync_interval=100ms";

/// Of three calls of each worker, two fail, but never two in a row in all of them.
async fn call_a_little(fleet: &Fleet) {
    for word in ["fail", "succeed", "fail"] {
        for worker in fleet.iter() {
            worker.went(word).await;
        }
    }
}

#[tokio::test]
async fn rates_add_up_over_eight_processes() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let rate = [
        QUICK,
        "infuse_breaker_max_failure=none",
        "infuse_breaker_failure_rate=60%",
        "infuse_breaker_window=1m",
        "infuse_breaker_minimum_calls=24",
    ];
    let fleet = fleet(&redis, 8, &rate).await;
    call_a_little(&fleet).await;
    // None of them has seen more than three calls.
    fleet.until("open").await;
    let logs: Vec<_> = fleet.iter().flat_map(|worker| worker.logged("failure-rate")).collect();
    assert!(!logs.is_empty(), "{:#?}", fleet[0].log());
}

#[tokio::test]
async fn a_rate_that_is_not_reached_opens_nothing() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let rate = [
        QUICK,
        "infuse_breaker_max_failure=none",
        "infuse_breaker_failure_rate=70%",
        "infuse_breaker_window=1m",
        "infuse_breaker_minimum_calls=24",
    ];
    let fleet = fleet(&redis, 8, &rate).await;
    call_a_little(&fleet).await;
    // All have told: one of them sees the calls of all.
    eventually("the calls of all are known", async || {
        fleet[0].went("succeed").await;
        let counts = &fleet[0].circuit().await["fleet_window"]["counts"];
        counts["calls"].as_u64() >= Some(24) && counts["failures"].as_u64() == Some(16)
    })
    .await;
    for worker in fleet.iter() {
        assert_eq!(worker.state().await, "closed");
    }
}

#[tokio::test]
async fn calls_that_are_slow_open_the_circuit_for_all() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    // Each takes 40 ms at least.
    let service = Double::start(Answer::Drip(5, Duration::from_millis(10))).await;
    let url = format!("infuse_services.target.url={}", service.url());
    let slow = [
        QUICK,
        &url,
        "infuse_breaker_slow_call_duration=20ms",
        "infuse_breaker_slow_call_rate=100%",
        "infuse_breaker_window_calls=10",
        "infuse_breaker_minimum_calls=10",
    ];
    let fleet = fleet(&redis, 2, &slow).await;
    for call in 0..10 {
        assert_eq!(fleet[call % 2].went("call").await, "succeeded");
    }
    fleet.until("open").await;
}

/// How many seconds each says that are left.
async fn left(fleet: &Fleet) -> Vec<f64> {
    let mut left = Vec::new();
    for worker in fleet.iter() {
        left.push(worker.circuit().await["retry_after"].as_f64().unwrap_or_default());
    }
    left
}

/// Waits until all are open for longer than so many seconds.
async fn until_left(fleet: &Fleet, seconds: f64) {
    eventually(&format!("all are open for {seconds} s"), async || {
        left(fleet).await.iter().all(|left| *left > seconds)
    })
    .await;
}

async fn trip(fleet: &Fleet) {
    for _ in 0..5 {
        assert_eq!(fleet[0].went("fail").await, "failed");
    }
    fleet.until("open").await;
}

#[tokio::test]
async fn the_open_time_grows_in_all_alike() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let growing = ["infuse_breaker_reset_timeout=500ms", "infuse_breaker_reset_backoff=100"];
    let fleet = fleet(&redis, 3, &growing).await;
    trip(&fleet).await;
    assert!(left(&fleet).await.iter().all(|left| *left <= 0.5));
    // The trial of another fails.
    eventually("a trial fails", async || fleet[1].went("fail").await == "failed").await;
    until_left(&fleet, 30.0).await;
    assert!(left(&fleet).await.iter().all(|left| *left <= 50.0));
    let late = crate::fleet(&redis, 1, &growing).await;
    until_left(&late, 30.0).await;
    for worker in fleet.iter() {
        assert_eq!(worker.circuit().await["failed_trials"], 1);
    }
    // By hand it is as at first.
    assert_eq!(fleet[2].say("open").await["reach"], "fleet");
    eventually("it is open anew", async || left(&fleet).await.iter().all(|left| *left <= 0.5))
        .await;
}

fn busy(status: &str, retry_after: &str) -> Answer {
    let answer =
        format!("HTTP/1.1 {status}\r\nRetry-After: {retry_after}\r\nContent-Length: 0\r\n\r\n");
    Answer::Raw(answer.into())
}

#[tokio::test]
async fn a_service_that_asks_to_be_left_alone_is_left_alone_by_all() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(120));
    for retry_after in ["120", &date] {
        let service = Double::start(busy("503 Service Unavailable", retry_after)).await;
        let url = format!("infuse_services.target.url={}", service.url());
        let capped = [&*url, QUICK, "infuse_breaker_max_retry_after=1m"];
        let fleet = fleet(&redis, 3, &capped).await;
        for _ in 0..5 {
            assert_eq!(fleet[0].went("call").await, "failed");
        }
        until_left(&fleet, 30.0).await;
        assert!(left(&fleet).await.iter().all(|left| *left <= 60.0), "no more than the cap");
        assert_eq!(fleet[1].say("close").await["reach"], "fleet");
        fleet.until("closed").await;
    }
}

#[tokio::test]
async fn too_many_requests_put_off_the_next_trial_of_all() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let service = Double::start(busy("429 Too Many Requests", "60")).await;
    let url = format!("infuse_services.target.url={}", service.url());
    let fleet = fleet(&redis, 2, &[&url, QUICK, "infuse_breaker_reset_timeout=300ms"]).await;
    trip(&fleet).await;
    eventually("the trial is made", async || {
        fleet[1].went("call").await;
        service.requests() == 1
    })
    .await;
    // It said nothing about the service, and the next trial waits for a minute.
    sleep(Duration::from_millis(500)).await;
    for worker in fleet.iter() {
        for _ in 0..5 {
            assert_eq!(worker.went("call").await, "rejected");
        }
    }
    assert_eq!(service.requests(), 1);
}

#[tokio::test]
async fn all_recover_by_the_same_ramp() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let ramp = ["infuse_breaker_reset_timeout=300ms", "infuse_breaker_ramp=10m"];
    let fleet = fleet(&redis, 3, &ramp).await;
    trip(&fleet).await;
    eventually("a trial succeeds", async || fleet[1].went("succeed").await == "succeeded").await;
    fleet.until("closed").await;
    let late = crate::fleet(&redis, 1, &ramp).await;
    // Until its first look is answered, a circuit is closed like any that is new.
    eventually("it has looked", async || late[0].circuit().await["generation"] != 0).await;
    for worker in fleet.iter().chain(&*late) {
        let run = worker.ask(json!({ "do": "run", "calls": 200 })).await;
        // A tenth at first, and the test takes a few seconds of ten minutes.
        let passed = run["succeeded"].as_u64().unwrap();
        assert!((15..=40).contains(&passed), "{passed} of 200 passed");
        assert_eq!(run["rejected"].as_u64().unwrap() + passed, 200);
    }
    // And back to open, for longer than at first.
    for _ in 0..100 {
        fleet[2].went("fail").await;
    }
    fleet.until("open").await;
    for worker in fleet.iter() {
        assert_eq!(worker.circuit().await["failed_trials"], 1);
    }
}

#[tokio::test]
async fn one_process_cannot_close_off_a_service_for_all_where_two_must_agree() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 3, &[QUICK, "infuse_trip_min_reporters=2"]).await;
    for _ in 0..5 {
        assert_eq!(fleet[0].went("fail").await, "failed");
    }
    // It protects itself.
    assert_eq!(fleet[0].went("fail").await, "rejected");
    // Longer than a grace, and than a few looks.
    sleep(Duration::from_millis(500)).await;
    assert_eq!(fleet[0].state().await, "open");
    for worker in &fleet[1..] {
        assert_eq!(worker.state().await, "closed");
    }
    // A second one finds the same.
    for _ in 0..5 {
        fleet[1].went("fail").await;
    }
    fleet.until("open").await;
}
