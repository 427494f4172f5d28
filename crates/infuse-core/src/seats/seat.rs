//! Where a thread counts.
//!
//! The first few threads have a seat to themselves for as long as they live: they count by reading
//! and writing, which is ten times as cheap as one atomic addition. All others share the rest of
//! the seats, and add atomically.

/// Seats that one thread at a time has to itself.
pub(crate) const OWN: usize = if cfg!(loom) { 1 } else { 8 };
/// All seats.
pub(crate) const ROWS: usize = 2 * OWN;

#[cfg(not(loom))]
pub(super) use of_threads::{known, mine};

#[cfg(not(loom))]
mod of_threads {
    use std::{
        cell::Cell,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use super::{OWN, ROWS};

    /// A bit for each own seat that somebody has.
    static TAKEN: AtomicUsize = AtomicUsize::new(0);
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    const NONE: usize = usize::MAX;

    thread_local! {
        // Apart from what gives it back: this one can be read as long as the thread runs.
        static SEAT: Cell<usize> = const { Cell::new(NONE) };
        static LEAVING: Leaving = const { Leaving };
    }

    /// Gives the thread's seat to others when the thread ends.
    struct Leaving;

    impl Drop for Leaving {
        fn drop(&mut self) {
            // What the thread still counts while it ends, it counts among the others.
            let seat = SEAT.replace(shared());
            if seat < OWN {
                // Release: pairs with the Acquire in `take`, so that the next one on this seat
                // finds what was counted here, and nothing is lost between them.
                TAKEN.fetch_and(!(1 << seat), Ordering::Release);
            }
        }
    }

    /// The seat of the present thread, if it has one; else what is no seat.
    #[inline]
    pub(in super::super) fn known() -> usize {
        SEAT.get()
    }

    /// The seat of the present thread, below [`ROWS`].
    #[inline]
    pub(in super::super) fn mine() -> usize {
        let seat = SEAT.get();
        // The bound that the compiler is to know.
        if seat < ROWS { seat } else { sit() }
    }

    #[cold]
    fn sit() -> usize {
        // A thread that is ending has nothing that would give a seat back.
        let seat = LEAVING.try_with(|_| take()).ok().flatten().unwrap_or_else(shared);
        SEAT.set(seat);
        seat
    }

    /// An own seat, if one is free.
    fn take() -> Option<usize> {
        // Acquire: pairs with the Release of whoever had the seat before.
        let taken = TAKEN.fetch_update(Ordering::Acquire, Ordering::Relaxed, |taken| {
            let free = taken.trailing_ones() as usize;
            (free < OWN).then_some(taken | 1 << free)
        });
        Some(taken.ok()?.trailing_ones() as usize)
    }

    /// A seat among others, in turn.
    fn shared() -> usize {
        // Relaxed: it orders nothing.
        OWN + NEXT.fetch_add(1, Ordering::Relaxed) % (ROWS - OWN)
    }

    #[cfg(test)]
    mod tests {
        use std::{
            sync::{Barrier, Mutex},
            thread,
            time::{Duration, Instant},
        };

        use super::*;

        #[test]
        fn nobody_sits_on_an_own_seat_of_somebody_else() {
            for _ in 0..20 {
                let (seats, all) = (Mutex::new(Vec::new()), Barrier::new(3 * OWN));
                thread::scope(|scope| {
                    for _ in 0..3 * OWN {
                        scope.spawn(|| {
                            let seat = mine();
                            assert_eq!(mine(), seat, "it stays");
                            seats.lock().unwrap().push(seat);
                            all.wait();
                        });
                    }
                });
                let mut own = seats.into_inner().unwrap();
                assert!(own.iter().all(|&seat| seat < ROWS));
                own.retain(|&seat| seat < OWN);
                let many = own.len();
                own.sort_unstable();
                own.dedup();
                assert_eq!(own.len(), many);
            }
        }

        #[test]
        fn who_ends_leaves_the_seat_to_others() {
            let sit = || thread::spawn(mine).join().unwrap();
            // Threads of other tests may have all of them for a while.
            let (mut own, begun) = (0, Instant::now());
            while own <= 2 * OWN {
                own += usize::from(sit() < OWN);
                assert!(begun.elapsed() < Duration::from_secs(60), "{own}");
            }
        }
    }
}

/// Loom's threads are none of the system's: the first has the own seat, the others share one.
#[cfg(loom)]
pub(super) fn mine() -> usize {
    let first = format!("{:?}", loom::thread::current().id()).contains("(0)");
    usize::from(!first)
}

/// The same: there is nothing to find out.
#[cfg(loom)]
pub(super) fn known() -> usize {
    mine()
}
