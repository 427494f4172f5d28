use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::{
    Breaker, Rejected, StateChange,
    sync::{Mutex, lock},
};

/// Is told what happens at a circuit, after the fact and outside any lock.
///
/// The order is: `before_call`; then `failure`, and `state_change` if it opened the circuit; or
/// `state_change` if the call closed the circuit, then `success`. A call that is rejected is told
/// as `rejected` alone, one that is ignored by `before_call` alone. A circuit that is shared
/// through a storage closes when the storage says so, a moment after the `success`.
///
/// A listener runs in the thread of the call (changes by others come from a task), so a slow one makes that call slow. One that panics
/// harms nobody: the panic goes no further.
///
/// ```
/// use infuse_core::{Breaker, Listener, StateChange};
///
/// struct Log;
///
/// impl Listener for Log {
///     fn state_change(&self, breaker: &Breaker, change: &StateChange) {
///         println!("{}: {} to {}", breaker.name(), change.from, change.to);
///     }
/// }
///
/// let breaker = Breaker::builder("payments").listener(Log).build();
/// breaker.open();
/// ```
pub trait Listener: Send + Sync + 'static {
    /// A call was let through.
    fn before_call(&self, breaker: &Breaker) {
        let _ = breaker;
    }

    /// A call counted as a success.
    fn success(&self, breaker: &Breaker) {
        let _ = breaker;
    }

    /// A call counted as a failure. The error is there when the call returned one.
    fn failure(&self, breaker: &Breaker, error: Option<&(dyn Error + 'static)>) {
        let _ = (breaker, error);
    }

    /// The circuit changed its state.
    fn state_change(&self, breaker: &Breaker, change: &StateChange) {
        let _ = (breaker, change);
    }

    /// A call was rejected.
    fn rejected(&self, breaker: &Breaker, rejected: Rejected) {
        let _ = (breaker, rejected);
    }
}

/// Names one listener at one breaker, for its removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// `None` for none, which most breakers have.
type Entries = Option<Arc<[(ListenerId, Arc<dyn Listener>)]>>;

/// The entries for the list, `None` if there are none.
fn entries(entries: impl Iterator<Item = (ListenerId, Arc<dyn Listener>)>) -> Entries {
    let entries: Arc<[_]> = entries.collect();
    (!entries.is_empty()).then_some(entries)
}

/// The listeners of one breaker. Whoever calls them takes a copy of the list first, so none is
/// called under the lock.
pub(crate) struct Listeners(Mutex<(u64, Entries)>);

impl Listeners {
    pub(crate) fn new(listeners: Vec<Arc<dyn Listener>>) -> Self {
        let next = listeners.len() as u64;
        Self(Mutex::new((next, entries((0..).map(ListenerId).zip(listeners)))))
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).1.is_none()
    }

    pub(crate) fn add(&self, listener: Arc<dyn Listener>) -> ListenerId {
        let mut list = lock(&self.0);
        let id = ListenerId(list.0);
        list.0 += 1;
        let before = list.1.iter().flat_map(|list| list.iter()).cloned();
        list.1 = entries(before.chain([(id, listener)]));
        id
    }

    /// Removes a listener; whether it was there, and whether the list is empty now.
    pub(crate) fn remove(&self, id: ListenerId) -> (bool, bool) {
        let mut list = lock(&self.0);
        let Some(before) = list.1.take() else { return (false, true) };
        list.1 = entries(before.iter().filter(|(other, _)| *other != id).cloned());
        (list.1.as_ref().is_none_or(|left| left.len() < before.len()), list.1.is_none())
    }

    pub(crate) fn tell(&self, event: impl Fn(&dyn Listener)) {
        let entries = lock(&self.0).1.clone();
        for (_, listener) in entries.iter().flat_map(|entries| entries.iter()) {
            // What a listener broke is its own: nothing of ours is borrowed mutably here.
            let _ = catch_unwind(AssertUnwindSafe(|| event(&**listener)));
        }
    }
}
