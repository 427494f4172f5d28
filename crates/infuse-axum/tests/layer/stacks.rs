//! With tower's own services around it and inside.

use std::sync::{
    Arc,
    atomic::{AtomicU16, AtomicUsize, Ordering::SeqCst},
};

use axum::BoxError;
use http_body_util::BodyExt;
use infuse_axum::{CallError, Rejected, layer::boxed};
use tower::{
    BoxError as TowerError, Layer, ServiceBuilder, ServiceExt, balance::p2c::Balance,
    buffer::Buffer, discover::ServiceList, load::Constant, retry,
};

use super::*;

/// Answers with a status that is set, and counts.
#[derive(Clone)]
struct Counting(Arc<AtomicU16>, Arc<AtomicUsize>);

impl Counting {
    fn new(status: u16) -> Self {
        Self(Arc::new(status.into()), Arc::default())
    }

    fn calls(&self) -> usize {
        self.1.load(SeqCst)
    }

    fn service(
        &self,
    ) -> impl Service<
        Request<Empty<Bytes>>,
        Response = Response<Full<Bytes>>,
        Error = Infallible,
        Future: Send,
    >
    + Clone
    + Send
    + Sync
    + 'static
    + use<> {
        let Self(status, calls) = self.clone();
        service_fn(move |_: Request<Empty<Bytes>>| {
            calls.fetch_add(1, SeqCst);
            ready(Ok(answer(status.load(SeqCst))))
        })
    }
}

/// Tries so often while the answers are failures, but not what a circuit rejects.
#[derive(Clone)]
struct Again(usize);

impl<B, E> retry::Policy<Request<Empty<Bytes>>, Response<B>, CallError<E>> for Again {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Empty<Bytes>>,
        result: &mut Result<Response<B>, CallError<E>>,
    ) -> Option<Self::Future> {
        let again = match result {
            Ok(answer) => answer.status().is_server_error(),
            Err(error) => !error.is_rejected(),
        };
        self.0 = self.0.checked_sub(1)?;
        again.then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<Empty<Bytes>>) -> Option<Request<Empty<Bytes>>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn each_attempt_of_a_retry_is_judged_until_the_circuit_opens() {
    let (circuit, clock) = circuit().await;
    let target = Counting::new(500);
    let service =
        ServiceBuilder::new().retry(Again(3)).layer(layer(&circuit)).service(target.service());
    assert_eq!(service.clone().oneshot(request()).await.unwrap().status(), 500);
    assert_eq!((target.calls(), circuit.fail_counter()), (4, 4));
    // The fifth opens; the next attempt is rejected and ends it.
    assert!(service.clone().oneshot(request()).await.unwrap_err().is_rejected());
    assert_eq!((target.calls(), circuit.state()), (5, State::Open));
    // A trial that fails is followed by a rejection, and not by another trial.
    clock.advance(RESET);
    assert!(service.oneshot(request()).await.unwrap_err().is_rejected());
    assert_eq!(target.calls(), 6);
}

/// Retries inside count as one call.
#[tokio::test]
async fn a_retry_inside_is_one_call() {
    #[derive(Clone)]
    struct Twice(bool);
    impl<B, E> retry::Policy<Request<Empty<Bytes>>, Response<B>, E> for Twice {
        type Future = std::future::Ready<()>;
        fn retry(
            &mut self,
            _: &mut Request<Empty<Bytes>>,
            _: &mut Result<Response<B>, E>,
        ) -> Option<Self::Future> {
            std::mem::take(&mut self.0).then(|| ready(()))
        }
        fn clone_request(
            &mut self,
            request: &Request<Empty<Bytes>>,
        ) -> Option<Request<Empty<Bytes>>> {
            Some(request.clone())
        }
    }
    let (circuit, _clock) = circuit().await;
    let target = Counting::new(500);
    let service =
        ServiceBuilder::new().layer(layer(&circuit)).retry(Twice(true)).service(target.service());
    service.oneshot(request()).await.unwrap();
    assert_eq!((target.calls(), circuit.fail_counter()), (2, 1));
}

/// Everything at once, as a client is put together, and boxed around as an application keeps it.
#[tokio::test]
async fn a_whole_stack() {
    let (circuit, _clock) = circuit().await;
    let target = Counting::new(500);
    let service = ServiceBuilder::new()
        .boxed_clone()
        .load_shed()
        .concurrency_limit(10)
        .buffer(10)
        .map_err(boxed)
        .layer(layer(&circuit))
        .timeout(Duration::from_secs(5))
        .service(target.service());
    for _ in 0..5 {
        assert_eq!(service.clone().oneshot(request()).await.unwrap().status(), 500);
    }
    let error: BoxError = service.clone().oneshot(request()).await.unwrap_err();
    assert!(error.is::<Rejected>(), "{error:?}");
    assert_eq!(target.calls(), 5);
}

/// Around a balancer, which cannot be cloned and stands behind a buffer.
#[tokio::test]
async fn around_a_load_balancer() {
    let (circuit, _clock) = circuit().await;
    let targets = [Counting::new(500), Counting::new(500)];
    let services: Vec<_> =
        targets.iter().map(|target| Constant::new(target.service(), 1)).collect();
    let balance = Balance::new(ServiceList::new::<Request<Empty<Bytes>>>(services));
    let service = layer(&circuit).layer(Buffer::new(balance, 10));
    for _ in 0..5 {
        assert_eq!(service.clone().oneshot(request()).await.unwrap().status(), 500);
    }
    assert!(service.oneshot(request()).await.unwrap_err().is_rejected());
    assert_eq!(targets[0].calls() + targets[1].calls(), 5);
}

/// A circuit for each address that a balancer chooses from.
#[tokio::test]
async fn inside_of_a_load_balancer() {
    let (infuse, clock) = infuse().await;
    let names = ["first", "second"];
    let circuits = names.map(|name| infuse.breaker(name).unwrap());
    let targets = [Counting::new(500), Counting::new(200)];
    let services = targets
        .iter()
        .zip(&circuits)
        .map(|(target, circuit)| Constant::new(layer(circuit).layer(target.service()), 1))
        .collect::<Vec<_>>();
    let balance = Balance::new(ServiceList::new::<Request<Empty<Bytes>>>(services));
    let service = Buffer::new(balance, 10);
    let call = async || -> Result<u16, TowerError> {
        let answer = service.clone().oneshot(request()).await?;
        let status = answer.status().as_u16();
        answer.into_body().collect().await?;
        Ok(status)
    };
    let mut calls = 0;
    while circuits[0].state() == State::Closed {
        let _ = call().await;
        calls += 1;
        assert!(calls < 1_000, "it is chosen one time in two");
    }
    assert_eq!((circuits[1].state(), circuits[1].fail_counter()), (State::Closed, 0));
    // A rejection is no error that breaks the balancer or its buffer, and touches no service.
    for _ in 0..20 {
        match call().await {
            Ok(status) => assert_eq!(status, 200),
            Err(error) => assert!(error.is::<CallError<Infallible>>(), "{error:?}"),
        }
    }
    assert_eq!(targets[0].calls(), 5);
    // Mended, a trial is made when it is chosen.
    targets[0].0.store(200, SeqCst);
    clock.advance(RESET);
    while circuits[0].state() != State::Closed {
        let _ = call().await;
        calls += 1;
        assert!(calls < 2_000, "it is chosen one time in two");
    }
}
