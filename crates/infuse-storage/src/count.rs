use std::time::Duration;

use infuse_core::State;
use tokio::time::Instant;

use crate::{
    ProcessId, SuspicionId, View,
    run::{Baseline, Run},
    suspected::Suspected,
    when::When,
};

/// What is known of the fleet's count of failures, in one generation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Count {
    /// The failures of all processes.
    pub(crate) failures: u32,
    pub(crate) clears: u64,
    /// The newest suspicion that is known to be over.
    pub(crate) over: u64,
    /// When the rest after a cleared suspicion is over, by this process's clock.
    pub(crate) rest_until: When,
    /// The most that the storage may count of this process.
    pub(crate) sent: u32,
    pub(crate) baseline: Baseline,
    pub(crate) suspected: Option<Box<Suspected>>,
}

/// What a process knew of the count when it asked. The answer to it is no older.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CountAsked {
    pub(crate) clears: u64,
    pub(crate) suspicion: Option<SuspicionId>,
    /// The run that was reported.
    pub(crate) reported: Option<Run>,
}

/// What is so in this process when it hears of a count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Here {
    /// By the circuits' clock.
    pub(crate) now: Duration,
    /// By the runtime's.
    pub(crate) at: Instant,
    pub(crate) process: ProcessId,
    /// The breaker's state, and what else there is of it.
    pub(crate) state: State,
    pub(crate) run: Run,
    pub(crate) stamp: u32,
    pub(crate) reset_timeout: Duration,
    /// Whether the breaker keeps a window.
    pub(crate) metered: bool,
}

impl Here {
    /// Whether the breaker, on the storage's return, is to become what that says although nothing
    /// has changed there: it is something else, or has a window of calls that were counted alone,
    /// which must not open the fleet. While half-open that would lose the trials under way.
    pub(crate) fn must_follow(&self, state: State) -> bool {
        self.state != state || (self.metered && state == State::Closed)
    }
}

/// What becomes of failures that were counted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reporting {
    /// There is nothing to report.
    Nothing,
    /// The count rests for so long.
    Rests(Duration),
    /// This process's share.
    Share(u32),
}

impl Count {
    /// What a view says of a generation that was not known before.
    pub(crate) fn of(view: &View, now: Duration) -> Self {
        let rest_until = now.saturating_add(view.rest).into();
        Self { clears: view.clears, rest_until, ..Self::default() }
    }

    /// What is known when a process asks, and reports `run` by it, if it does.
    pub(crate) fn ask(&self, reported: Option<Run>) -> CountAsked {
        let suspicion = self.suspected.as_ref().map(|suspected| suspected.id);
        CountAsked { clears: self.clears, suspicion, reported }
    }

    pub(crate) fn clears(&self) -> u64 {
        self.clears
    }

    /// Takes over what a view of this generation says; whether there is a suspicion that was not
    /// known before. `asked` is what was known when it was asked for, in this generation; unset for
    /// what was `pushed`.
    ///
    /// Views may come out of order. The number of clears puts most of them right; within one, a
    /// suspicion ends only by what cannot be older than it.
    pub(crate) fn learn(
        &mut self,
        view: &View,
        asked: Option<&CountAsked>,
        pushed: bool,
        here: &Here,
    ) -> bool {
        self.notice_loss(view, asked);
        if view.clears < self.clears {
            return false;
        }
        let cleared = view.clears > self.clears;
        if cleared {
            self.clears = view.clears;
            self.sent = 0;
            self.baseline = Baseline::of(here.run, 0);
            self.end_suspicion();
        }
        if let Some((asked, run)) = asked.and_then(|asked| Some((asked, asked.reported?)))
            // While it rests nothing was counted, which is to be reported again.
            && (view.rest.is_zero() || view.clears > asked.clears)
        {
            self.baseline = Baseline::of(run, view.share);
            self.sent = view.share;
        }
        let rest_until = When::from(here.now.saturating_add(view.rest));
        self.rest_until = if cleared { rest_until } else { self.rest_until.min(rest_until) };
        self.failures = view.failures;
        let new = self.learn_suspicion(view, asked, here);
        if let (true, Some(suspected), Some(suspicion)) =
            (pushed, &mut self.suspected, &view.suspicion)
            && suspected.id == suspicion.id
        {
            suspected.heard(here.at);
        }
        new
    }

    /// An answer that knows of fewer clears than whoever asked did: the storage has lost them.
    fn notice_loss(&mut self, view: &View, asked: Option<&CountAsked>) {
        let known = asked.is_some_and(|asked| asked.clears == self.clears);
        if known && view.clears < self.clears {
            *self = Self { clears: view.clears, baseline: self.baseline, ..Self::default() };
        }
    }

    fn learn_suspicion(&mut self, view: &View, asked: Option<&CountAsked>, here: &Here) -> bool {
        let standing = self.suspected.as_ref().map(|suspected| suspected.id);
        let Some(suspicion) = &view.suspicion else {
            if standing.is_some() && asked.is_some_and(|asked| asked.suspicion == standing) {
                self.end_suspicion();
            }
            return false;
        };
        let newest = standing.map_or(self.over, |id| id.raised_at);
        if suspicion.id.raised_at <= newest {
            return false;
        }
        let before = self.suspected.as_deref();
        let Here { process, now, at, stamp, .. } = *here;
        let suspected = Suspected::new(suspicion, before, process, now, at, stamp);
        self.suspected = Some(Box::new(suspected));
        true
    }

    /// The suspicion is over: it does not come back.
    pub(crate) fn end_suspicion(&mut self) {
        if let Some(suspected) = self.suspected.take() {
            self.over = suspected.id.raised_at;
        }
    }

    /// The storage is lost: what is counted from now on is what counts when it is back.
    pub(crate) fn forget(&mut self, run: Run) {
        self.suspected = None;
        self.baseline = Baseline::of(run, 0);
    }

    /// What to report of a run, at most `most`.
    pub(crate) fn report(&self, run: Run, most: u32, now: Duration) -> Reporting {
        let share = self.baseline.share(run).min(most);
        let rest = self.rest_until.left(now);
        match share {
            0 => Reporting::Nothing,
            _ if !rest.is_zero() => Reporting::Rests(rest),
            _ => Reporting::Share(share),
        }
    }

    /// What of a run the storage may count already.
    pub(crate) fn kept(&self, run: Run) -> u32 {
        self.baseline.share(run).min(self.sent)
    }

    /// A share is being reported.
    pub(crate) fn send(&mut self, share: u32) {
        self.sent = self.sent.max(share);
    }

    /// Whether other processes report failures too.
    pub(crate) fn others_fail(&self) -> bool {
        self.failures > self.sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Suspicion;

    const SECOND: Duration = Duration::from_secs(1);
    const ME: ProcessId = ProcessId::from_u64(1);
    const OTHER: ProcessId = ProcessId::from_u64(2);

    fn run(failures: u32) -> Run {
        Run { number: 0, failures }
    }

    fn here(failures: u32) -> Here {
        Here {
            now: 10 * SECOND,
            at: Instant::now(),
            process: ME,
            state: State::Closed,
            run: run(failures),
            stamp: 0,
            reset_timeout: SECOND,
            metered: false,
        }
    }

    fn view(clears: u64, raised_at: Option<u64>) -> View {
        let suspicion = raised_at.map(|raised_at| {
            Suspicion::new(SuspicionId { generation: 0, raised_at }, OTHER, SECOND)
        });
        View { clears, suspicion, ..View::new() }
    }

    fn standing(count: &Count) -> Option<u64> {
        count.suspected.as_ref().map(|suspected| suspected.id.raised_at)
    }

    fn share(count: &Count, failures: u32) -> Reporting {
        count.report(run(failures), u32::MAX, 10 * SECOND)
    }

    #[test]
    fn failures_count_from_the_last_clear_that_is_known() {
        let mut count = Count::default();
        assert_eq!(share(&count, 0), Reporting::Nothing);
        assert_eq!(share(&count, 3), Reporting::Share(3));
        count.learn(&view(1, None), None, true, &here(3));
        assert_eq!(share(&count, 3), Reporting::Nothing);
        assert_eq!(share(&count, 4), Reporting::Share(1));
        // The same again, and one from before.
        count.learn(&view(1, None), None, true, &here(4));
        count.learn(&view(0, None), None, true, &here(4));
        assert_eq!(share(&count, 4), Reporting::Share(1));
    }

    #[test]
    fn the_answer_to_a_report_says_what_of_it_counts() {
        for push_first in [false, true] {
            let mut count = Count::default();
            let asked = count.ask(Some(run(3)));
            if push_first {
                count.learn(&view(1, None), None, true, &here(4));
            }
            // Two more have failed meanwhile.
            let answer = View { share: 1, failures: 2, ..view(1, None) };
            count.learn(&answer, Some(&asked), false, &here(5));
            assert_eq!(share(&count, 5), Reporting::Share(3), "{push_first}");
            assert!(count.others_fail());
        }
    }

    #[test]
    fn what_came_while_the_count_rested_is_reported_again() {
        let mut count = Count::default();
        let rests = View { rest: SECOND, ..view(1, None) };
        count.learn(&rests, None, true, &here(3));
        assert_eq!(share(&count, 4), Reporting::Rests(SECOND));
        // By this clock the rest is over, by the storage's not yet.
        let asked = count.ask(Some(run(5)));
        let answer = View { rest: SECOND / 100, ..view(1, None) };
        count.learn(&answer, Some(&asked), false, &here(5));
        assert_eq!(share(&count, 5), Reporting::Rests(SECOND / 100));
        assert_eq!(count.report(run(5), 9, 11 * SECOND), Reporting::Share(2));
    }

    #[test]
    fn an_older_view_does_not_make_a_rest_longer() {
        let mut count = Count::default();
        count.learn(&View { rest: SECOND, ..view(1, None) }, None, true, &here(0));
        let later = Here { now: 10 * SECOND + SECOND / 2, ..here(0) };
        count.learn(&View { rest: SECOND, ..view(1, None) }, None, true, &later);
        assert_eq!(count.report(run(1), 9, 10 * SECOND), Reporting::Rests(SECOND));
    }

    #[test]
    fn a_suspicion_that_was_cleared_does_not_come_back() {
        let mut count = Count::default();
        assert!(count.learn(&view(0, Some(5)), None, true, &here(0)));
        assert!(!count.learn(&view(0, Some(5)), None, true, &here(0)));
        assert!(!count.learn(&view(1, None), None, true, &here(0)));
        assert_eq!(standing(&count), None);
        assert!(!count.learn(&view(0, Some(5)), None, true, &here(0)));
        assert_eq!(standing(&count), None);
        // Another does come.
        assert!(count.learn(&view(1, Some(6)), None, true, &here(0)));
    }

    #[test]
    fn one_that_was_cleared_unheard_does_not_come() {
        let mut count = Count::default();
        count.learn(&view(1, None), None, true, &here(0));
        assert!(!count.learn(&view(0, Some(5)), None, true, &here(0)));
    }

    #[test]
    fn one_that_lapsed_does_not_come_back_either() {
        let mut count = Count::default();
        count.learn(&view(0, Some(5)), None, true, &here(0));
        let asked = count.ask(None);
        count.learn(&view(0, None), Some(&asked), false, &here(0));
        assert_eq!(standing(&count), None);
        assert!(!count.learn(&view(0, Some(5)), None, true, &here(0)));
        assert!(!count.learn(&view(0, Some(4)), None, true, &here(0)));
    }

    #[test]
    fn what_may_be_from_before_a_suspicion_does_not_end_it() {
        let mut count = Count::default();
        let asked = count.ask(None);
        count.learn(&view(0, Some(5)), None, true, &here(0));
        count.learn(&view(0, None), Some(&asked), false, &here(0));
        count.learn(&view(0, None), None, true, &here(0));
        assert_eq!(standing(&count), Some(5));
        // Nor one that was renewed, what came of it before.
        let asked = count.ask(None);
        count.learn(&view(0, Some(6)), None, true, &here(0));
        count.learn(&view(0, None), Some(&asked), false, &here(0));
        count.learn(&view(0, Some(5)), Some(&asked), false, &here(0));
        assert_eq!(standing(&count), Some(6));
    }

    #[test]
    fn a_storage_that_forgot_its_clears_is_believed_when_it_was_asked() {
        let mut count = Count::default();
        count.learn(&view(7, None), None, true, &here(2));
        let asked = count.ask(None);
        assert!(!count.learn(&view(0, Some(5)), None, true, &here(2)));
        assert!(count.learn(&view(0, Some(5)), Some(&asked), false, &here(2)));
        assert_eq!(share(&count, 3), Reporting::Share(1));
        // An answer that a push has overtaken proves nothing.
        let asked = count.ask(None);
        count.learn(&view(1, None), None, true, &here(2));
        assert!(!count.learn(&view(0, Some(6)), Some(&asked), false, &here(2)));
    }

    #[test]
    fn no_more_than_so_many_are_reported() {
        assert_eq!(Count::default().report(run(9), 4, SECOND), Reporting::Share(4));
    }

    #[test]
    fn others_fail_if_more_is_counted_than_was_sent() {
        let mut count = Count::default();
        count.send(2);
        count.learn(&View { failures: 2, ..view(0, None) }, None, true, &here(2));
        assert!(!count.others_fail());
        count.learn(&View { failures: 3, ..view(0, None) }, None, true, &here(2));
        assert!(count.others_fail());
    }
}
