//! Where the routes can stand.

use axum::{Router, routing};

use crate::{TOKENS, ask, get, start};

#[tokio::test]
async fn they_can_be_nested_where_one_likes() {
    let infuse = start(&TOKENS).await;
    let own = || Router::new().route("/{*path}", routing::get(|| async { "the app" }));
    for app in [
        own().nest("/a/{b}/infuse", infuse.admin_router()),
        own().nest_service("/a/{b}/infuse", infuse.admin_router::<()>()),
    ] {
        let circuit = get("/a/7/infuse/circuits/payments").read().at(app.clone()).await;
        assert_eq!(circuit.json().await["circuit"]["service"], "payments");
        get("/a/7/infuse/nothing").read().at(app.clone()).await.refused(404).await;
        assert_eq!(&get("/a/7").at(app.clone()).await.bytes().await[..], b"the app");
        // The page's links would lead elsewhere from here.
        let page = get("/a/7/infuse").at(app.clone()).await;
        assert_eq!(page.status, 307);
        assert_eq!(page.headers["location"], "./infuse/index.html");
        let page = get("/a/7/infuse/index.html").at(app).await;
        assert_eq!(page.status, 200);
        assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    }
    let app = own().nest_service("/infuse", infuse.admin_router::<()>());
    assert_eq!(get("/infuse/").at(app).await.status, 200);
}

#[tokio::test]
async fn an_app_with_a_state_can_have_them() {
    let infuse = start(&TOKENS).await;
    let app = Router::<u32>::new().nest("/infuse", infuse.admin_router()).with_state(7);
    assert_eq!(get("/infuse/circuits").read().at(app).await.status, 200);
}

#[tokio::test]
async fn every_answer_is_kept_by_nobody() {
    let infuse = start(&TOKENS).await;
    for (answer, status) in [
        (get("/").of(&infuse).await, 200),
        (get("/app.js").of(&infuse).await, 200),
        (get("/circuits").read().of(&infuse).await, 200),
        (get("/events").read().of(&infuse).await, 200),
        (get("/openapi.json").read().of(&infuse).await, 200),
        (get("/circuits").of(&infuse).await, 401),
        (get("/circuits").with("origin", "null").of(&infuse).await, 403),
        (get("/nothing").read().of(&infuse).await, 404),
        (ask("DELETE", "/circuits").read().of(&infuse).await, 403),
    ] {
        assert_eq!(answer.status, status);
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["cross-origin-resource-policy"], "same-origin");
    }
}

#[tokio::test]
async fn a_method_that_is_not_for_a_path_is_refused_with_those_that_are() {
    let infuse = start(&TOKENS).await;
    let token = |ask: crate::Ask| ask.with("authorization", &format!("Bearer {}", crate::ADMIN));
    for (path, allow) in [("/circuits", "GET,HEAD"), ("/circuits/payments/refunds/open", "POST")] {
        let refused = token(ask("DELETE", path)).of(&infuse).await;
        assert_eq!(refused.headers["allow"], allow);
        refused.refused(405).await;
    }
}
