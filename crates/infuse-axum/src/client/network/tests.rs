//! The client over real sockets, against servers that say word for word what is on the wire.

use std::sync::{Arc, Mutex};

use http::Method;
use infuse_storage::Outcome::{self, Failure, Success};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use url::Url;

use super::*;
use crate::{
    ServiceError, ServiceErrorKind, ServiceRequest, ServiceResponse,
    client::{
        Transport,
        path::BaseUrl,
        service::Target,
        verdict::{Recorder, Verdict},
    },
};

/// Requests as they came in, one text each.
type Seen = Arc<Mutex<Vec<String>>>;

/// Serves each connection with the next answer of `answers`, which is written as it stands; then
/// the connection is closed. The last answer serves all that follow.
async fn server(answers: &'static [&'static str]) -> (Url, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap()).parse().unwrap();
    let seen = Seen::default();
    let see = seen.clone();
    tokio::spawn(async move {
        let mut answers = answers.iter();
        let mut answer = "";
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            answer = answers.next().copied().unwrap_or(answer);
            let request = read(&mut stream).await;
            see.lock().unwrap().push(request);
            if answer == HANG {
                tokio::spawn(async move { stream.read_to_end(&mut Vec::new()).await });
                continue;
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            if answer.ends_with(HANG) {
                tokio::spawn(async move { stream.read_to_end(&mut Vec::new()).await });
            }
        }
    });
    (url, seen)
}

/// Where an answer ends with it, the connection is held open in silence.
const HANG: &str = "\u{0}";

/// Reads a request to the end of its head, and what is there of its body.
async fn read(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            assert_ne!(read, 0, "{text}");
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        if body.len() >= length && !head.contains("chunked") || body.ends_with("0\r\n\r\n") {
            return text.into_owned();
        }
    }
}

fn target(url: &Url, redirects: u32) -> Target {
    let client = Network::default().client(redirects, false).unwrap();
    let mut target = Target::test(Transport::Network(client));
    target.base = BaseUrl::new(url);
    target
}

async fn send(
    target: Target,
    path: &str,
    build: impl FnOnce(ServiceRequest) -> ServiceRequest,
) -> (Result<ServiceResponse, ServiceError>, Recorder) {
    let (verdict, recorder) = Verdict::recorded(Arc::new(target));
    let request = build(ServiceRequest::new(verdict.target.clone(), None, Method::POST, &path));
    (request.send_with(verdict).await, recorder)
}

/// The error of a call that reads the whole body, and the verdict on it.
async fn failing(url: &Url) -> (ServiceError, Option<Outcome>) {
    let (answer, verdict) = send(target(url, 0), "a", |request| request).await;
    let error = match answer {
        Ok(answer) => answer.bytes().await.unwrap_err(),
        Err(error) => error,
    };
    (error, verdict.outcome())
}

#[tokio::test]
async fn the_path_arrives_byte_for_byte() {
    let (url, seen) = server(&["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]).await;
    let path = "/a%2Fb%20c/%7e~!$&'()*+,;=:@/x//?q=%2F..%2f&r=a/../b";
    let (answer, verdict) = send(target(&url, 0), path, |request| request).await;
    answer.unwrap();
    assert_eq!(verdict.outcome(), Some(Success));
    let request = seen.lock().unwrap().pop().unwrap();
    assert_eq!(request.lines().next().unwrap(), format!("POST /api{path} HTTP/1.1"));
}

#[tokio::test]
async fn bytes_have_a_length_and_streams_are_chunked() {
    let (url, seen) = server(&["HTTP/1.1 204 No Content\r\n\r\n"]).await;
    let stream = || axum::body::Body::from_stream(stream_of(["ab", "c"]));
    for (build, header, body) in [
        (
            Box::new(|request: ServiceRequest| request.body("abc")) as Box<dyn FnOnce(_) -> _>,
            "content-length: 3",
            "abc",
        ),
        (
            Box::new(|request: ServiceRequest| request.body(axum::body::Body::from("abc"))),
            "content-length: 3",
            "abc",
        ),
        (
            Box::new(|request: ServiceRequest| {
                request.multipart(reqwest::multipart::Form::new().text("a", "b"))
            }),
            "content-length: ",
            "b",
        ),
        (
            Box::new(move |request: ServiceRequest| request.body(stream())),
            "transfer-encoding: chunked",
            "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        ),
    ] {
        let (answer, verdict) = send(target(&url, 0), "a", build).await;
        answer.unwrap();
        assert_eq!(verdict.outcome(), Some(Success));
        let request = seen.lock().unwrap().pop().unwrap();
        assert!(request.contains(header), "{request}");
        assert!(request.contains(body), "{request}");
        let framings =
            request.matches("content-length").count() + request.matches("chunked").count();
        assert_eq!(framings, 1, "{request}");
    }
}

/// A stream of what is there already.
fn stream_of<const N: usize>(pieces: [&'static str; N]) -> axum::body::BodyDataStream {
    use crate::client::script::{Script, Step};
    axum::body::Body::new(Script::new(&pieces.map(Step::Data))).into_data_stream()
}

#[tokio::test]
async fn a_whole_body_is_a_success_when_its_last_byte_is_read() {
    let (url, _) = server(&["HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"]).await;
    let (answer, verdict) = send(target(&url, 0), "a", |request| request).await;
    let mut answer = answer.unwrap();
    assert_eq!(verdict.outcome(), None);
    let mut read = 0;
    while read < 3 {
        read += answer.chunk().await.unwrap().unwrap().len();
    }
    assert_eq!(verdict.outcome(), Some(Success));
}

#[tokio::test]
async fn bodies_that_break_off_are_failures() {
    for answer in [
        &["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"],
        &["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"],
        &["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n"],
    ] {
        let (url, _) = server(answer).await;
        let (error, outcome) = failing(&url).await;
        assert_eq!(error.kind(), ServiceErrorKind::Body, "{error:?}");
        assert_eq!(outcome, Some(Failure));
    }
}

#[tokio::test]
async fn connections_that_are_lost_are_failures() {
    for answer in [&[""], &["HTTP/1.1 200"], &["nonsense\r\n\r\n"]] {
        let (url, seen) = server(answer).await;
        let (error, outcome) = failing(&url).await;
        assert_eq!(error.kind(), ServiceErrorKind::Disconnect, "{error:?}");
        assert_eq!(outcome, Some(Failure));
        // It is not tried again behind the circuit's back.
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn connections_that_cannot_be_made_are_failures() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for url in [format!("http://{free}"), "http://name.invalid".to_owned()] {
        let (error, outcome) = failing(&url.parse().unwrap()).await;
        assert_eq!(error.kind(), ServiceErrorKind::Connect, "{error:?}");
        assert_eq!(outcome, Some(Failure));
    }
}

#[tokio::test]
async fn silence_is_a_timeout() {
    for answer in [&[HANG], &["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc\u{0}"]] {
        let (url, _) = server(answer).await;
        let timeout = Some(Duration::from_millis(50));
        let target = target(&url, 0).with(|rules| rules.timeout = timeout);
        let (answer, verdict) = send(target, "a", |request| request).await;
        let error = match answer {
            Ok(answer) => answer.bytes().await.unwrap_err(),
            Err(error) => error,
        };
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!(verdict.outcome(), Some(Failure));
    }
}

#[tokio::test]
async fn what_a_service_asks_for_is_heard() {
    for (answer, seconds) in [
        ("HTTP/1.1 503 No\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n", Some(7)),
        (
            "HTTP/1.1 429 Slow\r\ndate: Fri, 02 Jan 2099 00:00:00 GMT\r\n\
             Retry-After: Fri, 02 Jan 2099 00:00:30 GMT\r\ncontent-length: 0\r\n\r\n",
            Some(30),
        ),
        ("HTTP/1.1 500 No\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n", None),
    ] {
        let (url, _) = server(Box::leak(Box::new([answer]))).await;
        let (sent, verdict) = send(target(&url, 0), "a", |request| request).await;
        sent.unwrap();
        let heard = verdict.verdict().unwrap().retry_after;
        assert_eq!(heard.map(|time| time.as_secs()), seconds, "{answer}");
    }
}

#[tokio::test]
async fn errors_hold_no_url() {
    let (url, _) = server(&[""]).await;
    let (answer, _) = send(target(&url, 0), "a?token=secret", |request| request).await;
    let error = answer.unwrap_err();
    let text = crate::error::causes(&error).map(|error| format!("{error} {error:?}"));
    let text: String = text.collect();
    assert!(!text.contains("secret"), "{text}");
}

const REDIRECT: &str =
    "HTTP/1.1 307 Temporary Redirect\r\nlocation: /moved\r\ncontent-length: 0\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn redirects_are_followed_as_often_as_configured() {
    for (redirects, status, requests) in [(0, 307, 1), (1, 307, 2), (2, 200, 3), (9, 200, 3)] {
        let (url, seen) = server(&[REDIRECT, REDIRECT, OK]).await;
        let (answer, verdict) =
            send(target(&url, redirects), "a", |request| request.body("abc")).await;
        assert_eq!(answer.unwrap().status().as_u16(), status, "{redirects}");
        assert_eq!(verdict.outcome(), Some(Success));
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), requests, "{redirects}");
        assert!(seen.iter().all(|request| request.ends_with("abc")), "{seen:?}");
    }
}

#[tokio::test]
async fn redirects_to_elsewhere_are_answers() {
    for elsewhere in ["http://127.0.0.1:1/", "https://127.0.0.1/", "//localhost/"] {
        let answer =
            format!("HTTP/1.1 302 Found\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n");
        let (url, seen) = server(Box::leak(Box::new([&*String::leak(answer)]))).await;
        let (answer, verdict) = send(target(&url, 9), "a", |request| request).await;
        assert_eq!(answer.unwrap().status(), 302);
        assert_eq!(verdict.outcome(), Some(Success));
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}

#[test]
fn a_client_needs_no_certificates_for_http() {
    let mut network = Network::default();
    network.client(0, false).unwrap();
    network.client(3, false).unwrap();
    network.client(0, false).unwrap();
    assert_eq!(network.clients.len(), 2);
}

#[cfg(feature = "http2")]
#[tokio::test]
async fn http2_is_judged_like_http1() {
    use axum::{Router, body::Body, routing::any};

    use crate::client::script::{Script, Step};

    let script = |steps: &'static [Step]| async move { Body::new(Script::new(steps)) };
    let app = Router::new()
        .route("/api/whole", any(async || "abc"))
        .route("/api/stream", any(move || script(&[Step::Data("ab"), Step::Data("c")])))
        .route("/api/broken", any(move || script(&[Step::Data("ab"), Step::Fail])))
        .route("/api/stalled", any(move || script(&[Step::Data("ab"), Step::Hang])))
        .route("/api/empty", any(async || ()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/api", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let client = Client::builder().http2_prior_knowledge();
    #[cfg(feature = "tls")]
    let client = client.tls_certs_only([]);
    #[cfg(feature = "tls")]
    crate::crypto::install_provider();
    let client = client.build().unwrap();
    let target = || {
        let mut target = target(&url, 0);
        target.transport = Transport::Network(client.clone());
        target.with(|rules| rules.timeout = Some(Duration::from_millis(200)))
    };
    for path in ["whole", "stream"] {
        let (answer, verdict) = send(target(), path, |request| request).await;
        let answer = answer.unwrap();
        assert_eq!(answer.version(), http::Version::HTTP_2);
        assert_eq!(verdict.outcome(), None, "{path}");
        assert_eq!(answer.text().await.unwrap(), "abc");
        assert_eq!(verdict.outcome(), Some(Success), "{path}");
    }
    let (answer, verdict) = send(target(), "empty", |request| request).await;
    answer.unwrap();
    assert_eq!(verdict.outcome(), Some(Success));
    for path in ["broken", "stalled"] {
        let (answer, verdict) = send(target(), path, |request| request).await;
        // The reset of a stream may overtake its headers.
        let error = match answer {
            Ok(answer) => answer.bytes().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.is_timeout(), path == "stalled", "{error:?}");
        assert_eq!(verdict.outcome(), Some(Failure), "{path}");
    }
}
