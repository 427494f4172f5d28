use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use infuse_storage::{BoxFuture, CallError, Circuit};
use tower::{Service, ServiceExt};
use tower_http::classify::{ClassifyResponse, MakeClassifier};

use super::{
    body::{GuardedBody, Watch},
    guard::Guard,
    layered::CircuitBreakerLayer,
    passed,
    verdict::{self, Judged},
};

/// A service that a circuit guards: see the [module](super).
#[derive(Clone)]
pub struct CircuitBreaker<S, C> {
    inner: S,
    layer: CircuitBreakerLayer<C>,
}

impl<S, C> CircuitBreaker<S, C> {
    pub(super) fn new(inner: S, layer: CircuitBreakerLayer<C>) -> Self {
        Self { inner, layer }
    }

    /// The circuit.
    pub fn circuit(&self) -> &Circuit {
        self.layer.circuit()
    }

    /// The service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }
}

impl<S, C, ReqBody, ResBody> Service<Request<ReqBody>> for CircuitBreaker<S, C>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: fmt::Display + Send + 'static,
    ReqBody: Send + 'static,
    ResBody: Body<Error: 'static>,
    C: MakeClassifier,
    C::Classifier: Send + 'static,
{
    type Response = Response<GuardedBody<ResBody, C::ClassifyEos>>;
    type Error = CallError<S::Error>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    /// Always ready: whether a request may pass is asked when it is there, and the service's own
    /// readiness is waited for then.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let CircuitBreakerLayer { circuit, make_classifier, call_timeout, errors, durations } =
            &self.layer;
        let mut inner = self.inner.clone();
        if !passed::note(&mut request, circuit) {
            return Box::pin(async move {
                let answer = inner.oneshot(request).await.map_err(CallError::Inner)?;
                Ok(answer.map(GuardedBody::unguarded))
            });
        }
        let classifier = make_classifier.make_classifier(&request);
        let (circuit, errors, timeout) = (circuit.clone(), errors.clone(), *call_timeout);
        let durations = durations.clone();
        Box::pin(async move {
            let permit = circuit.acquire(timeout).await.map_err(CallError::Rejected)?;
            let mut guard = Guard::new(permit, durations);
            let answer = match ready(&mut inner, &mut guard).await {
                Ok(()) => {
                    let mut call = pin!(guard.during(|| inner.call(request)));
                    poll_fn(|cx| guard.watch(|| call.as_mut().poll(cx))).await
                }
                Err(error) => Err(error),
            };
            match answer {
                Ok(answer) => {
                    let classified = classifier.classify_response(&answer);
                    match verdict::of_answer(answer.status(), answer.headers(), classified) {
                        Judged::Given(verdict) => {
                            guard.settle(verdict);
                            Ok(answer.map(GuardedBody::unguarded))
                        }
                        Judged::AtTheEnd(eos) => {
                            let watch = Watch::new(guard, eos, errors);
                            Ok(answer.map(|body| GuardedBody::new(body, watch)))
                        }
                    }
                }
                Err(error) => {
                    // What class of failure it is does not matter here, but a classifier may count.
                    let _ = classifier.classify_error(&error);
                    guard.settle(errors.judge(&error));
                    Err(CallError::Inner(error))
                }
            }
        })
    }
}

/// Waits until the service can be called. It may be for a place in a queue of our own, which is no
/// matter of the service's.
async fn ready<S: Service<R>, R>(service: &mut S, guard: &mut Guard) -> Result<(), S::Error> {
    let mut waited = false;
    poll_fn(|cx| {
        let polled = guard.during(|| service.poll_ready(cx));
        waited |= polled.is_pending();
        polled
    })
    .await?;
    // Asks for the time, which most calls can do without.
    if waited {
        guard.begin_call();
    }
    Ok(())
}

impl<S: fmt::Debug, C> fmt::Debug for CircuitBreaker<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("inner", &self.inner)
            .field("circuit", self.circuit())
            .finish_non_exhaustive()
    }
}
