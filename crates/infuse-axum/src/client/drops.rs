use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

/// A call that was waited for so long was not dropped because its caller lost interest at once.
const LONG: Duration = Duration::from_secs(1);

/// So many of these in a row are a pattern.
const MANY: u32 = 3;

/// Notices that callers give up again and again before the service's timeout does: then nobody
/// ever learns that the service hangs.
#[derive(Debug, Default)]
pub(crate) struct Drops {
    in_a_row: AtomicU32,
    told: AtomicBool,
}

// Relaxed throughout: counts and a flag that order nothing else.
impl Drops {
    /// A call came to an end.
    pub(crate) fn ended(&self) {
        // Written only where there is something to forget: this is in every call.
        if self.in_a_row.load(Ordering::Relaxed) != 0 {
            self.in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// A call was dropped when it had waited so long. Whether it is time to say so, which it is
    /// once.
    pub(crate) fn dropped(&self, waited: Duration) -> bool {
        waited >= LONG
            && self.in_a_row.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= MANY
            && !self.told.swap(true, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(999);

    #[test]
    fn it_is_time_at_the_third_in_a_row_and_once() {
        let drops = Drops::default();
        assert_eq!([LONG, LONG, LONG, LONG].map(|w| drops.dropped(w)), [false, false, true, false]);
        drops.ended();
        assert_eq!([LONG, LONG, LONG].map(|w| drops.dropped(w)), [false; 3]);
    }

    #[test]
    fn an_end_between_begins_anew_and_short_waits_are_nothing() {
        let drops = Drops::default();
        assert!(!drops.dropped(LONG) && !drops.dropped(LONG));
        drops.ended();
        assert!(!drops.dropped(LONG) && !drops.dropped(LONG) && !drops.dropped(SHORT));
        assert!(drops.dropped(LONG));
    }
}
