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
//! - `commands` is manual control, `modes` says what became of a mode, and `said` of a state; `snapshot` is what there
//!   is to look at.
//! - `node` is what a circuit knows of the storage and still has to tell it, `replicator` the
//!   task that tells and looks, `subscriber` the part of it that listens, `suspicions` the part
//!   that refutes or settles suspicions, `hub` what the circuits of a participant have in common,
//!   `queue` those that have something to tell.
//! - `health`, `counted`, `survey` and `announce` are for whoever looks at the fleet: how sharing
//!   goes, what the storage says of everything, and what each participant says of itself.
//! - What is decided is decided by pure functions: `known` by a view of the circuit, with `count`
//!   (shares and suspicions), `trust` (whose trips are believed) and `seldom` (overrides, and what
//!   the service asks for); `suspected` in a suspicion's grace. `story` decides nothing: it knows who
//!   changed a circuit, and why.

mod alone;
mod announce;
mod announcement;
mod both;
mod budget;
mod circuit;
mod circuits;
mod commands;
#[cfg(feature = "conformance")]
pub mod conformance;
mod count;
mod counted;
mod error;
mod health;
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
mod presents;
mod provenance;
mod queue;
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
mod said;
mod seldom;
mod shared_call;
mod snapshot;
mod standing;
pub mod storage;
mod story;
mod subscriber;
mod survey;
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
pub use health::{Health, StorageEvent};
pub use ids::{CircuitKey, ProcessId, Token};
pub use infuse_core as core;
pub use infuse_core::{
    Breaker, BreakerBuilder, CallError, Cause, Clock, Counts, Evidence, ExclusionId, Fault,
    FaultKind, Interest, Listener, ListenerId, ManualClock, Mode, ModeChange, Origin, Outcome,
    Override, ParseModeError, ParseStateError, Policy, PolicyBuilder, PolicyError, Ramp, Reason,
    Rejected, Standing, State, StateChange, TimeSource, Totals, TripRule, Verdict, Window,
    WindowSnapshot,
};
pub use memory::MemoryStorage;
pub use provenance::{Note, Opening, Provenance};
#[cfg(feature = "redis")]
pub use redis::{KeyLayout, RedisConfig, RedisConfigError, RedisMode, RedisStorage};
pub use snapshot::{CircuitSnapshot, FleetWindow};
pub use storage::{
    Announcement, BoxFuture, Clear, Command, Control, Event, Instance, LeaseAnswer, LeaseRequest,
    Look, Presented, Rates, Report, Seed, Settle, Storage, Suspicion, SuspicionId, Thresholds,
    Trip, View, Watch,
};
