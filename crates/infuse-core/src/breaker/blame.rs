//! What opened the circuit, for people to look at.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::{Breaker, Cold, Shared};
use crate::{Cause, Fault, FaultKind, State, Tripped, claim::Claim, deadline::micros};

/// What went wrong with the last call that failed. It decides nothing, so it is the standard
/// library's also under loom.
#[derive(Default)]
pub(super) struct LastFault(AtomicU32);

impl LastFault {
    // Relaxed, each: it orders nothing.
    pub(super) fn note(&self, fault: Fault) {
        self.0.store(fault.to_code(), Relaxed);
    }

    pub(super) fn forget(&self) {
        self.0.store(0, Relaxed);
    }

    fn get(&self) -> Option<Fault> {
        Fault::from_code(self.0.load(Relaxed))
    }
}

impl Breaker {
    /// What opened the circuit; `None` while it is closed.
    pub fn tripped(&self) -> Option<Tripped> {
        self.lock().tripped.as_deref().copied()
    }

    /// What went wrong with the last call that counted as a failure here since the circuit was last
    /// closed.
    pub fn last_fault(&self) -> Option<Fault> {
        self.last_fault.get()
    }

    /// What went wrong, where a success opens the circuit: it was slow; or it was the one call that
    /// was missing to a rate, and then what went wrong before is to blame.
    #[cold]
    pub(super) fn fault_of_success(&self, cause: Cause, claim: Claim) -> Option<Fault> {
        let took = |started| micros(self.time.now()).saturating_sub(started);
        let slow = claim.as_started().is_some_and(|started| self.is_slow(took(started)));
        if slow || cause == Cause::SlowCallRate {
            Some(Fault::new(FaultKind::Slow))
        } else {
            self.last_fault()
        }
    }
}

impl Cold {
    /// It was just opened by a call. One that was open before keeps what opened it first.
    pub(super) fn blame_call(&mut self, cause: Cause, fault: Option<Fault>) {
        match &mut self.tripped {
            Some(tripped) => tripped.fault = fault,
            None => self.blame(cause, fault),
        }
    }

    /// It was just put into a state, for a cause; it was `from` before. Who opens it by hand gives
    /// the reason that holds from then on; who opens it half of one that is open, none.
    pub(super) fn blame_command(&mut self, from: State, to: State, cause: Cause) {
        if to == State::Open || to == State::HalfOpen && from == State::Closed {
            self.blame(cause, None);
        }
    }

    /// It just became, or still is, what the storage says; `anew` if it was closed until now, or is
    /// what another change has made it.
    pub(super) fn blame_as_told(&mut self, shared: &Shared, anew: bool) {
        let opens = is_opening(shared.cause);
        if let Some(tripped) = shared.tripped {
            self.tripped = Some(Box::new(tripped));
        } else if self.tripped.is_none() || anew && opens && shared.state == State::Open {
            self.blame(if opens { shared.cause } else { Cause::Adopted }, None);
        }
    }

    fn blame(&mut self, cause: Cause, fault: Option<Fault>) {
        let trip = |at| Box::new(Tripped { cause, at, fault });
        self.tripped = self.opened_at.map(trip);
    }
}

/// Whether a circuit is open for the first time by it, and not one that tried to recover.
fn is_opening(cause: Cause) -> bool {
    match cause {
        Cause::Failures
        | Cause::FailureRate
        | Cause::SlowCallRate
        | Cause::Rule
        | Cause::Manual
        | Cause::Seed
        | Cause::Fallback => true,
        Cause::TrialStarted | Cause::TrialFailed | Cause::TrialSucceeded | Cause::Adopted => false,
    }
}
