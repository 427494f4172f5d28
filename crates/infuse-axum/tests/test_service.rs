//! The scripted service: every answer, in process and over a socket.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use infuse_axum::{
    Infuse, ManualClock, ServiceClient, ServiceErrorKind,
    test_util::{Answer, Script, TestService, config},
};
use tokio::net::TcpStream;
use tower::ServiceExt;

const MILLI: Duration = Duration::from_millis(1);
/// How long is waited for an answer that does not come, and for one that does.
const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(60);

/// What a caller makes of an answer: its status and body, or what was wrong.
type Heard = Result<(u16, String), ServiceErrorKind>;

/// Every kind of answer, and what is heard of it in process. Over a socket one differs.
fn answers() -> Vec<(Answer, Heard)> {
    let heard = |status, body: &str| Ok((status, body.to_owned()));
    vec![
        (Answer::ok(), heard(200, "ok")),
        (Answer::text("fine"), heard(200, "fine")),
        (Answer::json(&[1, 2]), heard(200, "[1,2]")),
        (Answer::status(503).retry_after(3), heard(503, "")),
        (Answer::status(204), heard(204, "")),
        (Answer::status(404).header("x-why", "gone").body("no"), heard(404, "no")),
        (Answer::ok().delay(10 * MILLI), heard(200, "ok")),
        (Answer::stall(), Err(ServiceErrorKind::Timeout)),
        (Answer::ok().delay(2 * LONG), Err(ServiceErrorKind::Timeout)),
        (Answer::ok().stall_in_body(), Err(ServiceErrorKind::Timeout)),
        (Answer::status(200).stall_in_body(), Err(ServiceErrorKind::Timeout)),
        (Answer::ok().truncate(), Err(ServiceErrorKind::Body)),
        (Answer::status(200).truncate(), Err(ServiceErrorKind::Body)),
        (Answer::ok().reset_in_body(), Err(ServiceErrorKind::Body)),
        (Answer::reset(), Err(ServiceErrorKind::Disconnect)),
        (Answer::refuse(), Err(ServiceErrorKind::Connect)),
    ]
}

/// A client that calls `payments` there, and nothing is ever rejected.
async fn client(url: Option<&str>, service: &TestService) -> ServiceClient {
    let config = config([
        ("INFUSE_SERVICES__PAYMENTS__URL", url.unwrap_or("http://payments:8000/api")),
        ("INFUSE_BREAKER_MAX_FAILURE", "1000"),
    ]);
    let builder = Infuse::builder();
    let builder = match url {
        Some(_) => builder,
        None => builder.transport("payments", service.clone()),
    };
    builder.start(&config).await.unwrap().client()
}

async fn heard(client: &ServiceClient) -> Heard {
    heard_within(client, LONG).await
}

async fn heard_within(client: &ServiceClient, timeout: Duration) -> Heard {
    let payments = client.service("payments").unwrap();
    let request = payments.post("/a?b=c").body("posted").timeout(timeout);
    let answer = request.send().await.map_err(|error| error.kind())?;
    let status = answer.status().as_u16();
    Ok((status, answer.text().await.map_err(|error| error.kind())?))
}

#[tokio::test(start_paused = true)]
async fn each_answer_in_process() {
    let service = TestService::new();
    let client = client(None, &service).await;
    for (number, (answer, expected)) in answers().into_iter().enumerate() {
        service.script(answer.clone().times(1));
        assert_eq!(heard(&client).await, expected, "{answer:?}");
        assert_eq!(heard(&client).await, Ok((200, "ok".to_owned())), "after {answer:?}");
        assert_eq!(service.calls(), 2 * (number + 1));
    }
    let call = &service.received()[0];
    assert_eq!(
        (call.method.as_str(), call.path(), call.text().as_str()),
        ("POST", "/api/a", "posted")
    );
    assert_eq!(call.uri.query(), Some("b=c"));
}

#[tokio::test]
async fn each_answer_over_a_socket() {
    let service = TestService::new();
    let server = service.serve().await.unwrap();
    let client = client(Some(&server.url()), &service).await;
    for (answer, expected) in answers() {
        service.script(answer.clone().times(1));
        let patience = if expected == Err(ServiceErrorKind::Timeout) { SHORT } else { LONG };
        let heard_of_it = heard_within(&client, patience).await;
        match expected {
            Err(ServiceErrorKind::Connect) => {
                assert_eq!(heard_of_it, Err(ServiceErrorKind::Disconnect));
            }
            // The reset may overtake the head on a machine that is busy.
            Err(ServiceErrorKind::Body) => assert!(
                matches!(heard_of_it, Err(ServiceErrorKind::Body | ServiceErrorKind::Disconnect)),
                "{answer:?}: {heard_of_it:?}",
            ),
            _ => assert_eq!(heard_of_it, expected, "{answer:?}"),
        }
        assert_eq!(heard(&client).await, Ok((200, "ok".to_owned())), "after {answer:?}");
    }
    let call = &service.received()[0];
    assert_eq!((call.method.as_str(), call.path(), call.text().as_str()), ("POST", "/a", "posted"));
    assert!(call.headers.contains_key("host"));
}

#[tokio::test]
async fn headers_come_as_they_are_told() {
    let service = TestService::new();
    let server = service.serve().await.unwrap();
    service.script(Answer::status(503).retry_after(7).header("x-a", "b"));
    for url in [None, Some(server.url())] {
        let client = client(url.as_deref(), &service).await;
        let answer = client.service("payments").unwrap().get("/").send().await.unwrap();
        assert_eq!(
            (&answer.headers()["retry-after"], &answer.headers()["x-a"]),
            (&"7".parse().unwrap(), &"b".parse().unwrap())
        );
        assert_eq!(answer.headers()["content-length"], "0");
    }
}

#[tokio::test]
async fn a_streamed_body_and_a_head_request_over_a_socket() {
    let service = TestService::new();
    let server = service.serve().await.unwrap();
    let client = client(Some(&server.url()), &service).await;
    let payments = client.service("payments").unwrap();
    let pieces = futures_util::stream::iter(["one ", "two"].map(Ok::<_, std::io::Error>));
    let answer =
        payments.put("/").body(axum::body::Body::from_stream(pieces)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(service.received()[0].text(), "one two");
    let answer = payments.head("/").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, String::new()));
    // The connection is whole after it.
    assert_eq!(payments.get("/").send().await.unwrap().text().await.unwrap(), "ok");
}

#[tokio::test]
async fn a_server_that_is_down_refuses_and_comes_back_on_its_port() {
    let service = TestService::new();
    let mut server = service.serve().await.unwrap();
    let client = client(Some(&server.url()), &service).await;
    assert!(heard(&client).await.is_ok());
    for _ in 0..2 {
        server.down().await.unwrap();
        assert_eq!(heard(&client).await, Err(ServiceErrorKind::Connect));
    }
    server.up().unwrap();
    server.up().unwrap();
    assert!(heard(&client).await.is_ok());
    assert_eq!(service.calls(), 2);
    let addr = server.addr();
    drop(server);
    for _ in 0..1_000 {
        if TcpStream::connect(addr).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the port is still open");
}

#[tokio::test(start_paused = true)]
async fn routes_have_scripts_of_their_own() {
    let service = TestService::new();
    service.on("/refunds/*", Answer::status(500));
    service.on("POST /refunds/7", Answer::status(404).times(1));
    let status = async |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Full::new(Bytes::new())).unwrap();
        service.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    assert_eq!(status("GET", "/balance").await, 200);
    assert_eq!(status("POST", "/refunds/7").await, 404);
    assert_eq!(status("POST", "/refunds/7").await, 200);
    assert_eq!(status("GET", "/refunds/7").await, 500);
    // Given again, it is the last.
    service.on("/refunds/*", Answer::status(502));
    assert_eq!(status("POST", "/refunds/7").await, 502);
    assert_eq!((service.calls_to("/refunds/*"), service.calls_to("POST *")), (4, 3));
    service.recover();
    assert_eq!(status("GET", "/refunds/7").await, 200);
    service.forget_calls();
    assert_eq!(service.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn scripts_go_by_the_runtimes_time_or_by_a_clock() {
    let clock = ManualClock::new();
    let outage: Script = Answer::status(500).for_duration(60 * MILLI);
    let (own, manual) = (TestService::new(), TestService::with_clock(clock.clone()));
    let status = async |service: &TestService| {
        let request = Request::new(Full::new(Bytes::new()));
        let answer = service.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        answer.into_body().collect().await.unwrap();
        status
    };
    for service in [&own, &manual] {
        service.script(outage.clone());
    }
    tokio::time::sleep(60 * MILLI).await;
    assert_eq!((status(&own).await, status(&manual).await), (200, 500));
    clock.advance(60 * MILLI);
    assert_eq!(status(&manual).await, 200);
    assert_eq!((own.received()[0].at, manual.received()[1].at), (60 * MILLI, 60 * MILLI));
}

#[test]
fn what_makes_no_sense_is_refused_where_it_is_said() {
    type Mistake = fn();
    let mistakes: [Mistake; 5] = [
        || drop(Answer::status(99)),
        || drop(Answer::stall().header("a", "b")),
        || drop(Answer::refuse().truncate()),
        || drop(Answer::ok().header("not a name", "b")),
        || TestService::new().on("refunds", Answer::ok()),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    for (number, mistake) in mistakes.into_iter().enumerate() {
        assert!(std::panic::catch_unwind(mistake).is_err(), "{number}");
    }
}
