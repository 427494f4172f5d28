//! Forwarding one request to a service, and its answer back.

use axum::{
    extract::Request,
    http::{
        Method, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap},
    },
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use infuse_axum::{ServiceClient, ServiceError};

/// Most bytes that a request may bring.
const BODY_LIMIT: usize = 2 * 1000 * 1000;

pub(crate) async fn call(client: ServiceClient, request: Request) -> Response {
    forward(client, request, false).await.unwrap_or_else(IntoResponse::into_response)
}

pub(crate) async fn skip(client: ServiceClient, request: Request) -> Response {
    forward(client, request, true).await.unwrap_or_else(IntoResponse::into_response)
}

/// Why a request was not forwarded.
enum Failure {
    Service(ServiceError),
    TooLarge,
    Unreadable,
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Failure::Service(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Failure::Service(error) => error.into_response(),
            Failure::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 2 MB\n").into_response()
            }
            Failure::Unreadable => {
                (StatusCode::BAD_REQUEST, "the body could not be read\n").into_response()
            }
        }
    }
}

async fn forward(
    client: ServiceClient,
    request: Request,
    skip_breaker: bool,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let (name, path) = target(parts.uri.path_and_query().map_or("/", |path| path.as_str()));
    let service = client.service(name)?;

    if declared_length(&parts.headers).is_some_and(|length| length > BODY_LIMIT as u64) {
        return Err(Failure::TooLarge);
    }
    let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { Failure::TooLarge } else { Failure::Unreadable }
    })?;

    let is_head = parts.method == Method::HEAD;
    let mut outgoing = service.request(parts.method, path);
    if let Some(content_type) = parts.headers.get(CONTENT_TYPE) {
        outgoing = outgoing.header(CONTENT_TYPE, content_type.clone());
    }
    let body = body.to_bytes();
    if !body.is_empty() {
        outgoing = outgoing.body(body);
    }
    if skip_breaker {
        outgoing = outgoing.skip_breaker();
    }
    let answer = outgoing.send().await?;

    let mut headers = HeaderMap::new();
    headers.extend(answer.headers().get(CONTENT_TYPE).map(|of| (CONTENT_TYPE, of.clone())));
    if is_head {
        // There is no body to tell it by.
        headers.extend(answer.headers().get(CONTENT_LENGTH).map(|of| (CONTENT_LENGTH, of.clone())));
    }
    Ok((answer.status(), headers, answer.into_body()).into_response())
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The service, and the path and query for it, out of `/call/{service}/{path}?{query}`. Nothing is
/// decoded: what axum's extractors hand out is, and would be another path when encoded again.
fn target(path_and_query: &str) -> (&str, &str) {
    let rest = path_and_query.splitn(3, '/').nth(2).unwrap_or_default();
    match rest.find(['/', '?']) {
        Some(at) if rest[at..].starts_with('/') => (&rest[..at], &rest[at + 1..]),
        Some(at) => (&rest[..at], &rest[at..]),
        None => (rest, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn paths_are_not_decoded() {
        assert_eq!(target("/call/payments/a%2Fb/c?d=%20"), ("payments", "a%2Fb/c?d=%20"));
        assert_eq!(target("/call/payments/"), ("payments", ""));
        assert_eq!(target("/call/payments"), ("payments", ""));
        assert_eq!(target("/call/payments?q=/a/b"), ("payments", "?q=/a/b"));
        assert_eq!(target("/call/payments/?q=1"), ("payments", "?q=1"));
        assert_eq!(target("/call/payments//evil.example"), ("payments", "/evil.example"));
        assert_eq!(target("/"), ("", ""));
    }
}
