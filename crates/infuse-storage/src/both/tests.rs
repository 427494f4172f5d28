use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::Poll,
};

use infuse_core::{Breaker, Listener, ManualClock, Override, Reason};
use tokio::task::yield_now;

use super::*;
use crate::{Circuits, MemoryStorage};

const RESET: Duration = Duration::from_secs(15);

/// Processes on one storage.
struct Fleet {
    clock: ManualClock,
    memory: MemoryStorage,
}

/// A service's circuit and one below it, in one process.
struct Pair {
    own: Circuit,
    below: Circuit,
    heard: Heard,
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn note(&self, breaker: &Breaker, what: &str) {
        self.0.lock().unwrap().push(format!("{} {what}", breaker.name()));
    }
}

impl Listener for Heard {
    fn before_call(&self, breaker: &Breaker) {
        self.note(breaker, "called");
    }

    fn rejected(&self, breaker: &Breaker, _: Rejected) {
        self.note(breaker, "rejected");
    }
}

impl Fleet {
    fn new() -> Self {
        let clock = ManualClock::new();
        Self { memory: MemoryStorage::with_clock(clock.clone()), clock }
    }

    async fn join(&self) -> Pair {
        let circuits = Circuits::builder()
            .storage(Arc::new(self.memory.clone()))
            .clock(self.clock.clone())
            // In real time, on a machine that may be busy.
            .timeout(2 * RESET)
            .start()
            .unwrap();
        let heard = Heard::default();
        let circuit = |name: &str| {
            let heard = heard.clone();
            circuits.circuit_with(name, |breaker| breaker.listener(heard))
        };
        let (own, below) = (circuit("payments"), circuit("payments/refunds"));
        assert!(circuits.ready().await);
        Pair { own, below, heard }
    }

    /// Opens circuits everywhere, and waits for their trials to be due.
    async fn due(&self, circuits: &[&Circuit]) {
        for circuit in circuits {
            assert_eq!(circuit.open().await, crate::Reach::Fleet);
        }
        self.clock.advance(RESET);
    }
}

impl Pair {
    async fn acquire(&self) -> Result<(CircuitPermit, CircuitPermit), RejectedBy> {
        self.own.acquire_with(&self.below, None).await
    }

    fn trials(&self) -> (u32, u32) {
        (self.own.snapshot().trials, self.below.snapshot().trials)
    }
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            yield_now().await;
        }
    };
    tokio::time::timeout(RESET, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// The trial of a circuit, which somebody gives back in the background.
async fn trial_of(circuit: &Circuit) -> CircuitPermit {
    let trial = async {
        loop {
            match circuit.acquire(None).await {
                Ok(permit) => return permit,
                Err(_) => yield_now().await,
            }
        }
    };
    let permit = tokio::time::timeout(RESET, trial).await.expect("the place is free again");
    assert!(permit.is_trial());
    permit
}

#[tokio::test]
async fn both_let_a_call_through() {
    let pair = Fleet::new().join().await;
    let (own, below) = pair.acquire().await.unwrap();
    assert_eq!((own.breaker().name(), below.breaker().name()), ("payments", "payments/refunds"));
    for _ in 0..5 {
        let (own, below) = pair.acquire().await.unwrap();
        own.settle(Outcome::Ignored);
        below.settle(Outcome::Failure);
    }
    assert_eq!((pair.own.state(), pair.below.state()), (State::Closed, State::Open));
    assert_eq!((own.is_trial(), below.is_trial()), (false, false));
}

#[tokio::test]
async fn who_rejects_is_told_and_the_other_hears_nothing() {
    let fleet = Fleet::new();
    let pair = fleet.join().await;
    assert_eq!(pair.own.open().await, crate::Reach::Fleet);
    let rejected = pair.acquire().await.unwrap_err();
    assert!(matches!(rejected, RejectedBy::Own(_)), "{rejected:?}");
    assert_eq!(rejected.rejected().retry_after(), RESET);
    assert_eq!(pair.heard.take(), ["payments rejected"]);

    assert_eq!(pair.own.close().await, crate::Reach::Fleet);
    assert_eq!(pair.below.open().await, crate::Reach::Fleet);
    let rejected = pair.acquire().await.unwrap_err();
    assert!(matches!(rejected, RejectedBy::Below(_)), "{rejected:?}");
    assert_eq!(pair.heard.take(), ["payments/refunds rejected"]);
}

#[tokio::test]
async fn no_trial_is_taken_from_one_while_the_other_is_open() {
    for first in [true, false] {
        let fleet = Fleet::new();
        let pair = fleet.join().await;
        let (due, open) = if first { (&pair.own, &pair.below) } else { (&pair.below, &pair.own) };
        fleet.due(&[due]).await;
        assert_eq!(open.open().await, crate::Reach::Fleet);
        let rejected = pair.acquire().await.unwrap_err();
        assert_eq!(matches!(rejected, RejectedBy::Below(_)), first);
        assert_eq!((due.state(), pair.trials()), (State::Open, (0, 0)));
        // It is still there for whoever may pass.
        trial_of(due).await.settle(Outcome::Success);
    }
}

#[tokio::test]
async fn each_that_is_due_gives_a_trial() {
    for (own_due, below_due) in [(true, true), (true, false), (false, true)] {
        let fleet = Fleet::new();
        let pair = fleet.join().await;
        let due = [(&pair.own, own_due), (&pair.below, below_due)];
        let due: Vec<_> = due.into_iter().filter(|(_, due)| *due).map(|(it, _)| it).collect();
        fleet.due(&due).await;
        let (own, below) = pair.acquire().await.unwrap();
        assert_eq!((own.is_trial(), below.is_trial()), (own_due, below_due));
        pair.acquire().await.unwrap_err();
        own.settle(Outcome::Success);
        below.settle(Outcome::Success);
        let closed = || [&pair.own, &pair.below].iter().all(|it| it.state() == State::Closed);
        eventually("both close", closed).await;
    }
}

#[tokio::test]
async fn a_trial_is_given_back_when_the_other_is_refused() {
    let fleet = Fleet::new();
    let (one, two) = (fleet.join().await, fleet.join().await);
    for circuit in [&one.own, &one.below] {
        assert_eq!(circuit.open().await, crate::Reach::Fleet);
    }
    let heard = || [&two.own, &two.below].iter().all(|it| it.state() == State::Open);
    eventually("the other hears", heard).await;
    fleet.clock.advance(RESET);
    let mut call = pin!(one.acquire());
    assert!(poll_once(call.as_mut()).await.is_none());
    // Both were due when they were looked at. Now another process takes the one below.
    let held = two.below.acquire(None).await.unwrap();
    assert!(held.is_trial());
    let rejected = call.await.unwrap_err();
    assert!(matches!(rejected, RejectedBy::Below(_)), "{rejected:?}");
    eventually("nothing is held", || one.trials() == (0, 0)).await;
    trial_of(&two.own).await.settle(Outcome::Success);
    held.settle(Outcome::Success);
}

#[tokio::test]
async fn a_circuit_that_opens_while_a_lease_is_waited_for_rejects() {
    for first in [true, false] {
        let fleet = Fleet::new();
        let pair = fleet.join().await;
        let (due, closed) = if first { (&pair.below, &pair.own) } else { (&pair.own, &pair.below) };
        fleet.due(&[due]).await;
        let mut call = pin!(pair.acquire());
        assert!(poll_once(call.as_mut()).await.is_none());
        for _ in 0..5 {
            closed.try_permit().unwrap().failure();
        }
        let rejected = call.await.unwrap_err();
        assert_eq!(matches!(rejected, RejectedBy::Own(_)), first, "{rejected:?}");
        trial_of(due).await.settle(Outcome::Success);
    }
}

#[tokio::test]
async fn a_caller_that_leaves_gives_everything_back() {
    let fleet = Fleet::new();
    let pair = fleet.join().await;
    // After so many polls it waits for the first lease, holds that and waits for the second.
    for holds in [0, 1] {
        fleet.due(&[&pair.own, &pair.below]).await;
        {
            let mut call = pin!(pair.acquire());
            assert!(poll_once(call.as_mut()).await.is_none());
            while pair.trials().0 < holds {
                yield_now().await;
                assert!(poll_once(call.as_mut()).await.is_none(), "it had no time to leave");
            }
        }
        for circuit in [&pair.own, &pair.below] {
            let permit = trial_of(circuit).await;
            assert_eq!(circuit.fail_counter(), 0);
            permit.settle(Outcome::Success);
            eventually("it closes", || circuit.state() == State::Closed).await;
        }
    }
}

#[tokio::test]
async fn one_that_is_isolated_takes_nothing_from_the_other() {
    for first in [true, false] {
        let fleet = Fleet::new();
        let pair = fleet.join().await;
        let (due, isolated) =
            if first { (&pair.own, &pair.below) } else { (&pair.below, &pair.own) };
        fleet.due(&[due]).await;
        pair.heard.take();
        isolated.breaker().set_mode(Mode::Isolated);
        let rejected = pair.acquire().await.unwrap_err();
        assert_eq!(rejected.rejected().reason(), Reason::Isolated);
        assert_eq!(matches!(rejected, RejectedBy::Below(_)), first);
        assert_eq!((due.state(), pair.trials()), (State::Open, (0, 0)));
        assert_eq!(pair.heard.take(), [format!("{} rejected", isolated.name())]);
    }
}

#[tokio::test]
async fn one_that_is_isolated_while_a_lease_is_waited_for_rejects() {
    let fleet = Fleet::new();
    let pair = fleet.join().await;
    fleet.due(&[&pair.below]).await;
    let mut call = pin!(pair.acquire());
    assert!(poll_once(call.as_mut()).await.is_none());
    pair.own.breaker().set_override(Some(Override::new(Mode::Isolated)));
    let rejected = call.await.unwrap_err();
    assert!(matches!(rejected, RejectedBy::Own(_)), "{rejected:?}");
    trial_of(&pair.below).await.settle(Outcome::Success);
}

#[tokio::test]
async fn one_that_only_observes_lets_everything_pass() {
    for (own, below) in [(true, false), (false, true), (true, true)] {
        let pair = Fleet::new().join().await;
        for (circuit, observed) in [(&pair.own, own), (&pair.below, below)] {
            if observed {
                circuit.breaker().set_mode(Mode::Observe);
                assert_eq!(circuit.open().await, crate::Reach::Fleet);
            }
        }
        for _ in 0..3 {
            let (one, other) = pair.acquire().await.unwrap();
            one.settle(Outcome::Failure);
            other.settle(Outcome::Failure);
        }
        // What passes an open circuit counts as nothing.
        let counted = |observed| if observed { 0 } else { 3 };
        assert_eq!(pair.own.fail_counter(), counted(own));
        assert_eq!(pair.below.fail_counter(), counted(below));
    }
}

#[tokio::test]
async fn a_call_that_would_be_rejected_is_told_of_once() {
    let fleet = Fleet::new();
    let pair = fleet.join().await;
    pair.own.breaker().set_mode(Mode::Observe);
    fleet.due(&[&pair.below]).await;
    assert_eq!(pair.own.open().await, crate::Reach::Fleet);
    let (one, other) = pair.acquire().await.unwrap();
    assert!(other.is_trial());
    one.settle(Outcome::Failure);
    other.settle(Outcome::Success);
    assert_eq!(pair.own.snapshot().would_have_rejected, 1);
}

#[tokio::test]
async fn a_caller_that_leaves_accuses_nobody() {
    let fleet = Fleet::new();
    let pair = fleet.join().await;
    let strict = pair.own.policy().to_builder().abandoned_after(Duration::from_millis(1));
    for circuit in [&pair.own, &pair.below] {
        circuit.set_policy(strict.clone().build().unwrap());
    }
    fleet.due(&[&pair.below]).await;
    {
        let mut call = pin!(pair.acquire());
        assert!(poll_once(call.as_mut()).await.is_none());
        fleet.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(pair.own.fail_counter(), 0);
    trial_of(&pair.below).await.settle(Outcome::Success);
}
