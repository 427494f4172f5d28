//! The page in Chromium, before real gateways.
//!
//! Needs `chromium` and `chromedriver`, which `scripts/test` installs.

#![allow(clippy::unwrap_used)]

mod access;
mod control;
mod fleet;
mod live;
mod look;
mod markup;
mod pictures;
mod together;

use infuse_tests::{Answer, Browser, Double, Gateway};

const TOKEN: &str = "an-admin-token-0123";
const READ_TOKEN: &str = "a-read-token-012345";

/// The card of the one service that there is mostly.
const CARD: &str = "[data-circuit='payments']";

/// A gateway with a page at `/infuse`.
async fn gateway(settings: &[(&str, &str)]) -> Gateway {
    let mut all = vec![
        ("INFUSE_SERVICE_NAME", "gateway"),
        ("INFUSE_INSTANCE_NAME", "gateway-one"),
        ("INFUSE_ADMIN_TOKEN", TOKEN),
        ("INFUSE_ADMIN_READ_TOKEN", READ_TOKEN),
    ];
    all.extend_from_slice(settings);
    Gateway::start(&all).await
}

/// The same, to a service whose circuit is tried again after so long.
async fn gateway_to(service: &Double, reset: &str) -> Gateway {
    gateway(&[
        ("INFUSE_SERVICES__PAYMENTS__URL", &service.url()),
        ("INFUSE_BREAKER_RESET_TIMEOUT", reset),
    ])
    .await
}

/// Opens the page, gives it a token, and waits until it is live.
async fn open(browser: &Browser, gateway: &Gateway, token: &str) {
    browser.open(&gateway.url("/infuse")).await;
    browser.until_shown("#token").await;
    browser.fill("#token", token).await;
    browser.click("form.token button").await;
    browser.until_text("#health", "Live").await;
    // That there was no token yet is no mistake of the page.
    browser.errors().await;
}

async fn browser_at(gateway: &Gateway) -> Browser {
    let browser = Browser::start().await;
    open(&browser, gateway, TOKEN).await;
    browser
}

/// Opens the circuit by failures.
async fn five_failures(gateway: &Gateway, service: &Double) {
    service.answer(Answer::Status(503));
    for _ in 0..5 {
        gateway.get("/call/payments/x").await;
    }
}
