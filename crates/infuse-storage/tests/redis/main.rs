//! Circuits in a real Redis: the contract, and what only Redis has.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

mod access;
mod cluster;
mod conformance;
mod differential;
#[path = "../support/events.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod events;
mod instances;
mod keeping;
mod newer;
mod provenance;
mod rubbish;
mod strangers;
mod support;
