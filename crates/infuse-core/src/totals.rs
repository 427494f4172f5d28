use crate::{
    seats::Rows,
    sync::{AtomicU64, Ordering},
};

/// How often what happened at a breaker since it [began to count](crate::Breaker::keep_totals).
///
/// Each call that was made is one of the first three once it has ended, but for those that would have
/// been rejected, and each that was not is `rejected`. Of calls in a circuit that is [disabled](crate::Mode::Disabled) nothing is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Totals {
    /// Calls that counted as successes.
    pub success: u64,
    /// Calls that counted as failures.
    pub failure: u64,
    /// Calls that counted as nothing: ignored, dropped, or ended after the circuit had changed.
    pub ignored: u64,
    /// Calls that were rejected.
    pub rejected: u64,
    /// Calls that would have been rejected, but for [`Mode::Observe`](crate::Mode::Observe).
    pub would_have_rejected: u64,
    /// Trial calls that were let through; each is one of the above too, once it has ended.
    pub trials: u64,
}

/// What is counted: the place of it in a [`Row`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    Success,
    Failure,
    Ignored,
    Rejected,
    WouldHaveRejected,
    Trial,
}

const EVENTS: usize = 6;

/// What [`Totals`] are read from: counts that only ever rise, for each seat its own. A call counts
/// before it returns, so whoever looks after that finds it.
#[derive(Debug)]
pub(crate) struct Counters(Rows<Row>);

/// In cache lines of its own; two, since they are fetched in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Row([AtomicU64; EVENTS]);

impl Row {
    /// Where nobody else writes to it.
    #[inline]
    fn count_alone(&self, event: Event) {
        // Relaxed, also elsewhere: a count for others to see, which orders nothing. Whoever knows
        // that a call has returned knows it by way of the thread that counted it, or of one that
        // had the seat later.
        let count = &self.0[event as usize];
        count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self(Rows::new())
    }

    #[inline]
    pub(crate) fn count(&self, event: Event) {
        match self.0.own() {
            Some(row) => row.count_alone(event),
            None => self.count_slowly(event),
        }
    }

    // Apart, so that the quick way needs few registers.
    #[inline(never)]
    fn count_slowly(&self, event: Event) {
        let mine = self.0.mine();
        if mine.is_alone() {
            mine.row.count_alone(event);
        } else {
            mine.row.0[event as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self) -> Totals {
        let sum = |event: Event| {
            let counts = self.0.iter().map(|(_, row)| &row.0[event as usize]);
            counts.fold(0_u64, |sum, count| sum.wrapping_add(count.load(Ordering::Relaxed)))
        };
        Totals {
            success: sum(Event::Success),
            failure: sum(Event::Failure),
            ignored: sum(Event::Ignored),
            rejected: sum(Event::Rejected),
            would_have_rejected: sum(Event::WouldHaveRejected),
            trials: sum(Event::Trial),
        }
    }
}
