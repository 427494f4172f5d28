//! Numbers for what is done at random, the same each time in a thread that a test has seeded.

use std::cell::Cell;

#[path = "../random.rs"]
mod real;

thread_local! {
    // Paused time needs a runtime of one thread, so this is the runtime's.
    static STATE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From 0 to less than 1.
pub(crate) fn fraction() -> f64 {
    match STATE.get() {
        Some(state) => {
            let (state, bits) = next(state);
            STATE.set(Some(state));
            (bits >> 11) as f64 / (1_u64 << 53) as f64
        }
        None => real::fraction(),
    }
}

/// From now on this thread's numbers follow from the seed.
pub(crate) fn seed(seed: u64) {
    STATE.set(Some(seed));
}

/// The state after it, and the number: splitmix64.
fn next(state: u64) -> (u64, u64) {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (state, bits ^ (bits >> 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<f64> {
        (0..100).map(|_| fraction()).collect()
    }

    #[test]
    fn numbers_follow_from_the_seed_and_without_one_they_do_not() {
        let unseeded = (some(), some());
        assert_ne!(unseeded.0, unseeded.1);
        seed(7);
        let first = some();
        assert!(first.iter().all(|one| (0.0..1.0).contains(one)));
        assert!(first.iter().any(|one| *one < 0.1) && first.iter().any(|one| *one > 0.9));
        assert_ne!(some(), first);
        seed(7);
        assert_eq!(some(), first);
        seed(8);
        assert_ne!(some(), first);
        assert_ne!(std::thread::spawn(some).join().unwrap(), first);
    }
}
