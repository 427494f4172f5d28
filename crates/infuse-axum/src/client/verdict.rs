use std::sync::Arc;

use infuse_storage::{CircuitPermit, Outcome};

use super::service::Target;
use crate::Attempt;

/// The say of one call on its circuit: given once, or never.
///
/// Dropped without having been given it is Ignored, as the permit inside is.
#[derive(Debug)]
pub(crate) struct Verdict {
    permit: Permit,
    pub(crate) target: Arc<Target>,
}

#[derive(Debug)]
enum Permit {
    /// Given, or never had: `skip_breaker()`.
    None,
    Circuit(CircuitPermit),
    #[cfg(test)]
    Recorder(Recorder),
}

impl Verdict {
    pub(crate) fn new(permit: Option<CircuitPermit>, target: Arc<Target>) -> Self {
        let permit = permit.map_or(Permit::None, Permit::Circuit);
        Self { permit, target }
    }

    pub(crate) fn settle(&mut self, outcome: Outcome) {
        match std::mem::replace(&mut self.permit, Permit::None) {
            Permit::None => {}
            Permit::Circuit(permit) => permit.settle(outcome),
            #[cfg(test)]
            Permit::Recorder(recorder) => recorder.settle(outcome),
        }
    }

    /// Judges an attempt and gives the verdict.
    pub(crate) fn judge(&mut self, attempt: &Attempt<'_>) {
        if !self.is_given() {
            let outcome = self.target.classifier.judge(&self.target.name, attempt);
            self.settle(outcome);
        }
    }

    /// Judges an answer of which the headers are there, and gives the verdict unless it is a
    /// success: that waits for the body.
    pub(crate) fn judge_headers(&mut self, attempt: &Attempt<'_>) {
        if !self.is_given() {
            match self.target.classifier.judge(&self.target.name, attempt) {
                Outcome::Success => {}
                outcome => self.settle(outcome),
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
}

/// Writes down what became of a permit, where a test has no circuit.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder(Arc<std::sync::Mutex<Vec<Outcome>>>);

#[cfg(test)]
impl Recorder {
    fn settle(&self, outcome: Outcome) {
        self.0.lock().unwrap().push(outcome);
    }

    /// `None`: not given. More than one verdict is a bug.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        let outcomes = self.0.lock().unwrap();
        assert!(outcomes.len() <= 1, "{outcomes:?}");
        outcomes.first().copied()
    }
}

#[cfg(test)]
impl Verdict {
    pub(crate) fn recorded(target: Arc<Target>) -> (Self, Recorder) {
        let recorder = Recorder::default();
        (Self { permit: Permit::Recorder(recorder.clone()), target }, recorder)
    }
}
