use std::time::Duration;

use crate::{Fault, Outcome};

/// On which side of the wire a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Origin {
    /// The service failed, or nothing is known: it weighs for all who share the circuit.
    #[default]
    Service,
    /// We failed before we reached the service: a pool of our own was empty, a name was not found.
    /// It weighs for this process alone, where the policy
    /// [tells the two apart](crate::Policy::split_local_origin).
    Local,
}

/// What came of a call: an [`Outcome`], and what else is known of it.
///
/// ```
/// use std::time::Duration;
/// use infuse_core::{Breaker, Outcome, Verdict};
///
/// let breaker = Breaker::new("payments");
/// let permit = breaker.try_permit()?;
/// // … it answered 503, with `Retry-After: 30` …
/// permit.settle(Verdict::from(Outcome::Failure).retry_after(Duration::from_secs(30)));
/// # Ok::<_, infuse_core::Rejected>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// What the call says about the service.
    pub outcome: Outcome,
    /// Of a failure: whose it is.
    pub origin: Origin,
    /// For how long the service asked to be left alone. Of a success it is not heard.
    pub retry_after: Option<Duration>,
    /// What went wrong, for those who look at the circuit; it decides nothing. Of a failure of which
    /// nothing is said it is [`FaultKind::Error`](crate::FaultKind::Error); of any other outcome it is
    /// not heard.
    pub fault: Option<Fault>,
}

impl Verdict {
    /// The call failed before it reached the service.
    pub const fn local_failure() -> Self {
        Self { outcome: Outcome::Failure, origin: Origin::Local, retry_after: None, fault: None }
    }

    /// What went wrong.
    pub fn fault(mut self, fault: impl Into<Option<Fault>>) -> Self {
        self.fault = fault.into();
        self
    }

    /// The service asked to be left alone for so long: see
    /// [`Breaker::hold_off`](crate::Breaker::hold_off).
    pub fn retry_after(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.retry_after = time.into();
        self
    }
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, origin: Origin::Service, retry_after: None, fault: None }
    }
}
