//! Listeners that are built in, and listeners that take their time.
//!
//! A [`Listener`](crate::Listener) is told in the thread of the call, so it must be quick.
//! [`channel`] makes one that puts what it is told into a channel, for a task that may wait for
//! whatever it likes. The channel holds so much and no more: what comes when it is full is dropped
//! and counted, and no call waits.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use infuse_axum::{Infuse, listeners::{self, What}};
//!
//! # async fn page_somebody(_text: String) {}
//! let (pager, mut told) = listeners::changes("pager", 100);
//! tokio::spawn(async move {
//!     while let Some(event) = told.recv().await {
//!         if let What::StateChange(change) = event.what {
//!             page_somebody(format!("{} is {}", event.circuit, change.to)).await;
//!         }
//!     }
//! });
//! # let config = infuse_axum::config::Config::builder().build()?;
//! let infuse = Infuse::builder().listener(pager).start(&config).await?;
//! # Ok(()) }
//! ```
//!
//! # Built in
//!
//! `INFUSE_BREAKER_LISTENERS` chooses them by name, for all circuits or for one:
//!
//! - `metrics`, with the feature `metrics`, where it is the default: see the module `metrics`.
//! - `tracing` logs what becomes of each call, at `debug` with the target `infuse::call`. It is for
//!   circuits that guard something else than a [`ServiceClient`](crate::ServiceClient), whose calls
//!   have a span of that target with more in it. (Changes of a circuit's state are logged at `info`
//!   in any case.)
//!
//! A listener that the application registers by one of these names is taken in its place.

mod channel;
mod chosen;
mod dropped;
mod event;
mod tracing;

pub use self::{
    channel::{ChannelListener, Receiver, changes, channel},
    event::{Event, What},
};

pub(crate) use self::chosen::Listeners;
#[cfg(feature = "metrics")]
pub(crate) use self::dropped::all as dropped;

/// The names of the built-in ones of this build.
pub(crate) const BUILT_IN: &[&str] =
    if cfg!(feature = "metrics") { &[METRICS, TRACING] } else { &[TRACING] };

/// Counts, for those who look at metrics.
pub(crate) const METRICS: &str = "metrics";
/// Logs calls.
pub(crate) const TRACING: &str = "tracing";
