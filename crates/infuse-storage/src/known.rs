use std::{mem, sync::Arc, time::Duration};

use infuse_core::{Cause, Counts, Opened, Override, State};
use tokio::time::Instant;

use crate::{
    Opening, Presented, View,
    alone::Alone,
    count::{Count, CountAsked, Here},
    run::{Baseline, Run},
    seldom::{HeldOff, Overridden, Seldom},
    story::Story,
    trust::{Reaches, Tripping, Trust},
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
    seldom: Option<Box<Seldom>>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) presented: Presented,
    /// When, by the circuits' clock.
    pub(crate) at: Duration,
    /// The override, with what is left of it.
    pub(crate) overridden: Option<Arc<Override>>,
    /// What opened the fleet's circuit, with how long ago that is.
    pub(crate) provenance: Option<Arc<Opening>>,
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

impl Heard<'_> {
    /// How long ago the storage said so, at most; unset if nobody knows.
    pub(crate) fn ago(self, now: Duration) -> Option<Duration> {
        match self {
            Heard::Pushed => None,
            Heard::Answered(asked) => Some(now.saturating_sub(asked.at)),
        }
    }
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
    /// Whether the breaker is to be told which override there is.
    pub(crate) mode: bool,
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
            seldom: None,
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
        let (presented, overridden) = (self.presented(now), self.overridden(now));
        let provenance = self.story().and_then(|story| story.presented(now));
        Asked { presented, at: now, overridden, provenance, count: self.count.ask(reported) }
    }

    /// The override that the storage shows, with what is left of it.
    pub(crate) fn overridden(&self, now: Duration) -> Option<Arc<Override>> {
        self.seldom.as_ref()?.overridden.as_ref()?.at(now)
    }

    fn shown_override(&self) -> Option<Overridden> {
        self.seldom()?.overridden.clone()
    }

    /// Whether there was an override when the storage last said something.
    pub(crate) fn has_override(&self) -> bool {
        self.seldom().is_some_and(|seldom| seldom.overridden.is_some())
    }

    pub(crate) fn seldom(&self) -> Option<&Seldom> {
        self.seldom.as_deref()
    }

    pub(crate) fn story(&self) -> Option<&Story> {
        self.seldom()?.story.as_deref()
    }

    pub(crate) fn story_mut(&mut self) -> &mut Story {
        self.seldom_mut().story.get_or_insert_default()
    }

    /// The storage says what opened the circuit, if anything did.
    pub(crate) fn hear_story(&mut self, view: &View, now: Duration) {
        if self.story().is_some() || view.provenance.is_some() {
            self.story_mut().hear(view, now);
        }
    }

    pub(crate) fn seldom_mut(&mut self) -> &mut Seldom {
        self.seldom.get_or_insert_default()
    }

    /// Whether a view says the same, but for its times.
    pub(crate) fn agrees(&self, view: &View) -> bool {
        view.generation == self.generation && view.state == self.state
    }

    /// Takes over what the storage says.
    pub(crate) fn learn(&mut self, view: &View, heard: Heard<'_>, here: &Here) -> Learnt {
        self.heard_at = Some(here.now.into());
        if view.generation < self.generation {
            return Learnt { step: Step::Nothing, suspect: false, mode: false };
        }
        let agrees = self.agrees(view);
        let (before, was) = ((self.generation, self.state), self.shown_override());
        if !agrees {
            self.count = Count::of(view, here.now);
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
        // Of another generation it is as it comes.
        let ago = if agrees { heard.ago(here.now) } else { Some(Duration::ZERO) };
        let mode = self.learn_override(view, ago, here.now);
        self.take(view, here.now);
        // The one change since was that of the override, by which the circuit stays as it was.
        let only_mode =
            before == (view.generation.wrapping_sub(1), view.state) && was != self.shown_override();
        if !agrees && !only_mode {
            self.trust.changed(view, here.process, here.now, here.reset_timeout);
        }
        let step = if returning && view.state == State::Closed && here.state == State::Open {
            Step::TryHere
        } else if !agrees || (returning && here.must_follow(view.state)) {
            Step::Follow
        } else {
            Step::Refresh
        };
        if step == Step::TryHere {
            // The run goes on, also into a new generation: what was counted alone is not told.
            self.count.baseline = Baseline::of(here.run, 0);
        } else if step == Step::Follow {
            // The run has ended with what was counted.
            self.count.baseline = Baseline::default();
        }
        if let Some(seldom) = self.seldom.as_mut().filter(|_| !agrees) {
            seldom.counts = Counts::NONE;
            match step {
                // It does not close here yet.
                Step::TryHere => seldom.held_off.untell(),
                // Here and in the record it stays.
                _ if only_mode => {}
                _ => seldom.held_off.changed(view),
            }
        }
        Learnt { step, suspect, mode }
    }

    /// Someone put a mode on in this process alone: until the storage says something.
    pub(crate) fn override_here(&mut self) {
        self.seldom_mut().overridden_here = true;
    }

    fn learn_override(&mut self, view: &View, ago: Option<Duration>, now: Duration) -> bool {
        match &mut self.seldom {
            None if view.overridden.is_none() => false,
            _ => self.seldom_mut().learn_override(view, ago, now),
        }
    }

    /// A look says how long no trial is due: whether the storage is to be told again that the
    /// service asks for more.
    pub(crate) fn doubt_hold_off(&mut self, view: &View, now: Duration) -> bool {
        let agrees = self.agrees(view);
        match &mut self.seldom {
            Some(seldom) if agrees && view.state != State::Closed => {
                seldom.held_off.doubt(view.time_left, now);
                !self.untold_hold_off(Duration::ZERO, now).is_zero()
            }
            _ => false,
        }
    }

    /// The calls of all processes, as a look says.
    pub(crate) fn learn_counts(&mut self, view: &View) {
        if self.seldom.is_some() || view.counts != Counts::NONE {
            self.seldom_mut().counts = if self.agrees(view) { view.counts } else { Counts::NONE };
        }
    }

    /// This process has tripped: how far that reaches, and whether the breaker decides by itself
    /// from now on. `alone` is whether it does until now, and `may_ask` whether the storage may be
    /// told now.
    pub(crate) fn trip(
        &mut self,
        now: Duration,
        opened: Opened,
        alone: Alone,
        may_ask: bool,
    ) -> (Reaches, Alone) {
        let again = alone == Alone::Apart && opened.cause == Cause::TrialFailed;
        let (fleet, others_fail) = (self.state, self.count.others_fail());
        let local = opened.local;
        let trip = Tripping { now, fleet, others_fail, local, again, may_ask };
        let reaches = self.trust.trip(&trip);
        let alone = match reaches {
            Reaches::Here if fleet != State::Closed => Alone::No,
            Reaches::Here if local || again || self.trust.refused => Alone::Apart,
            Reaches::Here => Alone::Yes,
            Reaches::Fleet => Alone::No,
        };
        (reaches, alone)
    }

    /// Whether the storage was told of a trip under what was `presented`, and leaves the circuit
    /// closed: more processes must have seen failures. `breaker` is this process's state.
    pub(crate) fn is_refused(&self, presented: &Presented, breaker: State) -> bool {
        let same = self.generation == presented.generation && self.state == State::Closed;
        same && breaker == State::Open && self.trust.telling
    }

    /// The service asked to be left alone for so long; whether the storage is to be told.
    pub(crate) fn hold_off(&mut self, left: Duration, apart: Duration, now: Duration) -> bool {
        self.seldom_mut().held_off.hold(now.saturating_add(left).into());
        !self.untold_hold_off(apart, now).is_zero()
    }

    /// For how long the service asked to be left alone, if the storage is to be told.
    pub(crate) fn untold_hold_off(&self, apart: Duration, now: Duration) -> Duration {
        let (known, apart) = match self.state {
            State::Closed => (When::START, apart),
            // Few calls are made that could say it.
            State::HalfOpen => (When::START, Duration::ZERO),
            State::Open => (self.open_until, Duration::ZERO),
        };
        self.seldom().map_or(Duration::ZERO, |seldom| seldom.held_off.untold(known, apart, now))
    }

    /// For how long the service asked to be left alone; the storage is being told.
    pub(crate) fn tell_hold_off(&mut self, now: Duration) -> Duration {
        self.seldom.as_mut().map_or(Duration::ZERO, |seldom| {
            seldom.held_off.tell();
            seldom.held_off.left(now)
        })
    }

    /// For how long the service asked this process to leave it alone, in this generation.
    pub(crate) fn held_off(&self, now: Duration) -> Duration {
        self.seldom().map_or(Duration::ZERO, |seldom| seldom.held_off.left(now))
    }

    /// The storage is lost: what was counted until now is told no more. What the service asked for
    /// holds all the same, and is told when the storage is back.
    pub(crate) fn forget(&mut self, run: Run) {
        self.count.forget(run);
        if let Some(seldom) = &mut self.seldom {
            seldom.held_off.untell();
        }
    }

    /// The breaker was closed or commanded here, which ends what the service asked for.
    pub(crate) fn end_hold_off(&mut self) {
        if let Some(seldom) = &mut self.seldom {
            seldom.held_off = HeldOff::default();
        }
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
            metered: false,
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
    fn a_window_that_was_filled_alone_is_emptied_on_return() {
        let mut known = Known { returning: true, ..Known::nothing() };
        let metered = Here { metered: true, ..here(State::Closed) };
        let closed = view(0, State::Closed);
        assert_eq!(known.learn(&closed, Heard::Pushed, &metered).step, Step::Follow);
        assert_eq!(known.learn(&closed, Heard::Pushed, &metered).step, Step::Refresh);
    }

    #[test]
    fn a_window_does_not_cost_the_trials_under_way_their_circuit() {
        for state in [State::Open, State::HalfOpen] {
            let mut known = Known { returning: true, state, ..Known::nothing() };
            let metered = Here { metered: true, ..here(state) };
            let learnt = known.learn(&view(0, state), Heard::Pushed, &metered);
            assert_eq!(learnt.step, Step::Refresh, "{state}");
        }
    }

    #[test]
    fn a_run_that_ends_with_the_window_is_counted_anew() {
        let mut known = Known { returning: true, ..Known::nothing() };
        known.forget(Run { number: 0, failures: 3 });
        let metered = Here { metered: true, ..here(State::Closed) };
        assert_eq!(known.learn(&View::new(), Heard::Pushed, &metered).step, Step::Follow);
        let shares =
            [1, 2, 3].map(|failures| known.count.baseline.share(Run { number: 0, failures }));
        assert_eq!(shares, [1, 2, 3]);
    }

    #[test]
    fn an_override_changes_nothing_but_the_mode() {
        let mut known = Known::nothing();
        let apart = Trust { apart_until: (9 * SECOND).into(), ..Trust::default() };
        known.trust = apart;
        known.hold_off(9 * SECOND, SECOND, SECOND);
        let isolated = Arc::new(Override::new(infuse_core::Mode::Isolated));
        let over = |generation, state| View {
            overridden: Some(Arc::clone(&isolated)),
            ..view(generation, state)
        };
        assert_eq!(step(&mut known, &over(1, State::Closed), State::Closed), Step::Follow);
        assert_eq!(known.trust, apart);
        assert_eq!(known.held_off(SECOND), 9 * SECOND);
        // Taken away, and closed by hand at once: that is more than one change.
        step(&mut known, &view(3, State::Closed), State::Closed);
        assert_eq!(known.trust, Trust::default());
        known.trust = apart;
        step(&mut known, &over(4, State::Open), State::Closed);
        assert_eq!(known.trust, Trust::default());
    }

    #[test]
    fn what_the_service_asked_one_that_tries_here_is_told() {
        for (state, left) in [(State::Open, 3 * SECOND), (State::Closed, Duration::ZERO)] {
            let mut known = Known { returning: true, ..Known::nothing() };
            known.hold_off(3 * SECOND, SECOND, SECOND);
            known.tell_hold_off(SECOND);
            step(&mut known, &view(1, State::Closed), state);
            assert_eq!(known.untold_hold_off(SECOND, SECOND), left, "{state}");
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
        assert_eq!(late, Learnt { step: Step::Nothing, suspect: false, mode: false });
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
