//! What the page shows of itself: opening, countdown, recovery, and all that again after a loss.

use infuse_tests::{Answer, Browser, Double, Gateway, eventually};

use crate::{CARD, TOKEN, browser_at, five_failures, gateway, gateway_to, open};

const LONG: &str = "10m";

/// No question is asked but those that an event, or a new stream, gives rise to.
const NO_ROUND: &str = "const every = window.setInterval;
    window.setInterval = (work, time) => (time >= 5000 ? 0 : every(work, time));";

async fn calls_pass(gateway: &Gateway) {
    let passes = async || gateway.get("/call/payments/x").await.status() == 200;
    eventually("a call passes", passes).await;
}

/// Seconds that a text begins with, as `12 s` or `9:59`.
fn seconds(text: &str) -> Option<u64> {
    let figure = text.split_whitespace().next()?;
    match figure.split_once(':') {
        Some((minutes, seconds)) => {
            Some(minutes.parse::<u64>().ok()? * 60 + seconds.parse::<u64>().ok()?)
        }
        None => figure.parse().ok(),
    }
}

#[tokio::test]
async fn a_circuit_opens_counts_down_and_recovers_before_the_readers_eyes() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, "4").await;
    let browser = Browser::start().await;
    browser.before_each_page(NO_ROUND).await;
    open(&browser, &gateway, TOKEN).await;
    browser.until_attribute(CARD, "data-state", "closed").await;
    browser.until_text("#board", "well").await;

    five_failures(&gateway, &service).await;
    browser.until_attribute(CARD, "data-state", "open").await;
    browser.until_text(&format!("{CARD} .badge"), "Open").await;
    // What tripped it: which process, why, and what it saw last.
    let why = format!("{CARD} .why");
    browser.until_text(&why, "5 failures, one after another").await;
    browser.until_text(&why, "status 503").await;
    browser.until_text(&why, "gateway-one").await;
    browser.until_text("#recent", "status 503").await;
    browser.until_text("#board h2", "Needs attention").await;
    browser.until("return document.title.startsWith(arguments[0])", "(1)").await;
    let heard = "return document.getElementById('heard').textContent.includes(arguments[0])";
    browser.until(heard, "payments: open").await;

    let countdown = format!("{CARD} .countdown");
    browser.until_text(&countdown, "until a trial call").await;
    let first = seconds(&browser.text(&countdown).await).unwrap();
    assert!((1..=4).contains(&first), "{first}");
    let less = async || {
        let text = browser.text(&countdown).await;
        seconds(&text).map_or(text.contains("A trial is due"), |left| left < first)
    };
    eventually("time runs out", less).await;
    browser.until_text(&countdown, "A trial is due").await;
    assert_eq!(browser.attribute(CARD, "data-state").await.as_deref(), Some("open"));

    service.answer(Answer::text("fine"));
    calls_pass(&gateway).await;
    browser.until_attribute(CARD, "data-state", "closed").await;
    browser.until_text("#board", "well").await;
    browser.until_text("#recent", "half-open").await;
    assert!(!browser.shows(&why).await);
    assert!(!browser.shows(&countdown).await);
    browser.until("return !document.title.startsWith(arguments[0])", "(").await;
    assert_eq!(browser.errors().await, [""; 0]);
}

#[tokio::test]
async fn a_page_that_is_opened_late_shows_what_was_before() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, LONG).await;
    five_failures(&gateway, &service).await;
    let browser = browser_at(&gateway).await;
    browser.until_attribute(CARD, "data-state", "open").await;
    browser.until_text(&format!("{CARD} .why"), "gateway-one").await;
    browser.until_text("#recent", "payments open").await;
    let left = seconds(&browser.text(&format!("{CARD} .countdown")).await).unwrap();
    assert!((500..=600).contains(&left), "{left}");
    let strip = browser.attribute(&format!("{CARD} .strip"), "aria-label").await.unwrap();
    assert!(strip.contains("opened once"), "{strip}");
}

#[tokio::test]
async fn details_show_the_policy_the_changes_and_each_process() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, LONG).await;
    five_failures(&gateway, &service).await;
    let browser = browser_at(&gateway).await;
    let button = format!("{CARD} footer button");
    browser.until_shown(&button).await;
    browser.click(&button).await;
    browser.until_attribute(&button, "aria-expanded", "true").await;
    let details = format!("{CARD} .details");
    for text in ["5 failures in a row", "10 min", "gateway-one", "Shared state", "status 503"] {
        browser.until_text(&details, text).await;
    }
    browser.click(&button).await;
    assert!(!browser.shows(&details).await);
}

#[tokio::test]
async fn the_page_is_right_again_when_the_gateway_is_back() {
    let service = Double::start(Answer::text("fine")).await;
    let first = gateway_to(&service, LONG).await;
    let browser = browser_at(&first).await;
    five_failures(&first, &service).await;
    browser.until_attribute(CARD, "data-state", "open").await;

    let addr = first.addr().to_string();
    drop(first);
    browser.until_text("#banners", "No connection to this process").await;
    browser.until_text("#health", "Not connected").await;
    // It still shows what it knew, as something old, and nothing can be done with it.
    assert_eq!(browser.attribute(CARD, "data-state").await.as_deref(), Some("open"));
    assert!(browser.shows("body.stale").await);
    assert_eq!(browser.attribute(&format!("{CARD} .act"), "disabled").await.as_deref(), Some(""));

    // Another process, which knows nothing of what was.
    let second = gateway(&[
        ("BIND", &addr),
        ("INFUSE_INSTANCE_NAME", "gateway-two"),
        ("INFUSE_SERVICES__PAYMENTS__URL", &service.url()),
        ("INFUSE_BREAKER_RESET_TIMEOUT", LONG),
    ])
    .await;
    browser.until_text("#health", "Live").await;
    browser.until_attribute(CARD, "data-state", "closed").await;
    browser.until_text("#place", "gateway-two").await;
    assert!(!browser.shows("#banners .banner").await);
    assert!(!browser.shows("body.stale").await);

    // And it is live: changes come as they did.
    five_failures(&second, &service).await;
    browser.until_attribute(CARD, "data-state", "open").await;
    browser.until_text(&format!("{CARD} .why"), "gateway-two").await;
}

#[tokio::test]
async fn a_stream_that_is_lost_is_taken_up_where_it_was() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, LONG).await;
    let browser = Browser::start().await;
    // Each stream breaks off after its first event, and the page says from where it goes on.
    browser
        .before_each_page(
            "const real = window.fetch;
             window.resumed = [];
             window.fetch = async (url, options) => {
                 if (!String(url).endsWith('/events')) return real(url, options);
                 window.resumed.push(options.headers['last-event-id'] ?? null);
                 const response = await real(url, options);
                 let events = 0;
                 const cut = new TransformStream({
                     transform(chunk, to) {
                         to.enqueue(chunk);
                         if (/^event: state$/m.test(new TextDecoder().decode(chunk))) to.terminate();
                     },
                 });
                 return new Response(response.body.pipeThrough(cut), response);
             };",
        )
        .await;
    open(&browser, &gateway, TOKEN).await;
    five_failures(&gateway, &service).await;
    browser.until_text("#recent", "payments open").await;
    browser.until("return window.resumed.at(-1) !== null", "").await;
    let resumed = browser.run("return window.resumed.at(-1)", "").await;
    let events = gateway.client.get(gateway.url("/infuse/history")).bearer_auth(TOKEN);
    let events: serde_json::Value = events.send().await.unwrap().json().await.unwrap();
    assert_eq!(resumed, events["events"][0]["id"], "{events}");
    browser.until_text("#health", "Live").await;
    // What it heard twice it shows once.
    let shown = browser.run("return document.querySelectorAll('#recent li').length", "").await;
    assert_eq!(shown, events["events"].as_array().unwrap().len());
}
