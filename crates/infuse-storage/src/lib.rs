//! Circuits that several processes share through a storage. No web framework is needed: users of
//! axum want the crate `infuse-axum`, which stands on this one.
//!
//! Start at [`Circuits`], which makes [`Circuit`]s. Every process decides from its own memory,
//! and the storage makes the processes agree: a call waits for nothing, except that the caller of
//! a trial call waits for the fleet's lease, under a short limit.
//!
//! # Layout
//!
//! - [`storage`] defines what a storage must do; [`MemoryStorage`] is the embedded one; the suite
//!   in `conformance` (a feature) checks any of them.
//! - [`Circuit`] is a breaker that is shared, and the only one that waits for a lease.
//! - `node` is what a circuit knows of the storage and still has to tell it, `replicator` the
//!   task that tells and looks, `subscriber` the part of it that listens, `hub` what the circuits
//!   of a participant have in common.

mod circuit;
mod circuits;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod hub;
mod ids;
mod known;
mod lease;
mod looks;
mod memory;
mod node;
mod outgoing;
mod pace;
mod registry;
mod replicator;
mod shared_call;
mod snapshot;
mod standing;
pub mod storage;
mod subscriber;

pub use circuit::{Circuit, CircuitPermit, Reach};
pub use circuits::{Circuits, CircuitsBuilder};
pub use error::{StartError, StorageError};
pub use ids::{CircuitKey, ProcessId, Token};
pub use infuse_core as core;
pub use infuse_core::{
    Breaker, BreakerBuilder, CallError, Cause, Clock, ExclusionId, Listener, ListenerId,
    ManualClock, Outcome, ParseStateError, Policy, PolicyBuilder, PolicyError, Rejected, State,
    StateChange, TimeSource,
};
pub use memory::MemoryStorage;
pub use snapshot::CircuitSnapshot;
pub use storage::{
    BoxFuture, Clear, Control, Event, LeaseAnswer, LeaseRequest, Look, Presented, Report, Seed,
    Settle, Storage, Suspicion, SuspicionId, Thresholds, Trip, View, Watch,
};
