//! What one breaker does, told as scenarios: most are those that users of the Python package know.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a failed test is what a panic is for")]

mod abandoned;
mod awaits;
mod busy;
mod control;
mod counting;
mod exclusions;
mod listeners;
mod mode_changes;
mod modes;
mod open_time;
mod origin;
mod panics;
mod peers;
mod ramp;
mod rates;
mod rules;
mod sharing;
mod slow;
mod support;
mod totals;
mod trials;
mod tripped;
