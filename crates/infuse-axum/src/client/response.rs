use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};
use serde::de::DeserializeOwned;

use super::{
    body::{ResponseBody, Source},
    hop_by_hop,
    verdict::Verdict,
};
use crate::{
    Attempt,
    error::{Cause, ServiceError},
};

/// A service's answer, of which the headers are there.
///
/// Unless its status is a failure, it carries the verdict on the call on, through whatever the
/// body becomes: see the [module's docs](crate::client). It can be returned from a handler: the
/// status, the headers without those that are about one connection, and the body as it comes.
#[derive(Debug)]
pub struct ServiceResponse(http::Response<ResponseBody>);

impl ServiceResponse {
    /// `no_body`: the request was one that is answered without a body.
    pub(crate) fn new(answer: http::Response<Source>, mut verdict: Verdict, no_body: bool) -> Self {
        let (parts, source) = answer.into_parts();
        verdict.span.answered(parts.status);
        verdict.judge_headers(&Attempt::answered(parts.status, &parts.headers));
        verdict.patience.answered();
        let headers =
            verdict.rules.classifier.looks_closely().then(|| Box::new(parts.headers.clone()));
        let empty = no_body
            || parts.status.is_informational()
            || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let body = ResponseBody::new(source, verdict, parts.status, headers, empty);
        Self(http::Response::from_parts(parts, body))
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// The headers, all of them.
    pub fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    /// The version of HTTP that the service answered in.
    pub fn version(&self) -> Version {
        self.0.version()
    }

    /// The canonical name of the service that answered.
    pub fn service(&self) -> &str {
        &self.0.body().verdict().target.name
    }

    /// The answer itself unless its status is a 4xx or 5xx.
    ///
    /// # Errors
    ///
    /// `Status`, with the [`upstream_status`](ServiceError::upstream_status). The circuit has
    /// judged the status by its own rules before.
    pub fn error_for_status(self) -> Result<Self, ServiceError> {
        let status = self.status();
        if status.is_client_error() || status.is_server_error() {
            Err(self.error(Cause::Status))
        } else {
            Ok(self)
        }
    }

    fn error(&self, cause: Cause) -> ServiceError {
        ServiceError::new(&self.0.body().verdict().target.name, cause).during(Some(self.status()))
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// - `Body`, `Timeout`: it did not come whole; a failure of the service.
    /// - `BodyLimit`: it is larger than `INFUSE_SERVICE_BODY_LIMIT`; counts as nothing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the answer.
    pub async fn bytes(mut self) -> Result<Bytes, ServiceError> {
        self.0.body_mut().collect().await
    }

    /// The whole body as UTF-8; what is not UTF-8 becomes U+FFFD.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Self::bytes).
    pub async fn text(self) -> Result<String, ServiceError> {
        let bytes = self.bytes().await?;
        Ok(match String::from_utf8(bytes.into()) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// The whole body, read as JSON, whatever its content type.
    ///
    /// # Errors
    ///
    /// - As [`bytes`](Self::bytes).
    /// - `Decode`: it came whole and is not the JSON that was asked for. To the circuit that is a
    ///   success.
    pub async fn json<T: DeserializeOwned>(mut self) -> Result<T, ServiceError> {
        let bytes = self.0.body_mut().collect().await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| self.error(Cause::Decode).caused_by(Some(error.into())))
    }

    /// The next piece of the body, as it came; `None` at its end. The limit for bodies does not
    /// apply.
    ///
    /// # Errors
    ///
    /// - `Body`, `Timeout`: it did not come whole; a failure of the service.
    ///
    /// # Cancel safety
    ///
    /// No piece is lost if the future is dropped. If the whole answer is dropped then, without
    /// another read, the call is abandoned: see the [module's docs](crate::client).
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ServiceError> {
        self.0.body_mut().chunk().await
    }

    /// The body, to be streamed on. Its errors are [`ServiceError`]s behind an [`axum::Error`].
    pub fn into_body(self) -> Body {
        Body::new(self.0.into_body())
    }
}

impl IntoResponse for ServiceResponse {
    fn into_response(self) -> Response {
        let (parts, body) = self.0.into_parts();
        let mut headers = parts.headers;
        hop_by_hop::remove(&mut headers);
        // A new one: version and extensions are about the connection to the service.
        let mut response = Response::new(Body::new(body));
        *response.status_mut() = parts.status;
        *response.headers_mut() = headers;
        response
    }
}

impl From<ServiceResponse> for http::Response<Body> {
    /// Status, version, headers and extensions as they came.
    fn from(response: ServiceResponse) -> Self {
        response.0.map(Body::new)
    }
}
