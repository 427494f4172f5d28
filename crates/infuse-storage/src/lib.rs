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
//!   in `conformance` (a feature) checks any of them. `RedisStorage`, in `redis` (a feature), is
//!   what a fleet shares circuits by.
//! - [`Circuit`] is a breaker that is shared, and the only one that waits for a lease.
//! - `node` is what a circuit knows of the storage and still has to tell it, `replicator` the
//!   task that tells and looks, `subscriber` the part of it that listens, `suspicions` the part
//!   that refutes or settles suspicions, `hub` what the circuits of a participant have in common.
//! - What is decided is decided by pure functions: `known` by a view of the circuit, with `count`
//!   (shares and suspicions) and `trust` (whose trips are believed); `suspected` in a suspicion's
//!   grace.

mod budget;
mod circuit;
mod circuits;
#[cfg(feature = "conformance")]
pub mod conformance;
mod count;
mod error;
mod hub;
mod ids;
mod known;
mod learning;
mod lease;
mod looks;
mod memory;
#[cfg(test)]
mod model;
mod node;
mod outgoing;
mod pace;
mod pending;
mod random;
#[cfg(feature = "redis")]
pub mod redis;
mod registry;
mod replica;
mod replicator;
mod reporting;
mod run;
mod shared_call;
mod snapshot;
mod standing;
pub mod storage;
mod subscriber;
mod suspected;
mod suspicions;
mod ticks;
mod trust;
mod when;

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
#[cfg(feature = "redis")]
pub use redis::{KeyLayout, RedisConfig, RedisConfigError, RedisMode, RedisStorage};
pub use snapshot::CircuitSnapshot;
pub use storage::{
    BoxFuture, Clear, Control, Event, LeaseAnswer, LeaseRequest, Look, Presented, Report, Seed,
    Settle, Storage, Suspicion, SuspicionId, Thresholds, Trip, View, Watch,
};
