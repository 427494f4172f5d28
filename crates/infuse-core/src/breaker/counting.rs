//! How often what happened, where someone wants to know.

use super::Breaker;
use crate::{
    Totals,
    totals::{Counters, Event},
};

impl Breaker {
    /// How often what happened, if that [is counted](crate::BreakerBuilder::totals). Calls that
    /// have returned are in it; it only ever rises.
    pub fn totals(&self) -> Option<Totals> {
        self.counters.get().map(|counters| counters.read())
    }

    /// Counts [`totals`](Self::totals) from now on, unless it does so already. There is no end to
    /// it.
    pub fn keep_totals(&self) {
        if self.counters.get().is_some() {
            return;
        }
        let mut cold = self.lock();
        // Before the word that sends calls here.
        self.counters.get_or_init(|| Box::new(Counters::new()));
        self.mark_now(&mut cold);
    }

    pub(super) fn keeps_totals(&self) -> bool {
        self.counters.get().is_some()
    }

    #[inline]
    pub(super) fn count(&self, event: Event) {
        if let Some(counters) = self.counters.get() {
            counters.count(event);
        }
    }
}
