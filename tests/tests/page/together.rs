//! Three gateways, one Redis, one failing service: metrics, the page and `infusectl` say the same.

use std::process::Output;

use infuse_test_servers::RedisServer;
use infuse_tests::{Answer, Double, Gateway, eventually, program};
use serde_json::Value;
use tokio::process::Command;

use crate::{CARD, TOKEN, browser_at, fleet::gateway_on};

/// The value of the one series of a metric that has these labels.
async fn scraped(gateway: &Gateway, name: &str, labels: &[&str]) -> f64 {
    let text = gateway.get("/metrics").await.text().await.unwrap();
    let mut series = text.lines().filter(|line| {
        line.split('{').next() == Some(name) && labels.iter().all(|label| line.contains(label))
    });
    let line = series.next().unwrap_or_else(|| panic!("no {name} {labels:?} in {text}"));
    assert_eq!(series.next(), None, "{name} {labels:?}");
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

async fn outcomes(gateway: &Gateway) -> [f64; 3] {
    let mut counted = [0.0; 3];
    for (counted, outcome) in counted.iter_mut().zip(["success", "failure", "rejected"]) {
        let outcome = format!("outcome=\"{outcome}\"");
        *counted =
            scraped(gateway, "infuse_calls_total", &["service=\"payments\"", &outcome]).await;
    }
    counted
}

async fn status(gateway: &Gateway) -> u16 {
    gateway.get("/call/payments/x").await.status().as_u16()
}

async fn admin(gateway: &Gateway, path: &str) -> Value {
    let request = gateway.client.get(gateway.url(&format!("/infuse{path}"))).bearer_auth(TOKEN);
    request.send().await.unwrap().json().await.unwrap()
}

async fn infusectl(redis: &RedisServer, args: &[&str]) -> Output {
    let mut command = Command::new(program("infusectl"));
    command.args(args).env_clear().env("INFUSE_REDIS_URL", redis.url());
    command.env("INFUSE_SERVICE_CONNECTIONS", "payments").kill_on_drop(true);
    let done = command.output().await.unwrap();
    assert!(done.status.success(), "{done:?}");
    done
}

/// Waits until all reject, and says within how many milliseconds of each other they have heard.
async fn isolated(gateways: &[Gateway]) -> f64 {
    let mut heard = Vec::new();
    for gateway in gateways {
        eventually("it is isolated", async || {
            let answer = gateway.get("/call/payments/x").await;
            answer.status() == 503 && answer.json::<Value>().await.unwrap()["reason"] == "isolated"
        })
        .await;
        let history = admin(gateway, "/history?circuit=payments&limit=1").await;
        let event = &history["events"][0];
        assert_eq!((&event["kind"], &event["to"]), (&"mode".into(), &"isolated".into()), "{event}");
        assert_eq!(event["override"]["reason"], "moving house");
        heard.push(event["at"].as_f64().unwrap());
    }
    let first = heard.iter().copied().fold(f64::MAX, f64::min);
    let last = heard.iter().copied().fold(0.0, f64::max);
    (last - first) * 1000.0
}

#[tokio::test]
async fn what_is_counted_shown_and_commanded_is_the_same_everywhere() {
    let redis = RedisServer::start().await;
    let service = Double::start(Answer::text("fine")).await;
    let mut gateways = Vec::new();
    for name in ["gateway-one", "gateway-two", "gateway-three"] {
        gateways.push(gateway_on(&redis, &service, name).await);
    }
    let browser = browser_at(&gateways[0]).await;
    browser.until_text("#fleet", "gateway-three").await;

    let mut sent = [[0.0; 3]; 3];
    for (nth, gateway) in gateways.iter().enumerate() {
        for _ in 0..4 + nth {
            assert_eq!(status(gateway).await, 200);
            sent[nth][0] += 1.0;
        }
    }
    service.answer(Answer::Status(503));
    let answered = service.requests();
    for _ in 0..5 {
        assert_eq!(status(&gateways[1]).await, 503);
        sent[1][1] += 1.0;
    }
    assert_eq!(service.requests() - answered, 5);
    for (gateway, sent) in gateways.iter().zip(&mut sent) {
        eventually("all have heard", async || {
            admin(gateway, "/circuits/payments").await["circuit"]["state"] == "open"
        })
        .await;
        for _ in 0..3 {
            assert_eq!(status(gateway).await, 503);
            sent[2] += 1.0;
        }
    }
    assert_eq!(service.requests() - answered, 5, "none of them asked it");

    // Each says what it was sent, and all the same of the circuit.
    for (gateway, sent) in gateways.iter().zip(&sent) {
        assert_eq!(outcomes(gateway).await, *sent);
        let open = ["service=\"payments\"", "state=\"open\""];
        assert_eq!(scraped(gateway, "infuse_circuit_state", &open).await, 1.0);
        let tripped = admin(gateway, "/circuits/payments").await["circuit"]["tripped"].clone();
        assert_eq!(
            (&tripped["cause"], &tripped["fault"]["status"]),
            (&"failures".into(), &503.into())
        );
    }
    browser.until_attribute(CARD, "data-state", "open").await;
    browser.until_text(&format!("{CARD} .why"), "gateway-two").await;
    browser.until_text(&format!("{CARD} .views"), "all 3 processes agree").await;
    let listed = infusectl(&redis, &["list", "--json"]).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let listed = listed["circuits"].as_array().unwrap();
    let listed = listed.iter().find(|circuit| circuit["service"] == "payments").unwrap();
    assert_eq!(listed["state"], "open");

    // Closed by hand, then isolated for a while: everywhere, and no longer than said.
    service.answer(Answer::text("fine"));
    let close = ["close", "payments", "--by", "bob", "--reason", "it is well again"];
    infusectl(&redis, &close).await;
    for gateway in &gateways {
        eventually("it is closed", async || status(gateway).await == 200).await;
        let history = admin(gateway, "/history?circuit=payments&limit=1").await;
        assert_eq!(history["events"][0]["note"]["by"], "bob", "{history}");
    }
    let mut spreads = Vec::new();
    for nth in 0..5 {
        if nth > 0 {
            infusectl(&redis, &["clear-override", "payments", "--reason", "again"]).await;
        }
        let isolate =
            ["isolate", "payments", "--by", "ada", "--reason", "moving house", "--for", "8s"];
        infusectl(&redis, &isolate).await;
        spreads.push(isolated(&gateways).await);
    }
    println!("all three heard of it within {spreads:.1?} ms of each other");
    // As long as the machine lets them.
    assert!(spreads.iter().any(|spread| *spread <= 10.0), "{spreads:?}");
    browser.until_attribute(CARD, "data-is", "isolated").await;
    browser.until_text(CARD, "ada: “moving house”").await;
    for gateway in &gateways {
        eventually("it ends by itself", async || status(gateway).await == 200).await;
    }
    browser.until_attribute(CARD, "data-is", "closed").await;
    assert_eq!(browser.errors().await, [""; 0]);
}
