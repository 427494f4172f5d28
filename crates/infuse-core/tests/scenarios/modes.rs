//! Observing, switching off and isolating a circuit, for a while or for good.

use std::{sync::Arc, time::Duration};

use infuse_core::{
    Admission, Breaker, ManualClock, Mode, Outcome, Override, PolicyBuilder, Reason, Shared, State,
    Verdict,
};

use crate::support::*;

const MODES: [Mode; 4] = [Mode::Enabled, Mode::Observe, Mode::Disabled, Mode::Isolated];

/// A breaker in a mode, and one that writes down what is heard.
fn in_mode(mode: Mode, policy: PolicyBuilder) -> (Arc<Breaker>, ManualClock, Recorder) {
    let heard = Recorder::default();
    let (breaker, clock) = build(policy, |builder| builder.mode(mode).listener(heard.clone()));
    (breaker, clock, heard)
}

/// Puts a mode on for so long.
fn put_on(breaker: &Breaker, mode: Mode, left: Duration) {
    breaker.set_override(Some(Override::new(mode).lasting(left)));
}

/// Whether a call passes, by each of the ways to make one.
fn passes(breaker: &Arc<Breaker>) -> bool {
    let by_permit = breaker.try_permit().is_ok();
    let ways = [
        breaker.try_permit_owned().is_ok(),
        !matches!(breaker.admit(), Admission::Rejected(_)),
        !matches!(breaker.admit_owned(), Admission::Rejected(_)),
        breaker.call_sync(|| Ok::<_, Broken>(())).is_ok(),
        breaker.call_sync_with(|| Ok::<_, ()>(()), |_| Outcome::Ignored).is_ok(),
        now(breaker.call(async || Ok::<_, Broken>(()))).is_ok(),
        now(breaker.call_with(async || Ok::<_, ()>(()), |_| Outcome::Ignored)).is_ok(),
    ];
    assert_eq!(ways, [by_permit; 7]);
    by_permit
}

/// The output of a future that is ready at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn a_disabled_circuit_passes_everything_and_counts_nothing() {
    let (breaker, clock, heard) = in_mode(Mode::Disabled, three());
    assert_eq!(breaker.mode(), Mode::Disabled);
    for _ in 0..10 {
        fail(&breaker);
    }
    assert!(passes(&breaker));
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
    assert!(heard.take().is_empty(), "nobody is told");

    for put in [State::Open, State::HalfOpen] {
        breaker.put(put, infuse_core::Cause::Manual);
        assert!(passes(&breaker));
        clock.advance(100 * RESET);
        let permit = breaker.try_permit().unwrap();
        assert!(!permit.is_trial());
        permit.failure();
        assert_eq!(counts(&breaker), (put, 0, 0), "the state stays");
    }
    assert_eq!(breaker.snapshot().trials, 0);
}

#[test]
fn an_isolated_circuit_rejects_everything_and_keeps_what_it_knows() {
    let (breaker, clock, heard) = in_mode(Mode::Enabled, three());
    fail(&breaker);
    breaker.set_mode(Mode::Isolated);
    heard.take();
    let rejection = rejected(&breaker);
    assert_eq!((rejection.reason(), rejection.state()), (Reason::Isolated, State::Open));
    assert_eq!(rejection.retry_after(), Duration::ZERO, "nobody knows");
    assert_eq!(rejection.to_string(), "the circuit is isolated: the call was rejected");
    assert_eq!(heard.take(), ["rejected isolated 0ns"]);
    assert!(!passes(&breaker));
    assert_eq!(counts(&breaker), (State::Closed, 1, 0));

    // Nor does a trial that is due.
    breaker.open();
    clock.advance(100 * RESET);
    assert!(!passes(&breaker));
    assert_eq!(breaker.begin_trial(&*breaker, None).unwrap_err().reason(), Reason::Isolated);
    assert_eq!(breaker.reject().reason(), Reason::Isolated);
    assert_eq!(breaker.state(), State::Open);

    breaker.set_mode(Mode::Enabled);
    succeed(&breaker).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn an_observed_circuit_runs_as_ever_and_rejects_nothing() {
    let (breaker, clock, heard) = in_mode(Mode::Observe, three());
    trip(&breaker);
    assert_eq!(breaker.snapshot().would_have_rejected, 0);
    heard.take();
    // What would have been rejected passes, and says nothing, whatever comes of it.
    clock.advance(5 * SECOND);
    fail(&breaker);
    succeed(&breaker).unwrap();
    assert_eq!(heard.take(), ["would reject open 10s", "would reject open 10s"]);
    assert_eq!(counts(&breaker), (State::Open, 3, 0));
    assert_eq!(breaker.snapshot().would_have_rejected, 2);

    // The trial is made as ever; beside it, calls pass.
    clock.advance(10 * SECOND);
    let trial = breaker.try_permit().unwrap();
    assert!(trial.is_trial());
    assert_eq!(heard.take(), ["open > half-open trial-started", "before_call"]);
    let beside = breaker.try_permit().unwrap();
    assert!(!beside.is_trial());
    beside.failure();
    assert_eq!(heard.take(), ["would reject half-open 0ns"]);
    assert_eq!(breaker.state(), State::HalfOpen);
    trial.success();
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
    fail(&breaker);
    assert_eq!(breaker.fail_counter(), 1, "what passes anyway counts");
    assert_eq!(breaker.snapshot().would_have_rejected, 3);

    breaker.open();
    assert!(passes(&breaker));
}

#[test]
fn a_call_that_was_let_through_uncounted_counts_in_no_mode() {
    for from in [Mode::Observe, Mode::Disabled] {
        for to in MODES {
            let (breaker, _, heard) = in_mode(from, three());
            if from == Mode::Observe {
                breaker.open();
            }
            let permits = [(); 4].map(|()| breaker.try_permit().unwrap());
            breaker.set_mode(to);
            let before = breaker.snapshot();
            heard.take();
            let [success, failure, dropped, late] = permits;
            success.success();
            failure.failure();
            drop(dropped);
            late.settle(Verdict::from(Outcome::Failure).retry_after(99 * SECOND));
            assert_eq!(breaker.snapshot(), before, "{from} to {to}");
            assert!(heard.take().is_empty());
        }
    }
}

#[test]
fn a_call_that_was_let_through_counted_counts_if_the_mode_does() {
    for to in MODES {
        let heard = Recorder::default();
        let (breaker, _) = build(three(), |builder| builder.listener(heard.clone()));
        let (first, second) = (breaker.try_permit().unwrap(), breaker.try_permit().unwrap());
        fail(&breaker);
        breaker.set_mode(to);
        heard.take();
        first.failure();
        let counts = matches!(to, Mode::Enabled | Mode::Observe);
        assert_eq!(breaker.fail_counter(), if counts { 2 } else { 1 }, "{to}");
        second.success();
        assert_eq!(breaker.fail_counter(), if counts { 0 } else { 1 }, "{to}");
        let told = if counts { ["failure 2 no error", "success 0"] } else { ["ignored"; 2] };
        assert_eq!(heard.take(), told, "{to}");
    }
}

#[test]
fn an_outcome_in_a_window_counts_if_the_mode_does() {
    use infuse_core::Window;
    for window in [Window::Calls(4), Window::Time(10 * SECOND)] {
        for to in MODES {
            let rates = defaults().no_max_failure().failure_rate(0.5).window(window);
            let (breaker, _) = breaker(rates.minimum_calls(4));
            let permits = [(); 2].map(|()| breaker.try_permit().unwrap());
            breaker.set_mode(to);
            let [success, failure] = permits;
            success.success();
            failure.failure();
            let counts = breaker.snapshot().window.unwrap().counts;
            let expected =
                if matches!(to, Mode::Enabled | Mode::Observe) { (2, 1) } else { (0, 0) };
            assert_eq!((counts.calls, counts.failures), expected, "{to}");
        }
    }
}

#[test]
fn a_trial_that_ends_where_nothing_counts_gives_its_place_back() {
    for mode in [Mode::Disabled, Mode::Isolated] {
        for end in [Outcome::Success, Outcome::Failure, Outcome::Ignored] {
            let told = Recorder::default();
            let (breaker, clock) =
                build(three(), |builder| builder.replica(Arc::new(told.clone())));
            trip(&breaker);
            clock.advance(RESET);
            let epoch = breaker.snapshot().epoch;
            let trial = breaker.begin_shared_trial(&*breaker, 42, 6 * SECOND, epoch).unwrap();
            breaker.set_mode(mode);
            told.take();
            trial.settle(end);
            assert_eq!(told.take(), ["trial 42 Ignored 0ns"], "its lease is to be given back");
            assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0), "the state stays");
            assert_eq!(breaker.snapshot().trials, 0);
            breaker.count_trial_success();
            assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0));

            breaker.set_mode(Mode::Enabled);
            succeed(&breaker).unwrap();
            assert_eq!(breaker.state(), State::Closed, "the next caller may try");
        }
    }
}

#[test]
fn a_mode_is_no_state() {
    let (breaker, _, heard) = in_mode(Mode::Enabled, three());
    fail(&breaker);
    let before = breaker.snapshot();
    heard.take();
    for mode in MODES {
        breaker.set_mode(mode);
        let now = breaker.snapshot();
        assert_eq!((now.state, now.fail_counter, now.epoch), (before.state, 1, before.epoch));
        assert_eq!(now.mode, mode);
    }
    assert!(heard.take().is_empty());
    breaker.set_mode(Mode::Enabled);
    assert_eq!(breaker.snapshot(), before);
}

#[test]
fn manual_control_works_in_every_mode() {
    for mode in MODES {
        let (breaker, _, _) = in_mode(mode, three());
        for state in [State::Open, State::HalfOpen, State::Closed] {
            breaker.put(state, infuse_core::Cause::Manual);
            assert_eq!((breaker.state(), breaker.mode()), (state, mode));
        }
        breaker.adopt(view(State::Open));
        assert_eq!((breaker.state(), breaker.mode()), (State::Open, mode));
        breaker.adopt(Shared { renew: true, ..view(State::Closed) });
        assert_eq!((breaker.state(), breaker.mode()), (State::Closed, mode));
    }
}

#[test]
fn an_override_ends_by_itself() {
    for settings in MODES {
        for above in MODES {
            let (breaker, clock, _) = in_mode(settings, three());
            put_on(&breaker, above, 60 * SECOND);
            assert_eq!(breaker.mode(), above);
            assert_eq!(passes(&breaker), above != Mode::Isolated);
            clock.advance(60 * SECOND - Duration::from_micros(1));
            assert_eq!(passes(&breaker), above != Mode::Isolated, "{above} over {settings}");
            clock.advance(Duration::from_micros(1));
            // Nobody looked at it but the call.
            assert_eq!(passes(&breaker), settings != Mode::Isolated, "{settings} again");
            assert_eq!(breaker.mode(), settings);
            assert_eq!(breaker.overridden(), None);
        }
    }
}

#[test]
fn whoever_looks_first_finds_an_override_ended() {
    let looks: [fn(&Arc<Breaker>) -> Mode; 2] =
        [|breaker| breaker.mode(), |breaker| breaker.snapshot().mode];
    for look in looks {
        for (above, settings) in [(Mode::Isolated, Mode::Enabled), (Mode::Enabled, Mode::Isolated)]
        {
            let (breaker, clock, _) = in_mode(settings, three());
            put_on(&breaker, above, SECOND);
            clock.advance(SECOND);
            assert_eq!(look(&breaker), settings);
            assert_eq!(breaker.snapshot().overridden, None);
        }
    }
}

#[test]
fn an_isolation_that_has_ended_passes_the_next_call() {
    let (breaker, clock, _) = in_mode(Mode::Enabled, three());
    put_on(&breaker, Mode::Isolated, 60 * SECOND);
    clock.advance(20 * SECOND);
    assert_eq!(rejected(&breaker).retry_after(), 40 * SECOND, "what is left of it");
    assert_eq!(breaker.reject().retry_after(), 40 * SECOND);
    clock.advance(40 * SECOND);
    succeed(&breaker).unwrap();
    fail(&breaker);
    assert_eq!(breaker.fail_counter(), 1, "and counts");
}

#[test]
fn an_observation_that_has_ended_rejects_the_next_call() {
    let (breaker, clock, _) = in_mode(Mode::Enabled, three().reset_timeout(RESET));
    put_on(&breaker, Mode::Observe, 10 * SECOND);
    trip(&breaker);
    clock.advance(10 * SECOND - Duration::from_millis(1));
    succeed(&breaker).unwrap();
    clock.advance(Duration::from_millis(1));
    assert_eq!(rejected(&breaker).retry_after(), 5 * SECOND);
}

#[test]
fn an_outcome_finds_an_override_ended() {
    let (breaker, clock, _) = in_mode(Mode::Enabled, three());
    let permit = breaker.try_permit().unwrap();
    put_on(&breaker, Mode::Disabled, SECOND);
    clock.advance(SECOND);
    permit.failure();
    assert_eq!(breaker.fail_counter(), 1);

    breaker.set_mode(Mode::Disabled);
    put_on(&breaker, Mode::Enabled, SECOND);
    let (failure, success) = (breaker.try_permit().unwrap(), breaker.try_permit().unwrap());
    clock.advance(SECOND);
    failure.failure();
    success.success();
    assert_eq!(breaker.fail_counter(), 1, "it was counted once, and is not any more");
}

#[test]
fn an_override_says_who_why_and_how_long() {
    let (breaker, clock, _) = in_mode(Mode::Observe, three());
    let night = Override::new(Mode::Isolated).lasting(60 * SECOND).by("ada").because("moving");
    breaker.set_override(Some(night.clone()));
    clock.advance(20 * SECOND);
    let left = breaker.overridden().unwrap();
    assert_eq!(left, night.clone().lasting(40 * SECOND));
    assert_eq!(breaker.snapshot().overridden, Some(left));
    // The settings change below it.
    breaker.set_mode(Mode::Disabled);
    assert_eq!(breaker.mode(), Mode::Isolated);
    // Another replaces it, also one that lasts longer or without end.
    breaker.set_override(Some(Override::new(Mode::Isolated).by("bob")));
    clock.advance(10_000 * SECOND);
    assert_eq!(breaker.overridden().unwrap().left, None);
    assert_eq!(rejected(&breaker).retry_after(), Duration::ZERO);
    breaker.set_override(None);
    assert_eq!((breaker.mode(), breaker.overridden()), (Mode::Disabled, None));
    // One of no time at all is over.
    put_on(&breaker, Mode::Isolated, Duration::ZERO);
    assert_eq!((breaker.mode(), breaker.overridden()), (Mode::Disabled, None));
    put_on(&breaker, Mode::Isolated, Duration::MAX);
    assert_eq!(breaker.mode(), Mode::Isolated);
}

#[test]
fn whoever_gets_no_lease_passes_where_the_circuit_only_observes() {
    let (breaker, clock, heard) = in_mode(Mode::Observe, three());
    trip(&breaker);
    clock.advance(RESET);
    heard.take();
    assert!(matches!(breaker.admit(), Admission::TrialDue));
    let permit = breaker.refuse(&*breaker).unwrap();
    assert!(!permit.is_trial());
    permit.success();
    assert_eq!(heard.take(), ["would reject open 0ns"]);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().would_have_rejected, 1);

    // A storage that put the trial off.
    breaker.defer_trial(4 * SECOND);
    assert!(!breaker.try_permit().unwrap().is_trial());
    assert_eq!(heard.take(), ["would reject open 4s"]);

    for (mode, expected) in [
        (Mode::Enabled, Err(Reason::Open)),
        (Mode::Disabled, Ok(false)),
        (Mode::Isolated, Err(Reason::Isolated)),
    ] {
        breaker.set_mode(mode);
        let refused = breaker.refuse(Arc::clone(&breaker));
        let refused = refused.map(|permit| permit.is_trial()).map_err(|no| no.reason());
        assert_eq!(refused, expected, "{mode}");
    }
    assert_eq!(heard.take(), ["rejected open 4s", "rejected isolated 0ns"]);
}

#[test]
fn a_trial_that_another_got_first_passes_uncounted_where_the_circuit_only_observes() {
    let (breaker, clock, _) = in_mode(Mode::Observe, three());
    trip(&breaker);
    clock.advance(RESET);
    let trial = breaker.begin_trial(&*breaker, None).unwrap();
    assert!(trial.is_trial());
    assert!(!breaker.begin_trial(&*breaker, None).unwrap().is_trial());
    breaker.set_policy(breaker.policy());
    assert!(!breaker.begin_only_trial(&*breaker, None).unwrap().is_trial());
    trial.success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_lease_that_comes_into_another_mode() {
    for (mode, expected) in [
        (Mode::Enabled, Some(true)),
        (Mode::Observe, Some(true)),
        (Mode::Disabled, Some(false)),
        (Mode::Isolated, None),
    ] {
        let (breaker, clock, _) = in_mode(Mode::Enabled, three());
        trip(&breaker);
        clock.advance(RESET);
        let epoch = breaker.snapshot().epoch;
        breaker.set_mode(mode);
        let permit = breaker.begin_shared_trial(&*breaker, 42, 6 * SECOND, epoch);
        assert_eq!(permit.as_ref().map(|permit| permit.is_trial()), expected, "{mode}");
        drop(permit);
        assert_eq!(breaker.state() == State::HalfOpen, expected == Some(true));
        // Nor does it pass where the circuit closed meanwhile, and was isolated.
        breaker.close();
        let permit = breaker.begin_shared_trial(&*breaker, 43, 6 * SECOND, epoch);
        assert_eq!(permit.is_some(), mode != Mode::Isolated);
    }
}

#[test]
fn listeners_come_and_go_in_every_mode() {
    for mode in MODES {
        let (breaker, _) = build(three(), |builder| builder.mode(mode));
        let heard = Recorder::default();
        let id = breaker.add_listener(heard.clone());
        breaker.open();
        assert_eq!(heard.take(), ["closed > open manual"], "{mode}");
        assert!(breaker.remove_listener(id));
        assert!(!breaker.remove_listener(id));
        breaker.close();
        assert!(heard.take().is_empty());
        assert_eq!(breaker.mode(), mode);
    }
}
