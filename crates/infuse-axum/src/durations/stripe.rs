//! Which of a few rows a thread adds to.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many there are. Threads that share one are none the worse for it but in speed.
pub(super) const COUNT: usize = 4;

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    // Relaxed: numbers, which order nothing.
    static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
}

/// That of this thread.
pub(super) fn mine() -> usize {
    // A thread that ends may have none any more.
    MINE.try_with(|mine| *mine).unwrap_or_default()
}
