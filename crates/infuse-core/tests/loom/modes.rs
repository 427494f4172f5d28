//! Modes, overrides that end and ramps, beside everything else.

use infuse_core::{Mode, Override, Reason};

use super::*;

const S: Duration = Duration::from_secs(1);

fn set_mode(breaker: &Arc<Breaker>, mode: Mode) -> impl FnOnce() + 'static {
    on(breaker, move |breaker| breaker.set_mode(mode))
}

fn put_on(breaker: &Breaker, mode: Mode, left: Duration) {
    breaker.set_override(Some(Override::new(mode).lasting(left)));
}

#[test]
fn a_mode_beside_an_admission() {
    explore(|order| {
        let (breaker, clock) = breaker(failures(1));
        let ask = on(&breaker, |breaker| breaker.try_permit_owned());
        let (_, asked) = order.race(set_mode(&breaker, Mode::Isolated), ask);
        assert_eq!(breaker.try_permit().unwrap_err().reason(), Reason::Isolated);
        match asked {
            // It counts for nothing now.
            Ok(permit) => permit.failure(),
            Err(rejected) => assert_eq!(rejected.reason(), Reason::Isolated),
        }
        assert_eq!((breaker.state(), breaker.fail_counter()), (State::Closed, 0));
        breaker.set_mode(Mode::Enabled);
        recovers(&breaker, &clock);
    });
}

#[test]
fn a_mode_beside_a_trip() {
    for mode in [Mode::Observe, Mode::Disabled, Mode::Isolated] {
        explore(move |order| {
            let (breaker, clock) = breaker(failures(1));
            let call = breaker.try_permit_owned().unwrap();
            order.race(set_mode(&breaker, mode), move || call.failure());
            // Neither takes anything from the other.
            assert_eq!(breaker.mode(), mode);
            let end = (breaker.state(), breaker.fail_counter());
            if mode == Mode::Observe {
                assert_eq!(end, (State::Open, 1));
            } else {
                assert!([(State::Open, 1), (State::Closed, 0)].contains(&end), "{end:?}");
            }
            breaker.set_mode(Mode::Enabled);
            recovers(&breaker, &clock);
        });
    }
}

#[test]
fn a_mode_beside_a_trial() {
    for end in [Permit::success, Permit::failure, drop] {
        explore(move |order| {
            let (breaker, clock) = due(failures(1));
            let trial = breaker.try_permit_owned().unwrap();
            order.race(set_mode(&breaker, Mode::Disabled), move || end(trial));
            assert_eq!((breaker.mode(), breaker.snapshot().trials), (Mode::Disabled, 0));
            breaker.set_mode(Mode::Enabled);
            recovers(&breaker, &clock);
        });
    }
}

#[test]
fn an_override_that_ends_beside_a_trip() {
    for (above, settings) in [
        (Mode::Isolated, Mode::Enabled),
        (Mode::Disabled, Mode::Observe),
        (Mode::Enabled, Mode::Disabled),
    ] {
        explore(move |order| {
            let (breaker, clock) = breaker(failures(1));
            let call = breaker.try_permit_owned().unwrap();
            breaker.set_mode(settings);
            put_on(&breaker, above, S);
            clock.advance(S);
            let ask = on(&breaker, |breaker| breaker.try_permit_owned().map(drop));
            let (_, asked) = order.race(move || call.failure(), ask);
            // Whoever came first found it ended.
            let state = if settings == Mode::Disabled { State::Closed } else { State::Open };
            assert_eq!((breaker.state(), breaker.mode()), (state, settings));
            if let Err(rejected) = asked {
                assert_eq!((rejected.reason(), settings), (Reason::Open, Mode::Enabled));
            }
            breaker.set_mode(Mode::Enabled);
            recovers(&breaker, &clock);
            assert!(breaker.quiet_permit().is_some(), "nothing is left of it");
        });
    }
}

#[test]
fn an_override_that_ends_beside_one_that_begins() {
    explore(|order| {
        let (breaker, clock) = breaker(failures(1));
        put_on(&breaker, Mode::Observe, S);
        clock.advance(S);
        let next = on(&breaker, |breaker| put_on(breaker, Mode::Isolated, S));
        order.race(next, on(&breaker, |breaker| drop(breaker.try_permit())));
        assert_eq!(breaker.try_permit().unwrap_err().retry_after(), S);
        assert_eq!(breaker.overridden().map(|over| over.mode), Some(Mode::Isolated));
        clock.advance(S);
        recovers(&breaker, &clock);
    });
}

#[test]
fn a_mode_beside_a_listener() {
    explore(|order| {
        let (breaker, _) = breaker(failures(1));
        let heard = Arc::new(Heard::default());
        let listener = Arc::clone(&heard);
        let add = on(&breaker, |breaker| breaker.add_shared_listener(listener));
        order.race(add, set_mode(&breaker, Mode::Isolated));
        assert!(breaker.try_permit().is_err());
        assert_eq!(heard.rejections.load(Ordering::Relaxed), 1);
    });
}

/// Closed by a trial, with the first of the calls that pass already made.
fn recovering() -> (Arc<Breaker>, ManualClock) {
    let (breaker, clock) = due(failures(1).ramp(S));
    assert!(succeed(&breaker));
    assert!(succeed(&breaker));
    (breaker, clock)
}

#[test]
fn two_that_find_a_ramp_over() {
    explore(|order| {
        let (breaker, clock) = recovering();
        assert!(!succeed(&breaker));
        clock.advance(S);
        let (one, other) = order.race(on(&breaker, succeed), on(&breaker, succeed));
        assert!(one && other);
        assert!(breaker.quiet_permit().is_some());
    });
}

#[test]
fn a_ramp_that_ends_beside_a_trip() {
    explore(|order| {
        let (breaker, clock) = due(failures(1).ramp(S).reset_backoff(2.0));
        assert!(succeed(&breaker));
        let call = breaker.try_permit_owned().unwrap();
        clock.advance(S);
        order.race(move || call.failure(), on(&breaker, look));
        assert_eq!((breaker.state(), breaker.retry_after()), (State::Open, Some(RESET)));
        let end = breaker.snapshot();
        assert_eq!((end.failed_trials, end.ramp), (0, None));
        clock.advance(RESET);
        assert!(succeed(&breaker));
        assert_eq!(breaker.snapshot().ramp.unwrap().left, S);
    });
}

#[test]
fn a_ramp_that_begins_beside_an_admission() {
    explore(|order| {
        let (breaker, clock) = due(failures(1).ramp(S));
        let trial = breaker.try_permit_owned().unwrap();
        let ask = on(&breaker, |breaker| {
            // The first passes, the second does not, if it closed by then.
            let first = breaker.try_permit().map(Permit::success).map_err(|no| no.reason());
            let second = breaker.try_permit().map(Permit::success).map_err(|no| no.reason());
            (first, second)
        });
        let (_, (first, second)) = order.race(move || trial.success(), ask);
        match (first, second) {
            (Err(Reason::HalfOpen), Err(Reason::HalfOpen)) => assert!(succeed(&breaker)),
            (Err(Reason::HalfOpen), Ok(())) | (Ok(()), Err(Reason::Recovering)) => {}
            other => panic!("{other:?}"),
        }
        assert!(!succeed(&breaker), "a tenth of the calls");
        clock.advance(S);
        assert!(succeed(&breaker) && succeed(&breaker));
    });
}
