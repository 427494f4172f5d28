use std::{fmt, sync::Arc, time::Duration};

use infuse_storage::{Circuit, core::Verdict};
use tower::Layer;
use tower_http::classify::{ServerErrorsAsFailures, SharedClassifier};

use super::{CircuitBreaker, errors::ErrorRules};
use crate::durations::{self, Durations};

/// Guards services with a circuit: see the [module](super).
#[derive(Clone)]
#[must_use = "a layer guards nothing until it is applied"]
pub struct CircuitBreakerLayer<C = SharedClassifier<ServerErrorsAsFailures>> {
    pub(super) circuit: Circuit,
    pub(super) make_classifier: C,
    pub(super) call_timeout: Option<Duration>,
    pub(super) errors: ErrorRules,
    /// How long calls are kept waiting, if that is written down.
    pub(super) durations: Option<Arc<Durations>>,
}

impl CircuitBreakerLayer {
    /// Guards with this circuit. Answers of 500 and above are failures.
    pub fn new(circuit: Circuit) -> Self {
        let make_classifier = ServerErrorsAsFailures::make_classifier();
        let (errors, durations) = (ErrorRules::default(), durations::of(circuit.name()));
        Self { circuit, make_classifier, call_timeout: None, errors, durations }
    }
}

impl<C> CircuitBreakerLayer<C> {
    /// Judges answers by another classifier: tower-http's `GrpcErrorsAsFailures` for a client of
    /// gRPC, say, or one of your own.
    pub fn classifier<D>(self, make_classifier: D) -> CircuitBreakerLayer<D> {
        let Self { circuit, call_timeout, errors, durations, .. } = self;
        CircuitBreakerLayer { circuit, make_classifier, call_timeout, errors, durations }
    }

    /// How long a call may take in all, which bounds the lease of a trial. Default: the policy's.
    ///
    /// It ends no call. A timeout belongs inside of this layer: one outside drops calls before they
    /// fail, and a service that hangs is never found out (unless the policy says from when on a
    /// call counts as [abandoned](infuse_storage::Policy::abandoned_after)).
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = Some(timeout);
        self
    }

    /// Judges errors of type `E`, where a classifier of tower-http only ever sees a failure: those
    /// of the service, and of the bodies of its answers. `None` leaves it to the next rule, in the
    /// order in which they are added, and to what holds without any. An error of another type is
    /// not shown to this one; most that tower's own services make are of type
    /// [`BoxError`](axum::BoxError).
    ///
    /// ```
    /// use hyper_util::client::legacy;
    /// use infuse_axum::{CircuitBreakerLayer, Verdict};
    ///
    /// # fn layer(circuit: infuse_axum::Circuit) -> CircuitBreakerLayer {
    /// // Where each process has a way of its own to the service.
    /// CircuitBreakerLayer::new(circuit).judge_errors(|error: &legacy::Error| {
    ///     error.is_connect().then(Verdict::local_failure)
    /// })
    /// # }
    /// ```
    pub fn judge_errors<E, V>(
        mut self,
        judge: impl Fn(&E) -> Option<V> + Send + Sync + 'static,
    ) -> Self
    where
        E: 'static,
        V: Into<Verdict>,
    {
        self.errors.add(judge);
        self
    }

    /// The circuit.
    pub fn circuit(&self) -> &Circuit {
        &self.circuit
    }
}

impl<S, C: Clone> Layer<S> for CircuitBreakerLayer<C> {
    type Service = CircuitBreaker<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        CircuitBreaker::new(inner, self.clone())
    }
}

impl<C> fmt::Debug for CircuitBreakerLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerLayer")
            .field("circuit", &self.circuit)
            .finish_non_exhaustive()
    }
}
