use std::{fs, os::unix::fs::MetadataExt, path::Path};

use serde_json::{Value, json};
use thirtyfour::{
    By, ChromeCapabilities, ChromiumLikeCapabilities, LoggingPrefsLogLevel, TypingData, WebDriver,
};
use tokio::sync::{Mutex, MutexGuard};

use super::chromedriver::Chromedriver;
use crate::{Scratch, app, eventually};

/// Browsers are heavy: there is one at a time.
static TURN: Mutex<()> = Mutex::const_new(());

/// Chromium before one page, in a profile of its own. It ends when this is dropped, however the
/// test ends. Elements are named by CSS selectors.
///
/// Every function panics if the browser does not do as it is told.
#[derive(Debug)]
pub struct Browser {
    driver: WebDriver,
    // In this order: nothing writes to the profile any more when it is removed, and the next
    // browser starts when this one is gone.
    _chromedriver: Chromedriver,
    _profile: Scratch,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts one, as wide and high as a screen on a desk, and light.
    pub async fn start() -> Self {
        let turn = TURN.lock().await;
        let profile = Scratch::new();
        let chromedriver = Chromedriver::start();
        let chrome = capabilities(profile.path()).expect("capabilities");
        let driver = WebDriver::builder(chromedriver.url(), chrome).client(app::client());
        let driver = driver.connect().await.expect("Chromium, which scripts/test installs");
        let browser = Self { driver, _chromedriver: chromedriver, _profile: profile, _turn: turn };
        browser.screen(1440, 900).await;
        browser.media("light", false).await;
        browser
    }

    /// Opens a page.
    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.expect("the page");
    }

    /// Makes the screen so large; one that is less than 500 wide is a phone's.
    pub async fn screen(&self, width: u32, height: u32) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500,
        });
        self.tell("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Says what the reader prefers: `light` or `dark`, and whether nothing is to move.
    pub async fn media(&self, scheme: &str, still: bool) {
        let motion = if still { "reduce" } else { "no-preference" };
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": motion},
        ]);
        self.tell("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    /// Runs a script in each page that is opened from now on, before those of the page.
    pub async fn before_each_page(&self, script: &str) {
        let source = json!({"source": script});
        self.tell("Page.addScriptToEvaluateOnNewDocument", source).await;
    }

    async fn tell(&self, command: &str, arguments: Value) -> Value {
        self.driver.cdp().send_raw(command, arguments).await.expect("what it was told")
    }

    /// What a script returns, to which `arguments[0]` is this.
    pub async fn run(&self, script: &str, argument: impl Into<Value>) -> Value {
        let done = self.driver.execute(script, vec![argument.into()]).await;
        done.expect("the end of the script").json().clone()
    }

    /// The text of an element, as it is read; empty if there is none.
    pub async fn text(&self, css: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
        self.run(script, css).await.as_str().unwrap_or_default().to_owned()
    }

    /// An attribute of an element, if there is that element and it has it.
    pub async fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let script = "const [css, name] = arguments[0]; \
                      return document.querySelector(css)?.getAttribute(name) ?? null";
        self.run(script, json!([css, name])).await.as_str().map(str::to_owned)
    }

    /// Whether there is such an element, and it is shown.
    pub async fn shows(&self, css: &str) -> bool {
        let script = "return [...document.querySelectorAll(arguments[0])]
            .some((node) => node.checkVisibility({ visibilityProperty: true }))";
        self.run(script, css).await == true
    }

    /// Waits until a script, to which `arguments[0]` is this, returns `true`.
    pub async fn until(&self, script: &str, argument: impl Into<Value>) {
        let argument = argument.into();
        eventually(&format!("{script} of {argument}"), async || {
            self.run(script, argument.clone()).await == true
        })
        .await;
    }

    /// Waits until there is such an element, and it is shown.
    pub async fn until_shown(&self, css: &str) {
        eventually(&format!("{css} is shown"), async || self.shows(css).await).await;
    }

    /// Waits until the text of an element holds this.
    pub async fn until_text(&self, css: &str, holding: &str) {
        let mut text = String::new();
        let holds = async || {
            text = self.text(css).await;
            text.contains(holding)
        };
        eventually(&format!("{css} says {holding:?}"), holds).await;
    }

    /// Waits until an attribute of an element is this.
    pub async fn until_attribute(&self, css: &str, name: &str, value: &str) {
        eventually(&format!("{name} of {css} is {value:?}"), async || {
            self.attribute(css, name).await.as_deref() == Some(value)
        })
        .await;
    }

    /// Clicks an element, as a person does: it must be there to be seen.
    pub async fn click(&self, css: &str) {
        let element = self.driver.find(By::Css(css)).await.expect("what is to be clicked");
        element.scroll_into_view().await.expect("to see it");
        element.click().await.expect("a click");
    }

    /// Types into an element what replaces its content.
    pub async fn fill(&self, css: &str, text: &str) {
        let element = self.driver.find(By::Css(css)).await.expect("what is to be filled");
        element.clear().await.expect("an empty element");
        element.send_keys(text).await.expect("to type");
    }

    /// Presses keys, wherever the focus is.
    pub async fn press(&self, keys: impl Into<TypingData>) {
        let chain = self.driver.action_chain().send_keys(keys);
        chain.perform().await.expect("to press keys");
    }

    /// What went wrong in the page, as its console says, since this was asked last.
    pub async fn errors(&self) -> Vec<String> {
        let log = self.driver.browser_log().await.expect("the console");
        let severe = log.into_iter().filter(|entry| entry.level == "SEVERE");
        severe.map(|entry| entry.message).collect()
    }

    /// Makes a picture of what is on the screen.
    pub async fn picture(&self, path: &Path) {
        self.driver.screenshot(path).await.expect("a picture");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // chromedriver ends the session when it ends, also where nothing can be awaited.
        let _ = self.driver.clone().leak();
    }
}

fn capabilities(profile: &Path) -> Result<ChromeCapabilities, thirtyfour::error::WebDriverError> {
    let mut chrome = ChromeCapabilities::new();
    for arg in [
        "--headless=new",
        "--disable-gpu",
        // In a container the memory for it is scarce.
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--hide-scrollbars",
        "--no-first-run",
        &format!("--user-data-dir={}", profile.display()),
    ] {
        chrome.add_arg(arg)?;
    }
    // Chromium refuses to run as root in its sandbox.
    if fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        chrome.add_arg("--no-sandbox")?;
    }
    chrome.set_browser_log_level(LoggingPrefsLogLevel::All)?;
    Ok(chrome)
}
