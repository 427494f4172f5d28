//! What the tests of shared circuits have in common.
// Each test binary uses a part of it.
#![allow(dead_code)]

pub(crate) mod events;
pub(crate) mod in_step;
pub(crate) mod scripted;

use std::{fmt, sync::Arc, time::Duration};

use infuse_storage::{
    CallError, Circuit, Circuits, CircuitsBuilder, ManualClock, MemoryStorage, Outcome, Policy,
    Rejected, State, Storage,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// The default reset timeout.
pub(crate) const RESET: Duration = Duration::from_secs(15);

#[derive(Debug, thiserror::Error)]
#[error("down")]
pub(crate) struct Down;

/// A storage, its clock, and applications that share circuits by it.
pub(crate) struct Fleet {
    pub(crate) clock: ManualClock,
    pub(crate) memory: MemoryStorage,
    timeout: Duration,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::new();
        let memory = MemoryStorage::with_clock(clock.clone());
        Self { memory, clock, timeout: Duration::from_millis(100) }
    }

    /// For tests in real time, on a machine that may be busy.
    pub(crate) fn patient() -> Self {
        Self { timeout: 30 * SECOND, ..Self::new() }
    }

    pub(crate) fn builder(&self) -> CircuitsBuilder {
        self.builder_on(Arc::new(self.memory.clone()))
    }

    pub(crate) fn builder_on(&self, storage: Arc<dyn Storage>) -> CircuitsBuilder {
        Circuits::builder().storage(storage).clock(self.clock.clone()).timeout(self.timeout)
    }

    /// One application's circuits, subscribed.
    pub(crate) async fn join(&self) -> Circuits {
        ready(self.builder()).await
    }

    /// The circuit `payments` of two applications.
    pub(crate) async fn pair(&self) -> (Circuit, Circuit) {
        self.pair_with(Policy::default()).await
    }

    pub(crate) async fn pair_with(&self, policy: Policy) -> (Circuit, Circuit) {
        let one = self.join().await.circuit("payments", policy.clone());
        let two = self.join().await.circuit("payments", policy);
        (one, two)
    }
}

/// Starts circuits and waits until changes are pushed to them.
pub(crate) async fn ready(builder: CircuitsBuilder) -> Circuits {
    let circuits = builder.start().unwrap();
    assert!(circuits.ready().await, "the storage was not ready in time");
    circuits
}

pub(crate) async fn fail(circuit: &Circuit) {
    let result = circuit.call(|| async { Err::<(), _>(Down) }).await;
    assert!(matches!(result, Err(CallError::Inner(Down))), "{result:?}");
}

pub(crate) async fn fail_times(circuit: &Circuit, times: u32) {
    for _ in 0..times {
        fail(circuit).await;
    }
}

pub(crate) async fn succeed(circuit: &Circuit) {
    assert!(circuit.call(|| async { Ok::<_, Down>(()) }).await.is_ok());
}

/// A trial call, made and settled.
pub(crate) async fn try_once(circuit: &Circuit, outcome: Outcome) {
    let permit = circuit.acquire(None).await.unwrap();
    assert!(permit.is_trial());
    permit.settle(outcome);
}

pub(crate) async fn rejected(circuit: &Circuit) -> Rejected {
    circuit.acquire(None).await.expect_err("the call was let through")
}

/// Waits for what other tasks bring about.
pub(crate) async fn until(what: impl fmt::Display, done: impl Fn() -> bool) {
    // With a paused clock this takes no time; without, it is a limit that is not reached.
    for _ in 0..5_000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("it did not come about that {what}");
}

pub(crate) async fn until_state(circuit: &Circuit, state: State) {
    for _ in 0..5_000 {
        if circuit.state() == state {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("{} is {} and did not become {state}", circuit.name(), circuit.state());
}

/// Until both circuits are in a state, by the same generation.
pub(crate) async fn until_both(one: &Circuit, two: &Circuit, state: State) {
    until(format_args!("both are {state}"), || {
        let (one, two) = (one.snapshot(), two.snapshot());
        one.state == state && two.state == state && one.generation == two.generation
    })
    .await;
}

/// Lets everything happen that is under way. Only with a paused clock.
pub(crate) async fn let_happen() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}
