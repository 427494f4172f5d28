//! What broke other circuit breakers, each as a test of this one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use infuse_core::{
    Breaker, Cause, Evidence, Listener, Mode, Outcome, Policy, Reason, Rejected, State,
    StateChange, Window,
};

use crate::support::*;

/// A call that was let through while the circuit was closed must not decide over a later state: in
/// two systems its success closed a half-open circuit, in one its failures gave more trials.
#[test]
fn a_stale_success_does_not_close_a_half_open_circuit() {
    let (breaker, clock) = breaker(three());
    let stale = [(); 4].map(|()| breaker.try_permit().unwrap());
    trip(&breaker);
    clock.advance(RESET);
    let trial = breaker.try_permit().unwrap();
    let [success, failure, ignored, dropped] = stale;
    success.success();
    ignored.settle(Outcome::Ignored);
    drop(dropped);
    failure.failure();
    assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0));
    assert_eq!(rejected(&breaker).reason(), Reason::HalfOpen, "nor do they make room for trials");
    trial.success();
    assert_eq!(breaker.state(), State::Closed);
}

/// A window by calls that only counts up needs as many failures as there were successes.
#[test]
fn a_thousand_successes_do_not_hide_what_follows() {
    let policy = defaults().no_max_failure().failure_rate(0.5).window(Window::Calls(100));
    let (breaker, _) = breaker(policy);
    for _ in 0..1000 {
        succeed(&breaker).unwrap();
    }
    for _ in 0..49 {
        fail(&breaker);
    }
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
}

/// Nor is the minimum forgotten in a window by calls, nor are the calls of hours ago waited for.
#[test]
fn a_window_by_calls_is_judged_from_its_minimum_on() {
    let policy = defaults().no_max_failure().failure_rate(0.5).window(Window::Calls(100));
    let (breaker, _) = breaker(policy.minimum_calls(10));
    for _ in 0..9 {
        fail(&breaker);
        assert_eq!(breaker.state(), State::Closed);
    }
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
}

/// A trial that hangs for ever held the circuit half-open for ever.
#[test]
fn a_hung_trial_gives_way() {
    let (breaker, clock) = breaker(three());
    trip(&breaker);
    clock.advance(RESET);
    let hung = breaker.try_permit().unwrap();
    let lease = breaker.policy().lease(None);
    clock.advance(lease - Duration::from_micros(1));
    assert_eq!(rejected(&breaker).reason(), Reason::HalfOpen);
    clock.advance(Duration::from_micros(1));
    let next = breaker.try_permit().unwrap();
    assert!(next.is_trial());
    hung.failure();
    assert_eq!(breaker.state(), State::HalfOpen, "what hung has nothing to say any more");
    next.success();
    assert_eq!(breaker.state(), State::Closed);
}

/// A trial whose caller gave up closed the circuit in one system, and kept its place in others.
#[test]
fn a_cancelled_trial_closes_nothing_and_gives_its_place_back() {
    let (breaker, clock) = breaker(three());
    trip(&breaker);
    clock.advance(RESET);
    for _ in 0..3 {
        let mut cancelled = Box::pin(breaker.call(std::future::pending::<Result<(), Broken>>));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(cancelled.as_mut().poll(&mut context).is_pending());
        assert_eq!(rejected(&breaker).reason(), Reason::HalfOpen);
        drop(cancelled);
        assert_eq!((breaker.state(), breaker.snapshot().trials), (State::HalfOpen, 0));
    }
    succeed(&breaker).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

/// A call that is cancelled before it begins is no call.
#[test]
fn a_call_that_is_never_polled_takes_no_place() {
    let (breaker, clock) = breaker(three());
    trip(&breaker);
    clock.advance(RESET);
    drop(breaker.call(|| async { Ok::<_, Broken>(()) }));
    assert_eq!(breaker.state(), State::Open);
    succeed(&breaker).unwrap();
}

/// An error that is filtered out because it is the caller's closed half-open circuits. Ours says
/// which of two things is meant: the service answered, or nothing is known.
#[test]
fn a_filtered_error_in_half_open() {
    let not_found = |breaker: &Breaker| _ = breaker.call_sync(|| Err::<(), _>(NotFound));
    let (ignoring, clock) =
        build(three(), |builder| builder.ignore_if(|error| error.is::<NotFound>()));
    trip(&ignoring);
    clock.advance(RESET);
    for _ in 0..5 {
        not_found(&ignoring);
        assert_eq!(counts(&ignoring), (State::HalfOpen, 3, 0), "it says nothing");
    }
    succeed(&ignoring).unwrap();
    assert_eq!(ignoring.state(), State::Closed);
    fail(&ignoring);
    not_found(&ignoring);
    assert_eq!(ignoring.fail_counter(), 1, "nor does it end a run");

    let (excluding, clock) = build(three(), |builder| builder.exclude::<NotFound>());
    trip(&excluding);
    clock.advance(RESET);
    not_found(&excluding);
    assert_eq!(excluding.state(), State::Closed, "it did answer");
}

/// Own saturation counted as the service's failure. Whoever knows better can say so.
#[test]
fn own_saturation_is_not_the_service_s_failure() {
    let told = Recorder::default();
    let (breaker, clock) =
        build(three().split_local_origin(true), |builder| builder.replica(Arc::new(told.clone())));
    trip(&breaker);
    clock.advance(RESET);
    told.take();
    breaker.try_permit().unwrap().settle(infuse_core::Verdict::local_failure());
    assert_eq!(breaker.state(), State::HalfOpen);
    succeed(&breaker).unwrap();
    for _ in 0..3 {
        breaker.try_permit().unwrap().settle(infuse_core::Verdict::local_failure());
    }
    assert!(told.take().contains(&"tripped failures 15s local".to_owned()), "not for the fleet");
    for _ in 0..20 {
        rejected(&breaker);
    }
    assert_eq!(breaker.fail_counter(), 3, "and rejections count as nothing");
}

/// Everything that can be hooked in panics; the circuit runs as if nothing were there.
#[test]
fn hooks_that_panic_harm_nobody() {
    struct Boom;
    impl Listener for Boom {
        fn before_call(&self, _: &Breaker) {
            panic!("before_call");
        }
        fn success(&self, _: &Breaker) {
            panic!("success");
        }
        fn failure(&self, _: &Breaker, _: Option<&(dyn std::error::Error + 'static)>) {
            panic!("failure");
        }
        fn state_change(&self, _: &Breaker, _: &StateChange) {
            panic!("state_change");
        }
        fn rejected(&self, _: &Breaker, _: Rejected) {
            panic!("rejected");
        }
        fn would_reject(&self, _: &Breaker, _: Rejected) {
            panic!("would_reject");
        }
    }
    let (breaker, clock) = build(three(), |builder| {
        builder.listener(Boom).trip_rule(|_: &Evidence| -> bool { panic!("rule") })
    });
    trip(&breaker);
    rejected(&breaker);
    breaker.set_mode(Mode::Observe);
    succeed(&breaker).unwrap();
    breaker.set_mode(Mode::Enabled);
    clock.advance(RESET);
    let trial = breaker.try_permit().unwrap();
    rejected(&breaker);
    trial.success();
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
    fail(&breaker);
    assert_eq!(breaker.fail_counter(), 1);
}

/// Waits until it is told to go on.
struct Slow {
    entered: mpsc::SyncSender<()>,
    go_on: std::sync::Mutex<mpsc::Receiver<()>>,
}

impl Slow {
    fn wait(&self) {
        let _ = self.entered.send(());
        let _ = self.go_on.lock().unwrap().recv_timeout(Duration::from_secs(60));
    }
}

impl Listener for Slow {
    fn state_change(&self, _: &Breaker, change: &StateChange) {
        if change.to == State::Open {
            self.wait();
        }
    }
}

/// Hooks ran under the lock of the circuit, and one that was slow stopped every call.
#[test]
fn a_slow_listener_stops_nobody_else() {
    let (entered, is_in) = mpsc::sync_channel(1);
    let (go_on, waits) = mpsc::channel();
    let slow = Slow { entered, go_on: waits.into() };
    let (breaker, clock) = build(three(), |builder| builder.listener(slow));
    thread::scope(|scope| {
        scope.spawn(|| (0..3).for_each(|_| _ = fail(&breaker)));
        is_in.recv_timeout(Duration::from_secs(60)).unwrap();
        // It is in there still; the circuit is used in every way that takes its lock or not.
        assert_eq!(breaker.state(), State::Open);
        rejected(&breaker);
        clock.advance(RESET);
        succeed(&breaker).unwrap();
        fail(&breaker);
        breaker.set_policy(Policy::default());
        breaker.set_mode(Mode::Observe);
        assert_eq!(breaker.snapshot().fail_counter, 1);
        let id = breaker.add_listener(Recorder::default());
        assert!(breaker.remove_listener(id));
        go_on.send(()).unwrap();
    });
}

#[test]
fn a_slow_rule_stops_nobody_else() {
    let (entered, is_in) = mpsc::sync_channel(1);
    let (go_on, waits) = mpsc::channel();
    let slow = Slow { entered, go_on: waits.into() };
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let (breaker, _) = build(three(), |builder| {
        builder.trip_rule(move |_: &Evidence| {
            // The first alone is slow.
            if counter.fetch_add(1, Ordering::SeqCst) == 0 {
                slow.wait();
                return true;
            }
            false
        })
    });
    thread::scope(|scope| {
        scope.spawn(|| fail(&breaker));
        is_in.recv_timeout(Duration::from_secs(60)).unwrap();
        for _ in 0..100 {
            succeed(&breaker).unwrap();
        }
        fail(&breaker);
        assert_eq!(breaker.fail_counter(), 1);
        // What it says comes too late for a circuit that has changed.
        breaker.close();
        go_on.send(()).unwrap();
    });
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
    assert_eq!(asked.load(Ordering::SeqCst), 102);
}

/// Changing thresholds built a new circuit, closed, and let the flood in again.
#[test]
fn a_policy_that_changes_while_open_keeps_state_and_deadline() {
    let (breaker, clock) = breaker(three());
    trip(&breaker);
    clock.advance(5 * SECOND);
    let before = breaker.snapshot();
    let other = Policy::builder()
        .max_failure(50)
        .reset_timeout(SECOND)
        .success_threshold(2)
        .failure_rate(0.5)
        .ramp(SECOND)
        .abandoned_after(SECOND)
        .build();
    breaker.set_policy(other.unwrap());
    let after = breaker.snapshot();
    assert_eq!(
        (after.state, after.retry_after, after.opened_at, after.fail_counter, after.epoch),
        (before.state, before.retry_after, before.opened_at, 3, before.epoch)
    );
    assert_eq!(rejected(&breaker).retry_after(), 10 * SECOND);
    clock.advance(10 * SECOND);
    succeed(&breaker).unwrap();
    assert_eq!(counts(&breaker), (State::HalfOpen, 3, 1), "the new one goes for what follows");
    succeed(&breaker).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_policy_that_changes_while_half_open_keeps_its_trials() {
    let (breaker, clock) = breaker(three().success_threshold(3));
    trip(&breaker);
    clock.advance(RESET);
    succeed(&breaker).unwrap();
    let trial = breaker.try_permit().unwrap();
    breaker.set_policy(three().success_threshold(2).reset_timeout(RESET).build().unwrap());
    assert_eq!(rejected(&breaker).reason(), Reason::HalfOpen);
    trial.success();
    assert_eq!(breaker.state(), State::Closed);
}

/// One way to open a circuit by hand wedged it: closed by name, and rejecting for ever. From every
/// state, every command leads to a circuit that works.
#[test]
fn manual_control_never_wedges() {
    const STATES: [State; 3] = [State::Closed, State::Open, State::HalfOpen];
    for from in STATES {
        for to in STATES {
            let (breaker, clock) = breaker(three());
            let before = breaker.try_permit().unwrap();
            breaker.put(from, Cause::Manual);
            breaker.put(to, Cause::Manual);
            before.failure();
            assert_eq!(breaker.state(), to);
            match to {
                State::Open => assert_eq!(rejected(&breaker).retry_after(), RESET),
                State::Closed => succeed(&breaker).map(drop).unwrap(),
                State::HalfOpen => assert!(breaker.try_permit().unwrap().is_trial()),
            }
            clock.advance(RESET);
            succeed(&breaker).unwrap();
            assert_eq!(counts(&breaker), (State::Closed, 0, 0), "{from} to {to}");
            trip(&breaker);
        }
    }
}

/// A trial that fails counts as a failure although it was let through by hand.
#[test]
fn a_circuit_that_was_opened_half_by_hand_goes_by_its_trial() {
    let (breaker, _) = breaker(three());
    breaker.half_open();
    fail(&breaker);
    assert_eq!(rejected(&breaker).retry_after(), RESET);
    breaker.half_open();
    succeed(&breaker).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}
