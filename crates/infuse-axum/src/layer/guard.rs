use infuse_storage::{CircuitPermit, Outcome};

/// The say of one call on its circuit, given once. Dropped, it says nothing, unless the service
/// panics just then: that is a failure.
pub(super) struct Guard {
    permit: Option<CircuitPermit>,
    /// Whether the service is at work, so that whatever unwinds comes out of it.
    at_work: bool,
}

impl Guard {
    pub(super) fn new(permit: CircuitPermit) -> Self {
        Self { permit: Some(permit), at_work: false }
    }

    /// Lets the service do something.
    pub(super) fn watch<T>(&mut self, work: impl FnOnce() -> T) -> T {
        self.at_work = true;
        let result = work();
        self.at_work = false;
        result
    }

    pub(super) fn settle(&mut self, outcome: Outcome) {
        if let Some(permit) = self.permit.take() {
            permit.settle(outcome);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.at_work {
            self.settle(Outcome::Failure);
        }
    }
}
