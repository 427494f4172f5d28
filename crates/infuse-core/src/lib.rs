//! The circuit breaker of Infuse: one process's circuit, without I/O, runtime or storage.
//!
//! Start at [`Breaker`]. Users of axum want the crate `infuse-axum`; programs without a web
//! framework that share circuits want `infuse-storage`.
//!
//! # Layout
//!
//! - [`Policy`] says when a circuit opens and closes, [`State`] what it is, [`Outcome`] what a
//!   call said about it.
//! - `decide` holds the decisions, pure functions of one atomic word, the time and the policy.
//! - [`Breaker`] applies them; [`Permit`] is the right to one call; `call` guards functions and
//!   futures with it.
//! - `window` counts calls where a rate is asked for, and `meter` says what opens the circuit
//!   beside failures in a row: rates, and any [`TripRule`].
//! - `seats` has each thread count by itself, for the window and for [`Totals`].
//! - [`Listener`], exclusions, [`Clock`] and [`Snapshot`] stand around it, with [`Tripped`], which
//!   says what opened it; [`Replica`] is for those who share a breaker with other processes.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod breaker;
mod call;
mod change;
mod claim;
pub mod clock;
mod deadline;
mod decide;
mod error;
mod exclude;
mod fault;
mod listener;
mod meter;
mod mode;
mod outcome;
mod permit;
mod policy;
mod random;
mod rejected;
mod replica;
mod seats;
mod snapshot;
mod state;
mod sync;
mod totals;
mod verdict;
mod window;
mod word;

pub use breaker::{Admission, Breaker, BreakerBuilder, Deltas, KeptModeChanges, Ramp, Shared};
pub use change::{Cause, StateChange};
#[doc(inline)]
pub use clock::{Clock, ManualClock, TimeSource};
pub use error::CallError;
pub use exclude::ExclusionId;
pub use fault::{Fault, FaultKind};
pub use listener::{Interest, Listener, ListenerId, ModeChange};
pub use meter::{Evidence, Standing, TripRule, WindowSnapshot};
pub use mode::{Mode, Override, ParseModeError};
pub use outcome::Outcome;
pub use permit::Permit;
pub use policy::{Policy, PolicyBuilder, PolicyError, Window};
pub use rejected::{Reason, Rejected};
pub use replica::{Opened, Replica, TrialOver};
pub use snapshot::{Snapshot, Tripped};
pub use state::{ParseStateError, State};
pub use totals::Totals;
pub use verdict::{Origin, Verdict};
pub use window::Counts;
