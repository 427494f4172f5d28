use std::{convert::Infallible, sync::Mutex};

use axum::{Router, body::Body, routing::any};
use http::request;
use http_body_util::BodyExt;
use infuse_storage::Outcome::{self, Failure, Ignored, Success};
use tower::service_fn;

use super::*;
use crate::{
    ServiceErrorKind,
    client::{
        ServiceResponse, Transport,
        script::{Script, Step::*},
        verdict::{Permit, Recorder, Verdict},
    },
    trace::CallSpan,
};

type Request = http::Request<Body>;
type Response = http::Response<Body>;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Sends to `target`, without a circuit: what became of the permit is written down.
async fn send(
    target: Target,
    build: impl FnOnce(ServiceRequest) -> ServiceRequest,
) -> (Result<ServiceResponse, ServiceError>, Recorder) {
    let (verdict, recorder) = Verdict::recorded(Arc::new(target));
    let request = build(prepare(&verdict.target, Method::POST, "/charge?a=1"));
    (request.send_with(verdict).await, recorder)
}

fn prepare(target: &Arc<Target>, method: Method, path: &str) -> ServiceRequest {
    ServiceRequest::new(target.clone(), None, method, &path)
}

/// What came in.
type Kept = Arc<Mutex<Vec<(request::Parts, bytes::Bytes)>>>;

/// A service that answers with an empty 200 and keeps what it got.
fn keeping() -> (Target, Kept) {
    let kept = Kept::default();
    let keep = kept.clone();
    let service = service_fn(move |request: Request| {
        let keep = keep.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            keep.lock().unwrap().push((parts, body));
            Ok::<_, axum::Error>(Response::default())
        }
    });
    (Target::test(Transport::service(service)), kept)
}

fn failing(error: std::io::ErrorKind) -> Target {
    let service =
        service_fn(
            move |_: Request| async move { Err::<Response, _>(std::io::Error::from(error)) },
        );
    Target::test(Transport::service(service))
}

#[tokio::test]
async fn a_request_is_sent_as_it_was_built() {
    let (target, kept) = keeping();
    let (answer, verdict) = send(target, |request| {
        request
            .header("x-one", "1")
            .header("x-one", "2")
            .query(&[("b", "2 3"), ("c", "#")])
            .json(&serde_json::json!({"amount": 7}))
    })
    .await;
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(verdict.outcome(), Some(Success));
    let (parts, body) = kept.lock().unwrap().pop().unwrap();
    assert_eq!(parts.method, "POST");
    assert_eq!(parts.uri, "http://payments:8000/api/charge?a=1&b=2+3&c=%23");
    assert_eq!(parts.headers["content-type"], "application/json");
    assert_eq!(parts.headers["content-length"], "12");
    assert_eq!(parts.headers["host"], "payments:8000");
    assert_eq!(parts.headers.get_all("x-one").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(body, r#"{"amount":7}"#);
}

#[tokio::test]
async fn what_the_caller_set_stays() {
    let (target, kept) = keeping();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("authorization", "Bearer t"),
        ("content-type", "application/x-own"),
        ("content-length", "99"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("x-many", "1"),
        ("x-many", "2"),
    ] {
        headers.append(name, HeaderValue::from_static(value));
    }
    let (answer, _) = send(target, |request| request.headers(headers).form(&[("a", "b c")])).await;
    answer.unwrap();
    let (parts, body) = kept.lock().unwrap().pop().unwrap();
    assert_eq!(parts.headers["authorization"], "Bearer t");
    assert_eq!(parts.headers["content-type"], "application/x-own");
    assert_eq!(parts.headers["content-length"], "5");
    assert_eq!(parts.headers.get_all("x-many").iter().count(), 2);
    assert!(!parts.headers.contains_key("connection"));
    assert!(!parts.headers.contains_key("transfer-encoding"));
    assert_eq!(body, "a=b+c");
}

#[tokio::test]
async fn there_is_one_content_type() {
    let (target, kept) = keeping();
    let (answer, _) =
        send(target, |request| request.json(&7).header("content-type", "text/x-seven")).await;
    answer.unwrap();
    let (parts, _) = kept.lock().unwrap().pop().unwrap();
    let types: Vec<_> = parts.headers.get_all("content-type").iter().collect();
    assert_eq!(types, ["text/x-seven"]);
}

#[tokio::test]
async fn forms_of_many_parts_know_their_length() {
    let (target, kept) = keeping();
    let form = reqwest::multipart::Form::new().text("a", "1").text("b", "2");
    let boundary = form.boundary().to_owned();
    let (answer, _) = send(target, |request| request.multipart(form)).await;
    answer.unwrap();
    let (parts, body) = kept.lock().unwrap().pop().unwrap();
    let content_type = format!("multipart/form-data; boundary={boundary}");
    assert_eq!(parts.headers["content-type"], content_type);
    assert_eq!(parts.headers["content-length"], body.len().to_string());
    assert!(body.ends_with(format!("--{boundary}--\r\n").as_bytes()));
}

#[tokio::test]
async fn what_cannot_be_built_is_not_sent() {
    type Build = fn(ServiceRequest) -> ServiceRequest;
    let unserializable: Build =
        |request| request.json(&std::collections::HashMap::from([((1, 2), 3)]));
    let builds: [(Build, &str); 6] = [
        (|request| request.header("a b", "c"), "the name of a header is invalid"),
        (|request| request.header("a", "b\nc"), "the value of a header is invalid"),
        (unserializable, "the body cannot be serialized as JSON"),
        (|request| request.query(&7), "the query cannot be serialized"),
        (|request| request.form(&7), "the body cannot be serialized as a form"),
        (
            |request| request.query(&[("a", "x".repeat(70_000))]),
            "the URL is longer than 65534 bytes",
        ),
    ];
    for (build, what) in builds {
        let (target, kept) = keeping();
        let (answer, verdict) = send(target, build).await;
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::Request, "{error:?}");
        assert_eq!(error.status(), 500);
        assert!(error.to_string().ends_with(what), "{error}");
        assert_eq!(verdict.outcome(), Some(Ignored));
        assert!(kept.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_first_mistake_is_the_one_that_is_told() {
    let (target, _) = keeping();
    let request = prepare(&Arc::new(target), Method::GET, "../admin").header("a b", "c");
    let error = request.send().await.err().unwrap();
    assert_eq!(error.kind(), ServiceErrorKind::PathRefused);
    assert_eq!(error.status(), 400);
}

#[tokio::test]
async fn hooks_see_every_request_in_order() {
    let (mut target, kept) = keeping();
    let hook = |value: &'static str| -> crate::client::OnRequest {
        Arc::new(move |service, parts| {
            assert_eq!(service, "payments");
            parts.headers.append("x-hook", HeaderValue::from_static(value));
        })
    };
    target.on_request = Arc::new([hook("1"), hook("2")]);
    let (answer, _) = send(target, |request| request).await;
    answer.unwrap();
    let (parts, _) = kept.lock().unwrap().pop().unwrap();
    assert_eq!(parts.headers.get_all("x-hook").iter().collect::<Vec<_>>(), ["1", "2"]);
}

#[tokio::test]
async fn no_answer_is_a_failure() {
    use std::io::ErrorKind;
    for (error, kind, status) in [
        (ErrorKind::ConnectionRefused, ServiceErrorKind::Connect, 502),
        (ErrorKind::ConnectionReset, ServiceErrorKind::Disconnect, 502),
        (ErrorKind::TimedOut, ServiceErrorKind::Timeout, 504),
    ] {
        let (answer, verdict) = send(failing(error), |request| request).await;
        let error = answer.unwrap_err();
        assert_eq!((error.kind(), error.status().as_u16()), (kind, status));
        assert!(std::error::Error::source(&error).is_some());
        assert_eq!(verdict.outcome(), Some(Failure));
    }
}

fn hanging() -> Target {
    let service = service_fn(|_: Request| std::future::pending::<Result<Response, Infallible>>());
    Target::test(Transport::service(service))
}

#[tokio::test(start_paused = true)]
async fn a_service_that_hangs_times_out() {
    let start = tokio::time::Instant::now();
    let (answer, verdict) = send(hanging(), |request| request).await;
    let error = answer.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.to_string(), "service payments: no answer within 5s");
    assert!(start.elapsed() >= secs(5) && start.elapsed() < secs(6));
    assert_eq!(verdict.outcome(), Some(Failure));
}

#[tokio::test(start_paused = true)]
async fn the_timeout_can_be_set_and_lifted() {
    let start = tokio::time::Instant::now();
    let (answer, _) = send(hanging(), |request| request.timeout(secs(60))).await;
    assert!(answer.unwrap_err().is_timeout());
    assert!(start.elapsed() >= secs(60));

    let forever = send(hanging(), |request| request.timeout(None));
    assert!(tokio::time::timeout(secs(10_000), forever).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn headers_and_body_share_one_timeout() {
    let service = service_fn(|_: Request| async {
        tokio::time::sleep(secs(3)).await;
        let body = Script::new(&[Wait(secs(3)), Data("a")]);
        Ok::<_, Infallible>(http::Response::new(body))
    });
    let (answer, verdict) =
        send(Target::test(Transport::service(service)), |request| request).await;
    let answer = answer.unwrap();
    tokio::time::sleep(secs(100)).await;
    assert!(answer.bytes().await.unwrap_err().is_timeout());
    assert_eq!(verdict.outcome(), Some(Failure));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_counts_as_nothing() {
    let (verdict, recorder) = Verdict::recorded(Arc::new(hanging()));
    let call = prepare(&verdict.target, Method::GET, "a").timeout(secs(5)).send_with(verdict);
    assert!(tokio::time::timeout(secs(1), call).await.is_err());
    assert_eq!(recorder.outcome(), Some(Ignored));
}

#[tokio::test]
async fn a_service_in_the_process_that_panics_has_failed() {
    let app = Router::new().fallback(any(async || -> () { panic!("the handler panics") }));
    let (verdict, recorder) = Verdict::recorded(Arc::new(Target::test(Transport::service(app))));
    let call = prepare(&verdict.target, Method::GET, "a").timeout(None).send_with(verdict);
    let task = tokio::spawn(call);
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(recorder.outcome(), Some(Failure));
}

/// A service that reads the whole body before it answers.
fn reading() -> Target {
    keeping().0
}

async fn upload(
    steps: &[crate::client::script::Step],
) -> (Result<(), ServiceError>, Option<Outcome>) {
    let body = Body::new(Script::new(steps));
    let (answer, verdict) = send(reading(), |request| request.body(body)).await;
    (answer.map(drop), verdict.outcome())
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_slow_to_send_uses_up_nothing() {
    let (answer, outcome) = upload(&[Data("a"), Wait(secs(3600)), Data("b")]).await;
    answer.unwrap();
    assert_eq!(outcome, Some(Success));
}

#[tokio::test]
async fn a_body_that_breaks_off_at_the_caller_counts_as_nothing() {
    let (answer, outcome) = upload(&[Data("a"), Fail]).await;
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), ServiceErrorKind::RequestBody);
    assert_eq!(error.status(), 500);
    assert_eq!(outcome, Some(Ignored));
}

#[tokio::test]
async fn skipping_the_breaker_has_no_verdict() {
    let target = Arc::new(failing(std::io::ErrorKind::ConnectionRefused));
    let rules = target.rules.get();
    let verdict = Verdict::new(Permit::None, target, rules, CallSpan::default());
    let request = prepare(&verdict.target, Method::GET, "a").timeout(None);
    let error = request.send_with(verdict).await.unwrap_err();
    assert_eq!(error.kind(), ServiceErrorKind::Connect);
}

#[tokio::test]
async fn sending_can_be_spawned() {
    fn spawnable<T: Send + 'static>(_: &T) {}
    let (target, _) = keeping();
    spawnable(&prepare(&Arc::new(target), Method::GET, "a").send());
}
