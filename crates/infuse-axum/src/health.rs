//! Whether the application lives and is ready, for those who ask it: [`Infuse::health`].

use std::time::Duration;

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use infuse_storage::{Circuit, State, core::Mode};
use serde::{Serialize, Serializer};

use crate::{
    Infuse,
    reload::Live,
    seconds,
    settings::{ServiceName, StorageKind},
};

/// Whether the application lives and is ready: see [`Infuse::health`].
///
/// It serializes to an object whose times are in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// Always: whoever can be asked lives. No circuit is a reason to start a process anew.
    pub live: bool,
    /// Whether calls to all services of `INFUSE_READY_SERVICES` may pass, or be tried.
    pub ready: bool,
    /// How the circuits are shared.
    pub storage: StorageHealth,
    /// The services that are configured, and those of `INFUSE_READY_SERVICES`, in the order of
    /// their names.
    pub services: Vec<ServiceHealth>,
}

/// How circuits are shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StorageHealth {
    /// `redis`, `memory`, or `other` for one that the application brought.
    pub kind: &'static str,
    /// Whether circuits are shared at the moment: not while the storage is lost, nor after
    /// shutdown.
    pub shared: bool,
    /// How long the storage has been lost; unset while it is there.
    #[serde(serialize_with = "optional_seconds")]
    pub lost_for: Option<Duration>,
    /// How often it was lost since the start.
    pub losses: u64,
    /// Whether changes are pushed to this process.
    pub pushed: bool,
    /// Commands that were sent to the storage since the start.
    pub commands: u64,
    /// Those of them that failed.
    pub failed_commands: u64,
    /// How long the oldest of what is to be told to the storage has been waiting.
    #[serde(serialize_with = "in_seconds")]
    pub lag: Duration,
}

/// A service, as far as the application's health goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServiceHealth {
    /// Its name.
    pub name: String,
    /// The state of its circuit.
    pub state: State,
    /// Whether the application is not ready without it.
    pub required: bool,
    /// Whether calls to it may pass, or be tried.
    #[serde(skip)]
    pub available: bool,
}

fn in_seconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(seconds::rounded(*time))
}

fn optional_seconds<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    time.map(seconds::rounded).serialize(to)
}

impl Infuse {
    /// Whether this application lives and is ready.
    ///
    /// It lives whatever the circuits say. It is ready unless a service that `INFUSE_READY_SERVICES`
    /// names is one that no call would get to: its circuit is isolated, or open and not yet due for
    /// a trial. By default none is named, because one open circuit would take every process of a
    /// fleet out of its load balancer at once, and everything that works without the service too.
    /// Once a trial is due the application is ready again: without calls nobody would make it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let config = infuse_axum::config::Config::builder()
    /// #     .set_override("infuse_service_connections", "payments")?
    /// #     .set_override("infuse_ready_services", "payments")?.build()?;
    /// let infuse = infuse_axum::Infuse::builder().start(&config).await?;
    /// assert!(infuse.health().ready);
    ///
    /// let payments = infuse.circuit("payments").ok_or("no such circuit")?;
    /// let _ = payments.open().await;
    /// assert!(infuse.health().live && !infuse.health().ready);
    /// # Ok(()) }
    /// ```
    pub fn health(&self) -> Health {
        Health::of(self.live())
    }

    /// Routes for those who start processes and spread requests over them: `GET /livez` is always
    /// 200, `GET /readyz` is 503 while the application is [not ready](Self::health), and says for
    /// want of which services.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let infuse = infuse_axum::Infuse::builder().start(&Default::default()).await?;
    /// let app: axum::Router = axum::Router::new().merge(infuse.health_router());
    /// # Ok(()) }
    /// ```
    pub fn health_router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let infuse = self.clone();
        Router::new()
            .route("/livez", get(|| async { answer(StatusCode::OK, &Livez { live: true }) }))
            .route("/readyz", get(|| async move { readyz(&infuse.health()) }))
    }
}

#[derive(Serialize)]
struct Livez {
    live: bool,
}

/// No more than is needed: whoever asks may be anybody.
#[derive(Serialize)]
struct Readyz<'a> {
    ready: bool,
    not_available: Vec<&'a str>,
}

fn readyz(health: &Health) -> Response {
    let missing = health.services.iter().filter(|service| service.required && !service.available);
    let status = if health.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let not_available = missing.map(|service| service.name.as_str()).collect();
    answer(status, &Readyz { ready: health.ready, not_available })
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    // Nothing in it can fail to serialize; an empty body still has the right status.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let json = HeaderValue::from_static("application/json");
    let no_store = HeaderValue::from_static("no-store");
    (status, [(CONTENT_TYPE, json), (CACHE_CONTROL, no_store)], body).into_response()
}

impl Health {
    fn of(live: &Live) -> Self {
        let settings = live.settings();
        let required = &settings.ready_services;
        let mut names: Vec<&ServiceName> = settings.services.keys().chain(required).collect();
        names.sort();
        names.dedup();
        let services: Vec<_> = names
            .into_iter()
            .map(|name| {
                let circuit = live.circuits.get(name.as_str());
                ServiceHealth {
                    name: name.to_string(),
                    state: circuit.as_ref().map_or(State::Closed, Circuit::state),
                    required: required.contains(name),
                    // One that there is not has never been called.
                    available: circuit.is_none_or(|circuit| is_available(&circuit)),
                }
            })
            .collect();
        let ready = services.iter().all(|service| service.available || !service.required);
        Self { live: true, ready, storage: StorageHealth::of(live), services }
    }
}

fn is_available(circuit: &Circuit) -> bool {
    match circuit.mode() {
        Mode::Isolated => false,
        Mode::Observe | Mode::Disabled => true,
        Mode::Enabled => {
            circuit.state() != State::Open
                || circuit.retry_after().is_none_or(|left| left.is_zero())
        }
    }
}

impl StorageHealth {
    pub(crate) fn of(live: &Live) -> Self {
        let health = live.circuits.health();
        let kind = match live.settings().storage {
            _ if live.has_own_storage() => "other",
            StorageKind::Redis => "redis",
            StorageKind::Memory => "memory",
        };
        Self {
            kind,
            shared: health.shared,
            lost_for: health.lost_for,
            losses: health.losses,
            pushed: health.pushed,
            commands: health.commands,
            failed_commands: health.failed_commands,
            lag: health.lag,
        }
    }
}
