//! A tower layer that guards any service over HTTP with a circuit: a client of hyper or tonic, or a
//! part of an application of one's own.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::convert::Infallible;
//! use axum::{Router, error_handling::HandleErrorLayer, routing::get};
//! use infuse_axum::{CallError, CircuitBreakerLayer, Infuse, ServiceError};
//! use tower::ServiceBuilder;
//!
//! # let config = infuse_axum::config::Config::builder().build()?;
//! # #[cfg(any())]
//! let config = infuse_axum::load_config()?;
//! let infuse = Infuse::builder().start(&config).await?;
//! let reports = infuse.breaker("reports")?;
//! let layer = ServiceBuilder::new()
//!     .layer(HandleErrorLayer::new(async |error: CallError<Infallible>| {
//!         let rejected = error.rejected().expect("the service itself cannot fail");
//!         ServiceError::rejection("reports", rejected)
//!     }))
//!     .layer(CircuitBreakerLayer::new(reports));
//! let app: Router = Router::new().route("/reports", get(|| async { "a long one" })).layer(layer);
//! # drop(app);
//! # Ok(()) }
//! ```
//!
//! What counts is decided by a classifier of tower-http: by default an answer of 500 or above is a
//! failure, as is an error of the service. An answer that is no failure is judged when its body has
//! ended: a body that breaks off is a failure. What is dropped before says nothing about the
//! service, except that between two reads of a body its status decides.
//!
//! The circuit is asked when a request comes, not before: nothing is reserved by
//! [`poll_ready`](tower::Service::poll_ready), and a service that is not ready keeps nobody waiting
//! whom the open circuit rejects. However often the layer is applied, its circuit is one.

mod body;
mod guard;
mod layered;
mod service;

pub use self::{body::GuardedBody, layered::CircuitBreakerLayer, service::CircuitBreaker};
