//! Errors as responses: `application/problem+json` (RFC 9457).

use std::sync::Once;

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use infuse_storage::{Fault, Provenance, State, core::Reason};
use serde::Serialize;

use crate::{
    error::{Cause, ServiceError, causes, url_key},
    seconds,
};

/// The body of such a response.
#[derive(Debug, Serialize)]
pub(crate) struct Problem<'a> {
    pub(crate) r#type: &'static str,
    pub(crate) title: &'static str,
    pub(crate) status: u16,
    pub(crate) detail: String,
    /// A number that stays the same in all versions.
    pub(crate) code: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) upstream_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Reason>,
    /// The circuit that rejected, unless it is the service's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) circuit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tripped: Option<Tripped>,
    /// Whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after: Option<u64>,
}

/// What opened the circuit, as anybody may know it: not who did it by hand, nor why.
#[derive(Debug, Serialize)]
pub(crate) struct Tripped {
    cause: infuse_storage::Cause,
    /// The process, by its id.
    by: Option<String>,
    /// Seconds of Unix time.
    at: f64,
    fault: Option<Fault>,
}

impl From<Provenance> for Tripped {
    fn from(it: Provenance) -> Self {
        let by = it.by.map(|process| process.to_string());
        Self { cause: it.cause, by, at: seconds::unix(it.at), fault: it.fault }
    }
}

impl IntoResponse for Problem<'_> {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Nothing in it can fail to serialize; an empty body still has the right status.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        // A cache that keeps a 502 or 503 prolongs the outage.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Type, code and title of a kind of error.
fn class(cause: &Cause) -> (&'static str, u32, &'static str) {
    match cause {
        Cause::Rejected(_) => ("urn:infuse:rejected", 998603, "Service temporarily unavailable"),
        Cause::Timeout(_) => ("urn:infuse:timeout", 998610, "Service did not answer in time"),
        Cause::Connect => ("urn:infuse:connect", 998611, "Service not reachable"),
        Cause::Disconnect => ("urn:infuse:disconnect", 998612, "Connection to service lost"),
        Cause::Body => ("urn:infuse:body", 998613, "Answer of service incomplete"),
        Cause::BodyLimit(_) => ("urn:infuse:body-limit", 998614, "Answer of service too large"),
        Cause::Decode => ("urn:infuse:decode", 998615, "Answer of service not understood"),
        Cause::Status => ("urn:infuse:status", 998616, "Service answered with an error"),
        Cause::Path(_) => ("urn:infuse:path", 998620, "Path refused"),
        Cause::Request(_) => ("urn:infuse:request", 998621, "Request could not be built"),
        Cause::RequestBody { .. } => ("urn:infuse:request-body", 998622, "Request body not usable"),
        Cause::UnknownService { .. } => {
            ("urn:infuse:unknown-service", 998623, "Service not configured")
        }
        // 998624: see `extract`.
        Cause::CircuitName(_) => ("urn:infuse:circuit-name", 998625, "Circuit not usable"),
    }
}

/// What a client may know: no cause, no address, nothing that it did not send itself.
fn detail(error: &ServiceError) -> String {
    let service = error.service();
    match error.cause() {
        Cause::UnknownService { .. } => {
            let mut detail = String::from(
                "No service of this name is configured. List it in INFUSE_SERVICE_CONNECTIONS",
            );
            if let Some(key) = url_key(service) {
                detail.push_str(" or set ");
                detail.push_str(&key);
            }
            detail.push('.');
            detail
        }
        Cause::Path(why) => format!("The path was refused: {why}."),
        Cause::Request(_) => format!("The request to {service} could not be built."),
        Cause::RequestBody { too_large: true } => "The body of the request is too large.".into(),
        Cause::RequestBody { too_large: false } => {
            "The body of the request could not be read to its end.".into()
        }
        Cause::CircuitName(_) => {
            format!("No circuit below {service} can have the name that was asked for.")
        }
        Cause::Rejected(rejection) => match rejection.rejected.reason() {
            Reason::Isolated => format!("Calls to {service} have been suspended."),
            Reason::Recovering => {
                format!("Calls to {service} are limited, because it has only just recovered.")
            }
            _ => format!("Calls to {service} are suspended, because it is failing."),
        },
        Cause::Timeout(_) => format!("{service} did not answer in time."),
        Cause::Connect => format!("No connection to {service} could be made."),
        Cause::Disconnect => format!("The connection to {service} was lost before it answered."),
        Cause::Body => format!("The answer of {service} broke off."),
        Cause::BodyLimit(_) => format!("The answer of {service} is too large."),
        Cause::Decode => format!("The answer of {service} could not be understood."),
        Cause::Status => format!("{service} answered with an error."),
    }
}

impl IntoResponse for ServiceError {
    fn into_response(self) -> Response {
        (&self).into_response()
    }
}

impl IntoResponse for &ServiceError {
    fn into_response(self) -> Response {
        log(self);
        let (r#type, code, title) = class(self.cause());
        let rejection = self.rejected_call();
        Problem {
            r#type,
            title,
            status: self.status().as_u16(),
            detail: detail(self),
            code,
            service: Some(self.service()),
            upstream_status: self.upstream_status().map(|status| status.as_u16()),
            state: rejection.map(|rejection| rejection.rejected.state()),
            reason: rejection.map(|rejection| rejection.rejected.reason()),
            circuit: rejection.and_then(|rejection| rejection.below.as_deref()),
            tripped: self.provenance().map(Tripped::from),
            retry_after: rejection.map(|rejection| rejection.come_back),
        }
        .into_response()
    }
}

/// The only place where the cause of an error that a handler returned is still to be seen.
fn log(error: &ServiceError) {
    let cause = || {
        let causes: Vec<_> = causes(error).skip(1).map(ToString::to_string).collect();
        causes.join(": ")
    };
    // Mistakes in the app, which nobody finds at `debug`. The name of a service or a circuit may
    // come from a client, who shall not fill the log with it.
    static UNKNOWN: Once = Once::new();
    static UNUSABLE: Once = Once::new();
    match error.cause() {
        Cause::Request(_) => tracing::error!(cause = cause(), "{error}"),
        Cause::UnknownService { .. } if !UNKNOWN.is_completed() => {
            UNKNOWN.call_once(|| tracing::error!("{error}"));
        }
        Cause::CircuitName(_) if !UNUSABLE.is_completed() => {
            UNUSABLE.call_once(|| tracing::error!("{error}"));
        }
        _ => tracing::debug!(cause = cause(), "{error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use http_body_util::BodyExt;

    use super::*;
    use crate::client::PathError;

    #[tokio::test]
    async fn clients_see_the_class_and_nothing_of_the_cause() {
        let mut codes = std::collections::HashSet::new();
        for (cause, status) in [
            (Cause::Timeout(Some(Duration::from_secs(5))), 504),
            (Cause::Connect, 502),
            (Cause::Disconnect, 502),
            (Cause::Body, 502),
            (Cause::BodyLimit(1), 502),
            (Cause::Decode, 502),
            (Cause::Status, 502),
            (Cause::Path(PathError::DotSegment), 400),
            (Cause::Request("the name of a header is secret"), 500),
            (Cause::RequestBody { too_large: false }, 500),
            (Cause::RequestBody { too_large: true }, 413),
            (Cause::UnknownService { known: Box::new([Arc::from("secret")]) }, 500),
            (Cause::CircuitName("secret".into()), 500),
        ] {
            let same_class = matches!(cause, Cause::RequestBody { too_large: true });
            let error = ServiceError::new(&Arc::from("payments"), cause)
                .during(Some(StatusCode::IM_A_TEAPOT))
                .caused_by(Some("10.0.0.1 is secret".into()));
            let response = (&error).into_response();
            assert_eq!(response.status(), status, "{error:?}");
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
            assert!(!response.headers().contains_key(RETRY_AFTER));
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8(body.to_vec()).unwrap();
            assert!(!text.contains("secret"), "{text}");
            let body: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(body["service"], "payments");
            assert_eq!(body["upstream_status"], 418);
            assert!(codes.insert(body["code"].as_u64().unwrap()) || same_class, "{text}");
        }
    }
}
