use std::time::Duration;

/// By how much two tellings of one time may differ.
const LAG: Duration = Duration::from_millis(100);

/// What was left of a time when the storage said so. That was a while ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) left: Duration,
    /// How long ago at most; unset if nobody knows.
    pub(crate) ago: Option<Duration>,
}

impl Told {
    /// What is left of it, where so much is by what was known before: no more than the storage says,
    /// and more than was known only if what was under way for a while does not explain it.
    pub(crate) fn heed(self, known: Duration) -> Duration {
        let least = self.ago.map_or(Duration::ZERO, |ago| self.left.saturating_sub(ago));
        if least > known.saturating_add(LAG) { self.left } else { self.left.min(known) }
    }

    /// Whether it may be longer than was known, which an answer would tell.
    pub(crate) fn is_in_doubt(self, known: Duration) -> bool {
        self.ago.is_none() && self.left > known.saturating_add(LAG)
    }

    /// Whether two times are one, as far as can be told.
    pub(crate) fn is_same(one: Duration, other: Duration) -> bool {
        one.abs_diff(other) <= LAG
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milli(milli: u64) -> Duration {
        Duration::from_millis(milli)
    }

    #[test]
    fn a_time_is_made_longer_by_much_and_never_by_what_was_under_way() {
        for (left, ago, known, expected) in [
            (1_000, Some(10), 950, 950),
            (900, Some(10), 950, 900),
            (60_000, Some(10), 950, 60_000),
            // So long ago that there may be nothing left.
            (15_000, Some(15_000), 0, 0),
            (15_000, Some(14_950), 0, 0),
            (60_000, Some(15_000), 0, 60_000),
            // Nobody knows.
            (60_000, None, 950, 950),
            (900, None, 950, 900),
        ] {
            let told = Told { left: milli(left), ago: ago.map(milli) };
            assert_eq!(told.heed(milli(known)), milli(expected), "{told:?} {known}");
        }
    }

    #[test]
    fn what_was_pushed_may_be_worth_a_look() {
        let pushed = Told { left: milli(1_000), ago: None };
        assert!(pushed.is_in_doubt(milli(100)));
        assert!(!pushed.is_in_doubt(milli(950)));
        assert!(!Told { ago: Some(milli(1)), ..pushed }.is_in_doubt(milli(100)));
    }
}
