//! Real Redis servers for tests, each one's own: alone, behind Sentinel, or as a cluster.
//!
//! - [`RedisServer`] is one server on a free port of the loopback. It can be stopped, continued,
//!   killed and started anew, and it ends with the test, however the test ends.
//! - [`Connection`] and [`Reply`] speak to it as any stranger does. [`Monitor`] hears all that is
//!   said to it.
//! - [`Sentinels`] is a master with its replicas and three sentinels that watch them.
//! - [`Cluster`] is three masters and a replica of each.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), String> {
//! use infuse_test_servers::RedisServer;
//!
//! let redis = RedisServer::start().await;
//! redis.set("colour", "blue").await?;
//! assert_eq!(redis.get("colour").await?.as_deref(), Some("blue"));
//! # Ok(())
//! # }
//! ```
//!
//! What is here waits by the clock of the machine: a test that pauses the clock of its runtime
//! cannot use it.

mod ask;
mod builder;
mod cluster;
mod connection;
mod folder;
mod guarded;
mod info;
mod monitor;
mod patience;
mod port;
mod reply;
mod sentinels;
mod server;

pub use builder::RedisServerBuilder;
pub use cluster::Cluster;
pub use connection::Connection;
pub use monitor::Monitor;
pub use reply::Reply;
pub use sentinels::Sentinels;
pub use server::RedisServer;
