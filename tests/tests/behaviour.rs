//! What a circuit does to the calls of an app, over sockets: what opens it, what does not, what
//! happens while it is open, and how it comes back.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    io,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::State as AppState,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http_body::Frame;
use infuse_axum::{Infuse, Outcome, ServiceClient, ServiceError, ServiceErrorKind, State};
use infuse_tests::{Answer, Double, Stage, client, config, eventually, problem, serve};
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

/// What opens a circuit, and what the app's user is told of it.
async fn opens(answer: Answer, status: u16, code: u64, kind: &str) {
    let stage = Stage::set_with(&[("infuse_service_timeout", "0.2")], |builder| builder).await;
    stage.service.answer(answer);
    // What waits at the gate: a reset in the midst of a body.
    stage.service.let_through(5);
    for failed in 1..=5 {
        let told = stage.get("/text").await;
        assert_eq!(told.status(), status, "{failed}");
        let problem = problem(told).await;
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["type"], format!("urn:infuse:{kind}"));
        assert_eq!(problem["service"], "payments");
        assert_eq!(stage.failures(), failed);
        assert_eq!(stage.state(), if failed < 5 { State::Closed } else { State::Open });
    }
    let (connections, requests) = (stage.service.connections(), stage.service.requests());
    assert_eq!(stage.call().await, 503);
    assert_eq!(stage.service.connections(), connections);
    assert_eq!(stage.service.requests(), requests);
}

#[tokio::test]
async fn five_answers_with_5xx_open() {
    opens(Answer::Status(500), 502, 998616, "status").await;
    opens(Answer::Status(503), 502, 998616, "status").await;
}

#[tokio::test]
async fn five_timeouts_open() {
    opens(Answer::Silent, 504, 998610, "timeout").await;
}

#[tokio::test]
async fn five_stalled_heads_open() {
    opens(Answer::StalledHead, 504, 998610, "timeout").await;
}

#[tokio::test]
async fn five_stalled_bodies_open() {
    opens(Answer::StalledBody, 504, 998610, "timeout").await;
}

#[tokio::test]
async fn five_truncated_bodies_open() {
    opens(Answer::Truncated, 502, 998613, "body").await;
}

#[tokio::test]
async fn five_chunked_bodies_that_are_cut_off_open() {
    opens(Answer::TruncatedChunks, 502, 998613, "body").await;
}

#[tokio::test]
async fn five_resets_open() {
    opens(Answer::Reset, 502, 998612, "disconnect").await;
}

#[tokio::test]
async fn five_connections_that_are_closed_without_an_answer_open() {
    opens(Answer::HangUp, 502, 998612, "disconnect").await;
}

#[tokio::test]
async fn five_answers_that_are_not_http_open() {
    opens(Answer::Garbage, 502, 998612, "disconnect").await;
}

#[tokio::test]
async fn five_resets_in_the_midst_of_the_body_open() {
    let stage = Stage::set().await;
    stage.service.answer(Answer::ResetInBody);
    let payments = stage.infuse.client().service("payments").unwrap();
    for failed in 1..=5 {
        let mut answer = payments.get("balance").send().await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "0123456789");
        stage.service.let_through(1);
        let error = answer.chunk().await.unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::Body);
        assert_eq!(stage.failures(), failed);
    }
    assert_eq!(stage.state(), State::Open);
}

#[tokio::test]
async fn five_refused_connections_open() {
    let mut stage = Stage::set().await;
    stage.service.down().await;
    for failed in 1..=5 {
        let problem = problem(stage.get("/text").await).await;
        assert_eq!(problem["code"], 998611, "{problem}");
        assert_eq!(stage.failures(), failed);
    }
    assert_eq!(stage.state(), State::Open);
    stage.until_generation(1).await;

    // It is there again, and nobody looks before the time is over.
    stage.service.up();
    assert_eq!(stage.call().await, 503);
    assert_eq!(stage.service.connections(), 0);
    stage.let_reset_timeout_pass();
    assert_eq!(stage.call().await, 200);
    stage.until(State::Closed).await;
}

#[tokio::test]
async fn a_name_that_is_not_found_counts() {
    let url = ("infuse_services.payments.url", "http://no-such-host.invalid");
    let stage = Stage::set_with(&[url], |builder| builder).await;
    let problem = problem(stage.get("/text").await).await;
    assert_eq!(problem["code"], 998611);
    assert!(!problem.to_string().contains("invalid"), "{problem}");
    assert_eq!(stage.failures(), 1);
}

#[tokio::test]
async fn a_success_in_between_counts_anew() {
    let stage = Stage::set().await;
    for _ in 0..3 {
        stage.service.answer(Answer::Status(500));
        for _ in 0..4 {
            stage.call().await;
        }
        assert_eq!(stage.failures(), 4);
        stage.service.answer(Answer::text("fine"));
        assert_eq!(stage.call().await, 200);
        assert_eq!(stage.failures(), 0);
    }
    assert_eq!(stage.state(), State::Closed);
}

#[tokio::test]
async fn no_connection_reaches_the_service_while_it_is_open() {
    let stage = Stage::set().await;
    stage.open(Answer::text("fine")).await;
    let (connections, requests) = (stage.service.connections(), stage.service.requests());
    let calls = (0..200).map(|_| {
        let call = stage.client.get(stage.app.url("/text")).send();
        tokio::spawn(async move { call.await.unwrap().status().as_u16() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 503);
    }
    stage.clock.advance(Duration::from_millis(14_999));
    assert_eq!(stage.call().await, 503);
    assert_eq!(stage.service.connections(), connections);
    assert_eq!(stage.service.requests(), requests);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_callers_one_makes_the_trial() {
    let stage = Stage::set().await;
    stage.open(Answer::Gated).await;
    let before = stage.service.requests();
    stage.let_reset_timeout_pass();

    let (done, others) = (Arc::new(AtomicUsize::new(0)), 99);
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let call = stage.client.get(stage.app.url("/text")).send();
            let done = Arc::clone(&done);
            tokio::spawn(async move {
                let status = call.await.unwrap().status().as_u16();
                done.fetch_add(1, SeqCst);
                status
            })
        })
        .collect();
    // All others are answered while the trial is under way.
    eventually("the others are rejected", async || done.load(SeqCst) == others).await;
    assert_eq!(stage.state(), State::HalfOpen);
    assert_eq!(stage.service.requests(), before + 1);
    assert_eq!(stage.snapshot().trials, 1);

    stage.service.let_through(1);
    let mut statuses = HashMap::<_, usize>::new();
    for call in calls {
        *statuses.entry(call.await.unwrap()).or_default() += 1;
    }
    assert_eq!(statuses, HashMap::from([(200, 1), (503, 99)]));
    stage.until(State::Closed).await;
    assert_eq!(stage.service.requests(), before + 1);
}

#[tokio::test]
async fn a_trial_that_succeeds_closes() {
    let stage = Stage::set().await;
    stage.open(Answer::text("fine")).await;
    stage.let_reset_timeout_pass();
    // Open past its time it stays open until somebody calls.
    assert_eq!(stage.state(), State::Open);
    assert_eq!(stage.snapshot().retry_after, Some(Duration::ZERO));
    assert_eq!(stage.ask("/text").await, (200, "fine".to_owned()));
    stage.until(State::Closed).await;
    assert_eq!(stage.failures(), 0);
    assert_eq!(stage.call().await, 200);
}

#[tokio::test]
async fn a_trial_that_fails_opens_for_another_reset_timeout() {
    let stage = Stage::set().await;
    stage.open(Answer::Status(500)).await;
    stage.let_reset_timeout_pass();
    for round in 0..3 {
        let before = stage.service.requests();
        assert_eq!(stage.call().await, 502);
        assert_eq!(stage.state(), State::Open);
        stage.until_generation(3 + 2 * round).await;
        stage.clock.advance(Duration::from_millis(14_999));
        assert_eq!(stage.call().await, 503);
        assert_eq!(stage.service.requests(), before + 1);
        stage.clock.advance(Duration::from_millis(1));
    }
}

#[tokio::test]
async fn a_trial_that_hangs_gives_way_and_its_late_result_changes_nothing() {
    let stage = Stage::set().await;
    stage.open(Answer::Gated).await;
    let opened = stage.service.requests();
    stage.let_reset_timeout_pass();

    // Without a timeout of its own, it holds its place for as long as a reset timeout.
    let hanging = tokio::spawn(stage.client.get(stage.app.url("/hold")).send());
    stage.service.until_requests(opened + 1).await;
    assert_eq!(stage.call().await, 503);
    stage.clock.advance(Duration::from_millis(14_999));
    assert_eq!(stage.call().await, 503);
    assert_eq!(stage.service.requests(), opened + 1);

    stage.clock.advance(Duration::from_millis(1));
    stage.service.answer(Answer::Status(500));
    assert_eq!(stage.call().await, 502);
    assert_eq!(stage.service.requests(), opened + 2);
    assert_eq!(stage.state(), State::Open);
    stage.until_generation(3).await;
    let before = stage.snapshot();

    // The first trial succeeds after all, much too late.
    stage.service.let_through(1);
    assert_eq!(hanging.await.unwrap().unwrap().status(), 200);
    assert_eq!(stage.snapshot(), before);
    assert_eq!(stage.call().await, 503);
}

#[tokio::test]
async fn a_late_result_from_before_a_trip_changes_nothing() {
    let stage = Stage::set().await;
    let late = Answer::by(|request| match request.header("x-late") {
        Some(_) => Answer::Gated,
        None => Answer::Status(500),
    });
    stage.service.answer(late);
    let payments = stage.infuse.client().service("payments").unwrap();
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(tokio::spawn(payments.get("balance").header("x-late", "1").send()));
    }
    stage.service.until_requests(3).await;
    for _ in 0..5 {
        assert_eq!(stage.call().await, 502);
    }
    assert_eq!(stage.state(), State::Open);
    stage.until_generation(1).await;
    let before = stage.snapshot();

    // A success while it is open.
    stage.service.let_through(1);
    eventually("one is through", async || calls.iter().any(|call| call.is_finished())).await;
    assert_eq!(stage.snapshot(), before);

    // One while it is half-open.
    let trial = |request: &infuse_tests::Received| match request.header("x-late") {
        Some(_) => Answer::Gated,
        None => Answer::Silent,
    };
    stage.service.answer(Answer::by(trial));
    let requests = stage.service.requests();
    stage.let_reset_timeout_pass();
    let trial = tokio::spawn(stage.client.get(stage.app.url("/hold")).send());
    stage.service.until_requests(requests + 1).await;
    stage.until_generation(2).await;
    stage.service.let_through(2);
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), "done\n");
    }
    assert_eq!(stage.state(), State::HalfOpen);
    assert_eq!(stage.snapshot().trials, 1);
    assert_eq!(stage.call().await, 503);
    trial.abort();
}

#[tokio::test]
async fn a_late_failure_from_before_a_trip_does_not_reopen() {
    let mut stage = Stage::set().await;
    stage.service.answer(Answer::Gated);
    let payments = stage.infuse.client().service("payments").unwrap();
    let late = tokio::spawn(payments.get("balance").send());
    stage.service.until_requests(1).await;
    stage.open(Answer::text("fine")).await;
    stage.let_reset_timeout_pass();
    assert_eq!(stage.call().await, 200);
    stage.until(State::Closed).await;
    // Its connection breaks, three states later.
    stage.service.down().await;
    assert_eq!(late.await.unwrap().unwrap_err().kind(), ServiceErrorKind::Disconnect);
    assert_eq!(stage.failures(), 0);
    assert_eq!(stage.state(), State::Closed);
}

/// Calls a path of the app, and goes away when the service has the request.
async fn leave(stage: &Stage, path: &str) {
    let (requests, abandoned) = (stage.service.requests(), stage.service.abandoned());
    let mut socket = TcpStream::connect(stage.app.addr()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: app\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    stage.service.until_requests(requests + 1).await;
    drop(socket);
    // The app has dropped the handler, and with it the call.
    stage.service.until_abandoned(abandoned + 1).await;
}

#[tokio::test]
async fn a_caller_that_goes_away_counts_as_nothing() {
    let stage = Stage::set().await;
    stage.service.answer(Answer::Status(500));
    stage.call().await;
    stage.call().await;
    for answer in [Answer::Gated, Answer::Silent, Answer::StalledHead, Answer::StalledBody] {
        stage.service.answer(answer);
        for _ in 0..3 {
            leave(&stage, "/text").await;
        }
    }
    // Neither a failure, nor a success that would begin the count anew.
    assert_eq!(stage.failures(), 2);
    assert_eq!(stage.state(), State::Closed);
}

#[tokio::test]
async fn a_caller_that_goes_away_from_a_trial_gives_its_place_to_the_next() {
    let stage = Stage::set().await;
    stage.open(Answer::Gated).await;
    stage.let_reset_timeout_pass();
    for _ in 0..3 {
        leave(&stage, "/text").await;
        assert_eq!(stage.state(), State::HalfOpen);
        eventually("its place is free", async || stage.snapshot().trials == 0).await;
    }
    stage.service.answer(Answer::text("fine"));
    // The storage hears of a place that was given back a moment later.
    eventually("the next trial succeeds", async || stage.call().await == 200).await;
    stage.until(State::Closed).await;
}

#[tokio::test]
async fn a_thousand_times_404_leave_it_closed() {
    let stage = Stage::set().await;
    for (status, times) in [(404, 1_000), (401, 100), (422, 100), (400, 100), (499, 10)] {
        stage.service.answer(Answer::Status(status));
        for _ in 0..times {
            let answer = stage.get("/text").await;
            assert_eq!(answer.status(), 502);
        }
        assert_eq!(stage.failures(), 0);
        assert_eq!(stage.state(), State::Closed);
    }
    let problem = problem(stage.get("/text").await).await;
    assert_eq!(problem["upstream_status"], 499);
    assert_eq!(stage.service.requests(), 1_311);
}

#[tokio::test]
async fn a_404_is_a_success_and_a_429_is_ignored() {
    let stage = Stage::set().await;
    stage.service.answer(Answer::Status(500));
    for _ in 0..4 {
        stage.call().await;
    }
    stage.service.answer(Answer::Status(429));
    for _ in 0..20 {
        assert_eq!(stage.call().await, 502);
    }
    assert_eq!(stage.failures(), 4);
    stage.service.answer(Answer::Status(404));
    assert_eq!(stage.call().await, 502);
    eventually("it counted", async || stage.failures() == 0).await;
}

#[tokio::test]
async fn bad_json_does_not_count() {
    let stage = Stage::set().await;
    stage.service.answer(Answer::Body("application/json", "{\"balance\": ".into()));
    for _ in 0..20 {
        let problem = problem(stage.get("/json").await).await;
        assert_eq!(problem["code"], 998615, "{problem}");
        assert_eq!(problem["status"], 502);
    }
    assert_eq!(stage.failures(), 0);
    assert_eq!(stage.state(), State::Closed);
    stage.service.answer(Answer::json(&json!({ "balance": 7 })));
    assert_eq!(stage.ask("/json").await, (200, "7".to_owned()));
}

#[tokio::test]
async fn a_caller_that_reads_slowly_does_not_open() {
    let timeout = Duration::from_millis(150);
    let stage = Stage::set_with(&[("infuse_service_timeout", "150ms")], |builder| builder).await;
    stage.service.answer(Answer::GatedChunks(4));
    let payments = stage.infuse.client().service("payments").unwrap();
    for _ in 0..2 {
        let mut answer = payments.get("balance").send().await.unwrap();
        for piece in 0..4 {
            // Longer than the timeout, each time; the piece is there before it is asked for.
            stage.service.let_through(1);
            tokio::time::sleep(timeout + Duration::from_millis(20)).await;
            let chunk = answer.chunk().await.unwrap().unwrap();
            assert_eq!(chunk, format!("piece {piece}\n"));
        }
        assert_eq!(answer.chunk().await.unwrap(), None);
    }
    assert_eq!(stage.failures(), 0);
    assert_eq!(stage.state(), State::Closed);
}

#[tokio::test]
async fn a_user_that_reads_slowly_through_the_app_does_not_open() {
    let stage = Stage::set_with(&[("infuse_service_timeout", "150ms")], |builder| builder).await;
    stage.service.answer(Answer::Large(30_000_000));
    let mut answer = stage.get("/pass").await;
    let mut bytes = 0;
    for _ in 0..3 {
        bytes += answer.chunk().await.unwrap().unwrap().len();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // The service was held up too, so the pauses were felt.
    assert!(stage.service.sent() < 30_000_000);
    while let Some(chunk) = answer.chunk().await.unwrap() {
        bytes += chunk.len();
    }
    assert_eq!(bytes, 30_000_000);
    assert_eq!(stage.failures(), 0);
}

#[tokio::test]
async fn a_service_that_drips_longer_than_the_timeout_in_all_counts() {
    let stage = Stage::set_with(&[("infuse_service_timeout", "150ms")], |builder| builder).await;
    stage.service.answer(Answer::Drip(1_000, Duration::from_millis(10)));
    let problem = problem(stage.get("/text").await).await;
    assert_eq!(problem["code"], 998610, "{problem}");
    assert_eq!(problem["upstream_status"], 200);
    assert_eq!(stage.failures(), 1);
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_judged_by_its_status() {
    let stage = Stage::set().await;
    stage.service.answer(Answer::Status(500));
    for failed in 1..=2 {
        assert_eq!(stage.ask("/drop").await.0, 200);
        assert_eq!(stage.failures(), failed);
    }
    stage.service.answer(Answer::Endless);
    assert_eq!(stage.ask("/drop").await, (200, "200 OK".to_owned()));
    assert_eq!(stage.failures(), 0);
}

#[tokio::test]
async fn a_body_that_breaks_off_on_its_way_through_the_app_counts() {
    let stage = Stage::set().await;
    stage.service.answer(Answer::Truncated);
    for failed in 1..=5 {
        let answer = stage.get("/pass").await;
        assert_eq!(answer.status(), 200);
        assert!(answer.bytes().await.is_err(), "the user must see that it broke off");
        stage.until_failures(failed).await;
    }
    assert_eq!(stage.state(), State::Open);
}

#[tokio::test]
async fn a_panic_in_a_guarded_call_counts_and_propagates() {
    async fn update() -> Result<(), Infallible> {
        panic!("the guarded call panics")
    }
    async fn handler(AppState(infuse): AppState<Infuse>) -> Response {
        let result = infuse.breaker("database").unwrap().call(update).await;
        result.map_err(|error| error.to_string()).into_response()
    }
    let mut app = Router::new().route("/", get(handler));
    let infuse = Infuse::init_app(&mut app, &config(&[])).await.unwrap();
    let app = serve(app.with_state(infuse.clone())).await;
    let database = infuse.breaker("database").unwrap();
    for panicked in 1..=5 {
        // The panic reaches the task of the connection, which it ends.
        client().get(app.url("/")).send().await.unwrap_err();
        assert_eq!(database.fail_counter(), panicked);
    }
    assert_eq!(database.state(), State::Open);
    let answer = client().get(app.url("/")).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "the circuit is open: the call was rejected");

    let other = infuse.breaker("other").unwrap();
    let call = || other.call_sync(|| -> io::Result<()> { panic!("in blocking code too") });
    std::panic::catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    assert_eq!(other.fail_counter(), 1);
}

#[tokio::test]
async fn skip_breaker_passes_an_open_circuit_and_moves_no_count() {
    let stage = Stage::set().await;
    stage.open(Answer::text("fine")).await;
    let before = stage.snapshot();
    let requests = stage.service.requests();
    for passed in 1..=3 {
        assert_eq!(stage.ask("/skip").await, (200, "fine".to_owned()));
        assert_eq!(stage.service.requests(), requests + passed);
    }
    stage.service.answer(Answer::Status(500));
    assert_eq!(stage.ask("/skip").await.0, 502);
    assert_eq!(stage.snapshot(), before);

    // Nor does it take the trial's place, or count in a circuit that is closed.
    stage.let_reset_timeout_pass();
    assert_eq!(stage.ask("/skip").await.0, 502);
    assert_eq!(stage.state(), State::Open);
    stage.service.answer(Answer::text("fine"));
    assert_eq!(stage.call().await, 200);
    stage.until(State::Closed).await;
    stage.service.answer(Answer::Status(500));
    for _ in 0..10 {
        assert_eq!(stage.ask("/skip").await.0, 502);
    }
    assert_eq!(stage.failures(), 0);
    stage.call().await;
    stage.service.answer(Answer::text("fine"));
    stage.ask("/skip").await;
    assert_eq!(stage.failures(), 1);
}

#[tokio::test]
async fn a_rejection_says_who_why_and_when_to_come_again() {
    let stage = Stage::set().await;
    stage.open(Answer::Gated).await;
    stage.clock.advance(Duration::from_millis(1_500));
    let answer = stage.get("/text").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "14");
    let mut told = problem(answer).await;
    let tripped = told.as_object_mut().unwrap().remove("tripped").unwrap();
    assert_eq!(
        (&tripped["cause"], &tripped["fault"]),
        (&json!("failures"), &json!({ "kind": "status", "status": 500 }))
    );
    assert!(tripped["at"].is_f64() && tripped["by"].is_string(), "{tripped}");
    assert_eq!(
        told,
        json!({
            "type": "urn:infuse:rejected",
            "title": "Service temporarily unavailable",
            "status": 503,
            "detail": "Calls to payments are suspended, because it is failing.",
            "code": 998603,
            "service": "payments",
            "state": "open",
            "reason": "open",
            "retry_after": 14,
        })
    );
    stage.clock.advance(Duration::from_millis(13_400));
    let answer = stage.get("/text").await;
    assert_eq!(answer.headers()["retry-after"], "1");

    // While a trial is under way it is never 0 either.
    stage.clock.advance(Duration::from_millis(100));
    let requests = stage.service.requests();
    let trial = tokio::spawn(stage.client.get(stage.app.url("/text")).send());
    stage.service.until_requests(requests + 1).await;
    let answer = stage.get("/text").await;
    assert!(answer.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    let told = problem(answer).await;
    assert_eq!(told["state"], "half-open");
    assert!(told["retry_after"].as_u64().unwrap() >= 1);
    stage.service.let_through(1);
    assert_eq!(trial.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn what_a_user_is_told_holds_no_address_and_no_inner_text() {
    let secret = "Sunday-7";
    let answers = [
        Answer::Status(500),
        Answer::Reset,
        Answer::Truncated,
        Answer::Silent,
        Answer::Body("application/json", format!("{{ {secret} }}").into()),
        Answer::Raw(format!("HTTP/1.1 {secret}\r\n\r\n").into()),
    ];
    let settings = [("infuse_service_timeout", "50ms"), ("infuse_breaker_max_failure", "50")];
    let mut stage = Stage::set_with(&settings, |builder| builder).await;
    let port = stage.service.addr().port().to_string();
    let mut told = Vec::new();
    for answer in answers {
        stage.service.answer(answer);
        told.push(problem(stage.get("/json").await).await);
    }
    stage.service.down().await;
    told.push(problem(stage.get("/json").await).await);
    for problem in told {
        let text = problem.to_string();
        assert_eq!(problem["service"], "payments", "{text}");
        for hidden in ["127.0.0.1", &port, secret, "balance", "os error", "hyper"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
    }
}

#[tokio::test]
async fn a_path_that_leaves_its_base_and_a_service_that_is_unknown_are_no_calls() {
    async fn path(client: ServiceClient, body: String) -> Result<String, ServiceError> {
        client.service("payments")?.get(&body).send().await?.text().await
    }
    let service = Double::start(Answer::text("fine")).await;
    let mut app = Router::new().route("/", axum::routing::post(path));
    let url = format!("{}/api/v1", service.url());
    let config = config(&[("infuse_services.payments.url", &url)]);
    let infuse = Infuse::init_app(&mut app, &config).await.unwrap();
    let app = serve(app).await;
    for hostile in ["../admin", "a/%2e%2E/b", "//evil.example", "\\\\evil", "http://evil/", "a\0"] {
        let answer = client().post(app.url("/")).body(hostile).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{hostile}");
        let problem = problem(answer).await;
        assert_eq!(problem["code"], 998620);
        assert_eq!(problem["service"], "payments");
        assert!(!problem.to_string().contains("evil"), "{problem}");
    }
    assert_eq!(service.connections(), 0);
    assert_eq!(infuse.breaker("payments").unwrap().fail_counter(), 0);

    let stage = Stage::set().await;
    let answer = stage.get("/unknown").await;
    assert_eq!(answer.status(), 500);
    let problem = problem(answer).await;
    assert_eq!(problem["code"], 998623);
    assert_eq!(problem["service"], "pay-ments");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("INFUSE_SERVICE_CONNECTIONS"), "{detail}");
    assert!(detail.contains("INFUSE_SERVICES__PAY_MENTS__URL"), "{detail}");
    assert!(!detail.contains("payments"), "which services there are is nobody's business");
}

#[tokio::test]
async fn error_for_status_is_the_callers_choice() {
    let stage = Stage::set().await;
    let payments = stage.infuse.client().service("payments").unwrap();
    for status in [200, 204, 304, 404, 500, 503] {
        stage.service.answer(Answer::Status(status));
        let answer = payments.get("balance").send().await.unwrap();
        assert_eq!(answer.status(), status);
        match answer.error_for_status() {
            Ok(_) => assert!(status < 400),
            Err(error) => {
                assert!(status >= 400);
                assert_eq!(error.kind(), ServiceErrorKind::Status);
                assert_eq!(error.upstream_status().unwrap(), status);
                assert_eq!(error.status(), 502);
            }
        }
    }
    // Passed on as it is, a failure is still the service's answer, and counts.
    let failures = stage.failures();
    stage.service.answer(Answer::Status(503));
    assert_eq!(stage.ask("/pass").await, (503, "status 503\n".to_owned()));
    assert_eq!(stage.failures(), failures + 1);
}

#[tokio::test]
async fn what_is_over_the_limit_for_bodies_is_ignored() {
    let limit = ("infuse_service_body_limit", "1KiB");
    let stage = Stage::set_with(&[limit], |builder| builder).await;
    for answer in [Answer::Large(1_000_000), Answer::Endless] {
        stage.service.answer(answer);
        for _ in 0..6 {
            let problem = problem(stage.get("/text").await).await;
            assert_eq!(problem["code"], 998614, "{problem}");
        }
        assert_eq!(stage.failures(), 0);
    }
    stage.service.answer(Answer::Large(1_024));
    assert_eq!(stage.call().await, 200);
}

#[tokio::test]
async fn a_body_of_the_caller_that_breaks_off_is_ignored() {
    let stage = Stage::set().await;
    let payments = stage.infuse.client().service("payments").unwrap();
    for _ in 0..6 {
        let pieces = [Ok("half of it"), Err(io::Error::other("the disk is gone"))];
        let pieces = Body::new(Pieces(pieces.into_iter().collect()));
        let error = payments.post("balance").body(pieces).send().await.unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::RequestBody);
        assert_eq!(error.status(), 500);
    }
    assert_eq!(stage.failures(), 0);
}

/// A body of these pieces, the last of which may be that it breaks off.
struct Pieces(VecDeque<io::Result<&'static str>>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = self.0.pop_front();
        Poll::Ready(piece.map(|piece| piece.map(|piece| Frame::data(piece.into()))))
    }
}

#[tokio::test]
async fn a_circuit_can_be_worked_by_hand() {
    let stage = Stage::set().await;
    let _ = stage.circuit().open().await;
    assert_eq!(stage.call().await, 503);
    let _ = stage.circuit().half_open().await;
    assert_eq!(stage.call().await, 200);
    stage.until(State::Closed).await;
    stage.open(Answer::text("fine")).await;
    let _ = stage.circuit().reset().await;
    assert_eq!(stage.call().await, 200);

    let permit = stage.circuit().acquire(None).await.unwrap();
    permit.settle(Outcome::Failure);
    assert_eq!(stage.failures(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_service_that_stays_down_each_reset_timeout_costs_one_request() {
    let stage = Stage::set().await;
    stage.open(Answer::Status(500)).await;
    for round in 1..=20 {
        let before = stage.service.requests();
        let generation = stage.snapshot().generation;
        stage.let_reset_timeout_pass();
        let calls: Vec<_> = (0..20)
            .map(|_| tokio::spawn(stage.client.get(stage.app.url("/text")).send()))
            .collect();
        let mut statuses = HashMap::<_, usize>::new();
        for call in calls {
            *statuses.entry(call.await.unwrap().unwrap().status().as_u16()).or_default() += 1;
        }
        assert_eq!(statuses, HashMap::from([(502, 1), (503, 19)]), "{round}");
        assert_eq!(stage.service.requests(), before + 1, "{round}");
        stage.until_generation(generation + 2).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_circuit_that_is_told_to_needs_several_successes_and_takes_several_trials() {
    let settings =
        [("infuse_breaker_success_threshold", "3"), ("infuse_breaker_half_open_max_calls", "2")];
    let stage = Stage::set_with(&settings, |builder| builder).await;
    stage.open(Answer::Gated).await;
    let before = stage.service.requests();
    stage.let_reset_timeout_pass();
    let calls: Vec<_> =
        (0..30).map(|_| tokio::spawn(stage.client.get(stage.app.url("/text")).send())).collect();
    let finished = || calls.iter().filter(|call| call.is_finished()).count();
    eventually("the others are rejected", async || finished() >= 28).await;
    // Callers that ask for a lease while another does are rejected, so there may be but one yet.
    eventually("a second trial is made", async || {
        if stage.service.requests() < before + 2 {
            tokio::spawn(stage.client.get(stage.app.url("/text")).send());
        }
        stage.service.requests() == before + 2
    })
    .await;
    assert_eq!(stage.call().await, 503);
    stage.service.let_through(2);
    eventually("both succeed", async || stage.circuit().success_counter() == 2).await;
    assert_eq!(stage.state(), State::HalfOpen);
    stage.service.answer(Answer::text("fine"));
    assert_eq!(stage.call().await, 200);
    stage.until(State::Closed).await;
}

/// A listener that accepts nothing, whose queue is full: connections to it hang.
async fn unresponsive() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let mut queue = Vec::new();
    let connect = || TcpStream::connect(listener.local_addr().unwrap());
    while let Ok(stream) = timeout(Duration::from_millis(200), connect()).await {
        queue.push(stream.unwrap());
    }
    (listener, queue)
}

#[tokio::test]
async fn a_service_that_accepts_no_connection_costs_its_callers_a_second() {
    let (listener, _queue) = unresponsive().await;
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stage = Stage::set_with(&[("infuse_services.payments.url", &url)], |builder| builder).await;
    let began = Instant::now();
    let problem = problem(stage.get("/text").await).await;
    assert_eq!(problem["code"], 998611);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(stage.failures(), 1);
}
