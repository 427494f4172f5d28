//! Requests of those who mean harm: each is refused, none does any.

use std::{net::SocketAddr, sync::OnceLock};

use axum::{
    Router,
    body::Body,
    http::{
        HeaderName, HeaderValue, Method, Request, Uri,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
};
use infuse_axum::Infuse;
use proptest::{collection::vec, prelude::*, sample::select};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
};
use tower::ServiceExt;

use crate::{ADMIN, READ, TOKENS, start};

/// One runtime for all of them: a circuit is made once.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
}

fn infuse() -> &'static Infuse {
    static INFUSE: OnceLock<Infuse> = OnceLock::new();
    INFUSE.get_or_init(|| runtime().block_on(start(&TOKENS)))
}

/// Everything that could have been changed.
fn state(infuse: &Infuse) -> String {
    let state = |circuit: infuse_axum::CircuitSnapshot| {
        let over = circuit.overridden.is_some();
        (circuit.service, circuit.state, circuit.mode, circuit.generation, over, circuit.opened_at)
    };
    format!("{:?}", infuse.circuits().into_iter().map(state).collect::<Vec<_>>())
}

fn path() -> impl Strategy<Value = String> {
    let part = select(vec![
        "circuits",
        "payments",
        "users",
        "open",
        "isolate",
        "close",
        "clear-override",
        "events",
        "history",
        "instances",
        "config",
        "health",
        "openapi.json",
        "app.js",
        "",
        ".",
        "..",
        "%2e%2e",
        "%2F",
        "%00",
        "%ff",
        "%",
        "%zz",
        "payments%2Fopen",
        "*",
        "{name}",
        ";",
        "~",
    ]);
    let part = prop_oneof![
        6 => part.prop_map(str::to_owned),
        1 => "[!-~]{0,12}".prop_map(|text| text.replace(['?', '#'], "")),
        1 => "[a-z]{200,4000}",
    ];
    let query = prop_oneof![
        3 => Just(String::new()),
        1 => "\\?(circuit|limit|token)=[!-~]{0,8}(&[a-z]{0,7}=[0-9]{0,22})?",
        1 => "\\?[!-~]{0,20}",
    ];
    (vec(part, 0..5), query).prop_map(|(parts, query)| format!("/{}{query}", parts.join("/")))
}

/// Where a circuit is controlled.
fn control() -> impl Strategy<Value = String> {
    let place = select(vec!["/circuits/payments/", "/infuse/circuits/payments/"]);
    let action = select(vec![
        "open",
        "half-open",
        "close",
        "reset",
        "isolate",
        "disable",
        "observe",
        "enable",
        "clear-override",
    ]);
    (place, action).prop_map(|(place, action)| format!("{place}{action}"))
}

fn method() -> impl Strategy<Value = Method> {
    let usual =
        select(vec!["GET", "POST", "POST", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]);
    let any = prop_oneof![4 => usual.prop_map(str::to_owned), 1 => "[A-Za-z!#$%&'*+.^_`|~-]{1,12}"];
    any.prop_map(|method| Method::from_bytes(method.as_bytes()).unwrap())
}

/// Headers, the token for looking among them, and for changing something too if `admin` is set.
fn headers(admin: bool) -> impl Strategy<Value = Vec<(HeaderName, HeaderValue)>> {
    let mut tokens = vec![
        format!("Bearer {READ}"),
        format!("Bearer {READ}x"),
        format!("Basic {READ}"),
        format!("Bearer {}", &ADMIN[..ADMIN.len() - 1]),
        format!("bearer  {ADMIN} x"),
        "Bearer".to_owned(),
    ];
    if admin {
        tokens.extend([format!("Bearer {ADMIN}"), format!("Bearer {ADMIN}")]);
    }
    let token = select(tokens).prop_map(|token| ("authorization".to_owned(), token.into_bytes()));
    let known = select(vec![
        ("content-type", "application/json"),
        ("content-type", "application/json"),
        ("content-type", "text/plain"),
        ("content-length", "99999999999999999999"),
        ("content-length", "-1"),
        ("transfer-encoding", "chunked, chunked"),
        ("host", "evil.example"),
        ("host", "\u{fc}"),
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("last-event-id", "0123456789abcdef-99999999999999999999999"),
        ("x-http-method-override", "POST"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-original-url", "/circuits/payments/open"),
    ]);
    let known = known.prop_map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    let any = ("[a-z-]{1,20}", vec(any::<u8>(), 0..40));
    let header = prop_oneof![3 => token, 3 => known, 1 => any];
    vec(header, 0..6).prop_map(|headers| {
        let valid = |(name, value): (String, Vec<u8>)| {
            Some((name.parse().ok()?, HeaderValue::from_bytes(&value).ok()?))
        };
        headers.into_iter().filter_map(valid).collect()
    })
}

/// Bodies, among them one that is right if `right` is set.
fn body(right: bool) -> impl Strategy<Value = Vec<u8>> {
    let mut known = vec![
        r#"{"reason": ""}"#.to_owned(),
        r#"{"reason": "x", "for": -1}"#.to_owned(),
        r#"{"reason": "x", "for": 1e999}"#.to_owned(),
        r#"{"reason": "x", "reason": "y"}"#.to_owned(),
        r#"{"reason": "x", "__proto__": {}}"#.to_owned(),
        r#"{"reason": "\u0000"}"#.to_owned(),
        r#"{"reason": "\ud800"}"#.to_owned(),
        format!(r#"{{"reason": "{}"}}"#, "x".repeat(20_000)),
        format!("{}{}", "[".repeat(9_000), "]".repeat(9_000)),
        format!(r#"{{"reason": {}}}"#, "{\"a\":".repeat(2_000)),
    ];
    if right {
        known.push(r#"{"reason": "x"}"#.to_owned());
    }
    prop_oneof![
        3 => select(known).prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..200),
        1 => (0_usize..40_000).prop_map(|size| vec![b' '; size]),
    ]
}

/// Asks, and checks that nothing has changed and that the answer is a clear one.
fn harmless(
    (method, path, headers, body): (Method, String, Vec<(HeaderName, HeaderValue)>, Vec<u8>),
) -> Result<(), TestCaseError> {
    let infuse = infuse();
    let Ok(uri) = path.parse::<Uri>() else { return Ok(()) };
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = method.clone();
    *request.uri_mut() = uri;
    request.headers_mut().extend(headers.into_iter().map(|(name, value)| (Some(name), value)));
    let before = state(infuse);
    let (status, kind) = runtime().block_on(async {
        let app = Router::new().nest("/infuse", infuse.admin_router()).merge(infuse.admin_router());
        let answer = app.oneshot(request).await.unwrap();
        let kind = answer.headers().get("content-type").cloned();
        (answer.status(), kind)
    });
    prop_assert_eq!(state(infuse), before);
    let looks = matches!(method, Method::GET | Method::HEAD);
    let fine = status.is_client_error() || looks && (status == 200 || status == 307);
    prop_assert!(fine, "{} {}: {}", method, path, status);
    if status.is_client_error() {
        prop_assert_eq!(kind.unwrap(), "application/problem+json");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whoever_has_no_token_for_it_changes_nothing(
        request in (method(), path(), headers(false), body(true)),
    ) {
        harmless(request)?;
    }

    #[test]
    fn a_command_without_the_token_for_it_changes_nothing(
        path in control(),
        headers in headers(false),
        body in body(true),
    ) {
        harmless((Method::POST, path, headers, body))?;
    }

    #[test]
    fn a_command_that_makes_no_sense_changes_nothing(path in control(), body in body(false)) {
        let token = HeaderValue::from_str(&format!("Bearer {ADMIN}")).unwrap();
        let json = HeaderValue::from_static("application/json");
        harmless((Method::POST, path, vec![(AUTHORIZATION, token), (CONTENT_TYPE, json)], body))?;
    }

    #[test]
    fn whoever_has_it_and_makes_no_sense_changes_nothing(
        request in (method(), path(), headers(true), body(false)),
    ) {
        harmless(request)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever comes over the wire: the server goes on.
    #[test]
    fn bytes_that_are_no_requests_change_nothing(
        head in prop_oneof![
            Just(b"POST /infuse/circuits/payments/open HTTP/1.1\r\n".to_vec()),
            Just(b"GET /infuse/circuits HTTP/1.1\r\nHost: localhost\r\n".to_vec()),
            Just(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
            vec(any::<u8>(), 0..40),
        ],
        lines in vec(
            prop_oneof![
                "[a-zA-Z-]{1,20}: ?[ -~]{0,60}\r\n".prop_map(String::into_bytes),
                Just(format!("Authorization: Bearer {ADMIN}\r\n").into_bytes()),
                Just(b"Content-Type: application/json\r\n".to_vec()),
                Just(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n".to_vec()),
                Just(b"Content-Length: 18446744073709551616\r\n".to_vec()),
                Just(format!("x: {}\r\n", "y".repeat(70_000)).into_bytes()),
                vec(any::<u8>(), 0..30),
            ],
            0..6,
        ),
        rest in prop_oneof![
            Just(b"\r\n".to_vec()),
            Just(b"\r\nffffffffffffffff\r\n{".to_vec()),
            Just(b"\r\n{\"reason\": \"\"}".to_vec()),
            vec(any::<u8>(), 0..60),
        ],
    ) {
        let infuse = infuse();
        let before = state(infuse);
        let bytes = [head, lines.concat(), rest].concat();
        let server = server();
        let status = runtime().block_on(async {
            let mut stream = TcpStream::connect(server).await.unwrap();
            // It may hang up before it has read it all.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let mut answer = [0; 12];
            let read = stream.read_exact(&mut answer).await;
            read.ok().map(|_| String::from_utf8_lossy(&answer[9..]).into_owned())
        });
        prop_assert_eq!(state(infuse), before);
        if let Some(status) = status.filter(|_| !bytes.starts_with(b"PRI")) {
            prop_assert!(status.starts_with('4') || status == "200" || status == "307", "{}", status);
        }
    }
}

fn server() -> SocketAddr {
    static ADDR: OnceLock<SocketAddr> = OnceLock::new();
    *ADDR.get_or_init(|| {
        let app = Router::new().nest_service("/infuse", infuse().admin_router::<()>());
        runtime().block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let app = app.into_make_service_with_connect_info::<SocketAddr>();
            tokio::spawn(async { axum::serve(listener, app).await });
            addr
        })
    })
}
