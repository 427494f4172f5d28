use std::time::Duration;

use infuse_core::Cause;

use super::view::CAUSES;
use crate::ProcessId;

/// The largest generation, and the longest time in microseconds (31 years): scripts compute with
/// doubles, and refuse more digits than these have.
pub(super) const MOST: u64 = 999_999_999_999_999;
/// What stands for nothing.
pub(super) const NONE: &str = "-";

pub(in crate::redis) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(MOST).min(MOST)
}

/// Digits only: `parse` would take a sign.
pub(super) fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Causes that scripts do not know would be rubbish to them.
pub(super) fn known_cause(cause: Cause) -> Cause {
    if CAUSES.contains(&cause) { cause } else { Cause::Failures }
}

/// Sixteen hexadecimal digits, in small letters.
pub(super) fn process(text: &str) -> Option<ProcessId> {
    let digits = text.len() == 16 && !text.bytes().any(|it| it == b'+' || it.is_ascii_uppercase());
    digits.then(|| u64::from_str_radix(text, 16).ok().map(ProcessId::from_u64))?
}
