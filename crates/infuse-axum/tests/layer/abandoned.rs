//! Calls that their callers give up, where the policy says from when on that counts.

use std::future::pending;

use http_body_util::BodyExt;
use infuse_axum::Policy;
use tower::{Layer, ServiceExt};
use tower_http::classify::GrpcErrorsAsFailures;

use super::*;

const AFTER: Duration = Duration::from_secs(2);

async fn impatient() -> Circuit {
    let (circuit, _clock) = circuit().await;
    circuit.set_policy(Policy::builder().abandoned_after(AFTER).build().unwrap());
    circuit
}

async fn give_up_after(circuit: &Circuit, time: Duration) -> u32 {
    let hangs = service_fn(|_: Request<Empty<Bytes>>| {
        pending::<Result<Response<Full<Bytes>>, Infallible>>()
    });
    let call = layer(circuit).layer(hangs).oneshot(request());
    assert!(tokio::time::timeout(time, call).await.is_err());
    circuit.fail_counter()
}

#[tokio::test(start_paused = true)]
async fn who_waited_for_so_long_counts() {
    let circuit = impatient().await;
    let short = AFTER - Duration::from_millis(100);
    assert_eq!(give_up_after(&circuit, short).await, 0);
    assert_eq!(give_up_after(&circuit, AFTER).await, 1);
    assert_eq!(give_up_after(&circuit, short).await, 1);
    assert_eq!(give_up_after(&circuit, AFTER * 2).await, 2);
    // By default nothing does.
    circuit.set_policy(Policy::default());
    assert_eq!(give_up_after(&circuit, AFTER * 100).await, 2);
}

/// A body of which each piece comes when it has been waited for that long.
fn slow(pieces: Vec<Duration>) -> impl http_body::Body<Data = Bytes, Error = io::Error> {
    let pieces = futures_util::stream::unfold(pieces.into_iter(), |mut pieces| async {
        tokio::time::sleep(pieces.next()?).await;
        Some((data(), pieces))
    });
    StreamBody::new(Box::pin(pieces))
}

async fn read_from(circuit: &Circuit, pieces: Vec<Duration>) -> impl http_body::Body + Unpin {
    let service = service_fn(move |_: Request<Empty<Bytes>>| {
        ready(Ok::<_, Infallible>(Response::new(slow(pieces.clone()))))
    });
    layer(circuit).layer(service).oneshot(request()).await.unwrap().into_body()
}

#[tokio::test(start_paused = true)]
async fn only_the_waiting_for_the_service_counts() {
    let circuit = impatient().await;
    let piece = Duration::from_millis(900);
    let pieces = vec![piece, piece, piece];

    // Two pieces and the beginning of a third are waited for, in all long enough.
    let mut body = read_from(&circuit, pieces.clone()).await;
    body.frame().await;
    body.frame().await;
    assert!(tokio::time::timeout(Duration::from_millis(300), body.frame()).await.is_err());
    drop(body);
    assert_eq!(circuit.fail_counter(), 1);

    // A slow reader does not wait for the service, whether it gives up within a read ...
    let mut body = read_from(&circuit, pieces.clone()).await;
    body.frame().await;
    tokio::time::sleep(AFTER * 10).await;
    assert!(tokio::time::timeout(Duration::from_millis(300), body.frame()).await.is_err());
    drop(body);
    assert_eq!(circuit.fail_counter(), 1);

    // ... or between two, where the status decides.
    let mut body = read_from(&circuit, vec![AFTER * 2, piece]).await;
    body.frame().await;
    drop(body);
    assert_eq!(circuit.fail_counter(), 0);
}

/// Who leaves between two messages was not kept waiting just then, however long it was before.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_left_between_two_messages_says_nothing() {
    let circuit = impatient().await;
    let service = service_fn(|_: Request<Empty<Bytes>>| {
        ready(Ok::<_, Infallible>(Response::new(slow(vec![AFTER * 2, AFTER]))))
    });
    let layer = layer(&circuit).classifier(GrpcErrorsAsFailures::make_classifier());
    let mut body = layer.layer(service).oneshot(request()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(circuit.fail_counter(), 0);
}
