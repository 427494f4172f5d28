use std::time::Duration;

use axum::{
    Router,
    routing::{any, get},
};
use infuse_axum::{
    Circuit, CircuitSnapshot, Infuse, InfuseBuilder, ManualClock, MemoryStorage, ServiceClient,
    ServiceError, ServiceResponse, State, config::Config, reqwest,
};
use serde_json::Value;

use crate::{Answer, App, Double, Observed, app, eventually};

/// A service and an app that calls it, as a user would write it. Time stands still for the
/// circuits.
///
/// The app has `/text`, `/json`, `/skip` (the breaker is skipped), `/pass` (the answer is passed
/// on as it comes), `/hold` (no timeout), `/drop` (the answer is not read) and `/unknown` (calls
/// what is not configured).
#[derive(Debug)]
pub struct Stage {
    /// `payments`.
    pub service: Double,
    /// The app.
    pub app: App,
    /// Its handle.
    pub infuse: Infuse,
    /// The circuits' time.
    pub clock: ManualClock,
    /// Its user.
    pub client: reqwest::Client,
    storage: Observed,
}

/// The reset timeout that a stage has, since none is set.
const RESET_TIMEOUT: Duration = Duration::from_secs(15);

/// A `Config` of these settings.
///
/// # Panics
///
/// If a key is none.
pub fn config(settings: &[(&str, &str)]) -> Config {
    let mut config = Config::builder();
    for (key, value) in settings {
        config = config.set_override(key, *value).expect("a key");
    }
    config.build().expect("a config")
}

impl Stage {
    /// Everything by default, and a service that is well.
    pub async fn set() -> Self {
        Self::set_with(&[], |builder| builder).await
    }

    /// With more settings, and something done to the builder.
    ///
    /// # Panics
    ///
    /// If the settings are wrong.
    pub async fn set_with(
        settings: &[(&str, &str)],
        adjust: impl FnOnce(InfuseBuilder) -> InfuseBuilder,
    ) -> Self {
        let service = Double::start(Answer::text("fine")).await;
        let url = service.url();
        let mut all = vec![("infuse_services.payments.url", url.as_str())];
        all.extend_from_slice(settings);
        let clock = ManualClock::new();
        let mut router = routes();
        let storage = Observed::new(MemoryStorage::with_clock(clock.clone()));
        let builder = Infuse::builder().clock(clock.clone()).storage(storage.clone());
        let builder = adjust(builder);
        let infuse = builder.init_app(&mut router, &config(&all)).await.expect("good settings");
        let app = app::serve(router).await;
        Self { service, app, infuse, clock, client: app::client(), storage }
    }

    /// Gets a path of the app.
    ///
    /// # Panics
    ///
    /// If the app does not answer.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.app.url(path)).send().await.expect("an answer of the app")
    }

    /// Gets a path of the app for its status and text.
    ///
    /// # Panics
    ///
    /// If the app's answer does not come whole.
    pub async fn ask(&self, path: &str) -> (u16, String) {
        let answer = self.get(path).await;
        (answer.status().as_u16(), answer.text().await.expect("a whole answer"))
    }

    /// Calls the service through the app for the status alone.
    pub async fn call(&self) -> u16 {
        self.ask("/text").await.0
    }

    /// The service's circuit.
    ///
    /// # Panics
    ///
    /// Never: it has a name that is one.
    pub fn circuit(&self) -> Circuit {
        self.infuse.breaker("payments").expect("a name")
    }

    /// What is to be seen of it.
    pub fn snapshot(&self) -> CircuitSnapshot {
        self.circuit().snapshot()
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.circuit().state()
    }

    /// Its failures, one after another.
    pub fn failures(&self) -> u32 {
        self.circuit().fail_counter()
    }

    /// Waits until it is in this state.
    pub async fn until(&self, state: State) {
        eventually(&format!("the circuit is {state}"), async || self.state() == state).await;
    }

    /// Waits until this many failures are counted.
    pub async fn until_failures(&self, failures: u32) {
        eventually("the failures are counted", async || self.failures() >= failures).await;
    }

    /// Waits until the storage has changed the circuit this often, and nothing of it is under
    /// way any more.
    pub async fn until_generation(&self, generation: u64) {
        let there = async || {
            self.snapshot().generation >= generation && self.storage.has_taken_in(generation)
        };
        eventually("the storage has heard", there).await;
    }

    /// Opens it by failures, and lets the service answer as it did before.
    ///
    /// # Panics
    ///
    /// If they do not open it.
    pub async fn open(&self, then: Answer) {
        let generation = self.snapshot().generation;
        self.service.answer(Answer::Status(500));
        for _ in 0..5 {
            assert_eq!(self.call().await, 502);
        }
        assert_eq!(self.state(), State::Open);
        self.until_generation(generation + 1).await;
        self.service.answer(then);
    }

    /// Moves the time on, so that a trial is due.
    pub fn let_reset_timeout_pass(&self) {
        self.clock.advance(RESET_TIMEOUT);
    }
}

/// The body of an error of Infuse.
///
/// # Panics
///
/// If it is none, or a cache may keep it.
pub async fn problem(answer: reqwest::Response) -> Value {
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let text = answer.text().await.expect("a whole answer");
    let problem: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(problem["status"], status, "{text}");
    for field in ["type", "title", "detail"] {
        assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {text}");
    }
    problem
}

fn routes() -> Router {
    Router::new()
        .route("/text", any(text))
        .route("/json", get(json))
        .route("/skip", get(skip))
        .route("/pass", get(pass))
        .route("/hold", get(hold))
        .route("/drop", get(unread))
        .route("/unknown", get(unknown))
}

async fn text(client: ServiceClient) -> Result<String, ServiceError> {
    let payments = client.service("payments")?;
    payments.get("balance").send().await?.error_for_status()?.text().await
}

async fn json(client: ServiceClient) -> Result<String, ServiceError> {
    let payments = client.service("payments")?;
    let balance: Value = payments.get("balance").send().await?.error_for_status()?.json().await?;
    Ok(balance["balance"].to_string())
}

async fn skip(client: ServiceClient) -> Result<String, ServiceError> {
    let payments = client.service("payments")?;
    payments.get("balance").skip_breaker().send().await?.error_for_status()?.text().await
}

async fn pass(client: ServiceClient) -> Result<ServiceResponse, ServiceError> {
    client.service("payments")?.get("balance").send().await
}

async fn hold(client: ServiceClient) -> Result<String, ServiceError> {
    client.service("payments")?.get("balance").timeout(None).send().await?.text().await
}

async fn unread(client: ServiceClient) -> Result<String, ServiceError> {
    let answer = client.service("payments")?.get("balance").send().await?;
    Ok(answer.status().to_string())
}

async fn unknown(client: ServiceClient) -> Result<String, ServiceError> {
    client.service("pay-ments")?.get("balance").send().await?.text().await
}
