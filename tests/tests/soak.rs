//! Many requests against an open circuit: little is logged, and no memory is lost.
//!
//! It takes 20 s, or as many as `INFUSE_SOAK_SECONDS` says:
//!
//! ```sh
//! INFUSE_SOAK_SECONDS=600 cargo test --release -p infuse-tests --test soak -- --nocapture
//! ```

#![allow(clippy::unwrap_used)]

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use infuse_tests::{Answer, Double, Gateway};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

/// Requests a second, and in how many connections at most.
const RATE: u64 = 1_000;
const CONNECTIONS: u64 = 20;

/// Time to come to rest: buffers, connections and threads are made at the beginning.
const SETTLING: Duration = Duration::from_secs(5);

/// What the memory may be more at the end, in KiB, and how many lines may be logged.
const MOST_GROWTH: u64 = 4 * 1024;
const MOST_LINES: usize = 25;

/// What was answered: by its status, 503 or another.
#[derive(Default)]
struct Answers {
    rejected: AtomicU64,
    others: AtomicU64,
}

async fn load(gateway: &Gateway, time: Duration) -> Answers {
    let answers = Arc::new(Answers::default());
    let end = Instant::now() + time;
    let mut callers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (client, answers) = (gateway.client.clone(), Arc::clone(&answers));
        let url = gateway.url("/call/payments/x");
        callers.spawn(async move {
            let mut pace = interval(Duration::from_secs(1) * CONNECTIONS as u32 / RATE as u32);
            // All of them, if some are late.
            pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
            while Instant::now() < end {
                pace.tick().await;
                let answer = client.get(&url).send().await.unwrap();
                let count =
                    if answer.status() == 503 { &answers.rejected } else { &answers.others };
                answer.bytes().await.unwrap();
                count.fetch_add(1, SeqCst);
            }
        });
    }
    callers.join_all().await;
    Arc::into_inner(answers).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_circuit_is_quiet_and_small() {
    let seconds = env::var("INFUSE_SOAK_SECONDS").ok().map_or(20, |text| text.parse().unwrap());
    let service = Double::start(Answer::Status(500)).await;
    let gateway = Gateway::start(&[
        ("INFUSE_SERVICES__PAYMENTS__URL", &service.url()),
        // It stays down, so trials are ever rarer: each is two lines.
        ("INFUSE_BREAKER_RESET_BACKOFF", "2"),
        ("INFUSE_BREAKER_RESET_TIMEOUT", "5"),
    ])
    .await;
    let first = load(&gateway, SETTLING).await;
    let before = gateway.process.memory();
    let second = load(&gateway, Duration::from_secs(seconds)).await;
    let after = gateway.process.memory();

    let sum = |count: fn(&Answers) -> &AtomicU64| {
        count(&first).load(SeqCst) + count(&second).load(SeqCst)
    };
    let (rejected, others) = (sum(|all| &all.rejected), sum(|all| &all.others));
    let lines = gateway.process.stderr();
    let grown = after.saturating_sub(before);
    println!(
        "{rejected} rejected and {others} other answers in {} s ({:.0} a second): {} lines, \
         {before} KiB, then {after} KiB",
        SETTLING.as_secs() + seconds,
        (rejected + others) as f64 / (SETTLING.as_secs() + seconds) as f64,
        lines.len(),
    );
    let metrics = gateway.get("/metrics").await.text().await.unwrap();
    let counted =
        format!("infuse_calls_total{{service=\"payments\",outcome=\"rejected\"}} {rejected}");
    assert!(metrics.lines().any(|line| line == counted), "{counted} is not in\n{metrics}");
    assert!(rejected > 100 * (seconds + SETTLING.as_secs()), "too few: {rejected}");
    assert!(lines.len() <= MOST_LINES, "{} lines: {lines:#?}", lines.len());
    assert!(grown <= MOST_GROWTH, "{grown} KiB more");
}
