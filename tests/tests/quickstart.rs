//! The quickstart: what a reader sees of it, told by itself and with curl.

#![allow(clippy::unwrap_used)]

use infuse_axum::reqwest;
use infuse_tests::{Process, Scratch, client, eventually};
use serde_json::{Value, json};

#[tokio::test]
async fn the_demo_tells_its_story_and_ends_well() {
    let folder = Scratch::new();
    let mut demo = Process::start("quickstart", &["--demo"], folder.path(), &[]);
    let end = demo.end().await;
    let story = demo.stdout();
    assert_eq!(end.code(), Some(0), "{story:#?} {:#?}", demo.stderr());
    let states: Vec<_> =
        story.iter().filter_map(|line| line.trim().strip_prefix("the circuit is ")).collect();
    assert_eq!(states, ["CLOSED", "OPEN", "OPEN", "HALF-OPEN", "OPEN", "CLOSED", "OPEN", "CLOSED"]);
    let story = story.join("\n");
    for expected in ["503 Service Unavailable, Retry-After: ", "payments saw nothing", "skip"] {
        assert!(story.contains(expected), "{expected}: {story}");
    }
    assert!(!story.contains('\x1b'), "it is no terminal");
    assert!(demo.stderr().is_empty(), "{:#?}", demo.stderr());
}

#[tokio::test]
async fn the_story_by_hand() {
    let folder = Scratch::new();
    let variables =
        [("ORDERS_PORT", "0"), ("PAYMENTS_PORT", "0"), ("INFUSE_BREAKER_RESET_TIMEOUT", "1")];
    let mut quickstart = Process::start("quickstart", &[], folder.path(), &variables);
    let line = quickstart.line("curl -i http://").await;
    let orders =
        line.split("curl -i ").nth(1).unwrap().trim_end_matches("/orders/7; echo").to_owned();
    let client = client();
    let get = async |path: &str| -> reqwest::Response {
        client.get(format!("{orders}{path}")).send().await.unwrap()
    };
    let switch = async |mode: &str| {
        let answer = client.post(format!("{orders}/payments/{mode}")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let now: Value = answer.json().await.unwrap();
        assert_eq!(now["mode"], mode);
    };
    let circuit = async || -> Value {
        let circuits: Vec<Value> = get("/circuits").await.json().await.unwrap();
        assert_eq!(circuits.len(), 2, "orders and payments");
        circuits.into_iter().find(|circuit| circuit["service"] == "payments").unwrap()
    };
    let requests = async || -> u64 {
        let payments: Value = get("/payments").await.json().await.unwrap();
        payments["requests"].as_u64().unwrap()
    };

    // All is well.
    let answer = get("/orders/7").await;
    assert_eq!(answer.status(), 200);
    let order: Value = answer.json().await.unwrap();
    assert_eq!(order, json!({ "order": "7", "payment": { "order": "7", "paid": true } }));
    assert_eq!(circuit().await["state"], "closed");

    // Five failures open it, and payments sees no request.
    switch("failing").await;
    for failed in 1..=5 {
        assert_eq!(get("/orders/7").await.status(), 502);
        assert_eq!(circuit().await["fail_counter"], failed);
    }
    assert_eq!(circuit().await["state"], "open");
    let before = requests().await;
    let answer = get("/orders/7").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    assert_eq!(requests().await, before);

    // One may pass all the same.
    assert_eq!(get("/orders/7?skip_breaker=true").await.status(), 502);
    assert_eq!(requests().await, before + 1);
    assert_eq!(circuit().await["state"], "open");

    // It is mended: a trial closes the circuit.
    switch("healthy").await;
    assert_eq!(circuit().await["state"], "open");
    eventually("a trial passes", async || get("/orders/7").await.status() == 200).await;
    eventually("it is closed", async || circuit().await["state"] == "closed").await;

    // And down altogether, and back.
    switch("down").await;
    for _ in 0..5 {
        assert_eq!(get("/orders/7").await.status(), 502);
    }
    assert_eq!(get("/orders/7").await.status(), 503);
    switch("healthy").await;
    eventually("a trial passes", async || get("/orders/7").await.status() == 200).await;
    let answer = client.post(format!("{orders}/payments/nonsense")).send().await.unwrap();
    assert_eq!(answer.status(), 400);
}

#[tokio::test]
async fn what_is_set_wrongly_is_said() {
    let folder = Scratch::new();
    for (args, variables, expected) in [
        (&["--dance"][..], &[][..], "unknown argument \"--dance\"; there is `--demo`"),
        (&[], &[("ORDERS_PORT", "many")][..], "ORDERS_PORT=\"many\" is no port"),
        (&[], &[("INFUSE_BREAKER_MAX_FAILURE", "0")][..], "INFUSE_BREAKER_MAX_FAILURE = \"0\""),
    ] {
        let mut all = vec![("PAYMENTS_PORT", "0")];
        all.extend_from_slice(variables);
        let mut process = Process::start("quickstart", args, folder.path(), &all);
        assert_eq!(process.end().await.code(), Some(1));
        let said = process.stderr().join("\n");
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}
