use std::time::Duration;

use tokio::time::Instant;

use crate::{ProcessId, Suspicion, SuspicionId};

/// How often a storage renews a suspicion that is settled too late.
const RENEWALS: u32 = 3;

/// What the runtime's timers tell.
pub(crate) const TIMER: Duration = Duration::from_millis(1);

/// A suspicion that stands, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suspected {
    pub(crate) id: SuspicionId,
    /// Who raised it.
    pub(crate) by: ProcessId,
    /// Whether that was this process: then it settles it.
    pub(crate) mine: bool,
    /// How often it was renewed, as far as is known.
    pub(crate) renewals: u32,
    /// When the first failure was counted, by this process's clock.
    pub(crate) first_failure: Duration,
    /// The stamp of the last success when it was learnt of.
    pub(crate) stamp: u32,
    pub(crate) learnt_at: Instant,
    /// When it was pushed to this process.
    pub(crate) heard_at: Option<Instant>,
    pub(crate) clear_at: Option<Instant>,
    /// Whether this process has said what it has to say.
    pub(crate) told: bool,
}

/// How long everybody has to refute a suspicion, and what goes with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Graces {
    /// From when the process that raised it hears its own push.
    pub(crate) grace: Duration,
    /// When a push that was not heard is taken for lost.
    pub(crate) unheard: Duration,
    /// The grace without pushes.
    pub(crate) long: Duration,
    /// When a suspicion that nobody settles lapses.
    pub(crate) lapse: Duration,
}

impl Graces {
    pub(crate) fn new(grace: Duration, interval: Duration, timeout: Duration) -> Self {
        // Less than what timers tell would always be over too late.
        let grace = grace.max(TIMER);
        let unheard = interval.max(timeout);
        let long = unheard.saturating_mul(2).max(grace);
        // Longer than whoever raised it may take: twice the longest grace, and a report and a
        // settling that are each answered by their repeat.
        let longest = grace.saturating_mul(1 << RENEWALS).max(long);
        let lapse = longest.saturating_mul(2).saturating_add(timeout.saturating_mul(4));
        Self { grace, unheard, long, lapse }
    }

    /// Each renewal says that the way to the storage takes longer than the grace allowed for.
    fn renewed(&self, renewals: u32) -> Duration {
        self.grace.saturating_mul(1 << renewals.min(RENEWALS))
    }
}

/// What a process sees when it asks itself what to do about a suspicion.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    /// The stamp of the last success.
    pub(crate) stamp: u32,
    /// No later than this a call last succeeded, by this process's clock.
    pub(crate) last_success: Option<Duration>,
    /// Since when changes are pushed to this process.
    pub(crate) subscribed: Option<Instant>,
    /// A number between 0 and 1.
    pub(crate) random: f64,
}

/// What to do about a suspicion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Ask again at the next tick, or then if that is sooner.
    Wait(Instant),
    /// Calls have succeeded: clear it.
    Clear,
    /// Nobody has cleared it: make it come true. Others had so long.
    Settle { grace: Duration },
    /// Its push should have come: nothing is pushed any more.
    WatchAnew,
    /// Nobody has settled it, and nothing was heard of that.
    Forget,
}

impl Suspected {
    /// `before` is the suspicion that stood until now, if there was one.
    pub(crate) fn new(
        suspicion: &Suspicion,
        before: Option<&Suspected>,
        me: ProcessId,
        now: Duration,
        at: Instant,
        stamp: u32,
    ) -> Self {
        Self {
            id: suspicion.id,
            by: suspicion.by,
            mine: suspicion.by == me,
            renewals: before
                .filter(|before| before.by == suspicion.by)
                .map_or(0, |before| before.renewals.saturating_add(1)),
            first_failure: now.saturating_sub(suspicion.first_failure),
            stamp,
            learnt_at: at,
            heard_at: None,
            clear_at: None,
            told: false,
        }
    }

    /// It was pushed to this process.
    pub(crate) fn heard(&mut self, at: Instant) {
        self.heard_at.get_or_insert(at);
    }

    /// What to do now. [`Act::Clear`] and [`Act::Settle`] are said once, unless
    /// [put off](Self::put_off).
    pub(crate) fn step(&mut self, moment: &Moment, graces: &Graces) -> Act {
        let lapses_at = self.learnt_at + graces.lapse;
        if moment.at >= lapses_at {
            return Act::Forget;
        }
        if self.told {
            return Act::Wait(lapses_at);
        }
        if self.clear_at.is_none() && self.is_refuted(moment) {
            let ends = self.learnt_at + graces.renewed(self.renewals);
            let left = ends.saturating_duration_since(moment.at);
            self.clear_at = Some(moment.at + left.mul_f64(moment.random / 2.0));
        }
        if let Some(clear_at) = self.clear_at {
            if moment.at < clear_at {
                return Act::Wait(clear_at);
            }
            self.told = true;
            return Act::Clear;
        }
        if self.mine { self.settle(moment, graces) } else { Act::Wait(lapses_at) }
    }

    fn settle(&mut self, moment: &Moment, graces: &Graces) -> Act {
        let unheard_at = self.learnt_at + graces.unheard;
        let heard_at = self.heard_at.filter(|at| *at < unheard_at);
        if heard_at.is_none() && moment.at >= unheard_at {
            // A subscription of after that has missed it for a good reason.
            if moment.subscribed.is_some_and(|since| since <= self.learnt_at) {
                return Act::WatchAnew;
            }
        }
        let (settle_at, grace) = match heard_at {
            Some(at) => {
                let grace = graces.renewed(self.renewals);
                (at + grace, grace)
            }
            None => (self.learnt_at + graces.long, graces.long),
        };
        if moment.at < settle_at {
            return Act::Wait(settle_at);
        }
        self.told = true;
        Act::Settle { grace }
    }

    /// Whether a call has succeeded since the first failure was counted.
    pub(crate) fn is_refuted(&self, moment: &Moment) -> bool {
        // The stamp alone says so too if it was taken since this was learnt of.
        moment.last_success.is_some_and(|at| at >= self.first_failure || moment.stamp != self.stamp)
    }

    /// What the last step said could not be done.
    pub(crate) fn put_off(&mut self) {
        self.told = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);
    const ME: ProcessId = ProcessId::from_u64(1);
    const OTHER: ProcessId = ProcessId::from_u64(2);

    fn graces() -> Graces {
        Graces::new(50 * MILLI, 1000 * MILLI, 100 * MILLI)
    }

    fn id(raised_at: u64) -> SuspicionId {
        SuspicionId { generation: 0, raised_at }
    }

    /// Learnt of at `at`, when the first failure was 200 ms old, by a clock that says 10 s.
    fn suspected(by: ProcessId, at: Instant) -> Suspected {
        let suspicion = Suspicion::new(id(1), by, 200 * MILLI);
        Suspected::new(&suspicion, None, ME, 10_000 * MILLI, at, 7)
    }

    fn idle(at: Instant) -> Moment {
        Moment { at, stamp: 7, last_success: None, subscribed: Some(at), random: 0.5 }
    }

    fn saw_success(at: Instant, success: Duration) -> Moment {
        Moment { last_success: Some(success), ..idle(at) }
    }

    #[test]
    fn a_success_since_the_first_failure_clears_within_half_the_grace() {
        let at = Instant::now();
        for (random, millis) in [(0.0, 0), (0.5, 12), (1.0, 25)] {
            let mut suspected = suspected(OTHER, at);
            let moment = |at| Moment { random, ..saw_success(at, 9_800 * MILLI) };
            let mut now = at;
            while let Act::Wait(until) = suspected.step(&moment(now), &graces()) {
                assert!(until > now && until <= at + 25 * MILLI);
                now = until;
            }
            assert_eq!((now - at).as_millis(), millis);
            assert!(matches!(suspected.step(&moment(now), &graces()), Act::Wait(_)), "once");
        }
    }

    #[test]
    fn an_older_success_says_nothing_and_one_within_the_grace_does() {
        let at = Instant::now();
        let mut suspected = suspected(OTHER, at);
        let old = saw_success(at, 9_799 * MILLI);
        assert!(
            matches!(suspected.step(&old, &graces()), Act::Wait(until) if until > at + 50 * MILLI)
        );
        // 40 ms are gone, so 5 are half of what is left.
        let late = Moment { random: 1.0, ..saw_success(at + 40 * MILLI, 10_040 * MILLI) };
        assert_eq!(suspected.step(&late, &graces()), Act::Wait(at + 45 * MILLI));
    }

    #[test]
    fn a_stamp_that_is_new_is_a_success_since_it_was_learnt() {
        let at = Instant::now();
        let moment = saw_success(at, 9_700 * MILLI);
        assert!(!suspected(OTHER, at).is_refuted(&moment));
        assert!(suspected(OTHER, at).is_refuted(&Moment { stamp: 8, ..moment }));
    }

    #[test]
    fn only_who_raised_it_settles_a_grace_after_its_push() {
        let at = Instant::now();
        let mut other = suspected(OTHER, at);
        other.heard(at);
        let Act::Wait(_) = other.step(&idle(at + 500 * MILLI), &graces()) else { panic!("acted") };

        let mut mine = suspected(ME, at);
        mine.heard(at + 30 * MILLI);
        mine.heard(at + 60 * MILLI);
        let wait = Act::Wait(at + 80 * MILLI);
        assert_eq!(mine.step(&idle(at + 79 * MILLI), &graces()), wait);
        let settle = Act::Settle { grace: 50 * MILLI };
        assert_eq!(mine.step(&idle(at + 80 * MILLI), &graces()), settle);
        assert!(matches!(mine.step(&idle(at + 80 * MILLI), &graces()), Act::Wait(_)), "once");
        mine.put_off();
        assert_eq!(mine.step(&idle(at + 85 * MILLI), &graces()), settle);
    }

    #[test]
    fn unheard_it_watches_anew_and_settles_after_two_intervals() {
        let at = Instant::now();
        let mut mine = suspected(ME, at);
        let wait = Act::Wait(at + 2000 * MILLI);
        let since = |now| Moment { subscribed: Some(at), ..idle(at + now) };
        assert_eq!(mine.step(&since(999 * MILLI), &graces()), wait);
        assert_eq!(mine.step(&since(1000 * MILLI), &graces()), Act::WatchAnew);
        // It does, and what comes after that does not count.
        mine.heard(at + 1001 * MILLI);
        assert_eq!(mine.step(&idle(at + 1001 * MILLI), &graces()), wait);
        let settle = Act::Settle { grace: 2000 * MILLI };
        assert_eq!(mine.step(&idle(at + 2000 * MILLI), &graces()), settle);
    }

    #[test]
    fn a_renewed_one_begins_anew_and_takes_twice_as_long() {
        let at = Instant::now();
        let mut before = suspected(ME, at);
        for (renewal, grace) in [100, 200, 400, 400].into_iter().enumerate() {
            let suspicion = Suspicion::new(id(2 + renewal as u64), ME, Duration::ZERO);
            let mut next = Suspected::new(&suspicion, Some(&before), ME, Duration::ZERO, at, 7);
            next.heard(at);
            let settle = Act::Settle { grace: grace * MILLI };
            assert_eq!(next.step(&idle(at + grace * MILLI), &graces()), settle);
            before = next;
        }
    }

    #[test]
    fn one_that_nobody_settles_is_forgotten() {
        let at = Instant::now();
        let mut suspected = suspected(OTHER, at);
        let lapse = graces().lapse;
        assert_eq!(lapse, 4400 * MILLI);
        assert_eq!(suspected.step(&idle(at), &graces()), Act::Wait(at + lapse));
        assert_eq!(suspected.step(&idle(at + lapse), &graces()), Act::Forget);
    }

    #[test]
    fn whoever_raised_it_and_sees_a_success_clears() {
        let at = Instant::now();
        let mut mine = suspected(ME, at);
        mine.heard(at);
        let moment = Moment { random: 0.0, ..saw_success(at + 60 * MILLI, 10_060 * MILLI) };
        assert_eq!(mine.step(&moment, &graces()), Act::Clear);
    }
}
