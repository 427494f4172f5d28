use std::{fmt, time::Duration};

use crate::{Breaker, Cause, Fault, Origin, Outcome, StateChange};

/// Whoever shares a breaker with other processes is told by this what happens here.
///
/// For the crate `infuse-storage`, and for those who share breakers by other means. It is called
/// after the fact, outside any lock, in the thread of the call; it must be quick and not panic.
pub trait Replica: fmt::Debug + Send + Sync + 'static {
    /// The run of failures of the closed circuit changed: it is so long now. `origin` is that of
    /// the failure that made it so long: [`Origin::Local`] only where the policy tells the two
    /// apart. `fault` is what went wrong with that call; `None` where a success ended the run.
    fn counted(&self, failures: u32, origin: Origin, fault: Option<Fault>);

    /// This process opened the circuit by itself: by its own run of failures, a rate or a rule, or
    /// by a trial that it had granted itself.
    fn tripped(&self, opened: Opened);

    /// The state changed, for whatever cause.
    fn changed(&self, breaker: &Breaker, change: StateChange);

    /// A trial call under a shared lease is over. A failure has already opened the circuit here;
    /// a success changes nothing here until [`Breaker::adopt`](crate::Breaker::adopt) or
    /// [`Breaker::count_trial_success`](crate::Breaker::count_trial_success). One that says nothing
    /// is ignored: it also stands for one that failed on our own side, where the policy tells that
    /// apart, and for one that ended in a [mode](crate::Mode) in which nothing counts.
    fn trial_over(&self, over: TrialOver);

    /// The service asked to be left alone for so long from now on, which is no more than the policy
    /// grants, and longer than it had asked before. The breaker heeds it already.
    fn held_off(&self, left: Duration);
}

/// How this process opened a circuit: see [`Replica::tripped`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// Why.
    pub cause: Cause,
    /// How long it is open.
    pub open_time: Duration,
    /// Whether failures of [our own side](Origin::Local) had a part in it, without which it would not
    /// have been, where the policy tells them apart: then it is no matter for others.
    pub local: bool,
    /// What went wrong with the call that opened it, if it is known.
    pub fault: Option<Fault>,
}

impl Opened {
    /// Opened for a cause, for so long, and nobody knows by which fault.
    pub const fn new(cause: Cause, open_time: Duration) -> Self {
        Self { cause, open_time, local: false, fault: None }
    }

    /// What went wrong with the call that opened it.
    pub fn fault(mut self, fault: impl Into<Option<Fault>>) -> Self {
        self.fault = fault.into();
        self
    }
}

/// What came of a trial call under a shared lease: see [`Replica::trial_over`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrialOver {
    /// The lease's name.
    pub token: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it opened the circuit here; zero unless it failed.
    pub open_time: Duration,
    /// What went wrong with it, if it failed.
    pub fault: Option<Fault>,
}

impl TrialOver {
    /// A trial is over, and nobody knows what went wrong with it.
    pub const fn new(token: u64, outcome: Outcome, open_time: Duration) -> Self {
        Self { token, outcome, open_time, fault: None }
    }

    /// What went wrong with it.
    pub fn fault(mut self, fault: impl Into<Option<Fault>>) -> Self {
        self.fault = fault.into();
        self
    }
}
