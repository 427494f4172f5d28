//! No circuit loses its state.

use std::time::Duration;

use infuse_axum::{Policy, State};

use crate::Bench;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_circuit_that_is_open_keeps_its_state_and_its_time() {
    let bench = Bench::new(&[]).await;
    bench.fail(5).await;
    bench.until(State::Open).await;
    bench.clock.advance(5 * SECOND);
    let before = bench.circuit().snapshot();
    assert_eq!(before.retry_after, Some(10 * SECOND));

    let told = bench.reloaded(&[
        ("infuse_breaker_reset_timeout", "60"),
        ("infuse_breaker_max_failure", "2"),
        ("infuse_breaker_failure_rate", "0.5"),
    ]);
    assert_eq!(told.len(), 3, "{told:?}");
    let after = bench.circuit().snapshot();
    assert_eq!((after.state, after.fail_counter), (State::Open, before.fail_counter));
    assert_eq!((after.retry_after, after.opened_at), (before.retry_after, before.opened_at));
    assert!(bench.call().await.unwrap_err().is_rejected());

    // Its time over, a trial is made as ever; when it fails, what is set now holds.
    bench.clock.advance(10 * SECOND);
    bench.fail(1).await;
    bench.until(State::Open).await;
    assert_eq!(bench.circuit().retry_after(), Some(60 * SECOND));
}

#[tokio::test]
async fn a_circuit_that_is_half_open_keeps_what_its_trials_have_shown() {
    let bench = Bench::new(&[("infuse_breaker_success_threshold", "3")]).await;
    bench.fail(5).await;
    bench.until(State::Open).await;
    bench.clock.advance(15 * SECOND);
    bench.succeed().await;
    while bench.circuit().success_counter() < 1 {
        tokio::task::yield_now().await;
    }
    // A trial in flight, too.
    let trial = bench.circuit().acquire(None).await.unwrap();

    bench
        .reload(&[("infuse_breaker_success_threshold", "2"), ("infuse_breaker_max_failure", "9")])
        .unwrap();
    let circuit = bench.circuit();
    assert_eq!((circuit.state(), circuit.success_counter()), (State::HalfOpen, 1));
    assert_eq!(circuit.policy().success_threshold(), 2);
    assert_eq!(circuit.snapshot().trials, 1);

    trial.success();
    bench.until(State::Closed).await;
}

#[tokio::test]
async fn a_closed_circuit_keeps_its_count_and_opens_by_what_is_set_now() {
    let bench = Bench::new(&[]).await;
    bench.fail(2).await;
    assert_eq!(bench.circuit().fail_counter(), 2);
    bench.reload(&[("infuse_breaker_max_failure", "3")]).unwrap();
    assert_eq!(bench.circuit().fail_counter(), 2);
    bench.fail(1).await;
    bench.until(State::Open).await;
}

#[tokio::test]
async fn every_kind_of_circuit_is_changed() {
    let bench = Bench::new(&[("infuse_service_name", "orders")]).await;
    let database = bench.infuse.breaker("database").unwrap();
    let client = bench.infuse.client();
    let refunds = client.service("payments").unwrap().circuit("refunds").unwrap();
    refunds.get("x").send().await.unwrap();
    let names: Vec<_> = bench.infuse.circuits().into_iter().map(|it| it.service).collect();
    assert_eq!(names, ["database", "orders", "other", "payments", "payments/refunds"]);

    bench
        .reload(&[
            ("infuse_breaker_max_failure", "2"),
            ("infuse_services.payments.breaker_max_failure", "3"),
            ("infuse_services.database.breaker_ramp", "10"),
        ])
        .unwrap();
    let failures = |name| bench.infuse.circuit(name).unwrap().policy().max_failure();
    assert_eq!([failures("database"), failures("orders"), failures("other")], [2, 2, 2]);
    assert_eq!([failures("Payments"), failures("Payments/refunds")], [3, 3]);
    assert_eq!(database.policy().ramp(), Some(10 * SECOND));
    // And those that come later.
    assert_eq!(bench.infuse.breaker("cache").unwrap().policy().max_failure(), 2);
    let disputes = client.service("payments").unwrap().circuit("disputes").unwrap();
    disputes.get("x").send().await.unwrap();
    assert_eq!(failures("payments/disputes"), 3);
}

#[tokio::test]
async fn the_lease_of_a_trial_goes_by_the_timeout_that_is_set_now() {
    let bench = Bench::new(&[("infuse_breaker_reset_timeout", "1")]).await;
    assert_eq!(bench.circuit().policy().lease(None), 6 * SECOND);
    bench.reload(&[("infuse_service_timeout", "9")]).unwrap();
    assert_eq!(bench.circuit().policy().lease(None), 10 * SECOND);
}

#[tokio::test]
async fn what_code_has_put_on_a_circuit_stays_until_its_settings_change() {
    let bench = Bench::new(&[]).await;
    let own = Policy::builder().max_failure(77).build().unwrap();
    bench.circuit().set_policy(own.clone());
    bench.reload(&[("infuse_services.other.breaker_max_failure", "3")]).unwrap();
    assert_eq!(bench.circuit().policy(), own);
    bench.reload(&[("infuse_breaker_max_failure", "4")]).unwrap();
    assert_eq!(bench.circuit().policy().max_failure(), 4);
}

#[tokio::test]
async fn a_circuit_that_is_looked_for_is_not_made() {
    let bench = Bench::new(&[]).await;
    assert!(bench.infuse.circuit("paymnets").is_none());
    assert!(bench.infuse.circuit("payments/refunds").is_none());
    assert!(bench.infuse.circuit("no name").is_none());
    assert_eq!(bench.infuse.circuit("PAYMENTS").unwrap().name(), "payments");
    assert_eq!(bench.infuse.circuits().len(), 2);
}
