//! That it can be read: in the dark, on a phone, by keyboard, and without colours.

use infuse_tests::{Answer, Browser, Double};
use serde_json::{Value, json};

use crate::{CARD, TOKEN, browser_at, five_failures, gateway, gateway_to, open};

/// How light a colour is that is drawn: from 0 to 255.
async fn lightness(browser: &Browser, css: &str, property: &str) -> f64 {
    let script = "const [css, property] = arguments[0];
        const canvas = document.createElement('canvas').getContext('2d');
        canvas.fillStyle = getComputedStyle(document.querySelector(css))[property];
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
        return 0.2126 * r + 0.7152 * g + 0.0722 * b";
    browser.run(script, json!([css, property])).await.as_f64().unwrap()
}

#[tokio::test]
async fn it_is_light_or_dark_as_the_reader_prefers() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, "10m").await;
    five_failures(&gateway, &service).await;
    let browser = browser_at(&gateway).await;
    browser.until_attribute(CARD, "data-state", "open").await;
    for (scheme, is_dark) in [("dark", true), ("light", false), ("dark", true)] {
        browser.media(scheme, false).await;
        for css in ["body", CARD] {
            let ground = lightness(&browser, css, "backgroundColor").await;
            let text = lightness(&browser, css, "color").await;
            assert_eq!(ground < text, is_dark, "{scheme} {css}");
            assert!((ground - text).abs() > 120.0, "{scheme} {css}: {ground} {text}");
        }
    }
}

/// A state is a word and a picture too.
#[tokio::test]
async fn no_state_is_told_by_its_colour_alone() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, "10m").await;
    let browser = browser_at(&gateway).await;
    let picture = format!("{CARD} .sign path");
    browser.until_text(&format!("{CARD} .badge"), "Closed").await;
    let closed = browser.attribute(&picture, "d").await.unwrap();
    five_failures(&gateway, &service).await;
    browser.until_text(&format!("{CARD} .badge"), "Open").await;
    assert_ne!(browser.attribute(&picture, "d").await.unwrap(), closed);
    let heights = "return [...document.querySelectorAll(arguments[0])].map((it) => it.getAttribute('height'))";
    let heights = browser.run(heights, format!("{CARD} .strip rect:not(.ground)")).await;
    assert_eq!(heights, json!(["4", "24"]), "low while it was closed, and high now");
}

#[tokio::test]
async fn it_fits_on_a_phone_and_nothing_moves_for_who_prefers_that() {
    let service = Double::start(Answer::text("fine")).await;
    let long = "a-service-with-a-name-that-is-longer-than-a-phone-is-wide.and-goes-on";
    let gateway = gateway(&[
        ("INFUSE_SERVICES__PAYMENTS__URL", &service.url()),
        ("INFUSE_SERVICE_CONNECTIONS", long),
    ])
    .await;
    five_failures(&gateway, &service).await;
    let browser = Browser::start().await;
    browser.screen(390, 844).await;
    browser.media("light", true).await;
    open(&browser, &gateway, TOKEN).await;
    browser.until_attribute(CARD, "data-state", "open").await;
    let wide = "return [document.documentElement.scrollWidth, \
                ...[...document.querySelectorAll('.card, button')].filter((it) => it.checkVisibility())
                    .map((it) => it.getBoundingClientRect().right)]";
    let fits = async |what: &str| {
        let widths: Vec<Value> = browser.run(wide, "").await.as_array().unwrap().clone();
        assert!(widths.iter().all(|width| width.as_f64().unwrap() <= 390.0), "{what}: {widths:?}");
    };
    fits("the board").await;
    browser.click(&format!("{CARD} footer button")).await;
    browser.until_text(&format!("{CARD} .details"), "5 failures in a row").await;
    fits("the details").await;
    browser.click(&format!("{CARD} .act")).await;
    browser.until_shown("dialog[open]").await;
    fits("the dialog").await;
    let moves = "return getComputedStyle(document.querySelector(arguments[0])).transitionDuration";
    assert_eq!(browser.run(moves, format!("{CARD} .countdown .filled")).await, "0s");
}

#[tokio::test]
async fn the_focus_is_to_be_seen_wherever_the_keys_lead_and_stays() {
    const TAB: &str = "\u{e004}";
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, "10m").await;
    let browser = browser_at(&gateway).await;
    browser.until_attribute(CARD, "data-state", "closed").await;
    browser.run("document.activeElement.blur(); window.getSelection().removeAllRanges()", "").await;
    let focus = "const it = document.activeElement; const style = getComputedStyle(it);
        return [it.className + ' ' + it.id + ' ' + it.textContent, style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1]";
    let mut seen = Vec::new();
    for _ in 0..40 {
        browser.press(TAB).await;
        let at = browser.run(focus, "").await;
        assert_eq!(at[1], true, "{at}");
        seen.push(at[0].as_str().unwrap().to_owned());
        if seen.last().is_some_and(|at| at.contains("Control payments")) {
            break;
        }
    }
    let order = |what: &str| seen.iter().position(|at| at.contains(what)).expect(what);
    assert!(
        order("find") < order("Details") && order("Details") < order("Control payments"),
        "{seen:?}"
    );

    // The card goes to another place of the page. The focus goes with it.
    five_failures(&gateway, &service).await;
    browser.until_attribute(CARD, "data-state", "open").await;
    browser
        .until("return document.activeElement.matches(arguments[0])", format!("{CARD} .act"))
        .await;
}
