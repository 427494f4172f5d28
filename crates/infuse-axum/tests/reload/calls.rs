//! What calls go by.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use infuse_axum::{Outcome, ServiceErrorKind, State};
use tokio::time::Instant;

use crate::{Bench, HANGS};

#[tokio::test(start_paused = true)]
async fn a_timeout_holds_for_calls_that_begin_from_then_on() {
    let bench = Bench::new(&[]).await;
    bench.status.store(HANGS, SeqCst);
    let begun = bench.call();
    let reload = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        bench.reload(&[("infuse_services.payments.timeout", "2")]).unwrap();
        let start = Instant::now();
        assert_eq!(bench.call().await.unwrap_err().kind(), ServiceErrorKind::Timeout);
        let waited = start.elapsed();
        assert!(waited >= Duration::from_secs(2) && waited < Duration::from_secs(3), "{waited:?}");
    };
    let start = Instant::now();
    let (begun, ()) = tokio::join!(begun, reload);
    assert_eq!(begun.unwrap_err().kind(), ServiceErrorKind::Timeout);
    assert!(start.elapsed() >= Duration::from_secs(5));
}

#[tokio::test]
async fn a_body_limit() {
    let bench = Bench::new(&[("infuse_service_body_limit", "3")]).await;
    assert!(bench.call().await.unwrap().text().await.is_err());
    bench.reload(&[("infuse_service_body_limit", "none")]).unwrap();
    assert_eq!(bench.call().await.unwrap().text().await.unwrap(), "a body");
}

#[tokio::test]
async fn exclusions() {
    let bench = Bench::built(&[], |builder| {
        builder.register_exclusion("teapot", |attempt| {
            attempt.status().is_some_and(|status| status.as_u16() == 500)
        })
    })
    .await;
    bench.fail(3).await;
    assert_eq!(bench.circuit().fail_counter(), 3);
    for exclude in ["500", "teapot"] {
        bench.reload(&[("infuse_breaker_exclude_exceptions", exclude)]).unwrap();
        bench.call().await.unwrap().bytes().await.unwrap();
        assert_eq!(bench.circuit().fail_counter(), 0, "{exclude}");
        bench.reload(&[]).unwrap();
        bench.fail(1).await;
        assert_eq!(bench.circuit().fail_counter(), 1, "no longer {exclude}");
    }
}

#[tokio::test]
async fn what_the_builder_said_stays() {
    let bench = Bench::built(&[("infuse_breaker_max_failure", "3")], |builder| {
        builder.classify(|_, attempt| {
            attempt.status().is_some_and(|s| s == 200).then_some(Outcome::Failure)
        })
    })
    .await;
    bench.reload(&[("infuse_breaker_max_failure", "2")]).unwrap();
    for _ in 0..2 {
        bench.call().await.unwrap();
    }
    bench.until(State::Open).await;
}

#[tokio::test]
async fn jitter_of_what_callers_are_told() {
    let bench = Bench::new(&[]).await;
    bench.fail(5).await;
    bench.until(State::Open).await;
    let told = async || {
        use axum::response::IntoResponse;
        let answer = bench.call().await.unwrap_err().into_response();
        answer.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(told().await, 15);
    bench.reload(&[("infuse_retry_after_jitter", "100%")]).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        seen.insert(told().await);
    }
    assert!(seen.len() > 3 && seen.iter().all(|told| (15..=30).contains(told)), "{seen:?}");
}
