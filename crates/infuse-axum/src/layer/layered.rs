use std::{fmt, time::Duration};

use infuse_storage::Circuit;
use tower::Layer;
use tower_http::classify::{ServerErrorsAsFailures, SharedClassifier};

use super::CircuitBreaker;

/// Guards services with a circuit: see the [module](super).
#[derive(Clone)]
pub struct CircuitBreakerLayer<C = SharedClassifier<ServerErrorsAsFailures>> {
    circuit: Circuit,
    make_classifier: C,
    call_timeout: Option<Duration>,
}

impl CircuitBreakerLayer {
    /// Guards with this circuit. Answers of 500 and above are failures.
    pub fn new(circuit: Circuit) -> Self {
        let make_classifier = ServerErrorsAsFailures::make_classifier();
        Self { circuit, make_classifier, call_timeout: None }
    }
}

impl<C> CircuitBreakerLayer<C> {
    /// Judges answers by another classifier: tower-http's `GrpcErrorsAsFailures` for a client of
    /// gRPC, say, or one of your own.
    pub fn classifier<D>(self, make_classifier: D) -> CircuitBreakerLayer<D> {
        let Self { circuit, call_timeout, .. } = self;
        CircuitBreakerLayer { circuit, make_classifier, call_timeout }
    }

    /// How long a call may take in all, which bounds the lease of a trial. Default: the policy's.
    ///
    /// It ends no call. A timeout belongs inside of this layer: one outside drops calls before they
    /// fail, and a service that hangs is never found out.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = Some(timeout);
        self
    }
}

impl<S, C: Clone> Layer<S> for CircuitBreakerLayer<C> {
    type Service = CircuitBreaker<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { circuit, make_classifier, call_timeout } = self.clone();
        CircuitBreaker::new(inner, circuit, make_classifier, call_timeout)
    }
}

impl<C> fmt::Debug for CircuitBreakerLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerLayer")
            .field("circuit", &self.circuit)
            .finish_non_exhaustive()
    }
}
