use std::time::Duration;

use infuse_storage::{CircuitKey, Look, Outcome, Policy, Presented, Reach, State, Storage, View};
use tokio::time::sleep;
use tracing::Level;

use crate::{
    Faulty,
    support::{
        Down, RESET, SECOND,
        events::Logged,
        fail, fail_times, let_happen, rejected,
        scripted::{Gate, Verb},
        succeed, try_once, until, until_both, until_state,
    },
};

const LOST: &str = "the storage is lost";
const BACK: &str = "the storage is back";

async fn stored(faulty: &Faulty) -> View {
    let look = [Look::new(CircuitKey::new("payments"), Presented::NOTHING)];
    faulty.fleet.memory.look(&look).await.unwrap().remove(0)
}

/// Makes a verb be asked for.
async fn provoke(faulty: &Faulty, verb: Verb) {
    match verb {
        Verb::Report => fail(&faulty.here).await,
        Verb::Trip => fail_times(&faulty.here, 5).await,
        Verb::Look => {
            faulty.circuits.circuit("orders", Policy::default());
        }
        Verb::Control => {
            let _reach = faulty.here.close().await;
        }
        Verb::Seed => {
            let _reach = faulty.circuits.seed(&faulty.here, State::Closed).await;
        }
        Verb::Lease | Verb::Settle => {
            let gate = faulty.script.gate(verb);
            faulty.script.set(verb, Gate::Ok);
            fail_times(&faulty.there, 5).await;
            until_both(&faulty.here, &faulty.there, State::Open).await;
            faulty.fleet.clock.advance(RESET);
            faulty.script.set(verb, gate);
            drop(faulty.here.acquire(None).await);
        }
        _ => unreachable!("not a verb that tells of circuits, or asks"),
    }
}

const TELLING: [Verb; 7] =
    [Verb::Look, Verb::Report, Verb::Trip, Verb::Lease, Verb::Settle, Verb::Control, Verb::Seed];

#[tokio::test(start_paused = true)]
async fn a_verb_and_its_repeat_that_fail_are_a_loss_with_one_warning_and_one_all_clear() {
    for verb in TELLING {
        for gate in [Gate::Error, Gate::LosesAnswer, Gate::Never] {
            let faulty = Faulty::new().await;
            let (logged, _guard) = Logged::start();
            faulty.script.set(Verb::Probe, Gate::Error);
            faulty.script.set(verb, gate);
            let before = faulty.script.count(verb);
            provoke(&faulty, verb).await;
            until(format_args!("{verb:?} {gate:?} is a loss"), || faulty.is_lost()).await;
            assert_eq!(faulty.script.count(verb) - before, 2, "{verb:?} {gate:?}");

            // All else fails too, for long.
            faulty.script.set_all(gate);
            faulty.script.set(Verb::Probe, Gate::Error);
            for _ in 0..30 {
                drop(faulty.here.call(|| async { Err::<(), _>(Down) }).await);
                sleep(SECOND).await;
            }
            assert_eq!(logged.count(LOST), 1, "{verb:?} {gate:?}: {logged:?}");
            assert_eq!(logged.at(Level::WARN).len(), 1, "{logged:?}");
            assert_eq!(logged.count(BACK), 0);

            faulty.script.set_all(Gate::Ok);
            until("it is found", || !faulty.is_lost()).await;
            sleep(5 * SECOND).await;
            assert_eq!((logged.count(LOST), logged.count(BACK)), (1, 1), "{verb:?} {gate:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_failure_is_no_loss() {
    for verb in TELLING {
        for gate in [Gate::Error, Gate::LosesAnswer] {
            let faulty = Faulty::new().await;
            faulty.script.next(verb, [gate]);
            provoke(&faulty, verb).await;
            sleep(3 * SECOND).await;
            assert!(!faulty.is_lost(), "{verb:?} {gate:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_trip_whose_answer_is_lost_is_told_once() {
    let faulty = Faulty::new().await;
    faulty.script.next(Verb::Trip, [Gate::LosesAnswer]);
    fail_times(&faulty.here, 5).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
    let_happen().await;
    assert_eq!(stored(&faulty).await.generation, 1);
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_is_slow_is_not_lost() {
    let faulty = Faulty::new().await;
    faulty.script.set_all(Gate::Slow(Duration::from_millis(80)));
    fail_times(&faulty.here, 5).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
    faulty.fleet.clock.advance(RESET);
    try_once(&faulty.here, Outcome::Success).await;
    until_both(&faulty.here, &faulty.there, State::Closed).await;
    sleep(10 * SECOND).await;
    assert!(!faulty.is_lost());
}

#[tokio::test(start_paused = true)]
async fn while_it_is_lost_trials_are_local_and_nothing_is_asked() {
    let faulty = Faulty::new().await;
    faulty.script.set_all(Gate::Error);
    fail_times(&faulty.here, 5).await;
    until("it is lost", || faulty.is_lost()).await;
    let asked = |verbs: &[Verb]| verbs.iter().map(|verb| faulty.script.count(*verb)).sum::<usize>();
    let before = asked(&TELLING);

    rejected(&faulty.here).await;
    faulty.fleet.clock.advance(RESET);
    let trial = faulty.here.acquire(None).await.unwrap();
    assert!(trial.is_trial());
    rejected(&faulty.here).await;
    trial.failure();
    assert_eq!(faulty.here.state(), State::Open);
    faulty.fleet.clock.advance(RESET);
    try_once(&faulty.here, Outcome::Success).await;
    assert_eq!(faulty.here.state(), State::Closed);
    fail_times(&faulty.here, 4).await;
    sleep(10 * SECOND).await;
    assert_eq!(asked(&TELLING), before);
    // It is probed at each interval, not growing.
    let probes = faulty.script.count(Verb::Probe);
    sleep(10 * SECOND).await;
    assert!((9..=12).contains(&(faulty.script.count(Verb::Probe) - probes)));
}

#[tokio::test(start_paused = true)]
async fn nothing_that_happened_while_it_was_lost_is_told() {
    let faulty = Faulty::new().await;
    faulty.script.set_all(Gate::Error);
    fail_times(&faulty.here, 4).await;
    until("it is lost", || faulty.is_lost()).await;
    // As much of everything as there can be.
    fail(&faulty.here).await;
    assert_eq!(faulty.here.state(), State::Open);
    assert_eq!(faulty.here.close().await, Reach::Local);
    fail_times(&faulty.here, 5).await;
    faulty.fleet.clock.advance(RESET);
    try_once(&faulty.here, Outcome::Success).await;
    fail_times(&faulty.here, 3).await;

    let told = [Verb::Report, Verb::Trip, Verb::Lease, Verb::Settle, Verb::Control, Verb::Seed];
    let count = || told.iter().map(|verb| faulty.script.count(*verb)).sum::<usize>();
    let before = count();
    faulty.script.set_all(Gate::Ok);
    until("it is found", || !faulty.is_lost()).await;
    sleep(5 * SECOND).await;
    assert_eq!(count(), before);
    let stored = stored(&faulty).await;
    assert_eq!((stored.generation, stored.failures), (0, 0));
    assert_eq!(faulty.there.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_trial_under_a_lease_counts_here_when_the_storage_is_lost() {
    for gate in [Gate::Error, Gate::Never] {
        // Before the loss, during it, and after it.
        for lost_first in [true, false] {
            let faulty = Faulty::new().await;
            provoke_due(&faulty).await;
            let trial = faulty.here.acquire(None).await.unwrap();
            faulty.script.set_all(gate);
            if lost_first {
                provoke(&faulty, Verb::Look).await;
                until("it is lost", || faulty.is_lost()).await;
            }
            trial.success();
            until_state(&faulty.here, State::Closed).await;
            until("it is lost", || faulty.is_lost()).await;
            assert_eq!(faulty.here.state(), State::Closed, "{gate:?} {lost_first}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_that_waits_to_be_told_counts_here_at_the_moment_of_loss() {
    let faulty = Faulty::new().await;
    provoke_due(&faulty).await;
    let trial = faulty.here.acquire(None).await.unwrap();
    let other = faulty.circuits.circuit("orders", Policy::default());
    let_happen().await;
    faulty.script.set_all(Gate::Error);
    // Nothing here gives way to the replicator.
    trial.success();
    assert_eq!(faulty.here.state(), State::HalfOpen);
    assert_eq!(other.close().await, Reach::Local);
    assert_eq!(faulty.here.state(), State::Closed);
}

async fn provoke_due(faulty: &Faulty) {
    fail_times(&faulty.there, 5).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
    faulty.fleet.clock.advance(RESET);
}

#[tokio::test(start_paused = true)]
async fn a_lease_held_elsewhere_is_respected_while_it_is_lost() {
    let faulty = Faulty::new().await;
    provoke_due(&faulty).await;
    let elsewhere = faulty.there.acquire(Some(4 * SECOND)).await.unwrap();
    until_both(&faulty.here, &faulty.there, State::HalfOpen).await;
    faulty.script.set_all(Gate::Error);
    until("it is lost", || faulty.is_lost()).await;
    rejected(&faulty.here).await;
    faulty.fleet.clock.advance(5 * SECOND);
    try_once(&faulty.here, Outcome::Success).await;
    assert_eq!(faulty.here.state(), State::Closed);
    drop(elsewhere);
}

#[tokio::test(start_paused = true)]
async fn the_fallback_is_put_on_once_and_never_sent() {
    for state in [State::Open, State::HalfOpen, State::Closed] {
        let faulty = Faulty::with(Policy::default(), |builder| builder.fallback(Some(state))).await;
        if state == State::Closed {
            fail_times(&faulty.there, 5).await;
            until_both(&faulty.here, &faulty.there, State::Open).await;
        }
        let before = faulty.there.state();
        faulty.script.set_all(Gate::Error);
        provoke(&faulty, Verb::Look).await;
        until("it is lost", || faulty.is_lost()).await;
        assert_eq!(faulty.here.state(), state);
        // A circuit that is made meanwhile takes it too.
        let late = faulty.circuits.circuit("late", Policy::default());
        assert_eq!(late.state(), state);

        // Once: what the local breaker decides afterwards stays.
        assert_eq!(faulty.here.close().await, Reach::Local);
        sleep(10 * SECOND).await;
        assert_eq!(faulty.here.state(), State::Closed);

        faulty.script.set_all(Gate::Ok);
        until("it is found", || !faulty.is_lost()).await;
        sleep(3 * SECOND).await;
        assert_eq!(faulty.there.state(), before);
        until_both(&faulty.here, &faulty.there, before).await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_fallback_a_circuit_keeps_what_it_knew() {
    let faulty = Faulty::new().await;
    fail_times(&faulty.there, 5).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
    faulty.script.set_all(Gate::Never);
    until("it is lost", || faulty.is_lost()).await;
    assert_eq!(faulty.here.state(), State::Open);
    assert_eq!(faulty.here.retry_after(), Some(RESET));
    let late = faulty.circuits.circuit("late", Policy::default());
    succeed(&late).await;
}

#[tokio::test(start_paused = true)]
async fn writes_decide_whether_it_is_found() {
    let faulty = Faulty::new().await;
    let (logged, _guard) = Logged::start();
    faulty.script.set(Verb::Report, Gate::Error);
    faulty.script.set(Verb::Probe, Gate::Error);
    fail(&faulty.here).await;
    until("it is lost", || faulty.is_lost()).await;
    // Reading would work.
    sleep(10 * SECOND).await;
    assert!(faulty.is_lost());
    // And the other way round: no all-clear before it has also been looked at.
    faulty.script.set(Verb::Probe, Gate::Ok);
    faulty.script.set(Verb::Look, Gate::Error);
    sleep(10 * SECOND).await;
    assert!(faulty.is_lost());
    assert_eq!((logged.count(LOST), logged.count(BACK)), (1, 0));
    faulty.script.set(Verb::Look, Gate::Ok);
    until("it is found", || !faulty.is_lost()).await;
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_not_heard_is_local_and_not_replayed() {
    for gate in [Gate::Error, Gate::Never] {
        let faulty = Faulty::new().await;
        faulty.script.set(Verb::Control, gate);
        faulty.script.set(Verb::Probe, Gate::Error);
        assert_eq!(faulty.here.open().await, Reach::Local);
        assert_eq!(faulty.here.state(), State::Open);
        faulty.script.set_all(Gate::Ok);
        until("it is found", || !faulty.is_lost()).await;
        sleep(3 * SECOND).await;
        assert_eq!(faulty.there.state(), State::Closed);
        assert_eq!(stored(&faulty).await.generation, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_service_asks_for_meanwhile_is_told_when_it_is_back() {
    for open in [false, true] {
        let faulty = Faulty::new().await;
        if open {
            fail_times(&faulty.there, 5).await;
            until_both(&faulty.here, &faulty.there, State::Open).await;
        }
        faulty.script.set_all(Gate::Error);
        provoke(&faulty, Verb::Look).await;
        until("it is lost", || faulty.is_lost()).await;
        faulty.here.hold_off(60 * SECOND);
        faulty.script.set_all(Gate::Ok);
        until("it is found", || !faulty.is_lost()).await;
        let_happen().await;
        if !open {
            fail_times(&faulty.there, 5).await;
        }
        until_both(&faulty.here, &faulty.there, State::Open).await;
        let_happen().await;
        assert_eq!(faulty.there.retry_after(), Some(60 * SECOND), "{open}");
        assert_eq!(faulty.here.retry_after(), Some(60 * SECOND), "{open}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_lost_what_the_service_asks_for_is_told_again() {
    let faulty = Faulty::new().await;
    fail_times(&faulty.there, 5).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
    faulty.here.hold_off(60 * SECOND);
    let_happen().await;
    assert_eq!(faulty.there.retry_after(), Some(60 * SECOND));
    faulty.fleet.memory.forget_all();
    // Mended by one who had not heard of it.
    let presented = Presented { generation: 1, state: State::Open, time_left: 5 * SECOND };
    let look = [Look::new(CircuitKey::new("payments"), presented)];
    let mended = faulty.fleet.memory.look(&look).await.unwrap().remove(0);
    assert_eq!(mended.time_left, 5 * SECOND);
    sleep(2 * SECOND).await;
    assert_eq!(stored(&faulty).await.time_left, 60 * SECOND);
    let_happen().await;
    assert_eq!(faulty.there.retry_after(), Some(60 * SECOND));
    assert_eq!(stored(&faulty).await.generation, 1);
}
