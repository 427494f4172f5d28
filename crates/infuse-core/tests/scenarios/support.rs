//! A breaker on a clock that stands still, errors, and listeners that write down what they hear.

use std::{
    error::Error,
    sync::{Arc, Mutex},
    time::Duration,
};

use infuse_core::{
    Breaker, BreakerBuilder, CallError, Cause, Fault, Listener, ManualClock, Opened, Origin,
    Policy, PolicyBuilder, Ramp, Rejected, Replica, Shared, State, StateChange, TrialOver,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// The reset timeout of the breakers made here.
pub(crate) const RESET: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("broken")]
pub(crate) struct Broken;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not found")]
pub(crate) struct NotFound;

/// An error that has [`NotFound`] as its source: the nearest that Rust has to a subtype.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("query failed")]
pub(crate) struct Query(#[source] pub(crate) NotFound);

/// One more level above [`Query`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("page failed")]
pub(crate) struct Page(#[source] pub(crate) Query);

/// A breaker and the clock that it goes by.
pub(crate) fn breaker(policy: PolicyBuilder) -> (Arc<Breaker>, ManualClock) {
    build(policy, |builder| builder)
}

pub(crate) fn build(
    policy: PolicyBuilder,
    with: impl FnOnce(BreakerBuilder) -> BreakerBuilder,
) -> (Arc<Breaker>, ManualClock) {
    let clock = ManualClock::new();
    let policy = policy.reset_timeout(RESET).build().unwrap();
    let builder = Breaker::builder("payments").policy(policy).clock(clock.clone());
    (Arc::new(with(builder).build()), clock)
}

pub(crate) fn defaults() -> PolicyBuilder {
    Policy::builder()
}

pub(crate) fn three() -> PolicyBuilder {
    Policy::builder().max_failure(3)
}

/// A guarded call that succeeds.
pub(crate) fn succeed(breaker: &Breaker) -> Result<u8, CallError<Broken>> {
    breaker.call_sync(|| Ok(7))
}

/// A guarded call that fails.
pub(crate) fn fail(breaker: &Breaker) -> CallError<Broken> {
    breaker.call_sync(|| Err::<(), _>(Broken)).unwrap_err()
}

/// A guarded call that must be rejected without being made.
pub(crate) fn rejected(breaker: &Breaker) -> Rejected {
    let error = breaker.call_sync(|| -> Result<(), Broken> { panic!("the call was made") });
    error.unwrap_err().rejected().expect("a rejection")
}

pub(crate) fn trip(breaker: &Breaker) {
    while breaker.state() == State::Closed {
        fail(breaker);
    }
    assert_eq!(breaker.state(), State::Open);
}

/// What a storage says: the state, for so long, and what the times say by default.
pub(crate) fn view(state: State) -> Shared {
    Shared {
        state,
        left: RESET,
        open_for: 2 * SECOND,
        successes: 0,
        renew: false,
        cause: Cause::Failures,
        remote: true,
        failed_trials: 0,
        ramp: Ramp::default(),
        tripped: None,
    }
}

/// State, failures and successes in one line.
pub(crate) fn counts(breaker: &Breaker) -> (State, u32, u32) {
    (breaker.state(), breaker.fail_counter(), breaker.success_counter())
}

/// Writes down what it is told. Clones write into the same list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<String>>>);

impl Recorder {
    pub(crate) fn note(&self, event: impl Into<String>) {
        self.0.lock().unwrap().push(event.into());
    }

    /// What was written down since the last time this was asked.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Listener for Recorder {
    fn before_call(&self, _: &Breaker) {
        self.note("before_call");
    }

    fn success(&self, breaker: &Breaker) {
        self.note(format!("success {}", breaker.fail_counter()));
    }

    fn failure(&self, breaker: &Breaker, error: Option<&(dyn Error + 'static)>) {
        let error = error.map_or("no error".to_owned(), ToString::to_string);
        self.note(format!("failure {} {error}", breaker.fail_counter()));
    }

    fn state_change(&self, _: &Breaker, change: &StateChange) {
        let remote = if change.remote { " remote" } else { "" };
        self.note(format!("{} > {} {}{remote}", change.from, change.to, change.cause.as_str()));
    }

    fn ignored(&self, _: &Breaker) {
        self.note("ignored");
    }

    fn rejected(&self, _: &Breaker, rejected: Rejected) {
        self.note(format!("rejected {} {:?}", rejected.reason(), rejected.retry_after()));
    }

    fn would_reject(&self, _: &Breaker, rejected: Rejected) {
        self.note(format!("would reject {} {:?}", rejected.reason(), rejected.retry_after()));
    }
}

impl Replica for Recorder {
    fn counted(&self, failures: u32, origin: Origin, _: Option<Fault>) {
        let local = if origin == Origin::Local { " local" } else { "" };
        self.note(format!("counted {failures}{local}"));
    }

    fn tripped(&self, opened: Opened) {
        let local = if opened.local { " local" } else { "" };
        let (cause, open_time) = (opened.cause.as_str(), opened.open_time);
        self.note(format!("tripped {cause} {open_time:?}{local}"));
    }

    fn changed(&self, _: &Breaker, change: StateChange) {
        self.note(format!("{} > {} {}", change.from, change.to, change.cause.as_str()));
    }

    fn trial_over(&self, over: TrialOver) {
        self.note(format!("trial {} {:?} {:?}", over.token, over.outcome, over.open_time));
    }

    fn held_off(&self, left: Duration) {
        self.note(format!("held off {left:?}"));
    }
}
