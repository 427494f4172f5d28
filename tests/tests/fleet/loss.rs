//! Redis stops, dies, forgets, refuses to write, or holds rubbish: no call fails because of it,
//! every process is guarded by its own breaker meanwhile, and all agree again when it is over.

use std::time::{Duration, Instant};

use infuse_test_servers::RedisServer;
use infuse_tests::{Fleet, Worker, eventually};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{alone, fleet, key, together, until_key};

const POLL: Duration = Duration::from_millis(400);
/// Agreement comes within two polls. The rest is for a machine that is busy.
const AGREED: Duration = Duration::from_millis(2 * 400 + 500);

const SETTINGS: [&str; 3] =
    [TIMEOUT, "infuse_sync_interval=400ms", "infuse_breaker_reset_timeout=60"];
const TIMEOUT: &str = "infuse_redis_timeout=100ms";

/// That a loss was said once, and its end once.
fn said_once(fleet: &Fleet) {
    for worker in fleet.iter() {
        assert_eq!(worker.logged("the storage is lost").len(), 1, "{:#?}", worker.log());
        assert_eq!(worker.logged("the storage is back").len(), 1, "{:#?}", worker.log());
        assert_eq!(worker.logged("panicked"), [""; 0]);
    }
}

async fn until_lost(fleet: &Fleet) {
    for worker in fleet.iter() {
        worker.until_shared(false).await;
    }
}

/// Waits until all share again, and says how long it took.
async fn until_back(fleet: &Fleet) -> Duration {
    let began = Instant::now();
    for worker in fleet.iter() {
        worker.until_shared(true).await;
    }
    began.elapsed()
}

/// Opens the circuit of one worker by failures.
async fn trip(worker: &Worker) {
    let run = worker.ask(json!({ "do": "run", "calls": 5, "failing": 1000 })).await;
    assert_eq!(run["failed"], 5);
    assert_eq!(worker.went("succeed").await, "rejected");
}

fn micros(run: &Value, of: &str) -> f64 {
    run["micros"][of].as_f64().unwrap()
}

#[tokio::test]
async fn calls_do_not_notice_a_server_that_stands_still() {
    let _turn = alone().await;
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 2, &[TIMEOUT, "infuse_sync_interval=200ms"]).await;
    let run = json!({ "do": "run", "millis": 4000, "rate": 500, "callers": 8 });
    let mut healthy = run.clone();
    healthy["millis"] = 2000.into();
    let healthy = fleet[0].ask(healthy).await;

    redis.stop_signal();
    let loads = fleet.ask(run).await;
    assert_eq!(fleet[0].circuit().await["shared"], false);
    for load in &loads {
        assert_eq!((&load["failed"], &load["rejected"]), (&json!(0), &json!(0)), "{load}");
        assert!(load["succeeded"].as_u64().unwrap() > 1000, "{load}");
    }
    let (before, meanwhile) = (micros(&healthy, "p99"), micros(&loads[0], "p99"));
    println!("a call takes {before} µs (p99) with Redis, and {meanwhile} µs while it stands still");
    assert!(meanwhile - before <= 1000.0);

    // The breaker here guards meanwhile, and for this process alone.
    trip(&fleet[0]).await;
    assert_eq!(fleet[1].went("succeed").await, "succeeded");
    redis.cont_signal();
    let took = until_back(&fleet).await;
    println!("they share again {took:?} after it goes on");
    assert!(took < Duration::from_millis(2 * 200 + 500), "{took:?}");
    said_once(&fleet);
    // Open here and closed in the fleet: a trial decides.
    eventually("a trial closes it", async || fleet[0].went("succeed").await == "succeeded").await;
    fleet.until("closed").await;
}

#[tokio::test]
async fn a_caller_waits_for_a_lease_once() {
    let _turn = alone().await;
    let redis = RedisServer::start().await;
    // So seldom that it is the caller who finds out.
    let settings = [TIMEOUT, "infuse_sync_interval=30", "infuse_breaker_reset_timeout=300ms"];
    let fleet = fleet(&redis, 1, &settings).await;
    fleet[0].say("open").await;
    redis.stop_signal();
    sleep(Duration::from_millis(350)).await;
    let first = fleet[0].say("hold").await;
    let waited = first["micros"].as_f64().unwrap() / 1000.0;
    println!("a caller waits {waited:.1} ms for a lease");
    // The timeout is 100 ms. What is more is the machine's.
    assert!((90.0..200.0).contains(&waited), "{first}");
    assert_eq!(first["granted"], false);
    // From then on trials are local, and nobody waits.
    let mut longest = 0.0_f64;
    eventually("a local trial", async || {
        let next = fleet[0].say("hold").await;
        longest = longest.max(next["micros"].as_f64().unwrap() / 1000.0);
        next["granted"] == true
    })
    .await;
    assert!(longest < 90.0, "{longest}");
    fleet[0].ask(json!({ "do": "release", "as": "success" })).await;
    fleet[0].until("closed").await;
}

#[tokio::test]
async fn a_lease_that_is_granted_when_nobody_waits_any_more_is_given_back() {
    let _turn = alone().await;
    let redis = RedisServer::start().await;
    // A lease of this lasts a minute.
    let settings = [
        TIMEOUT,
        "infuse_sync_interval=400ms",
        "infuse_breaker_reset_timeout=300ms",
        "infuse_services.target.url=http://127.0.0.1:1",
        "infuse_services.target.timeout=60",
    ];
    let fleet = fleet(&redis, 2, &settings).await;
    fleet[0].say("open").await;
    fleet.until("open").await;
    // The server knows the script.
    eventually("a trial is granted", async || fleet[0].say("hold").await["granted"] == true).await;
    fleet[0].ask(json!({ "do": "release", "as": "failure" })).await;
    fleet.until("open").await;
    // The trial is due when the server stands still, and has the request.
    sleep(Duration::from_millis(400)).await;
    redis.stop_signal();
    assert_eq!(fleet[0].say("hold").await["granted"], false);
    until_lost(&fleet).await;
    redis.cont_signal();
    until_back(&fleet).await;
    let began = Instant::now();
    eventually("a trial is granted", async || fleet[1].say("hold").await["granted"] == true).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    fleet[1].ask(json!({ "do": "release", "as": "success" })).await;
    fleet.until("closed").await;
}

#[tokio::test]
async fn a_trial_outlives_the_server_that_granted_it() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 2, &SETTINGS).await;
    fleet[0].say("half-open").await;
    fleet.until("half-open").await;
    assert_eq!(fleet[0].say("hold").await["granted"], true);
    redis.kill();
    until_lost(&fleet).await;
    redis.restart().await;
    until_back(&fleet).await;
    said_once(&fleet);
    // Whether its outcome still counts or not: nothing stays stuck.
    fleet[0].ask(json!({ "do": "release", "as": "success" })).await;
    eventually("a trial closes it", async || {
        let went = [fleet[0].went("succeed").await, fleet[1].went("succeed").await];
        went == ["succeeded", "succeeded"]
    })
    .await;
    fleet.until("closed").await;
    until_key(&redis, &key("state"), "closed").await;
}

#[tokio::test]
async fn a_server_that_restarts_empty_learns_what_was() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 2, &SETTINGS).await;
    trip(&fleet[0]).await;
    fleet.until("open").await;
    redis.kill();
    until_lost(&fleet).await;
    redis.restart().await;
    let took = until_back(&fleet).await;
    assert!(took < AGREED, "{took:?}");
    said_once(&fleet);
    until_key(&redis, &key("state"), "open").await;
    for worker in fleet.iter() {
        let circuit = worker.circuit().await;
        assert_eq!(circuit["state"], "open");
        let left = circuit["retry_after"].as_f64().unwrap();
        assert!((50.0..60.0).contains(&left), "{circuit}");
    }
    fleet[1].say("close").await;
    fleet.until("closed").await;
}

/// After whatever happened, the storage is shared, and says what the workers say.
async fn agree(redis: &RedisServer, fleet: &Fleet, state: &str) {
    let began = Instant::now();
    until_key(redis, &key("state"), state).await;
    fleet.until(state).await;
    let took = began.elapsed();
    assert!(took < AGREED, "{took:?}");
    for worker in fleet.iter() {
        assert_eq!(worker.circuit().await["shared"], true);
        assert_eq!(worker.logged("panicked"), [""; 0]);
    }
}

#[tokio::test]
async fn a_flush_is_mended() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 2, &SETTINGS).await;
    trip(&fleet[0]).await;
    fleet.until("open").await;
    for command in [&["FLUSHALL"][..], &["SCRIPT", "FLUSH"]] {
        redis.command(command).await.unwrap();
        agree(&redis, &fleet, "open").await;
        assert_eq!(fleet[1].went("succeed").await, "rejected");
    }
    fleet[0].say("half-open").await;
    fleet.until("half-open").await;
    assert_eq!(fleet[0].say("hold").await["granted"], true);
    for command in [&["FLUSHALL"][..], &["SCRIPT", "FLUSH"]] {
        redis.command(command).await.unwrap();
        agree(&redis, &fleet, "half-open").await;
    }
    // The lease was lost with it, and so the trial says nothing; the next does.
    fleet[0].ask(json!({ "do": "release", "as": "drop" })).await;
    eventually("a trial closes it", async || fleet[1].went("succeed").await == "succeeded").await;
    agree(&redis, &fleet, "closed").await;
    for worker in fleet.iter() {
        assert_eq!(worker.logged("the storage is lost"), [""; 0]);
    }
}

/// What makes every write fail, and what ends it.
async fn writes_fail(begin: &[&[&str]], end: &[&[&str]]) {
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 2, &SETTINGS).await;
    // A circuit that everybody knows, so that nothing of what fails next is news to anybody.
    fleet[0].say("close").await;
    for worker in fleet.iter() {
        eventually("it is known", async || worker.circuit().await["generation"] == 1).await;
    }
    for command in begin {
        redis.command(command).await.unwrap();
    }
    // A failure is to be written down.
    for worker in fleet.iter() {
        assert_eq!(worker.went("fail").await, "failed");
    }
    until_lost(&fleet).await;
    assert_eq!(fleet[0].say("open").await["reach"], "local");
    assert_eq!(fleet[0].went("succeed").await, "rejected");
    assert_eq!(fleet[1].went("succeed").await, "succeeded");
    trip(&fleet[1]).await;
    // It does not come and go meanwhile: that reads work counts for nothing.
    sleep(3 * POLL).await;
    for worker in fleet.iter() {
        assert_eq!(worker.circuit().await["shared"], false, "{:#?}", worker.log());
    }
    for command in end {
        redis.command(command).await.unwrap();
    }
    let took = until_back(&fleet).await;
    assert!(took < AGREED, "{took:?}");
    said_once(&fleet);
    eventually("a trial closes it", async || {
        let went = [fleet[0].went("succeed").await, fleet[1].went("succeed").await];
        went == ["succeeded", "succeeded"]
    })
    .await;
    fleet.until("closed").await;
}

#[tokio::test]
async fn a_server_that_became_a_replica_is_lost() {
    let _turn = together().await;
    writes_fail(&[&["REPLICAOF", "127.0.0.1", "1"]], &[&["REPLICAOF", "NO", "ONE"]]).await;
}

#[tokio::test]
async fn a_server_that_is_full_is_lost() {
    let _turn = together().await;
    let full = ["CONFIG", "SET", "maxmemory", "1"];
    let roomy = ["CONFIG", "SET", "maxmemory", "0"];
    writes_fail(&[&full], &[&roomy]).await;
}

#[tokio::test]
async fn rubbish_is_mended() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let fleet = fleet(&redis, 2, &SETTINGS).await;
    trip(&fleet[0]).await;
    fleet.until("open").await;
    // At one stroke: a look in between would mend what is not there.
    let replace = "redis.call('DEL', KEYS[1]) redis.call('RPUSH', KEYS[1], 'of a wrong type')";
    for name in ["state", "fail_counter", "opened_at", "record", "shares"] {
        let key = key(name);
        redis.command(&["EVAL", replace, "1", &key]).await.unwrap();
        eventually("it is mended", async || {
            redis.command(&["TYPE", &key]).await.unwrap().text() != Some("list")
        })
        .await;
        agree(&redis, &fleet, "open").await;
    }
    for (name, value) in [("state", "ajar"), ("fail_counter", "many"), ("opened_at", "1e400")] {
        let key = key(name);
        redis.set(&key, value).await.unwrap();
        eventually("it is mended", async || {
            redis.get(&key).await.unwrap().as_deref() != Some(value)
        })
        .await;
        agree(&redis, &fleet, "open").await;
    }
    assert_eq!(fleet[1].went("succeed").await, "rejected");
    for worker in fleet.iter() {
        assert_eq!(worker.logged("the storage is lost"), [""; 0]);
    }
    fleet[1].say("close").await;
    agree(&redis, &fleet, "closed").await;
}
