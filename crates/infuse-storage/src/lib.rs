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
//! - [`Circuit`] is a breaker that is shared, and the only one that waits for a lease; `both`
//!   asks two of them to let one call through.
//! - `commands` is manual control, and `modes` says what became of a mode; `snapshot` is what there
//!   is to look at.
//! - `node` is what a circuit knows of the storage and still has to tell it, `replicator` the
//!   task that tells and looks, `subscriber` the part of it that listens, `suspicions` the part
//!   that refutes or settles suspicions, `hub` what the circuits of a participant have in common.
//! - What is decided is decided by pure functions: `known` by a view of the circuit, with `count`
//!   (shares and suspicions), `trust` (whose trips are believed) and `seldom` (overrides, and what
//!   the service asks for); `suspected` in a suspicion's
//!   grace.

mod alone;
mod both;
mod budget;
mod circuit;
mod circuits;
mod commands;
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
mod modes;
mod node;
mod outgoing;
mod pace;
mod pending;
#[cfg(not(feature = "test-util"))]
mod random;
#[cfg(feature = "test-util")]
#[path = "test_util/random.rs"]
mod random;
#[cfg(feature = "redis")]
pub mod redis;
mod registry;
mod replica;
mod replicator;
mod reporting;
mod run;
mod seldom;
mod shared_call;
mod snapshot;
mod standing;
pub mod storage;
mod subscriber;
mod suspected;
mod suspicions;
#[cfg(feature = "test-util")]
pub mod test_util;
mod ticks;
mod told;
mod trust;
mod when;

pub use both::RejectedBy;
pub use circuit::{Circuit, CircuitPermit};
pub use circuits::{Circuits, CircuitsBuilder};
pub use commands::Reach;
pub use error::{StartError, StorageError};
pub use ids::{CircuitKey, ProcessId, Token};
pub use infuse_core as core;
pub use infuse_core::{
    Breaker, BreakerBuilder, CallError, Cause, Clock, Counts, Evidence, ExclusionId, Listener,
    ListenerId, ManualClock, Mode, Origin, Outcome, Override, ParseModeError, ParseStateError,
    Policy, PolicyBuilder, PolicyError, Ramp, Reason, Rejected, Standing, State, StateChange,
    TimeSource, TripRule, Verdict, Window, WindowSnapshot,
};
pub use memory::MemoryStorage;
#[cfg(feature = "redis")]
pub use redis::{KeyLayout, RedisConfig, RedisConfigError, RedisMode, RedisStorage};
pub use snapshot::{CircuitSnapshot, FleetWindow};
pub use storage::{
    BoxFuture, Clear, Command, Control, Event, LeaseAnswer, LeaseRequest, Look, Presented, Rates,
    Report, Seed, Settle, Storage, Suspicion, SuspicionId, Thresholds, Trip, View, Watch,
};
