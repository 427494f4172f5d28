//! Two gateways and one Redis: what an operator has.

use infuse_test_servers::RedisServer;
use infuse_tests::{Answer, Authority, Double, Gateway, Scratch};

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

#[tokio::test]
async fn a_server_is_reached_by_tls_as_a_user_and_in_a_database() {
    let _turn = together().await;
    let authority = Authority::new();
    let (certificate, key) = authority.issue();
    let acl = infuse_axum::RedisStorage::ACL;
    let redis = RedisServer::builder()
        .tls(&certificate, &key)
        .user_acl(&format!("app on >s%cret ~infuse:* &infuse:events:2 -@all {acl} +select"))
        .start()
        .await;
    let folder = Scratch::new();
    let certificates = folder.write("authority.pem", authority.pem());
    let port = redis.port();
    let url = format!("rediss://app:s%25cret@localhost:{port}/2");
    let variables = |url| {
        [
            ("INFUSE_REDIS_URL", url),
            ("INFUSE_REDIS_TIMEOUT", "2s"),
            ("INFUSE_SERVICES__PAYMENTS__URL", "http://127.0.0.1:1"),
            ("SSL_CERT_FILE", certificates.to_str().unwrap()),
        ]
    };
    let gateways = [
        Gateway::start(&variables(url.as_str())).await,
        Gateway::start(&variables(url.as_str())).await,
    ];
    for _ in 0..5 {
        assert_eq!(gateways[0].get("/call/payments/7").await.status(), 502);
    }
    gateways[1].until("payments", |circuit| circuit["state"] == "open").await;
    let shown = gateways[1].circuit("payments").await;
    assert_eq!(shown["shared"], true);
    assert!(shown["view_age"].is_number(), "{shown}");
    let mut connection = redis.connect().await.unwrap();
    connection.command(&["SELECT", "2"]).await.unwrap();
    let state = connection.command(&["GET", "infuse:development:payments:state"]).await.unwrap();
    assert_eq!(state.text(), Some("open"));

    // With a password that is wrong it goes on alone, and says why without saying the password.
    let wrong = format!("rediss://app:wr0ng@localhost:{port}/2");
    let mut alone = Gateway::start(&variables(wrong.as_str())).await;
    let line = alone.process.line("the storage is lost").await;
    assert!(!line.contains("wr0ng"), "{line}");
    assert!(line.to_lowercase().contains("auth"), "{line}");
    assert_eq!(alone.circuit("payments").await["shared"], false);
    assert_eq!(alone.get("/call/payments/7").await.status(), 502);
}
