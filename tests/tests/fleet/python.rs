//! Peers in Python know nothing of what is ours: they set keys. Their commands are replayed here.

use std::time::{SystemTime, UNIX_EPOCH};

use infuse_test_servers::RedisServer;
use infuse_tests::{Answer, Double, Gateway, eventually};

use crate::together;

/// A peer, by the beginning and the end of its keys.
struct Peer<'a> {
    redis: &'a RedisServer,
    prefix: &'a str,
}

impl Peer<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    async fn get(&self, name: &str) -> Option<String> {
        self.redis.get(&self.key(name)).await.unwrap()
    }

    async fn set(&self, name: &str, value: &str) {
        self.redis.set(&self.key(name), value).await.unwrap();
    }

    async fn open(&self) {
        self.set("state", "open").await;
        self.set("opened_at", &now().to_string()).await;
    }

    async fn half_open(&self) {
        self.set("state", "half-open").await;
    }

    async fn close(&self) {
        self.set("fail_counter", "0").await;
        self.set("state", "closed").await;
    }

    async fn fail(&self) {
        self.redis.command(&["INCR", &self.key("fail_counter")]).await.unwrap();
    }

    async fn until_state(&self, state: &str) {
        eventually(&format!("the peer sees {state}"), async || {
            self.get("state").await.as_deref() == Some(state)
        })
        .await;
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

async fn gateway(redis: &RedisServer, service: &Double, layout: &str) -> Gateway {
    Gateway::start(&[
        ("INFUSE_REDIS_URL", &redis.url()),
        ("INFUSE_REDIS_KEY_LAYOUT", layout),
        ("INFUSE_REDIS_TIMEOUT", "2s"),
        ("INFUSE_SERVICE_NAME", "gateway"),
        ("INFUSE_SYNC_INTERVAL", "100ms"),
        ("INFUSE_BREAKER_RESET_TIMEOUT", "1"),
        ("INFUSE_SERVICES__PAYMENTS__URL", &service.url()),
    ])
    .await
}

async fn share(layout: &str, prefix: &str) {
    let redis = RedisServer::start().await;
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway(&redis, &service, layout).await;
    let peer = Peer { redis: &redis, prefix };
    let shows = async |state: &str| gateway.until("payments", |of| of["state"] == state).await;

    // What the peer does, the gateway sees: a circuit that it uses, or that is not closed, it
    // looks at.
    peer.open().await;
    eventually("the gateway rejects", async || gateway.get("/call/payments").await.status() == 503)
        .await;
    let requests = service.requests();
    shows("open").await;
    peer.half_open().await;
    shows("half-open").await;
    peer.close().await;
    shows("closed").await;
    assert_eq!(service.requests(), requests);
    assert_eq!(gateway.get("/call/payments").await.status(), 200);

    // What the gateway does, the peer sees, in types that it knows.
    service.answer(Answer::Status(500));
    for _ in 0..5 {
        assert_eq!(gateway.get("/call/payments").await.status(), 500);
    }
    peer.until_state("open").await;
    let opened_at = peer.get("opened_at").await.unwrap().parse::<u64>().unwrap();
    assert!(opened_at.abs_diff(now()) <= 3, "{opened_at}");
    service.answer(Answer::text("fine"));
    eventually("a trial closes it", async || gateway.get("/call/payments").await.status() == 200)
        .await;
    peer.until_state("closed").await;
    assert_eq!(peer.get("fail_counter").await.as_deref(), Some("0"));
    assert_eq!(service.requests(), requests + 1 + 5 + 1);
}

#[tokio::test]
async fn circuits_are_shared_in_the_layout_of_infuse() {
    let _turn = together().await;
    share("infuse", "infuse:development:payments").await;
}

#[tokio::test]
async fn circuits_are_shared_in_the_layout_of_pybreaker() {
    let _turn = together().await;
    share("pybreaker", "development:payments:pybreaker").await;
}

#[tokio::test]
async fn failures_of_both_add_up() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let service = Double::start(Answer::Status(500)).await;
    let gateway = gateway(&redis, &service, "infuse").await;
    let peer = Peer { redis: &redis, prefix: "infuse:development:payments" };
    for _ in 0..3 {
        peer.fail().await;
    }
    for _ in 0..2 {
        assert_eq!(gateway.get("/call/payments").await.status(), 500);
    }
    peer.until_state("open").await;
    gateway.until("payments", |circuit| circuit["state"] == "open").await;
    assert_eq!(service.requests(), 2);
}

#[tokio::test]
async fn a_success_of_the_peer_refutes_failures_here() {
    let _turn = together().await;
    let redis = RedisServer::start().await;
    let service = Double::start(Answer::Status(500)).await;
    let gateway = gateway(&redis, &service, "infuse").await;
    let peer = Peer { redis: &redis, prefix: "infuse:development:payments" };
    for _ in 0..3 {
        peer.fail().await;
    }
    // What Python's breaker does at a success.
    peer.set("fail_counter", "0").await;
    for _ in 0..4 {
        assert_eq!(gateway.get("/call/payments").await.status(), 500);
    }
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    gateway.until("payments", |circuit| circuit["state"] == "closed").await;
    assert_eq!(peer.get("state").await.as_deref().unwrap_or("closed"), "closed");
}
