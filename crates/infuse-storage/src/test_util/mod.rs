//! A fault-injection kit: a fleet in one test, whose storage fails as the test says, and whose time
//! passes when the test says.
//!
//! It is behind the feature `test-util`, for `[dev-dependencies]`. Users of axum take it from
//! `infuse_axum::test_util`, where a scripted service goes with it.
//!
//! - [`TestClock`] is the time: of the circuits, of the storage, and of tokio's timers. Nothing
//!   sleeps for real.
//! - [`Fleet`] runs several processes on one embedded storage, each over a [`Link`] of its own that
//!   can be cut, hung, slowed and healed; a process can be killed and started anew.
//! - [`Link`] alone stands between any storage and one process, and can refuse, delay or lose each
//!   verb by itself.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
//! use infuse_storage::{Circuits, Policy, State, test_util::Fleet};
//!
//! let mut fleet = Fleet::of_circuits(3, |builder| builder).await;
//! let circuits: Vec<_> =
//!     fleet.iter().map(|process| process.circuit("payments", Policy::default())).collect();
//! fleet.settle().await;
//!
//! // The process 0 finds that the service is dead, and all know it.
//! for _ in 0..5 {
//!     circuits[0].try_permit().unwrap().failure();
//! }
//! fleet.converges_to("payments", State::Open).await;
//!
//! // The trial of another one closes it, for all but the one that is cut off.
//! fleet.cut(2);
//! fleet.clock().advance(Policy::default().reset_timeout()).await;
//! circuits[1].acquire(None).await.unwrap().success();
//! fleet.settle().await;
//! assert_eq!(fleet.states("payments"), [State::Closed, State::Closed, State::Open]);
//!
//! fleet.heal(2);
//! fleet.settle().await;
//! // Open here and closed there: it tries by itself.
//! circuits[2].acquire(None).await.unwrap().success();
//! fleet.converges_to("payments", State::Closed).await;
//! # }
//! ```
//!
//! # Time
//!
//! A test pauses the time of its runtime by `#[tokio::test(start_paused = true)]`. It passes in two
//! ways then: by [`TestClock::advance`], and where a test waits for something that takes time while
//! nothing else is to be done, as for a call to a service that stalls: that takes its timeout, and no
//! time of the person who waits for the test. Sockets do not go with it, since what comes over them
//! is waited for too.
//!
//! # Determinism
//!
//! What processes do at random otherwise (how long until the next poll, who objects to a suspicion
//! first) is drawn from a seed, which is the same in each run: see [`TestClock::seeded`] for others.
//! So two runs of a test are the same in every step.

mod clock;
mod fleet;
mod link;

pub use clock::TestClock;
pub use fleet::{Application, Disagreement, Fleet, Process, Seat};
pub use link::{Asked, Gate, Link, VERBS, Verb};
