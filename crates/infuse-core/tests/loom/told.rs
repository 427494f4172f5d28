//! What is counted in all, what is told of modes, and what is said to have opened a circuit.

use infuse_core::{FaultKind, Interest, Mode, ModeChange, Override, Totals};

use super::*;

const S: Duration = Duration::from_secs(1);

fn counting(policy: PolicyBuilder) -> (Arc<Breaker>, ManualClock) {
    let (breaker, clock) = breaker(policy);
    breaker.keep_totals();
    (breaker, clock)
}

fn totals(breaker: &Breaker) -> (u64, u64, u64) {
    let Totals { success, failure, ignored, .. } = breaker.totals().unwrap();
    (success, failure, ignored)
}

#[test]
fn no_call_is_lost_from_the_totals() {
    for (first, second, sums) in [
        (succeed as fn(&_) -> _, succeed as fn(&_) -> _, (2, 0, 0)),
        (succeed, fail, (1, 1, 0)),
        (fail, fail, (0, 2, 0)),
    ] {
        explore(move |order| {
            let (breaker, _) = counting(failures(9));
            order.race(on(&breaker, first), on(&breaker, second));
            assert_eq!(totals(&breaker), sums);
        });
    }
}

#[test]
fn two_that_share_a_seat_lose_no_call() {
    // Neither is the first thread, which has a seat to itself.
    loom::model(|| {
        let (breaker, _) = counting(failures(9));
        let threads = [(); 2].map(|()| thread::spawn(on(&breaker, succeed)));
        for thread in threads {
            assert!(thread.join().unwrap());
        }
        assert_eq!(totals(&breaker), (2, 0, 0));
    });
}

#[test]
fn a_call_beside_a_change_is_counted_once() {
    let ends: [fn(&Arc<Breaker>); 3] = [
        |breaker| breaker.open(),
        |breaker| breaker.set_mode(Mode::Disabled),
        |breaker| drop(fail(breaker)),
    ];
    for (which, end) in ends.into_iter().enumerate() {
        explore(move |order| {
            let (breaker, _) = counting(failures(1));
            let call = breaker.try_permit_owned().unwrap();
            order.race(move || call.success(), on(&breaker, end));
            let (success, failure, ignored) = totals(&breaker);
            assert_eq!((success + ignored, failure), (1, u64::from(which == 2)));
        });
    }
}

#[test]
fn whoever_comes_after_totals_are_kept_is_counted() {
    explore(|order| {
        let (breaker, _) = breaker(failures(9));
        let keep = on(&breaker, |breaker| {
            breaker.keep_totals();
            succeed(breaker);
        });
        order.race(keep, on(&breaker, succeed));
        let (before, ..) = totals(&breaker);
        assert!([1, 2].contains(&before), "{before}");
        succeed(&breaker);
        assert_eq!(totals(&breaker), (before + 1, 0, 0));
    });
}

/// Counts the changes that it hears.
#[derive(Default)]
struct Changes {
    modes: AtomicU32,
    states: AtomicU32,
}

impl Listener for Changes {
    fn mode_change(&self, _: &Breaker, change: &ModeChange) {
        assert_eq!((change.from, change.to), (Mode::Observe, Mode::Enabled));
        self.modes.fetch_add(1, Ordering::Relaxed);
    }

    fn state_change(&self, _: &Breaker, _: &infuse_core::StateChange) {
        self.states.fetch_add(1, Ordering::Relaxed);
    }

    fn interest(&self) -> Interest {
        Interest::Changes
    }
}

#[test]
fn the_end_of_an_override_is_told_once_by_two_that_find_it() {
    explore(|order| {
        let (breaker, clock) = breaker(failures(9));
        breaker.set_override(Some(Override::new(Mode::Observe).lasting(S)));
        let heard = Arc::new(Changes::default());
        breaker.add_shared_listener(Arc::clone(&heard) as Arc<dyn Listener>);
        clock.advance(S);
        order.race(on(&breaker, succeed), on(&breaker, succeed));
        assert_eq!(heard.modes.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_listener_to_changes_hears_a_trip_that_comes_after_it() {
    explore(|order| {
        let (breaker, _) = breaker(failures(1));
        let heard = Arc::new(Changes::default());
        let listener = Arc::clone(&heard);
        let add = on(&breaker, |breaker| {
            breaker.add_shared_listener(listener);
            breaker.state()
        });
        let (state, _) = order.race(add, on(&breaker, fail));
        let told = heard.states.load(Ordering::Relaxed);
        assert!(told == 1 || state == State::Open, "it was there before the trip");
        breaker.close();
        assert_eq!(heard.states.load(Ordering::Relaxed), told + 1);
    });
}

#[test]
fn what_tripped_it_is_known_while_it_is_not_closed() {
    for command in [Breaker::open, Breaker::half_open, Breaker::close] {
        explore(move |order| {
            let (breaker, clock) = breaker(failures(1));
            let call = breaker.try_permit_owned().unwrap();
            order.race(move || call.failure(), on(&breaker, move |breaker| command(breaker)));
            let end = breaker.snapshot();
            match end.tripped {
                None => assert_eq!(end.state, State::Closed),
                Some(tripped) => {
                    assert_ne!(end.state, State::Closed);
                    let by_call = tripped.fault.is_some();
                    assert_eq!(tripped.cause == Cause::Failures, by_call);
                    if let Some(fault) = tripped.fault {
                        assert_eq!(fault.kind, FaultKind::Error);
                    }
                }
            }
            recovers(&breaker, &clock);
            assert_eq!(breaker.tripped(), None);
        });
    }
}
