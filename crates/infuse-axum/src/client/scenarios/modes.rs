//! What someone says of a circuit, above what it knows.

use axum::response::IntoResponse;
use http_body_util::BodyExt;
use infuse_storage::core::{Mode, Override, Reason};
use serde_json::Value;

use super::*;

impl Bench {
    async fn open_by(&self, path: &str) {
        self.acts.set(path, Act::Answer(500));
        self.call_times(5, path).await;
        assert_eq!(self.circuit.state(), State::Open);
    }
}

async fn body(error: &ServiceError) -> Value {
    let body = error.into_response().into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn isolated_rejects_until_it_ends() {
    let bench = bench();
    let night = Override::new(Mode::Isolated).lasting(secs(3_600)).by("ada").because("a move");
    let _ = bench.circuit.set_override(Some(night)).await;
    bench.clock.advance(secs(600));
    let error = bench.call("a").await.unwrap_err();
    assert_eq!(error.rejected().unwrap().reason(), Reason::Isolated);
    assert_eq!(error.retry_after(), Some(secs(3_000)));
    assert_eq!(
        error.to_string(),
        "service payments: the call was rejected, because the circuit is isolated (retry after \
         3000.0s)"
    );
    let told = body(&error).await;
    assert_eq!((&told["state"], &told["reason"]), (&"open".into(), &"isolated".into()));
    assert_eq!(told["retry_after"], 3_000);
    assert_eq!(told["detail"], "Calls to payments have been suspended.");

    bench.clock.advance(secs(3_000));
    assert_eq!(bench.call("a").await.unwrap(), 200);
}

#[tokio::test]
async fn isolated_without_an_end_asks_to_come_back_after_the_reset_timeout() {
    let bench = bench_with(|policy| policy.reset_timeout(secs(40)));
    bench.circuit.set_mode(Mode::Isolated);
    let error = bench.call("a").await.unwrap_err();
    assert_eq!(error.retry_after(), Some(secs(40)));
    assert_eq!(body(&error).await["retry_after"], 40);
    // Where only the rejection is known, after the usual one.
    let error = ServiceError::rejection("payments", error.rejected().unwrap());
    assert_eq!(error.retry_after(), Some(secs(15)));
    bench.circuit.set_mode(Mode::Enabled);
    assert_eq!(bench.call("a").await.unwrap(), 200);
}

#[tokio::test]
async fn observed_passes_counts_and_recovers() {
    let bench = bench();
    bench.circuit.set_mode(Mode::Observe);
    bench.open_by("a").await;
    bench.acts.set("b", Act::Answer(200));
    for _ in 0..3 {
        assert_eq!(bench.call("a").await.unwrap(), 500);
        assert_eq!(bench.call("b").await.unwrap(), 200);
    }
    assert_eq!(bench.circuit.state(), State::Open);
    bench.clock.advance(secs(15));
    assert_eq!(bench.call("b").await.unwrap(), 200);
    bench.becomes(&bench.circuit, State::Closed).await;
}

#[tokio::test]
async fn disabled_passes_and_counts_nothing() {
    let bench = bench();
    bench.open_by("a").await;
    bench.circuit.set_mode(Mode::Disabled);
    for _ in 0..10 {
        assert_eq!(bench.call("a").await.unwrap(), 500);
    }
    bench.clock.advance(secs(15));
    assert_eq!(bench.call("b").await.unwrap(), 200);
    assert_eq!(bench.circuit.state(), State::Open);
    bench.circuit.set_mode(Mode::Enabled);
    assert_eq!(bench.call("b").await.unwrap(), 200);
    bench.becomes(&bench.circuit, State::Closed).await;
}

#[tokio::test]
async fn a_part_is_isolated_by_itself_and_a_service_with_its_parts() {
    let bench = bench();
    let refunds = bench.service.circuit("refunds").unwrap();
    refunds.below().unwrap().set_mode(Mode::Isolated);
    let error = refunds.get("a").send().await.unwrap_err();
    assert_eq!(error.circuit(), Some("payments/refunds"));
    assert_eq!(error.rejected().unwrap().reason(), Reason::Isolated);
    assert_eq!(bench.call("a").await.unwrap(), 200);

    refunds.below().unwrap().set_mode(Mode::Enabled);
    bench.circuit.set_mode(Mode::Isolated);
    assert_eq!(refunds.get("a").send().await.unwrap_err().circuit(), Some("payments"));
}

#[tokio::test]
async fn a_circuit_that_recovers_says_so() {
    let bench = bench_with(|policy| policy.ramp(secs(100)));
    // In this process alone.
    bench.circuits.shutdown().await;
    bench.open_by("a").await;
    bench.acts.set("a", Act::Answer(200));
    bench.clock.advance(secs(15));
    assert_eq!(bench.call("a").await.unwrap(), 200);
    bench.becomes(&bench.circuit, State::Closed).await;
    let mut rejected = Vec::new();
    for _ in 0..20 {
        rejected.extend(bench.call("a").await.err());
    }
    assert!((10..20).contains(&rejected.len()), "{}", rejected.len());
    let told = body(&rejected[0]).await;
    assert_eq!((&told["state"], &told["reason"]), (&"closed".into(), &"recovering".into()));
    assert_eq!(told["retry_after"], 1);
    assert!(told["detail"].as_str().unwrap().contains("recovered"), "{told}");
    bench.clock.advance(secs(100));
    bench.call_times(20, "a").await;
    assert_eq!(bench.call("a").await.unwrap(), 200);
}
