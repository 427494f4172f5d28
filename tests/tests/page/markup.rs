//! Nothing that the page shows is taken for markup, whoever wrote it.

use infuse_tests::{Answer, Browser, Double};

use crate::{CARD, TOKEN, browser_at, five_failures, gateway, gateway_to, open};

/// Texts that do something if they are markup.
const HOSTILE: [&str; 4] = [
    "<img src=x onerror=\"window.harmed=1\">",
    "</textarea></dialog><script>window.harmed=1</script>",
    "\"><svg onload=window.harmed=1>",
    "{{7*7}}<b>bold</b>&lt;i&gt;",
];

/// That none did anything, and no element came of one.
async fn unharmed(browser: &Browser) {
    let harmed = browser.run("return window.harmed ?? null", "").await;
    assert!(harmed.is_null());
    let strange =
        "return document.querySelectorAll('img, script:not([src]), b, iframe, svg[onload]').length";
    assert_eq!(browser.run(strange, "").await, 0);
    // The policy was not even asked.
    assert_eq!(browser.errors().await, [""; 0]);
}

#[tokio::test]
async fn reasons_and_names_of_people_are_text() {
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, "10m").await;
    let browser = browser_at(&gateway).await;
    for hostile in HOSTILE {
        for action in ["isolate", "open"] {
            let url = gateway.url(&format!("/infuse/circuits/payments/{action}"));
            let body = serde_json::json!({"reason": hostile, "by": hostile});
            let sent = gateway.client.post(url).bearer_auth(TOKEN).json(&body).send().await;
            assert_eq!(sent.unwrap().status(), 200);
            browser.until_text(CARD, hostile).await;
            browser.until_text("#recent", hostile).await;
            browser.until_text("#heard", hostile).await;
        }
        unharmed(&browser).await;
    }
    browser.click(&format!("{CARD} footer button")).await;
    browser.until_text(&format!("{CARD} .details"), HOSTILE[0]).await;
    unharmed(&browser).await;
}

#[tokio::test]
async fn names_of_services_are_what_settings_allow_and_text_all_the_same() {
    // Markup is not let in as a name.
    let refused = infuse_tests::Scratch::new();
    let variables = [("INFUSE_SERVICE_CONNECTIONS", HOSTILE[0]), ("BIND", "127.0.0.1:0")];
    let mut refused = infuse_tests::Process::start("gateway", &[], refused.path(), &variables);
    assert!(!refused.end().await.success());

    // And if it were, by whatever way, it would be text.
    let service = Double::start(Answer::text("fine")).await;
    let gateway = gateway_to(&service, "10m").await;
    five_failures(&gateway, &service).await;
    for hostile in HOSTILE {
        let browser = Browser::start().await;
        let name = serde_json::to_string(hostile).unwrap();
        browser
            .before_each_page(&format!(
                "const real = window.fetch;
                 const name = JSON.stringify({name}).slice(1, -1);
                 window.fetch = async (url, options) => {{
                     const response = await real(url, options);
                     if (!response.ok || String(url).endsWith('/events')) return response;
                     const text = await response.text();
                     const other = text.replace(/\\b(payments|gateway-one|failures)\\b/g, (it) => (it === 'failures' ? it : name));
                     return new Response(other, {{ status: response.status, headers: response.headers }});
                 }};"
            ))
            .await;
        open(&browser, &gateway, TOKEN).await;
        browser.until_text("#board h3", hostile).await;
        browser.until_text("#fleet", hostile).await;
        browser.until_text("#recent", hostile).await;
        browser.click(".card .act").await;
        browser.until_text("dialog[open] h2", hostile).await;
        unharmed(&browser).await;
    }
}

#[tokio::test]
async fn a_name_of_an_instance_is_text() {
    let gateway = gateway(&[
        ("INFUSE_INSTANCE_NAME", HOSTILE[0]),
        ("INFUSE_SERVICE_CONNECTIONS", "payments"),
    ])
    .await;
    let browser = browser_at(&gateway).await;
    browser.until_text("#place", HOSTILE[0]).await;
    browser.until_text("#fleet", HOSTILE[0]).await;
    unharmed(&browser).await;
}
