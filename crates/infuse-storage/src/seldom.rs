//! What is known of few circuits: an override, for how long their service asked to be left alone,
//! the fleet's window, and who changed them.

use std::{mem, sync::Arc, time::Duration};

use infuse_core::{Cause, Counts, Override, State};

use crate::{View, story::Story, told::Told, when::When};

/// What is known of few circuits, and boxed for that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Seldom {
    /// What the storage says that someone put above the modes of the settings.
    pub(crate) overridden: Option<Overridden>,
    /// Whether the breaker has another one, that was put on here while the storage was lost.
    pub(crate) overridden_here: bool,
    pub(crate) held_off: HeldOff,
    /// The calls of all processes in the window, by the last look.
    pub(crate) counts: Counts,
    /// Who changed the circuit: it is beside what is learnt, and no part of it.
    pub(crate) story: Option<Box<Story>>,
}

/// An override, and when it ends by this process's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Overridden {
    /// As it came: what is left of it is said by `until`.
    it: Arc<Override>,
    until: Option<When>,
}

impl Overridden {
    fn new(it: &Arc<Override>, now: Duration) -> Self {
        let until = it.left.map(|left| now.saturating_add(left).into());
        Self { it: Arc::clone(it), until }
    }

    /// With what is left of it; `None` if it is over.
    pub(crate) fn at(&self, now: Duration) -> Option<Arc<Override>> {
        let left = self.until.map(|until| until.left(now));
        match left {
            Some(Duration::ZERO) => None,
            _ if left == self.it.left => Some(Arc::clone(&self.it)),
            _ => {
                let mut it = (*self.it).clone();
                it.left = left;
                Some(Arc::new(it))
            }
        }
    }

    /// The same again, of which the storage says what is left, so long ago at most: what that is
    /// now. `None` if it is another one.
    fn again(&self, told: &Self, ago: Option<Duration>, now: Duration) -> Option<Self> {
        let until = match (self.until, told.until) {
            (None, None) => None,
            (Some(known), Some(told)) => {
                let left = Told { left: told.left(now), ago }.heed(known.left(now));
                let same = Told::is_same(left, known.left(now));
                Some(if same { known } else { now.saturating_add(left).into() })
            }
            _ => return None,
        };
        is_same(&self.it, &told.it).then(|| Self { it: Arc::clone(&self.it), until })
    }
}

/// Whether two overrides are the same but for what is left of them.
pub(crate) fn is_same(one: &Override, other: &Override) -> bool {
    (one.mode, &one.by, &one.reason) == (other.mode, &other.by, &other.reason)
}

/// For how long the service asked this process to leave it alone, in this generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct HeldOff {
    until: When,
    /// Up to when the storage has been told.
    told: When,
}

impl HeldOff {
    /// The service asked for it.
    pub(crate) fn hold(&mut self, until: When) {
        self.until = self.until.max(until);
    }

    /// For the model check.
    #[cfg(test)]
    pub(crate) fn times(self) -> [Duration; 2] {
        [self.until.time(), self.told.time()]
    }

    pub(crate) fn left(self, now: Duration) -> Duration {
        self.until.left(now)
    }

    /// What the storage is to be told, where it would keep a circuit open until `known`; zero for
    /// nothing. A service that says it with each call is not repeated each time: what differs by
    /// less than `apart` is no news.
    pub(crate) fn untold(self, known: When, apart: Duration, now: Duration) -> Duration {
        let told = if self.told == When::START {
            self.told
        } else {
            self.told.time().saturating_add(apart).into()
        };
        if self.until > told && self.until > known { self.left(now) } else { Duration::ZERO }
    }

    /// The storage is being told.
    pub(crate) fn tell(&mut self) {
        self.told = self.until;
    }

    /// The storage may not have been told, or may have lost it.
    pub(crate) fn untell(&mut self) {
        self.told = When::START;
    }

    /// The storage says how long no trial is due: it may have lost what it was told.
    pub(crate) fn doubt(&mut self, left: Duration, now: Duration) {
        if left < self.left(now) && !Told::is_same(left, self.left(now)) {
            self.untell();
        }
    }

    /// The storage has changed the circuit. Whoever closes it or commands it knows better than the
    /// service did; else it may have been told in vain.
    pub(crate) fn changed(&mut self, view: &View) {
        let forgets = matches!(view.cause, Cause::Manual | Cause::Seed);
        if view.state == State::Closed || forgets {
            *self = Self::default();
        }
        self.untell();
    }
}

impl Seldom {
    /// Takes over the override that the storage shows, in the generation that was known, and so long
    /// ago at most; whether it is another one than the breaker has.
    pub(crate) fn learn_override(
        &mut self,
        view: &View,
        ago: Option<Duration>,
        now: Duration,
    ) -> bool {
        let mut heard = view.overridden.as_ref().map(|it| Overridden::new(it, now));
        if let (Some(known), Some(told)) = (&self.overridden, &heard) {
            heard = known.again(told, ago, now).or(heard);
        }
        let same = heard == self.overridden;
        self.overridden = heard;
        mem::take(&mut self.overridden_here) || !same
    }
}

#[cfg(test)]
mod tests {
    use infuse_core::Mode;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn view(over: Option<Override>) -> View {
        View { overridden: over.map(Arc::new), ..View::new() }
    }

    fn isolated(left: Duration) -> Override {
        Override::new(Mode::Isolated).lasting(left).by("ada")
    }

    #[test]
    fn an_override_has_so_much_less_left_and_ends() {
        let mut seldom = Seldom::default();
        assert!(seldom.learn_override(&view(Some(isolated(10 * SECOND))), None, SECOND));
        let at = |now| seldom.overridden.as_ref().and_then(|it| it.at(now));
        assert_eq!(at(SECOND).as_deref(), Some(&isolated(10 * SECOND)));
        assert_eq!(at(4 * SECOND).as_deref(), Some(&isolated(7 * SECOND)));
        assert_eq!(at(11 * SECOND), None);
        let endless = Override::new(Mode::Disabled);
        assert!(seldom.learn_override(&view(Some(endless.clone())), None, SECOND));
        let overridden = seldom.overridden.as_ref();
        assert_eq!(overridden.and_then(|it| it.at(100 * SECOND)).as_deref(), Some(&endless));
    }

    #[test]
    fn what_was_under_way_is_no_other_override() {
        let mut seldom = Seldom::default();
        let mut learn = |over, ago, now| seldom.learn_override(&view(over), ago, now);
        let at_once = Some(Duration::ZERO);
        assert!(!learn(None, at_once, SECOND));
        assert!(learn(Some(isolated(10 * SECOND)), at_once, SECOND));
        assert!(!learn(Some(isolated(9 * SECOND)), at_once, 2 * SECOND));
        // Under way for a second, and for nobody knows how long.
        assert!(!learn(Some(isolated(10 * SECOND)), Some(SECOND), 2 * SECOND));
        assert!(!learn(Some(isolated(10 * SECOND)), None, 9 * SECOND));
        // Another end.
        assert!(learn(Some(isolated(10 * SECOND)), at_once, 2 * SECOND));
        assert!(learn(Some(isolated(7 * SECOND)), None, 2 * SECOND));
        // Another name, none at all.
        let by_bob = isolated(7 * SECOND).by("bob");
        assert!(learn(Some(by_bob), at_once, 2 * SECOND));
        assert!(learn(None, at_once, 2 * SECOND));
        assert_eq!(seldom.overridden, None);
    }

    #[test]
    fn a_service_that_says_it_with_each_call_is_not_repeated_each_time() {
        let mut held = HeldOff::default();
        let untold = |held: HeldOff, now| held.untold(When::START, SECOND, now);
        assert_eq!(untold(held, SECOND), Duration::ZERO);
        held.hold((61 * SECOND).into());
        assert_eq!(untold(held, SECOND), 60 * SECOND);
        held.tell();
        assert_eq!(untold(held, SECOND), Duration::ZERO);
        held.hold((62 * SECOND).into());
        assert_eq!(untold(held, 2 * SECOND), Duration::ZERO);
        held.hold((63 * SECOND).into());
        assert_eq!(untold(held, 3 * SECOND), 60 * SECOND);
        // Nothing is shortened.
        held.hold((5 * SECOND).into());
        assert_eq!(held.left(3 * SECOND), 60 * SECOND);
    }

    #[test]
    fn a_circuit_that_is_open_for_longer_anyway_needs_no_telling() {
        let mut held = HeldOff::default();
        held.hold((10 * SECOND).into());
        assert_eq!(held.untold((10 * SECOND).into(), SECOND, SECOND), Duration::ZERO);
        assert_eq!(held.untold((9 * SECOND).into(), SECOND, SECOND), 9 * SECOND);
    }

    #[test]
    fn a_storage_that_has_lost_it_is_told_again() {
        let mut held = HeldOff::default();
        held.hold((10 * SECOND).into());
        held.tell();
        held.doubt(9 * SECOND - SECOND / 10, SECOND);
        assert_eq!(held.untold(When::START, Duration::ZERO, SECOND), Duration::ZERO);
        held.doubt(8 * SECOND, SECOND);
        assert_eq!(held.untold(When::START, Duration::ZERO, SECOND), 9 * SECOND);
    }

    #[test]
    fn a_change_makes_it_untold_and_whoever_closes_or_commands_forgets_it() {
        for (state, cause, left) in [
            (State::Open, Cause::Failures, 9),
            (State::HalfOpen, Cause::TrialStarted, 9),
            (State::Closed, Cause::TrialSucceeded, 0),
            (State::Open, Cause::Manual, 0),
            (State::HalfOpen, Cause::Seed, 0),
        ] {
            let mut held = HeldOff::default();
            held.hold((10 * SECOND).into());
            held.tell();
            held.changed(&View { state, cause, ..View::new() });
            assert_eq!(
                held.untold(When::START, SECOND, SECOND),
                left * SECOND,
                "{state} {cause:?}"
            );
        }
    }
}
