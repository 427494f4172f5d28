use std::time::Duration;

use tokio::time::Instant;

/// What one command costs: twenty a second in the long run.
const COST: Duration = Duration::from_millis(50);
/// How much may be owed when one more is sent: what makes less than 25 in any second.
const CREDIT: Duration = Duration::from_millis(200);
/// How far apart reports are.
const REPORTS_APART: Duration = Duration::from_millis(50);

/// Bounds how many commands one circuit sends in the long run, whatever happens. By the runtime's
/// clock.
///
/// What cannot be put off (a trip, a lease and its settling, a command by hand) is charged too, at
/// the cost of what can. So there may be more in one second, and less in those after it.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// When all that was sent so far will have been paid for.
    paid_at: Option<Instant>,
    reported_at: Option<Instant>,
}

impl Budget {
    pub(crate) fn charge(&mut self, now: Instant) {
        let from = self.paid_at.map_or(now, |at| at.max(now));
        self.paid_at = Some(from + COST);
    }

    /// When a command may be sent.
    pub(crate) fn next(&self, now: Instant) -> Instant {
        self.paid_at.and_then(|at| at.checked_sub(CREDIT)).map_or(now, |at| at.max(now))
    }

    /// When a report may be.
    pub(crate) fn next_report(&self, now: Instant) -> Instant {
        let next = self.next(now);
        self.reported_at.map_or(next, |at| next.max(at + REPORTS_APART))
    }

    /// A report is sent. It is charged like all else, when it is.
    pub(crate) fn report(&mut self, now: Instant) {
        self.reported_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    fn sent(mut may: impl FnMut(&mut Budget, Instant) -> bool) -> Vec<Duration> {
        let (start, mut budget) = (Instant::now(), Budget::default());
        let times = (0..10_000).map(|milli| milli * MILLI);
        times.filter(|time| may(&mut budget, start + *time)).collect()
    }

    fn most_in_a_second(sent: &[Duration]) -> usize {
        let second = Duration::from_secs(1);
        let within =
            |at: usize| sent[at..].iter().take_while(move |time| **time - sent[at] < second);
        (0..sent.len()).map(|at| within(at).count()).max().unwrap()
    }

    #[test]
    fn less_than_twenty_five_in_any_second_and_five_at_once() {
        let sent = sent(|budget, now| {
            let may = budget.next(now) <= now;
            if may {
                budget.charge(now);
            }
            may
        });
        assert_eq!(sent[..6], [0, 1, 2, 3, 4, 50].map(|milli| milli * MILLI));
        assert_eq!(most_in_a_second(&sent), 24);
        assert!(sent.len() <= 205, "{}", sent.len());
    }

    #[test]
    fn the_first_report_is_at_once_and_the_next_fifty_milliseconds_later() {
        let sent = sent(|budget, now| {
            let may = budget.next_report(now) <= now;
            if may {
                budget.report(now);
                budget.charge(now);
            }
            may
        });
        assert_eq!(sent[..3], [0, 50, 100].map(|milli| milli * MILLI));
    }

    #[test]
    fn what_cannot_be_put_off_puts_off_what_can() {
        let (now, mut budget) = (Instant::now(), Budget::default());
        (0..20).for_each(|_| budget.charge(now));
        assert_eq!(budget.next(now), now + 800 * MILLI);
        assert_eq!(budget.next_report(now), now + 800 * MILLI);
    }
}
