//! What one breaker does, told as scenarios: most are those that users of the Python package know.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a failed test is what a panic is for")]

mod awaits;
mod control;
mod counting;
mod exclusions;
mod listeners;
mod panics;
mod sharing;
mod support;
mod trials;
