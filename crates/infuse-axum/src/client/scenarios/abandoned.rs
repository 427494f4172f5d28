//! Calls that their callers drop.

use infuse_storage::Outcome::{Failure, Ignored, Success};

use super::*;
use crate::client::{script::Step::*, testing::Warnings};

const PATIENT: Duration = Duration::from_secs(2);

/// Calls that are dropped after 2 s of waiting are failures.
fn strict() -> Bench {
    bench_with(|policy| policy.abandoned_after(PATIENT))
}

impl Bench {
    /// Drops a call after so long, of which it must not have come to an end.
    async fn drop_after(&self, time: Duration) {
        let call = self.call("a");
        assert!(tokio::time::timeout(time, call).await.is_err(), "it ended before");
    }

    fn outcome(&self) -> infuse_storage::Outcome {
        // Four failures before: another opens, a success forgets them.
        match (self.circuit.state(), self.circuit.fail_counter()) {
            (State::Open, _) => Failure,
            (State::Closed, 4) => Ignored,
            (State::Closed, 0) => Success,
            other => panic!("{other:?}"),
        }
    }

    async fn nearly_open(&self) {
        self.acts.set("bad", Act::Answer(500));
        self.call_times(4, "bad").await;
        assert_eq!(self.circuit.fail_counter(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_headers_counts() {
    for (waited, outcome) in [(1_990, Ignored), (2_010, Failure)] {
        let bench = strict();
        bench.nearly_open().await;
        bench.acts.set("a", Act::Hang);
        bench.drop_after(Duration::from_millis(waited)).await;
        assert_eq!(bench.outcome(), outcome, "{waited}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_never_a_failure_unless_that_is_asked_for() {
    let bench = bench();
    bench.nearly_open().await;
    bench.acts.set("a", Act::Hang);
    bench.drop_after(Duration::from_millis(4_900)).await;
    assert_eq!(bench.outcome(), Ignored);
    // A policy that is changed meanwhile holds at once.
    let policy = bench.circuit.policy().to_builder().abandoned_after(PATIENT).build().unwrap();
    bench.circuit.set_policy(policy);
    bench.drop_after(Duration::from_millis(4_900)).await;
    assert_eq!(bench.outcome(), Failure);
}

#[tokio::test(start_paused = true)]
async fn waits_in_the_body_add_up() {
    for (last, outcome) in [(500, Ignored), (1_100, Failure)] {
        let bench = strict();
        bench.nearly_open().await;
        bench.acts.set("a", say(&[Wait(secs(1)), Data("a"), Hang]));
        bench.drop_after(secs(1) + Duration::from_millis(last)).await;
        assert_eq!(bench.outcome(), outcome, "{last}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_was_given_up_counts_as_long_as_it_lasted() {
    for (reads, outcome) in [(1, Ignored), (3, Failure)] {
        let bench = strict();
        bench.nearly_open().await;
        bench.acts.set("a", say(&[Data("a"), Hang]));
        let mut answer = bench.get("a").await.unwrap();
        answer.chunk().await.unwrap();
        for _ in 0..reads {
            tokio::time::timeout(secs(1), answer.chunk()).await.unwrap_err();
            tokio::time::sleep(secs(60)).await;
        }
        drop(answer);
        assert_eq!(bench.outcome(), outcome, "{reads}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_accuses_nobody() {
    let bench = strict();
    bench.nearly_open().await;
    bench.acts.set("a", say(&[Data("a"), Wait(secs(1)), Data("b"), Hang]));
    let mut answer = bench.get("a").await.unwrap();
    for _ in 0..2 {
        // By the circuit's own clock too, which the permit goes by.
        bench.clock.advance(secs(60));
        tokio::time::sleep(secs(60)).await;
        answer.chunk().await.unwrap().unwrap();
    }
    tokio::time::timeout(Duration::from_millis(500), answer.chunk()).await.unwrap_err();
    bench.clock.advance(secs(60));
    drop(answer);
    assert_eq!(bench.outcome(), Ignored);

    // Between two reads the status decides, whatever was waited before.
    bench.acts.set("a", say(&[Wait(secs(3)), Data("a"), Data("b")]));
    let mut answer = bench.get("a").await.unwrap();
    answer.chunk().await.unwrap().unwrap();
    bench.clock.advance(secs(60));
    drop(answer);
    assert_eq!(bench.outcome(), Success);
}

#[tokio::test(start_paused = true)]
async fn a_slow_upload_accuses_nobody() {
    let bench = strict();
    bench.nearly_open().await;
    let body = Body::new(Script::new(&[Data("a"), Wait(secs(60))]));
    // The service waits for the end of the body, as it has to.
    let reading = service_fn(async |request: Request<Body>| {
        http_body_util::BodyExt::collect(request.into_body()).await?;
        Ok::<_, axum::Error>(Response::new(Body::empty()))
    });
    let (circuit, rules) = (bench.circuit.clone(), bench.rules.clone());
    let config = ServiceConfig {
        name: ServiceName::parse("payments").unwrap(),
        circuit,
        base_url: "http://payments".parse().unwrap(),
        rules,
        below: Arc::new(|_| unreachable!()),
        redirects: 0,
        transport: Some(Transport::service(reading)),
    };
    let parts = ClientParts { services: vec![config], ..ClientParts::default() };
    let service = ServiceClient::new(parts).unwrap().service("payments").unwrap();
    let call = service.post("a").body(body).send();
    tokio::time::timeout(secs(30), call).await.unwrap_err();
    assert_eq!(bench.outcome(), Ignored);
}

#[tokio::test(start_paused = true)]
async fn without_a_timeout_only_the_headers_may_take_too_long() {
    let bench = strict();
    bench.nearly_open().await;
    bench.acts.set("a", say(&[Data("a"), Wait(secs(60)), Data("b"), Hang]));
    let mut events = bench.service.get("a").timeout(None).send().await.unwrap();
    events.chunk().await.unwrap().unwrap();
    events.chunk().await.unwrap().unwrap();
    tokio::time::timeout(secs(60), events.chunk()).await.unwrap_err();
    drop(events);
    assert_eq!(bench.outcome(), Ignored);

    bench.acts.set("a", Act::Hang);
    let call = bench.service.get("a").timeout(None).send();
    tokio::time::timeout(secs(60), call).await.unwrap_err();
    assert_eq!(bench.outcome(), Failure);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_hangs_behind_a_shorter_timeout_is_found_out() {
    let bench = strict();
    bench.acts.set("a", Act::Hang);
    for _ in 0..5 {
        bench.drop_after(secs(3)).await;
    }
    assert!(bench.call("a").await.unwrap_err().is_rejected());
    // A trial too.
    bench.clock.advance(secs(15));
    bench.drop_after(secs(3)).await;
    assert_eq!(bench.circuit.state(), State::Open);
    assert_eq!(bench.call("a").await.unwrap_err().retry_after(), Some(secs(15)));
}

#[tokio::test(start_paused = true)]
async fn callers_that_give_up_again_and_again_are_warned_of_once() {
    let warnings = Warnings::listen();
    let bench = bench();
    bench.acts.set("a", Act::Hang);
    for _ in 0..2 {
        bench.drop_after(secs(2)).await;
    }
    // Who leaves at once is no sign, and an answer between says that all is well.
    for _ in 0..10 {
        bench.drop_after(Duration::from_millis(900)).await;
    }
    bench.call("b").await.unwrap();
    for _ in 0..2 {
        bench.drop_after(secs(2)).await;
    }
    assert_eq!(warnings.take(), [""; 0]);
    for _ in 0..10 {
        bench.drop_after(secs(2)).await;
    }
    let warnings = warnings.take();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in ["payments", "(5s)", "INFUSE_SERVICE_TIMEOUT", "INFUSE_BREAKER_ABANDONED_AFTER"] {
        assert!(warnings[0].contains(part), "{warnings:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn there_is_nothing_to_warn_of_where_drops_count_or_streams_end() {
    let warnings = Warnings::listen();
    let bench = strict();
    bench.acts.set("a", Act::Hang);
    for _ in 0..10 {
        bench.drop_after(Duration::from_millis(1_900)).await;
    }
    let bench = super::bench();
    bench.acts.set("a", say(&[Data("a"), Hang]));
    for _ in 0..10 {
        let mut events = bench.service.get("a").timeout(None).send().await.unwrap();
        events.chunk().await.unwrap().unwrap();
        tokio::time::timeout(secs(60), events.chunk()).await.unwrap_err();
    }
    assert_eq!(warnings.take(), [""; 0]);
}
