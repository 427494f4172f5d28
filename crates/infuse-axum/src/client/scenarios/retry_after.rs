//! What a service asks for by `Retry-After`, and what callers are told in turn.

use axum::response::IntoResponse;
use infuse_storage::core::Reason;

use super::*;

/// The header of a rejection, in seconds.
fn told(error: &ServiceError) -> u64 {
    error.into_response().headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_503_that_opens_keeps_open_for_what_it_asks() {
    for (asked, left) in [("60", 60), ("1", 15), ("soon", 15), ("999999999999", 300)] {
        let bench = bench();
        bench.acts.set("a", Act::AskFor(503, asked));
        bench.call_times(5, "a").await;
        let error = bench.call("a").await.unwrap_err();
        assert_eq!(error.retry_after(), Some(secs(left)), "{asked}");
        assert_eq!(told(&error), left);
    }
}

#[tokio::test]
async fn a_429_opens_nothing_but_holds_off() {
    let bench = bench();
    bench.acts.set("busy", Act::AskFor(429, "40"));
    bench.acts.set("a", Act::Answer(500));
    bench.call_times(20, "busy").await;
    assert_eq!((bench.circuit.state(), bench.circuit.fail_counter()), (State::Closed, 0));
    bench.clock.advance(secs(10));
    bench.call_times(5, "a").await;
    let error = bench.call("a").await.unwrap_err();
    assert_eq!(error.retry_after(), Some(secs(30)));
}

#[tokio::test]
async fn other_statuses_are_not_heard() {
    let bench = bench();
    bench.acts.set("a", Act::AskFor(500, "60"));
    bench.acts.set("b", Act::AskFor(302, "60"));
    bench.call_times(5, "b").await;
    bench.call_times(5, "a").await;
    assert_eq!(bench.call("a").await.unwrap_err().retry_after(), Some(secs(15)));
}

#[tokio::test]
async fn a_trial_that_is_told_to_wait_is_given_back_and_the_next_waits() {
    let bench = bench();
    bench.acts.set("a", Act::Answer(500));
    bench.call_times(5, "a").await;
    bench.clock.advance(secs(15));
    bench.acts.set("a", Act::AskFor(429, "30"));
    assert_eq!(bench.call("a").await.unwrap(), 429);
    bench.acts.set("a", Act::Answer(200));
    bench.clock.advance(secs(29));
    assert!(bench.call("a").await.unwrap_err().is_rejected());
    bench.clock.advance(secs(1));
    assert_eq!(bench.call("a").await.unwrap(), 200);
    bench.becomes(&bench.circuit, State::Closed).await;
}

#[tokio::test]
async fn callers_are_spread_out_and_none_comes_too_early() {
    let bench = bench();
    bench.acts.set("a", Act::Answer(500));
    bench.call_times(5, "a").await;
    bench.clock.advance(Duration::from_millis(4_500));
    let tell = async || told(&bench.call("a").await.unwrap_err());
    assert_eq!((tell().await, tell().await), (11, 11));

    bench.set(|rules| rules.retry_after_jitter = 1.0);
    let mut all = Vec::new();
    for _ in 0..100 {
        all.push(tell().await);
    }
    assert!(all.iter().all(|seconds| (11..=21).contains(seconds)), "{all:?}");
    all.sort_unstable();
    all.dedup();
    assert!(all.len() > 3, "{all:?}");
    // What the app is told has none.
    let error = bench.call("a").await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_millis(10_500)));
}

#[tokio::test]
async fn the_least_is_a_second() {
    let bench = bench();
    bench.acts.set("a", Act::Answer(500));
    bench.call_times(5, "a").await;
    bench.clock.advance(secs(15));
    bench.acts.set("a", say(&[Step::Data("a"), Step::Hang]));
    let trial = bench.get("a").await.unwrap();
    let error = bench.call("a").await.unwrap_err();
    assert_eq!(error.rejected().unwrap().reason(), Reason::HalfOpen);
    assert_eq!((error.retry_after(), told(&error)), (Some(Duration::ZERO), 1));
    drop(trial);
}
