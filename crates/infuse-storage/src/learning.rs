//! What a circuit does with what the storage says.

use std::time::{Duration, SystemTime};

use infuse_core::{Breaker, Cause, Override, Policy, Ramp, Shared, State, StateChange, Tripped};
use tokio::time::Instant;

use crate::{
    Opening, ProcessId, Rates, Thresholds, View,
    alone::Alone,
    count::Here,
    hub::{Hub, lock},
    known::{Asked, Heard, Known, Step},
    modes,
    node::Node,
    said,
    story::Telling,
    told::Told,
};

/// By how much two tellings of when a circuit opened may differ.
const ONE_TIME: Duration = Duration::from_secs(1);

impl Node {
    /// Takes over what the storage says, unless it is older than what is known.
    pub(crate) fn learn(&self, hub: &Hub, view: &View, heard: Heard<'_>) {
        let Some(breaker) = self.breaker() else { return };
        let policy = breaker.policy();
        // Until the lock is released: a listener may want it.
        let kept = breaker.keep_mode_changes();
        let (change, again, suspect, mode, untold, doubt) = {
            let mut known = lock(&self.known);
            let here = self.here(hub, &breaker, &policy);
            let had_override = known.has_override();
            let learnt = known.learn(view, heard, &here);
            let told = Told { left: view.time_left, ago: heard.ago(here.now) };
            if learnt.step != Step::Nothing {
                known.hear_story(view, here.now);
            }
            let doubt = learnt.step == Step::Refresh
                && view.state == State::Open
                && breaker.retry_after().is_some_and(|left| told.is_in_doubt(left));
            let follows = learnt.step == Step::Follow;
            let again = follows.then(|| opened_again(hub, &breaker, &known, view)).flatten();
            let change = match learnt.step {
                Step::Nothing => None,
                Step::Follow => self.follow(hub, &breaker, view, &mut known),
                Step::Refresh => self.refresh(hub, &breaker, view, told, &mut known),
                Step::TryHere => self.try_here(hub, &breaker),
            };
            let mode = learnt.mode.then(|| (put_on(&breaker, &known, here.now), had_override));
            let interval = hub.options.sync_interval;
            let untold = !known.untold_hold_off(interval, here.now).is_zero();
            (change, again, learnt.suspect, mode, untold, doubt)
        };
        drop(kept);
        match mode {
            Some(((None, None), true)) => modes::say_ended(&breaker),
            Some(((before, after), _)) => modes::say(&breaker, before.as_ref(), after.as_ref()),
            None => {}
        }
        if doubt {
            self.want_look();
        }
        if untold {
            // What told of it came too late for the circuit that it was about, or seemed not to be
            // needed.
            self.want_report(hub);
        }
        if let Some(change) = change {
            breaker.announce(change);
        }
        if let Some(again) = again {
            let remote = !self.is_own(hub, again.process);
            said::say_kept_open(&breaker, &again, remote, view.time_left);
        }
        if let (true, Some(suspicion), Some(me)) = (suspect, view.suspicion, self.me.upgrade()) {
            tracing::debug!(
                target: "infuse",
                circuit = breaker.name(),
                by = %suspicion.by,
                failures = view.failures,
                first_failure = ?suspicion.first_failure,
                "circuit {} is suspect",
                breaker.name(),
            );
            hub.suspect(me);
        }
        self.compare(&breaker, Thresholds::from(&policy), view.thresholds);
    }

    fn here(&self, hub: &Hub, breaker: &Breaker, policy: &Policy) -> Here {
        Here {
            now: hub.now(),
            at: Instant::now(),
            process: self.process(hub),
            state: breaker.state(),
            run: self.run(breaker),
            stamp: breaker.last_success_tick(),
            reset_timeout: policy.reset_timeout(),
            metered: Rates::of(policy).is_some(),
        }
    }

    /// [`learn`](Self::learn) from a look, which also finds out a breaker that stands apart.
    pub(crate) fn learn_by_look(&self, hub: &Hub, view: &View, asked: &Asked) {
        self.learn(hub, view, Heard::Answered(asked));
        let Some(breaker) = self.breaker() else { return };
        let kept = breaker.keep_mode_changes();
        let (change, untold) = {
            let mut known = lock(&self.known);
            known.looked_at = Some(Instant::now());
            known.seen_success = breaker.last_success_tick();
            known.learn_counts(view);
            let apart = breaker.state() != known.state
                && !self.decides_alone()
                && !self.has_change_to_tell();
            // Twice: at the first time the breaker may just have changed and not said so yet.
            let apart_again = apart && known.apart;
            known.apart = apart && !apart_again;
            let follows = apart_again && known.agrees(view);
            let change = if follows { self.follow(hub, &breaker, view, &mut known) } else { None };
            (change, known.doubt_hold_off(view, hub.now()))
        };
        drop(kept);
        if untold {
            self.want_report(hub);
        }
        if let Some(change) = change {
            breaker.announce(change);
        }
    }

    /// The storage is back: what it says next is taken whatever the breaker did meanwhile, and
    /// nothing of that is told.
    pub(crate) fn begin_return(&self) {
        self.forget();
        self.alone.set(Alone::No);
        lock(&self.known).returning = true;
    }

    fn is_own(&self, hub: &Hub, process: Option<ProcessId>) -> bool {
        process.is_some_and(|by| by == hub.process || by == self.process(hub))
    }

    /// Brings the breaker to what the view says.
    fn follow(
        &self,
        hub: &Hub,
        breaker: &Breaker,
        view: &View,
        known: &mut Known,
    ) -> Option<StateChange> {
        self.alone.set(Alone::No);
        let here = self.is_own(hub, view.by);
        let wall = hub.time.wall();
        let change = breaker.adopt_quietly(Shared {
            state: view.state,
            left: view.time_left,
            open_for: view.open_for,
            successes: view.successes,
            renew: true,
            cause: view.cause,
            remote: !here,
            failed_trials: view.failed_trials,
            ramp: view.ramp,
            tripped: tripped(breaker, view, wall),
        });
        let changed = change.filter(|change| change.from != change.to);
        if known.story().is_some() || changed.is_some() || view.provenance.is_some() {
            let story = known.story_mut();
            story.agree(view);
            if let Some(change) = &changed {
                story.follow(view, change, wall);
            }
        }
        change
    }

    /// The same view again: only its times are news, and only to a breaker that agrees.
    fn refresh(
        &self,
        hub: &Hub,
        breaker: &Breaker,
        view: &View,
        told: Told,
        known: &mut Known,
    ) -> Option<StateChange> {
        if view.state == State::Closed || breaker.state() != view.state {
            return None;
        }
        let left = match view.state {
            State::Open => told.heed(breaker.retry_after().unwrap_or_default()),
            State::Closed | State::HalfOpen => view.time_left,
        };
        known.story_mut().agree(view);
        breaker.adopt_quietly(Shared {
            state: view.state,
            left,
            open_for: view.open_for,
            successes: view.successes,
            renew: false,
            cause: view.cause,
            remote: false,
            failed_trials: view.failed_trials,
            ramp: view.ramp,
            tripped: tripped(breaker, view, hub.time.wall()),
        })
    }

    /// Open here and closed in the fleet, after a loss: a trial without a lease decides.
    fn try_here(&self, hub: &Hub, breaker: &Breaker) -> Option<StateChange> {
        let opened_at = breaker.opened_at().unwrap_or_else(|| hub.time.wall());
        self.alone.set(Alone::Yes);
        breaker.adopt_quietly(Shared {
            state: State::HalfOpen,
            left: Duration::ZERO,
            open_for: hub.time.wall().duration_since(opened_at).unwrap_or_default(),
            successes: 0,
            renew: true,
            cause: Cause::Adopted,
            remote: false,
            failed_trials: breaker.snapshot().failed_trials,
            ramp: Ramp::default(),
            tripped: None,
        })
    }

    /// Says once that processes go by different thresholds.
    fn compare(&self, breaker: &Breaker, here: Thresholds, there: Option<Thresholds>) {
        let Some(there) = there.filter(|there| *there != here) else { return };
        {
            let mut limits = lock(&self.limits);
            let terms = &mut limits.terms;
            if terms.warned || terms.before.as_deref() == Some(&there) {
                return;
            }
            terms.warned = true;
        }
        tracing::warn!(
            target: "infuse",
            circuit = breaker.name(),
            ?here,
            ?there,
            "processes go by different thresholds for circuit {}: {here:?} here, {there:?} in \
             the one that last reported failures",
            breaker.name(),
        );
    }
}

/// Tells the breaker which override there is; what it was before, and is now.
fn put_on(breaker: &Breaker, known: &Known, now: Duration) -> (Option<Override>, Option<Override>) {
    let before = breaker.overridden();
    let after = known.overridden(now).map(|it| (*it).clone());
    if before.is_some() || after.is_some() {
        breaker.set_override(after.clone());
    }
    (before, after)
}

/// What opened the circuit, as the storage says. When that was is as this process knows it, if it
/// does: each answer was under way for another while.
fn tripped(breaker: &Breaker, view: &View, wall: SystemTime) -> Option<Tripped> {
    let opening = view.provenance.as_deref()?;
    let at = known_opening(breaker, opening, wall).map(|known| known.at);
    let at = at.unwrap_or_else(|| told_at(opening, wall));
    Some(Tripped::new(opening.cause, at, opening.fault))
}

/// What the breaker knows of this opening, if it is that which it knows of.
fn known_opening(breaker: &Breaker, opening: &Opening, wall: SystemTime) -> Option<Tripped> {
    breaker.tripped().filter(|known| {
        let told = told_at(opening, wall);
        let apart = told.duration_since(known.at).unwrap_or_else(|error| error.duration());
        known.cause == opening.cause && apart <= ONE_TIME
    })
}

fn told_at(opening: &Opening, wall: SystemTime) -> SystemTime {
    wall.checked_sub(opening.ago).unwrap_or(wall)
}

/// Who has opened a circuit by hand that was open already, if that is news.
fn opened_again(hub: &Hub, breaker: &Breaker, known: &Known, view: &View) -> Option<Telling> {
    let opening = view.provenance.as_deref().filter(|it| it.cause == Cause::Manual)?;
    let is_open = view.state == State::Open && breaker.state() == State::Open;
    let is_known = known.story().is_some_and(|story| story.knows(opening))
        && known_opening(breaker, opening, hub.time.wall()).is_some();
    (is_open && !is_known).then(|| Telling::of(opening))
}
