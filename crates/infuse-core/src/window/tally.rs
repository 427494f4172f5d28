//! What some threads counted of a window by calls.

use super::{
    Call, Counts,
    age::{Age, age},
};
use crate::sync::{AtomicU64, Ordering};

/// Calls since the era began, for handing them out, and those that are kept back (see
/// [`CallRing`](super::calls::CallRing)). Each count goes round: what is asked for is how far it came
/// since.
///
/// In cache lines of its own; two, since they are fetched in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Tally {
    /// From the lowest bit: calls, those kept back, the era.
    calls: AtomicU64,
    /// From the lowest bit: slow calls, failures, the era.
    troubles: AtomicU64,
}

const BACK_AT: u32 = 40;
const BACK: u64 = 0xff;
const CALLS: u64 = (1 << BACK_AT) - 1;
const FAILURES_AT: u32 = 24;
const TROUBLES: u64 = (1 << FAILURES_AT) - 1;
const ERA_AT: u32 = 48;
const ERA_BITS: u32 = 16;

/// A word as someone of this era is to find it; `None` if it is of a newer one.
#[inline]
fn of_era(word: u64, era: u64) -> Option<u64> {
    match age(word >> ERA_AT, era, ERA_BITS) {
        Age::Same => Some(word),
        Age::Older => Some(era << ERA_AT),
        Age::Newer => None,
    }
}

impl Tally {
    /// Keeps back a success, if fewer than `most` are and no other thread counts here; whether it
    /// did. One that need not be kept back is counted alone.
    #[inline]
    pub(super) fn keep_back(&self, era: u64, most: u64, needed: bool) -> bool {
        // Relaxed, also below: nobody else writes, and who reads it may be a moment late.
        let word = self.calls.load(Ordering::Relaxed);
        let back = word >> BACK_AT & BACK;
        if word >> ERA_AT != era & ((1 << ERA_BITS) - 1) || needed && back >= most {
            return false;
        }
        self.calls.store(one_more(word) + (u64::from(needed) << BACK_AT), Ordering::Relaxed);
        true
    }

    /// Counts a call, where no other thread counts here; how many were kept back before it, which
    /// are no longer. `None` if the era is over.
    #[inline]
    pub(super) fn add_alone(&self, era: u64, call: Call) -> Option<u64> {
        let word = of_era(self.calls.load(Ordering::Relaxed), era)?;
        let calls = word & !(BACK << BACK_AT);
        self.calls.store(if call.local { calls } else { one_more(calls) }, Ordering::Relaxed);
        if call.is_troubled() && !call.local {
            let troubles = of_era(self.troubles.load(Ordering::Relaxed), era)?;
            // Release, as below: pairs with the Acquire in `counts`. Who sees a failure sees its
            // call.
            self.troubles.store(with(troubles, call), Ordering::Release);
        }
        Some(word >> BACK_AT & BACK)
    }

    /// [`add_alone`](Self::add_alone) where others may count at the same time, and nothing is kept
    /// back.
    pub(super) fn add_among_others(&self, era: u64, call: Call) -> Option<u64> {
        if call.local {
            return Some(0);
        }
        let change = |word: &AtomicU64, next: fn(u64, Call) -> u64| {
            word.fetch_update(Ordering::Release, Ordering::Relaxed, |word| {
                Some(next(of_era(word, era)?, call))
            })
        };
        change(&self.calls, |word, _| one_more(word)).ok()?;
        if call.is_troubled() {
            change(&self.troubles, with).ok()?;
        }
        Some(0)
    }

    /// What was counted in this era, each count as far as it goes round.
    pub(super) fn counts(&self, era: u64) -> Counts {
        // In the other order than they are written.
        let [troubles, calls] = [&self.troubles, &self.calls]
            .map(|word| of_era(word.load(Ordering::Acquire), era).unwrap_or(0));
        Counts {
            calls: calls & CALLS,
            failures: troubles >> FAILURES_AT & TROUBLES,
            slow: troubles & TROUBLES,
        }
    }

    /// How many are kept back.
    pub(super) fn kept_back(&self, era: u64) -> u64 {
        of_era(self.calls.load(Ordering::Relaxed), era).map_or(0, |word| word >> BACK_AT & BACK)
    }
}

/// How far counts have come since `before`.
pub(super) fn since(before: Counts, now: Counts) -> Counts {
    let far = |before: u64, now: u64, mask| now.wrapping_sub(before) & mask;
    Counts {
        calls: far(before.calls, now.calls, CALLS),
        failures: far(before.failures, now.failures, TROUBLES),
        slow: far(before.slow, now.slow, TROUBLES),
    }
}

#[inline]
fn one_more(calls: u64) -> u64 {
    calls & !CALLS | (calls + 1) & CALLS
}

/// Troubles with those of one more call.
#[inline]
fn with(troubles: u64, call: Call) -> u64 {
    let slow = (troubles + u64::from(call.slow)) & TROUBLES;
    let failures = ((troubles >> FAILURES_AT) + u64::from(call.failed)) & TROUBLES;
    troubles >> ERA_AT << ERA_AT | failures << FAILURES_AT | slow
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: Call = Call { failed: true, slow: true, local: false };
    const GOOD: Call = Call { failed: false, slow: false, local: false };

    #[test]
    fn counts_go_round_and_touch_nothing_else() {
        let tally = Tally::default();
        tally.calls.store(9 << ERA_AT | 3 << BACK_AT | CALLS, Ordering::Relaxed);
        tally.troubles.store(9 << ERA_AT | TROUBLES << FAILURES_AT | TROUBLES, Ordering::Relaxed);
        let before = tally.counts(9);
        assert!(tally.keep_back(9, 4, true));
        assert_eq!((tally.kept_back(9), tally.counts(9).calls), (4, 0));
        assert!(!tally.keep_back(9, 4, true), "there are enough");
        assert_eq!(tally.add_alone(9, BAD), Some(4));
        assert_eq!(tally.kept_back(9), 0);
        assert_eq!(tally.add_among_others(9, BAD), Some(0));
        assert_eq!(since(before, tally.counts(9)), Counts { calls: 3, failures: 2, slow: 2 });
        assert_eq!(tally.counts(9), Counts { calls: 2, failures: 1, slow: 1 });
    }

    #[test]
    fn an_era_begins_at_nothing_and_one_that_is_over_counts_nothing() {
        let tally = Tally::default();
        assert!(!tally.keep_back(1, 4, true), "nothing is known of this era");
        assert_eq!(tally.add_alone(1, BAD), Some(0));
        assert!(tally.keep_back(1, 4, true));
        assert_eq!(tally.counts(2), Counts::NONE);
        assert_eq!(tally.kept_back(2), 0);
        assert!(!tally.keep_back(2, 4, true));
        assert_eq!(tally.add_among_others(2, BAD), Some(0));
        assert_eq!(tally.counts(2), Counts { calls: 1, failures: 1, slow: 1 });
        assert_eq!((tally.add_alone(1, GOOD), tally.add_among_others(1, GOOD)), (None, None));
        assert_eq!(tally.counts(1), Counts::NONE);
    }

    #[test]
    fn what_is_not_handed_out_is_not_counted() {
        let tally = Tally::default();
        tally.add_alone(1, GOOD);
        assert!(tally.keep_back(1, 4, true));
        let local = Call { local: true, ..BAD };
        assert_eq!(tally.add_alone(1, local), Some(1), "it comes after what was kept back");
        tally.add_among_others(1, local);
        assert_eq!(tally.counts(1), Counts { calls: 2, failures: 0, slow: 0 });
    }
}
