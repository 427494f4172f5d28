use std::time::{Duration, Instant};

use tokio::time::sleep;

/// How long something may take that takes a second or two, on a machine that is busy.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `holds` does.
///
/// # Panics
///
/// If it does not within [`LONGEST`]; `otherwise` says how things stand.
pub(crate) async fn until(
    what: &str,
    mut holds: impl AsyncFnMut() -> bool,
    otherwise: impl AsyncFnOnce() -> String,
) {
    let began = Instant::now();
    while !holds().await {
        if began.elapsed() > LONGEST {
            panic!("waited in vain until {what}:\n{}", otherwise().await);
        }
        sleep(PAUSE).await;
    }
}
