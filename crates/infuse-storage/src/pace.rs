use std::time::Duration;

use crate::when::When;

/// How far apart requests for leases are in the long run.
const APART: Duration = Duration::from_millis(100);
/// How many may come at once, beside one for each trial that may be made at once.
const BURST: u32 = 10;

/// Bounds how often one circuit asks for leases: a few at once, then ten times a second. Trials
/// that end at once and say nothing, denials, or a reset timeout of next to nothing could otherwise
/// make each call ask.
///
/// It goes by the circuits' clock, so that a test which moves that on is not held up.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When all that was asked for so far will have been paid for.
    paid_at: When,
}

impl Pace {
    /// Whether to ask now. If so, it counts as asked.
    pub(crate) fn allows(&mut self, now: Duration, max_calls: u32) -> bool {
        let paid_at = self.paid_at.time().max(now);
        // What may be owed when one more is asked for.
        let most = APART.saturating_mul(max_calls.saturating_add(BURST - 1));
        if paid_at.saturating_sub(now) > most {
            return false;
        }
        self.paid_at = paid_at.saturating_add(APART).into();
        true
    }

    /// This process has tripped, which is told whatever it costs: half of what asking does, which
    /// is a request and a settling.
    pub(crate) fn charge_trip(&mut self, now: Duration) {
        self.paid_at = self.paid_at.time().max(now).saturating_add(APART / 2).into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_at_once_and_then_ten_a_second_for_one_trial_at_a_time() {
        let mut pace = Pace::default();
        let mut asked = Vec::new();
        for milli in 0..2_000 {
            if pace.allows(Duration::from_millis(milli), 1) {
                asked.push(milli);
            }
        }
        assert_eq!(asked[..11], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(asked[11..14], [100, 200, 300]);
        assert_eq!(asked.len(), 30);
    }

    #[test]
    fn a_rest_pays_for_all_of_it() {
        let mut pace = Pace::default();
        let asked = |pace: &mut Pace, now| (0..100).filter(|_| pace.allows(now, 10)).count();
        assert_eq!(asked(&mut pace, Duration::ZERO), 20);
        assert_eq!(asked(&mut pace, Duration::from_secs(60)), 20);
    }
}
