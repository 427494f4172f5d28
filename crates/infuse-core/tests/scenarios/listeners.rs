//! What listeners are told, and in which order.

use infuse_core::{
    Admission, Breaker, Interest, Listener, Mode, ModeChange, Outcome, Override, Rejected, State,
    StateChange,
};

use crate::support::*;

fn recorded(
    policy: infuse_core::PolicyBuilder,
) -> (Recorder, std::sync::Arc<Breaker>, infuse_core::ManualClock) {
    let recorder = Recorder::default();
    let (breaker, clock) = build(policy, |builder| builder.listener(recorder.clone()));
    (recorder, breaker, clock)
}

#[test]
fn the_order_of_calls_through_a_whole_life() {
    let (heard, breaker, clock) = recorded(three());
    succeed(&breaker).unwrap();
    assert_eq!(heard.take(), ["before_call", "success 0"]);
    fail(&breaker);
    assert_eq!(heard.take(), ["before_call", "failure 1 broken"]);
    succeed(&breaker).unwrap();
    assert_eq!(heard.take(), ["before_call", "success 0"]);
    fail(&breaker);
    fail(&breaker);
    heard.take();
    fail(&breaker);
    assert_eq!(
        heard.take(),
        ["before_call", "failure 3 broken", "closed > open failures"],
        "the failure, then what came of it"
    );
    clock.advance(SECOND);
    rejected(&breaker);
    assert_eq!(heard.take(), ["rejected open 14s"]);

    clock.advance(RESET - SECOND);
    fail(&breaker);
    assert_eq!(
        heard.take(),
        [
            "open > half-open trial-started",
            "before_call",
            "failure 4 broken",
            "half-open > open trial-failed"
        ]
    );
    clock.advance(RESET);
    succeed(&breaker).unwrap();
    assert_eq!(
        heard.take(),
        [
            "open > half-open trial-started",
            "before_call",
            "half-open > closed trial-succeeded",
            "success 0"
        ]
    );
}

#[test]
fn a_trial_that_is_not_the_last_is_a_success_without_a_change() {
    let (heard, breaker, clock) = recorded(three().success_threshold(2));
    trip(&breaker);
    clock.advance(RESET);
    heard.take();
    succeed(&breaker).unwrap();
    assert_eq!(heard.take(), ["open > half-open trial-started", "before_call", "success 3"]);
    succeed(&breaker).unwrap();
    assert_eq!(heard.take(), ["before_call", "half-open > closed trial-succeeded", "success 0"]);
}

#[test]
fn rejections_while_a_trial_is_under_way() {
    let (heard, breaker, clock) = recorded(three());
    trip(&breaker);
    clock.advance(RESET);
    let trial = breaker.try_permit().unwrap();
    heard.take();
    rejected(&breaker);
    assert_eq!(heard.take(), ["rejected half-open 0ns"]);
    drop(trial);
    assert_eq!(heard.take(), ["ignored"]);
}

#[test]
fn manual_changes_are_told_once_and_only_when_they_are_changes() {
    let (heard, breaker, _) = recorded(three());
    breaker.close();
    assert!(heard.take().is_empty());
    breaker.open();
    breaker.open();
    assert_eq!(heard.take(), ["closed > open manual"]);
    breaker.half_open();
    breaker.half_open();
    assert_eq!(heard.take(), ["open > half-open manual"]);
    breaker.reset();
    assert_eq!(heard.take(), ["half-open > closed manual"]);
}

#[test]
fn failures_without_an_error_value() {
    let (heard, breaker, _) = recorded(three());
    breaker.try_permit().unwrap().failure();
    assert_eq!(heard.take(), ["before_call", "failure 1 no error"]);
}

#[test]
fn late_outcomes_are_told_as_ignored() {
    let (heard, breaker, _) = recorded(three());
    let (one, other) = (breaker.try_permit().unwrap(), breaker.try_permit().unwrap());
    trip(&breaker);
    heard.take();
    one.success();
    other.failure();
    assert_eq!(heard.take(), ["ignored", "ignored"]);
}

#[test]
fn listeners_come_and_go() {
    let (breaker, _) = breaker(three());
    let (one, two) = (Recorder::default(), Recorder::default());
    assert!(!breaker.has_listeners());
    let before = breaker.try_permit().unwrap();
    let first = breaker.add_listener(one.clone());
    before.success();
    assert_eq!(one.take(), ["success 0"], "a call in flight is seen by who came meanwhile");

    let second = breaker.add_listener(two.clone());
    fail(&breaker);
    assert_eq!(one.take(), ["before_call", "failure 1 broken"]);
    assert_eq!(two.take(), ["before_call", "failure 1 broken"]);
    assert!(breaker.remove_listener(first));
    assert!(!breaker.remove_listener(first));
    assert!(breaker.has_listeners());
    succeed(&breaker).unwrap();
    assert!(one.take().is_empty());
    assert_eq!(two.take(), ["before_call", "success 0"]);

    let during = breaker.try_permit().unwrap();
    assert!(breaker.remove_listener(second));
    assert!(!breaker.has_listeners());
    two.take();
    fail(&breaker);
    during.success();
    assert!(two.take().is_empty());
    assert_eq!(counts(&breaker), (State::Closed, 0, 0), "whoever listens, the counts are the same");
}

#[test]
fn listeners_are_told_in_the_order_they_were_added() {
    struct Numbered(u8, Recorder);
    impl Listener for Numbered {
        fn success(&self, _: &Breaker) {
            self.1.note(self.0.to_string());
        }
    }
    let heard = Recorder::default();
    let (breaker, _) = build(three(), |builder| {
        builder.listener(Numbered(1, heard.clone())).listener(Numbered(2, heard.clone()))
    });
    breaker.add_listener(Numbered(3, heard.clone()));
    succeed(&breaker).unwrap();
    assert_eq!(heard.take(), ["1", "2", "3"]);
}

#[test]
fn a_listener_may_use_the_breaker_as_anyone_may() {
    /// Holds the circuit open as soon as it opens, and takes itself for a caller.
    struct Meddler(Recorder);
    impl Listener for Meddler {
        fn state_change(&self, breaker: &Breaker, change: &StateChange) {
            self.0.note(format!("{}", change.to));
            breaker.snapshot();
            breaker.policy();
            if change.to == State::Open {
                breaker.add_listener(Recorder::default());
                breaker.close();
            }
        }
        fn rejected(&self, breaker: &Breaker, _: Rejected) {
            breaker.half_open();
        }
    }
    let heard = Recorder::default();
    let (breaker, _) = build(three(), |builder| builder.listener(Meddler(heard.clone())));
    for _ in 0..3 {
        fail(&breaker);
    }
    assert_eq!(heard.take(), ["open", "closed"]);
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
}

/// Hears of changes alone.
struct Changes(Recorder);

impl Listener for Changes {
    fn before_call(&self, breaker: &Breaker) {
        self.0.before_call(breaker);
    }

    fn success(&self, breaker: &Breaker) {
        self.0.success(breaker);
    }

    fn failure(&self, breaker: &Breaker, error: Option<&(dyn std::error::Error + 'static)>) {
        self.0.failure(breaker, error);
    }

    fn state_change(&self, breaker: &Breaker, change: &StateChange) {
        Listener::state_change(&self.0, breaker, change);
    }

    fn ignored(&self, breaker: &Breaker) {
        self.0.ignored(breaker);
    }

    fn mode_change(&self, _: &Breaker, change: &ModeChange) {
        self.0.note(format!("mode {} > {}", change.from, change.to));
    }

    fn interest(&self) -> Interest {
        Interest::Changes
    }

    fn would_reject(&self, breaker: &Breaker, rejected: Rejected) {
        self.0.would_reject(breaker, rejected);
    }

    fn rejected(&self, breaker: &Breaker, rejected: Rejected) {
        Listener::rejected(&self.0, breaker, rejected);
    }
}

/// Every event that there is: what is heard of it is left in the recorder.
fn live_through_everything(breaker: &Breaker, clock: &infuse_core::ManualClock) {
    succeed(breaker).unwrap();
    breaker.try_permit().unwrap().settle(Outcome::Ignored);
    trip(breaker);
    rejected(breaker);
    breaker.set_mode(Mode::Observe);
    succeed(breaker).unwrap();
    breaker.set_mode(Mode::Enabled);
    clock.advance(RESET);
    succeed(breaker).unwrap();
    assert_eq!(counts(breaker), (State::Closed, 0, 0));
}

#[test]
fn a_listener_to_changes_hears_of_no_call_and_makes_none_slower() {
    let changes = [
        "closed > open failures",
        "mode enabled > observe",
        "mode observe > enabled",
        "open > half-open trial-started",
        "half-open > closed trial-succeeded",
    ];
    let (built, added) = (Recorder::default(), Recorder::default());
    let (breaker, clock) = build(three(), |builder| builder.listener(Changes(built.clone())));
    assert!(breaker.quiet_permit().is_some(), "nobody watches a call");
    let id = breaker.add_listener(Changes(added.clone()));
    assert!(breaker.quiet_permit().is_some() && breaker.has_listeners());
    live_through_everything(&breaker, &clock);
    assert_eq!(
        (built.take(), added.take()),
        (changes.map(String::from).into(), changes.map(String::from).into())
    );

    // Beside one that hears everything, it hears no more than before.
    let all = Recorder::default();
    let everything = breaker.add_listener(all.clone());
    assert!(breaker.quiet_permit().is_none());
    live_through_everything(&breaker, &clock);
    assert_eq!(built.take(), changes);
    assert!(all.take().len() > 10);
    breaker.remove_listener(everything);
    assert!(breaker.quiet_permit().is_some());
    breaker.remove_listener(id);
    breaker.open();
    assert_eq!(built.take(), ["closed > open manual"]);
    assert_eq!(added.take().len(), changes.len());
}

/// What became of a permit before it ended.
const MEANWHILE: [fn(&Breaker, &infuse_core::ManualClock); 6] = [
    |_, _| {},
    |breaker, _| breaker.open(),
    |breaker, _| breaker.close(),
    |breaker, _| breaker.set_mode(Mode::Disabled),
    |breaker, _| breaker.set_override(Some(Override::new(Mode::Isolated))),
    // Longer than any lease.
    |_, clock| clock.advance(100 * RESET),
];

const ENDS: [fn(infuse_core::Permit<&Breaker>); 5] = [
    |permit| permit.success(),
    |permit| permit.failure(),
    |permit| permit.settle(Outcome::Ignored),
    |permit| drop(permit),
    |permit| drop(now(permit.run(async || Err::<(), _>(Broken)))),
];

fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn each_call_that_was_let_through_is_told_of_and_counted_once_more() {
    for policy in [three(), three().failure_rate(0.5).abandoned_after(SECOND)] {
        for meanwhile in MEANWHILE {
            for end in ENDS {
                for kind in 0..3 {
                    let heard = Recorder::default();
                    let (breaker, clock) =
                        build(policy.clone(), |builder| builder.listener(heard.clone()).totals());
                    let permit = match kind {
                        0 => breaker.try_permit().unwrap(),
                        _ => {
                            breaker.open();
                            clock.advance(RESET);
                            assert!(matches!(breaker.admit(), Admission::TrialDue));
                            let epoch = breaker.snapshot().epoch;
                            if kind == 1 {
                                breaker.try_permit().unwrap()
                            } else {
                                breaker.begin_shared_trial(&*breaker, 1, RESET, epoch).unwrap()
                            }
                        }
                    };
                    assert_eq!(heard.take().last().unwrap(), "before_call");
                    let before = breaker.totals().unwrap();
                    assert_eq!((before.success, before.failure, before.ignored), (0, 0, 0));
                    meanwhile(&breaker, &clock);
                    heard.take();
                    end(permit);
                    let after = breaker.totals().unwrap();
                    let counts = [after.success, after.failure, after.ignored];
                    let told = heard.take();
                    let told = ["success", "failure", "ignored"]
                        .map(|what| told.iter().filter(|it| it.starts_with(what)).count() as u64);
                    assert_eq!(counts.iter().sum::<u64>(), 1);
                    assert_eq!(told, counts);
                    assert_eq!(after.trials, u64::from(kind > 0));
                }
            }
        }
    }
}
