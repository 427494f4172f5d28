use std::{
    any::Any,
    error::Error,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use axum::BoxError;
use infuse_storage::{CallError, Fault, FaultKind, Outcome, Rejected, core::Verdict};
use tower::load_shed::error::Overloaded;

use crate::{
    client::origin,
    error::{ServiceError, causes},
};

type Rule = Arc<dyn Fn(&dyn Any) -> Option<Verdict> + Send + Sync>;

/// What errors of the guarded service say about it: the rules of the application first, in the
/// order in which they were added, then our own.
#[derive(Clone, Default)]
pub(super) struct ErrorRules(Option<Arc<[Rule]>>);

impl ErrorRules {
    pub(super) fn add<E, V>(&mut self, rule: impl Fn(&E) -> Option<V> + Send + Sync + 'static)
    where
        E: 'static,
        V: Into<Verdict>,
    {
        let rule: Rule =
            Arc::new(move |error: &dyn Any| rule(error.downcast_ref()?).map(Into::into));
        let others = self.0.iter().flat_map(|rules| rules.iter().cloned());
        self.0 = Some(others.chain([rule]).collect());
    }

    /// What an error says that came in place of an answer.
    pub(super) fn judge<E: 'static>(&self, error: &E) -> Verdict {
        self.verdict(error, false)
    }

    /// What an error says in which the body of an answer ended.
    pub(super) fn judge_in_body<E: 'static>(&self, error: &E) -> Verdict {
        self.verdict(error, true)
    }

    fn verdict<E: 'static>(&self, error: &E, in_body: bool) -> Verdict {
        let rules = self.0.as_deref().unwrap_or_default();
        // One that panics is as one that says nothing.
        let verdict = rules
            .iter()
            .find_map(|rule| catch_unwind(AssertUnwindSafe(|| rule(error))).unwrap_or_default());
        let mut verdict = verdict.unwrap_or_else(|| by_itself(error));
        if verdict.outcome == Outcome::Failure && verdict.fault.is_none() {
            verdict.fault = Some(Fault::new(kind(error, in_body)));
        }
        verdict
    }
}

/// What kind of failure an error is, as far as that can be told.
fn kind(error: &dyn Any, in_body: bool) -> FaultKind {
    let known = as_error(error).and_then(|error| causes(error).find_map(known_kind));
    match (known, in_body) {
        (Some(FaultKind::Timeout), _) => FaultKind::Timeout,
        (_, true) => FaultKind::Body,
        (Some(kind), false) => kind,
        (None, false) => FaultKind::Error,
    }
}

fn known_kind(error: &(dyn Error + 'static)) -> Option<FaultKind> {
    use io::ErrorKind as Io;
    if error.is::<tower::timeout::error::Elapsed>() || error.is::<tokio::time::error::Elapsed>() {
        return Some(FaultKind::Timeout);
    }
    match error.downcast_ref::<io::Error>()?.kind() {
        Io::TimedOut => Some(FaultKind::Timeout),
        Io::ConnectionRefused
        | Io::HostUnreachable
        | Io::NetworkUnreachable
        | Io::AddrNotAvailable => Some(FaultKind::Connect),
        Io::ConnectionReset
        | Io::ConnectionAborted
        | Io::NotConnected
        | Io::BrokenPipe
        | Io::UnexpectedEof => Some(FaultKind::Disconnect),
        _ => None,
    }
}

/// An error that does not come from the service is Ignored: a limit of our own was reached, or
/// another circuit on the way is open. Any other is a failure: of ours, where it did not get as far
/// as the service.
fn by_itself(error: &dyn Any) -> Verdict {
    let mut verdict = Verdict::from(Outcome::Failure);
    if let Some(error) = as_error(error) {
        if causes(error).any(is_ours) {
            verdict = Outcome::Ignored.into();
        } else {
            verdict.origin = origin::of(error);
        }
    }
    verdict
}

/// What may have sources to look along: of the types that are no error of the service's own.
fn as_error(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref::<BoxError>() {
        return Some(&**error);
    }
    let io = error.downcast_ref::<io::Error>().map(|error| error as _);
    io.or_else(|| error.downcast_ref::<axum::Error>().map(|error| error as _))
}

fn is_ours(error: &(dyn Error + 'static)) -> bool {
    error.is::<Overloaded>()
        || error.is::<http_body_util::LengthLimitError>()
        || error.is::<Rejected>()
        || error.downcast_ref().is_some_and(ServiceError::is_rejected)
}

/// The error of a guarded service whose own errors are boxed, boxed as well: a rejection is a
/// [`Rejected`] then, and any other the service's own.
///
/// A [`CallError`] is an error, and so is boxed by whatever asks for that, if the service's own
/// error is one. A box is none. What stands around the circuit and wants errors that it can box,
/// like tower's buffer or a client of tonic, is content with this:
///
/// ```
/// use std::time::Duration;
/// use infuse_axum::{Circuit, CircuitBreakerLayer, layer};
/// use tower::ServiceBuilder;
/// # use axum::body::Body;
/// # use infuse_axum::axum;
///
/// # fn stack<S>(circuit: Circuit, channel: S)
/// # where
/// #     S: tower::Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
/// #     S::Future: Send, S::Error: Into<axum::BoxError>,
/// # {
/// let guarded = ServiceBuilder::new()
///     .buffer(100)
///     .map_err(layer::boxed)
///     .layer(CircuitBreakerLayer::new(circuit))
///     .timeout(Duration::from_secs(5)) // boxes errors
///     .service(channel);
/// # drop(guarded);
/// # }
/// ```
pub fn boxed<E: Into<BoxError>>(error: CallError<E>) -> BoxError {
    let rejected = error.rejected();
    match (error.into_inner(), rejected) {
        (Some(error), _) => error.into(),
        (None, Some(rejected)) => rejected.into(),
        (None, None) => "the call was not made".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use infuse_storage::core::Origin;

    use super::*;

    fn outcome<E: 'static>(rules: &ErrorRules, error: E) -> Outcome {
        rules.judge(&error).outcome
    }

    fn boxed(error: impl Error + Send + Sync + 'static) -> BoxError {
        error.into()
    }

    #[test]
    fn what_is_ours_is_no_failure_of_the_service() {
        let rules = ErrorRules::default();
        assert_eq!(outcome(&rules, io::Error::other("gone")), Outcome::Failure);
        assert_eq!(outcome(&rules, boxed(io::Error::other("gone"))), Outcome::Failure);
        assert_eq!(outcome(&rules, boxed(Overloaded::new())), Outcome::Ignored);
        // Anywhere along the sources.
        assert_eq!(outcome(&rules, boxed(io::Error::other(Overloaded::new()))), Outcome::Ignored);
        assert_eq!(outcome(&rules, axum::Error::new(Overloaded::new())), Outcome::Ignored);
    }

    #[test]
    fn what_does_not_get_as_far_as_the_service_is_our_failure() {
        let rules = ErrorRules::default();
        let local = || io::Error::from(io::ErrorKind::AddrNotAvailable);
        let expected = Verdict::local_failure().fault(Fault::new(FaultKind::Connect));
        assert_eq!(rules.judge(&local()), expected);
        assert_eq!(rules.judge(&boxed(io::Error::other(local()))), expected);
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(rules.judge(&boxed(refused)).origin, Origin::Service);
    }

    #[test]
    fn the_rules_of_the_application_come_first() {
        let mut rules = ErrorRules::default();
        rules.add(|_: &fmt::Error| Some(Outcome::Success));
        rules.add(|error: &io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => Some(Verdict::local_failure()),
            io::ErrorKind::Other => panic!("as it is meant to"),
            _ => None,
        });
        rules.add(|_: &io::Error| Some(Outcome::Ignored));
        assert_eq!(outcome(&rules, fmt::Error), Outcome::Success);
        assert_eq!(
            rules.judge(&io::Error::from(io::ErrorKind::AddrInUse)),
            Verdict::local_failure().fault(Fault::new(FaultKind::Error))
        );
        assert_eq!(outcome(&rules, io::Error::other("panics")), Outcome::Ignored);
        assert_eq!(outcome(&rules, io::Error::from(io::ErrorKind::NotFound)), Outcome::Ignored);
        assert_eq!(outcome(&rules, boxed(fmt::Error)), Outcome::Failure);
    }

    #[test]
    fn what_went_wrong_is_told_by_the_sources() {
        let rules = ErrorRules::default();
        let io = |kind| boxed(io::Error::other(io::Error::from(kind)));
        for (error, before, in_body) in [
            (io(io::ErrorKind::ConnectionRefused), FaultKind::Connect, FaultKind::Body),
            (io(io::ErrorKind::ConnectionReset), FaultKind::Disconnect, FaultKind::Body),
            (io(io::ErrorKind::TimedOut), FaultKind::Timeout, FaultKind::Timeout),
            (boxed(tower::timeout::error::Elapsed::new()), FaultKind::Timeout, FaultKind::Timeout),
            (boxed(fmt::Error), FaultKind::Error, FaultKind::Body),
        ] {
            assert_eq!(rules.judge(&error).fault, Some(Fault::new(before)), "{error}");
            assert_eq!(rules.judge_in_body(&error).fault, Some(Fault::new(in_body)), "{error}");
        }
        // Of what is no failure there is none, and what the application says stays.
        assert_eq!(rules.judge(&boxed(Overloaded::new())).fault, None);
        let mut rules = ErrorRules::default();
        let said = Fault::status(502);
        rules.add(move |_: &fmt::Error| Some(Verdict::from(Outcome::Failure).fault(said)));
        assert_eq!(rules.judge(&fmt::Error).fault, Some(said));
    }
}
