use infuse_tests::{Answer, Double, Gateway, eventually};

use crate::scrape::Scrape;

const SERVICE: (&str, &str) = ("service", "payments");

#[tokio::test]
async fn it_agrees_with_what_was_sent() {
    let service = Double::start(Answer::Echo).await;
    let gateway = Gateway::start(&[
        ("INFUSE_SERVICES__PAYMENTS__URL", &service.url()),
        ("INFUSE_BREAKER_RESET_TIMEOUT", "1"),
        ("INFUSE_BREAKER_LISTENERS", "metrics"),
    ])
    .await;
    let outcome = |scrape: &Scrape, outcome| {
        scrape.sum("infuse_calls_total", &[SERVICE, ("outcome", outcome)])
    };
    let state =
        |scrape: &Scrape, state| scrape.sum("infuse_circuit_state", &[SERVICE, ("state", state)]);
    let call = async || gateway.get("/call/payments/a/secret/path?token=secret").await.status();

    for _ in 0..20 {
        assert_eq!(call().await, 200);
    }
    service.answer(Answer::Status(429));
    for _ in 0..3 {
        assert_eq!(call().await, 429);
    }
    let scrape = Scrape::of(&gateway).await;
    assert_eq!(outcome(&scrape, "success"), 20.0);
    assert_eq!(outcome(&scrape, "ignored"), 3.0);
    assert_eq!(outcome(&scrape, "failure") + outcome(&scrape, "rejected"), 0.0);
    assert_eq!((state(&scrape, "closed"), state(&scrape, "open")), (1.0, 0.0));

    service.answer(Answer::Status(500));
    for _ in 0..5 {
        assert_eq!(call().await, 500);
    }
    let mut rejected = 0.0;
    let mut tried = 0.0;
    for _ in 0..50 {
        // A second may have passed, and a trial been made.
        if call().await == 503 { rejected += 1.0 } else { tried += 1.0 }
    }
    let scrape = Scrape::of(&gateway).await;
    assert_eq!(outcome(&scrape, "failure"), 5.0 + tried);
    assert_eq!(outcome(&scrape, "rejected"), rejected);
    assert_eq!((state(&scrape, "closed"), state(&scrape, "open")), (0.0, 1.0));
    let opened = [SERVICE, ("from", "closed"), ("to", "open"), ("cause", "failures")];
    assert_eq!(scrape.sum("infuse_transitions_total", &opened), 1.0);

    service.answer(Answer::Echo);
    eventually("a call passes", async || call().await == 200).await;
    // The trial's success goes to the storage, which closes the circuit.
    gateway.until("payments", |circuit| circuit["state"] == "closed").await;
    let scrape = Scrape::of(&gateway).await;
    assert_eq!(outcome(&scrape, "success"), 21.0);
    assert_eq!((state(&scrape, "closed"), state(&scrape, "open")), (1.0, 0.0));
    assert_eq!(scrape.sum("infuse_trials_total", &[SERVICE]), 1.0 + tried);
    let let_through = 20.0 + 3.0 + 5.0 + tried + 1.0;
    assert_eq!(scrape.sum("infuse_call_duration_seconds_count", &[SERVICE]), let_through);
    let all = [SERVICE, ("le", "+Inf")];
    assert_eq!(scrape.sum("infuse_call_duration_seconds_bucket", &all), let_through);
    // What was asked for is in no label.
    let text = gateway.get("/metrics").await.text().await.unwrap();
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_request_is_known_by_its_id_wherever_it_leads() {
    let service = Double::start(Answer::Status(500)).await;
    let mut gateway = Gateway::start(&[
        ("INFUSE_SERVICES__PAYMENTS__URL", &service.url()),
        ("INFUSE_BREAKER_MAX_FAILURE", "1"),
        ("RUST_LOG", "info,infuse::call=debug"),
    ])
    .await;
    let request = gateway.client.get(gateway.url("/call/payments/secret"));
    request.header("x-request-id", "r-4711").send().await.unwrap();
    assert_eq!(service.last().header("x-request-id"), Some("r-4711"));
    let line = gateway.process.line("circuit payments is open").await;
    assert!(line.contains("r-4711"), "{line}");
    assert!(!line.contains("secret"), "{line}");
}
