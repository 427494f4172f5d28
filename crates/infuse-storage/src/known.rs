use std::{mem, time::Duration};

use infuse_core::State;
use tokio::time::Instant;

use crate::{
    Presented, View,
    count::{Count, CountAsked, Here},
    run::{Baseline, Run},
    trust::Trust,
    when::When,
};

/// The last view from the storage, and what follows from it. Its times are those of this process's
/// clock.
///
/// What it learns is a pure function of itself, the view, how that came, and what is so in this
/// process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) generation: u64,
    pub(crate) state: State,
    pub(crate) open_until: When,
    /// When the storage last said anything about the circuit.
    pub(crate) heard_at: Option<When>,
    pub(crate) count: Count,
    pub(crate) trust: Trust,
    /// Whether the storage was lost, and has not said anything since.
    pub(crate) returning: bool,
    /// Whether the breaker stood apart at the last look, with nothing left to tell.
    pub(crate) apart: bool,
    /// By the runtime's clock, which paces the looks. Unset if a look is wanted in any case.
    pub(crate) looked_at: Option<Instant>,
    /// The stamp of the last success when the storage was looked at.
    pub(crate) seen_success: u32,
}

/// What a process knew when it asked the storage for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) presented: Presented,
    pub(crate) count: CountAsked,
}

/// How a view came.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Heard<'a> {
    /// The storage pushed it.
    Pushed,
    /// It is the answer to a verb.
    Answered(&'a Asked),
}

/// What a view does to the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing: it is older than what is known.
    Nothing,
    /// The breaker becomes what the view says.
    Follow,
    /// The same view again: only its times are news, to a breaker that agrees.
    Refresh,
    /// Open here and closed in the fleet, after a loss: a trial without a lease decides.
    TryHere,
}

/// What comes of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Learnt {
    pub(crate) step: Step,
    /// Whether there is a suspicion that was not known before.
    pub(crate) suspect: bool,
}

impl Known {
    pub(crate) fn nothing() -> Self {
        Self {
            generation: 0,
            state: State::Closed,
            open_until: When::START,
            heard_at: None,
            count: Count::default(),
            trust: Trust::default(),
            returning: false,
            apart: false,
            looked_at: None,
            seen_success: 0,
        }
    }

    /// What a verb presents.
    pub(crate) fn presented(&self, now: Duration) -> Presented {
        let time_left = match self.state {
            State::Open => self.open_until.left(now),
            State::Closed | State::HalfOpen => Duration::ZERO,
        };
        Presented { generation: self.generation, state: self.state, time_left }
    }

    /// What is known when a verb is sent, which reports `run` if it is a report.
    pub(crate) fn ask(&self, now: Duration, reported: Option<Run>) -> Asked {
        Asked { presented: self.presented(now), count: self.count.ask(reported) }
    }

    /// Whether a view says the same, but for its times.
    pub(crate) fn agrees(&self, view: &View) -> bool {
        view.generation == self.generation && view.state == self.state
    }

    /// Takes over what the storage says.
    pub(crate) fn learn(&mut self, view: &View, heard: Heard<'_>, here: &Here) -> Learnt {
        self.heard_at = Some(here.now.into());
        if view.generation < self.generation {
            return Learnt { step: Step::Nothing, suspect: false };
        }
        let agrees = self.agrees(view);
        if !agrees {
            self.count = Count::of(view, here.now);
            self.trust.changed(view, here.process, here.now, here.reset_timeout);
        }
        let (asked, pushed) = match heard {
            Heard::Pushed => (None, true),
            Heard::Answered(asked) => {
                let same = asked.presented.generation == view.generation;
                (same.then_some(&asked.count), false)
            }
        };
        let suspect = self.count.learn(view, asked, pushed, here);
        let returning = mem::take(&mut self.returning);
        self.take(view, here.now);
        let step = if returning && view.state == State::Closed && here.state == State::Open {
            Step::TryHere
        } else if !agrees || (returning && here.state != view.state) {
            Step::Follow
        } else {
            Step::Refresh
        };
        if step == Step::TryHere {
            // The run goes on, also into a new generation: what was counted alone is not told.
            self.count.baseline = Baseline::of(here.run, 0);
        }
        Learnt { step, suspect }
    }

    fn take(&mut self, view: &View, now: Duration) {
        self.generation = view.generation;
        self.state = view.state;
        self.open_until = match view.state {
            State::Open => now.saturating_add(view.time_left).into(),
            State::Closed | State::HalfOpen => When::START,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ProcessId, Suspicion, SuspicionId};

    const SECOND: Duration = Duration::from_secs(1);

    fn here(state: State) -> Here {
        Here {
            now: SECOND,
            at: Instant::now(),
            process: ProcessId::from_u64(1),
            state,
            run: Run { number: 0, failures: 0 },
            stamp: 0,
            reset_timeout: SECOND,
        }
    }

    fn view(generation: u64, state: State) -> View {
        View { generation, state, time_left: SECOND, ..View::new() }
    }

    fn step(known: &mut Known, view: &View, state: State) -> Step {
        known.learn(view, Heard::Pushed, &here(state)).step
    }

    #[test]
    fn an_older_view_is_nothing_and_a_newer_is_followed() {
        let mut known = Known::nothing();
        assert_eq!(step(&mut known, &view(2, State::Open), State::Closed), Step::Follow);
        assert_eq!(step(&mut known, &view(1, State::Closed), State::Open), Step::Nothing);
        assert_eq!(step(&mut known, &view(2, State::Open), State::Open), Step::Refresh);
        assert_eq!((known.generation, known.state), (2, State::Open));
        // With other content at the same generation the storage is right.
        assert_eq!(step(&mut known, &view(2, State::Closed), State::Open), Step::Follow);
        // Also a newer closed, for it counts anew.
        assert_eq!(step(&mut known, &view(3, State::Closed), State::Closed), Step::Follow);
    }

    #[test]
    fn on_return_the_storage_is_right_whatever_the_breaker_did() {
        let states = [State::Closed, State::Open, State::HalfOpen];
        for (there, breaker) in states.into_iter().flat_map(|a| states.map(|b| (a, b))) {
            let mut known = Known { returning: true, state: there, ..Known::nothing() };
            let expected = match (there, breaker) {
                (State::Closed, State::Open) => Step::TryHere,
                _ if there == breaker => Step::Refresh,
                _ => Step::Follow,
            };
            assert_eq!(step(&mut known, &view(0, there), breaker), expected);
            // Once.
            assert_eq!(step(&mut known, &view(0, there), breaker), Step::Refresh);
        }
    }

    #[test]
    fn an_older_view_does_not_end_a_return() {
        let mut known = Known { returning: true, generation: 3, ..Known::nothing() };
        assert_eq!(step(&mut known, &view(2, State::Open), State::Open), Step::Nothing);
        assert_eq!(step(&mut known, &view(3, State::Closed), State::Open), Step::TryHere);
    }

    #[test]
    fn a_change_ends_a_suspicion_for_good() {
        let id = SuspicionId { generation: 0, raised_at: 5 };
        let suspicion = Some(Suspicion::new(id, ProcessId::from_u64(2), SECOND));
        let suspect = View { suspicion, ..View::new() };
        let mut known = Known::nothing();
        assert!(known.learn(&suspect, Heard::Pushed, &here(State::Closed)).suspect);
        let asked = known.ask(SECOND, None);
        known.learn(&view(1, State::Closed), Heard::Pushed, &here(State::Closed));
        let late = known.learn(&suspect, Heard::Answered(&asked), &here(State::Closed));
        assert_eq!(late, Learnt { step: Step::Nothing, suspect: false });
        assert_eq!(known.count.suspected, None);
    }

    #[test]
    fn what_is_presented_is_what_was_heard_and_has_so_much_less_time_left() {
        let mut known = Known::nothing();
        assert_eq!(known.presented(SECOND), Presented::NOTHING);
        step(&mut known, &view(2, State::Open), State::Closed);
        let presented = known.presented(SECOND + SECOND / 4);
        assert_eq!(
            presented,
            Presented { generation: 2, state: State::Open, time_left: 3 * SECOND / 4 }
        );
    }
}
