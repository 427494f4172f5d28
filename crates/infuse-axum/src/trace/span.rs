use http::StatusCode;
use infuse_storage::{Outcome, State, core::Verdict};
use tracing::{
    Span,
    span::{Entered, EnteredSpan},
};

/// The span of one call, where somebody wants it, and the request's id, where it has one.
#[derive(Debug, Default)]
pub(crate) struct CallSpan(Option<Box<Inner>>);

#[derive(Debug)]
struct Inner {
    span: Span,
    status: Option<StatusCode>,
    request_id: Option<Box<str>>,
}

impl CallSpan {
    pub(super) fn new(span: Span, request_id: Option<&str>) -> Self {
        let wanted = !span.is_disabled() || request_id.is_some();
        let inner = || Inner { span, status: None, request_id: request_id.map(Into::into) };
        Self(wanted.then(|| Box::new(inner())))
    }

    /// Is inside of the span while a verdict is given. A failure may open the circuit, and that is
    /// said also where the span is not wanted: by which request, it is to say all the same.
    pub(crate) fn settling(&self, verdict: &Verdict) -> [Option<EnteredSpan>; 2] {
        let Some(inner) = &self.0 else { return [None, None] };
        let failed = verdict.outcome == Outcome::Failure;
        let id = inner.request_id.as_deref().filter(|_| failed);
        let call = (!inner.span.is_disabled()).then(|| inner.span.clone().entered());
        let request = id.map(|id| {
            tracing::info_span!(target: "infuse::request", "request", request_id = id).entered()
        });
        // In the order in which they are left.
        [request, call]
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
