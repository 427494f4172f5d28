//! What says nothing about a service, above all our own trouble.

use infuse_storage::Outcome;

use super::*;
use crate::{
    ServiceErrorKind,
    classify::{Classifier, ClassifyFn},
    client::script::Step::*,
};

/// Calls that fail on our own side, whatever the service does.
async fn own_trouble(bench: &Bench) {
    bench.set(|rules| rules.body_limit = Some(2));
    bench.acts.set("long", say(&[Data("abc")]));
    let error = loop {
        match bench.call("long").await.unwrap_err() {
            // The last trial's place is given back in the background.
            error if error.is_rejected() => tokio::task::yield_now().await,
            error => break error,
        }
        bench.clock.advance(Duration::from_millis(10));
    };
    assert_eq!(error.kind(), ServiceErrorKind::BodyLimit);
    bench.set(|rules| rules.body_limit = None);

    let error = bench.service.get("a").header("a b", "").send().await.unwrap_err();
    assert_eq!(error.kind(), ServiceErrorKind::Request);
    let error = bench.service.get("../a").send().await.unwrap_err();
    assert_eq!(error.kind(), ServiceErrorKind::PathRefused);
}

#[tokio::test]
async fn own_trouble_opens_nothing() {
    let bench = bench();
    bench.acts.set("bad", Act::Answer(500));
    bench.call_times(4, "bad").await;
    for _ in 0..20 {
        own_trouble(&bench).await;
    }
    assert_eq!((bench.circuit.state(), bench.circuit.fail_counter()), (State::Closed, 4));
}

#[tokio::test]
async fn own_trouble_in_a_trial_gives_its_place_to_the_next() {
    let bench = bench();
    bench.acts.set("bad", Act::Answer(500));
    bench.call_times(5, "bad").await;
    bench.clock.advance(secs(15));
    for _ in 0..5 {
        own_trouble(&bench).await;
        assert_eq!(bench.circuit.state(), State::HalfOpen);
    }
    assert_eq!(trial(&bench, "a").await, 200);
    bench.becomes(&bench.circuit, State::Closed).await;
}

#[tokio::test]
async fn a_404_that_is_filtered_neither_closes_nor_opens() {
    let bench = bench();
    let classify: ClassifyFn =
        Arc::new(|_, attempt| (attempt.status()? == 404).then_some(Outcome::Ignored));
    bench.set(|rules| {
        rules.classifier = Classifier::new(&[], |_| None, Some(classify)).unwrap();
    });
    bench.acts.set("bad", Act::Answer(500));
    bench.acts.set("missing", Act::Answer(404));
    bench.call_times(5, "bad").await;
    bench.clock.advance(secs(15));
    for _ in 0..20 {
        assert_eq!(trial(&bench, "missing").await, 404);
        assert_eq!(bench.circuit.state(), State::HalfOpen);
    }
    // The place is free, and what is said now counts.
    assert_eq!(trial(&bench, "bad").await, 500);
    assert_eq!(bench.circuit.state(), State::Open);
    bench.clock.advance(secs(15));
    assert_eq!(bench.call("a").await.unwrap(), 200);
    bench.becomes(&bench.circuit, State::Closed).await;
}

#[tokio::test]
async fn a_404_that_is_not_filtered_is_an_answer() {
    let bench = bench();
    bench.acts.set("bad", Act::Answer(500));
    bench.acts.set("missing", Act::Answer(404));
    bench.call_times(5, "bad").await;
    bench.clock.advance(secs(15));
    assert_eq!(bench.call("missing").await.unwrap(), 404);
    bench.becomes(&bench.circuit, State::Closed).await;
}

/// Makes a call as soon as there is a place: the storage hears of the last trial's end in the
/// background, and grants only so many at a time.
async fn trial(bench: &Bench, path: &str) -> u16 {
    let passed = async {
        loop {
            match bench.call(path).await {
                Ok(status) => return status,
                Err(error) => assert!(error.is_rejected(), "{error}"),
            }
            bench.clock.advance(Duration::from_millis(10));
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(secs(10), passed).await.expect("a place is free")
}
