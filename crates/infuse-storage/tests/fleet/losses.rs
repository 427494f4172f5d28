//! A storage that loses what was written.

use infuse_storage::{Outcome, State};

use crate::support::{Fleet, RESET, SECOND, fail_times, let_happen, succeed, try_once, until_both};

#[tokio::test(start_paused = true)]
async fn a_flush_while_open_leaves_it_open() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    fail_times(&one, 5).await;
    until_both(&one, &two, State::Open).await;
    fleet.clock.advance(5 * SECOND);
    fleet.memory.forget_all();
    tokio::time::sleep(3 * SECOND).await;
    until_both(&one, &two, State::Open).await;
    assert_eq!(one.retry_after(), Some(10 * SECOND));
    assert_eq!(two.retry_after(), Some(10 * SECOND));
    fleet.clock.advance(10 * SECOND);
    try_once(&two, Outcome::Success).await;
    until_both(&one, &two, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_just_before_the_trial_does_not_stop_it() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    fail_times(&one, 5).await;
    until_both(&one, &two, State::Open).await;
    fleet.clock.advance(RESET);
    fleet.memory.forget_all();
    try_once(&one, Outcome::Success).await;
    until_both(&one, &two, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_while_a_trial_runs_leaves_it_half_open() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    fail_times(&one, 5).await;
    until_both(&one, &two, State::Open).await;
    fleet.clock.advance(RESET);
    let trial = one.acquire(None).await.unwrap();
    until_both(&one, &two, State::HalfOpen).await;
    fleet.memory.forget_all();
    trial.success();
    let_happen().await;
    until_both(&one, &two, State::HalfOpen).await;
    // The lease went with the record: another trial decides.
    try_once(&two, Outcome::Success).await;
    until_both(&one, &two, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn a_command_after_a_flush_holds() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    for _ in 0..3 {
        assert_eq!(one.open().await, infuse_storage::Reach::Fleet);
    }
    until_both(&one, &two, State::Open).await;
    fleet.memory.forget_all();
    assert_eq!(one.close().await, infuse_storage::Reach::Fleet);
    assert_eq!(one.state(), State::Closed);
    until_both(&one, &two, State::Closed).await;
    tokio::time::sleep(3 * SECOND).await;
    until_both(&one, &two, State::Closed).await;
    succeed(&one).await;
    succeed(&two).await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_while_closed_changes_nothing() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    assert_eq!(one.close().await, infuse_storage::Reach::Fleet);
    until_both(&one, &two, State::Closed).await;
    fleet.memory.forget_all();
    fail_times(&two, 5).await;
    until_both(&one, &two, State::Open).await;
}
