//! Whatever the storage does, calls are not delayed, and circuits recover.

use std::{sync::Arc, time::Duration};

use infuse_storage::{Outcome, Policy, State};
use tokio::time::Instant;

use crate::{
    Faulty,
    support::{
        Fleet, RESET, SECOND, fail, fail_times, rejected,
        scripted::{Gate, Scripted, VERBS, Verb},
        succeed, until_state,
    },
};

const GATES: [Gate; 6] = [
    Gate::Ok,
    Gate::Error,
    Gate::LosesAnswer,
    Gate::Slow(Duration::from_millis(60)),
    Gate::AnswersLate(Duration::from_millis(150)),
    Gate::Never,
];
/// The default timeout of the storage.
const TIMEOUT: Duration = Duration::from_millis(100);

/// A circuit's whole life behind one gate.
async fn live(circuit: &infuse_storage::Circuit, fleet: &Fleet, what: &str) {
    let started = Instant::now();
    for _ in 0..20 {
        succeed(circuit).await;
        fail(circuit).await;
    }
    fail_times(circuit, 4).await;
    rejected(circuit).await;
    assert_eq!(started.elapsed(), Duration::ZERO, "{what}: calls were delayed");
    assert_eq!(circuit.state(), State::Open, "{what}");

    // What is told is told, or lost.
    tokio::time::sleep(SECOND / 2).await;
    fleet.clock.advance(RESET);
    for outcome in [Outcome::Failure, Outcome::Ignored, Outcome::Success] {
        let started = Instant::now();
        let permit = loop {
            let asked = Instant::now();
            let answer = circuit.acquire(Some(SECOND)).await;
            let waited = asked.elapsed();
            // The runtime's timers are of whole milliseconds.
            assert!(waited <= TIMEOUT + Duration::from_millis(1), "{what}: waited {waited:?}");
            if let Ok(permit) = answer {
                break permit;
            }
            assert!(started.elapsed() < 20 * SECOND, "{what}: rejects for ever");
            tokio::time::sleep(SECOND / 5).await;
            fleet.clock.advance(SECOND / 5);
        };
        let trial = permit.is_trial();
        permit.settle(outcome);
        if outcome == Outcome::Success && trial {
            until_state(circuit, State::Closed).await;
        }
        tokio::time::sleep(SECOND / 2).await;
        fleet.clock.advance(SECOND / 2);
        if outcome == Outcome::Failure {
            fleet.clock.advance(RESET);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_is_delayed_and_every_circuit_recovers() {
    for verb in VERBS {
        for gate in GATES {
            let what = format!("{verb:?} {gate:?}");
            let faulty = Faulty::new().await;
            faulty.script.set(verb, gate);
            live(&faulty.here, &faulty.fleet, &what).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_is_delayed_by_a_storage_that_never_was_there() {
    for gate in GATES {
        let fleet = Fleet::new();
        let script = Scripted::new(fleet.memory.clone());
        script.set_all(gate);
        let circuits = fleet.builder_on(Arc::new(script.clone())).start().unwrap();
        let circuit = circuits.circuit("payments", Policy::default());
        let started = Instant::now();
        circuits.ready().await;
        assert!(started.elapsed() <= TIMEOUT + Duration::from_millis(1), "{gate:?}");
        live(&circuit, &fleet, &format!("all {gate:?}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn commands_take_two_timeouts_at_most() {
    for gate in GATES {
        let faulty = Faulty::new().await;
        faulty.script.set_all(gate);
        for state in [State::Open, State::HalfOpen, State::Closed] {
            let started = Instant::now();
            let _reach = match state {
                State::Open => faulty.here.open().await,
                State::HalfOpen => faulty.here.half_open().await,
                State::Closed => faulty.here.close().await,
            };
            assert!(started.elapsed() <= 2 * TIMEOUT + Duration::from_millis(2), "{gate:?}");
            assert_eq!(faulty.here.state(), state, "{gate:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_panics_leaves_circuits_alone() {
    let faulty = Faulty::new().await;
    faulty.script.set(Verb::Trip, Gate::Panics);
    fail_times(&faulty.here, 5).await;
    tokio::time::sleep(SECOND).await;
    assert!(faulty.is_lost());
    faulty.fleet.clock.advance(RESET);
    let trial = faulty.here.acquire(None).await.unwrap();
    trial.success();
    assert_eq!(faulty.here.state(), State::Closed);
    faulty.circuits.shutdown().await;
}
