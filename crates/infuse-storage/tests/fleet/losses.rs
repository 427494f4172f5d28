//! A storage that loses what was written.

use infuse_storage::{Circuit, Circuits, Outcome, Policy, Reach, State, test_util::Fleet};

use crate::support::{RESET, SECOND, fail_times, succeed, try_once};

async fn pair() -> (Fleet<Circuits>, Circuit, Circuit) {
    let fleet = Fleet::of_circuits(2, |builder| builder).await;
    let circuit = |process: usize| fleet[process].circuit("payments", Policy::default());
    let (one, two) = (circuit(0), circuit(1));
    fleet.settle().await;
    (fleet, one, two)
}

/// Opened by the first, and that is a while ago.
async fn opened() -> (Fleet<Circuits>, Circuit, Circuit) {
    let (fleet, one, two) = pair().await;
    fail_times(&one, 5).await;
    fleet.clock().advance(5 * SECOND).await;
    fleet.converges_to("payments", State::Open).await;
    (fleet, one, two)
}

#[tokio::test(start_paused = true)]
async fn a_flush_while_open_leaves_it_open() {
    let (fleet, one, two) = opened().await;
    fleet.forget();
    fleet.clock().advance(3 * SECOND).await;
    fleet.converges_to("payments", State::Open).await;
    assert_eq!((one.retry_after(), two.retry_after()), (Some(7 * SECOND), Some(7 * SECOND)));
    fleet.clock().advance(7 * SECOND).await;
    try_once(&two, Outcome::Success).await;
    fleet.converges_to("payments", State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_just_before_the_trial_does_not_stop_it() {
    let (fleet, one, _two) = opened().await;
    fleet.clock().advance(RESET - 5 * SECOND).await;
    fleet.forget();
    try_once(&one, Outcome::Success).await;
    fleet.settle().await;
    assert_eq!(fleet.states("payments"), [State::Closed; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_flush_while_a_trial_runs_leaves_it_half_open() {
    let (fleet, one, two) = opened().await;
    fleet.clock().advance(RESET - 5 * SECOND).await;
    let trial = one.acquire(None).await.unwrap();
    fleet.converges_to("payments", State::HalfOpen).await;
    fleet.forget();
    trial.success();
    fleet.settle().await;
    assert_eq!(fleet.states("payments"), [State::HalfOpen; 2]);
    // The lease went with the record: another trial decides.
    try_once(&two, Outcome::Success).await;
    fleet.converges_to("payments", State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn a_command_after_a_flush_holds() {
    let (fleet, one, two) = pair().await;
    for _ in 0..3 {
        assert_eq!(one.open().await, Reach::Fleet);
    }
    fleet.settle().await;
    fleet.forget();
    assert_eq!(one.close().await, Reach::Fleet);
    assert_eq!(one.state(), State::Closed);
    fleet.clock().advance(3 * SECOND).await;
    fleet.settle().await;
    assert_eq!(fleet.states("payments"), [State::Closed; 2]);
    succeed(&one).await;
    succeed(&two).await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_while_closed_changes_nothing() {
    let (fleet, one, two) = pair().await;
    assert_eq!(one.close().await, Reach::Fleet);
    fleet.settle().await;
    fleet.forget();
    fail_times(&two, 5).await;
    fleet.settle().await;
    assert_eq!(fleet.states("payments"), [State::Open; 2]);
}
