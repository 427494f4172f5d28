//! One call, guarded by two circuits: that of a service, and one of a part of it.

use std::time::Duration;

use infuse_core::{Admission, Mode, Outcome, Rejected, State};

use crate::{Circuit, CircuitPermit};

/// Which of two circuits rejected a call: see [`Circuit::acquire_with`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RejectedBy {
    /// The circuit that was asked.
    #[error(transparent)]
    Own(Rejected),
    /// The one below it.
    #[error("below: {0}")]
    Below(Rejected),
}

impl RejectedBy {
    /// The rejection, whosever it is.
    pub const fn rejected(&self) -> Rejected {
        match self {
            RejectedBy::Own(rejected) | RejectedBy::Below(rejected) => *rejected,
        }
    }
}

impl Circuit {
    /// Asks to pass this circuit and one `below` it in one step: both let the call through, or
    /// nothing is taken from either. The permits are this circuit's and the other's, each to be
    /// settled by itself.
    ///
    /// Both are looked at first, and only then the trials are taken that are due: this circuit's,
    /// then the other's. What was taken is given back if the second is refused after all. It waits
    /// only for the leases of trials, for each under the storage's timeout.
    ///
    /// `call_timeout` is as for [`acquire`](Self::acquire). `below` must be another circuit.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use infuse_storage::{Circuits, Policy, RejectedBy};
    ///
    /// let circuits = Circuits::builder().start()?;
    /// let payments = circuits.circuit("payments", Policy::default());
    /// let refunds = circuits.circuit("payments/refunds", Policy::default());
    /// refunds.open().await;
    /// let rejected = payments.acquire_with(&refunds, None).await.unwrap_err();
    /// assert!(matches!(rejected, RejectedBy::Below(_)));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RejectedBy`] says which of them rejected. Where both would, it is this circuit, unless it
    /// seemed to be closed.
    ///
    /// # Cancel safety
    ///
    /// A trial or a lease that was granted to a caller that has left is given back.
    pub async fn acquire_with(
        &self,
        below: &Circuit,
        call_timeout: Option<Duration>,
    ) -> Result<(CircuitPermit, CircuitPermit), RejectedBy> {
        // Who is about to reject is asked first, so that the other's listeners hear of no call.
        let (own, other) = if self.seems_to_pass() && !below.seems_to_pass() {
            let other = look(below).map_err(RejectedBy::Below)?;
            (look(self).map_err(RejectedBy::Own)?, other)
        } else {
            let own = look(self).map_err(RejectedBy::Own)?;
            (own, look(below).map_err(RejectedBy::Below)?)
        };
        let (own, other) = match (own, other) {
            (Some(own), Some(other)) => (own, other),
            (Some(own), None) => {
                let other = trial(below, call_timeout).await.map_err(RejectedBy::Below)?;
                (look_again(self, own).map_err(RejectedBy::Own)?, other)
            }
            (None, Some(other)) => {
                let own = trial(self, call_timeout).await.map_err(RejectedBy::Own)?;
                (own, look_again(below, other).map_err(RejectedBy::Below)?)
            }
            // In this order in every process, so that no two of them hold what the other needs.
            (None, None) => {
                let own = trial(self, call_timeout).await.map_err(RejectedBy::Own)?;
                (own, trial(below, call_timeout).await.map_err(RejectedBy::Below)?)
            }
        };
        Ok((own.take(), other.take()))
    }

    /// Whether a call would pass as far as can be told without asking.
    fn seems_to_pass(&self) -> bool {
        let quiet = self.breaker().quiet_permit().map(|permit| permit.settle(Outcome::Ignored));
        // The mode stands behind a lock.
        quiet.is_some()
            || (self.state() == State::Closed && self.breaker().mode() != Mode::Isolated)
    }
}

/// A permit that is given back unless it is taken: the call was not made, however long that took.
struct Held(Option<CircuitPermit>);

impl Held {
    fn new(permit: CircuitPermit) -> Self {
        Self(Some(permit))
    }

    fn take(mut self) -> CircuitPermit {
        self.0.take().expect("taken once, by value")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(permit) = self.0.take() {
            permit.settle(Outcome::Ignored);
        }
    }
}

/// A permit that takes nothing from anybody; `None` if a trial is due.
fn look(circuit: &Circuit) -> Result<Option<Held>, Rejected> {
    match circuit.admit() {
        Admission::Admitted(permit) => Ok(Some(Held::new(permit))),
        Admission::Rejected(rejected) => Err(rejected),
        Admission::TrialDue => Ok(None),
    }
}

async fn trial(circuit: &Circuit, call_timeout: Option<Duration>) -> Result<Held, Rejected> {
    circuit.trial(call_timeout).await.map(Held::new)
}

/// The circuit may have opened while the other's lease was waited for.
fn look_again(circuit: &Circuit, held: Held) -> Result<Held, Rejected> {
    // Where everything passes, asking twice would tell of the call twice.
    let passes = matches!(circuit.mode(), Mode::Observe | Mode::Disabled);
    if passes || circuit.seems_to_pass() { Ok(held) } else { circuit.try_permit().map(Held::new) }
}

#[cfg(test)]
mod tests;
