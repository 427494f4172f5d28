//! A fault-injection kit with which applications prove their thresholds, without sleeping.
//!
//! It is behind the feature `test-util`, for `[dev-dependencies]`:
//!
//! - [`TestService`] stands in for a service: it answers, fails, stalls, truncates and recovers as a
//!   [`Script`] of [`Answer`]s says, and writes down the calls that it saw. It takes the place of the
//!   network, or [serves](TestService::serve) a real port.
//! - [`TestClock`] is the time of circuits, storage and timeouts alike: [`TestClock::advance`] moves
//!   them all.
//! - [`fleet`] makes several processes that share circuits, each over a [`Link`] of its own that can
//!   be cut, hung, slowed and healed; they can be killed and started anew.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
//! use std::time::Duration;
//! use infuse_axum::{State, test_util::{Answer, TestService, config, fleet}};
//!
//! let payments = TestService::new();
//! let config = config([("INFUSE_SERVICE_CONNECTIONS", "payments")]);
//! let network = payments.clone();
//! let fleet = fleet(3, &config, move |_, infuse| infuse.transport("payments", network.clone())).await;
//! let call = async |process: usize| {
//!     fleet[process].client().service("payments").unwrap().get("balance").send().await
//! };
//!
//! // A dead service is found by all of them together.
//! payments.script(Answer::stall());
//! for process in [0, 1, 2, 0, 1] {
//!     assert!(call(process).await.unwrap_err().is_timeout());
//! }
//! fleet.converges_to("payments", State::Open).await;
//! assert!(call(2).await.unwrap_err().is_rejected());
//! assert_eq!(payments.calls(), 5);
//!
//! // It recovers, and one trial closes the circuit for all.
//! payments.recover();
//! fleet.clock().advance(Duration::from_secs(15)).await;
//! assert_eq!(call(1).await.unwrap().text().await.unwrap(), "ok");
//! fleet.converges_to("payments", State::Closed).await;
//! # }
//! ```
//!
//! Time must be paused, by `#[tokio::test(start_paused = true)]`: see
//! [`infuse_storage::test_util`] for how it passes, and for what is the same in each run. A test that
//! has nothing to do with a fleet needs a [`TestClock`] alone:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use infuse_axum::{Infuse, test_util::{Answer, TestClock, TestService, config}};
//!
//! let (clock, payments) = (TestClock::new(), TestService::new());
//! let infuse = Infuse::builder()
//!     .clock(clock.clone())
//!     .transport("payments", payments.clone())
//!     .start(&config([("INFUSE_SERVICE_CONNECTIONS", "payments")]))
//!     .await?;
//! let service = infuse.client().service("payments")?;
//!
//! payments.script(Answer::stall().for_duration(Duration::from_secs(60)));
//! while !service.get("/").send().await.is_err_and(|error| error.is_rejected()) {}
//! assert_eq!(payments.calls(), 5); // five timeouts: 25 s of the test's time, and none of yours
//! clock.advance(Duration::from_secs(40)).await;
//! assert_eq!(service.get("/").send().await?.status(), 200); // the trial
//! # Ok(()) }
//! ```

mod answer;
mod body;
mod call;
mod fleet;
mod route;
mod script;
mod server;
mod service;
mod wire;

pub use answer::Answer;
pub use body::AnswerBody;
pub use call::Call;
pub use fleet::{config, fleet};
pub use infuse_storage::test_util::{
    Application, Asked, Disagreement, Fleet, Gate, Link, Process, Seat, TestClock, VERBS, Verb,
};
pub use script::Script;
pub use server::TestServer;
pub use service::TestService;
