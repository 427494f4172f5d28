use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use infuse_storage::{
    Breaker, BreakerBuilder, Cause, Circuit, Interest, Listener, ModeChange, State, StateChange,
};
use tokio::task::AbortHandle;

use super::{TRANSITIONS, hand};
use crate::durations;

/// The listener `metrics`: counts the changes of the circuits that it was chosen for, and knows
/// which these are.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    seen: Mutex<Seen>,
    task: OnceLock<AbortHandle>,
}

#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) circuits: BTreeSet<Arc<str>>,
    transitions: HashMap<Transition, u64>,
}

type Transition = (Arc<str>, State, State, Cause, bool);

impl Meters {
    /// Has a circuit of this name counted.
    pub(crate) fn install(
        self: &Arc<Self>,
        circuit: &str,
        builder: BreakerBuilder,
    ) -> BreakerBuilder {
        durations::keep(circuit);
        self.seen().begin(circuit.into());
        builder.totals().shared_listener(Arc::clone(self) as Arc<dyn Listener>)
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task that hands over what was counted is this one.
    pub(super) fn run_by(&self, task: AbortHandle) {
        // There is one.
        let _ = self.task.set(task);
    }

    /// Hands nothing over in the background any more.
    pub(crate) fn stop(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    /// Shows how the circuit is now. Under the lock, so that who looks later shows it later.
    fn show(&self, breaker: &Breaker) {
        let name: Arc<str> = breaker.name().into();
        // An override that is found to have ended is told to this listener too: not under its lock.
        let kept = breaker.keep_mode_changes();
        let seen = self.seen();
        hand::standing(&name, breaker.state(), breaker.mode());
        drop(seen);
        drop(kept);
    }

    /// [`show`](Self::show) for whoever has the circuit.
    pub(super) fn show_circuit(&self, circuit: &Circuit) {
        let name: Arc<str> = circuit.name().into();
        let kept = circuit.keep_mode_changes();
        let seen = self.seen();
        hand::standing(&name, circuit.state(), circuit.mode());
        drop(seen);
        drop(kept);
    }
}

/// The changes that circuits make most.
const USUAL: [(State, State, Cause); 10] = [
    (State::Closed, State::Open, Cause::Failures),
    (State::Closed, State::Open, Cause::FailureRate),
    (State::Closed, State::Open, Cause::SlowCallRate),
    (State::Closed, State::Open, Cause::Rule),
    (State::Closed, State::Open, Cause::Manual),
    (State::Open, State::HalfOpen, Cause::TrialStarted),
    (State::Open, State::Closed, Cause::TrialSucceeded),
    (State::HalfOpen, State::Open, Cause::TrialFailed),
    (State::HalfOpen, State::Closed, Cause::TrialSucceeded),
    (State::Open, State::Closed, Cause::Manual),
];

impl Seen {
    /// Counts a circuit of this name from now on. What changes it can make are there at zero, because
    /// who asks how much a number has risen hears nothing of one that begins at 1.
    fn begin(&mut self, circuit: Arc<str>) {
        for (from, to, cause) in USUAL {
            for remote in [false, true] {
                self.transitions
                    .entry((Arc::clone(&circuit), from, to, cause, remote))
                    .or_default();
            }
        }
        self.circuits.insert(circuit);
    }

    /// Hands over how often there was which change.
    pub(super) fn hand_over(&self) {
        for (transition, times) in &self.transitions {
            tell(transition, *times);
        }
    }
}

fn tell((service, from, to, cause, remote): &Transition, times: u64) {
    let labels = [
        ("service", Arc::clone(service)),
        ("from", from.as_str().into()),
        ("to", to.as_str().into()),
        ("cause", cause.as_str().into()),
        ("remote", if *remote { "true" } else { "false" }.into()),
    ];
    hand::count(TRANSITIONS, &labels, times);
}

impl Listener for Meters {
    fn state_change(&self, breaker: &Breaker, change: &StateChange) {
        let transition =
            (breaker.name().into(), change.from, change.to, change.cause, change.remote);
        let mut seen = self.seen();
        let times = seen.transitions.entry(transition.clone()).or_default();
        *times += 1;
        tell(&transition, *times);
        drop(seen);
        self.show(breaker);
    }

    fn mode_change(&self, breaker: &Breaker, _: &ModeChange) {
        self.show(breaker);
    }

    /// Calls are counted by the breaker itself.
    fn interest(&self) -> Interest {
        Interest::Changes
    }
}
