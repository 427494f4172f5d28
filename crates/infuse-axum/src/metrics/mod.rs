//! What the circuits do, in numbers, by the facade of the crate
//! [`metrics`](https://docs.rs/metrics): whatever records metrics in an application shows these too.
//!
//! Needs the feature `metrics`. With it the listener `metrics` is the default of
//! `INFUSE_BREAKER_LISTENERS`, and every circuit is counted; a list without it, for all circuits or
//! for one, switches that off.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, extract::State, routing::get};
//! use infuse_axum::{Infuse, axum, metrics};
//! use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
//!
//! async fn scrape(State((infuse, metrics)): State<(Infuse, PrometheusHandle)>) -> String {
//!     infuse.collect_metrics(); // as of now, and not of a few seconds ago
//!     metrics.render()
//! }
//!
//! // Before Infuse, so that nothing is missed.
//! let durations = Matcher::Full(metrics::CALL_DURATION.to_owned());
//! let prometheus = PrometheusBuilder::new()
//!     .set_buckets_for_metric(durations, &metrics::CALL_DURATION_BUCKETS)?
//!     .install_recorder()?;
//! # let config = infuse_axum::config::Config::builder().build()?;
//! # #[cfg(any())]
//! let config = infuse_axum::load_config()?;
//! let infuse = Infuse::builder().start(&config).await?;
//! let app: Router = Router::new().route("/metrics", get(scrape)).with_state((infuse, prometheus));
//! # Ok(()) }
//! ```
//!
//! | name | | labels |
//! |---|---|---|
//! | `infuse_calls_total` | counter | `service`, `outcome`: `success`, `failure`, `ignored`, `rejected`, `would_reject` (passed only because of [`Mode::Observe`](crate::Mode::Observe)) |
//! | `infuse_trials_total` | counter: trial calls that were let through | `service` |
//! | `infuse_call_duration_seconds` | histogram: how long the service kept a call waiting that was let through, by a [`ServiceClient`](crate::ServiceClient) or the [layer](crate::layer) | `service` |
//! | `infuse_circuit_state` | gauge: 1 for the state that the circuit is in, 0 for the others | `service`, `state`: `closed`, `open`, `half-open` |
//! | `infuse_circuit_mode` | gauge: 1 for the mode that holds, 0 for the others | `service`, `mode`: `enabled`, `observe`, `disabled`, `isolated` |
//! | `infuse_transitions_total` | counter: changes of the state | `service`, `from`, `to`, `cause` (as of [`Cause::as_str`](crate::Cause::as_str)), `remote`: whether another process made it |
//! | `infuse_view_age_seconds` | gauge: how long ago the storage last spoke of the circuit | `service` |
//! | `infuse_storage_up` | gauge: 0 while the storage is lost | |
//! | `infuse_storage_losses_total` | counter: how often it was lost | |
//! | `infuse_storage_commands_total` | counter: what was asked of it | `result`: `ok`, `failed` |
//! | `infuse_replication_lag_seconds` | gauge: how long the oldest of what is to be told to it has been waiting | |
//! | `infuse_pushed` | gauge: 1 while changes by others are pushed to this process | |
//! | `infuse_listener_dropped_total` | counter: what a [channel](crate::listeners::channel()) had no room for | `listener` |
//!
//! `service` is the name of a circuit: that of a service, or `payments/refunds` below one. It comes
//! from settings and from code, never from a URL.
//!
//! Counters are of this process: sum them over the processes. States are of the whole fleet, as this
//! process knows them: take the `max`, say.
//!
//! # What it costs
//!
//! A call adds to counts that the circuit keeps for each thread, and to one of a few numbers of its
//! histogram; no recorder is asked. What they come to is handed over by
//! [`Infuse::collect_metrics`](crate::Infuse::collect_metrics), and every 5 s in the background.
//! Changes of the state are handed over as they happen.
//!
//! Whatever records histograms keeps all that it was handed until somebody asks: have it tidy up now
//! and then where nobody may (`PrometheusHandle::run_upkeep`).
//!
//! There is one recorder in a process. If it has several [`Infuse`](crate::Infuse)s with circuits of
//! the same names, as tests have, a counter shows the larger of their counts.

mod collect;
mod describe;
mod gather;
mod hand;
mod meters;

pub(crate) use collect::collect;
pub(crate) use gather::keep_current;
pub(crate) use meters::Meters;

/// The name of the histogram of durations, in seconds.
pub const CALL_DURATION: &str = "infuse_call_duration_seconds";

/// The buckets that durations are kept in: how long a call of each takes at most, in seconds, from
/// 1 ms to 30 s. What records them is to have the same, or coarser ones of their number: within a
/// bucket all that is handed over is the mean.
pub const CALL_DURATION_BUCKETS: [f64; 14] = crate::durations::BOUNDS;

const CALLS: &str = "infuse_calls_total";
const TRIALS: &str = "infuse_trials_total";
const STATE: &str = "infuse_circuit_state";
const MODE: &str = "infuse_circuit_mode";
const TRANSITIONS: &str = "infuse_transitions_total";
const VIEW_AGE: &str = "infuse_view_age_seconds";
const STORAGE_UP: &str = "infuse_storage_up";
const STORAGE_LOSSES: &str = "infuse_storage_losses_total";
const STORAGE_COMMANDS: &str = "infuse_storage_commands_total";
const LAG: &str = "infuse_replication_lag_seconds";
const PUSHED: &str = "infuse_pushed";
const DROPPED: &str = "infuse_listener_dropped_total";
