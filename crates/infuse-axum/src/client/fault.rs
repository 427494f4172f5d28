//! What an error of a transport means.

use std::{error::Error, io};

use axum::BoxError;
use http::{HeaderMap, StatusCode};
use infuse_storage::core::Origin;

use super::{origin, request_body::UploadError, verdict::Verdict};
use crate::{
    Attempt,
    error::{Cause, ServiceError, causes},
};

/// The answer that a call was in the midst of, when there was one.
pub(crate) struct Midst<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: Option<&'a HeaderMap>,
}

/// Judges a call that the transport gave up, and makes the error that its caller gets.
pub(crate) fn broken(
    verdict: &mut Verdict,
    midst: Option<Midst<'_>>,
    error: BoxError,
) -> ServiceError {
    let error = without_url(error);
    let cause = match verdict.patience.upload().and_then(|upload| upload.error()) {
        // Whatever the connection made of it, it began with the caller's own body.
        Some(cause) => Cause::RequestBody { too_large: cause == UploadError::TooLarge },
        None => cause_of(&*error, midst.is_some()),
    };
    failed(verdict, cause, midst, Some(error))
}

/// Judges a call that waited for too long, and makes the error that its caller gets.
pub(crate) fn timed_out(verdict: &mut Verdict, midst: Option<Midst<'_>>) -> ServiceError {
    failed(verdict, Cause::Timeout(verdict.patience.total()), midst, None)
}

pub(crate) fn failed(
    verdict: &mut Verdict,
    cause: Cause,
    midst: Option<Midst<'_>>,
    source: Option<BoxError>,
) -> ServiceError {
    let mut attempt =
        Attempt::failed(cause.kind()).caused_by(source.as_deref().map(|error| error as _));
    attempt = attempt.on_side(match (&cause, &source) {
        (Cause::Request(_) | Cause::RequestBody { .. }, _) => Origin::Local,
        (Cause::Connect | Cause::Disconnect, Some(source)) => origin::of(&**source),
        _ => Origin::Service,
    });
    let status = midst.as_ref().map(|midst| midst.status);
    if let Some(midst) = midst {
        attempt = attempt.after(midst.status, midst.headers);
    }
    verdict.judge(&attempt);
    ServiceError::new(&verdict.target.name, cause).during(status).caused_by(source)
}

/// An URL in an error may hold a secret in its query, and says nothing new in a log.
pub(crate) fn without_url(error: BoxError) -> BoxError {
    match error.downcast::<reqwest::Error>() {
        Ok(error) => Box::new(error.without_url()),
        Err(error) => error,
    }
}

fn cause_of(error: &(dyn Error + 'static), in_body: bool) -> Cause {
    for error in causes(error) {
        if let Some(error) = error.downcast_ref::<reqwest::Error>() {
            if error.is_builder() {
                return Cause::Request("the HTTP client refused it");
            }
            // Before the timeout: a connect timeout is both, and tells more as this.
            if error.is_connect() && !in_body {
                return Cause::Connect;
            }
            if error.is_timeout() {
                return Cause::Timeout(None);
            }
        } else if let Some(error) = error.downcast_ref::<io::Error>() {
            match error.kind() {
                io::ErrorKind::TimedOut => return Cause::Timeout(None),
                io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::AddrNotAvailable
                    if !in_body =>
                {
                    return Cause::Connect;
                }
                _ => {}
            }
        }
    }
    match (in_body, origin::of(error)) {
        (true, _) => Cause::Body,
        // It did not come to a connection that could be lost.
        (false, Origin::Local) => Cause::Connect,
        (false, Origin::Service) => Cause::Disconnect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServiceErrorKind;

    fn kind(error: &(dyn Error + 'static), in_body: bool) -> ServiceErrorKind {
        cause_of(error, in_body).kind()
    }

    #[test]
    fn errors_of_other_transports_are_understood() {
        let io = |kind| axum::Error::new(io::Error::from(kind));
        for (error, before, in_body) in [
            (io::ErrorKind::ConnectionRefused, ServiceErrorKind::Connect, ServiceErrorKind::Body),
            (io::ErrorKind::ConnectionReset, ServiceErrorKind::Disconnect, ServiceErrorKind::Body),
            (io::ErrorKind::TimedOut, ServiceErrorKind::Timeout, ServiceErrorKind::Timeout),
            (io::ErrorKind::Other, ServiceErrorKind::Disconnect, ServiceErrorKind::Body),
        ] {
            assert_eq!(kind(&io(error), false), before, "{error}");
            assert_eq!(kind(&io(error), true), in_body, "{error}");
        }
    }
}
