use std::time::{Duration, Instant};

/// How long something may take that takes milliseconds, on a machine that is busy.
const LONGEST: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(2);

/// Waits until `holds` does.
///
/// # Panics
///
/// If it does not within 20 s.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < LONGEST, "waited in vain until {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
