//! Two gateways and one Redis: what an operator has.

use infuse_test_servers::RedisServer;
use infuse_tests::{Answer, Double, Gateway};

use crate::{fleet, together, until_key};

async fn gateway(redis: &RedisServer, service: &Double) -> Gateway {
    Gateway::start(&[
        ("INFUSE_STORAGE", "redis"),
        ("INFUSE_REDIS_URL", &redis.url()),
        ("INFUSE_REDIS_TIMEOUT", "2s"),
        ("INFUSE_SERVICE_NAME", "gateway"),
        ("INFUSE_ENVIRONMENT", "production"),
        ("INFUSE_BREAKER_RESET_TIMEOUT", "1"),
        ("INFUSE_SERVICES__PAYMENTS__URL", &service.url()),
    ])
    .await
}

#[tokio::test]
async fn a_circuit_opens_and_closes_in_both() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let service = Double::start(Answer::Status(500)).await;
    let (one, other) = (gateway(&redis, &service).await, gateway(&redis, &service).await);
    for _ in 0..5 {
        // The gateway hands statuses on as they are.
        assert_eq!(one.get("/call/payments/7").await.status(), 500);
    }
    other.until("payments", |circuit| circuit["state"] == "open").await;
    let rejected = other.get("/call/payments/7").await;
    assert_eq!(rejected.status(), 503);
    assert_eq!(rejected.headers()["retry-after"], "1");
    assert_eq!(service.requests(), 5);
    let key = |name: &str| format!("infuse:production:payments:{name}");
    until_key(&redis, &key("state"), "open").await;

    // One trial, by whichever comes first, and both are closed again.
    service.answer(Answer::text("fine"));
    other.until("payments", |circuit| circuit["retry_after"] == 0.0).await;
    assert_eq!(other.get("/call/payments/7").await.status(), 200);
    assert_eq!(service.requests(), 6);
    for gateway in [&one, &other] {
        gateway.until("payments", |circuit| circuit["state"] == "closed").await;
    }
    until_key(&redis, &key("state"), "closed").await;
    assert_eq!(redis.get(&key("fail_counter")).await.unwrap().as_deref(), Some("0"));
}

#[tokio::test]
async fn a_worker_and_a_gateway_share_a_circuit() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let service = Double::start(Answer::text("fine")).await;
    let gateway = Gateway::start(&[
        ("INFUSE_REDIS_URL", &redis.url()),
        ("INFUSE_REDIS_TIMEOUT", "2s"),
        ("INFUSE_SERVICE_NAME", "gateway"),
        ("INFUSE_SERVICES__TARGET__URL", &service.url()),
    ])
    .await;
    let fleet = fleet(&redis, 1, &[]).await;
    assert_eq!(fleet[0].say("open").await["reach"], "fleet");
    gateway.until("target", |circuit| circuit["state"] == "open").await;
    assert_eq!(gateway.get("/call/target").await.status(), 503);
    assert_eq!(fleet[0].say("close").await["reach"], "fleet");
    gateway.until("target", |circuit| circuit["state"] == "closed").await;
    assert_eq!(gateway.get("/call/target").await.status(), 200);
}
