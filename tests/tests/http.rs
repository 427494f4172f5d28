//! What goes over the wire to a service and back: versions of HTTP, https, bodies, headers,
//! redirects and proxies.

#![allow(clippy::unwrap_used)]

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Multipart, Request},
    http::{HeaderMap, Version, header},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use bytes::Bytes;
use http_body::Frame;
use infuse_axum::{
    Infuse, Service, ServiceClient, ServiceError, ServiceErrorKind, ServiceResponse, State, reqwest,
};
use infuse_tests::{
    Answer, App, Authority, Double, Gateway, RefusingService, Scratch, SecureService, Stage,
    client, config, eventually, problem, serve,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// The service at this URL, and what keeps it going.
async fn service_at(url: &str) -> (Service, Infuse) {
    let builder = Infuse::builder();
    service_by(builder, &[("infuse_services.payments.url", url)]).await
}

async fn service_by(
    builder: infuse_axum::InfuseBuilder,
    settings: &[(&str, &str)],
) -> (Service, Infuse) {
    let infuse = builder.start(&config(settings)).await.unwrap();
    (infuse.client().service("payments").unwrap(), infuse)
}

fn versions() -> Router {
    let version = |version: Version, body: Bytes| async move {
        ([("x-body", body.len().to_string())], format!("{version:?}"))
    };
    Router::new().route("/version", any(version))
}

/// A service that speaks https, and a client of the user's own that knows its authority.
async fn secure(protocols: &[&str]) -> (SecureService, Service, Infuse) {
    secure_with(versions(), protocols).await
}

async fn secure_with(routes: Router, protocols: &[&str]) -> (SecureService, Service, Infuse) {
    let authority = Authority::new();
    let server = SecureService::start(routes, &authority, protocols).await;
    // The builder comes first: it gives the process what a client needs for TLS.
    let builder = Infuse::builder();
    let root = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let own = reqwest::Client::builder().no_proxy().tls_certs_merge([root]).build().unwrap();
    let url = format!("https://{}", server.addr());
    let settings = [("infuse_services.payments.url", url.as_str())];
    let (service, infuse) = service_by(builder.http_client(own), &settings).await;
    (server, service, infuse)
}

#[tokio::test]
async fn https_negotiates_http_2() {
    let (server, payments, _infuse) = secure(&["h2", "http/1.1"]).await;
    let answer = payments.post("version").body("a body").send().await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    assert_eq!(answer.headers()["x-body"], "6");
    assert_eq!(answer.text().await.unwrap(), "HTTP/2.0");
    assert_eq!(server.versions(), [Version::HTTP_2]);
}

#[tokio::test]
async fn https_falls_back_to_http_1_1() {
    for protocols in [&["http/1.1"][..], &[]] {
        let (server, payments, _infuse) = secure(protocols).await;
        let answer = payments.get("version").send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "HTTP/1.1");
        assert_eq!(server.versions(), [Version::HTTP_11]);
    }
}

#[tokio::test]
async fn many_calls_over_one_http_2_connection() {
    let (server, payments, infuse) = secure(&["h2"]).await;
    let calls: Vec<_> = (0..50).map(|_| tokio::spawn(payments.get("version").send())).collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), "HTTP/2.0");
    }
    assert_eq!(server.versions().len(), 50);
    assert_eq!(infuse.breaker("payments").unwrap().fail_counter(), 0);
}

/// Over HTTP/2 the connection outlives what goes wrong in a stream of it.
#[tokio::test]
async fn streams_of_http_2_that_stall_or_break_off_open() {
    type Feed = mpsc::Sender<Result<Bytes, io::Error>>;
    // The other end of every body, so that the test can let it stall or break off.
    let (feeds, mut bodies) = mpsc::unbounded_channel::<Feed>();
    let half = move || {
        let (feed, fed) = mpsc::channel(2);
        feed.try_send(Ok(Bytes::from("half"))).unwrap();
        feeds.send(feed).unwrap();
        async { Body::new(Fed(fed)) }
    };
    let silent = async || std::future::pending::<()>().await;
    let routes = versions().route("/half", get(half)).route("/silent", get(silent));
    let (server, payments, infuse) = secure_with(routes, &["h2"]).await;
    let circuit = infuse.breaker("payments").unwrap();
    let call = |path| payments.get(path).timeout(Duration::from_millis(150)).send();

    assert_eq!(call("silent").await.unwrap_err().kind(), ServiceErrorKind::Timeout);
    assert_eq!(circuit.fail_counter(), 1);
    for failures in [2, 3] {
        let mut answer = call("half").await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "half");
        assert_eq!(answer.chunk().await.unwrap_err().kind(), ServiceErrorKind::Timeout);
        assert_eq!(circuit.fail_counter(), failures);
    }
    while bodies.try_recv().is_ok() {}
    for failures in [4, 5] {
        let mut answer = call("half").await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "half");
        let feed = bodies.recv().await.unwrap();
        feed.send(Err(io::Error::other("the disk is gone"))).await.unwrap();
        assert_eq!(answer.chunk().await.unwrap_err().kind(), ServiceErrorKind::Body);
        assert_eq!(circuit.fail_counter(), failures);
    }
    assert_eq!(call("half").await.unwrap_err().kind(), ServiceErrorKind::Rejected);
    let skipped = payments.get("version").skip_breaker().send().await.unwrap();
    assert_eq!(skipped.text().await.unwrap(), "HTTP/2.0");
    assert_eq!(server.versions().len(), 6);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn http_2_without_tls_by_a_client_of_ones_own() {
    let server = SecureService::start_plain(versions()).await;
    let builder = Infuse::builder();
    let own = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}", server.addr());
    let settings = [("infuse_services.payments.url", url.as_str())];
    let (payments, _infuse) = service_by(builder.http_client(own), &settings).await;
    assert_eq!(payments.get("version").send().await.unwrap().text().await.unwrap(), "HTTP/2.0");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_no_connection_and_counts() {
    let server = SecureService::start(versions(), &Authority::new(), &["h2"]).await;
    let (payments, infuse) = service_at(&format!("https://{}", server.addr())).await;
    for failed in 1..=5 {
        let error = payments.get("version").send().await.unwrap_err();
        assert_eq!(error.kind(), ServiceErrorKind::Connect, "{error:?}");
        assert_eq!(infuse.breaker("payments").unwrap().fail_counter(), failed);
    }
    assert_eq!(infuse.breaker("payments").unwrap().state(), State::Open);
    assert!(server.versions().is_empty());
}

/// The client that is used by default has the system's certificates, of which a variable can name
/// the file.
#[tokio::test]
async fn the_default_client_speaks_https_with_the_systems_certificates() {
    let authority = Authority::new();
    let server = SecureService::start(versions(), &authority, &["h2", "http/1.1"]).await;
    let folder = Scratch::new();
    let certificates = folder.write("authority.pem", authority.pem());
    let url = format!("https://{}", server.addr());
    let by_name = format!("https://localhost:{}", server.addr().port());
    let variables = [
        ("INFUSE_SERVICES__PAYMENTS__URL", url.as_str()),
        ("INFUSE_SERVICES__USERS__URL", &by_name),
        ("SSL_CERT_FILE", certificates.to_str().unwrap()),
    ];
    let gateway = Gateway::start_in(folder, &variables).await;
    for service in ["payments", "users"] {
        let answer = gateway.get(&format!("/call/{service}/version")).await;
        assert_eq!(answer.status(), 200, "{service}");
        assert_eq!(answer.text().await.unwrap(), "HTTP/2.0");
    }
    assert_eq!(server.versions(), [Version::HTTP_2, Version::HTTP_2]);
}

#[tokio::test]
async fn connections_are_kept() {
    let stage = Stage::set().await;
    for _ in 0..50 {
        assert_eq!(stage.call().await, 200);
    }
    assert_eq!(stage.service.requests(), 50);
    assert_eq!(stage.service.connections(), 1);
}

#[tokio::test]
async fn what_is_sent() {
    let service = Double::start(Answer::Echo).await;
    let (payments, _infuse) = service_at(&format!("{}/api/", service.url())).await;

    payments.get("a%2Fb/c d?x=1&y=%20").send().await.unwrap();
    assert_eq!(service.last().target, "/api/a%2Fb/c%20d?x=1&y=%20");
    payments.get(["a/b", "ü", "?#"]).query(&[("q", "a&b"), ("r", "1 2")]).send().await.unwrap();
    assert_eq!(service.last().target, "/api/a%2Fb/%C3%BC/%3F%23?q=a%26b&r=1+2");
    payments.get("").send().await.unwrap();
    assert_eq!(service.last().target, "/api/");

    payments.post("x").json(&json!({ "paid": true })).send().await.unwrap();
    assert_eq!(service.last().header("content-type"), Some("application/json"));
    assert_eq!(service.last().text(), r#"{"paid":true}"#);
    assert_eq!(service.last().header("content-length"), Some("13"));

    payments.put("x").form(&[("a", "1 2"), ("b", "&")]).send().await.unwrap();
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(service.last().header("content-type"), form);
    assert_eq!(service.last().text(), "a=1+2&b=%26");
    assert_eq!(service.last().method, "PUT");

    payments.patch("x").body("plain").header("x-one", "1").send().await.unwrap();
    assert_eq!(service.last().text(), "plain");
    assert_eq!(service.last().header("x-one"), Some("1"));
    payments.delete("x").send().await.unwrap();
    assert_eq!(service.last().method, "DELETE");
    assert_eq!(service.last().header("content-length"), None);
    let answer = payments.head("x").send().await.unwrap();
    assert_eq!(answer.bytes().await.unwrap(), "");
    assert_eq!(service.last().method, "HEAD");
    payments.request("REPORT".parse().unwrap(), "x").send().await.unwrap();
    assert_eq!(service.last().method, "REPORT");
    // The connection outlives an answer to HEAD too.
    assert_eq!(service.connections(), 1);
}

#[tokio::test]
async fn multipart_arrives_as_such() {
    async fn parts(mut form: Multipart) -> String {
        let mut seen = String::new();
        while let Some(field) = form.next_field().await.unwrap() {
            let name = field.name().unwrap().to_owned();
            let file = field.file_name().unwrap_or("-").to_owned();
            seen += &format!("{name} {file} {}\n", field.bytes().await.unwrap().len());
        }
        seen
    }
    let server = serve(Router::new().route("/upload", post(parts))).await;
    let (payments, _infuse) = service_at(&server.url("")).await;
    let form = || {
        let file = reqwest::multipart::Part::bytes(vec![0; 100_000]).file_name("scan.pdf");
        reqwest::multipart::Form::new().text("order", "7").part("scan", file)
    };
    for _ in 0..2 {
        let answer = payments.post("upload").multipart(form()).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "order - 1\nscan scan.pdf 100000\n");
    }
}

/// A body whose pieces come when they are sent into a channel, and that breaks off with an error.
struct Fed<E>(mpsc::Receiver<Result<Bytes, E>>);

impl<E> axum::body::HttpBody for Fed<E> {
    type Data = Bytes;
    type Error = E;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

#[tokio::test]
async fn an_upload_is_streamed_as_it_comes() {
    let service = Double::start(Answer::text("thanks")).await;
    let settings =
        [("infuse_services.payments.url", &*service.url()), ("infuse_service_timeout", "300ms")];
    let (payments, infuse) = service_by(Infuse::builder(), &settings).await;
    let (feed, fed) = mpsc::channel(1);
    let call = tokio::spawn(payments.post("upload").body(Body::new(Fed(fed))).send());
    for piece in 1..=4 {
        feed.send(Ok::<_, Infallible>(Bytes::from_static(&[7; 1_000]))).await.unwrap();
        // It is there before the next one is made: nothing is held back.
        eventually("the piece arrives", async || service.uploaded() == piece * 1_000).await;
        // A caller that is slow to produce is not the service's fault.
        tokio::time::sleep(Duration::from_millis(120)).await;
    }
    drop(feed);
    assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), "thanks");
    assert_eq!(service.last().body.len(), 4_000);
    assert_eq!(service.last().header("transfer-encoding"), Some("chunked"));
    assert_eq!(infuse.breaker("payments").unwrap().fail_counter(), 0);
}

/// An app that streams both ways: what comes in goes to the service, what it answers goes back.
async fn relay(service: &Double) -> App {
    async fn pass(client: ServiceClient, request: Request) -> Result<Response, ServiceError> {
        let payments = client.service("payments")?;
        let answer = payments.post("relay").body(request.into_body()).send().await?;
        Ok((answer.status(), answer.into_body()).into_response())
    }
    let limit = axum::extract::DefaultBodyLimit::disable();
    let mut app = Router::new().route("/", any(pass)).layer(limit);
    let config = config(&[("infuse_services.payments.url", &service.url())]);
    Infuse::init_app(&mut app, &config).await.unwrap();
    serve(app).await
}

#[tokio::test]
async fn pieces_of_an_answer_arrive_before_its_end() {
    let service = Double::start(Answer::GatedChunks(5)).await;
    let app = relay(&service).await;
    let mut answer = client().get(app.url("/")).send().await.unwrap();
    for piece in 0..5 {
        service.let_through(1);
        assert_eq!(answer.chunk().await.unwrap().unwrap(), format!("piece {piece}\n"));
    }
    assert_eq!(answer.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn fifty_megabytes_go_through_both_ways() {
    const SIZE: u64 = 50_000_000;
    let service = Double::start(Answer::Large(SIZE)).await;
    let app = relay(&service).await;
    let (feed, fed) = mpsc::channel(1);
    let upload = tokio::spawn(async move {
        let piece = Bytes::from(vec![7; 100_000]);
        for _ in 0..SIZE / 100_000 {
            feed.send(Ok::<_, Infallible>(piece.clone())).await.unwrap();
        }
    });
    let body = reqwest::Body::wrap(Fed(fed));
    let mut answer = client().post(app.url("/")).body(body).send().await.unwrap();
    upload.await.unwrap();
    assert_eq!(service.uploaded(), SIZE);
    let mut bytes = 0;
    while let Some(chunk) = answer.chunk().await.unwrap() {
        bytes += chunk.len() as u64;
    }
    assert_eq!(bytes, SIZE);
}

#[tokio::test]
async fn a_user_that_does_not_read_holds_the_service_up() {
    let service = Double::start(Answer::Endless).await;
    let app = relay(&service).await;
    let mut answer = client().get(app.url("/")).send().await.unwrap();
    answer.chunk().await.unwrap().unwrap();
    // What is under way is what the sockets' buffers hold, and no more.
    let mut before = u64::MAX;
    eventually("the service is held up", async || {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let still = service.sent() == before;
        before = service.sent();
        still
    })
    .await;
    assert!(before < 40_000_000, "{before} bytes are somewhere");
    let more = before + 20_000_000;
    eventually("it goes on", async || {
        answer.chunk().await.unwrap();
        service.sent() > more
    })
    .await;
}

#[tokio::test]
async fn headers_about_a_connection_are_not_passed_on() {
    async fn pass(
        client: ServiceClient,
        mut headers: HeaderMap,
    ) -> Result<ServiceResponse, ServiceError> {
        headers.remove(header::HOST);
        client.service("payments")?.get("x").headers(headers).send().await
    }
    let answer = "HTTP/1.1 200 OK\r\nconnection: keep-alive, x-hop\r\nkeep-alive: timeout=5\r\n\
                  x-hop: 1\r\nproxy-authenticate: Basic\r\nupgrade: h2c\r\nx-kept: 1\r\n\
                  set-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 2\r\n\r\nok";
    let service = Double::start(Answer::Raw(answer.into())).await;
    let mut app = Router::new().route("/", get(pass));
    let config = config(&[("infuse_services.payments.url", &service.url())]);
    Infuse::init_app(&mut app, &config).await.unwrap();
    let app = serve(app).await;
    let request = client().get(app.url("/")).header("x-kept", "yes");
    let request = request.header("upgrade", "h2c").header("keep-alive", "timeout=9");
    let answer = request.send().await.unwrap();
    for dropped in ["connection", "keep-alive", "x-hop", "proxy-authenticate", "upgrade"] {
        assert!(!answer.headers().contains_key(dropped), "{dropped}");
    }
    assert_eq!(answer.headers()["x-kept"], "1");
    assert_eq!(answer.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(answer.text().await.unwrap(), "ok");
    let received = service.last();
    assert_eq!(received.header("x-kept"), Some("yes"));
    for dropped in ["upgrade", "keep-alive", "connection"] {
        assert_eq!(received.header(dropped), None, "{dropped}");
    }
    assert_eq!(received.header("host"), Some(service.addr().to_string().as_str()));
}

/// A service that answers every request but one for `/there` with a redirect.
async fn redirecting(to: &str) -> Double {
    let to = to.to_owned();
    Double::start(Answer::by(move |request| match request.target.as_str() {
        "/there" => Answer::text("arrived"),
        "/twice" => redirect("/once"),
        _ => redirect(&to),
    }))
    .await
}

fn redirect(to: &str) -> Answer {
    Answer::Raw(format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into())
}

#[tokio::test]
async fn redirects_are_answers_like_any_other() {
    let service = redirecting("/there").await;
    let (payments, infuse) = service_at(&service.url()).await;
    let answer = payments.get("once").send().await.unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], "/there");
    assert_eq!(service.requests(), 1);
    assert_eq!(infuse.breaker("payments").unwrap().fail_counter(), 0);
}

#[tokio::test]
async fn redirects_are_followed_to_the_same_origin_if_that_is_set() {
    let service = redirecting("/there").await;
    let settings = [
        ("infuse_services.payments.url", service.url()),
        ("infuse_services.payments.redirects", "1".to_owned()),
    ];
    let settings = settings.each_ref().map(|(key, value)| (*key, value.as_str()));
    let (payments, _infuse) = service_by(Infuse::builder(), &settings).await;
    let answer = payments.get("once").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "arrived");
    // One and no more.
    let answer = payments.get("twice").send().await.unwrap();
    assert_eq!(answer.status(), 302);

    let elsewhere = Double::start(Answer::text("not at home")).await;
    let service = redirecting(&format!("{}/there", elsewhere.url())).await;
    let settings = [
        ("infuse_services.payments.url", service.url()),
        ("infuse_services.payments.redirects", "1".to_owned()),
    ];
    let settings = settings.each_ref().map(|(key, value)| (*key, value.as_str()));
    let (payments, _infuse) = service_by(Infuse::builder(), &settings).await;
    assert_eq!(payments.get("once").send().await.unwrap().status(), 302);
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_proxy_that_the_environment_names_is_not_used() {
    let proxy = Double::start(Answer::text("the proxy")).await;
    let service = Double::start(Answer::text("the service")).await;
    let (url, proxy_url) = (service.url(), proxy.url());
    let gateway = Gateway::start(&[
        ("INFUSE_SERVICES__PAYMENTS__URL", url.as_str()),
        ("HTTP_PROXY", &proxy_url),
        ("http_proxy", &proxy_url),
        ("HTTPS_PROXY", &proxy_url),
        ("ALL_PROXY", &proxy_url),
    ])
    .await;
    let answer = gateway.get("/call/payments/x").await;
    assert_eq!(answer.text().await.unwrap(), "the service");
    assert_eq!(proxy.connections(), 0);
}

#[tokio::test]
async fn a_request_is_never_sent_again_behind_the_callers_back() {
    // A kept connection that is closed when the next request comes is what clients retry.
    let stage = Stage::set().await;
    assert_eq!(stage.call().await, 200);
    stage.service.answer(Answer::HangUp);
    let problem = problem(stage.get("/text").await).await;
    assert_eq!(problem["code"], 998612);
    assert_eq!(stage.service.requests(), 2);
    stage.service.answer(Answer::Reset);
    assert_eq!(stage.call().await, 502);
    assert_eq!(stage.service.requests(), 3);
}

/// A stream that is refused is one that HTTP/2 clients send again, unless they are told not to.
#[tokio::test]
async fn a_request_that_is_refused_over_http_2_is_not_sent_again_either() {
    let authority = Authority::new();
    let service = RefusingService::start(&authority).await;
    let folder = Scratch::new();
    let certificates = folder.write("authority.pem", authority.pem());
    let url = format!("https://{}", service.addr());
    let variables = [
        ("INFUSE_SERVICES__PAYMENTS__URL", url.as_str()),
        ("SSL_CERT_FILE", certificates.to_str().unwrap()),
    ];
    let gateway = Gateway::start_in(folder, &variables).await;
    for failed in 1..=5 {
        let answer = gateway.get("/call/payments/x").await;
        assert_eq!(problem(answer).await["code"], 998612);
        assert_eq!(service.refused(), failed);
    }
    assert_eq!(gateway.get("/call/payments/x").await.status(), 503);
    assert_eq!(service.refused(), 5);
}

#[tokio::test]
async fn text_of_another_encoding_and_unknown_content_types_do_not_fail() {
    let service = Double::start(Answer::Body("text/plain", vec![b'a', 0xff].into())).await;
    let (payments, _infuse) = service_at(&service.url()).await;
    let text = payments.get("x").send().await.unwrap().text().await.unwrap();
    assert_eq!(text, "a\u{fffd}");
    service.answer(Answer::Body("nonsense", "{\"a\": 1}".into()));
    let json: Value = payments.get("x").send().await.unwrap().json().await.unwrap();
    assert_eq!(json, json!({ "a": 1 }));
}

#[tokio::test]
async fn ipv6_services_can_be_called() {
    let Ok(listener) = tokio::net::TcpListener::bind("[::1]:0").await else {
        // Not every machine has IPv6.
        return;
    };
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/x", get(|| async { "six" }));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let (payments, _infuse) = service_at(&url).await;
    assert_eq!(payments.get("x").send().await.unwrap().text().await.unwrap(), "six");
    server.abort();
}
