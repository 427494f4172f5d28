//! What happens between the start of the circuits and that of the application.

use infuse_storage::{Circuit, Circuits};
use tokio::time::{Instant, timeout_at};

use crate::settings::Settings;

/// Waits until the storage has been looked at and has heard of the application's own circuit, but
/// never longer than a call may wait for it: an application starts without its storage.
pub(crate) async fn ready(settings: &Settings, circuits: &Circuits, own: Option<Circuit>) {
    let deadline = Instant::now() + settings.redis.timeout;
    if !circuits.ready().await {
        tracing::debug!(target: "infuse", "the storage was not there in time: circuits start closed");
    }
    match (own, settings.initial_state.state()) {
        (Some(own), Some(state)) => {
            let circuits = circuits.clone();
            // A task of its own, since a seed that is given up half-way is not made good later.
            let seeding = tokio::spawn(async move { circuits.seed(&own, state).await });
            // Heard by the fleet or not, the process goes on.
            let _ = timeout_at(deadline, seeding).await;
        }
        (None, _) if settings.initial_state_set => tracing::warn!(
            target: "infuse",
            "INFUSE_INITIAL_CIRCUIT_STATE is set, but no circuit to put into that state: set \
             INFUSE_SERVICE_NAME to this application's name",
        ),
        _ => {}
    }
}
