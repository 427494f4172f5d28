//! Nothing is reserved before a request is there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::Context,
};

use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tower::{
    Layer, ServiceExt,
    buffer::Buffer,
    limit::{ConcurrencyLimit, GlobalConcurrencyLimitLayer},
};

use super::*;

/// A service that is ready when it is told.
#[derive(Clone, Default)]
struct Readying {
    ready: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Service<Request<Empty<Bytes>>> for Readying {
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.asked.fetch_add(1, SeqCst);
        match (self.broken.load(SeqCst), self.ready.load(SeqCst)) {
            (true, _) => Poll::Ready(Err(io::Error::other("broken"))),
            (_, true) => Poll::Ready(Ok(())),
            (_, false) => Poll::Pending,
        }
    }

    fn call(&mut self, _: Request<Empty<Bytes>>) -> Self::Future {
        assert!(self.ready.load(SeqCst), "it is not ready");
        ready(Ok(answer(200)))
    }
}

/// Polls a call until a trial is under way.
async fn until_trial<F>(circuit: &Circuit, call: &mut F)
where
    F: Future<Output: std::fmt::Debug> + Unpin,
{
    let under_way = async {
        while circuit.snapshot().trials == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        answer = call => panic!("it is not ready: {answer:?}"),
        () = under_way => {}
    }
}

#[tokio::test]
async fn an_open_circuit_rejects_although_the_service_is_not_ready() {
    let (circuit, _clock) = circuit().await;
    assert_eq!(circuit.open().await, Reach::Fleet);
    let inner = Readying::default();
    let mut service = layer(&circuit).layer(inner.clone());
    let call = service.ready().await.unwrap().call(request());
    assert!(call.await.unwrap_err().is_rejected());
    assert_eq!(inner.asked.load(SeqCst), 0);
}

#[tokio::test]
async fn a_service_that_is_ready_holds_nothing() {
    let (circuit, _clock) = due().await;
    let places = Arc::new(Semaphore::new(1));
    let limit = GlobalConcurrencyLimitLayer::with_semaphore(places.clone());
    let service = layer(&circuit).layer(limit.layer(echo()));
    // Ready and kept, ready and dropped, ready and cloned, called and never polled.
    let mut kept = service.clone();
    kept.ready().await.unwrap();
    drop(service.clone().ready_oneshot().await.unwrap());
    let mut clone = kept.clone();
    drop(kept.call(Request::new(200)));
    drop(clone.call(Request::new(200)));
    drop(service.clone().oneshot(Request::new(200)));
    assert_eq!((circuit.state(), circuit.snapshot().trials), (State::Open, 0));
    assert_eq!(places.available_permits(), 1);
    // The place is there for the one that calls.
    let answer = service.oneshot(Request::new(200)).await.unwrap();
    answer.into_body().collect().await.unwrap();
    until(&circuit, State::Closed).await;
    assert_eq!(places.available_permits(), 1);
    drop(kept);
}

#[tokio::test]
async fn a_trial_that_waits_for_a_service_to_be_ready_can_be_dropped() {
    let (circuit, _clock) = due().await;
    let inner = Readying::default();
    let service = layer(&circuit).layer(inner.clone());
    for _ in 0..3 {
        let mut call = Box::pin(service.clone().oneshot(request()));
        until_trial(&circuit, &mut call).await;
        // Meanwhile the others are rejected, and not kept waiting.
        assert!(service.clone().oneshot(request()).await.unwrap_err().is_rejected());
        drop(call);
        assert_eq!((circuit.state(), circuit.snapshot().trials), (State::HalfOpen, 0));
    }
    inner.ready.store(true, SeqCst);
    service.oneshot(request()).await.unwrap().into_body().collect().await.unwrap();
    until(&circuit, State::Closed).await;
}

#[tokio::test]
async fn a_service_that_breaks_before_it_is_ready_has_failed() {
    let (circuit, clock) = circuit().await;
    let inner = Readying::default();
    inner.broken.store(true, SeqCst);
    let service = layer(&circuit).layer(inner.clone());
    for _ in 0..5 {
        let error = service.clone().oneshot(request()).await.unwrap_err();
        assert_eq!(error.into_inner().unwrap().to_string(), "broken");
    }
    assert_eq!((circuit.state(), inner.asked.load(SeqCst)), (State::Open, 5));
    assert!(service.clone().oneshot(request()).await.unwrap_err().is_rejected());
    // Mended, and asked anew: what broke once is not kept.
    inner.broken.store(false, SeqCst);
    inner.ready.store(true, SeqCst);
    clock.advance(RESET);
    service.oneshot(request()).await.unwrap().into_body().collect().await.unwrap();
    until(&circuit, State::Closed).await;
}

/// One that panics when it is asked, or when it is called.
#[derive(Clone)]
struct Panics(bool);

impl Service<Request<Empty<Bytes>>> for Panics {
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        assert!(!self.0, "as it is meant to");
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Empty<Bytes>>) -> Self::Future {
        panic!("as it is meant to");
    }
}

#[tokio::test]
async fn a_panic_before_there_is_a_call_is_a_failure_too() {
    let (circuit, _clock) = circuit().await;
    for (failures, when_asked) in [(1, true), (2, false)] {
        let call = layer(&circuit).layer(Panics(when_asked)).oneshot(request());
        let call = std::panic::AssertUnwindSafe(call);
        assert!(futures_util::FutureExt::catch_unwind(call).await.is_err());
        assert_eq!(circuit.fail_counter(), failures);
    }
}

#[tokio::test]
async fn a_limit_inside_makes_wait_and_is_free_again() {
    let (circuit, _clock) = circuit().await;
    let service = layer(&circuit).layer(ConcurrencyLimit::new(Readying::default(), 1));
    let mut first = Box::pin(service.clone().oneshot(request()));
    assert!(futures_util::poll!(&mut first).is_pending());
    let mut second = Box::pin(service.clone().oneshot(request()));
    assert!(futures_util::poll!(&mut second).is_pending());
    assert_eq!(service.get_ref().get_ref().asked.load(SeqCst), 1, "the second waits for the limit");
    drop(first);
    service.get_ref().get_ref().ready.store(true, SeqCst);
    assert_eq!(second.await.unwrap().status(), 200);
    assert_eq!(circuit.fail_counter(), 0);
}

#[tokio::test]
async fn behind_a_buffer_a_caller_that_leaves_takes_nothing_along() {
    let (circuit, _clock) = due().await;
    let inner = Readying::default();
    let buffer = Buffer::new(layer(&circuit).layer(inner.clone()), 4);
    for _ in 0..3 {
        // Kept ready by one, used by another, dropped in the queue and under way.
        let mut kept = buffer.clone();
        kept.ready().await.unwrap();
        drop(buffer.clone().oneshot(request()));
        let mut call = Box::pin(buffer.clone().oneshot(request()));
        until_trial(&circuit, &mut call).await;
        drop((call, kept));
        assert_eq!((circuit.state(), circuit.snapshot().trials), (State::HalfOpen, 0));
    }
    inner.ready.store(true, SeqCst);
    buffer.oneshot(request()).await.unwrap().into_body().collect().await.unwrap();
    until(&circuit, State::Closed).await;
}
