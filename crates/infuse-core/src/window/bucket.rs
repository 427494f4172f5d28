//! What some threads count over time, in a ring of buckets.

use super::{
    Call, Counts,
    age::Age,
    stamp::{Stamped, Stretch, Troubles},
};
use crate::sync::{AtomicU64, Ordering};

/// The buckets that there are: more than are counted, so that someone who is a little late finds
/// none that has been taken over.
pub(super) const RING: usize = if cfg!(loom) { 4 } else { 16 };

/// A ring of buckets. What stands in one says which era and which stretch of time it belongs to,
/// so that nobody has to empty it: what is over is not found any more, and whoever comes late with
/// something that is over does not get in.
///
/// In cache lines of its own; two at least, since they are fetched in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Buckets {
    calls: [AtomicU64; RING],
    troubles: [AtomicU64; RING],
}

impl Buckets {
    /// Counts a call, where no other thread counts here. What failed and was slow in this bucket
    /// is answered, one added to the other; nothing if the stretch is long over.
    #[inline]
    pub(super) fn add_alone(&self, stretch: Stretch, call: Call) -> Option<u64> {
        let index = stretch.index(RING);
        let (calls, troubles) = (&self.calls[index], &self.troubles[index]);
        // Relaxed: nobody else writes.
        let found = Stamped::from_bits(calls.load(Ordering::Relaxed));
        let before = match found.of(stretch) {
            Some(before) => before,
            None => take_over(found, stretch, troubles)?,
        };
        // Release, as below: pairs with the Acquire in `counts`. The call first: who sees a failure
        // sees its call, and no rate is ever too high.
        calls.store(Stamped::new(stretch, before + 1).bits(), Ordering::Release);
        if !call.is_troubled() {
            return Some(0);
        }
        let now = Troubles::from_bits(troubles.load(Ordering::Relaxed)).with(call);
        troubles.store(now.bits(), Ordering::Release);
        Some(now.failures() + now.slow())
    }

    /// [`add_alone`](Self::add_alone) where others may count at the same time.
    #[inline(never)]
    pub(super) fn add_among_others(&self, stretch: Stretch, call: Call) -> Option<u64> {
        let index = stretch.index(RING);
        let (calls, troubles) = (&self.calls[index], &self.troubles[index]);
        loop {
            // Acquire, as below: what another has written before is seen.
            let found = Stamped::from_bits(calls.load(Ordering::Acquire));
            let before = match found.of(stretch) {
                Some(before) => before,
                None if found.age(stretch) == Age::Newer => return None,
                None => {
                    let old = troubles.load(Ordering::Acquire);
                    // If this is still the old bucket, those were its troubles. Else they may be
                    // new ones.
                    if calls.load(Ordering::Relaxed) != found.bits()
                        || !swap(troubles, old, Troubles::none(stretch).bits())
                    {
                        continue;
                    }
                    0
                }
            };
            if swap(calls, found.bits(), Stamped::new(stretch, before + 1).bits()) {
                break;
            }
        }
        if !call.is_troubled() {
            return Some(0);
        }
        loop {
            let found = troubles.load(Ordering::Relaxed);
            // It was taken over since: the call is over, and so is what it has to say.
            if !Troubles::from_bits(found).is_of(stretch) {
                return None;
            }
            let now = Troubles::from_bits(found).with(call);
            if swap(troubles, found, now.bits()) {
                return Some(now.failures() + now.slow());
            }
        }
    }

    /// What is counted in one bucket.
    #[inline]
    pub(super) fn counts(&self, stretch: Stretch) -> Counts {
        let index = stretch.index(RING);
        // In the other order than they are written.
        let troubles = Troubles::from_bits(self.troubles[index].load(Ordering::Acquire));
        let calls = Stamped::from_bits(self.calls[index].load(Ordering::Acquire));
        match calls.of(stretch) {
            Some(calls) if troubles.is_of(stretch) => {
                Counts { calls, failures: troubles.failures(), slow: troubles.slow() }
            }
            Some(calls) => Counts { calls, ..Counts::NONE },
            None => Counts::NONE,
        }
    }
}

/// Begins a bucket anew, if it is an older one; nothing else.
#[cold]
fn take_over(found: Stamped, stretch: Stretch, troubles: &AtomicU64) -> Option<u64> {
    if found.age(stretch) == Age::Newer {
        return None;
    }
    // Before the calls, so that with the new ones nobody finds the troubles of old ones.
    troubles.store(Troubles::none(stretch).bits(), Ordering::Release);
    Some(0)
}

/// Replaces a word if it is still what was found.
fn swap(word: &AtomicU64, from: u64, to: u64) -> bool {
    // AcqRel: Release for who reads it in `counts`, Acquire for what follows here.
    word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{super::stamp::MOST, *};

    /// After so many stretches the stamps come round.
    const ROUND: u64 = 1 << 22;
    const GOOD: Call = Call { failed: false, slow: false, local: false };
    const BAD: Call = Call { failed: true, slow: true, local: false };
    const ONE: Counts = Counts { calls: 1, failures: 1, slow: 1 };

    type Add = fn(&Buckets, Stretch, Call) -> Option<u64>;
    const WAYS: [Add; 2] = [Buckets::add_alone, Buckets::add_among_others];

    fn stretch(era: u64, number: u64) -> Stretch {
        Stretch::new(era, number)
    }

    #[test]
    fn what_is_over_does_not_get_in() {
        for add in WAYS {
            let buckets = Buckets::default();
            assert_eq!(add(&buckets, stretch(5, 100), BAD), Some(2));
            // A whole ring later, in the same bucket.
            assert_eq!(add(&buckets, stretch(5, 116), BAD), Some(2));
            assert_eq!(add(&buckets, stretch(5, 100), BAD), None);
            assert_eq!(buckets.counts(stretch(5, 116)), ONE);
            assert_eq!(buckets.counts(stretch(5, 100)), Counts::NONE);
            // A new era begins, in which another width gives smaller numbers.
            assert_eq!(add(&buckets, stretch(6, 4), BAD), Some(2));
            assert_eq!(add(&buckets, stretch(5, 116), BAD), None);
            assert_eq!(buckets.counts(stretch(6, 4)), ONE);
        }
    }

    #[test]
    fn a_bucket_that_is_taken_over_has_no_troubles_of_old() {
        for add in WAYS {
            // Also when the few bits that the troubles are marked by are the same again.
            for later in [16, 256, 1 << 16, ROUND - 160, ROUND + 16] {
                let buckets = Buckets::default();
                add(&buckets, stretch(1, 100), BAD);
                assert_eq!(buckets.counts(stretch(1, 100 + later)), Counts::NONE, "{later}");
                assert_eq!(add(&buckets, stretch(1, 100 + later), GOOD), Some(0));
                let counts = buckets.counts(stretch(1, 100 + later));
                assert_eq!(counts, Counts { calls: 1, failures: 0, slow: 0 }, "{later}");
            }
        }
    }

    #[test]
    fn a_full_bucket_stays_full() {
        for add in WAYS {
            let buckets = Buckets::default();
            buckets.calls[0].store(Stamped::new(stretch(1, 0), MOST).bits(), Ordering::Relaxed);
            let none = Troubles::none(stretch(1, 0));
            buckets.troubles[0].store(none.bits(), Ordering::Relaxed);
            assert_eq!(add(&buckets, stretch(1, 0), BAD), Some(2));
            let full = Counts { calls: MOST, failures: 1, slow: 1 };
            assert_eq!(buckets.counts(stretch(1, 0)), full);
            assert_eq!(buckets.counts(stretch(2, 0)), Counts::NONE);
        }
    }

    #[test]
    fn nothing_is_lost_among_others() {
        use std::{sync::Barrier, thread};
        const THREADS: u64 = 4;
        let (buckets, all) = (Buckets::default(), Barrier::new(THREADS as usize));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for number in 0..5_000 {
                        all.wait();
                        // All of them find a bucket that is to be taken over.
                        for _ in 0..5 {
                            buckets.add_among_others(stretch(1, number), BAD).unwrap();
                        }
                        all.wait();
                        let calls = 5 * THREADS;
                        let counts = Counts { calls, failures: calls, slow: calls };
                        assert_eq!(buckets.counts(stretch(1, number)), counts);
                    }
                });
            }
        });
    }
}
