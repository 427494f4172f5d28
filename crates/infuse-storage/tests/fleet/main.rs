//! Several applications share circuits by one storage.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

mod control;
mod health;
mod instances;
mod lifetime;
mod looks;
mod losses;
mod names;
mod origins;
mod overrides;
mod provenance;
mod rates;
mod recovery;
mod refuted;
mod reporters;
mod reports;
mod simulated;
#[cfg(feature = "serde")]
mod snapshots;
mod surveys;
mod suspicions;
mod thresholds;
mod trials;
mod tripping;

#[path = "../support/mod.rs"]
mod support;
