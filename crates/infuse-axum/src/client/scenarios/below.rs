//! Circuits below a service.

use std::{
    io::ErrorKind,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::response::IntoResponse;
use http_body_util::BodyExt;
use infuse_storage::Outcome;
use serde_json::Value;

use super::*;
use crate::{
    ServiceErrorKind,
    classify::{Classifier, ClassifyFn},
    client::{script::Step::*, testing::Warnings},
};

impl Bench {
    fn refunds(&self) -> Service {
        self.service.circuit("refunds").unwrap()
    }

    fn below(&self) -> Circuit {
        self.circuits.get("payments/refunds").expect("it was used")
    }

    async fn refund(&self, path: &str) -> Result<u16, ServiceError> {
        read(self.refunds().get(path).send().await?).await
    }

    async fn refund_times(&self, times: u32, path: &str) {
        for _ in 0..times {
            let _ = self.refund(path).await;
        }
    }
}

async fn problem(error: ServiceError) -> (u16, Value) {
    let (parts, body) = error.into_response().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), serde_json::from_slice(&body).unwrap())
}

#[tokio::test(start_paused = true)]
async fn what_counts_where() {
    for (act, own, below) in [
        (Act::Break(ErrorKind::ConnectionRefused), 3, 3),
        (Act::Break(ErrorKind::ConnectionReset), 3, 3),
        (Act::Answer(500), 2, 3),
        (Act::Hang, 2, 3),
        (say(&[Data("a"), Fail]), 2, 3),
        (say(&[Data("a"), Hang]), 2, 3),
        (Act::Answer(429), 2, 2),
        (Act::Answer(404), 0, 0),
        (say(&[Data("a"), Data("b")]), 0, 0),
    ] {
        let bench = bench();
        bench.acts.set("gone", Act::Break(ErrorKind::ConnectionRefused));
        bench.refund_times(2, "gone").await;
        bench.acts.set("a", act.clone());
        let _ = bench.refund("a").await;
        let counted = (bench.circuit.fail_counter(), bench.below().fail_counter());
        assert_eq!(counted, (own, below), "{act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_abandoned_is_the_matter_of_the_part() {
    let bench = bench_with(|policy| policy.abandoned_after(secs(1)));
    bench.acts.set("a", Act::Hang);
    tokio::time::timeout(secs(2), bench.refund("a")).await.unwrap_err();
    assert_eq!((bench.circuit.fail_counter(), bench.below().fail_counter()), (0, 1));
}

#[tokio::test]
async fn a_part_that_panics_is_its_own_matter() {
    let bench = bench();
    bench.acts.set("a", say(&[Panic]));
    let call = tokio::spawn({
        let refunds = bench.refunds();
        async move { read(refunds.get("a").send().await.unwrap()).await }
    });
    assert!(call.await.unwrap_err().is_panic());
    assert_eq!((bench.circuit.fail_counter(), bench.below().fail_counter()), (0, 1));
}

#[tokio::test]
async fn one_bad_endpoint_closes_off_no_service() {
    let bench = bench();
    bench.acts.set("a", Act::Answer(500));
    bench.refund_times(5, "a").await;
    assert_eq!((bench.circuit.state(), bench.below().state()), (State::Closed, State::Open));

    let error = bench.refund("a").await.unwrap_err();
    assert_eq!((error.service(), error.circuit()), ("payments", Some("payments/refunds")));
    assert_eq!(
        error.to_string(),
        "service payments: the call was rejected, because the circuit payments/refunds is open \
         (retry after 15.0s)"
    );
    let (status, body) = problem(error).await;
    assert_eq!(status, 503);
    assert_eq!(body["service"], "payments");
    assert_eq!(body["circuit"], "payments/refunds");
    assert_eq!((&body["state"], &body["reason"]), (&"open".into(), &"open".into()));

    assert_eq!(bench.call("b").await.unwrap(), 200);
    let other = bench.service.circuit("charges").unwrap();
    assert_eq!(other.get("b").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_service_that_is_gone_needs_no_trial_of_each_part() {
    let bench = bench();
    bench.acts.set("a", Act::Break(ErrorKind::ConnectionRefused));
    bench.refund_times(5, "a").await;
    assert_eq!((bench.circuit.state(), bench.below().state()), (State::Open, State::Open));
    let error = bench.service.circuit("charges").unwrap().get("b").send().await.unwrap_err();
    assert_eq!(error.circuit(), Some("payments"));
    let (_, body) = problem(error).await;
    assert_eq!(body.get("circuit"), None);

    // One call tries both, and closes both.
    bench.acts.set("a", Act::Answer(200));
    bench.clock.advance(secs(15));
    assert_eq!(bench.refund("a").await.unwrap(), 200);
    bench.becomes(&bench.circuit, State::Closed).await;
    bench.becomes(&bench.below(), State::Closed).await;
}

#[tokio::test]
async fn a_service_takes_no_trial_from_a_part_that_is_open() {
    let bench = bench();
    bench.acts.set("a", Act::Answer(500));
    bench.call_times(5, "a").await;
    bench.clock.advance(secs(15));
    let refunds = bench.refunds();
    let _ = refunds.below().unwrap().open().await;
    assert_eq!(bench.refund("b").await.unwrap_err().circuit(), Some("payments/refunds"));
    assert_eq!((bench.circuit.state(), bench.circuit.snapshot().trials), (State::Open, 0));
}

#[tokio::test]
async fn retry_after_is_for_the_part() {
    let bench = bench();
    bench.acts.set("a", Act::AskFor(503, "60"));
    bench.refund_times(5, "a").await;
    let left = bench.refund("a").await.unwrap_err().retry_after();
    assert_eq!(left, Some(secs(60)));
    bench.call_times(5, "b").await;
    bench.acts.set("b", Act::Answer(500));
    bench.call_times(5, "b").await;
    assert_eq!(bench.call("b").await.unwrap_err().retry_after(), Some(secs(15)));
}

#[tokio::test]
async fn the_apps_rules_are_asked_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let classify: ClassifyFn = Arc::new({
        let asked = asked.clone();
        move |service, attempt| {
            assert_eq!(service, "payments");
            asked.fetch_add(1, Ordering::SeqCst);
            (attempt.status()? == 404).then_some(Outcome::Failure)
        }
    });
    let bench = bench();
    bench.set(|rules| {
        rules.classifier = Classifier::new(&[], |_| None, Some(classify)).unwrap();
    });
    bench.acts.set("a", Act::Answer(404));
    bench.refund("a").await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!((bench.circuit.fail_counter(), bench.below().fail_counter()), (0, 1));
}

#[tokio::test]
async fn skipping_skips_both() {
    let bench = bench();
    let refunds = bench.refunds();
    let _ = refunds.below().unwrap().open().await;
    let _ = bench.circuit.open().await;
    assert_eq!(refunds.get("a").skip_breaker().send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn one_name_is_one_circuit_and_all_are_listed() {
    let bench = bench();
    bench.acts.set("a", Act::Answer(500));
    for name in ["refunds", "Refunds", "refunds"] {
        bench.service.circuit(name).unwrap().get("a").send().await.unwrap();
    }
    let all = bench.circuits.all();
    let all: Vec<_> = all.iter().map(|it| (it.name(), it.fail_counter())).collect();
    assert_eq!(all, [("payments", 0), ("payments/Refunds", 1), ("payments/refunds", 2)]);
    // Another of the same service, not below the first.
    let other = bench.refunds().circuit("eu").unwrap();
    assert_eq!(other.below().unwrap().name(), "payments/eu");
    assert_eq!(other.name(), "payments");
}

#[tokio::test]
async fn names_that_are_none_are_errors() {
    let bench = bench();
    for name in ["", "a/b", "..", "a b", "é", &"a".repeat(65)] {
        let error = bench.service.circuit(name).unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::CircuitName, "{name:?}");
        assert_eq!(error.service(), "payments");
    }
    let error = bench.service.circuit(&"/".repeat(10_000)).unwrap_err();
    assert!(error.to_string().len() < 250, "{error}");
    let (status, body) = problem(error).await;
    assert_eq!((status, &body["code"]), (500, &998625.into()));
    assert_eq!(body["detail"], "No circuit below payments can have the name that was asked for.");
}

#[tokio::test]
async fn there_are_only_so_many() {
    let warnings = Warnings::listen();
    let bench = bench();
    bench.set(|rules| rules.max_circuits = 2);
    let below =
        |name: &str| bench.service.circuit(name).unwrap().below().map(Circuit::name).is_some();
    assert_eq!(["a", "b", "a"].map(below), [true; 3]);
    assert_eq!(warnings.take(), [""; 0]);
    assert_eq!(["c", "d", "a"].map(below), [false, false, true]);
    let told = warnings.take();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("INFUSE_SERVICE_MAX_CIRCUITS"), "{told:?}");

    // By the service's circuit alone: a failing status is its own matter then.
    bench.acts.set("x", Act::Answer(500));
    bench.service.circuit("c").unwrap().get("x").send().await.unwrap();
    assert_eq!(bench.circuit.fail_counter(), 1);

    // Those that there are stay; more may come.
    bench.set(|rules| rules.max_circuits = 1);
    assert_eq!(["b", "c"].map(below), [true, false]);
    bench.set(|rules| rules.max_circuits = 3);
    assert_eq!(["c", "d"].map(below), [true, false]);
    assert_eq!(bench.circuits.all().len(), 4);
    assert_eq!(warnings.take(), [""; 0]);
}

#[tokio::test]
async fn who_wants_none_is_not_warned() {
    let warnings = Warnings::listen();
    let bench = bench();
    bench.set(|rules| rules.max_circuits = 0);
    assert!(bench.refunds().below().is_none());
    assert_eq!(warnings.take(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn there_are_only_so_many_whoever_asks() {
    let bench = bench();
    bench.set(|rules| rules.max_circuits = 10);
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let service = bench.service.clone();
            tokio::spawn(async move {
                for n in 0..50 {
                    let _ = service.circuit(&format!("c{}", (n * 7 + task * 3) % 50)).unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(bench.circuits.all().len(), 11);
}
