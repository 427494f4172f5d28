//! The client and its circuit, end to end, without sockets.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::State as AppState,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use http_body_util::BodyExt;
use infuse_storage::{Circuit, ManualClock, Outcome, State};
use serde_json::{Value, json};

use super::*;
use crate::{
    Attempt, ServiceErrorKind, ServiceResponse,
    classify::{Classifier, ClassifyFn, ExcludeFn},
    client::{ServiceConfig, Transport, testing},
    reload::{LiveRules, Rules},
    settings::Exclusion,
};

/// A service that answers with the status it is set to, or hangs at 0.
#[derive(Clone, Default)]
struct Payments {
    status: Arc<AtomicU16>,
    calls: Arc<AtomicUsize>,
}

impl Payments {
    fn set(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn router(&self) -> Router {
        async fn answer(AppState(payments): AppState<Payments>) -> Response {
            payments.calls.fetch_add(1, Ordering::SeqCst);
            match StatusCode::from_u16(payments.status.load(Ordering::SeqCst)) {
                Ok(status) => (status, "not json").into_response(),
                Err(_) => pending().await,
            }
        }
        Router::new().fallback(answer).with_state(self.clone())
    }
}

struct Bench {
    payments: Payments,
    circuit: Circuit,
    clock: ManualClock,
    service: Service,
}

fn config(name: &str, circuit: &Circuit, transport: Option<Transport>) -> ServiceConfig {
    ServiceConfig {
        name: ServiceName::with_spelling(name).unwrap(),
        circuit: circuit.clone(),
        base_url: "http://payments:8000".parse().unwrap(),
        rules: Arc::default(),
        below: Arc::new(|_| unreachable!("no circuit below is asked for")),
        redirects: 0,
        transport,
    }
}

fn judge_by(parts: &mut ClientParts, classifier: Classifier) {
    let rules = Rules { classifier, ..Rules::default() };
    parts.services[0].rules = Arc::new(LiveRules::new(rules));
}

fn bench_with(change: impl FnOnce(&mut ClientParts)) -> Bench {
    let payments = Payments::default();
    payments.set(200);
    let (circuit, clock) = testing::circuit();
    let transport = Transport::service(payments.router());
    let mut parts = ClientParts {
        services: vec![config("payments", &circuit, Some(transport))],
        ..ClientParts::default()
    };
    change(&mut parts);
    let service = ServiceClient::new(parts).unwrap().service("payments").unwrap();
    Bench { payments, circuit, clock, service }
}

fn bench() -> Bench {
    bench_with(|_| {})
}

impl Bench {
    async fn call(&self) -> Result<ServiceResponse, ServiceError> {
        self.service.get("a").send().await
    }

    /// The storage hears of a trial's end in the background, and has the last word.
    async fn closes(&self) {
        let closed = async {
            while self.circuit.state() != State::Closed {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), closed).await.expect("the circuit closes");
    }

    async fn open(&self) {
        self.payments.set(500);
        for _ in 0..5 {
            assert_eq!(self.call().await.unwrap().status(), 500);
        }
        assert_eq!(self.circuit.state(), State::Open);
    }
}

async fn problem(response: Response) -> (http::response::Parts, Value) {
    let (parts, body) = response.into_parts();
    assert_eq!(parts.headers["content-type"], "application/problem+json");
    assert_eq!(parts.headers["cache-control"], "no-store");
    let body = body.collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["status"], parts.status.as_u16());
    (parts, body)
}

#[tokio::test]
async fn five_failures_open_and_then_nothing_reaches_the_service() {
    let bench = bench();
    bench.open().await;
    bench.clock.advance(Duration::from_millis(12_300));
    let error = bench.call().await.unwrap_err();
    assert!(error.is_rejected());
    assert_eq!(bench.payments.calls(), 5);
    assert_eq!(error.retry_after().unwrap(), Duration::from_millis(2_700));

    let (parts, mut body) = problem((&error).into_response()).await;
    assert_eq!(parts.status, 503);
    assert_eq!(parts.headers["retry-after"], "3");
    // What opened it, and no more than anybody may know.
    let tripped = body.as_object_mut().unwrap().remove("tripped").unwrap();
    let by = error.provenance().unwrap().by.unwrap().to_string();
    let fault = json!({ "kind": "status", "status": 500 });
    assert_eq!(
        tripped,
        json!({ "cause": "failures", "by": by, "at": 1_000_000_000.0, "fault": fault })
    );
    assert_eq!(
        body,
        json!({
            "type": "urn:infuse:rejected",
            "title": "Service temporarily unavailable",
            "status": 503,
            "detail": "Calls to payments are suspended, because it is failing.",
            "code": 998603,
            "service": "payments",
            "state": "open",
            "reason": "open",
            "retry_after": 3,
        })
    );
}

#[tokio::test]
async fn a_trial_closes_or_opens_again() {
    let bench = bench();
    bench.open().await;
    bench.clock.advance(Duration::from_secs(15));
    assert_eq!(bench.call().await.unwrap().status(), 500);
    assert!(bench.call().await.unwrap_err().is_rejected());

    bench.clock.advance(Duration::from_secs(15));
    bench.payments.set(200);
    let answer = bench.call().await.unwrap();
    // It has not been read yet.
    assert_eq!(bench.circuit.state(), State::HalfOpen);
    let error = bench.call().await.unwrap_err();
    assert_eq!(error.rejected().unwrap().state(), State::HalfOpen);
    answer.bytes().await.unwrap();
    bench.closes().await;
    assert_eq!(bench.payments.calls(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_trial_of_a_caller_that_goes_away_goes_to_the_next() {
    let bench = bench();
    bench.open().await;
    bench.clock.advance(Duration::from_secs(15));
    bench.payments.set(0);
    tokio::time::timeout(Duration::from_secs(1), bench.call()).await.unwrap_err();
    bench.payments.set(200);
    bench.call().await.unwrap().bytes().await.unwrap();
    bench.closes().await;
}

#[tokio::test(start_paused = true)]
async fn timeouts_open() {
    let bench = bench();
    bench.payments.set(0);
    for _ in 0..5 {
        assert!(bench.call().await.unwrap_err().is_timeout());
    }
    assert!(bench.call().await.unwrap_err().is_rejected());
}

#[tokio::test(start_paused = true)]
async fn callers_that_go_away_do_not() {
    let bench = bench();
    bench.payments.set(0);
    for _ in 0..20 {
        tokio::time::timeout(Duration::from_secs(1), bench.call()).await.unwrap_err();
    }
    assert_eq!((bench.circuit.state(), bench.circuit.fail_counter()), (State::Closed, 0));
}

#[tokio::test]
async fn what_is_no_failure_does_not_open() {
    let bench = bench();
    for status in [404, 429, 401, 302] {
        bench.payments.set(status);
        for _ in 0..1000 {
            assert_eq!(bench.call().await.unwrap().status(), status);
        }
    }
    bench.payments.set(200);
    for _ in 0..20 {
        let error = bench.call().await.unwrap().json::<Value>().await.unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::Decode);
    }
    assert_eq!((bench.circuit.state(), bench.circuit.fail_counter()), (State::Closed, 0));
}

#[tokio::test]
async fn what_is_not_sent_takes_no_permit() {
    let bench = bench();
    bench.open().await;
    bench.clock.advance(Duration::from_secs(15));
    for _ in 0..3 {
        let error = bench.service.get("../admin").send().await.unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::PathRefused);
        let error = bench.service.get("a").header("a b", "").send().await.unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::Request);
    }
    // The trial is still to be had.
    assert_eq!(bench.circuit.state(), State::Open);
    assert!(bench.call().await.is_ok());
}

#[tokio::test]
async fn skipping_passes_an_open_circuit_and_moves_no_count() {
    let bench = bench();
    bench.open().await;
    bench.payments.set(200);
    let answer = bench.service.get("a").skip_breaker().send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "not json");
    assert_eq!(bench.circuit.state(), State::Open);

    let _ = bench.circuit.close().await;
    bench.payments.set(500);
    for _ in 0..10 {
        bench.service.get("a").skip_breaker().send().await.unwrap();
    }
    assert_eq!((bench.circuit.state(), bench.circuit.fail_counter()), (State::Closed, 0));
}

#[tokio::test]
async fn exclusions_take_failures_out() {
    let bench = bench_with(|parts| {
        let exclude = [Exclusion::Status(503), Exclusion::Named("teapot".into())];
        let teapot: ExcludeFn =
            Arc::new(|attempt: &Attempt<'_>| attempt.status().is_some_and(|s| s == 599));
        let named = |name: &str| (name == "teapot").then(|| teapot.clone());
        judge_by(parts, Classifier::new(&exclude, named, None).unwrap());
    });
    for status in [503, 599] {
        bench.payments.set(status);
        for _ in 0..10 {
            assert_eq!(bench.call().await.unwrap().status(), status);
        }
    }
    assert_eq!(bench.circuit.state(), State::Closed);
    bench.open().await;
}

#[tokio::test]
async fn classify_is_asked_first() {
    let bench = bench_with(|parts| {
        let classify: ClassifyFn = Arc::new(|service, attempt| {
            (service == "payments" && attempt.status()? == 404).then_some(Outcome::Failure)
        });
        judge_by(parts, Classifier::new(&[], |_| None, Some(classify)).unwrap());
    });
    bench.payments.set(404);
    for _ in 0..5 {
        assert_eq!(bench.call().await.unwrap().status(), 404);
    }
    assert!(bench.call().await.unwrap_err().is_rejected());
}

#[tokio::test]
async fn hooks_are_not_asked_for_what_is_not_sent() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let bench = bench_with(|parts| {
        parts.on_request = vec![Arc::new(move |_, _| {
            count.fetch_add(1, Ordering::SeqCst);
        })];
    });
    bench.open().await;
    bench.call().await.unwrap_err();
    assert_eq!(asked.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn names_are_found_however_they_are_spelt() {
    let (circuit, _) = testing::circuit();
    let parts = ClientParts {
        services: vec![config("User_Service", &circuit, None), config("mail", &circuit, None)],
        ..ClientParts::default()
    };
    let client = ServiceClient::new(parts).unwrap();
    assert_eq!(client.services().collect::<Vec<_>>(), ["User_Service", "mail"]);
    for name in ["User_Service", "user-service", "USER_SERVICE"] {
        assert_eq!(client.service(name).unwrap().name(), "User_Service");
    }
    let error = client.service("mails").unwrap_err();
    assert_eq!(error.kind(), ServiceErrorKind::UnknownService);
    assert_eq!(
        error.to_string(),
        "no service \"mails\" is configured: list it in INFUSE_SERVICE_CONNECTIONS or set \
         INFUSE_SERVICES__MAILS__URL (configured: User_Service, mail)"
    );
    let (parts, body) = problem(error.into_response()).await;
    assert_eq!(parts.status, 500);
    assert_eq!(
        body["detail"],
        "No service of this name is configured. List it in INFUSE_SERVICE_CONNECTIONS or set \
         INFUSE_SERVICES__MAILS__URL."
    );
}

#[tokio::test]
async fn what_cannot_work_is_known_before_the_first_call() {
    let (circuit, _) = testing::circuit();
    let fails = |change: &dyn Fn(&mut ServiceConfig)| {
        let mut config = config("payments", &circuit, None);
        change(&mut config);
        let parts = ClientParts { services: vec![config], ..ClientParts::default() };
        ServiceClient::new(parts).unwrap_err().to_string()
    };
    assert!(
        fails(&|config| config.base_url = "ftp://payments".parse().unwrap())
            .starts_with("service payments: the base URL has the scheme \"ftp\"; use `http`")
    );
}

#[tokio::test]
async fn an_answer_is_passed_on_without_what_is_about_the_connection() {
    let (circuit, _) = testing::circuit();
    let app = Router::new().fallback(async || {
        Response::builder()
            .status(418)
            .version(http::Version::HTTP_2)
            .header("connection", "x-hop")
            .header("x-hop", "1")
            .header("x-end", "1")
            .extension("of the connection")
            .body(Body::from("tea"))
            .unwrap()
    });
    let parts = ClientParts {
        services: vec![config("payments", &circuit, Some(Transport::service(app)))],
        ..ClientParts::default()
    };
    let service = ServiceClient::new(parts).unwrap().service("payments").unwrap();
    let answer = service.get("").send().await.unwrap();
    assert_eq!(answer.headers()["x-hop"], "1");
    let response = answer.into_response();
    assert_eq!(response.status(), 418);
    assert_eq!(response.version(), http::Version::HTTP_11);
    assert!(!response.headers().contains_key("x-hop"));
    assert!(!response.headers().contains_key("connection"));
    assert_eq!(response.headers()["x-end"], "1");
    assert!(response.extensions().is_empty());
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "tea");
}
