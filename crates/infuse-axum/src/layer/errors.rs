use std::{
    any::Any,
    error::Error,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use axum::BoxError;
use infuse_storage::{CallError, Outcome, Rejected, core::Verdict};
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

    pub(super) fn judge<E: 'static>(&self, error: &E) -> Verdict {
        let rules = self.0.as_deref().unwrap_or_default();
        // One that panics is as one that says nothing.
        let verdict = rules
            .iter()
            .find_map(|rule| catch_unwind(AssertUnwindSafe(|| rule(error))).unwrap_or_default());
        verdict.unwrap_or_else(|| by_itself(error))
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
        assert_eq!(rules.judge(&local()), Verdict::local_failure());
        assert_eq!(rules.judge(&boxed(io::Error::other(local()))), Verdict::local_failure());
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
            Verdict::local_failure()
        );
        assert_eq!(outcome(&rules, io::Error::other("panics")), Outcome::Ignored);
        assert_eq!(outcome(&rules, io::Error::from(io::ErrorKind::NotFound)), Outcome::Ignored);
        assert_eq!(outcome(&rules, boxed(fmt::Error)), Outcome::Failure);
    }
}
