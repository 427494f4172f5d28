//! Calls to other services, each guarded by the circuit of the service that it goes to.
//!
//! ```
//! use axum::{Json, extract::Path};
//! use infuse_axum::{ServiceClient, ServiceError};
//! use serde_json::Value;
//!
//! async fn order(client: ServiceClient, Path(id): Path<String>) -> Result<Json<Value>, ServiceError> {
//!     let payments = client.service("payments")?;
//!     let payment = payments.get(["payments", &id]).send().await?.error_for_status()?;
//!     Ok(Json(payment.json().await?))
//! }
//! ```
//!
//! A call that the circuit lets through holds a permit until it is known how it went:
//!
//! 1. A status that counts as a failure settles it as soon as the headers of the answer are there.
//! 2. Any other waits for the body. Its end is a success, an error in it a failure.
//! 3. A caller that goes away while the service keeps it waiting says nothing about the service.
//!    One that drops an answer that it was not waiting for has seen enough: the status decides.
//!
//! The timeout counts only the time that the service keeps the caller waiting. A caller that is
//! slow to read an answer, or to produce the body that it sends, uses up none of it.

mod body;
mod fault;
mod hop_by_hop;
mod network;
mod parts;
mod path;
mod patience;
mod request;
mod request_body;
mod response;
#[cfg(test)]
mod script;
mod send;
mod service;
mod service_client;
mod sync_body;
#[cfg(test)]
mod testing;
mod transport;
mod verdict;

pub use path::IntoPath;
pub use request::ServiceRequest;
pub use request_body::RequestBody;
pub use response::ServiceResponse;
pub use service::Service;
pub use service_client::ServiceClient;

pub(crate) use parts::{ClientError, ClientParts, OnRequest, ServiceConfig};
pub(crate) use path::PathError;
pub(crate) use transport::Transport;
