//! Pictures of the page, as its users see it: `scripts/screenshots` makes them.

use std::{env, fs, path::PathBuf, time::Duration};

use infuse_test_servers::RedisServer;
use infuse_tests::{Answer, Browser, Double, Gateway, eventually};
use serde_json::{Value, json};

use crate::{CARD, TOKEN, gateway, open};

/// What the services of the pictures are called, beside those to which something happens.
const WELL: &str =
    "accounts,auth,coupons,geo,identity,invoices,mail,pricing,reviews,shipping,stock,tax";

/// Where they are put: `PICTURES`, else `target/screenshots`.
fn folder() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/screenshots");
    let folder = env::var_os("PICTURES").map_or_else(|| beside.into(), PathBuf::from);
    fs::create_dir_all(&folder).unwrap();
    folder
}

async fn process(redis: &RedisServer, service: &Double, name: &str) -> Gateway {
    let url = service.url();
    gateway(&[
        ("INFUSE_STORAGE", "redis"),
        ("INFUSE_REDIS_URL", &redis.url()),
        ("INFUSE_REDIS_TIMEOUT", "2s"),
        ("INFUSE_ENVIRONMENT", "production"),
        ("INFUSE_INSTANCE_NAME", name),
        ("INFUSE_SERVICE_CONNECTIONS", WELL),
        ("INFUSE_SERVICES__PAYMENTS__URL", &url),
        ("INFUSE_SERVICES__PAYMENTS__BREAKER_RESET_TIMEOUT", "90"),
        ("INFUSE_SERVICES__LEDGER__URL", &url),
        ("INFUSE_SERVICES__SEARCH__URL", &url),
        ("INFUSE_SERVICES__CATALOG__URL", &url),
        ("INFUSE_SERVICES__CATALOG__BREAKER_RAMP", "10m"),
        ("INFUSE_SERVICES__IMAGES__URL", &url),
        ("INFUSE_SERVICES__IMAGES__BREAKER_FAILURE_RATE", "0.5"),
        ("INFUSE_SERVICES__IMAGES__BREAKER_MINIMUM_CALLS", "20"),
    ])
    .await
}

async fn calls(gateway: &Gateway, service: &str, calls: usize) {
    for _ in 0..calls {
        gateway.get(&format!("/call/{service}/x")).await;
    }
}

async fn control(gateway: &Gateway, circuit: &str, action: &str, body: Value) {
    let url = gateway.url(&format!("/infuse/circuits/{circuit}/{action}"));
    let sent = gateway.client.post(url).bearer_auth(TOKEN).json(&body).send().await.unwrap();
    assert_eq!(sent.status(), 200, "{circuit} {action}");
}

/// A day as it may be: one service is down, another is put aside, a third has just come back.
async fn happen(one: &Gateway, two: &Gateway, service: &Double) {
    calls(one, "images", 40).await;
    service.answer(Answer::Status(503));
    calls(one, "images", 6).await;
    calls(two, "accounts", 1).await;
    calls(two, "payments", 5).await;
    let moved = json!({"by": "ada", "reason": "their database is being moved", "for": "25m"});
    control(one, "ledger", "isolate", moved).await;
    control(one, "search", "half-open", json!({"by": "grace", "reason": "they say it is well"}))
        .await;
    let deployed = json!({"by": "grace", "reason": "a new version is being deployed"});
    control(one, "catalog", "open", deployed.clone()).await;
    control(one, "catalog", "half-open", deployed).await;
    service.answer(Answer::text("fine"));
    calls(one, "catalog", 1).await;
    one.until("payments", |circuit| circuit["state"] == "open").await;
    one.until("catalog", |circuit| circuit["state"] == "closed").await;
}

/// Lets what moves come to rest, then makes the picture.
async fn picture(browser: &Browser, name: &str) {
    tokio::time::sleep(Duration::from_millis(1500)).await;
    browser.picture(&folder().join(format!("{name}.png"))).await;
}

#[tokio::test]
#[ignore = "makes pictures and tests nothing: scripts/screenshots runs it"]
async fn pictures() {
    let redis = RedisServer::start().await;
    let service = Double::start(Answer::text("fine")).await;
    let one = process(&redis, &service, "gateway-7f9c-1").await;
    let two = process(&redis, &service, "gateway-7f9c-2").await;
    let three = process(&redis, &service, "gateway-7f9c-3").await;
    happen(&one, &two, &service).await;

    let browser = Browser::start().await;
    browser.screen(1440, 1000).await;
    open(&browser, &one, TOKEN).await;
    browser.until_attribute(CARD, "data-state", "open").await;
    browser.until_text("#fleet", "gateway-7f9c-3").await;
    // Each process says anew what it thinks, every few seconds.
    let agree = async || browser.text(&format!("{CARD} .views")).await.contains("agree");
    eventually("all processes have said so", agree).await;
    picture(&browser, "light").await;
    browser.media("dark", false).await;
    picture(&browser, "dark").await;
    browser.media("light", false).await;
    browser.click(&format!("{CARD} footer button")).await;
    browser.until_text(&format!("{CARD} .details"), "5 failures in a row").await;
    browser.run("window.scrollTo(0, 0)", "").await;
    picture(&browser, "details").await;
    browser.click(&format!("{CARD} footer button")).await;
    browser.click("[data-circuit='accounts'] .act").await;
    browser.until_shown("dialog[open]").await;
    picture(&browser, "control").await;
    browser.run("document.querySelector('dialog[open]').close()", "").await;
    browser.screen(390, 1400).await;
    browser.run("window.scrollTo(0, 0)", "").await;
    picture(&browser, "phone").await;
    browser.media("dark", false).await;
    picture(&browser, "phone-dark").await;

    browser.screen(1440, 1000).await;
    browser.media("light", false).await;
    redis.kill();
    browser.until_text("#banners", "Storage unreachable").await;
    picture(&browser, "storage-unreachable").await;
    drop((one, two, three));
    browser.until_text("#banners", "No connection").await;
    picture(&browser, "not-connected").await;

    let empty = gateway(&[("INFUSE_SERVICE_NAME", "")]).await;
    open(&browser, &empty, TOKEN).await;
    browser.until_text("#board", "No circuits yet").await;
    picture(&browser, "empty").await;
}
