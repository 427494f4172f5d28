use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::{
    Breaker, Mode, Override, Rejected, StateChange,
    sync::{AtomicBool, Mutex, Ordering, lock},
};

/// Is told what happens at a circuit, after the fact and outside any lock.
///
/// The order is: `before_call`; then `failure`, and `state_change` if it opened the circuit; or
/// `state_change` if the call closed the circuit, then `success`. A success that opens the circuit,
/// by being slow, is told first, as a failure is; a trial that is slow where that opens the circuit
/// is told as a `failure` without an error, and so is a call that was
/// [abandoned](crate::Policy::abandoned_after). A circuit that is shared through a storage closes
/// when the storage says so, a moment after the `success`.
///
/// Each `before_call` is followed by one of `success`, `failure` and `ignored`, when the call has
/// ended. A call that is rejected is told as `rejected` alone. Of a call that passes in a circuit
/// that is [disabled](crate::Mode::Disabled) nobody is told.
///
/// Most want to hear of changes alone, and should say so by [`interest`](Self::interest): then no
/// call has to look whether there is somebody to be told.
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

    /// A call was let through, and counted as nothing: it was ignored or dropped, or ended after the
    /// circuit had changed, or in a mode in which nothing counts.
    fn ignored(&self, breaker: &Breaker) {
        let _ = breaker;
    }

    /// The mode that holds has changed: by an override, by its end, or by the settings. Of an end it
    /// is told when somebody looks, or makes a call, the next time. The same override once more,
    /// with an end that is the same within a second, is no change.
    fn mode_change(&self, breaker: &Breaker, change: &ModeChange) {
        let _ = (breaker, change);
    }

    /// What this listener wants to be told of. Asked once, when it is added to a breaker. A listener
    /// to changes alone makes no call slower. Default [`Interest::Everything`].
    fn interest(&self) -> Interest {
        Interest::Everything
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

/// What a [`Listener`] wants to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Interest {
    /// Every call, and every change.
    #[default]
    Everything,
    /// [State changes](Listener::state_change) and [mode changes](Listener::mode_change) alone.
    Changes,
}

/// A change of the mode that holds, after the fact.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModeChange {
    /// The mode before.
    pub from: Mode,
    /// The mode now. It may be the same, where an override was replaced by another.
    pub to: Mode,
    /// What someone has put above the mode of the settings; unset where that ended, was taken away,
    /// or where the settings changed.
    pub overridden: Option<Override>,
}

/// Names one listener at one breaker, for its removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// The listeners of one breaker. Whoever calls them takes a copy of the list first, so none is
/// called under the lock.
pub(crate) struct Listeners {
    /// Whether there is a listener to calls: a breaker may be watched for its window alone, and then
    /// takes no lock to find nobody.
    calls: AtomicBool,
    /// Whether there is a listener at all.
    any: AtomicBool,
    /// `None` if there never was one, as with most breakers.
    list: Mutex<Option<Box<List>>>,
}

#[derive(Default)]
struct List {
    /// The number of the next one.
    next: u64,
    entries: Arc<[Entry]>,
}

#[derive(Clone)]
struct Entry {
    id: ListenerId,
    interest: Interest,
    listener: Arc<dyn Listener>,
}

impl Entry {
    fn hears_calls(&self) -> bool {
        self.interest == Interest::Everything
    }
}

impl Listeners {
    pub(crate) fn new(listeners: Vec<Arc<dyn Listener>>) -> Self {
        let none = || AtomicBool::new(false);
        let this = Self { calls: none(), any: none(), list: Mutex::new(None) };
        for listener in listeners {
            let interest = listener.interest();
            this.add(listener, interest);
        }
        this
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.list).as_ref().is_none_or(|list| list.entries.is_empty())
    }

    /// Whether somebody is to be told of calls.
    pub(crate) fn want_calls(&self) -> bool {
        lock(&self.list).as_ref().is_some_and(|list| list.entries.iter().any(Entry::hears_calls))
    }

    pub(crate) fn add(&self, listener: Arc<dyn Listener>, interest: Interest) -> ListenerId {
        let mut list = lock(&self.list);
        let list = list.get_or_insert_default();
        let id = ListenerId(list.next);
        list.next += 1;
        let entry = Entry { id, interest, listener };
        list.entries = list.entries.iter().cloned().chain([entry]).collect();
        self.set_flags(&list.entries);
        id
    }

    /// Removes a listener; whether it was there.
    pub(crate) fn remove(&self, id: ListenerId) -> bool {
        let mut list = lock(&self.list);
        let Some(list) = list.as_mut() else { return false };
        let others = list.entries.iter().filter(|entry| entry.id != id);
        let left: Arc<[_]> = others.cloned().collect();
        let removed = left.len() < list.entries.len();
        self.set_flags(&left);
        list.entries = left;
        removed
    }

    /// For whoever holds the lock.
    fn set_flags(&self, entries: &[Entry]) {
        // Relaxed, as where they are read: who sees the breaker watched for a listener sees this
        // too, and who still saw it before the listener was there may miss it.
        self.calls.store(entries.iter().any(Entry::hears_calls), Ordering::Relaxed);
        self.any.store(!entries.is_empty(), Ordering::Relaxed);
    }

    /// Whether there is a listener to calls: an answer that may be a moment old.
    #[inline]
    pub(crate) fn any_to_calls(&self) -> bool {
        self.calls.load(Ordering::Relaxed)
    }

    /// Tells those that want to hear of calls.
    #[inline]
    pub(crate) fn tell(&self, event: impl Fn(&dyn Listener)) {
        if self.any_to_calls() {
            self.tell_all(Entry::hears_calls, event);
        }
    }

    /// Tells everybody.
    pub(crate) fn tell_change(&self, event: impl Fn(&dyn Listener)) {
        if self.any.load(Ordering::Relaxed) {
            self.tell_all(|_| true, event);
        }
    }

    #[cold]
    fn tell_all(&self, whom: impl Fn(&Entry) -> bool, event: impl Fn(&dyn Listener)) {
        let entries = lock(&self.list).as_ref().map(|list| Arc::clone(&list.entries));
        let entries = entries.iter().flat_map(|entries| entries.iter());
        for Entry { listener, .. } in entries.filter(|entry| whom(entry)) {
            // What a listener broke is its own: nothing of ours is borrowed mutably here.
            let _ = catch_unwind(AssertUnwindSafe(|| event(&**listener)));
        }
    }
}
