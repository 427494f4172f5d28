//! Changing circuits.

use std::{io, time::Duration};

use infuse_axum::{Infuse, Mode, State};
use serde_json::{Value, json};

use crate::{TOKENS, order, start, two};

async fn done(infuse: &Infuse, path: &str, body: Value) -> Value {
    let answer = order(path, body.to_string()).of(infuse).await;
    assert_eq!(answer.status, 200);
    answer.json().await
}

#[tokio::test]
async fn every_action_does_what_it_says_in_the_whole_fleet() {
    let (infuse, other) = two(&TOKENS).await;
    let because = json!({"reason": "we were told to", "by": "ada"});
    for (action, state, mode) in [
        ("open", State::Open, Mode::Enabled),
        ("half-open", State::HalfOpen, Mode::Enabled),
        ("close", State::Closed, Mode::Enabled),
        ("open", State::Open, Mode::Enabled),
        ("reset", State::Closed, Mode::Enabled),
        ("isolate", State::Closed, Mode::Isolated),
        ("disable", State::Closed, Mode::Disabled),
        ("observe", State::Closed, Mode::Observe),
        ("enable", State::Closed, Mode::Enabled),
        ("clear-override", State::Closed, Mode::Enabled),
    ] {
        let done = done(&infuse, &format!("/circuits/payments/{action}"), because.clone()).await;
        assert_eq!(done["reach"], "fleet", "{action}");
        assert_eq!(done["circuit"]["state"], state.as_str(), "{action}");
        assert_eq!(done["circuit"]["mode"], mode.as_str(), "{action}");
        let there = other.circuit("payments").unwrap();
        let agrees = async {
            while (there.state(), there.mode()) != (state, mode) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let agrees = tokio::time::timeout(Duration::from_secs(10), agrees).await;
        assert!(agrees.is_ok(), "{action}");
    }
    assert_eq!(infuse.circuit("payments").unwrap().overridden(), None);
}

#[tokio::test]
async fn an_override_says_who_why_and_how_long() {
    let infuse = start(&TOKENS).await;
    let body = json!({"reason": "moving house", "by": "ada", "for": "10m"});
    let done = done(&infuse, "/circuits/payments/isolate", body).await;
    let over = infuse.circuit("payments").unwrap().overridden().unwrap();
    assert_eq!((over.mode, &*over.by, &*over.reason), (Mode::Isolated, "ada", "moving house"));
    assert!(over.left.unwrap() <= Duration::from_secs(600));
    assert!(over.left.unwrap() > Duration::from_secs(590));
    assert_eq!(done["circuit"]["override"]["by"], "ada");
}

#[tokio::test]
async fn a_circuit_may_be_opened_for_a_time() {
    let (infuse, other) = two(&TOKENS).await;
    for (time, seconds) in [(json!("10m"), 600), (json!(null), 15)] {
        let body = json!({"reason": "moving house", "for": time});
        let done = done(&infuse, "/circuits/payments/open", body).await;
        let left = Duration::from_secs_f64(done["circuit"]["retry_after"].as_f64().unwrap());
        let seconds = Duration::from_secs(seconds);
        assert!(left <= seconds && left > seconds - Duration::from_secs(10), "{left:?}");
        let there = other.circuit("payments").unwrap();
        let agrees = async {
            while there.retry_after().is_none_or(|there| there.abs_diff(left) > seconds / 10) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(10), agrees).await.is_ok(), "{time}");
    }
}

#[tokio::test]
async fn a_circuit_below_a_service() {
    let infuse = start(&TOKENS).await;
    let refunds = infuse.client().service("payments").unwrap().circuit("refunds").unwrap();
    for path in ["/circuits/payments/refunds/open", "/circuits/payments%2Frefunds/open"] {
        let done = done(&infuse, path, json!({"reason": "x"})).await;
        assert_eq!(done["circuit"]["service"], "payments/refunds");
        assert_eq!(infuse.circuit("payments/refunds").unwrap().state(), State::Open);
        let _ = infuse.circuit("payments/refunds").unwrap().close().await;
    }
    assert_eq!(infuse.circuit("payments").unwrap().state(), State::Closed);
    drop(refunds);
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let infuse = start(&TOKENS).await;
    let long = json!({"reason": "x".repeat(257)}).to_string();
    let huge = json!({"reason": "x".repeat(17_000)}).to_string();
    for (path, body, status) in [
        ("/circuits/payments/open", "", 400),
        ("/circuits/payments/open", "{}", 400),
        ("/circuits/payments/open", "reason=x", 400),
        ("/circuits/payments/open", r#"{"reason": ""}"#, 400),
        ("/circuits/payments/open", r#"{"reason": "a\nb"}"#, 400),
        ("/circuits/payments/close", r#"{"reason": "x", "for": 5}"#, 400),
        ("/circuits/payments/open", r#"{"reason": "x", "for": 0}"#, 400),
        ("/circuits/payments/isolate", r#"{"reason": "x", "for": "for ever"}"#, 400),
        ("/circuits/payments/isolate", &long, 400),
        ("/circuits/payments/open", &huge, 413),
        ("/circuits/nobody/open", r#"{"reason": "x"}"#, 404),
        ("/circuits/payments/explode", r#"{"reason": "x"}"#, 404),
        ("/circuits/payments/nobody/open", r#"{"reason": "x"}"#, 404),
        ("/circuits", r#"{"reason": "x"}"#, 405),
    ] {
        order(path, body.to_owned()).of(&infuse).await.refused(status).await;
    }
    let ask = crate::ask("POST", "/circuits/payments/open");
    let ask = ask.with("authorization", &format!("Bearer {}", crate::ADMIN));
    let plain = crate::Ask { body: r#"{"reason": "x"}"#.into(), ..ask };
    plain.with("content-type", "text/plain").of(&infuse).await.refused(415).await;
    for circuit in infuse.circuits() {
        assert_eq!((circuit.state, circuit.mode), (State::Closed, Mode::Enabled));
        assert_eq!(circuit.generation, 0);
    }
    assert_eq!(infuse.circuits().len(), 2, "no circuit was made");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for_for_ever() {
    let infuse = start(&TOKENS).await;
    let never = axum::body::Body::from_stream(futures_util::stream::pending::<io::Result<&str>>());
    order("/circuits/payments/open", never).of(&infuse).await.refused(408).await;
}
