//! Settings that change while the process runs.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

mod at_once;
mod calls;
mod modes;
mod refused;
mod states;
mod told;

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering::SeqCst},
};

use axum::{Router, body::Body};
use http::{Response, StatusCode};
use infuse_axum::{
    Circuit, Infuse, InfuseBuilder, ManualClock, Reload, ReloadError, ServiceError,
    ServiceResponse, State, config::Config,
};

/// A `Config` of these settings.
fn config(settings: &[(&str, &str)]) -> Config {
    let set = |config: config::ConfigBuilder<_>, (key, value): &(&str, &str)| {
        config.set_override(key, *value).unwrap()
    };
    settings.iter().fold(Config::builder(), set).build().unwrap()
}

/// An application that calls `payments`, which answers with a status that can be changed, or
/// never. Time stands still for the circuits.
struct Bench {
    infuse: Infuse,
    clock: ManualClock,
    status: Arc<AtomicU16>,
    settings: Vec<(String, String)>,
}

const HANGS: u16 = 0;

impl Bench {
    async fn new(settings: &[(&str, &str)]) -> Self {
        Self::built(settings, |builder| builder).await
    }

    async fn built(
        settings: &[(&str, &str)],
        build: impl FnOnce(InfuseBuilder) -> InfuseBuilder,
    ) -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let answers = Arc::clone(&status);
        let payments = Router::new().fallback(move || {
            let status = answers.load(SeqCst);
            async move {
                if status == HANGS {
                    std::future::pending::<()>().await;
                }
                let mut answer = Response::new(Body::from("a body"));
                *answer.status_mut() = StatusCode::from_u16(status).unwrap();
                answer
            }
        });
        let clock = ManualClock::new();
        let all = with_service(settings);
        let builder = Infuse::builder().clock(clock.clone()).transport("payments", payments);
        let infuse = build(builder).start(&config(&all)).await.unwrap();
        let settings = all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Self { infuse, clock, status, settings }
    }

    /// Reloads what it was started with, changed in these.
    fn reload(&self, changed: &[(&str, &str)]) -> Result<Reload, ReloadError> {
        let before = self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let all: Vec<_> = before.chain(changed.iter().copied()).collect();
        self.infuse.reload(&config(&all))
    }

    /// What a reload said, line by line.
    #[track_caller]
    fn reloaded(&self, changed: &[(&str, &str)]) -> Vec<String> {
        self.reload(changed).unwrap().changes().iter().map(ToString::to_string).collect()
    }

    async fn call(&self) -> Result<ServiceResponse, ServiceError> {
        self.infuse.client().service("payments")?.get("x").send().await
    }

    async fn fail(&self, times: usize) {
        self.status.store(500, SeqCst);
        for _ in 0..times {
            self.call().await.unwrap();
        }
    }

    async fn succeed(&self) {
        self.status.store(200, SeqCst);
        self.call().await.unwrap().bytes().await.unwrap();
    }

    fn circuit(&self) -> Circuit {
        self.infuse.circuit("payments").unwrap()
    }

    /// Waits until the storage, which is asked in the background, has had its say.
    async fn until(&self, state: State) {
        while self.circuit().state() != state {
            tokio::task::yield_now().await;
        }
    }
}

fn with_service<'a>(settings: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("infuse_service_connections", "payments, other")], settings].concat()
}
