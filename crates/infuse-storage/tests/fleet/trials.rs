use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use infuse_storage::{Circuit, ManualClock, Outcome, Policy, State};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::support::{
    Down, Fleet, RESET, SECOND, fail_times, let_happen, ready, rejected, succeed, try_once, until,
    until_both, until_state,
};

async fn opened(fleet: &Fleet, policy: Policy) -> (Circuit, Circuit) {
    let (one, two) = fleet.pair_with(policy).await;
    fail_times(&one, 5).await;
    until_both(&one, &two, State::Open).await;
    (one, two)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_callers_in_two_applications_one_tries() {
    let fleet = Fleet::patient();
    let (one, two) = opened(&fleet, Policy::default()).await;
    for outcome in [Err(Down), Ok(())] {
        fleet.clock.advance(RESET);
        let trials = Arc::new(AtomicUsize::new(0));
        let release = Arc::new(Semaphore::new(0));
        let mut callers = JoinSet::new();
        let fails = outcome.is_err();
        for caller in 0..100 {
            let circuit = if caller % 2 == 0 { one.clone() } else { two.clone() };
            let (trials, release) = (Arc::clone(&trials), Arc::clone(&release));
            callers.spawn(async move {
                circuit
                    .call(|| async {
                        trials.fetch_add(1, Ordering::SeqCst);
                        let _held = release.acquire().await.unwrap();
                        if fails { Err(Down) } else { Ok(()) }
                    })
                    .await
            });
        }
        // 99 have ended before the trial does.
        for _ in 0..99 {
            let result = callers.join_next().await.unwrap().unwrap();
            assert!(result.unwrap_err().is_rejected());
        }
        until("one tries", || trials.load(Ordering::SeqCst) == 1).await;
        release.add_permits(100);
        let result = callers.join_next().await.unwrap().unwrap();
        assert_eq!(result.is_err(), fails);
        assert_eq!(trials.load(Ordering::SeqCst), 1);
        until_both(&one, &two, if fails { State::Open } else { State::Closed }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_succeeds_closes_both() {
    let fleet = Fleet::new();
    let (one, two) = opened(&fleet, Policy::default()).await;
    fleet.clock.advance(RESET);
    try_once(&two, Outcome::Success).await;
    until_both(&one, &two, State::Closed).await;
    succeed(&one).await;
    succeed(&two).await;
    assert_eq!(one.snapshot().generation, 3);
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_fails_opens_both_again() {
    let fleet = Fleet::new();
    let (one, two) = opened(&fleet, Policy::default()).await;
    fleet.clock.advance(RESET);
    try_once(&two, Outcome::Failure).await;
    // Here at once, there when it is told.
    assert_eq!(two.state(), State::Open);
    until_both(&one, &two, State::Open).await;
    assert_eq!(one.snapshot().generation, 3);
    assert_eq!(one.retry_after(), Some(RESET));
    assert_eq!(two.retry_after(), Some(RESET));
}

#[tokio::test(start_paused = true)]
async fn while_one_tries_the_others_are_rejected_from_memory() {
    let fleet = Fleet::new();
    let (one, two) = opened(&fleet, Policy::default()).await;
    fleet.clock.advance(RESET);
    let trial = one.acquire(None).await.unwrap();
    until_both(&one, &two, State::HalfOpen).await;
    for circuit in [&one, &two] {
        assert_eq!(rejected(circuit).await.state(), State::HalfOpen);
    }
    assert_eq!((one.snapshot().trials, two.snapshot().trials), (1, 0));
    trial.success();
    until_both(&one, &two, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn as_many_successes_as_the_threshold_close_wherever_they_were() {
    let fleet = Fleet::new();
    let policy = Policy::builder().success_threshold(2).build().unwrap();
    let (one, two) = opened(&fleet, policy).await;
    fleet.clock.advance(RESET);
    try_once(&one, Outcome::Success).await;
    until("the other knows of the success", || two.success_counter() == 1).await;
    assert_eq!((one.state(), two.state()), (State::HalfOpen, State::HalfOpen));
    try_once(&two, Outcome::Success).await;
    until_both(&one, &two, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn as_many_trials_run_as_the_policy_says_over_all() {
    let fleet = Fleet::new();
    let policy = Policy::builder().half_open_max_calls(3).build().unwrap();
    let (one, two) = opened(&fleet, policy).await;
    fleet.clock.advance(RESET);
    let mut trials = Vec::new();
    for _ in 0..5 {
        for circuit in [&one, &two] {
            trials.extend(circuit.acquire(None).await.ok());
            let_happen().await;
        }
    }
    assert_eq!(trials.len(), 3);
    assert!(trials.iter().all(|trial| trial.is_trial()));
    trials.pop().unwrap().failure();
    until_both(&one, &two, State::Open).await;
    // The others' successes come too late.
    trials.into_iter().for_each(|trial| trial.success());
    let_happen().await;
    assert_eq!((one.state(), two.state()), (State::Open, State::Open));
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_hangs_gives_way_when_its_lease_ends() {
    let fleet = Fleet::new();
    let (one, two) = opened(&fleet, Policy::default()).await;
    fleet.clock.advance(RESET);
    let hung = one.acquire(Some(2 * SECOND)).await.unwrap();
    until_both(&one, &two, State::HalfOpen).await;
    fleet.clock.advance(3 * SECOND - Duration::from_millis(1));
    rejected(&one).await;
    rejected(&two).await;

    fleet.clock.advance(Duration::from_millis(1));
    let trial = two.acquire(None).await.unwrap();
    assert!(trial.is_trial());
    rejected(&one).await;
    // It comes back at last, and says nothing any more.
    hung.success();
    let_happen().await;
    assert_eq!((one.state(), two.state()), (State::HalfOpen, State::HalfOpen));
    trial.failure();
    until_both(&one, &two, State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn the_place_of_a_dropped_trial_goes_to_the_next_at_once() {
    let fleet = Fleet::new();
    let (one, two) = opened(&fleet, Policy::default()).await;
    fleet.clock.advance(RESET);
    for (dropping, next) in [(&one, &two), (&two, &one), (&one, &one)] {
        let trial = dropping.acquire(None).await.unwrap();
        until_both(&one, &two, State::HalfOpen).await;
        rejected(next).await;
        drop(trial);
        let_happen().await;
        let trial = next.acquire(None).await.unwrap();
        assert!(trial.is_trial());
        drop(trial);
        // So many are as many as are asked for at once.
        tokio::time::sleep(SECOND).await;
    }
    assert_eq!(one.snapshot().generation, 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_while_it_waits_gives_the_lease_back() {
    let fleet = Fleet::new();
    let (one, two) = opened(&fleet, Policy::default()).await;
    fleet.clock.advance(RESET);
    // Polled once, so that the lease is asked for, and then dropped.
    let mut asking = Box::pin(one.acquire(None));
    let waker = std::task::Waker::noop();
    let polled = asking.as_mut().poll(&mut std::task::Context::from_waker(waker));
    assert!(polled.is_pending());
    drop(asking);
    until_both(&one, &two, State::HalfOpen).await;
    let_happen().await;
    assert_eq!(one.snapshot().trials, 0);
    try_once(&two, Outcome::Success).await;
    until_both(&one, &two, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn try_permit_never_waits_and_never_tries() {
    let fleet = Fleet::new();
    let (one, two) = opened(&fleet, Policy::default()).await;
    assert_eq!(one.try_permit().unwrap_err().retry_after(), RESET);
    fleet.clock.advance(RESET);
    assert_eq!(one.try_permit().unwrap_err().retry_after(), Duration::ZERO);
    let_happen().await;
    assert_eq!((one.state(), two.state()), (State::Open, State::Open));
    try_once(&one, Outcome::Success).await;
    until_both(&one, &two, State::Closed).await;
    assert!(!two.try_permit().unwrap().is_trial());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_code_tries_too() {
    let fleet = Fleet::patient();
    let (one, two) = opened(&fleet, Policy::default()).await;
    for (outcome, state) in [(Err(Down), State::Open), (Ok(()), State::Closed)] {
        fleet.clock.advance(RESET);
        let circuit = two.clone();
        let call = move || {
            let mut made = 0;
            // Rejected for as long as the answer of the storage is not there.
            let result = circuit.call_sync(|| {
                made += 1;
                outcome
            });
            (made, result.is_ok())
        };
        let ok = state == State::Closed;
        assert_eq!(tokio::task::spawn_blocking(call).await.unwrap(), (1, ok));
        until_both(&one, &two, state).await;
    }
}

#[tokio::test]
async fn blocking_code_in_the_runtimes_only_thread_is_rejected() {
    let fleet = Fleet::new();
    let builder = fleet.builder().timeout(Duration::from_millis(10));
    let circuit = builder.start().unwrap().circuit("payments", Policy::default());
    fail_times(&circuit, 5).await;
    until("the trip is told", || circuit.snapshot().generation == 1).await;
    fleet.clock.advance(RESET);
    let result = circuit.call_sync(|| Ok::<_, Down>(()));
    assert!(result.unwrap_err().is_rejected());
    // What was granted to nobody is given back.
    until("the lease was granted", || circuit.state() == State::HalfOpen).await;
    for _ in 0..1_000 {
        if let Ok(trial) = circuit.acquire(None).await {
            trial.success();
            break;
        }
        tokio::task::yield_now().await;
    }
    until_state(&circuit, State::Closed).await;
}

#[tokio::test]
async fn a_test_may_move_the_clock_on_before_the_storage_has_heard_anything() {
    let fleet = Fleet::new();
    let circuit = fleet.join().await.circuit("payments", Policy::default());
    fail_times(&circuit, 5).await;
    for _ in 0..3 {
        fleet.clock.advance(RESET);
        try_once(&circuit, Outcome::Failure).await;
        assert_eq!(circuit.state(), State::Open);
    }
    fleet.clock.advance(RESET);
    try_once(&circuit, Outcome::Success).await;
    until("it is closed", || circuit.state() == State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn a_storage_whose_clock_lags_says_when_to_ask_again() {
    let fleet = Fleet::new();
    let here = ManualClock::new();
    let circuits = ready(fleet.builder().clock(here.clone())).await;
    let circuit = circuits.circuit("payments", Policy::default());
    fail_times(&circuit, 5).await;
    until("it is shared", || circuit.snapshot().generation == 1).await;

    here.advance(RESET);
    for _ in 0..3 {
        assert_eq!(rejected(&circuit).await.retry_after(), RESET);
    }
    here.advance(RESET);
    fleet.clock.advance(RESET);
    try_once(&circuit, Outcome::Success).await;
    until("it is closed", || circuit.state() == State::Closed).await;
}
