//! Who sees what.

use infuse_tests::{Answer, Browser, Double, Gateway};

use crate::{CARD, READ_TOKEN, TOKEN, browser_at, gateway, gateway_to, open};

#[tokio::test]
async fn the_token_is_asked_for_and_kept_in_the_tab_alone() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, "10m").await;
    let browser = Browser::start().await;
    browser.open(&gateway.url("/infuse")).await;
    browser.until_text("#asking", "A token is needed").await;
    assert!(!browser.shows("#board").await);
    browser.fill("#token", "not-the-token-0123").await;
    browser.click("form.token button").await;
    browser.until_text("#asking", "This token is not the one").await;
    browser.fill("#token", TOKEN).await;
    browser.click("form.token button").await;
    browser.until_shown(CARD).await;
    assert!(!browser.shows("#asking").await);

    let kept = "return [JSON.stringify(sessionStorage).includes(arguments[0]), \
                localStorage.length, document.cookie, location.href.includes(arguments[0])]";
    let kept = browser.run(kept, TOKEN).await;
    assert_eq!(kept, serde_json::json!([true, 0, "", false]));
    // It is there after a reload.
    browser.open(&gateway.url("/infuse")).await;
    browser.until_shown(CARD).await;
    browser.until_text("#health", "Live").await;
}

#[tokio::test]
async fn who_may_look_cannot_press_anything() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, "10m").await;
    let browser = Browser::start().await;
    open(&browser, &gateway, READ_TOKEN).await;
    browser.until_shown(CARD).await;
    let button = format!("{CARD} .act");
    browser.until_attribute(&button, "disabled", "").await;
    browser.until_text("#health", "Read only").await;

    // With the other token it can.
    browser.click("#health button").await;
    browser.fill("#other-token", TOKEN).await;
    browser.click("dialog[open] button[type='submit']").await;
    browser.until("return !document.querySelector(arguments[0]).disabled", button).await;
}

#[tokio::test]
async fn without_any_token_a_reader_on_this_machine_sees_and_changes_nothing() {
    let gateway = Gateway::start(&[("INFUSE_SERVICE_CONNECTIONS", "payments")]).await;
    let browser = Browser::start().await;
    browser.open(&gateway.url("/infuse")).await;
    browser.until_shown(CARD).await;
    browser.until_text("#health", "Live").await;
    browser.until_attribute(&format!("{CARD} .act"), "disabled", "").await;
    browser.click("#health button").await;
    browser.until_text("#toasts", "INFUSE_ADMIN_TOKEN").await;
    assert_eq!(browser.errors().await, [""; 0]);
}

#[tokio::test]
async fn without_circuits_the_page_says_how_there_will_be_some() {
    let gateway = gateway(&[("INFUSE_SERVICE_NAME", "")]).await;
    let browser = browser_at(&gateway).await;
    browser.until_text("#board", "No circuits yet").await;
    browser.until_text("#board", "INFUSE_SERVICE_CONNECTIONS").await;
    assert!(!browser.shows(".card").await);
    assert_eq!(browser.errors().await, [""; 0]);
}
