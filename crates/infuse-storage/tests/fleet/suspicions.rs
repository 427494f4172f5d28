//! Failures of several processes add up, unless a success anywhere refutes them.

use std::time::Duration;

use infuse_storage::{
    Circuit, Circuits, Policy, Presented, ProcessId, Report, State, Storage, View,
};
use tokio::time::{Instant, sleep};

use crate::support::{
    SECOND, fail, fail_times,
    in_step::InStep,
    scripted::{Gate, Scripted, Verb},
    succeed, until,
};

const MILLI: Duration = Duration::from_millis(1);

fn payments(circuits: &Circuits) -> Circuit {
    circuits.circuit("payments", Policy::default())
}

/// Another process of which nothing is known but that it fails.
async fn fails_elsewhere(fleet: &InStep, failures: u32) -> View {
    let key = infuse_storage::CircuitKey::new("payments");
    let stored = Presented::from(&fleet.stored().await);
    let mut report = Report::new(key, stored, ProcessId::random(), failures);
    report.clears = u64::MAX;
    fleet.memory.report(&[report]).await.unwrap().remove(0)
}

/// An application, and four failures elsewhere: one here is enough.
async fn nearly() -> (InStep, Scripted, Circuits, Circuit) {
    let fleet = InStep::new();
    let (script, circuits) = fleet.scripted().await;
    let circuit = payments(&circuits);
    sleep(100 * MILLI).await;
    fails_elsewhere(&fleet, 4).await;
    (fleet, script, circuits, circuit)
}

#[tokio::test(start_paused = true)]
async fn eight_processes_that_each_fail_in_turn_open_it_after_five_calls() {
    let fleet = InStep::new();
    let mut circuits = Vec::new();
    for _ in 0..8 {
        circuits.push(payments(&fleet.join().await));
    }
    // They have all been called before.
    for circuit in &circuits {
        succeed(circuit).await;
    }
    sleep(200 * MILLI).await;
    let mut calls = 0;
    for circuit in circuits.iter().cycle() {
        let Ok(permit) = circuit.try_permit() else { break };
        permit.failure();
        calls += 1;
        assert!(calls <= 6, "{calls} calls");
        sleep(60 * MILLI).await;
    }
    assert_eq!(calls, 5);
    sleep(10 * MILLI).await;
    assert!(circuits.iter().all(|circuit| circuit.state() == State::Open));
    assert_eq!(circuits[0].snapshot().generation, 1);
}

#[tokio::test(start_paused = true)]
async fn it_opens_when_the_grace_ends_and_not_before() {
    let (fleet, script, _circuits, circuit) = nearly().await;
    let started = Instant::now();
    fail(&circuit).await;
    until("it is suspect", || circuit.snapshot().suspect).await;
    assert_eq!((circuit.state(), circuit.snapshot().fleet_failures), (State::Closed, 5));
    until("it is open", || circuit.state() == State::Open).await;
    let took = started.elapsed();
    assert!((50..=60).contains(&took.as_millis()), "{took:?}");
    assert!(!circuit.snapshot().suspect);
    assert_eq!((script.count(Verb::Trip), script.count(Verb::Clear)), (1, 0));
    assert!(script.asked(Verb::Trip)[0].what.contains("grace: 50ms"));
    assert_eq!(fleet.stored().await.generation, 1);
}

#[tokio::test(start_paused = true)]
async fn a_success_since_the_first_failure_clears_and_one_of_before_does_not() {
    for (before, opens) in [(false, false), (true, true)] {
        let fleet = InStep::new();
        let (raiser, witness) = (payments(&fleet.join().await), payments(&fleet.join().await));
        sleep(100 * MILLI).await;
        if before {
            succeed(&witness).await;
            sleep(200 * MILLI).await;
        }
        fails_elsewhere(&fleet, 4).await;
        sleep(100 * MILLI).await;
        if !before {
            succeed(&witness).await;
        }
        sleep(100 * MILLI).await;
        fail(&raiser).await;
        sleep(200 * MILLI).await;
        let expected = if opens { State::Open } else { State::Closed };
        assert_eq!((raiser.state(), witness.state()), (expected, expected));
        assert_eq!(fleet.stored().await.clears, u64::from(!opens));
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_within_the_grace_clears_wherever_it_is() {
    for by_raiser in [false, true] {
        let (fleet, script, _circuits, raiser) = nearly().await;
        let other = payments(&fleet.join().await);
        sleep(10 * MILLI).await;
        fail(&raiser).await;
        sleep(20 * MILLI).await;
        assert!(raiser.snapshot().suspect && other.snapshot().suspect);
        succeed(if by_raiser { &raiser } else { &other }).await;
        sleep(20 * MILLI).await;
        assert!(!raiser.snapshot().suspect && !other.snapshot().suspect);
        sleep(SECOND).await;
        assert_eq!((raiser.state(), other.state()), (State::Closed, State::Closed));
        assert_eq!(script.count(Verb::Clear), usize::from(by_raiser));
        assert_eq!(script.count(Verb::Trip), 0);
        assert_eq!(fleet.stored().await.clears, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn successes_are_told_apart_by_less_than_a_coarse_tick() {
    // Wherever the coarse tick is written, and a fine one too.
    for (offset, gap) in (0..50).flat_map(|offset| [(offset, 1), (offset, 10)]) {
        let fleet = InStep::new();
        let witness = payments(&fleet.join().await);
        let raiser = payments(&fleet.join().await);
        sleep(100 * MILLI + offset * MILLI).await;
        succeed(&witness).await;
        sleep(gap * MILLI).await;
        fails_elsewhere(&fleet, 4).await;
        fail(&raiser).await;
        sleep(8 * MILLI).await;
        assert!(witness.snapshot().suspect);
        succeed(&witness).await;
        sleep(SECOND).await;
        assert_eq!(witness.state(), State::Closed, "{offset} {gap}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_process_says_nothing() {
    let (fleet, _raising, _circuits, raiser) = nearly().await;
    let (script, idle) = fleet.scripted().await;
    let idle = payments(&idle);
    sleep(10 * MILLI).await;
    fail(&raiser).await;
    until("it is open", || idle.state() == State::Open).await;
    assert_eq!((script.count(Verb::Clear), script.count(Verb::Trip)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn one_clear_calls_off_the_others() {
    let fleet = InStep::new();
    let mut witnesses = Vec::new();
    for _ in 0..16 {
        let (script, circuits) = fleet.scripted().await;
        witnesses.push((script, payments(&circuits)));
    }
    let mut clears = 0;
    sleep(100 * MILLI).await;
    for _ in 0..10 {
        fails_elsewhere(&fleet, 5).await;
        sleep(2 * MILLI).await;
        for (_, circuit) in &witnesses {
            succeed(circuit).await;
        }
        sleep(SECOND).await;
        assert_eq!(witnesses[0].1.state(), State::Closed);
        let sent: usize = witnesses.iter().map(|(script, _)| script.count(Verb::Clear)).sum();
        assert!(sent - clears <= 8, "{} clears of 16", sent - clears);
        clears = sent;
    }
    // Sixteen at random in 25 ms: hardly ever more than a few in the first millisecond. A look may
    // have been faster.
    assert!((5..=50).contains(&clears), "{clears} clears of ten suspicions");
}

#[tokio::test(start_paused = true)]
async fn after_a_clear_nothing_is_reported_until_the_rest_is_over() {
    let (fleet, script, _circuits, raiser) = nearly().await;
    fail(&raiser).await;
    sleep(10 * MILLI).await;
    succeed(&raiser).await;
    until("it was cleared", || !raiser.snapshot().suspect).await;
    let (cleared, reports) = (Instant::now(), script.count(Verb::Report));
    while cleared.elapsed() < 235 * MILLI {
        fail_times(&raiser, 1).await;
        succeed(&raiser).await;
        fail_times(&raiser, 2).await;
        sleep(5 * MILLI).await;
        succeed(&raiser).await;
    }
    assert_eq!(script.count(Verb::Report), reports);
    assert_eq!(fleet.stored().await.failures, 0);
    fail(&raiser).await;
    sleep(100 * MILLI).await;
    assert!(script.count(Verb::Report) > reports);
    assert_eq!(fleet.stored().await.failures, 1);
}

#[tokio::test(start_paused = true)]
async fn failures_from_before_a_clear_are_not_reported_again() {
    let (fleet, script, _circuits, circuit) = nearly().await;
    // Three here, and two more elsewhere that somebody refutes.
    fleet.memory.forget_all();
    fail_times(&circuit, 3).await;
    sleep(100 * MILLI).await;
    assert_eq!(fleet.stored().await.failures, 3);
    let other = payments(&fleet.join().await);
    sleep(100 * MILLI).await;
    succeed(&other).await;
    fails_elsewhere(&fleet, 2).await;
    sleep(SECOND).await;
    assert_eq!(fleet.stored().await.clears, 1);
    // Of the run of four, one counts.
    fail(&circuit).await;
    sleep(100 * MILLI).await;
    let asked = script.asked(Verb::Report);
    let last = &asked.last().unwrap().what;
    assert!(last.contains("failures: 1, clears: 1"), "{last}");
    assert_eq!((circuit.fail_counter(), fleet.stored().await.failures), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn a_suspicion_whose_raiser_dies_lapses() {
    let (fleet, _script, circuits, raiser) = nearly().await;
    let other = payments(&fleet.join().await);
    fail(&raiser).await;
    until("it is suspect", || other.snapshot().suspect).await;
    drop((circuits, raiser));
    sleep(SECOND).await;
    assert_eq!(fleet.stored().await.failures, 5);
    sleep(5 * SECOND).await;
    let stored = fleet.stored().await;
    assert_eq!((stored.state, stored.failures, stored.suspicion), (State::Closed, 4, None));
    assert!(!other.snapshot().suspect);
    // One more is enough again.
    fail(&other).await;
    until("it is open", || other.state() == State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_leaves_a_suspicion_to_lapse_and_says_what_refutes_one() {
    for refuted in [false, true] {
        let (fleet, script, circuits, raiser) = nearly().await;
        fail(&raiser).await;
        sleep(10 * MILLI).await;
        if refuted {
            raiser.try_permit().unwrap().success();
        }
        let started = Instant::now();
        circuits.shutdown().await;
        assert!(started.elapsed() < 10 * MILLI);
        assert_eq!(script.count(Verb::Clear), usize::from(refuted));
        sleep(SECOND).await;
        assert_eq!(script.count(Verb::Trip), 0);
        let stored = fleet.stored().await;
        assert_eq!((stored.state, stored.suspicion.is_some()), (State::Closed, !refuted));
        assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_settled_too_late_is_renewed_and_has_a_longer_grace() {
    let (fleet, script, _circuits, raiser) = nearly().await;
    // It takes 60 ms to the storage: later than twice the grace, and not than twice the next.
    script.set(Verb::Trip, Gate::Slow(60 * MILLI));
    fail(&raiser).await;
    sleep(130 * MILLI).await;
    assert_eq!((script.count(Verb::Trip), raiser.state()), (1, State::Closed));
    assert!(raiser.snapshot().suspect);
    assert_eq!(fleet.stored().await.failures, 5);
    until("it is open", || raiser.state() == State::Open).await;
    let trips = script.asked(Verb::Trip);
    assert_eq!(trips.len(), 2);
    assert!(trips[1].what.contains("grace: 100ms"), "{}", trips[1].what);
}

#[tokio::test(start_paused = true)]
async fn the_grace_and_the_rest_can_be_set() {
    let fleet = InStep::new();
    let setup = |builder: infuse_storage::CircuitsBuilder| {
        builder.trip_grace(300 * MILLI).trip_rest(2 * SECOND)
    };
    let (script, circuits) = fleet.scripted_with(setup).await;
    let circuit = payments(&circuits);
    fails_elsewhere(&fleet, 4).await;
    let started = Instant::now();
    fail(&circuit).await;
    until("it is open", || circuit.state() == State::Open).await;
    assert!((300..=310).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    let report = &script.asked(Verb::Report)[0].what;
    // Twice the longest grace, which is eight times the first, and four times the timeout.
    assert!(report.contains("rest: 2s, lapse: 5.2s"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn evidence_that_is_old_is_not_sent() {
    let fleet = InStep::new();
    let setup = |builder: infuse_storage::CircuitsBuilder| builder.trip_rest(3 * SECOND);
    let (script, circuits) = fleet.scripted_with(setup).await;
    let circuit = payments(&circuits);
    fails_elsewhere(&fleet, 4).await;
    fail(&circuit).await;
    sleep(10 * MILLI).await;
    succeed(&circuit).await;
    sleep(100 * MILLI).await;
    let reports = script.count(Verb::Report);
    // In the rest, which is longer than a poll interval.
    fail_times(&circuit, 2).await;
    sleep(5 * SECOND).await;
    assert_eq!(script.count(Verb::Report), reports);
    // The next is of the whole run.
    fail(&circuit).await;
    sleep(100 * MILLI).await;
    assert_eq!(fleet.stored().await.failures, 3);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_says_how_old_the_view_is() {
    let fleet = InStep::new();
    let (script, circuits) = fleet.scripted().await;
    script.set_all(Gate::Never);
    let circuit = payments(&circuits);
    assert_eq!(circuit.snapshot().view_age, None);
    script.set_all(Gate::Ok);
    until("it is looked at", || circuit.snapshot().view_age.is_some()).await;
    // Idle, and nothing is pushed.
    sleep(10 * SECOND).await;
    assert!(circuit.snapshot().view_age.unwrap() >= 9 * SECOND);
    fails_elsewhere(&fleet, 5).await;
    sleep(MILLI).await;
    let snapshot = circuit.snapshot();
    assert!(snapshot.suspect && snapshot.view_age.unwrap() <= 2 * MILLI);
    assert_eq!((snapshot.fleet_failures, snapshot.fail_counter), (5, 0));
}
