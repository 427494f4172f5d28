use std::time::Duration;

use infuse_storage::{Circuit, Mode, Outcome, Override, Policy, Reach, State};
use tokio::time::sleep;

use crate::{
    Faulty,
    support::{
        RESET, SECOND, fail, fail_times, rejected,
        scripted::{Gate, Verb},
        succeed, try_once, until, until_both, until_state,
    },
};

async fn lost() -> Faulty {
    lost_with(Policy::default()).await
}

async fn lost_with(policy: Policy) -> Faulty {
    let faulty = Faulty::with(policy, |builder| builder).await;
    faulty.script.set_all(Gate::Error);
    faulty.circuits.circuit("orders", Policy::default());
    until("the storage is lost", || faulty.is_lost()).await;
    faulty
}

async fn come_back(faulty: &Faulty) {
    faulty.script.set_all(Gate::Ok);
    until("the storage is found", || !faulty.is_lost()).await;
}

async fn open_here(faulty: &Faulty) {
    fail_times(&faulty.here, 5).await;
    assert_eq!(faulty.here.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn open_here_and_closed_there_is_tried_at_once() {
    let faulty = lost().await;
    open_here(&faulty).await;
    let opened_at = faulty.here.opened_at();
    come_back(&faulty).await;
    assert_eq!(faulty.here.state(), State::HalfOpen);
    assert_eq!(faulty.here.opened_at(), opened_at);
    assert_eq!(faulty.there.state(), State::Closed);

    let trial = faulty.here.acquire(None).await.unwrap();
    assert!(trial.is_trial());
    rejected(&faulty.here).await;
    assert_eq!(faulty.script.count(Verb::Lease), 0);
    trial.success();
    assert_eq!(faulty.here.state(), State::Closed);
    sleep(3 * SECOND).await;
    until_both(&faulty.here, &faulty.there, State::Closed).await;
    assert_eq!(faulty.here.snapshot().generation, 0);
}

#[tokio::test(start_paused = true)]
async fn the_trial_without_a_lease_trips_the_fleet_if_it_fails() {
    let faulty = lost().await;
    open_here(&faulty).await;
    // So that the generation to trip under is one that had to be read.
    assert_eq!(faulty.there.close().await, Reach::Fleet);
    come_back(&faulty).await;
    try_once(&faulty.here, Outcome::Failure).await;
    assert_eq!(faulty.here.state(), State::Open);
    until_both(&faulty.here, &faulty.there, State::Open).await;
    assert_eq!(faulty.there.snapshot().generation, 2);
    // From here on it is like any opening.
    faulty.fleet.clock.advance(RESET);
    try_once(&faulty.here, Outcome::Success).await;
    until_both(&faulty.here, &faulty.there, State::Closed).await;
    assert_eq!(faulty.script.count(Verb::Lease), 1);
}

#[tokio::test(start_paused = true)]
async fn the_trial_without_a_lease_may_be_given_up_and_made_by_the_next() {
    let faulty = lost().await;
    open_here(&faulty).await;
    come_back(&faulty).await;
    try_once(&faulty.here, Outcome::Ignored).await;
    sleep(3 * SECOND).await;
    assert_eq!(faulty.here.state(), State::HalfOpen);
    try_once(&faulty.here, Outcome::Success).await;
    assert_eq!(faulty.here.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn whoever_puts_the_fleet_half_open_ends_the_trials_without_a_lease() {
    let faulty = lost().await;
    open_here(&faulty).await;
    come_back(&faulty).await;
    assert_eq!(faulty.there.half_open().await, Reach::Fleet);
    until_both(&faulty.here, &faulty.there, State::HalfOpen).await;
    let trial = faulty.there.acquire(None).await.unwrap();
    assert!(trial.is_trial());
    rejected(&faulty.here).await;
    trial.success();
    until_both(&faulty.here, &faulty.there, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn a_circuit_that_stands_apart_agrees_again_after_two_looks() {
    let faulty = Faulty::new().await;
    fail_times(&faulty.there, 5).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
    faulty.fleet.clock.advance(RESET);
    let hung = faulty.there.acquire(Some(SECOND)).await.unwrap();
    until_both(&faulty.here, &faulty.there, State::HalfOpen).await;
    faulty.script.set_all(Gate::Error);
    until("the storage is lost", || faulty.is_lost()).await;
    faulty.fleet.clock.advance(2 * SECOND);
    // Without a lease, and back in a fleet where nothing has changed.
    let trial = faulty.here.acquire(None).await.unwrap();
    come_back(&faulty).await;
    trial.success();
    assert_eq!(faulty.here.state(), State::Closed);
    sleep(3 * SECOND).await;
    until_both(&faulty.here, &faulty.there, State::HalfOpen).await;
    drop(hung);
    try_once(&faulty.here, Outcome::Success).await;
    until_both(&faulty.here, &faulty.there, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn as_many_local_successes_as_the_threshold_close() {
    let policy = Policy::builder().success_threshold(2).build().unwrap();
    let faulty = lost_with(policy).await;
    open_here(&faulty).await;
    come_back(&faulty).await;
    try_once(&faulty.here, Outcome::Success).await;
    sleep(3 * SECOND).await;
    assert_eq!(faulty.here.state(), State::HalfOpen);
    try_once(&faulty.here, Outcome::Success).await;
    assert_eq!(faulty.here.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_alone_never_opens_the_fleet_without_a_fresh_failure() {
    let faulty = lost().await;
    open_here(&faulty).await;
    come_back(&faulty).await;
    sleep(30 * SECOND).await;
    faulty.fleet.clock.advance(2 * RESET);
    sleep(30 * SECOND).await;
    assert_eq!(faulty.there.state(), State::Closed);
    assert_eq!(faulty.there.snapshot().generation, 0);
    succeed(&faulty.there).await;
}

#[tokio::test(start_paused = true)]
async fn open_there_and_closed_here_is_open() {
    let faulty = lost().await;
    fail_times(&faulty.there, 5).await;
    until_state(&faulty.there, State::Open).await;
    faulty.fleet.clock.advance(5 * SECOND);
    succeed(&faulty.here).await;
    come_back(&faulty).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
    assert_eq!(faulty.here.retry_after(), Some(10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn what_was_closed_here_by_hand_and_is_open_there_is_open() {
    let faulty = Faulty::new().await;
    fail_times(&faulty.there, 5).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
    faulty.script.set_all(Gate::Error);
    until("the storage is lost", || faulty.is_lost()).await;
    assert_eq!(faulty.here.close().await, Reach::Local);
    come_back(&faulty).await;
    assert_eq!(faulty.here.state(), State::Open);
    assert_eq!(faulty.here.retry_after(), Some(RESET));
}

#[tokio::test(start_paused = true)]
async fn open_in_both_ends_when_the_fleets_does() {
    let faulty = lost().await;
    fail_times(&faulty.there, 5).await;
    until_state(&faulty.there, State::Open).await;
    faulty.fleet.clock.advance(10 * SECOND);
    open_here(&faulty).await;
    come_back(&faulty).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
    assert_eq!(faulty.here.retry_after(), Some(5 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn what_changed_there_and_back_again_is_taken_over() {
    let faulty = Faulty::new().await;
    fail_times(&faulty.there, 5).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
    faulty.script.set_all(Gate::Error);
    until("the storage is lost", || faulty.is_lost()).await;
    faulty.fleet.clock.advance(RESET);
    try_once(&faulty.there, Outcome::Success).await;
    until_state(&faulty.there, State::Closed).await;
    come_back(&faulty).await;
    // Open here, and closed there, is tried; whoever opened it.
    try_once(&faulty.here, Outcome::Success).await;
    until_both(&faulty.here, &faulty.there, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn failures_from_before_and_after_a_loss_are_one_run() {
    let faulty = lost().await;
    fail_times(&faulty.here, 4).await;
    come_back(&faulty).await;
    sleep(3 * SECOND).await;
    assert_eq!(faulty.here.fail_counter(), 4);
    fail(&faulty.here).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn a_trial_under_a_lease_outlasts_a_short_loss() {
    let faulty = Faulty::new().await;
    fail_times(&faulty.there, 5).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
    faulty.fleet.clock.advance(RESET);
    let trial = faulty.here.acquire(None).await.unwrap();
    until_both(&faulty.here, &faulty.there, State::HalfOpen).await;
    faulty.script.set_all(Gate::Error);
    until("the storage is lost", || faulty.is_lost()).await;
    come_back(&faulty).await;
    rejected(&faulty.here).await;
    trial.success();
    until_both(&faulty.here, &faulty.there, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn many_circuits_return_in_turns() {
    let faulty = lost().await;
    let circuits: Vec<Circuit> = (0..1_200)
        .map(|number| faulty.circuits.circuit(format!("service-{number}"), Policy::default()))
        .collect();
    for circuit in &circuits {
        fail_times(circuit, 5).await;
    }
    come_back(&faulty).await;
    sleep(5 * SECOND).await;
    for circuit in &circuits {
        assert_eq!(circuit.state(), State::HalfOpen, "{}", circuit.name());
        assert_eq!(circuit.snapshot().generation, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_comes_back_again_and_again() {
    let faulty = Faulty::new().await;
    for round in 1..=5 {
        faulty.script.set_all(Gate::Error);
        fail(&faulty.here).await;
        until("the storage is lost", || faulty.is_lost()).await;
        come_back(&faulty).await;
        succeed(&faulty.here).await;
        assert_eq!(faulty.there.open().await, Reach::Fleet);
        until_both(&faulty.here, &faulty.there, State::Open).await;
        assert_eq!(faulty.here.close().await, Reach::Fleet);
        until_both(&faulty.here, &faulty.there, State::Closed).await;
        assert_eq!(faulty.here.snapshot().generation, 2 * round);
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_has_gone_silent_is_replaced_before_it_is_looked_at() {
    let faulty = lost().await;
    faulty.script.silence_watches();
    let watches = faulty.script.count(Verb::Watch);
    come_back(&faulty).await;
    assert_eq!(faulty.script.count(Verb::Watch), watches + 1);
    let subscribed = faulty.script.asked(Verb::Watch).last().unwrap().at;
    assert!(faulty.script.asked(Verb::Look).last().unwrap().at >= subscribed);
    assert_eq!(faulty.there.open().await, Reach::Fleet);
    crate::support::let_happen().await;
    assert_eq!(faulty.here.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_cannot_be_watched_is_found_all_the_same() {
    for gate in [Gate::Error, Gate::Never] {
        let faulty = lost().await;
        open_here(&faulty).await;
        faulty.script.end_watches();
        faulty.script.set_all(Gate::Ok);
        faulty.script.set(Verb::Watch, gate);
        until("the storage is found", || !faulty.is_lost()).await;
        assert_eq!(faulty.here.state(), State::HalfOpen);
    }
}

#[tokio::test(start_paused = true)]
async fn the_trial_without_a_lease_is_one_whatever_the_policy_allows() {
    let policy = Policy::builder().half_open_max_calls(3).build().unwrap();
    let faulty = lost_with(policy).await;
    open_here(&faulty).await;
    come_back(&faulty).await;
    let trial = faulty.here.acquire(None).await.unwrap();
    assert!(trial.is_trial());
    rejected(&faulty.here).await;
    rejected(&faulty.here).await;
    drop(trial);
    try_once(&faulty.here, Outcome::Success).await;
    assert_eq!(faulty.here.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn failures_from_during_a_loss_are_not_reported() {
    let faulty = lost().await;
    fail_times(&faulty.here, 3).await;
    come_back(&faulty).await;
    fail(&faulty.here).await;
    sleep(SECOND).await;
    let reports = faulty.script.asked(Verb::Report);
    assert!(reports.last().unwrap().what.contains("failures: 1,"), "{reports:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_under_way_while_time_passed_makes_nothing_longer() {
    let faulty = Faulty::new().await;
    fail_times(&faulty.there, 5).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
    let isolated = Override::new(Mode::Isolated).lasting(10 * SECOND);
    assert_eq!(faulty.there.set_override(Some(isolated)).await, Reach::Fleet);
    until("it is isolated", || faulty.here.mode() == Mode::Isolated).await;
    sleep(SECOND / 10).await;
    let late = SECOND / 20;
    faulty.script.next(Verb::Look, [Gate::AnswersLate(late)]);
    let looks = faulty.script.count(Verb::Look);
    until("it is looked at", || faulty.script.count(Verb::Look) > looks).await;
    faulty.fleet.clock.advance(RESET);
    sleep(late + SECOND / 100).await;
    assert_eq!(faulty.here.retry_after(), Some(Duration::ZERO));
    assert_eq!(faulty.here.mode(), Mode::Enabled);
    try_once(&faulty.here, Outcome::Success).await;
}
