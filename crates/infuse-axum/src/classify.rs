//! What an attempt to call a service says about the service.
//!
//! | what happened | outcome | excluded |
//! |---|---|---|
//! | 5xx | Failure | Success |
//! | timeout, no connection, connection lost, broken body | Failure | Ignored |
//! | 429 | Ignored | |
//! | any other status | Success | |
//! | the request could not be built or read, the answer is over the caller's limit | Ignored | |
//!
//! An outcome other than Success has with it what a 429 or 503 asked for by `Retry-After`, and
//! whose a failure is: ours, where a name was not resolved or sockets were exhausted, so that the
//! service was never reached. A Failure also has what went wrong: the status, or the kind of error.

use std::{
    error::Error,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::{HeaderMap, StatusCode};
use infuse_storage::{
    Fault, FaultKind, Outcome,
    core::{Origin, Verdict},
};

use crate::{ServiceErrorKind, retry_after::retry_after, settings::Exclusion};

/// Judges attempts in place of the default rules, where it returns `Some`.
pub(crate) type ClassifyFn = Arc<dyn Fn(&str, &Attempt<'_>) -> Option<Outcome> + Send + Sync>;

/// An exclusion that the app registered under a name: `true` takes a failure out.
pub(crate) type ExcludeFn = Arc<dyn Fn(&Attempt<'_>) -> bool + Send + Sync>;

/// How one call to a service went, as far as it is known when it is judged.
///
/// There is a status once the headers of an answer came, and an error if there is no answer or it
/// broke off: a broken body has both.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    status: Option<StatusCode>,
    headers: Option<&'a HeaderMap>,
    error: Option<ServiceErrorKind>,
    source: Option<&'a (dyn Error + 'static)>,
    origin: Origin,
}

impl<'a> Attempt<'a> {
    /// An answer of which the headers are there.
    pub fn answered(status: StatusCode, headers: &'a HeaderMap) -> Self {
        let (error, source, origin) = (None, None, Origin::Service);
        Self { status: Some(status), headers: Some(headers), error, source, origin }
    }

    /// A call that got no answer, or not all of it.
    pub fn failed(kind: ServiceErrorKind) -> Self {
        let (status, headers, source, origin) = (None, None, None, Origin::Service);
        Self { status, headers, error: Some(kind), source, origin }
    }

    /// With the status of the answer that broke off, and its headers.
    pub(crate) fn after(mut self, status: StatusCode, headers: Option<&'a HeaderMap>) -> Self {
        (self.status, self.headers) = (Some(status), headers);
        self
    }

    pub(crate) fn caused_by(mut self, source: Option<&'a (dyn Error + 'static)>) -> Self {
        self.source = source;
        self
    }

    pub(crate) fn on_side(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// The status of the answer, if one came.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The headers of the answer, if one came.
    pub fn headers(&self) -> Option<&'a HeaderMap> {
        self.headers
    }

    /// What went wrong, if there is no answer or it broke off.
    pub fn error(&self) -> Option<ServiceErrorKind> {
        self.error
    }

    /// The error of the transport behind [`error`](Self::error), to be looked into with
    /// `downcast_ref` along its sources.
    pub fn source(&self) -> Option<&'a (dyn Error + 'static)> {
        self.source
    }

    /// On which side of the wire it failed, if it did: [`Origin::Local`] where the service was not
    /// reached because a name was not resolved, or sockets, ports or open files were exhausted, and
    /// where the caller's own request was at fault.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// What went wrong, where this is a failure.
    fn fault(&self) -> Fault {
        let Some(kind) = self.error else {
            return match self.status {
                Some(status) => Fault::status(status.as_u16()),
                None => Fault::new(FaultKind::Error),
            };
        };
        let mut fault = Fault::new(match kind {
            ServiceErrorKind::Timeout => FaultKind::Timeout,
            ServiceErrorKind::Connect => FaultKind::Connect,
            ServiceErrorKind::Disconnect => FaultKind::Disconnect,
            ServiceErrorKind::Body => FaultKind::Body,
            _ => FaultKind::Error,
        });
        fault.status = self.status.map(|status| status.as_u16());
        fault
    }

    /// What the service asked for by `Retry-After`.
    fn retry_after(&self) -> Option<std::time::Duration> {
        match (self.error, self.status, self.headers) {
            (None, Some(status), Some(headers)) => retry_after(status, headers),
            _ => None,
        }
    }

    /// The outcome by the rules that hold unless something else is configured.
    pub fn default_outcome(&self) -> Outcome {
        match (self.error, self.status) {
            (Some(kind), _) => match kind {
                ServiceErrorKind::Timeout
                | ServiceErrorKind::Connect
                | ServiceErrorKind::Disconnect
                | ServiceErrorKind::Body => Outcome::Failure,
                _ => Outcome::Ignored,
            },
            // Being asked to slow down says nothing about whether the service works.
            (None, Some(StatusCode::TOO_MANY_REQUESTS)) => Outcome::Ignored,
            (None, Some(status)) if status.is_server_error() => Outcome::Failure,
            (None, Some(_)) => Outcome::Success,
            (None, None) => Outcome::Ignored,
        }
    }
}

/// The rules of one service.
#[derive(Clone, Default)]
pub(crate) struct Classifier {
    exclude: Vec<Rule>,
    classify: Option<ClassifyFn>,
}

#[derive(Clone)]
enum Rule {
    Fixed(Exclusion),
    Named(Arc<str>, ExcludeFn),
}

impl Rule {
    fn applies(&self, service: &str, attempt: &Attempt<'_>) -> bool {
        let exclusion = match self {
            Rule::Named(name, exclude) => {
                return guarded(service, name, || exclude(attempt)).unwrap_or(false);
            }
            Rule::Fixed(exclusion) => exclusion,
        };
        if let Some(kind) = attempt.error {
            return match exclusion {
                Exclusion::Timeout => kind == ServiceErrorKind::Timeout,
                Exclusion::Connect => {
                    matches!(kind, ServiceErrorKind::Connect | ServiceErrorKind::Disconnect)
                }
                Exclusion::Body => kind == ServiceErrorKind::Body,
                _ => false,
            };
        }
        let Some(status) = attempt.status else {
            return false;
        };
        match exclusion {
            Exclusion::HttpStatus => true,
            Exclusion::ServerError => status.is_server_error(),
            Exclusion::Status(excluded) => status.as_u16() == *excluded,
            Exclusion::StatusRange(first, last) => (*first..=*last).contains(&status.as_u16()),
            _ => false,
        }
    }
}

/// A name in `INFUSE_BREAKER_EXCLUDE_EXCEPTIONS` that nobody registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnknownExclusion(pub(crate) String);

impl Classifier {
    /// # Errors
    ///
    /// All names that `named` does not know.
    pub(crate) fn new(
        exclude: &[Exclusion],
        named: impl Fn(&str) -> Option<ExcludeFn>,
        classify: Option<ClassifyFn>,
    ) -> Result<Self, Vec<UnknownExclusion>> {
        let mut unknown = Vec::new();
        let mut rules = Vec::with_capacity(exclude.len());
        for exclusion in exclude {
            match exclusion {
                Exclusion::Named(name) => match named(name) {
                    Some(exclude) => rules.push(Rule::Named(Arc::from(name.as_str()), exclude)),
                    None => unknown.push(UnknownExclusion(name.clone())),
                },
                fixed => rules.push(Rule::Fixed(fixed.clone())),
            }
        }
        if unknown.is_empty() { Ok(Self { exclude: rules, classify }) } else { Err(unknown) }
    }

    /// Whether anything looks at more of a broken answer than its kind of error, so that its
    /// headers must be kept.
    pub(crate) fn looks_closely(&self) -> bool {
        self.classify.is_some() || self.exclude.iter().any(|rule| matches!(rule, Rule::Named(..)))
    }

    /// The verdict on an attempt.
    ///
    /// What the app gave is asked first. If that panics, the attempt is judged as if it had not
    /// been asked.
    pub(crate) fn judge(&self, service: &str, attempt: &Attempt<'_>) -> Verdict {
        let mut verdict = Verdict::from(self.outcome(service, attempt));
        match verdict.outcome {
            Outcome::Success => {}
            Outcome::Failure | Outcome::Ignored => {
                verdict.origin = attempt.origin;
                verdict.retry_after = attempt.retry_after();
            }
        }
        if verdict.outcome == Outcome::Failure {
            verdict.fault = Some(attempt.fault());
        }
        verdict
    }

    fn outcome(&self, service: &str, attempt: &Attempt<'_>) -> Outcome {
        if let Some(classify) = &self.classify
            && let Some(Some(outcome)) = guarded(service, "classify", || classify(service, attempt))
        {
            return outcome;
        }
        match attempt.default_outcome() {
            Outcome::Failure if self.exclude.iter().any(|rule| rule.applies(service, attempt)) => {
                // A service that answered works as far as whoever excluded this is concerned.
                // One that did not answer has not shown that it does.
                if attempt.error.is_none() { Outcome::Success } else { Outcome::Ignored }
            }
            outcome => outcome,
        }
    }
}

/// Runs code of the app in the midst of a verdict.
fn guarded<T>(service: &str, name: &str, run: impl FnOnce() -> T) -> Option<T> {
    let result = catch_unwind(AssertUnwindSafe(run));
    if result.is_err() {
        tracing::error!(service, "the app's rule {name:?} panicked while it judged a call");
    }
    result.ok()
}

impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classifier")
            .field("exclude", &self.exclude)
            .field("classify", &self.classify.is_some())
            .finish()
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Fixed(exclusion) => exclusion.fmt(f),
            Rule::Named(name, _) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use Outcome::{Failure, Ignored, Success};

    use super::*;

    fn judge(classifier: &Classifier, status: u16) -> Outcome {
        let status = StatusCode::from_u16(status).unwrap();
        classifier.outcome("payments", &Attempt::answered(status, &HeaderMap::new()))
    }

    fn judge_error(classifier: &Classifier, kind: ServiceErrorKind) -> Outcome {
        classifier.outcome("payments", &Attempt::failed(kind))
    }

    fn excluding(exclude: &[Exclusion]) -> Classifier {
        Classifier::new(exclude, |_| None, None).unwrap()
    }

    #[test]
    fn a_failure_says_what_went_wrong() {
        let rules = Classifier::default();
        let headers = HeaderMap::new();
        let status = |status| StatusCode::from_u16(status).unwrap();
        let fault = |attempt: Attempt<'_>| rules.judge("payments", &attempt).fault;
        assert_eq!(fault(Attempt::answered(status(503), &headers)), Some(Fault::status(503)));
        assert_eq!(fault(Attempt::answered(status(200), &headers)), None);
        assert_eq!(fault(Attempt::answered(status(429), &headers)), None);
        for (kind, expected) in [
            (ServiceErrorKind::Timeout, FaultKind::Timeout),
            (ServiceErrorKind::Connect, FaultKind::Connect),
            (ServiceErrorKind::Disconnect, FaultKind::Disconnect),
            (ServiceErrorKind::Body, FaultKind::Body),
        ] {
            assert_eq!(fault(Attempt::failed(kind)), Some(Fault::new(expected)));
            let broken = fault(Attempt::failed(kind).after(status(206), None)).unwrap();
            assert_eq!((broken.kind, broken.status), (expected, Some(206)));
        }
        assert_eq!(fault(Attempt::failed(ServiceErrorKind::BodyLimit)), None);
        let classify: ClassifyFn = Arc::new(|_, _| Some(Failure));
        let rules = Classifier::new(&[], |_| None, Some(classify)).unwrap();
        let fault = |attempt: Attempt<'_>| rules.judge("payments", &attempt).fault;
        assert_eq!(fault(Attempt::answered(status(404), &headers)), Some(Fault::status(404)));
        let limit = Attempt::failed(ServiceErrorKind::BodyLimit);
        assert_eq!(fault(limit), Some(Fault::new(FaultKind::Error)));
    }

    #[test]
    fn what_counts() {
        let rules = Classifier::default();
        for (status, outcome) in [
            (101, Success),
            (200, Success),
            (301, Success),
            (400, Success),
            (404, Success),
            (429, Ignored),
            (499, Success),
            (500, Failure),
            (501, Failure),
            (503, Failure),
            (599, Failure),
            (600, Success),
        ] {
            assert_eq!(judge(&rules, status), outcome, "{status}");
        }
        for (kind, outcome) in [
            (ServiceErrorKind::Timeout, Failure),
            (ServiceErrorKind::Connect, Failure),
            (ServiceErrorKind::Disconnect, Failure),
            (ServiceErrorKind::Body, Failure),
            (ServiceErrorKind::BodyLimit, Ignored),
            (ServiceErrorKind::Request, Ignored),
            (ServiceErrorKind::RequestBody, Ignored),
        ] {
            assert_eq!(judge_error(&rules, kind), outcome, "{kind:?}");
        }
    }

    #[test]
    fn excluding_only_takes_failures_out() {
        let statuses = excluding(&[Exclusion::HttpStatus]);
        assert_eq!(judge(&statuses, 503), Success);
        assert_eq!(judge(&statuses, 429), Ignored);
        assert_eq!(judge_error(&statuses, ServiceErrorKind::Timeout), Failure);
        assert_eq!(judge_error(&statuses, ServiceErrorKind::Body), Failure);

        let errors = excluding(&[Exclusion::Timeout, Exclusion::Connect, Exclusion::Body]);
        assert_eq!(judge(&errors, 503), Failure);
        assert_eq!(judge_error(&errors, ServiceErrorKind::Timeout), Ignored);
        assert_eq!(judge_error(&errors, ServiceErrorKind::Connect), Ignored);
        assert_eq!(judge_error(&errors, ServiceErrorKind::Disconnect), Ignored);
        assert_eq!(judge_error(&errors, ServiceErrorKind::Body), Ignored);

        let some = excluding(&[Exclusion::Status(501), Exclusion::StatusRange(503, 504)]);
        for (status, outcome) in
            [(500, Failure), (501, Success), (502, Failure), (503, Success), (504, Success)]
        {
            assert_eq!(judge(&some, status), outcome, "{status}");
        }
        assert_eq!(judge(&excluding(&[Exclusion::ServerError]), 599), Success);
    }

    #[test]
    fn an_excluded_status_does_not_excuse_the_body() {
        let rules = excluding(&[Exclusion::HttpStatus]);
        let headers = HeaderMap::new();
        let attempt = Attempt::failed(ServiceErrorKind::Body)
            .after(StatusCode::SERVICE_UNAVAILABLE, Some(&headers));
        assert_eq!(rules.outcome("payments", &attempt), Failure);
    }

    #[test]
    fn named_exclusions_are_the_apps() {
        let exclude = [Exclusion::Named("maintenance".into())];
        let named: ExcludeFn = Arc::new(|attempt| {
            attempt.headers().is_some_and(|headers| headers.contains_key("x-maintenance"))
                || attempt.source().is_some_and(|source| source.is::<std::fmt::Error>())
        });
        let rules =
            Classifier::new(&exclude, |name| (name == "maintenance").then(|| named.clone()), None)
                .unwrap();
        assert!(rules.looks_closely());
        let mut headers = HeaderMap::new();
        let attempt = Attempt::answered(StatusCode::SERVICE_UNAVAILABLE, &headers);
        assert_eq!(rules.outcome("payments", &attempt), Failure);
        headers.insert("x-maintenance", http::HeaderValue::from_static("1"));
        let attempt = Attempt::answered(StatusCode::SERVICE_UNAVAILABLE, &headers);
        assert_eq!(rules.outcome("payments", &attempt), Success);
        let attempt =
            Attempt::failed(ServiceErrorKind::Disconnect).caused_by(Some(&std::fmt::Error));
        assert_eq!(rules.outcome("payments", &attempt), Ignored);

        let unknown = Classifier::new(&exclude, |_| None, None).unwrap_err();
        assert_eq!(unknown, [UnknownExclusion("maintenance".into())]);
    }

    #[test]
    fn classify_is_asked_first() {
        let classify: ClassifyFn = Arc::new(|service, attempt| {
            assert_eq!(service, "payments");
            match (attempt.status()?.as_u16(), attempt.error()) {
                (404, None) => Some(Failure),
                (503, None) => Some(Ignored),
                (200, Some(ServiceErrorKind::Body)) => Some(Success),
                _ => None,
            }
        });
        let rules = Classifier::new(&[Exclusion::Status(503)], |_| None, Some(classify)).unwrap();
        assert_eq!(judge(&rules, 404), Failure);
        assert_eq!(judge(&rules, 503), Ignored);
        assert_eq!(judge(&rules, 500), Failure);
        let attempt = Attempt::failed(ServiceErrorKind::Body).after(StatusCode::OK, None);
        assert_eq!(rules.outcome("payments", &attempt), Success);
        assert_eq!(judge_error(&rules, ServiceErrorKind::Timeout), Failure);
    }

    #[test]
    fn what_the_service_asks_for_goes_with_what_is_no_success() {
        let headers = HeaderMap::from_iter([(
            http::header::RETRY_AFTER,
            http::HeaderValue::from_static("7"),
        )]);
        let judge = |rules: &Classifier, status| {
            let status = StatusCode::from_u16(status).unwrap();
            let verdict = rules.judge("payments", &Attempt::answered(status, &headers));
            (verdict.outcome, verdict.retry_after.map(|time| time.as_secs()))
        };
        let rules = Classifier::default();
        for (status, expected) in [
            (200, (Success, None)),
            (429, (Ignored, Some(7))),
            (500, (Failure, None)),
            (503, (Failure, Some(7))),
        ] {
            assert_eq!(judge(&rules, status), expected, "{status}");
        }
        assert_eq!(judge(&excluding(&[Exclusion::ServerError]), 503), (Success, None));
        let strict: ClassifyFn = Arc::new(|_, _| Some(Failure));
        let strict = Classifier::new(&[], |_| None, Some(strict)).unwrap();
        assert_eq!(judge(&strict, 429), (Failure, Some(7)));
        // Of an answer that broke off, the status was heard already.
        let broken = Attempt::failed(ServiceErrorKind::Body)
            .after(StatusCode::SERVICE_UNAVAILABLE, Some(&headers));
        assert_eq!(rules.judge("payments", &broken).retry_after, None);
    }

    #[test]
    fn what_failed_on_our_side_is_known_as_such() {
        let rules = Classifier::default();
        for origin in [Origin::Local, Origin::Service] {
            let attempt = Attempt::failed(ServiceErrorKind::Connect).on_side(origin);
            assert_eq!(attempt.origin(), origin);
            let verdict = rules.judge("payments", &attempt);
            assert_eq!((verdict.outcome, verdict.origin), (Failure, origin));
        }
    }

    #[test]
    fn rules_that_panic_do_not_count() {
        let classify: ClassifyFn = Arc::new(|_, _| panic!("classify"));
        let exclude: ExcludeFn = Arc::new(|_| panic!("exclude"));
        let rules = Classifier::new(
            &[Exclusion::Named("mine".into())],
            |_| Some(exclude.clone()),
            Some(classify),
        )
        .unwrap();
        assert_eq!(judge(&rules, 200), Success);
        assert_eq!(judge(&rules, 500), Failure);
    }
}
