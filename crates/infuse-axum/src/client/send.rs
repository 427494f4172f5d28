use std::{
    future::{Future, poll_fn},
    mem::take,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use axum::{BoxError, body::Body};
use http::{
    HeaderValue, Method,
    header::{CONTENT_LENGTH, HOST},
    request,
};
use infuse_storage::{Circuit, RejectedBy};
use url::Url;

use super::{
    body::Source,
    fault, hop_by_hop,
    request::{Outgoing, ServiceRequest},
    request_body::Upload,
    response::ServiceResponse,
    service::Target,
    sync_body::SyncBody,
    transport::Transport,
    verdict::{Permit, Verdict},
};
use crate::{
    error::{Cause, ServiceError},
    rejection::Rejection,
    reload::Rules,
    trace::{self, CallSpan},
};

/// The longest URL that the `http` crate takes.
const MAX_URL: usize = u16::MAX as usize - 1;

impl ServiceRequest {
    /// Sends the request. The answer is `Ok` whatever its status.
    ///
    /// # Errors
    ///
    /// By [`kind`](ServiceError::kind):
    /// - `PathRefused`, `Request`: it was not sent, and says nothing about the service.
    /// - `Rejected`: the circuit, or one below it, does not let it through. It was not sent.
    /// - `Timeout`, `Connect`, `Disconnect`: a failure of the service.
    /// - `RequestBody`: the body that the caller streamed broke off. Counts as nothing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the request, which counts as nothing, and a trial goes to the next
    /// caller; unless the service has kept it waiting for as long as
    /// `INFUSE_BREAKER_ABANDONED_AFTER` says: that is a failure.
    #[expect(clippy::manual_async_fn, reason = "an `async fn` copies what it takes once more")]
    pub fn send(
        mut self,
    ) -> impl Future<Output = Result<ServiceResponse, ServiceError>> + Send + use<> {
        async move {
            let url = self.prepare()?;
            let no_body = self.outgoing.method == Method::HEAD;
            let (permit, span) = self.admitted().await?;
            // Their counts are shared by all calls of the service: they go on to the verdict.
            let mut verdict = Verdict::new(permit, self.target, self.rules, span);
            let answer = self.outgoing.exchange(url, &mut verdict).await?;
            Ok(ServiceResponse::new(answer, verdict, no_body))
        }
    }

    /// All that can go wrong before a permit is taken.
    fn prepare(&mut self) -> Result<Url, ServiceError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let target = &self.target;
        let url = (target.base.parse(&self.url))
            .map_err(|why| ServiceError::new(&target.name, Cause::Path(why)))?;
        if url.as_str().len() > MAX_URL {
            let cause = Cause::Request("the URL is longer than 65534 bytes");
            return Err(ServiceError::new(&target.name, cause));
        }
        if self.outgoing.method == Method::CONNECT {
            let cause = Cause::Request("CONNECT asks for a tunnel, not for anything of a service");
            return Err(ServiceError::new(&target.name, cause));
        }
        hop_by_hop::remove_framing(&mut self.outgoing.headers);
        if self.outgoing.body.exact_len().is_some() {
            // The transport writes the true one.
            self.outgoing.headers.remove(CONTENT_LENGTH);
        }
        if let Some(carried) = &self.carried {
            carried.add_to(&mut self.outgoing.headers);
        }
        Ok(url)
    }

    /// Asks the circuits, within the call's span.
    // By `&mut`, because bodies cannot be shared between threads.
    async fn admitted(&mut self) -> Result<(Permit, CallSpan), ServiceError> {
        if self.skip_breaker {
            return Ok((Permit::None, CallSpan::default()));
        }
        let Self { target, rules, below, .. } = self;
        let timeout = self.outgoing.timeout;
        let circuit = below.as_ref().unwrap_or(&target.circuit);
        let about = trace::About {
            method: &self.outgoing.method,
            headers: &self.outgoing.headers,
            server: &target.base,
            template: self.template,
            circuit: circuit.name(),
        };
        let span = about.span();
        let admitted = match &*below {
            None => {
                // Pinned where it is: it is large to move.
                let mut admit = pin!(target.admit(rules, timeout));
                poll_fn(|cx| span.scope(|| admit.as_mut().poll(cx))).await
            }
            // Boxed, because most calls have none.
            Some(below) => {
                let mut admit = Box::pin(target.admit_with(below, rules, timeout));
                poll_fn(|cx| span.scope(|| admit.as_mut().poll(cx))).await
            }
        };
        match admitted {
            Ok(permit) => {
                span.admitted(|| circuit.state());
                Ok((permit, span))
            }
            Err(error) => {
                if let Some(rejected) = error.rejected() {
                    span.rejected(rejected.state());
                }
                Err(error)
            }
        }
    }
}

impl Outgoing {
    /// Sends it, and judges the call unless the headers of an answer come.
    async fn exchange(
        &mut self,
        url: Url,
        verdict: &mut Verdict,
    ) -> Result<http::Response<Source>, ServiceError> {
        let timeout = self.timeout;
        let Verdict { target, span, .. } = &*verdict;
        match &target.transport {
            Transport::Network(client) => {
                let entered = span.enter();
                let request = self.for_network(target, url);
                drop(entered);
                let (request, upload) = request?;
                let answer = pin!(client.execute(request));
                verdict.patience.begin(timeout, upload);
                let answer = wait(answer, verdict).await?;
                Ok(http::Response::<reqwest::Body>::from(answer).map(Source::Network))
            }
            Transport::Service(service) => {
                let entered = span.enter();
                let request = self.for_service(target, url);
                drop(entered);
                let (request, upload) = request?;
                let answer = pin!(span.scope(|| service.carry(request)));
                verdict.patience.begin(timeout, upload);
                let answer = wait(answer, verdict).await?;
                Ok(answer.map(|body| Source::Service(SyncBody::new(body))))
            }
        }
    }

    /// The request's head, after the app's hooks have seen it.
    fn parts(&mut self, target: &Target, url: &Url) -> Result<request::Parts, ServiceError> {
        let invalid = |error: http::Error| {
            ServiceError::new(&target.name, Cause::Request("the URL is invalid"))
                .caused_by(Some(error.into()))
        };
        let request = http::Request::builder().method(take(&mut self.method)).uri(url.as_str());
        let (mut parts, ()) = request.body(()).map_err(invalid)?.into_parts();
        parts.headers = take(&mut self.headers);
        for hook in target.on_request.iter() {
            hook(&target.name, &mut parts);
        }
        Ok(parts)
    }

    fn for_network(
        &mut self,
        target: &Target,
        url: Url,
    ) -> Result<(reqwest::Request, Option<Arc<Upload>>), ServiceError> {
        let mut request = if target.on_request.is_empty() {
            let mut request = reqwest::Request::new(take(&mut self.method), url);
            *request.headers_mut() = take(&mut self.headers);
            request
        } else {
            let parts = self.parts(target, &url)?;
            let request = reqwest::Request::try_from(http::Request::from_parts(parts, ""));
            request.map_err(|error| {
                let cause = Cause::Request("a hook for requests made its URL invalid");
                ServiceError::new(&target.name, cause).caused_by(Some(error.without_url().into()))
            })?
        };
        let (body, upload) = take(&mut self.body).into_reqwest();
        *request.body_mut() = body;
        Ok((request, upload))
    }

    /// With the headers that a connection would add.
    fn for_service(
        &mut self,
        target: &Target,
        url: Url,
    ) -> Result<(http::Request<Body>, Option<Arc<Upload>>), ServiceError> {
        let mut parts = self.parts(target, &url)?;
        if let Some(host) = parts.uri.authority().map(http::uri::Authority::as_str)
            && !parts.headers.contains_key(HOST)
            && let Ok(host) = HeaderValue::from_str(host)
        {
            parts.headers.insert(HOST, host);
        }
        let body = take(&mut self.body);
        if let Some(len @ 1..) = body.exact_len() {
            parts.headers.insert(CONTENT_LENGTH, len.into());
        }
        let (body, upload) = body.into_axum();
        Ok((http::Request::from_parts(parts, body), upload))
    }
}

#[cfg(test)]
impl ServiceRequest {
    /// Sends the request past the circuit, with a verdict that the test looks at.
    pub(crate) async fn send_with(
        mut self,
        mut verdict: Verdict,
    ) -> Result<ServiceResponse, ServiceError> {
        let url = self.prepare()?;
        let no_body = self.outgoing.method == Method::HEAD;
        let answer = self.outgoing.exchange(url, &mut verdict).await?;
        Ok(ServiceResponse::new(answer, verdict, no_body))
    }
}

impl Target {
    async fn admit(
        &self,
        rules: &Rules,
        timeout: Option<Duration>,
    ) -> Result<Permit, ServiceError> {
        match self.circuit.acquire(timeout).await {
            Ok(permit) => Ok(Permit::Circuit(permit)),
            Err(rejected) => Err(self.rejected(RejectedBy::Own(rejected), &self.circuit, rules)),
        }
    }

    async fn admit_with(
        &self,
        below: &Circuit,
        rules: &Rules,
        timeout: Option<Duration>,
    ) -> Result<Permit, ServiceError> {
        match self.circuit.acquire_with(below, timeout).await {
            Ok(permits) => Ok(Permit::Both(Box::new(permits))),
            Err(rejected) => Err(self.rejected(rejected, below, rules)),
        }
    }

    fn rejected(&self, by: RejectedBy, below: &Circuit, rules: &Rules) -> ServiceError {
        let jitter = rules.retry_after_jitter;
        let rejection = match by {
            RejectedBy::Own(rejected) => Rejection::new(&self.circuit, rejected, jitter),
            RejectedBy::Below(rejected) => Rejection::new(below, rejected, jitter).below(below),
        };
        ServiceError::new(&self.name, Cause::Rejected(rejection))
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
