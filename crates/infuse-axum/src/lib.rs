//! Circuit breakers around an axum application's calls to other services, with one line:
//! [`Infuse::init_app`].
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Json, Router, extract::Path, routing::get};
//! use infuse_axum::{Infuse, ServiceClient, ServiceError};
//! use serde_json::Value;
//!
//! async fn order(client: ServiceClient, Path(id): Path<String>) -> Result<Json<Value>, ServiceError> {
//!     let payments = client.service("payments")?;
//!     let payment = payments.get(["payments", &id]).send().await?.error_for_status()?;
//!     Ok(Json(payment.json().await?))
//! }
//!
//! let mut app = Router::new().route("/orders/{id}", get(order));
//! let infuse = Infuse::init_app(&mut app, &infuse_axum::load_config()?).await?;
//! # let _: Router = app;
//! # Ok(()) }
//! ```
//!
//! # Layout
//!
//! - [`Infuse`] is the handle, [`InfuseBuilder`] says what settings cannot.
//! - [`settings`] reads the `INFUSE_*` variables and `infuse.toml`.
//! - [`client`] makes the guarded calls; [`Attempt`] is what is judged of one, [`ServiceError`]
//!   what its caller gets when it did not work out.
//! - [`listeners`] tells what happens, [`trace`] what each call did, `metrics` (a feature) how often.
//! - `test_util` (a feature) is a kit with which an application proves its thresholds.
//!
//! What circuits are and how they are shared is in the crates `infuse-core` and
//! `infuse-storage`; what of them an application needs is exported here, and so are [`axum`],
//! [`config`], [`http`] and [`reqwest`] in the versions that appear in this crate's functions.

#[cfg(feature = "admin")]
mod admin;
mod builder;
mod classify;
pub mod client;
#[cfg(feature = "tls")]
mod crypto;
mod durations;
mod error;
#[cfg(feature = "admin")]
mod events;
mod extract;
mod health;
mod infuse;
mod init_error;
mod instances;
pub mod layer;
pub mod listeners;
#[cfg(feature = "metrics")]
pub mod metrics;
mod place;
mod problem;
mod propagate;
mod rejection;
mod reload;
mod retry_after;
mod seconds;
pub mod settings;
mod start;
#[cfg(feature = "test-util")]
pub mod test_util;
pub mod trace;

pub use axum;
pub use builder::InfuseBuilder;
pub use classify::Attempt;
pub use client::{IntoPath, RequestBody, Service, ServiceClient, ServiceRequest, ServiceResponse};
pub use config;
pub use error::{ServiceError, ServiceErrorKind};
pub use extract::MissingServiceClient;
pub use health::{Health, ServiceHealth, StorageHealth};
pub use http;
pub use infuse::Infuse;
pub use infuse_storage::{
    Breaker, CallError, Cause, Circuit, CircuitKey, CircuitPermit, CircuitSnapshot, Clock, Counts,
    Evidence, ExclusionId, Fault, FaultKind, FleetWindow, Instance, Interest, Listener, ListenerId,
    ManualClock, MemoryStorage, ModeChange, Note, Outcome, Policy, PolicyBuilder, PolicyError,
    ProcessId, Provenance, Ramp, Reach, Rejected, RejectedBy, Standing, StartError, State,
    StateChange, Storage, StorageError, StorageEvent, TimeSource, Token, Totals, TripRule,
    WindowSnapshot,
    core::{Mode, Origin, Override, ParseModeError, Reason, Verdict, Window},
    storage,
};
#[cfg(feature = "redis")]
pub use infuse_storage::{RedisConfig, RedisConfigError, RedisStorage};
pub use init_error::InitError;
pub use layer::{CircuitBreaker, CircuitBreakerLayer};
pub use reload::{Reload, ReloadError};
pub use reqwest;
pub use settings::{Settings, load_config};
pub use tower_http::add_extension::AddExtensionLayer;
