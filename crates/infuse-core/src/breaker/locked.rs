//! The breaker's lock, and that what was found out under it about the mode is told when it is
//! released.

use std::{
    mem,
    ops::{Deref, DerefMut},
};

use super::{Breaker, Cold};
use crate::{
    Mode, ModeChange, Override,
    sync::{MutexGuard, lock},
};

/// Changes of the mode that nobody has been told of yet.
#[derive(Default)]
pub(super) struct News {
    #[allow(
        clippy::box_collection,
        reason = "most breakers never have any, and keep a word for it"
    )]
    changes: Option<Box<Vec<ModeChange>>>,
}

/// The lock. Whoever holds it may find that an override has ended; the listeners are told of that
/// when it is released, since none is to be called under it.
pub(super) struct Locked<'a> {
    // In this order: the lock is released before anybody is told.
    cold: MutexGuard<'a, Cold>,
    telling: Telling<'a>,
}

struct Telling<'a> {
    breaker: &'a Breaker,
    news: News,
}

impl Breaker {
    pub(super) fn lock(&self) -> Locked<'_> {
        let telling = Telling { breaker: self, news: News::default() };
        Locked { cold: lock(&self.cold), telling }
    }

    /// Keeps changes of the [mode](Mode) for later: the listeners are told of them when what this
    /// returns is dropped.
    ///
    /// For a caller that holds a lock of its own, which a listener may want: any method may find
    /// that an override has ended.
    pub fn keep_mode_changes(&self) -> KeptModeChanges<'_> {
        lock(&self.cold).keeping_news += 1;
        KeptModeChanges(self)
    }

    /// Tells what was found out by someone who could not.
    pub(super) fn tell_modes(&self) {
        drop(self.lock());
    }

    /// The mode was `from`, and is another now, or there by another override. For whoever holds the
    /// lock.
    pub(super) fn note_mode(&self, cold: &mut Cold, from: Mode, overridden: Option<Override>) {
        if !self.listeners.is_empty() {
            let to = cold.mode_now();
            let change = ModeChange { from, to, overridden };
            cold.news.changes.get_or_insert_default().push(change);
        }
    }
}

impl Deref for Locked<'_> {
    type Target = Cold;

    fn deref(&self) -> &Cold {
        &self.cold
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Cold {
        &mut self.cold
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if self.cold.keeping_news == 0 {
            self.telling.news = mem::take(&mut self.cold.news);
        }
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        for change in self.news.changes.iter().flat_map(|changes| changes.iter()) {
            let breaker = self.breaker;
            breaker.listeners.tell_change(|listener| listener.mode_change(breaker, change));
        }
    }
}

/// Holds back what is to be told of the mode: see [`Breaker::keep_mode_changes`].
#[must_use = "the listeners are told when this is dropped"]
pub struct KeptModeChanges<'a>(&'a Breaker);

impl Drop for KeptModeChanges<'_> {
    fn drop(&mut self) {
        self.0.lock().keeping_news -= 1;
    }
}
