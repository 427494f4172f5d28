use std::sync::Arc;

use infuse_storage::{CircuitPermit, Fault, FaultKind, Outcome, core};

use super::{patience::Patience, service::Target};
use crate::{Attempt, ServiceErrorKind, durations, reload::Rules, trace::CallSpan};

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
    /// Ends when the verdict is given.
    pub(crate) span: CallSpan,
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
    /// Of a call that has this span.
    pub(crate) fn new(
        permit: Permit,
        target: Arc<Target>,
        rules: Arc<Rules>,
        span: CallSpan,
    ) -> Self {
        Self { permit, target, rules, patience: Patience::new(None, None), span }
    }

    /// Gives the verdict, unless it is given. A failure is one of the part that was called.
    pub(crate) fn settle(&mut self, verdict: impl Into<core::Verdict>) {
        self.give(verdict.into(), About::Part);
    }

    fn give(&mut self, verdict: core::Verdict, about: About) {
        if !self.is_given() {
            self.target.drops.ended();
        }
        self.conclude(verdict, about);
    }

    fn conclude(&mut self, verdict: core::Verdict, about: About) {
        let permit = std::mem::replace(&mut self.permit, Permit::None);
        if matches!(permit, Permit::None) {
            return;
        }
        if let Some(durations) = &self.target.durations {
            let took = self.patience.took();
            durations.record(took);
            if let Some(durations) = permit.part().and_then(durations::of) {
                durations.record(took);
            }
        }
        let span = std::mem::take(&mut self.span);
        let entered = span.settling(&verdict);
        permit.settle(verdict, about);
        drop(entered);
        span.end(&verdict);
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
                    verdict.settle(failure(FaultKind::Panic));
                }
            }
        }
        let mut panicked = Panicked(Some(self));
        let result = match &panicked.0 {
            Some(verdict) => verdict.span.scope(poll),
            None => poll(),
        };
        panicked.0 = None;
        result
    }

    /// Nobody waits any more. The time counts that the service kept the call waiting, and not, as
    /// in the permit, the time since it was let through: a slow reader accuses nobody.
    #[cold]
    fn abandon(&mut self) {
        let waited = self.patience.spent();
        let policy = self.target.circuit.policy();
        let verdict = match policy.abandoned_after() {
            Some(after) if waited >= after => failure(FaultKind::Abandoned),
            Some(_) => Outcome::Ignored.into(),
            None => {
                if self.target.drops.dropped(waited) {
                    self.target.warn_of_drops(self.patience.total());
                }
                Outcome::Ignored.into()
            }
        };
        self.conclude(verdict, About::Part);
    }
}

impl Drop for Verdict {
    fn drop(&mut self) {
        if !self.is_given() {
            self.abandon();
        }
    }
}

fn failure(kind: FaultKind) -> core::Verdict {
    core::Verdict::from(Outcome::Failure).fault(Fault::new(kind))
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
    /// The name of the circuit below the service's.
    fn part(&self) -> Option<&str> {
        match self {
            Permit::Both(permits) => Some(permits.1.breaker().name()),
            _ => None,
        }
    }

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
        (
            Self::new(Permit::Recorder(recorder.clone()), target, rules, CallSpan::default()),
            recorder,
        )
    }
}
