use std::time::Duration;

use infuse_storage::{
    Circuit, CircuitKey, Circuits, Policy, Presented, ProcessId, Report, State, Storage,
};
use tokio::time::{Instant, sleep};

use crate::support::{
    SECOND, fail,
    in_step::InStep,
    scripted::{Gate, Scripted, Verb},
    succeed, until,
};

const MILLI: Duration = Duration::from_millis(1);

/// An application, and four failures elsewhere: one here is enough.
async fn nearly() -> (InStep, Scripted, Circuits, Circuit) {
    let fleet = InStep::new();
    let (script, circuits) = fleet.scripted().await;
    let circuit = circuits.circuit("payments", Policy::default());
    sleep(100 * MILLI).await;
    let key = CircuitKey::new("payments");
    let report = Report::new(key, Presented::NOTHING, ProcessId::random(), 4);
    fleet.memory.report(&[report]).await.unwrap();
    (fleet, script, circuits, circuit)
}

#[tokio::test(start_paused = true)]
async fn unheard_the_grace_is_two_poll_intervals_and_it_watches_anew() {
    let (_fleet, script, circuits, raiser) = nearly().await;
    script.lose_events(true);
    let (started, watches) = (Instant::now(), script.count(Verb::Watch));
    fail(&raiser).await;
    sleep(1_900 * MILLI).await;
    assert_eq!((raiser.state(), script.count(Verb::Trip)), (State::Closed, 0));
    assert!(raiser.snapshot().suspect);
    assert_eq!(script.count(Verb::Watch), watches + 1);
    assert!(circuits.ready().await);
    until("it is open", || raiser.state() == State::Open).await;
    let took = started.elapsed();
    assert!((2_000..=2_010).contains(&took.as_millis()), "{took:?}");
    assert!(script.asked(Verb::Trip)[0].what.contains("grace: 2s"));
}

#[tokio::test(start_paused = true)]
async fn without_a_subscription_it_is_two_poll_intervals_too() {
    let (_fleet, script, _circuits, raiser) = nearly().await;
    script.set(Verb::Watch, Gate::Error);
    script.end_watches();
    sleep(10 * MILLI).await;
    let started = Instant::now();
    fail(&raiser).await;
    until("it is open", || raiser.state() == State::Open).await;
    let took = started.elapsed();
    assert!((2_000..=2_010).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn unheard_a_success_still_clears() {
    let (fleet, script, _circuits, raiser) = nearly().await;
    script.lose_events(true);
    fail(&raiser).await;
    sleep(500 * MILLI).await;
    succeed(&raiser).await;
    sleep(50 * MILLI).await;
    assert_eq!((script.count(Verb::Clear), fleet.stored().await.clears), (1, 1));
    sleep(3 * SECOND).await;
    assert_eq!((raiser.state(), script.count(Verb::Trip)), (State::Closed, 0));
}

#[tokio::test(start_paused = true)]
async fn a_slow_look_delays_neither_clear_nor_settling() {
    for clears in [false, true] {
        let (_fleet, script, circuits, raiser) = nearly().await;
        fail(&raiser).await;
        sleep(MILLI).await;
        script.set(Verb::Look, Gate::Slow(90 * MILLI));
        circuits.circuit("orders", Policy::default());
        sleep(MILLI).await;
        let started = Instant::now();
        if clears {
            succeed(&raiser).await;
        }
        until("it is over", || !raiser.snapshot().suspect).await;
        assert!(started.elapsed() <= 60 * MILLI, "{:?}", started.elapsed());
        assert_eq!(raiser.state(), if clears { State::Closed } else { State::Open });
    }
}

#[tokio::test(start_paused = true)]
async fn one_circuit_that_cannot_be_told_is_a_loss() {
    for verb in [Verb::Clear, Verb::Trip] {
        for gate in [Gate::Error, Gate::LosesAnswer, Gate::Never] {
            let (_fleet, script, _circuits, raiser) = nearly().await;
            script.set(verb, gate);
            script.set(Verb::Probe, Gate::Error);
            fail(&raiser).await;
            sleep(10 * MILLI).await;
            if verb == Verb::Clear {
                succeed(&raiser).await;
            }
            until("it is lost", || !raiser.snapshot().shared).await;
            assert_eq!(script.count(verb), 2, "{verb:?} {gate:?}");
            assert!(!raiser.snapshot().suspect);
            // Nothing is left of it.
            sleep(5 * SECOND).await;
            assert_eq!(script.count(verb), 2);
            script.set_all(Gate::Ok);
            until("it is found", || raiser.snapshot().shared).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_panics_at_a_clear_leaves_circuits_alone() {
    let (_fleet, script, circuits, raiser) = nearly().await;
    script.set(Verb::Clear, Gate::Panics);
    fail(&raiser).await;
    sleep(10 * MILLI).await;
    succeed(&raiser).await;
    until("it is not shared", || !raiser.snapshot().shared).await;
    circuits.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_before_does_not_bring_a_suspicion_back() {
    let (fleet, script, _circuits, witness) = nearly().await;
    let raiser = fleet.join().await.circuit("payments", Policy::default());
    sleep(50 * MILLI).await;
    // The answer to a report says that it is suspect, after it was cleared.
    script.set(Verb::Report, Gate::AnswersLate(90 * MILLI));
    fail(&witness).await;
    until("it is suspect", || raiser.snapshot().suspect).await;
    succeed(&raiser).await;
    sleep(30 * MILLI).await;
    assert!(!witness.snapshot().suspect && !raiser.snapshot().suspect);
    sleep(100 * MILLI).await;
    assert_eq!(script.count(Verb::Report), 1);
    assert!(!witness.snapshot().suspect);
    assert_eq!((script.count(Verb::Trip), script.count(Verb::Clear)), (0, 0));
}
