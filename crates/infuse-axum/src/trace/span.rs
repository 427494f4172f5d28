use http::StatusCode;
use infuse_storage::{Outcome, State, core::Verdict};
use tracing::{Span, span::Entered};

/// The span of one call; none, where nobody wants it.
#[derive(Debug, Default)]
pub(crate) struct CallSpan(Option<Box<Inner>>);

#[derive(Debug)]
struct Inner {
    span: Span,
    status: Option<StatusCode>,
}

impl CallSpan {
    pub(super) fn new(span: Span) -> Self {
        Self((!span.is_disabled()).then(|| Box::new(Inner { span, status: None })))
    }

    /// Does something inside of the span.
    pub(crate) fn scope<T>(&self, run: impl FnOnce() -> T) -> T {
        match &self.0 {
            None => run(),
            Some(inner) => inner.span.in_scope(run),
        }
    }

    /// Is inside of the span until what it returns is dropped. For what is too large to be moved into
    /// a closure; not for anything that is awaited.
    pub(crate) fn enter(&self) -> Option<Entered<'_>> {
        self.0.as_ref().map(|inner| inner.span.enter())
    }

    pub(crate) fn admitted(&self, state: impl FnOnce() -> State) {
        if let Some(inner) = &self.0 {
            inner.span.record("infuse.state", state().as_str());
        }
    }

    /// A circuit in this state has rejected the call.
    pub(crate) fn rejected(self, state: State) {
        if let Some(inner) = &self.0 {
            inner.span.record("infuse.state", state.as_str());
            inner.span.record("infuse.outcome", "rejected");
            inner.error("rejected");
        }
    }

    pub(crate) fn answered(&mut self, status: StatusCode) {
        if let Some(inner) = &mut self.0 {
            inner.status = Some(status);
            inner.span.record("http.response.status_code", status.as_u16());
        }
    }

    /// The verdict on the call was given.
    pub(crate) fn end(self, verdict: &Verdict) {
        let Some(inner) = &self.0 else { return };
        let outcome = match verdict.outcome {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
            Outcome::Ignored => "ignored",
        };
        inner.span.record("infuse.outcome", outcome);
        let bad = inner.status.filter(|status| status.as_u16() >= 400);
        match (verdict.fault, bad) {
            (Some(fault), _) if fault.status.is_none() => inner.error(fault.kind.as_str()),
            (Some(fault), None) => inner.error(fault.kind.as_str()),
            (_, Some(status)) => inner.error(status.as_str()),
            (None, None) => {}
        }
    }
}

impl Inner {
    fn error(&self, kind: &str) {
        self.span.record("error.type", kind);
        self.span.record("otel.status_code", "ERROR");
    }
}
