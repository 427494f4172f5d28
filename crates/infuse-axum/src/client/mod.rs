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
//! 3. A caller that goes away while the service keeps it waiting says nothing about the service,
//!    unless it has waited for as long as `INFUSE_BREAKER_ABANDONED_AFTER` says: that is a failure.
//!    One that drops an answer that it was not waiting for has seen enough: the status decides.
//!
//! A `Retry-After` of a 429 or 503, in seconds or as a date, is heard: while the circuit is open,
//! no trial is made before. A 429 opens nothing.
//!
//! The timeout counts only the time that the service keeps the caller waiting. A caller that is
//! slow to read an answer, or to produce the body that it sends, uses up none of it. The time after
//! which a call counts as abandoned is measured in the same way. A call that was given no timeout
//! may wait for ever for its body, which then is never abandoned.
//!
//! # Parts of a service
//!
//! [`Service::circuit`] puts a call under a circuit of its own below the service's, for a route or
//! a tenant. The two are asked in one step: if either is open the call is rejected, and nothing is
//! taken from the other.
//!
//! ```
//! # use infuse_axum::{ServiceClient, ServiceError};
//! # async fn refund(client: ServiceClient) -> Result<(), ServiceError> {
//! let refunds = client.service("payments")?.circuit("refunds")?;
//! refunds.post("refunds").json(&7).send().await?.error_for_status()?;
//! # Ok(()) }
//! ```
//!
//! | what happened | the service's circuit | the circuit below it |
//! |---|---|---|
//! | no connection, connection lost before an answer | Failure | Failure |
//! | a failing status, a timeout, a body that broke off, an abandoned call | Ignored | Failure |
//! | success | Success | Success |
//! | `Retry-After` | not heard | heard |

mod below;
mod body;
mod drops;
mod fault;
mod hop_by_hop;
mod network;
pub(crate) mod origin;
mod parts;
mod path;
mod patience;
mod request;
mod request_body;
mod resolver;
mod response;
#[cfg(test)]
mod scenarios;
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
pub(crate) use path::{BaseUrl, PathError};
pub(crate) use transport::Transport;
