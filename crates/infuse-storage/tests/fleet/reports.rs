use infuse_storage::{CircuitKey, Look, Presented, State, Storage, View};

use crate::support::{
    Fleet, SECOND, fail, fail_times, let_happen, ready,
    scripted::{Scripted, Verb},
    succeed, until,
};
use std::{sync::Arc, time::Duration};

async fn look(fleet: &Fleet) -> View {
    let look = [Look::new(CircuitKey::new("payments"), Presented::NOTHING)];
    fleet.memory.look(&look).await.unwrap().remove(0)
}

#[tokio::test(start_paused = true)]
async fn failures_of_all_processes_are_added() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    fail_times(&one, 2).await;
    fail_times(&two, 2).await;
    tokio::time::sleep(SECOND / 5).await;
    assert_eq!(look(&fleet).await.failures, 4);
    assert_eq!((one.state(), two.state()), (State::Closed, State::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_success_anywhere_takes_the_failures_back() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    fail_times(&one, 2).await;
    tokio::time::sleep(SECOND / 5).await;
    assert_eq!(look(&fleet).await.failures, 2);
    // Later than the failures, by both clocks.
    fleet.clock.advance(SECOND);
    tokio::time::sleep(SECOND / 10).await;
    succeed(&two).await;
    fleet.clock.advance(SECOND / 10);
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(look(&fleet).await.failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_report_says_that_there_was_a_success_before() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    fail_times(&one, 2).await;
    tokio::time::sleep(SECOND / 5).await;
    fleet.clock.advance(SECOND);
    // So that the coarse clock has moved on.
    tokio::time::sleep(SECOND / 10).await;
    succeed(&two).await;
    fail(&two).await;
    let_happen().await;
    assert_eq!(look(&fleet).await.failures, 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_has_ended_is_not_reported() {
    let fleet = Fleet::new();
    let scripted = Scripted::new(fleet.memory.clone());
    let circuits = ready(fleet.builder_on(Arc::new(scripted.clone()))).await;
    let one = circuits.circuit("payments", infuse_storage::Policy::default());
    let_happen().await;
    for _ in 0..3 {
        one.try_permit().unwrap().failure();
    }
    // Before the replicator comes to tell of it.
    one.try_permit().unwrap().success();
    tokio::time::sleep(SECOND / 5).await;
    assert_eq!(look(&fleet).await.failures, 0);
    assert_eq!(scripted.count(Verb::Report), 0);
    fail(&one).await;
    tokio::time::sleep(SECOND / 5).await;
    assert_eq!(look(&fleet).await.failures, 1);
}

#[tokio::test(start_paused = true)]
async fn reports_of_a_circuit_are_fifty_milliseconds_apart() {
    let fleet = Fleet::new();
    let scripted = Scripted::new(fleet.memory.clone());
    let circuits = ready(fleet.builder_on(Arc::new(scripted.clone()))).await;
    let policy = infuse_storage::Policy::builder().max_failure(60_000).build().unwrap();
    let circuit = circuits.circuit("payments", policy);
    let_happen().await;
    for _ in 0..1_000 {
        fail(&circuit).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(SECOND / 5).await;
    let reports = scripted.asked(Verb::Report);
    assert!((10..=25).contains(&reports.len()), "{} reports in a second", reports.len());
    for pair in reports.windows(2) {
        let apart = pair[1].at - pair[0].at;
        assert!(apart >= Duration::from_millis(50), "reports {apart:?} apart");
    }
    until("all failures were reported", || {
        scripted.asked(Verb::Report).last().unwrap().what.contains("failures: 1000,")
    })
    .await;
    assert_eq!(look(&fleet).await.failures, 1_000);
}

#[tokio::test(start_paused = true)]
async fn successes_in_a_healthy_circuit_send_nothing() {
    let fleet = Fleet::new();
    let scripted = Scripted::new(fleet.memory.clone());
    let circuits = ready(fleet.builder_on(Arc::new(scripted.clone()))).await;
    let circuit = circuits.circuit("payments", infuse_storage::Policy::default());
    let_happen().await;
    let before = scripted.count_all();
    for _ in 0..1_000 {
        succeed(&circuit).await;
    }
    let_happen().await;
    assert_eq!(scripted.count_all(), before);
    // Nothing but the poll of what was used.
    tokio::time::sleep(10 * SECOND).await;
    assert!(scripted.count_all() - before <= 2);
}
