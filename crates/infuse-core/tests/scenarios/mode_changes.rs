//! That listeners hear of each change of the mode, and once.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use infuse_core::{
    Breaker, Interest, Listener, ManualClock, Mode, ModeChange, Override, PolicyBuilder, State,
};

use crate::support::*;

/// From, to, and by whom it was put on.
type Change = (Mode, Mode, Option<String>);

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Change>>>);

impl Heard {
    fn take(&self) -> Vec<Change> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Listener for Heard {
    fn mode_change(&self, breaker: &Breaker, change: &ModeChange) {
        // It may use the breaker as anyone may.
        assert_eq!(breaker.snapshot().mode, breaker.mode());
        let by = change.overridden.as_ref().map(|over| over.by.to_string());
        self.0.lock().unwrap().push((change.from, change.to, by));
    }

    fn interest(&self) -> Interest {
        Interest::Changes
    }
}

fn heard(mode: Mode, policy: PolicyBuilder) -> (Heard, Arc<Breaker>, ManualClock) {
    let heard = Heard::default();
    let (breaker, clock) = build(policy, |builder| builder.mode(mode).listener(heard.clone()));
    (heard, breaker, clock)
}

fn by(who: &str, mode: Mode) -> Override {
    Override::new(mode).by(who)
}

fn some(who: &str) -> Option<String> {
    Some(who.to_owned())
}

const E: Mode = Mode::Enabled;
const O: Mode = Mode::Observe;
const I: Mode = Mode::Isolated;
const D: Mode = Mode::Disabled;

#[test]
fn changes_of_the_settings() {
    let (heard, breaker, _) = heard(O, three());
    assert!(heard.take().is_empty(), "it was born in it");
    breaker.set_mode(O);
    assert!(heard.take().is_empty());
    breaker.set_mode(D);
    breaker.set_mode(E);
    assert_eq!(heard.take(), [(O, D, None), (D, E, None)]);
    // Under an override they are no change.
    breaker.set_override(Some(by("ada", I)));
    assert_eq!(heard.take(), [(E, I, some("ada"))]);
    breaker.set_mode(O);
    assert!(heard.take().is_empty());
    breaker.set_override(None);
    assert_eq!(heard.take(), [(I, O, None)]);
    breaker.set_override(None);
    assert!(heard.take().is_empty());
}

#[test]
fn an_override_that_is_replaced_is_a_change_and_the_same_again_is_none() {
    let (heard, breaker, clock) = heard(E, three());
    let hour = Duration::from_secs(3600);
    let put = |over: Override| breaker.set_override(Some(over));
    put(by("ada", I).lasting(hour));
    assert_eq!(heard.take(), [(E, I, some("ada"))]);
    clock.advance(60 * SECOND);
    // As a storage says it again and again, each time with what is left.
    put(by("ada", I).lasting(hour - 60 * SECOND));
    put(by("ada", I).lasting(hour - 61 * SECOND));
    assert!(heard.take().is_empty());
    for next in [
        by("ada", I).lasting(hour),
        by("eve", I).lasting(hour),
        by("eve", I).lasting(hour).because("they move"),
        by("eve", I).because("they move"),
        by("eve", I),
    ] {
        let who = next.by.to_string();
        put(next);
        assert_eq!(heard.take(), [(I, I, Some(who))]);
    }
    put(by("eve", O));
    assert_eq!(heard.take(), [(I, O, some("eve"))]);
}

#[test]
fn the_end_of_an_override_is_told_when_somebody_finds_it() {
    let ways: [fn(&Arc<Breaker>); 10] = [
        |breaker| drop(succeed(breaker)),
        |breaker| drop(breaker.admit()),
        |breaker| assert_eq!(breaker.mode(), E),
        |breaker| drop(breaker.overridden()),
        |breaker| drop(breaker.snapshot()),
        |breaker| breaker.set_policy(breaker.policy()),
        |breaker| breaker.set_mode(E),
        |breaker| breaker.set_override(None),
        |breaker| breaker.adopt(view(State::Closed)),
        |breaker| assert!(breaker.remove_listener(breaker.add_listener(Recorder::default()))),
    ];
    for way in ways {
        for mode in [O, D, I, E] {
            let (heard, breaker, clock) = heard(E, three());
            breaker.set_override(Some(by("ada", mode).lasting(SECOND)));
            assert_eq!(heard.take(), [(E, mode, some("ada"))]);
            clock.advance(SECOND);
            assert!(heard.take().is_empty(), "nobody has looked");
            way(&breaker);
            assert_eq!(heard.take(), [(mode, E, None)]);
            way(&breaker);
            assert!(heard.take().is_empty(), "once");
        }
    }
}

#[test]
fn the_end_comes_before_what_came_of_it() {
    // An outcome finds it, too; and what it then does to the circuit is told after.
    let all = Recorder::default();
    struct Modes(Recorder);
    impl Listener for Modes {
        fn mode_change(&self, _: &Breaker, change: &ModeChange) {
            self.0.note(format!("{} > {}", change.from, change.to));
        }
    }
    let (breaker, clock) = build(defaults().max_failure(1), |builder| {
        builder.listener(all.clone()).listener(Modes(all.clone()))
    });
    let permit = breaker.try_permit().unwrap();
    breaker.set_override(Some(by("ada", O).lasting(SECOND)));
    clock.advance(SECOND);
    all.take();
    permit.failure();
    let order = ["observe > enabled", "failure 1 no error", "closed > open failures"];
    assert_eq!(all.take(), order);

    // In a view that is taken over now and announced later, both are told later.
    breaker.set_override(Some(by("ada", D).lasting(SECOND)));
    clock.advance(SECOND);
    all.take();
    let change = breaker.adopt_quietly(view(State::Closed)).unwrap();
    assert!(all.take().is_empty());
    breaker.announce(change);
    assert_eq!(all.take(), ["disabled > enabled", "open > closed failures remote"]);
}

#[test]
fn what_is_kept_is_told_when_the_last_lets_go() {
    let (heard, breaker, clock) = heard(E, three());
    let (one, other) = (breaker.keep_mode_changes(), breaker.keep_mode_changes());
    breaker.set_override(Some(by("ada", I).lasting(SECOND)));
    clock.advance(SECOND);
    succeed(&breaker).unwrap();
    drop(one);
    assert!(heard.take().is_empty());
    drop(other);
    assert_eq!(heard.take(), [(E, I, some("ada")), (I, E, None)]);
    breaker.set_mode(O);
    assert_eq!(heard.take(), [(E, O, None)]);
}

#[test]
fn a_listener_that_sets_modes_itself_does_no_harm() {
    struct Meddler(Heard);
    impl Listener for Meddler {
        fn mode_change(&self, breaker: &Breaker, change: &ModeChange) {
            self.0.mode_change(breaker, change);
            if change.to == I {
                breaker.set_mode(E);
                breaker.set_override(None);
            }
            panic!("the panic goes no further");
        }
    }
    let heard = Heard::default();
    let (breaker, _) = build(three(), |builder| builder.listener(Meddler(heard.clone())));
    breaker.set_mode(I);
    assert_eq!(heard.take(), [(E, I, None), (I, E, None)]);
    assert_eq!(breaker.mode(), E);
}
