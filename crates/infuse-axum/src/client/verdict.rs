use std::sync::Arc;

use infuse_storage::{CircuitPermit, Outcome, core};

use super::{patience::Patience, service::Target};
use crate::{Attempt, ServiceErrorKind, reload::Rules};

/// The say of one call on its circuits: given once, at the latest when it is dropped.
///
/// A call that is dropped before its end was abandoned: a failure, if it had waited for its service
/// for as long as the policy says, else Ignored.
#[derive(Debug)]
pub(crate) struct Verdict {
    permit: Permit,
    pub(crate) target: Arc<Target>,
    /// What held when the call began.
    pub(crate) rules: Arc<Rules>,
    pub(crate) patience: Patience,
}

/// What a call holds of its circuits.
#[derive(Debug)]
pub(crate) enum Permit {
    /// Given, or never had: `skip_breaker()`.
    None,
    Circuit(CircuitPermit),
    /// The service's, and that of a circuit below it.
    Both(Box<(CircuitPermit, CircuitPermit)>),
    #[cfg(test)]
    Recorder(Recorder),
}

/// Whom a verdict is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// The service did not answer at all, or it did all that it was to do.
    All,
    /// It was there: whatever happened is the matter of the part that was called.
    Part,
}

impl Verdict {
    pub(crate) fn new(permit: Permit, target: Arc<Target>, rules: Arc<Rules>) -> Self {
        Self { permit, target, rules, patience: Patience::new(None, None) }
    }

    /// Gives the verdict, unless it is given. A failure is one of the part that was called.
    pub(crate) fn settle(&mut self, outcome: Outcome) {
        self.give(outcome.into(), About::Part);
    }

    fn give(&mut self, verdict: core::Verdict, about: About) {
        let permit = std::mem::replace(&mut self.permit, Permit::None);
        if !matches!(permit, Permit::None) {
            self.target.drops.ended();
        }
        permit.settle(verdict, about);
    }

    /// Judges an attempt and gives the verdict.
    pub(crate) fn judge(&mut self, attempt: &Attempt<'_>) {
        if !self.is_given() {
            let verdict = self.rules.classifier.judge(&self.target.name, attempt);
            self.give(verdict, About::of(attempt));
        }
    }

    /// Judges an answer of which the headers are there, and gives the verdict unless it is a
    /// success: that waits for the body.
    pub(crate) fn judge_headers(&mut self, attempt: &Attempt<'_>) {
        if !self.is_given() {
            let verdict = self.rules.classifier.judge(&self.target.name, attempt);
            if verdict.outcome != Outcome::Success {
                self.give(verdict, About::of(attempt));
            }
        }
    }

    fn is_given(&self) -> bool {
        matches!(self.permit, Permit::None)
    }

    /// Runs one poll of what is guarded. A panic that comes out of it is a Failure, and goes on.
    pub(crate) fn during<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        struct Panicked<'a>(Option<&'a mut Verdict>);
        impl Drop for Panicked<'_> {
            fn drop(&mut self) {
                if let Some(verdict) = &mut self.0 {
                    verdict.settle(Outcome::Failure);
                }
            }
        }
        let mut panicked = Panicked(Some(self));
        let result = poll();
        panicked.0 = None;
        result
    }

    /// Nobody waits any more. The time counts that the service kept the call waiting, and not, as
    /// in the permit, the time since it was let through: a slow reader accuses nobody.
    #[cold]
    fn abandon(&mut self) {
        let waited = self.patience.spent();
        let policy = self.target.circuit.policy();
        let outcome = match policy.abandoned_after() {
            Some(after) if waited >= after => Outcome::Failure,
            Some(_) => Outcome::Ignored,
            None => {
                if self.target.drops.dropped(waited) {
                    self.target.warn_of_drops(self.patience.total());
                }
                Outcome::Ignored
            }
        };
        let permit = std::mem::replace(&mut self.permit, Permit::None);
        permit.settle(outcome.into(), About::Part);
    }
}

impl Drop for Verdict {
    fn drop(&mut self) {
        if !self.is_given() {
            self.abandon();
        }
    }
}

impl About {
    fn of(attempt: &Attempt<'_>) -> Self {
        match attempt.error() {
            Some(ServiceErrorKind::Connect | ServiceErrorKind::Disconnect) => Self::All,
            _ => Self::Part,
        }
    }
}

impl Permit {
    fn settle(self, verdict: core::Verdict, about: About) {
        match self {
            Permit::None => {}
            Permit::Circuit(permit) => permit.settle(verdict),
            Permit::Both(permits) => {
                let (service, part) = *permits;
                part.settle(verdict);
                service.settle(match (about, verdict.outcome) {
                    (About::All, _) | (_, Outcome::Success) => verdict,
                    // One bad endpoint closes off no service, nor does one that is asked too much.
                    _ => Outcome::Ignored.into(),
                });
            }
            #[cfg(test)]
            Permit::Recorder(recorder) => recorder.settle(verdict),
        }
    }
}

/// Writes down what became of a permit, where a test has no circuit.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder(Arc<std::sync::Mutex<Vec<core::Verdict>>>);

#[cfg(test)]
impl Recorder {
    fn settle(&self, verdict: core::Verdict) {
        self.0.lock().unwrap().push(verdict);
    }

    /// `None`: not given yet. More than one verdict is a bug.
    pub(crate) fn verdict(&self) -> Option<core::Verdict> {
        let verdicts = self.0.lock().unwrap();
        assert!(verdicts.len() <= 1, "{verdicts:?}");
        verdicts.first().copied()
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.verdict().map(|verdict| verdict.outcome)
    }
}

#[cfg(test)]
impl Verdict {
    pub(crate) fn recorded(target: Arc<Target>) -> (Self, Recorder) {
        let recorder = Recorder::default();
        let rules = target.rules.get();
        (Self::new(Permit::Recorder(recorder.clone()), target, rules), recorder)
    }
}
