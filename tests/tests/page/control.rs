//! What can be done on the page, with the keyboard alone, and what comes of it.

use infuse_tests::{Answer, Browser, Double, Gateway, eventually};
use serde_json::json;

use crate::{CARD, browser_at, five_failures, gateway_to};

const ENTER: char = '\u{e007}';
const ESCAPE: char = '\u{e00c}';
const TAB: char = '\u{e004}';
const DOWN: char = '\u{e015}';

const DIALOG: &str = "dialog.control[open]";

/// Whether the dialog is closed. It fails with what the dialog says where that is an error.
const CLOSED_OR_WHY: &str = "const error = document.querySelector(arguments[0] + ' .error');
    if (error?.textContent) throw new Error(error.textContent);
    return document.querySelector(arguments[0]) === null";

/// Opens the dialog, as someone does who has no mouse.
async fn open_dialog(browser: &Browser) {
    browser
        .until(
            &format!(
                "document.querySelector(arguments[0]).focus();
        return document.activeElement.matches(arguments[0]) && !document.querySelector('{DIALOG}')"
            ),
            format!("{CARD} .act"),
        )
        .await;
    browser.press(ENTER.to_string()).await;
    browser.until_shown(DIALOG).await;
}

async fn choose(browser: &Browser, action: &str) {
    browser.click(&format!("{DIALOG} input[value='{action}']")).await;
}

/// Does this to the circuit, with a reason.
async fn control(browser: &Browser, action: &str, reason: &str) {
    open_dialog(browser).await;
    choose(browser, action).await;
    browser.fill("#control-reason", reason).await;
    browser.click(&format!("{DIALOG} button[type='submit']")).await;
    browser.until(CLOSED_OR_WHY, DIALOG).await;
}

/// Waits for the line in the log that says who did what, and why.
async fn audited(gateway: &mut Gateway, what: &[&str]) {
    let mut found = Vec::new();
    eventually(&format!("the log says {what:?}"), async || {
        let lines = gateway.process.stderr();
        found = lines.into_iter().filter(|line| line.contains("infuse::audit")).collect();
        found.iter().any(|line: &String| what.iter().all(|part| line.contains(part)))
    })
    .await;
}

#[tokio::test]
async fn a_service_is_isolated_by_keyboard_for_a_reason_and_let_go_again() {
    let service = Double::start(Answer::text("fine")).await;
    let mut gateway = gateway_to(&service, "10m").await;
    let browser = browser_at(&gateway).await;
    browser.until_attribute(CARD, "data-state", "closed").await;

    // Escape leaves it, and the focus is where it was.
    open_dialog(&browser).await;
    browser.press(ESCAPE.to_string()).await;
    let back = format!("{CARD} .act");
    browser.until("return document.activeElement.matches(arguments[0])", back.as_str()).await;
    assert!(!browser.shows(DIALOG).await);

    // Without a reason nothing is done.
    open_dialog(&browser).await;
    let chosen = "return document.activeElement.value";
    assert_eq!(browser.run(chosen, "").await, "isolate");
    browser.press(ENTER.to_string()).await;
    assert!(browser.shows(DIALOG).await);
    assert_eq!(gateway.get("/call/payments/x").await.status(), 200);
    browser.fill("#control-reason", "   ").await;
    browser.press(format!("{TAB}{ENTER}")).await;
    browser.until_text(&format!("{DIALOG} .error"), "Say why").await;

    // The keys lead from what is done over the time and the reason to who does it.
    browser.run("document.querySelector(arguments[0]).focus()", "[name='action']:checked").await;
    // To the time, which is set to a quarter of an hour.
    browser.press(format!("{TAB}{DOWN}{DOWN}")).await;
    browser.press(TAB.to_string()).await;
    browser.press("their database is being moved").await;
    browser.press(format!("{TAB}ada{ENTER}")).await;
    browser.until_attribute(CARD, "data-is", "isolated").await;
    browser.until("return document.querySelector(arguments[0]) === null", DIALOG).await;

    browser.until_text(CARD, "ada: “their database is being moved”").await;
    browser.until_text(&format!("{CARD} .countdown"), "until the override ends").await;
    let left = browser.text(&format!("{CARD} .countdown .left")).await;
    assert!(left.starts_with("15:00") || left.starts_with("14:"), "{left}");
    // Nobody else was told: there is no storage to share by.
    let toast = "payments is isolated, in this process, which shares with nobody.";
    browser.until_text("#toasts", toast).await;
    browser.until_text("#recent", "their database is being moved").await;
    assert_eq!(gateway.get("/call/payments/x").await.status(), 503);
    audited(&mut gateway, &["payments", "isolate", "ada", "their database is being moved"]).await;

    control(&browser, "clear-override", "it has been moved").await;
    browser.until_attribute(CARD, "data-is", "closed").await;
    assert_eq!(gateway.get("/call/payments/x").await.status(), 200);
    // Who it was is remembered.
    audited(&mut gateway, &["clear-override", "ada", "it has been moved"]).await;
    assert_eq!(browser.errors().await, [""; 0]);
}

#[tokio::test]
async fn every_control_does_what_it_says() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, "10m").await;
    let browser = browser_at(&gateway).await;
    let is = async |name: &str, value: &str| browser.until_attribute(CARD, name, value).await;
    is("data-is", "closed").await;
    // The page counts down from the time that was chosen.
    open_dialog(&browser).await;
    choose(&browser, "open").await;
    let first = "return document.querySelector('#control-for').options[0].textContent";
    assert_eq!(browser.run(first, "").await, "for its reset timeout");
    browser.run("document.querySelector('#control-for').value = arguments[0]", json!("15m")).await;
    browser.fill("#control-reason", "for the test").await;
    browser.click(&format!("{DIALOG} button[type='submit']")).await;
    browser.until(CLOSED_OR_WHY, DIALOG).await;
    is("data-is", "open").await;
    browser.until_text(&format!("{CARD} .countdown .left"), "14:").await;
    browser.until_text(&format!("{CARD} .why"), "by hand").await;
    browser.until_text(&format!("{CARD} .why"), "for the test").await;
    assert_eq!(gateway.get("/call/payments/x").await.status(), 503);
    control(&browser, "half-open", "to try").await;
    is("data-is", "half-open").await;
    control(&browser, "close", "it is well").await;
    is("data-is", "closed").await;
    assert_eq!(gateway.get("/call/payments/x").await.status(), 200);
    // The details that are open follow modes as they do states.
    browser.click(&format!("{CARD} footer button")).await;
    browser.until_text(&format!("{CARD} .details"), "it is well").await;
    control(&browser, "disable", "to be rid of it").await;
    is("data-is", "disabled").await;
    browser.until_text(&format!("{CARD} .details"), "to be rid of it").await;
    control(&browser, "observe", "to look at it").await;
    is("data-mode", "observe").await;
    five_failures(&gateway, &service).await;
    is("data-state", "open").await;
    assert_eq!(gateway.get("/call/payments/x").await.status(), 503, "what the service answers");
    assert_eq!(service.requests(), 1 + 6, "all calls go through");
    control(&browser, "enable", "enough seen").await;
    is("data-is", "open").await;
    control(&browser, "reset", "anew").await;
    is("data-state", "closed").await;
    control(&browser, "clear-override", "as it was").await;
    is("data-mode", "enabled").await;
    assert_eq!(browser.errors().await, [""; 0]);
}

#[tokio::test]
async fn a_refusal_is_said_in_the_dialog() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, "10m").await;
    let browser = browser_at(&gateway).await;
    browser.until_shown(CARD).await;
    open_dialog(&browser).await;
    choose(&browser, "isolate").await;
    // So long in bytes, not in letters: what the field itself does not refuse.
    browser.fill("#control-reason", &"ä".repeat(200)).await;
    browser.click(&format!("{DIALOG} button[type='submit']")).await;
    browser.until_text(&format!("{DIALOG} .error"), "longer than 256 bytes").await;

    // The token is no longer the one.
    browser.fill("#control-reason", "to try").await;
    browser
        .run(
            "for (const key of Object.keys(sessionStorage)) \
              if (key.startsWith('infuse-token')) sessionStorage.setItem(key, arguments[0])",
            json!("another-token-0123"),
        )
        .await;
    browser.click(&format!("{DIALOG} button[type='submit']")).await;
    browser
        .until("return document.querySelector('#token, dialog .error:not(:empty)') !== null", "")
        .await;
    assert_eq!(gateway.get("/call/payments/x").await.status(), 200);
}
