//! End-to-end scenarios: a user's program, a service that it calls, and sockets and processes in
//! between, none of which is pretended.
//!
//! - [`Double`] is the service: a server that fails in every way that a server can.
//! - [`Stage`] is the program: an axum app with Infuse that calls it. [`serve`] runs any app.
//! - [`Gateway`] and [`Process`] run the examples as the processes that they are.
//! - [`Fleet`] is several processes that share a circuit through one Redis, each a [`Worker`].
//! - [`Browser`] is Chromium, before a page.
//! - [`Authority`], [`SecureService`] and [`RefusingService`] are for https and HTTP/2.
//! - [`eventually`] waits for what happens in its own time, [`Logs`] catches what is logged.
//!
//! The scenarios themselves are in `tests/`, one file for each part.

mod app;
mod browser;
mod double;
mod eventually;
mod fleet;
mod gateway;
mod logs;
mod observed;
mod process;
mod raw;
mod readme;
mod refusing;
mod scratch;
mod secure;
mod stage;

pub use app::{App, client, serve};
pub use browser::Browser;
pub use double::{Answer, Double, Received};
pub use eventually::eventually;
pub use fleet::{Fleet, Worker};
pub use gateway::Gateway;
pub use logs::Logs;
pub use observed::Observed;
pub use process::{Process, program};
pub use raw::{RawAnswer, exchange, get_raw};
pub use refusing::RefusingService;
pub use scratch::Scratch;
pub use secure::{Authority, SecureService};
pub use stage::{Stage, config, problem};
