//! Who may look, and who may change things. (The whole rule is tested where it is.)

use std::net::SocketAddr;

use axum::Router;
use infuse_axum::reqwest;

use crate::{ADMIN, READ, TOKENS, ask, config, get, order, start};

#[tokio::test]
async fn a_token_for_each() {
    let infuse = start(&TOKENS).await;
    let far = |ask: crate::Ask| ask.from("10.0.0.9");
    for path in ["/circuits", "/circuits/payments", "/history", "/instances", "/config", "/health"]
    {
        let refused = far(get(path)).of(&infuse).await;
        assert_eq!(refused.headers["www-authenticate"], "Bearer realm=\"infuse\"");
        refused.refused(401).await;
        assert_eq!(far(get(path).read()).of(&infuse).await.status, 200, "{path}");
    }
    let shown = far(get("/circuits").read()).of(&infuse).await.json().await;
    assert_eq!(shown["writable"], false);
    let admin = get("/circuits").with("authorization", &format!("Bearer {ADMIN}"));
    assert_eq!(far(admin).of(&infuse).await.json().await["writable"], true);

    let path = "/circuits/payments/open";
    far(ask("POST", path)).of(&infuse).await.refused(401).await;
    let why = far(ask("POST", path).read()).of(&infuse).await.refused(403).await;
    assert!(why.contains("INFUSE_ADMIN_TOKEN"), "{why}");
    let done = far(order(path, r#"{"reason": "x"}"#)).of(&infuse).await;
    assert_eq!(done.json().await["circuit"]["state"], "open");
}

#[tokio::test]
async fn without_tokens_nothing_is_changed_by_anyone() {
    let infuse = start(&[]).await;
    let shown = get("/circuits").of(&infuse).await.json().await;
    assert_eq!(shown["writable"], false);
    let why = order("/circuits/payments/open", r#"{"reason": "x"}"#);
    let why = why.of(&infuse).await.refused(403).await;
    assert!(why.contains("INFUSE_ADMIN_TOKEN"), "{why}");
    assert!(infuse.circuits().iter().all(|circuit| circuit.opened_at.is_none()));

    let why = get("/circuits").from("10.0.0.9").of(&infuse).await.refused(403).await;
    assert!(why.contains("this machine"), "{why}");
    let nobody = crate::Ask { peer: None, ..get("/circuits") };
    let why = nobody.of(&infuse).await.refused(403).await;
    assert!(why.contains("into_make_service_with_connect_info"), "{why}");
    for (name, value) in
        [("forwarded", "for=10.0.0.9"), ("x-forwarded-for", "127.0.0.1"), ("host", "evil.example")]
    {
        get("/circuits").with(name, value).of(&infuse).await.refused(403).await;
    }
}

#[tokio::test]
async fn another_website_gets_nothing() {
    for infuse in [start(&[]).await, start(&TOKENS).await] {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "http://evil.example"),
            ("origin", "null"),
        ] {
            for path in ["/", "/app.js", "/circuits", "/events", "/nothing"] {
                get(path).read().with(name, value).of(&infuse).await.refused(403).await;
            }
            let order = order("/circuits/payments/open", r#"{"reason": "x"}"#);
            order.with(name, value).of(&infuse).await.refused(403).await;
            ask("OPTIONS", "/circuits").with(name, value).of(&infuse).await.refused(403).await;
        }
        assert!(infuse.circuits().iter().all(|circuit| circuit.opened_at.is_none()));
    }
}

#[tokio::test]
async fn tokens_that_a_reload_changes_hold_at_once() {
    let infuse = start(&TOKENS).await;
    assert_eq!(get("/circuits").read().of(&infuse).await.status, 200);
    let other = "another-token-01234";
    let changed = infuse
        .reload(&config(&[("infuse_admin_token", ADMIN), ("infuse_admin_read_token", other)]))
        .unwrap();
    assert_eq!(changed.to_string(), "INFUSE_ADMIN_READ_TOKEN: *** -> *** (another)");
    get("/circuits").read().of(&infuse).await.refused(401).await;
    let read = get("/circuits").with("authorization", &format!("Bearer {other}"));
    assert_eq!(read.of(&infuse).await.status, 200);
    assert!(!READ.contains(other));
}

/// Through a real server, which says who calls.
#[tokio::test]
async fn over_a_socket() {
    let infuse = start(&[]).await;
    let app = Router::new().nest_service("/infuse", infuse.admin_router());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(async { axum::serve(listener, app).await });
    let client = reqwest::Client::new();
    let answer = client.get(format!("http://{addr}/infuse/circuits")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let rebound =
        client.get(format!("http://{addr}/infuse/circuits")).header("host", "evil.example");
    assert_eq!(rebound.send().await.unwrap().status(), 403);
    server.abort();
}
