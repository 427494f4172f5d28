//! What the gateway shows to Prometheus, and what is made of that: the dashboard and the alerts.

#![allow(clippy::unwrap_used)]

mod agrees;
mod operations;
mod promql;
mod scrape;
