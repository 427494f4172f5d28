use std::sync::Arc;

use infuse_storage::{Circuits, Policy, Reach, State};
use tokio::time::sleep;

use crate::support::{
    Fleet, SECOND, let_happen,
    scripted::{Gate, Scripted, Verb},
    until, until_both,
};

/// An application that starts without its storage.
fn start(fleet: &Fleet) -> (Scripted, Circuits) {
    let script = Scripted::new(fleet.memory.clone());
    script.set_all(Gate::Error);
    let circuits = fleet.builder_on(Arc::new(script.clone())).start().unwrap();
    (script, circuits)
}

#[tokio::test(start_paused = true)]
async fn a_seed_comes_late_if_nothing_has_changed_since() {
    let fleet = Fleet::new();
    let caller = fleet.join().await.circuit("payments", Policy::default());
    assert_eq!(caller.open().await, Reach::Fleet);
    fleet.clock.advance(SECOND);

    let (script, circuits) = start(&fleet);
    let own = circuits.circuit("payments", Policy::default());
    assert_eq!(circuits.seed(&own, State::HalfOpen).await, Reach::Local);
    assert_eq!(own.state(), State::HalfOpen);
    fleet.clock.advance(5 * SECOND);
    sleep(5 * SECOND).await;
    assert_eq!(caller.state(), State::Open);

    script.set_all(Gate::Ok);
    until("it is shared", || own.snapshot().shared).await;
    until_both(&own, &caller, State::HalfOpen).await;
    // Once.
    assert_eq!(caller.close().await, Reach::Fleet);
    sleep(5 * SECOND).await;
    until_both(&own, &caller, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn a_late_seed_is_dropped_if_the_circuit_has_changed_since() {
    let fleet = Fleet::new();
    let caller = fleet.join().await.circuit("payments", Policy::default());
    let (script, circuits) = start(&fleet);
    let own = circuits.circuit("payments", Policy::default());
    assert_eq!(circuits.seed(&own, State::HalfOpen).await, Reach::Local);
    fleet.clock.advance(SECOND);
    assert_eq!(caller.open().await, Reach::Fleet);
    fleet.clock.advance(SECOND);

    script.set_all(Gate::Ok);
    until("it is shared", || own.snapshot().shared).await;
    until_both(&own, &caller, State::Open).await;
    sleep(5 * SECOND).await;
    assert_eq!(caller.snapshot().generation, 1);
    assert_eq!(script.asked(Verb::Seed).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_last_seed_of_a_circuit_is_the_one_that_comes_late() {
    let fleet = Fleet::new();
    let caller = fleet.join().await.circuit("payments", Policy::default());
    let (script, circuits) = start(&fleet);
    let own = circuits.circuit("payments", Policy::default());
    for state in [State::Closed, State::Open] {
        assert_eq!(circuits.seed(&own, state).await, Reach::Local);
    }
    script.set_all(Gate::Ok);
    until("it is shared", || own.snapshot().shared).await;
    until_both(&own, &caller, State::Open).await;
    let_happen().await;
    assert_eq!(caller.snapshot().generation, 1);
}

#[tokio::test(start_paused = true)]
async fn a_seed_whose_answer_is_lost_is_applied_once() {
    let fleet = Fleet::new();
    let script = Scripted::new(fleet.memory.clone());
    let circuits = crate::support::ready(fleet.builder_on(Arc::new(script.clone()))).await;
    let own = circuits.circuit("payments", Policy::default());
    script.next(Verb::Seed, [Gate::LosesAnswer]);
    assert_eq!(circuits.seed(&own, State::Open).await, Reach::Fleet);
    assert_eq!(own.state(), State::Open);
    let_happen().await;
    assert_eq!(own.snapshot().generation, 1);
}
