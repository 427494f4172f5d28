use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use infuse_storage::{BoxFuture, CallError, Circuit, Outcome};
use tower::{Service, ServiceExt};
use tower_http::classify::{ClassifiedResponse, ClassifyResponse, MakeClassifier};

use super::{body::GuardedBody, guard::Guard};

/// A service that a circuit guards: see the [module](super).
#[derive(Clone)]
pub struct CircuitBreaker<S, C> {
    inner: S,
    circuit: Circuit,
    make_classifier: C,
    call_timeout: Option<Duration>,
}

impl<S, C> CircuitBreaker<S, C> {
    pub(super) fn new(
        inner: S,
        circuit: Circuit,
        make_classifier: C,
        call_timeout: Option<Duration>,
    ) -> Self {
        Self { inner, circuit, make_classifier, call_timeout }
    }

    /// The circuit.
    pub fn circuit(&self) -> &Circuit {
        &self.circuit
    }
}

impl<S, C, ReqBody, ResBody> Service<Request<ReqBody>> for CircuitBreaker<S, C>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: fmt::Display + Send + 'static,
    ReqBody: Send + 'static,
    ResBody: Body,
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

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let classifier = self.make_classifier.make_classifier(&request);
        let (circuit, timeout, inner) =
            (self.circuit.clone(), self.call_timeout, self.inner.clone());
        Box::pin(async move {
            let permit = circuit.acquire(timeout).await.map_err(CallError::Rejected)?;
            let mut guard = Guard::new(permit);
            let mut call = pin!(inner.oneshot(request));
            let answer = poll_fn(|cx| guard.watch(|| call.as_mut().poll(cx))).await;
            match answer {
                Ok(response) => {
                    let classified = classifier.classify_response(&response);
                    let (guard, eos) = match classified {
                        ClassifiedResponse::Ready(Err(_)) => {
                            guard.settle(Outcome::Failure);
                            (None, None)
                        }
                        ClassifiedResponse::Ready(Ok(())) => (Some(guard), None),
                        ClassifiedResponse::RequiresEos(eos) => (Some(guard), Some(eos)),
                    };
                    Ok(response.map(|body| GuardedBody::new(body, guard, eos)))
                }
                Err(error) => {
                    // What class of failure it is does not matter here.
                    let _ = classifier.classify_error(&error);
                    guard.settle(Outcome::Failure);
                    Err(CallError::Inner(error))
                }
            }
        })
    }
}

impl<S: fmt::Debug, C> fmt::Debug for CircuitBreaker<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("inner", &self.inner)
            .field("circuit", &self.circuit)
            .finish_non_exhaustive()
    }
}
