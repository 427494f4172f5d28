use std::time::Duration;

use infuse_storage::{Outcome, Policy, Reach, State};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    Faulty,
    support::{
        RESET, SECOND, fail_times, let_happen, rejected,
        scripted::{Gate, Verb},
        succeed, try_once, until, until_both, until_state,
    },
};

const MILLI: Duration = Duration::from_millis(1);

/// Open in both, and due for a trial.
async fn due() -> Faulty {
    due_with(Policy::default()).await
}

async fn due_with(policy: Policy) -> Faulty {
    let faulty = Faulty::with(policy, |builder| builder).await;
    fail_times(&faulty.there, 5).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
    faulty.fleet.clock.advance(RESET);
    faulty
}

#[tokio::test(start_paused = true)]
async fn a_slow_lease_is_waited_for() {
    let faulty = due().await;
    faulty.script.set(Verb::Lease, Gate::Slow(90 * MILLI));
    let started = Instant::now();
    let trial = faulty.here.acquire(None).await.unwrap();
    assert!((90..=91).contains(&started.elapsed().as_millis()));
    assert!(trial.is_trial());
    trial.success();
    until_both(&faulty.here, &faulty.there, State::Closed).await;
    assert!(!faulty.is_lost());
}

#[tokio::test(start_paused = true)]
async fn while_one_waits_for_a_lease_the_others_are_rejected_at_once() {
    let faulty = due().await;
    faulty.script.set(Verb::Lease, Gate::Slow(90 * MILLI));
    let first = faulty.here.clone();
    let first = tokio::spawn(async move { first.acquire(None).await });
    sleep(MILLI).await;
    let started = Instant::now();
    for _ in 0..100 {
        rejected(&faulty.here).await;
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(faulty.script.count(Verb::Lease), 1);
    first.await.unwrap().unwrap().success();
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_answered_makes_one_caller_wait() {
    let faulty = due().await;
    faulty.script.set_all(Gate::Never);
    let started = Instant::now();
    let mut waited = 0;
    while faulty.here.state() != State::HalfOpen {
        let asked = Instant::now();
        if let Ok(trial) = faulty.here.acquire(None).await {
            // The storage is lost by now: the trial is local.
            assert!(faulty.is_lost());
            trial.success();
            break;
        }
        let time = asked.elapsed();
        assert!(time <= 101 * MILLI, "waited {time:?}");
        waited += usize::from(time > Duration::ZERO);
        sleep(MILLI).await;
        assert!(started.elapsed() < SECOND);
    }
    assert_eq!(waited, 1);
    assert_eq!(faulty.here.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_lease_alone_that_is_not_answered_is_a_loss_too() {
    let faulty = due().await;
    faulty.script.set(Verb::Lease, Gate::Never);
    rejected(&faulty.here).await;
    until("the storage is lost", || faulty.is_lost()).await;
    assert_eq!(faulty.script.count(Verb::Lease), 2);
    try_once(&faulty.here, Outcome::Success).await;
    assert_eq!(faulty.here.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_refused_twice_is_a_loss_and_the_trial_is_local() {
    let faulty = due().await;
    faulty.script.set(Verb::Lease, Gate::Error);
    let trial = faulty.here.acquire(None).await.unwrap();
    assert!(trial.is_trial() && faulty.is_lost());
    trial.failure();
    assert_eq!(faulty.here.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_answer_is_lost_is_granted_by_the_repeat() {
    let faulty = due().await;
    faulty.script.next(Verb::Lease, [Gate::LosesAnswer]);
    try_once(&faulty.here, Outcome::Success).await;
    until_both(&faulty.here, &faulty.there, State::Closed).await;
    assert_eq!(faulty.script.count(Verb::Lease), 2);
    assert_eq!(faulty.here.snapshot().generation, 3);
}

#[tokio::test(start_paused = true)]
async fn a_late_grant_is_given_back() {
    for late in [Gate::AnswersLate(500 * MILLI), Gate::Slow(500 * MILLI)] {
        let faulty = due().await;
        // The repeat that finds out whether the storage is there is answered.
        faulty.script.next(Verb::Lease, [late]);
        rejected(&faulty.here).await;
        sleep(SECOND).await;
        assert!(!faulty.is_lost());
        until_both(&faulty.here, &faulty.there, State::HalfOpen).await;
        let trial = faulty.there.acquire(None).await.unwrap();
        assert!(trial.is_trial(), "{late:?}");
        drop(trial);
        let_happen().await;
        try_once(&faulty.here, Outcome::Success).await;
        until_both(&faulty.here, &faulty.there, State::Closed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_grant_is_given_back_while_the_storage_is_lost() {
    let faulty = due().await;
    faulty.script.set(Verb::Lease, Gate::AnswersLate(500 * MILLI));
    faulty.script.set(Verb::Probe, Gate::Error);
    rejected(&faulty.here).await;
    sleep(SECOND).await;
    assert!(faulty.is_lost());
    let trial = faulty.there.acquire(None).await.unwrap();
    assert!(trial.is_trial());
}

#[tokio::test(start_paused = true)]
async fn a_late_grant_is_given_back_though_every_handle_is_gone() {
    let faulty = due().await;
    faulty.script.next(Verb::Lease, [Gate::AnswersLate(500 * MILLI), Gate::Error]);
    let Faulty { here, there, circuits, .. } = faulty;
    rejected(&here).await;
    drop((circuits, here));
    assert_eq!(rejected(&there).await.state(), State::HalfOpen);
    sleep(SECOND).await;
    assert!(there.acquire(None).await.unwrap().is_trial());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_while_it_waits_leaves_no_lease() {
    for gate in [Gate::Slow(50 * MILLI), Gate::AnswersLate(50 * MILLI)] {
        let faulty = due().await;
        faulty.script.set(Verb::Lease, gate);
        assert!(timeout(10 * MILLI, faulty.here.acquire(None)).await.is_err());
        // The next does not ask beside it.
        rejected(&faulty.here).await;
        sleep(100 * MILLI).await;
        assert_eq!(faulty.here.snapshot().trials, 0);
        assert!(faulty.there.acquire(None).await.unwrap().is_trial(), "{gate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_comes_while_shutting_down_is_given_back() {
    let faulty = due().await;
    faulty.script.set(Verb::Lease, Gate::AnswersLate(50 * MILLI));
    let here = faulty.here.clone();
    let asking = tokio::spawn(async move { here.acquire(None).await });
    sleep(10 * MILLI).await;
    faulty.circuits.shutdown().await;
    // The caller tries all the same, by itself.
    assert!(asking.await.unwrap().unwrap().is_trial());
    assert!(faulty.there.acquire(None).await.unwrap().is_trial());
}

#[tokio::test(start_paused = true)]
async fn trials_that_say_nothing_do_not_ask_for_each_call() {
    let faulty = due().await;
    let started = Instant::now();
    let before = faulty.script.count_all();
    let mut made = 0;
    while started.elapsed() < 10 * SECOND {
        if let Ok(trial) = faulty.here.acquire(None).await {
            made += 1;
            drop(trial);
        }
        faulty.fleet.clock.advance(MILLI);
        sleep(MILLI).await;
    }
    let asked = faulty.script.count_all() - before;
    assert!(asked <= 250, "{asked} commands in ten seconds");
    assert!(made >= 90, "{made} trials in ten seconds");
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_was_overtaken_by_a_command_is_no_trial() {
    let faulty = due().await;
    faulty.script.set(Verb::Lease, Gate::AnswersLate(50 * MILLI));
    let here = faulty.here.clone();
    let asking = tokio::spawn(async move { here.acquire(None).await });
    sleep(10 * MILLI).await;
    assert_eq!(faulty.there.open().await, Reach::Fleet);
    let rejected = asking.await.unwrap().unwrap_err();
    assert_eq!((rejected.state(), rejected.retry_after()), (State::Open, RESET));
    until_both(&faulty.here, &faulty.there, State::Open).await;

    // One that closed meanwhile needs no trial.
    faulty.fleet.clock.advance(RESET);
    let here = faulty.here.clone();
    let asking = tokio::spawn(async move { here.acquire(None).await });
    sleep(10 * MILLI).await;
    assert_eq!(faulty.there.close().await, Reach::Fleet);
    assert!(!asking.await.unwrap().unwrap().is_trial());
    until_both(&faulty.here, &faulty.there, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_finds_the_fleet_closed_is_an_ordinary_call() {
    let faulty = due().await;
    faulty.script.lose_events(true);
    assert_eq!(faulty.there.close().await, Reach::Fleet);
    let_happen().await;
    assert_eq!(faulty.here.state(), State::Open);
    let permit = faulty.here.acquire(None).await.unwrap();
    assert!(!permit.is_trial());
    permit.success();
    until_both(&faulty.here, &faulty.there, State::Closed).await;
    succeed(&faulty.here).await;
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_kept_until_a_place_is_free() {
    let faulty = due().await;
    faulty.script.lose_events(true);
    let trial = faulty.there.acquire(Some(4 * SECOND)).await.unwrap();
    let_happen().await;
    for _ in 0..10 {
        rejected(&faulty.here).await;
    }
    assert_eq!(faulty.script.count(Verb::Lease), 1);
    // Until the lease is over: no push comes.
    faulty.fleet.clock.advance(5 * SECOND);
    let next = faulty.here.acquire(None).await.unwrap();
    assert!(next.is_trial());
    assert_eq!(faulty.script.count(Verb::Lease), 2);
    trial.failure();
    let_happen().await;
    next.success();
    until_state(&faulty.here, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn the_lease_asked_for_is_the_calls() {
    let policy = Policy::builder().half_open_max_calls(2).build().unwrap();
    let faulty = due_with(policy).await;
    let trial = faulty.here.acquire(Some(3 * SECOND)).await.unwrap();
    let asked = faulty.script.asked(Verb::Lease);
    assert!(asked[0].what.contains("lease: 4s, max_calls: 2"), "{}", asked[0].what);
    drop(trial);
}
