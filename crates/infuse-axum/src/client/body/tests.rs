use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::body::Body;
use http::Response;
use infuse_storage::Outcome::{Failure, Ignored, Success};

use super::*;
use crate::{
    ServiceErrorKind, ServiceResponse,
    classify::{Classifier, ClassifyFn},
    client::{
        Transport,
        patience::Patience,
        script::{Script, Step, Step::*},
        service::Target,
        verdict::Recorder,
    },
    settings::Exclusion,
};

fn target() -> Target {
    Target::test(Transport::service(axum::Router::new()))
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn answer(target: Target, status: u16, body: Script) -> (ServiceResponse, Recorder) {
    answer_with(target, Response::builder().status(status), body)
}

fn answer_with(
    target: Target,
    answer: http::response::Builder,
    body: Script,
) -> (ServiceResponse, Recorder) {
    let (mut verdict, recorder) = Verdict::recorded(Arc::new(target));
    verdict.patience = Patience::new(verdict.rules.timeout, None);
    let source = Source::Service(SyncBody::new(Body::new(body)));
    (ServiceResponse::new(answer.body(source).unwrap(), verdict, false), recorder)
}

fn ok(steps: &[Step]) -> (ServiceResponse, Recorder) {
    answer(target(), 200, Script::new(steps))
}

#[tokio::test]
async fn a_failing_status_is_settled_with_the_headers() {
    let (_response, verdict) = answer(target(), 500, Script::new(&[Data("x")]));
    assert_eq!(verdict.outcome(), Some(Failure));
    let (_response, verdict) = answer(target(), 429, Script::new(&[Data("x")]));
    assert_eq!(verdict.outcome(), Some(Ignored));
}

#[tokio::test]
async fn a_failing_status_stays_a_failure_whatever_the_body_does() {
    for steps in [&[Data("x")][..], &[Fail], &[]] {
        let (response, verdict) = answer(target(), 500, Script::new(steps));
        let _ = response.bytes().await;
        assert_eq!(verdict.outcome(), Some(Failure));
    }
}

#[tokio::test]
async fn the_end_of_the_body_is_the_success() {
    let (mut response, verdict) = ok(&[Data("a"), Data("b")]);
    assert_eq!(response.chunk().await.unwrap().unwrap(), "a");
    assert_eq!(response.chunk().await.unwrap().unwrap(), "b");
    assert_eq!(verdict.outcome(), None);
    assert_eq!(response.chunk().await.unwrap(), None);
    assert_eq!(verdict.outcome(), Some(Success));
    assert_eq!(response.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn the_last_frame_is_the_end_for_who_reads_by_length() {
    let (mut response, verdict) = ok(&[Data("a"), Last("b")]);
    response.chunk().await.unwrap();
    assert_eq!(verdict.outcome(), None);
    response.chunk().await.unwrap();
    assert_eq!(verdict.outcome(), Some(Success));
}

#[tokio::test]
async fn an_empty_body_is_a_success_at_once() {
    for status in [204, 304] {
        let (_response, verdict) = answer(target(), status, Script::new(&[]).announcing(5));
        assert_eq!(verdict.outcome(), Some(Success), "{status}");
    }
    let target = Arc::new(target());
    let (verdict, recorder) = Verdict::recorded(target.clone());
    let source = Source::Service(SyncBody::new(Body::empty()));
    let _response = ServiceResponse::new(Response::new(source), verdict, false);
    assert_eq!(recorder.outcome(), Some(Success));
    // HEAD: whatever the headers announce.
    let (verdict, recorder) = Verdict::recorded(target.clone());
    let source = Source::Service(SyncBody::new(Body::new(Script::new(&[Hang]).announcing(9))));
    let response = ServiceResponse::new(Response::new(source), verdict, true);
    assert_eq!(recorder.outcome(), Some(Success));
    assert_eq!(response.bytes().await.unwrap(), "");
}

#[tokio::test]
async fn an_error_in_the_body_is_a_failure() {
    let (response, verdict) = ok(&[Data("a"), Fail]);
    let error = response.bytes().await.unwrap_err();
    assert_eq!(error.kind(), ServiceErrorKind::Body);
    assert_eq!(error.upstream_status().unwrap(), 200);
    assert_eq!(error.status(), 502);
    assert_eq!(verdict.outcome(), Some(Failure));
}

#[tokio::test]
async fn after_an_error_the_body_is_at_its_end() {
    let (mut response, _) = ok(&[Fail, Data("more")]);
    response.chunk().await.unwrap_err();
    assert_eq!(response.chunk().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn dropped_between_reads_the_status_decides() {
    let (response, verdict) = ok(&[Data("a")]);
    drop(response);
    assert_eq!(verdict.outcome(), Some(Success));

    let (mut response, verdict) = ok(&[Wait(secs(1)), Data("a"), Hang]);
    response.chunk().await.unwrap();
    drop(response);
    assert_eq!(verdict.outcome(), Some(Success));

    let (response, verdict) = answer(target(), 404, Script::new(&[Data("a")]));
    response.error_for_status().unwrap_err();
    assert_eq!(verdict.outcome(), Some(Success));
}

#[tokio::test(start_paused = true)]
async fn dropped_while_a_read_is_pending_it_says_nothing() {
    let (mut response, verdict) = ok(&[Data("a"), Hang]);
    response.chunk().await.unwrap();
    tokio::time::timeout(secs(1), response.chunk()).await.unwrap_err();
    assert_eq!(verdict.outcome(), None);
    drop(response);
    assert_eq!(verdict.outcome(), Some(Ignored));

    let (response, verdict) = ok(&[Data("a"), Hang]);
    tokio::time::timeout(secs(1), response.bytes()).await.unwrap_err();
    assert_eq!(verdict.outcome(), Some(Ignored));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_was_given_up_can_be_taken_up() {
    let (mut response, verdict) = ok(&[Wait(secs(2)), Data("a")]);
    tokio::time::timeout(secs(1), response.chunk()).await.unwrap_err();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "a");
    drop(response);
    assert_eq!(verdict.outcome(), Some(Success));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_was_given_up_uses_up_nothing_more() {
    let (mut response, verdict) = ok(&[Wait(secs(2)), Data("a"), Wait(secs(3)), Last("b")]);
    tokio::time::timeout(secs(1), response.chunk()).await.unwrap_err();
    tokio::time::sleep(secs(3600)).await;
    assert_eq!(response.chunk().await.unwrap().unwrap(), "a");
    assert_eq!(response.chunk().await.unwrap().unwrap(), "b");
    assert_eq!(verdict.outcome(), Some(Success));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_times_out() {
    let (response, verdict) = ok(&[Data("a"), Hang]);
    let start = tokio::time::Instant::now();
    let error = response.bytes().await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.status(), 504);
    assert_eq!(error.upstream_status().unwrap(), 200);
    assert!(start.elapsed() >= secs(5) && start.elapsed() < secs(6));
    assert_eq!(verdict.outcome(), Some(Failure));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_pauses_uses_up_nothing() {
    let (mut response, verdict) =
        ok(&[Data("a"), Wait(secs(2)), Data("b"), Wait(secs(2)), Data("c")]);
    while response.chunk().await.unwrap().is_some() {
        tokio::time::sleep(secs(3600)).await;
    }
    assert_eq!(verdict.outcome(), Some(Success));
}

#[tokio::test(start_paused = true)]
async fn waits_add_up() {
    let (response, verdict) =
        ok(&[Wait(secs(2)), Data("a"), Wait(secs(2)), Data("b"), Wait(secs(2)), Data("c")]);
    assert!(response.bytes().await.unwrap_err().is_timeout());
    assert_eq!(verdict.outcome(), Some(Failure));
}

#[tokio::test(start_paused = true)]
async fn without_a_timeout_a_stream_may_take_its_time() {
    let target = target().with(|rules| rules.timeout = None);
    let (response, verdict) = answer(target, 200, Script::new(&[Wait(secs(10_000)), Data("a")]));
    assert_eq!(response.text().await.unwrap(), "a");
    assert_eq!(verdict.outcome(), Some(Success));
}

#[tokio::test]
async fn what_does_not_parse_is_the_callers_affair() {
    let (response, verdict) = ok(&[Data("{\"a\""), Data(": tru")]);
    let error = response.json::<serde_json::Value>().await.unwrap_err();
    assert_eq!(error.kind(), ServiceErrorKind::Decode);
    assert_eq!(error.status(), 502);
    assert_eq!(error.upstream_status().unwrap(), 200);
    assert_eq!(verdict.outcome(), Some(Success));

    let (response, _) = ok(&[Data("{\"a\""), Data(": true}")]);
    assert_eq!(response.json::<serde_json::Value>().await.unwrap()["a"], true);
}

#[tokio::test]
async fn over_the_limit_is_nobodys_failure() {
    let limited = || target().with(|rules| rules.body_limit = Some(4));
    let at_limit = Script::new(&[Data("ab"), Data("cd")]);
    let (response, verdict) = answer(limited(), 200, at_limit);
    assert_eq!(response.text().await.unwrap(), "abcd");
    assert_eq!(verdict.outcome(), Some(Success));

    for over in [
        Script::new(&[Data("ab"), Data("cde"), Panic]),
        // Even if it turns out with the last frame.
        Script::new(&[Data("ab"), Last("cde")]),
        // Nothing is read of what announces too much.
        Script::new(&[Panic]).announcing(5),
    ] {
        let (response, verdict) = answer(limited(), 200, over);
        let error = response.bytes().await.unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::BodyLimit);
        assert!(error.to_string().contains("limit of 4 bytes"), "{error}");
        assert_eq!(verdict.outcome(), Some(Ignored));
    }

    // Streams have none.
    let (mut response, _) = answer(limited(), 200, Script::new(&[Data("abcdef")]));
    assert_eq!(response.chunk().await.unwrap().unwrap(), "abcdef");
}

#[tokio::test]
async fn the_apps_rules_hold_for_the_body_too() {
    let classify: ClassifyFn = Arc::new(|_, attempt| {
        let critical = attempt.headers()?.contains_key("x-critical");
        (attempt.error() == Some(ServiceErrorKind::Body)).then_some(if critical {
            Failure
        } else {
            Ignored
        })
    });
    let judged = |exclude: &[Exclusion], classify| {
        let classifier = Classifier::new(exclude, |_| None, classify).unwrap();
        target().with(|rules| rules.classifier = classifier)
    };
    let (response, verdict) = answer(judged(&[], Some(classify)), 200, Script::new(&[Fail]));
    response.bytes().await.unwrap_err();
    assert_eq!(verdict.outcome(), Some(Ignored));

    let classify: ClassifyFn = Arc::new(|_, _| panic!("classify"));
    let (response, verdict) = answer(judged(&[], Some(classify)), 200, Script::new(&[Fail]));
    response.bytes().await.unwrap_err();
    assert_eq!(verdict.outcome(), Some(Failure));

    let target = judged(&[Exclusion::HttpStatus], None);
    let (response, verdict) = answer(target, 503, Script::new(&[Data("a"), Fail]));
    assert_eq!(verdict.outcome(), None);
    response.bytes().await.unwrap_err();
    assert_eq!(verdict.outcome(), Some(Failure));

    let (response, verdict) =
        answer(judged(&[Exclusion::Body], None), 200, Script::new(&[Data("a"), Fail]));
    response.bytes().await.unwrap_err();
    assert_eq!(verdict.outcome(), Some(Ignored));
}

#[tokio::test]
async fn a_body_that_panics_has_failed() {
    let (mut response, verdict) = ok(&[Panic]);
    let task = tokio::spawn(async move { response.chunk().await.map(drop) });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(verdict.outcome(), Some(Failure));
}

#[tokio::test]
async fn dropped_in_the_unwinding_of_someone_else_it_is_a_drop() {
    let (response, verdict) = ok(&[Data("a")]);
    let unwinding = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _response = response;
        panic!("not about the service");
    }));
    assert!(unwinding.is_err());
    assert_eq!(verdict.outcome(), Some(Success));
}

#[tokio::test]
async fn it_streams_on_and_is_judged_there() {
    use axum::response::IntoResponse;
    use http_body_util::BodyExt;

    let (response, verdict) = ok(&[Data("a"), Data("b")]);
    let body = response.into_response().into_body();
    assert_eq!(verdict.outcome(), None);
    assert_eq!(body.collect().await.unwrap().to_bytes(), "ab");
    assert_eq!(verdict.outcome(), Some(Success));

    let (response, verdict) = ok(&[Data("a"), Fail]);
    let error = response.into_body().collect().await.unwrap_err();
    assert_eq!(ServiceError::find(&error).unwrap().kind(), ServiceErrorKind::Body);
    assert_eq!(verdict.outcome(), Some(Failure));
}

#[test]
fn an_answer_can_be_held_over_any_await() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<ServiceResponse>();
    shared::<crate::ServiceClient>();
    shared::<ServiceError>();
}
