//! `/metrics`, for Prometheus.

use std::time::Duration;

use axum::{
    Router,
    extract::State,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use infuse_axum::{Infuse, metrics};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// How often the recorder tidies up, which it otherwise does only when it is asked.
const TIDY: Duration = Duration::from_secs(5);

/// Has everything in this process that knows of metrics hand them over.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    let durations = Matcher::Full(metrics::CALL_DURATION.to_owned());
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(durations, &metrics::CALL_DURATION_BUCKETS)?
        .install_recorder()?;
    let tidied = recorder.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(TIDY).await;
            tidied.run_upkeep();
        }
    });
    Ok(recorder)
}

pub(crate) fn routes(infuse: Infuse, recorder: PrometheusHandle) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state((infuse, recorder))
}

async fn scrape(State((infuse, recorder)): State<(Infuse, PrometheusHandle)>) -> Response {
    infuse.collect_metrics();
    let headers =
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (headers, recorder.render()).into_response()
}
