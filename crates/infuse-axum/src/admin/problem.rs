//! Refusals, as `application/problem+json` (RFC 9457). None repeats what it was sent.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: Cow<'static, str>,
}

/// The body of such an answer.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl Problem {
    fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, kind, title, detail: detail.into() }
    }

    pub(super) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        let kind = "urn:infuse:admin:bad-request";
        Self::new(StatusCode::BAD_REQUEST, kind, "Request not understood", detail)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "urn:infuse:admin:unauthorized",
            "Token needed",
            "Send the token that INFUSE_ADMIN_TOKEN or INFUSE_ADMIN_READ_TOKEN is set to, as \
             `Authorization: Bearer <token>`.",
        )
    }

    pub(super) fn forbidden(detail: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "urn:infuse:admin:forbidden", "Not allowed", detail)
    }

    pub(super) fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "urn:infuse:admin:not-found", "Not found", detail)
    }

    pub(super) fn no_circuit() -> Self {
        Self::not_found("There is no circuit of this name here. `circuits` lists those there are.")
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "urn:infuse:admin:method-not-allowed",
            "Method not allowed",
            "This path is not for that method: see the header `Allow`.",
        )
    }

    pub(super) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "urn:infuse:admin:too-large",
            "Body too large",
            "The body has at most 16 KiB.",
        )
    }

    pub(super) fn too_slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "urn:infuse:admin:too-slow",
            "Body too slow",
            "The body took more than 10 s to arrive.",
        )
    }

    pub(super) fn unsupported() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "urn:infuse:admin:unsupported-media-type",
            "Media type not supported",
            "Send JSON, with `Content-Type: application/json`.",
        )
    }

    pub(super) fn no_place() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "urn:infuse:admin:no-place",
            "Too many streams",
            "As many as can already listen to events, or the application is about to stop.",
        )
    }

    pub(super) fn failed() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "urn:infuse:admin:failed",
            "Failed",
            "The request could not be carried out to its end. The log says why.",
        )
    }

    #[cfg(test)]
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    #[cfg(test)]
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            r#type: self.kind,
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
        };
        // Nothing in it can fail to serialize; an empty body still has the right status.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                let bearer = HeaderValue::from_static("Bearer realm=\"infuse\"");
                headers.insert(WWW_AUTHENTICATE, bearer);
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}
