use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::{
    Breaker, Rejected, StateChange,
    sync::{AtomicBool, Mutex, Ordering, lock},
};

/// Is told what happens at a circuit, after the fact and outside any lock.
///
/// The order is: `before_call`; then `failure`, and `state_change` if it opened the circuit; or
/// `state_change` if the call closed the circuit, then `success`. A success that opens the circuit,
/// by being slow, is told first, as a failure is; a trial that is slow where that opens the circuit
/// is told as a `failure` without an error, and so is a call that was
/// [abandoned](crate::Policy::abandoned_after). A call that is rejected is told as `rejected`
/// alone, one that is ignored by `before_call` alone. A circuit that is shared through a storage
/// closes when the storage says so, a moment after the `success`.
///
/// Of a call that passes in a circuit that is [disabled](crate::Mode::Disabled) nobody is told.
///
/// A listener runs in the thread of the call (changes by others come from a task), so a slow one
/// makes that call slow, and no other. One that panics harms nobody: the panic goes no further.
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

    /// A call was let through that would have been rejected, in a circuit that only
    /// [observes](crate::Mode::Observe). It is told of with no other event, neither now nor at its
    /// end, and counts as nothing.
    fn would_reject(&self, breaker: &Breaker, rejected: Rejected) {
        let _ = (breaker, rejected);
    }

    /// A call was rejected.
    fn rejected(&self, breaker: &Breaker, rejected: Rejected) {
        let _ = (breaker, rejected);
    }
}

/// Names one listener at one breaker, for its removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// The listeners of one breaker. Whoever calls them takes a copy of the list first, so none is
/// called under the lock.
pub(crate) struct Listeners {
    /// Whether there is a listener at all: a breaker may be watched for its window alone, and then
    /// takes no lock to find nobody.
    any: AtomicBool,
    /// `None` if there never was one, as with most breakers.
    list: Mutex<Option<Box<List>>>,
}

#[derive(Default)]
struct List {
    /// The number of the next one.
    next: u64,
    entries: Arc<[(ListenerId, Arc<dyn Listener>)]>,
}

impl Listeners {
    pub(crate) fn new(listeners: Vec<Arc<dyn Listener>>) -> Self {
        let any = AtomicBool::new(!listeners.is_empty());
        let list = (!listeners.is_empty()).then(|| {
            let next = listeners.len() as u64;
            Box::new(List { next, entries: (0..).map(ListenerId).zip(listeners).collect() })
        });
        Self { any, list: Mutex::new(list) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.list).as_ref().is_none_or(|list| list.entries.is_empty())
    }

    pub(crate) fn add(&self, listener: Arc<dyn Listener>) -> ListenerId {
        let mut list = lock(&self.list);
        let list = list.get_or_insert_default();
        let id = ListenerId(list.next);
        list.next += 1;
        list.entries = list.entries.iter().cloned().chain([(id, listener)]).collect();
        // Relaxed, as below: who sees the breaker watched for this listener sees this too, and who
        // still saw it before the listener was there may miss it.
        self.any.store(true, Ordering::Relaxed);
        id
    }

    /// Removes a listener; whether it was there.
    pub(crate) fn remove(&self, id: ListenerId) -> bool {
        let mut list = lock(&self.list);
        let Some(list) = list.as_mut() else { return false };
        let others = list.entries.iter().filter(|(other, _)| *other != id);
        let left: Arc<[_]> = others.cloned().collect();
        let removed = left.len() < list.entries.len();
        self.any.store(!left.is_empty(), Ordering::Relaxed);
        list.entries = left;
        removed
    }

    /// Whether there is a listener: an answer that may be a moment old.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn tell(&self, event: impl Fn(&dyn Listener)) {
        if self.any() {
            self.tell_all(event);
        }
    }

    #[cold]
    fn tell_all(&self, event: impl Fn(&dyn Listener)) {
        let entries = lock(&self.list).as_ref().map(|list| Arc::clone(&list.entries));
        for (_, listener) in entries.iter().flat_map(|entries| entries.iter()) {
            // What a listener broke is its own: nothing of ours is borrowed mutably here.
            let _ = catch_unwind(AssertUnwindSafe(|| event(&**listener)));
        }
    }
}
