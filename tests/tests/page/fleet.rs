//! Several processes and one Redis.

use infuse_test_servers::RedisServer;
use infuse_tests::{Answer, Double, Gateway};

use crate::{CARD, browser_at, five_failures, gateway};

pub(crate) async fn gateway_on(redis: &RedisServer, service: &Double, name: &str) -> Gateway {
    gateway(&[
        ("INFUSE_STORAGE", "redis"),
        ("INFUSE_REDIS_URL", &redis.url()),
        ("INFUSE_REDIS_TIMEOUT", "2s"),
        ("INFUSE_INSTANCE_NAME", name),
        ("INFUSE_BREAKER_RESET_TIMEOUT", "10m"),
        ("INFUSE_SERVICES__PAYMENTS__URL", &service.url()),
    ])
    .await
}

#[tokio::test]
async fn the_view_of_each_process_is_beside_the_shared_state() {
    let redis = RedisServer::start().await;
    let service = Double::start(Answer::text("fine")).await;
    let one = gateway_on(&redis, &service, "gateway-one").await;
    let two = gateway_on(&redis, &service, "gateway-two").await;
    let browser = browser_at(&one).await;
    browser.until_text("#fleet", "gateway-two").await;
    browser.until_text("#health", "Shared by Redis").await;

    // What the other process saw is here, with its name.
    five_failures(&two, &service).await;
    browser.until_attribute(CARD, "data-state", "open").await;
    browser.until_text(&format!("{CARD} .why"), "gateway-two").await;
    browser.until_text(&format!("{CARD} .why"), "status 503").await;
    let views = format!("{CARD} .views");
    browser.until_text(&views, "Shared state: Open").await;
    browser.until_text(&views, "all 2 processes agree").await;
    browser.until_text(&views, "gateway-two").await;
}

#[tokio::test]
async fn a_storage_that_is_lost_is_said_until_it_is_back() {
    let redis = RedisServer::start().await;
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_on(&redis, &service, "gateway-one").await;
    let browser = browser_at(&gateway).await;
    browser.until_text("#health", "Shared by Redis").await;

    redis.kill();
    browser.until_text("#banners", "Storage unreachable").await;
    browser.until_text("#health", "Storage unreachable").await;
    browser.until_text("#recent", "storage unreachable").await;

    // What is done now is done in this process, and the page says so.
    browser.click(&format!("{CARD} .act")).await;
    browser.click("dialog[open] input[value='open']").await;
    browser.fill("#control-reason", "to see").await;
    browser.click("dialog[open] button[type='submit']").await;
    browser.until_text("#toasts", "in this process alone").await;
    browser.until_attribute(CARD, "data-state", "open").await;

    redis.restart().await;
    browser.until_text("#health", "Shared by Redis").await;
    browser.until("return document.querySelector(arguments[0]) === null", "#banners .banner").await;
    browser.until_text("#recent", "storage reachable again").await;
}
