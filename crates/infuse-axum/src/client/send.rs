use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use axum::BoxError;
use http::{
    HeaderMap, HeaderValue, Method,
    header::{CONTENT_LENGTH, HOST},
    request,
};
use url::Url;

use super::{
    body::Source, fault, patience::Patience, request_body::RequestBody, response::ServiceResponse,
    service::Target, sync_body::SyncBody, transport::Transport, verdict::Verdict,
};
use crate::error::{Cause, ServiceError};

/// A request that can be sent.
pub(crate) struct Prepared {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: RequestBody,
}

impl Prepared {
    /// Sends it, and judges the call unless the headers of an answer come.
    pub(crate) async fn send(
        self,
        mut verdict: Verdict,
        timeout: Option<Duration>,
    ) -> Result<ServiceResponse, ServiceError> {
        let target = verdict.target.clone();
        let no_body = self.method == Method::HEAD;
        match &target.transport {
            Transport::Network(client) => {
                let entered = verdict.span.enter();
                let prepared = self.for_network(&target);
                drop(entered);
                let (request, body) = prepared?;
                let (body, upload) = body.into_reqwest();
                let mut request = request;
                *request.body_mut() = body;
                verdict.patience = Patience::new(timeout, upload);
                let answer = pin!(client.execute(request));
                let answer = wait(answer, &mut verdict).await?;
                let answer = http::Response::<reqwest::Body>::from(answer).map(Source::Network);
                Ok(ServiceResponse::new(answer, verdict, no_body))
            }
            Transport::Service(service) => {
                let entered = verdict.span.enter();
                let prepared = self.for_service(&target);
                drop(entered);
                let (parts, body) = prepared?;
                let (body, upload) = body.into_axum();
                verdict.patience = Patience::new(timeout, upload);
                let request = http::Request::from_parts(parts, body);
                let answer = pin!(verdict.span.scope(|| service.carry(request)));
                let answer = wait(answer, &mut verdict).await?;
                let answer = answer.map(|body| Source::Service(SyncBody::new(body)));
                Ok(ServiceResponse::new(answer, verdict, no_body))
            }
        }
    }

    /// The request's head, after the app's hooks have seen it.
    fn into_parts(self, target: &Target) -> Result<(request::Parts, RequestBody), ServiceError> {
        let invalid = |error: http::Error| {
            ServiceError::new(&target.name, Cause::Request("the URL is invalid"))
                .caused_by(Some(error.into()))
        };
        let request = http::Request::builder().method(self.method).uri(self.url.as_str());
        let (mut parts, ()) = request.body(()).map_err(invalid)?.into_parts();
        parts.headers = self.headers;
        for hook in target.on_request.iter() {
            hook(&target.name, &mut parts);
        }
        Ok((parts, self.body))
    }

    fn for_network(self, target: &Target) -> Result<(reqwest::Request, RequestBody), ServiceError> {
        if target.on_request.is_empty() {
            let mut request = reqwest::Request::new(self.method, self.url);
            *request.headers_mut() = self.headers;
            return Ok((request, self.body));
        }
        let (parts, body) = self.into_parts(target)?;
        let request = reqwest::Request::try_from(http::Request::from_parts(parts, ""));
        let request = request.map_err(|error| {
            let cause = Cause::Request("a hook for requests made its URL invalid");
            ServiceError::new(&target.name, cause).caused_by(Some(error.without_url().into()))
        })?;
        Ok((request, body))
    }

    /// With the headers that a connection would add.
    fn for_service(self, target: &Target) -> Result<(request::Parts, RequestBody), ServiceError> {
        let (mut parts, body) = self.into_parts(target)?;
        if let Some(host) = parts.uri.authority().map(http::uri::Authority::as_str)
            && !parts.headers.contains_key(HOST)
            && let Ok(host) = HeaderValue::from_str(host)
        {
            parts.headers.insert(HOST, host);
        }
        if let Some(len @ 1..) = body.exact_len() {
            parts.headers.insert(CONTENT_LENGTH, len.into());
        }
        Ok((parts, body))
    }
}

/// Waits for the headers of the answer, and judges the call if they do not come. `answer` is pinned
/// where it is, because futures of requests are large to move.
async fn wait<T, E: Into<BoxError>>(
    mut answer: Pin<&mut impl Future<Output = Result<T, E>>>,
    verdict: &mut Verdict,
) -> Result<T, ServiceError> {
    let answer = poll_fn(|cx| match verdict.during(|| answer.as_mut().poll(cx)) {
        Poll::Ready(answer) => {
            verdict.patience.pause();
            Poll::Ready(Some(answer))
        }
        Poll::Pending => verdict.patience.poll_exhausted(cx).map(|()| None),
    });
    match answer.await {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(error)) => Err(fault::broken(verdict, None, error.into())),
        None => Err(fault::timed_out(verdict, None)),
    }
}
