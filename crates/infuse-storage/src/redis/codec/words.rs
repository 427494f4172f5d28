use std::time::Duration;

/// The largest generation, and the longest time in microseconds (31 years): scripts compute with
/// doubles, and refuse more digits than these have.
pub(super) const MOST: u64 = 999_999_999_999_999;
/// What stands for nothing.
pub(super) const NONE: &str = "-";

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(MOST).min(MOST)
}

/// Digits only: `parse` would take a sign.
pub(super) fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
