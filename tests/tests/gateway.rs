//! The gateway, as a process that is set by nothing but its environment and `infuse.toml`.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use infuse_tests::{
    Answer, Double, Gateway, Process, Scratch, eventually, exchange, get_raw, problem,
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// A gateway to one service, whose circuit is tried again after `reset` of a second.
async fn gateway_to(service: &Double, reset: &str) -> Gateway {
    let url = format!("{}/base", service.url());
    Gateway::start(&[
        ("INFUSE_SERVICES__PAYMENTS__URL", url.as_str()),
        ("INFUSE_SERVICE_NAME", "gateway"),
        ("INFUSE_BREAKER_RESET_TIMEOUT", reset),
    ])
    .await
}

const LONG: &str = "10m";

async fn five_failures(gateway: &Gateway, service: &Double) {
    service.answer(Answer::Status(500));
    for _ in 0..5 {
        assert_eq!(gateway.get("/call/payments/x").await.status(), 500);
    }
    assert_eq!(gateway.circuit("payments").await["state"], "open");
}

/// Calls until a call passes. The time that is left is shown in milliseconds, so the first may
/// come a little too early.
async fn passes(gateway: &Gateway) {
    let passes = async || gateway.get("/call/payments/x").await.status() == 200;
    eventually("a call passes", passes).await;
}

#[tokio::test]
async fn a_request_is_forwarded_as_it_is() {
    let service = Double::start(Answer::Echo).await;
    let gateway = gateway_to(&service, LONG).await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"] {
        let url = gateway.url("/call/payments/orders/7?full=1&q=a%20b");
        let request = gateway.client.request(method.parse().unwrap(), url);
        let request = request.header("content-type", "application/x-own").body("the body");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "application/json");
        let echo: Value = answer.json().await.unwrap();
        assert_eq!(echo["method"], method);
        assert_eq!(echo["target"], "/base/orders/7?full=1&q=a%20b");
        assert_eq!(echo["body"], "the body");
        assert_eq!(service.last().header("content-type"), Some("application/x-own"));
        assert_eq!(service.last().header("content-length"), Some("8"));
    }
    let head = gateway.client.head(gateway.url("/call/payments/x")).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-type"], "application/json");
    assert_eq!(service.last().method, "HEAD");
}

#[tokio::test]
async fn a_path_is_forwarded_undecoded() {
    let service = Double::start(Answer::Echo).await;
    let gateway = gateway_to(&service, LONG).await;
    for (path, arrives) in [
        ("/a%2Fb%20c", "/base/a%2Fb%20c"),
        ("/%ff", "/base/%ff"),
        ("/%FF/%c3%bc?x=%ff", "/base/%FF/%c3%bc?x=%ff"),
        ("/a+b;c=1,2/d:e@f", "/base/a+b;c=1,2/d:e@f"),
        ("/a/", "/base/a/"),
        ("/a//b", "/base/a//b"),
        ("/?x=/../&y=a?b", "/base?x=/../&y=a?b"),
        ("?x=1", "/base?x=1"),
        ("/", "/base"),
        ("", "/base"),
    ] {
        for route in ["call", "skip"] {
            let target = format!("/{route}/payments{path}");
            let answer = get_raw(gateway.addr(), target.as_bytes()).await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(service.last().target, arrives, "{path}");
        }
    }
}

/// Those that a client would put in order before it sends them.
#[tokio::test]
async fn no_path_leaves_the_base() {
    let service = Double::start(Answer::Echo).await;
    let gateway = gateway_to(&service, LONG).await;
    let hostile: &[&[u8]] = &[
        b"..",
        b"../admin",
        b"../../admin",
        b"a/../../admin",
        b"a/..",
        b".",
        b"./admin",
        b"%2e%2e/admin",
        b"%2E%2e%2fadmin",
        b".%2e/admin",
        b"a/%2e%2e/%2e%2e/admin",
        b"..%2f..%2fadmin",
        b"..;/admin",
        b"..%3b/admin",
        b"..\\admin",
        b"..%5cadmin",
        b"\\\\evil.example\\admin",
        b"%5c%5cevil.example",
        b"/evil.example/admin",
        b"//evil.example/admin",
        b"%2f%2fevil.example/admin",
        b"%2fevil.example/admin",
        b"http://evil.example/admin",
        b"http:%2f%2fevil.example/admin",
        b"http:evil.example",
        b"@evil.example/admin",
        b":80@evil.example/",
        b"a%00b",
        b"a%0d%0aHost:%20evil.example",
        b"a%0ab",
        b"a%23b/../../admin",
        b"%23",
        b"a%7fb",
        b"%252e%252e/admin",
        b"a\xff/../../admin",
        b"%c0%ae%c0%ae/admin",
        b"\xe2\x80\xae/admin",
    ];
    let mut refused = 0;
    for path in hostile {
        for prefix in [&b"/call/payments/"[..], b"http://evil.example/call/payments/"] {
            let before = service.requests();
            let answer = get_raw(gateway.addr(), &[prefix, path].concat()).await;
            let shown = String::from_utf8_lossy(path);
            match answer.status {
                400 => {
                    refused += 1;
                    assert_eq!(service.requests(), before, "{shown}");
                }
                // Some are paths like any other, once they stand behind the base.
                200 => {
                    let target = service.last().target;
                    assert_eq!(service.requests(), before + 1, "{shown}");
                    assert!(target.starts_with("/base/"), "{shown}: {target}");
                    let host = service.addr().to_string();
                    assert_eq!(service.last().header("host"), Some(host.as_str()), "{shown}");
                    for up in ["/..", "/.", "\\"] {
                        assert!(!target.contains(up), "{shown}: {target}");
                    }
                }
                status => panic!("{shown}: {status} {answer:?}"),
            }
        }
    }
    assert!(refused > 40, "{refused}");
    let circuit = gateway.circuit("payments").await;
    assert_eq!(circuit["fail_counter"], 0);
}

#[tokio::test]
async fn an_answer_is_passed_back_as_it_is() {
    let service = Double::start(Answer::Status(404)).await;
    let gateway = gateway_to(&service, LONG).await;
    for status in [201, 302, 404, 418, 429, 500, 503] {
        service.answer(Answer::Status(status));
        let answer = gateway.get("/call/payments/x").await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["content-type"], "text/plain");
        assert_eq!(answer.text().await.unwrap(), format!("status {status}\n"));
    }
    service.answer(Answer::Status(204));
    let answer = gateway.get("/call/payments/x").await;
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.bytes().await.unwrap(), "");
    service.answer(Answer::Raw("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n\x01\x02\x03".into()));
    let answer = gateway.get("/call/payments/x").await;
    assert!(!answer.headers().contains_key("content-type"));
    assert_eq!(answer.bytes().await.unwrap(), "\x01\x02\x03");
}

#[tokio::test]
async fn an_answer_is_streamed_in_bounded_memory() {
    const SIZE: u64 = 200_000_000;
    let service = Double::start(Answer::GatedChunks(3)).await;
    let gateway = gateway_to(&service, LONG).await;
    let mut answer = gateway.get("/call/payments/x").await;
    for piece in 0..3 {
        service.let_through(1);
        assert_eq!(answer.chunk().await.unwrap().unwrap(), format!("piece {piece}\n"));
    }
    assert_eq!(answer.chunk().await.unwrap(), None);

    let before = gateway.process.peak_memory();
    service.answer(Answer::Large(SIZE));
    let mut answer = gateway.get("/call/payments/x").await;
    let mut bytes = 0;
    while let Some(chunk) = answer.chunk().await.unwrap() {
        bytes += chunk.len() as u64;
    }
    assert_eq!(bytes, SIZE);
    let grown = gateway.process.peak_memory() - before;
    assert!(grown < 30_000, "it has grown by {grown} KiB");
}

#[tokio::test]
async fn bodies_over_2_mb_are_413() {
    let service = Double::start(Answer::Echo).await;
    let gateway = gateway_to(&service, LONG).await;
    let post = |bytes: usize| {
        gateway.client.post(gateway.url("/call/payments/x")).body(vec![b'x'; bytes]).send()
    };
    let answer = post(2_000_000).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(service.last().body.len(), 2_000_000);
    let requests = service.requests();

    // Declared: it is answered before the body is there.
    let head = "POST /call/payments/x HTTP/1.1\r\nhost: app\r\nconnection: close\r\n";
    let declared = format!("{head}content-length: 2000001\r\n\r\n");
    let answer = exchange(gateway.addr(), declared).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    // Not declared.
    let piece = format!("{:x}\r\n{}\r\n", 100_000, "x".repeat(100_000));
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{}", piece.repeat(20));
    let answer = exchange(gateway.addr(), format!("{chunked}1\r\nx\r\n")).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(service.requests(), requests);
    let answer = exchange(gateway.addr(), format!("{chunked}0\r\n\r\n")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(service.last().body.len(), 2_000_000);
    assert_eq!(gateway.circuit("payments").await["fail_counter"], 0);
}

#[tokio::test]
async fn it_opens_rejects_tries_and_closes() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, "1s").await;
    assert_eq!(gateway.get("/call/payments/x").await.status(), 200);
    five_failures(&gateway, &service).await;
    let requests = service.requests();
    let answer = gateway.get("/call/payments/x").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    let told = problem(answer).await;
    assert_eq!(told["code"], 998603);
    assert_eq!(told["service"], "payments");
    assert_eq!(service.requests(), requests);

    service.answer(Answer::text("fine"));
    gateway.until("payments", |circuit| circuit["retry_after"] == 0.0).await;
    assert_eq!(gateway.circuit("payments").await["state"], "open");
    assert_eq!(service.requests(), requests);
    passes(&gateway).await;
    assert_eq!(service.requests(), requests + 1);
    gateway.until("payments", |circuit| circuit["state"] == "closed").await;
    let circuit = gateway.circuit("payments").await;
    assert_eq!(circuit["fail_counter"], 0);
    // The gateway's own was seeded: one change; this one opened, was tried and closed: three.
    assert_eq!(circuit["generation"], 3);
    assert_eq!(circuit["retry_after"], Value::Null);
}

#[tokio::test]
async fn of_many_callers_one_makes_the_trial() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, "300ms").await;
    five_failures(&gateway, &service).await;
    service.answer(Answer::Gated);
    let requests = service.requests();
    gateway.until("payments", |circuit| circuit["retry_after"] == 0.0).await;
    // It is shown in milliseconds, and may be a part of one too early.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let call = gateway.client.get(gateway.url("/call/payments/x")).send();
            tokio::spawn(async move { call.await.unwrap().status().as_u16() })
        })
        .collect();
    let finished = || calls.iter().filter(|call| call.is_finished()).count();
    eventually("the others are rejected", async || finished() == 99).await;
    assert_eq!(gateway.circuit("payments").await["state"], "half-open");
    assert_eq!(service.requests(), requests + 1);
    service.let_through(1);
    let mut passed = 0;
    for call in calls {
        passed += usize::from(call.await.unwrap() == 200);
    }
    assert_eq!(passed, 1);
    gateway.until("payments", |circuit| circuit["state"] == "closed").await;
}

#[tokio::test]
async fn skip_passes_an_open_circuit_and_counts_nothing() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, LONG).await;
    for _ in 0..10 {
        service.answer(Answer::Status(500));
        assert_eq!(gateway.get("/skip/payments/x").await.status(), 500);
    }
    assert_eq!(gateway.circuit("payments").await["fail_counter"], 0);
    five_failures(&gateway, &service).await;
    service.answer(Answer::text("fine"));
    let requests = service.requests();
    assert_eq!(gateway.get("/call/payments/x").await.status(), 503);
    assert_eq!(gateway.get("/skip/payments/x").await.text().await.unwrap(), "fine");
    assert_eq!(service.requests(), requests + 1);
    assert_eq!(gateway.circuit("payments").await["state"], "open");
}

#[tokio::test]
async fn circuits_and_health_are_to_be_seen_whatever_happens() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, LONG).await;
    let shown = gateway.circuits().await;
    let names: Vec<_> = shown.iter().map(|circuit| &circuit["service"]).collect();
    assert_eq!(names, ["gateway", "payments"]);
    for circuit in &shown {
        assert_eq!(circuit["state"], "closed");
        assert_eq!(circuit["fail_counter"], 0);
        assert!(circuit["generation"].is_u64());
        assert_eq!(circuit["retry_after"], Value::Null);
    }
    five_failures(&gateway, &service).await;
    let circuit = gateway.circuit("payments").await;
    assert_eq!(circuit["fail_counter"], 5);
    assert!((500.0..=600.0).contains(&circuit["retry_after"].as_f64().unwrap()), "{circuit}");
    gateway.until("payments", |circuit| circuit["generation"] == 1).await;
    assert_eq!(gateway.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn what_is_no_service_and_no_route() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, LONG).await;
    let answer = gateway.get("/call/users/x").await;
    assert_eq!(answer.status(), 500);
    let told = problem(answer).await;
    assert_eq!(told["code"], 998623);
    let detail = told["detail"].as_str().unwrap();
    assert!(detail.contains("INFUSE_SERVICES__USERS__URL"), "{detail}");
    // In another spelling it is the same service.
    assert_eq!(gateway.get("/call/PAYMENTS/x").await.status(), 200);
    for path in ["/", "/call", "/call/", "/nowhere", "/circuits/payments"] {
        assert_eq!(gateway.get(path).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn failures_of_the_network_are_told_and_counted() {
    let mut service = Double::start(Answer::Truncated).await;
    let url = service.url();
    let gateway = Gateway::start(&[
        ("INFUSE_SERVICES__PAYMENTS__URL", url.as_str()),
        ("INFUSE_SERVICE_TIMEOUT", "200ms"),
    ])
    .await;
    let failures = async || gateway.circuit("payments").await["fail_counter"].clone();
    let answer = gateway.get("/call/payments/x").await;
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap_err();
    eventually("it counts", async || failures().await == 1).await;
    service.answer(Answer::Silent);
    assert_eq!(gateway.get("/call/payments/x").await.status(), 504);
    assert_eq!(failures().await, 2);
    service.answer(Answer::HangUp);
    assert_eq!(gateway.get("/call/payments/x").await.status(), 502);
    assert_eq!(failures().await, 3);
    service.down().await;
    let answer = gateway.get("/call/payments/x").await;
    assert_eq!(answer.status(), 502);
    assert_eq!(problem(answer).await["code"], 998611);
    assert_eq!(failures().await, 4);
    // And no caller that goes away is one.
    service.up();
    service.answer(Answer::Gated);
    for _ in 0..3 {
        let (requests, abandoned) = (service.requests(), service.abandoned());
        let mut socket = TcpStream::connect(gateway.addr()).await.unwrap();
        socket.write_all(b"GET /call/payments/x HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        service.until_requests(requests + 1).await;
        drop(socket);
        service.until_abandoned(abandoned + 1).await;
    }
    assert_eq!(failures().await, 4);
}

#[tokio::test]
async fn it_ends_gracefully_on_sigterm() {
    let service = Double::start(Answer::Gated).await;
    let mut gateway = gateway_to(&service, LONG).await;
    let call = tokio::spawn(gateway.client.get(gateway.url("/call/payments/x")).send());
    service.until_requests(1).await;
    gateway.process.terminate().await;
    gateway.process.line("stopping").await;
    let refused = async || TcpStream::connect(gateway.addr()).await.is_err();
    eventually("nobody is let in any more", refused).await;
    assert!(gateway.process.runs());

    service.let_through(1);
    let answer = call.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "done\n");
    let end = gateway.process.end().await;
    assert_eq!(end.code(), Some(0));
    let last = gateway.process.stderr().pop().unwrap();
    assert!(last.contains("stopped"), "{last}");
}

#[tokio::test]
async fn a_second_signal_ends_the_calls_in_flight() {
    let service = Double::start(Answer::Gated).await;
    let mut gateway = gateway_to(&service, LONG).await;
    let call = tokio::spawn(gateway.client.get(gateway.url("/call/payments/x")).send());
    service.until_requests(1).await;
    gateway.process.terminate().await;
    let stopping = || gateway.process.stderr().iter().any(|line| line.contains("stopping"));
    eventually("it is stopping", async || stopping()).await;
    gateway.process.terminate().await;
    assert_eq!(gateway.process.end().await.code(), Some(0));
    assert!(call.await.unwrap().is_err());
}

#[tokio::test]
async fn a_head_is_answered_with_the_length_of_the_body() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, LONG).await;
    let answer = gateway.client.head(gateway.url("/call/payments/x")).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-length"]),
        (200, &"4".parse().unwrap())
    );
}

#[tokio::test]
async fn a_connection_without_a_request_does_not_hold_up_the_end() {
    let service = Double::start(Answer::text("fine")).await;
    let mut gateway = gateway_to(&service, LONG).await;
    assert_eq!(gateway.get("/call/payments/x").await.status(), 200);
    let _kept = TcpStream::connect(gateway.addr()).await.unwrap();
    gateway.process.terminate().await;
    assert_eq!(gateway.process.end().await.code(), Some(0));
}

#[tokio::test]
async fn it_logs_a_line_for_each_change_and_none_for_each_request() {
    let service = Double::start(Answer::text("fine")).await;
    let mut gateway = gateway_to(&service, "2s").await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/call/payments/x").await.status(), 200);
    }
    five_failures(&gateway, &service).await;
    for _ in 0..20 {
        gateway.get("/call/payments/x").await;
        gateway.get("/circuits").await;
    }
    gateway.until("payments", |circuit| circuit["retry_after"] == 0.0).await;
    service.answer(Answer::text("fine"));
    passes(&gateway).await;
    gateway.until("payments", |circuit| circuit["state"] == "closed").await;
    for _ in 0..20 {
        gateway.get("/call/payments/x").await;
        gateway.get("/call/nobody/x").await;
        gateway.get("/call/payments/%2e%2e/x").await;
    }
    gateway.process.terminate().await;
    gateway.process.end().await;
    let lines = gateway.process.stderr();
    let expected = [
        "listening on http://",
        "circuit payments is open",
        "circuit payments is half-open",
        "circuit payments is closed",
        // Once, however often: a mistake in the settings, most likely.
        "no service \"nobody\" is configured",
        "stopping",
        "stopped",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(expected), "{line}");
        let level = if expected.starts_with("no service") { "ERROR" } else { "INFO" };
        assert!(line.contains(level), "{line}");
        // Nobody looks at it on a terminal.
        assert!(!line.contains('\x1b'), "{line:?}");
    }
    assert!(gateway.process.stdout().is_empty());
}

#[tokio::test]
async fn what_is_hidden_from_callers_is_in_the_log_at_debug() {
    let mut service = Double::start(Answer::text("fine")).await;
    let url = service.url();
    let mut gateway = Gateway::start(&[
        ("INFUSE_SERVICES__PAYMENTS__URL", url.as_str()),
        ("RUST_LOG", "infuse_axum=debug,gateway=info"),
    ])
    .await;
    service.down().await;
    let told = gateway.get("/call/payments/x?secret=Sunday-7").await.text().await.unwrap();
    assert!(!told.contains("refused"), "{told}");
    let line = gateway.process.line("could not connect").await;
    assert!(line.contains("refused"), "{line}");
    assert!(!line.contains("Sunday-7"), "{line}");
}

/// Starts a gateway that is set wrongly, and returns what it says of it.
async fn says(folder: &Scratch, variables: &[(&str, &str)]) -> String {
    let mut process = Process::start("gateway", &[], folder.path(), variables);
    let end = process.end().await;
    assert_eq!(end.code(), Some(1));
    assert!(process.stdout().is_empty());
    let said = process.stderr().join("\n");
    assert!(!said.contains("panicked"), "{said}");
    assert!(!said.contains("RUST_BACKTRACE"), "{said}");
    said
}

#[tokio::test]
async fn wrong_settings_end_it_with_the_list_of_what_is_wrong() {
    let folder = Scratch::new();
    let said = says(
        &folder,
        &[
            ("INFUSE_BREAKER_MAX_FAILURE", "many"),
            ("INFUSE_BREAKER_RESET_TIMEOUT", "15 parsecs"),
            ("INFUSE_SERVICES__PAYMENTS__URL", "payments:8000"),
            ("INFUSE_BREAKER_LISTENERS", "pager"),
            ("INFUSE_REDIS_URL", "redis://:Sunday-7@cache, redis://:Sunday-7@other"),
        ],
    )
    .await;
    for expected in [
        "INFUSE_BREAKER_MAX_FAILURE = \"many\" (from the environment): not a whole number",
        "INFUSE_BREAKER_RESET_TIMEOUT = \"15 parsecs\" (from the environment)",
        "INFUSE_SERVICES__PAYMENTS__URL = \"payments:8000\" (from the environment)",
        "INFUSE_BREAKER_LISTENERS = \"pager\" (from the environment)",
        "INFUSE_REDIS_URL = \"redis://:***@cache, redis://:***@other\" (from the environment)",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert_eq!(said.lines().count(), 5, "{said}");
    assert!(!said.contains("Sunday-7"), "{said}");
}

#[tokio::test]
async fn a_wrong_file_ends_it_with_what_is_wrong() {
    let folder = Scratch::new();
    folder.write("infuse.toml", "[infuse]\nbreaker_max_failures = 3\n");
    let said = says(&folder, &[]).await;
    assert!(said.contains("infuse.breaker_max_failures"), "{said}");
    assert!(said.contains("breaker_max_failure`"), "the nearest key: {said}");
    assert!(said.contains("infuse.toml"), "{said}");

    folder.write("infuse.toml", "[infuse\n");
    let said = says(&folder, &[]).await;
    assert!(said.contains("infuse.toml"), "{said}");
    let said = says(&folder, &[("INFUSE_CONFIG", "nowhere.toml")]).await;
    assert!(said.contains("nowhere.toml"), "{said}");
}

#[tokio::test]
async fn an_address_that_cannot_be_had_ends_it() {
    let folder = Scratch::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    for bind in [taken.as_str(), "nonsense", "127.0.0.1:99999"] {
        let said = says(&folder, &[("BIND", bind)]).await;
        assert!(said.contains(&format!("BIND=\"{bind}\"")), "{said}");
    }
}

#[tokio::test]
async fn the_file_in_the_working_directory_is_read_and_the_environment_beats_it() {
    let service = Double::start(Answer::Status(500)).await;
    let folder = Scratch::new();
    let file = format!(
        "[infuse]\nservice_name = \"edge\"\nbreaker_max_failure = 9\n\n\
         [infuse.services.payments]\nurl = \"{}\"\ntimeout = \"1500ms\"\n\n\
         [infuse.services.users]\nurl = \"{}\"\nbreaker_max_failure = 2\n",
        service.url(),
        service.url(),
    );
    folder.write("infuse.toml", &file);
    let gateway = Gateway::start_in(folder, &[("INFUSE_BREAKER_MAX_FAILURE", "3")]).await;
    for (service, failures) in [("payments", 3), ("users", 2)] {
        for _ in 0..failures {
            assert_eq!(gateway.circuit(service).await["state"], "closed");
            gateway.get(&format!("/call/{service}/x")).await;
        }
        assert_eq!(gateway.circuit(service).await["state"], "open");
    }
    assert_eq!(gateway.circuit("edge").await["state"], "closed");
}

#[tokio::test]
async fn variables_that_are_none_of_its_business_do_not_matter() {
    let service = Double::start(Answer::text("fine")).await;
    let url = service.url();
    let gateway = Gateway::start(&[
        ("INFUSE_SERVICES__PAYMENTS__URL", url.as_str()),
        // What Kubernetes gives every pod beside a service called `infuse`.
        ("INFUSE_PORT", "tcp://10.0.0.7:80"),
        ("INFUSE_PORT_80_TCP", "tcp://10.0.0.7:80"),
        ("INFUSE_PORT_80_TCP_ADDR", "10.0.0.7"),
        ("INFUSE_SERVICE_HOST", "10.0.0.7"),
        ("INFUSE_SERVICE_PORT", "80"),
        // A mistake, of which it warns.
        ("INFUSE_BREAKER_MAX_FAILURES", "3"),
        ("INFUSE_BREAKER_RESET_TIMEOUT", ""),
    ])
    .await;
    assert_eq!(gateway.get("/call/payments/x").await.status(), 200);
    let warnings: Vec<_> =
        gateway.process.stderr().into_iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("INFUSE_BREAKER_MAX_FAILURES"), "{warnings:#?}");
    assert!(warnings[0].contains("INFUSE_BREAKER_MAX_FAILURE`"), "{warnings:#?}");
}

#[tokio::test]
async fn its_own_circuit_takes_the_initial_state() {
    for (set, state) in [("open", "open"), ("half-open", "half-open"), ("", "closed")] {
        let variables = [("INFUSE_SERVICE_NAME", "edge"), ("INFUSE_INITIAL_CIRCUIT_STATE", set)];
        let gateway = Gateway::start(&variables).await;
        assert_eq!(gateway.circuit("edge").await["state"], state);
        assert_eq!(gateway.circuits().await.len(), 1);
    }
}

#[tokio::test]
async fn a_caller_that_is_slow_with_its_request_is_not_the_services_fault() {
    let service = Double::start(Answer::Echo).await;
    let url = service.url();
    let gateway = Gateway::start(&[
        ("INFUSE_SERVICES__PAYMENTS__URL", url.as_str()),
        ("INFUSE_SERVICE_TIMEOUT", "150ms"),
    ])
    .await;
    let mut socket = TcpStream::connect(gateway.addr()).await.unwrap();
    let head = "POST /call/payments/x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(80)).await;
        socket.write_all(b"x").await.unwrap();
    }
    service.until_requests(1).await;
    eventually("it comes whole", async || !service.received().is_empty()).await;
    assert_eq!(json!(service.last().text()), "xxx");
    assert_eq!(gateway.circuit("payments").await["fail_counter"], 0);
}
