//! What can go wrong with a call to a service, and how it is told apart.

use std::{error::Error, fmt, io, sync::Arc, time::Duration};

use axum::BoxError;
use http::StatusCode;
use infuse_storage::{Provenance, Rejected};

use crate::{client::PathError, rejection::Rejection};

/// A call to a service did not work out.
///
/// It is as large as a pointer and cheap to clone. Match on [`kind`](Self::kind), or return it
/// from a handler: as a response it is an `application/problem+json` that tells a client what it
/// may know, and nothing of the cause. Its `Display` is for logs; the cause is its
/// [`source`](Error::source).
///
/// # In an error type of your own
///
/// Such a type usually answers everything with a 500. [`find`](Self::find) gets at the
/// `ServiceError` inside, so that a rejected call stays a 503 with its `Retry-After`:
///
/// ```
/// use axum::response::{IntoResponse, Response};
/// use http::StatusCode;
/// use infuse_axum::ServiceError;
///
/// struct AppError(Box<dyn std::error::Error + Send + Sync>);
///
/// impl IntoResponse for AppError {
///     fn into_response(self) -> Response {
///         match ServiceError::find(self.0.as_ref()) {
///             Some(error) => error.into_response(),
///             None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
///         }
///     }
/// }
///
/// impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for AppError {
///     fn from(error: E) -> Self {
///         Self(error.into())
///     }
/// }
/// ```
#[derive(Clone)]
pub struct ServiceError(Arc<Inner>);

struct Inner {
    service: Arc<str>,
    cause: Cause,
    /// The status that the service answered with, if it came to that.
    upstream: Option<StatusCode>,
    source: Option<BoxError>,
}

/// What happened, with what is worth saying about it.
#[derive(Debug, Clone)]
pub(crate) enum Cause {
    UnknownService {
        known: Box<[Arc<str>]>,
    },
    Path(PathError),
    /// What of the request could not be built.
    Request(&'static str),
    RequestBody {
        too_large: bool,
    },
    /// A name that no circuit below the service can have.
    CircuitName(Box<str>),
    Rejected(Rejection),
    /// The timeout, unless it was not ours.
    Timeout(Option<Duration>),
    Connect,
    Disconnect,
    Body,
    /// The limit in bytes.
    BodyLimit(u64),
    Decode,
    Status,
}

/// What went wrong with a call to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServiceErrorKind {
    /// No service of this name is configured. Responds with 500.
    UnknownService,
    /// No circuit below the service can have the name that was asked for. Responds with 500.
    CircuitName,
    /// The path would have led away from the service's base URL. Responds with 400.
    PathRefused,
    /// The request could not be built, and was not sent. Responds with 500.
    Request,
    /// The body that the caller streamed to the service broke off. Responds with 500, or with
    /// 413 if it was over axum's limit for bodies.
    RequestBody,
    /// The circuit does not let calls through, because it is open, half-open, recovering or
    /// isolated: the call was rejected without touching the service. Responds with 503 and
    /// `Retry-After`.
    Rejected,
    /// The service kept the call waiting for longer than its timeout. Responds with 504.
    Timeout,
    /// No connection could be made: refused, not resolved, no TLS. Responds with 502.
    Connect,
    /// The connection was lost before the headers of an answer came. Responds with 502.
    Disconnect,
    /// The body of the answer broke off. Responds with 502.
    Body,
    /// The body of the answer is larger than the limit for it. Responds with 502.
    BodyLimit,
    /// The body of the answer came whole, but is not what it was to be read as. Responds with
    /// 502.
    Decode,
    /// The service answered with a 4xx or 5xx, and
    /// [`error_for_status`](crate::ServiceResponse::error_for_status) made that an error.
    /// Responds with 502 and an `upstream_status`.
    Status,
}

impl ServiceError {
    pub(crate) fn new(service: &Arc<str>, cause: Cause) -> Self {
        let service = service.clone();
        Self(Arc::new(Inner { service, cause, upstream: None, source: None }))
    }

    /// The error of a call that a circuit rejected: for calls guarded by
    /// [`Infuse::breaker`](crate::Infuse::breaker), which are to be answered like those of a
    /// [`ServiceClient`](crate::ServiceClient).
    ///
    /// Here nothing is known of the circuit and of the settings: the `Retry-After` is the time left
    /// without any `INFUSE_RETRY_AFTER_JITTER`, and where a circuit is isolated without an end 15 s,
    /// whatever its reset timeout is. [`Infuse::rejection`](crate::Infuse::rejection) knows both.
    ///
    /// ```
    /// use infuse_axum::{CallError, Circuit, ServiceError};
    ///
    /// # async fn insert(row: u64) -> std::io::Result<()> { Ok(()) }
    /// async fn save(database: &Circuit, row: u64) -> anyhow::Result<()> {
    ///     database.call(|| insert(row)).await.map_err(|error| match error {
    ///         CallError::Rejected(rejected) => ServiceError::rejection(database.name(), rejected).into(),
    ///         error => anyhow::Error::from(error),
    ///     })
    /// }
    /// ```
    pub fn rejection(circuit: &str, rejected: Rejected) -> Self {
        Self::new(&circuit.into(), Cause::Rejected(Rejection::of_a_stranger(rejected)))
    }

    pub(crate) fn during(mut self, status: Option<StatusCode>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.upstream = status;
        }
        self
    }

    pub(crate) fn caused_by(mut self, source: Option<BoxError>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.source = source;
        }
        self
    }

    pub(crate) fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// What went wrong.
    pub fn kind(&self) -> ServiceErrorKind {
        self.0.cause.kind()
    }

    /// The service's canonical name; the name that was asked for if there is no such service.
    pub fn service(&self) -> &str {
        &self.0.service
    }

    /// The status that the service answered with, if it came to that.
    pub fn upstream_status(&self) -> Option<StatusCode> {
        self.0.upstream
    }

    /// The status that this error is as a response.
    pub fn status(&self) -> StatusCode {
        match self.0.cause {
            Cause::Path(_) => StatusCode::BAD_REQUEST,
            Cause::RequestBody { too_large: true } => StatusCode::PAYLOAD_TOO_LARGE,
            Cause::UnknownService { .. }
            | Cause::CircuitName(_)
            | Cause::Request(_)
            | Cause::RequestBody { too_large: false } => StatusCode::INTERNAL_SERVER_ERROR,
            Cause::Rejected(_) => StatusCode::SERVICE_UNAVAILABLE,
            Cause::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
            Cause::Connect
            | Cause::Disconnect
            | Cause::Body
            | Cause::BodyLimit(_)
            | Cause::Decode
            | Cause::Status => StatusCode::BAD_GATEWAY,
        }
    }

    /// The circuit rejected the call; the service was not touched.
    ///
    /// Retrying such a call at once is useless: see [`retry_after`](Self::retry_after).
    pub fn is_rejected(&self) -> bool {
        self.rejected().is_some()
    }

    /// The rejection, if it was one: with the state of the circuit, and the reason.
    pub fn rejected(&self) -> Option<Rejected> {
        self.rejected_call().map(|rejection| rejection.rejected)
    }

    /// The circuit that rejected the call, if one did: the service's, by its name, or one below it,
    /// as `payments/refunds`.
    pub fn circuit(&self) -> Option<&str> {
        self.rejected_call()
            .map(|rejection| rejection.below.as_ref().unwrap_or(&self.0.service).as_ref())
    }

    /// What opened the circuit that rejected the call: why, which process, when, and what went wrong
    /// there. As of now: `None` once the circuit is closed, where it is isolated or recovers, and where
    /// no call was rejected.
    pub fn provenance(&self) -> Option<Provenance> {
        self.rejected_call()?.by.as_ref()?.provenance()
    }

    pub(crate) fn rejected_call(&self) -> Option<&Rejection> {
        match &self.0.cause {
            Cause::Rejected(rejection) => Some(rejection),
            _ => None,
        }
    }

    /// The service kept the call waiting for longer than its timeout.
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.cause, Cause::Timeout(_))
    }

    /// How long until the circuit may let a call through, if it rejected this one.
    ///
    /// Zero while a trial call is under way or the circuit recovers: it may be at any moment. Of a
    /// circuit that is isolated without an end it is the reset timeout. The `Retry-After` of the
    /// response is this, at least 1 s, and later by what `INFUSE_RETRY_AFTER_JITTER` says.
    pub fn retry_after(&self) -> Option<Duration> {
        self.rejected_call().map(|rejection| rejection.left)
    }

    /// The `ServiceError` that `error` is, or that stands anywhere along its
    /// [`source`](Error::source)s.
    ///
    /// An `anyhow::Error` is given as `ServiceError::find(error.as_ref())`.
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a ServiceError> {
        causes(error).find_map(<dyn Error>::downcast_ref)
    }
}

/// `error` and all that stands along its sources. An `io::Error` hides the error that it was made
/// of: its source is the source of that.
pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| cause(*error))
}

fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(hidden) => Some(hidden),
        None => error.source(),
    }
}

impl Cause {
    pub(crate) fn kind(&self) -> ServiceErrorKind {
        match self {
            Cause::UnknownService { .. } => ServiceErrorKind::UnknownService,
            Cause::CircuitName(_) => ServiceErrorKind::CircuitName,
            Cause::Path(_) => ServiceErrorKind::PathRefused,
            Cause::Request(_) => ServiceErrorKind::Request,
            Cause::RequestBody { .. } => ServiceErrorKind::RequestBody,
            Cause::Rejected(_) => ServiceErrorKind::Rejected,
            Cause::Timeout(_) => ServiceErrorKind::Timeout,
            Cause::Connect => ServiceErrorKind::Connect,
            Cause::Disconnect => ServiceErrorKind::Disconnect,
            Cause::Body => ServiceErrorKind::Body,
            Cause::BodyLimit(_) => ServiceErrorKind::BodyLimit,
            Cause::Decode => ServiceErrorKind::Decode,
            Cause::Status => ServiceErrorKind::Status,
        }
    }
}

/// The key that gives the service asked for a base URL, as one would write it.
pub(crate) fn url_key(service: &str) -> Option<String> {
    // A shell can set no variable with a dot, and `config` would read one as a level.
    let valid = !service.is_empty()
        && service.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    valid.then(|| {
        let name = service.to_ascii_uppercase().replace('-', "_");
        format!("INFUSE_SERVICES__{name}__URL")
    })
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = &*self.0.service;
        match &self.0.cause {
            Cause::UnknownService { known } => {
                write!(
                    f,
                    "no service {service:?} is configured: list it in INFUSE_SERVICE_CONNECTIONS"
                )?;
                if let Some(key) = url_key(service) {
                    write!(f, " or set {key}")?;
                }
                if !known.is_empty() {
                    write!(f, " (configured: {})", known.join(", "))?;
                }
                Ok(())
            }
            Cause::Path(why) => write!(f, "service {service}: the path was refused: {why}"),
            Cause::Request(what) => {
                write!(f, "service {service}: the request could not be built: {what}")
            }
            Cause::RequestBody { too_large: true } => {
                write!(f, "service {service}: the body of the request is too large")
            }
            Cause::RequestBody { too_large: false } => {
                write!(f, "service {service}: the body of the request broke off")
            }
            Cause::CircuitName(name) => write!(
                f,
                "service {service}: no circuit below it can have the name {name:?}; use 1 to 64 \
                 letters, digits, `-`, `_` and `.`"
            ),
            Cause::Rejected(Rejection { rejected, below, left, .. }) => {
                let (space, below) = below.as_ref().map_or(("", ""), |below| (" ", below));
                let reason = rejected.reason();
                write!(
                    f,
                    "service {service}: the call was rejected, because the circuit{space}{below} \
                     is {reason} (retry after {left:.1?})"
                )
            }
            Cause::Timeout(timeout) => {
                write!(f, "service {service}: no answer")?;
                match timeout {
                    Some(timeout) => write!(f, " within {timeout:?}")?,
                    None => f.write_str(" in time")?,
                }
                if let Some(status) = self.0.upstream {
                    write!(f, " (it stalled in the body of a {})", status.as_u16())?;
                }
                Ok(())
            }
            Cause::Connect => write!(f, "service {service}: could not connect"),
            Cause::Disconnect => {
                write!(f, "service {service}: the connection was lost before an answer came")
            }
            Cause::Body => write!(f, "service {service}: the body of the answer broke off"),
            Cause::BodyLimit(limit) => write!(
                f,
                "service {service}: the body of the answer is over the limit of {limit} bytes \
                 (INFUSE_SERVICE_BODY_LIMIT)"
            ),
            Cause::Decode => {
                write!(f, "service {service}: the body of the answer could not be decoded")
            }
            Cause::Status => match self.0.upstream {
                Some(status) => write!(f, "service {service}: it answered with {status}"),
                None => write!(f, "service {service}: it answered with an error"),
            },
        }
    }
}

impl fmt::Debug for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceError")
            .field("service", &self.0.service)
            .field("cause", &self.0.cause)
            .field("upstream_status", &self.0.upstream)
            .field("source", &self.0.source)
            .finish()
    }
}

impl Error for ServiceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Arc<str> {
        Arc::from("payments")
    }

    #[test]
    fn it_is_as_large_as_a_pointer() {
        assert_eq!(size_of::<ServiceError>(), size_of::<usize>());
        assert_eq!(size_of::<Result<(), ServiceError>>(), size_of::<usize>());
    }

    #[test]
    fn an_unknown_service_says_how_to_configure_it() {
        let known = vec![Arc::from("users"), Arc::from("mail")].into_boxed_slice();
        let error = ServiceError::new(&Arc::from("pay-ments"), Cause::UnknownService { known });
        assert_eq!(
            error.to_string(),
            "no service \"pay-ments\" is configured: list it in INFUSE_SERVICE_CONNECTIONS or \
             set INFUSE_SERVICES__PAY_MENTS__URL (configured: users, mail)"
        );
        let cause = Cause::UnknownService { known: Box::default() };
        assert_eq!(
            ServiceError::new(&Arc::from("a.b"), cause).to_string(),
            "no service \"a.b\" is configured: list it in INFUSE_SERVICE_CONNECTIONS"
        );
    }

    #[test]
    fn display_leaves_the_source_to_source() {
        let error = ServiceError::new(&service(), Cause::Connect)
            .caused_by(Some("10.0.0.1 refused".into()));
        assert_eq!(error.to_string(), "service payments: could not connect");
        assert_eq!(error.source().unwrap().to_string(), "10.0.0.1 refused");
    }

    #[test]
    fn it_is_found_along_the_sources() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] axum::Error);

        let inner = ServiceError::new(&service(), Cause::Body);
        assert!(ServiceError::find(&inner).is_some());
        let outer = Outer(axum::Error::new(inner));
        assert_eq!(ServiceError::find(&outer).unwrap().kind(), ServiceErrorKind::Body);
        assert!(ServiceError::find(&std::io::Error::other("else")).is_none());
        // As a body is read through `AsyncRead`.
        let inner = ServiceError::new(&service(), Cause::Body);
        assert!(ServiceError::find(&std::io::Error::other(inner)).is_some());
    }
}
