//! Circuits in Redis: 6.2 or newer, or Valkey; alone, behind Sentinel, or as a cluster.
//!
//! ```no_run
//! use std::sync::Arc;
//! use infuse_storage::{Circuits, RedisConfig, RedisStorage};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let storage = RedisStorage::new(RedisConfig::new(["redis://localhost:6379/0"]))?;
//! let circuits = Circuits::builder().storage(Arc::new(storage)).start()?;
//! # Ok(()) }
//! ```
//!
//! Every verb is one Lua script that goes by Redis' own clock, so it is atomic, and nobody's clock
//! is compared with another's. A script may be repeated, and is sent anew when Redis has forgotten
//! it. What scripts do is what the embedded storage does; beyond that there is what only Redis has.
//!
//! # Keys
//!
//! A circuit has five keys, `infuse:<namespace>:<key>`, or `<namespace>:pybreaker:<key>` with
//! [`KeyLayout::Pybreaker`]:
//!
//! | key | what it holds |
//! |---|---|
//! | `state` | `closed`, `open` or `half-open` |
//! | `opened_at` | when it opened, in whole seconds since 1970, rounded up |
//! | `fail_counter` | failures of strangers: see below |
//! | `record` | a hash with everything else |
//! | `shares` | a hash of processes and the failures that each has reported |
//!
//! All are kept for a day: a write begins it anew, and a look too when less than 23 hours are
//! left. Looking at a circuit that has nothing writes nothing. On a cluster the namespace is put
//! into braces unless it has a hash tag, so that the keys of a circuit share a slot; `a` and `{a}`
//! are one circuit there, which is known as `a` to those who listen.
//!
//! What the participants of a group [announce](crate::Storage::announce) stands in one hash,
//! `infuse:instances:<group>` or `<group>:pybreaker:instances`, with two fields for each of them. It
//! goes when all has ended; what has ended before is dropped by an announcement, at intervals as
//! long as one holds. Asking for it writes nothing, and takes Redis as long as to send all of it.
//!
//! Times are kept in microseconds and cut at 31 years.
//!
//! The record of a circuit takes some hundred bytes. Where processes go by rates it takes up to
//! 2 KiB more, however many tell of calls, and with an override's texts up to 2 KiB.
//!
//! # Versions
//!
//! The first version knew neither rates nor overrides, hold-offs, ramps and failed trials. Its
//! processes can share circuits with those of this one, while a fleet is being upgraded:
//!
//! - Either reads the other's records. What the first does not know it leaves as it is: so an
//!   override stays; all that belongs to a generation is taken for none once it has made another.
//!   Of a circuit that has never changed it deletes what it does not know: calls do not add up
//!   there, as long as a process of the first version looks at it.
//! - Messages are of another version: neither hears the other's pushes, and finds what they tell
//!   by polling. So neither objects in time to what the other suspects: during the upgrade
//!   `INFUSE_TRIP_GRACE` is best two poll intervals.
//! - It heeds no override: what isolates a circuit for the others does not for its processes. And
//!   one of them that is the first to mend a record that was lost mends it without the override.
//!
//! # Strangers
//!
//! Processes that know the plain keys only, such as Python's, can share circuits: they set
//! `state`, then `opened_at`; they count `fail_counter` up at a failure and set it to 0 at a
//! success.
//!
//! - A `state` that is not the record's is theirs: it is taken over as a new generation. Their
//!   opening runs from when a script first sees it, for the open time of the process that sees it.
//! - While a circuit is open, another `opened_at` is an opening anew, except for the one that
//!   belongs to the opening and may come later.
//! - Their opening while the circuit is open, half-open or on its ramp is one more failed trial;
//!   their closing forgets those, the ramp, and that the service asked to be left alone.
//! - They know of no override: they go by the state below it, and what they write leaves it.
//! - All of them are one process where several must have seen failures.
//! - What `fail_counter` says is added to the shares. While a circuit is suspect it is at least 1,
//!   and when it is 0 one of their calls has succeeded, which clears the suspicion.
//!
//! # Rubbish
//!
//! A key of another type, or one that holds what no circuit is, is deleted, and the circuit mended
//! from its other keys and from what is presented; a warning in the log says so. Other circuits
//! of the batch notice nothing.
//!
//! # Pushing
//!
//! Changes are published on `infuse:events:<number of the database>`, as the last step of a
//! script. If that is not allowed, everything works but pushing.
//!
//! # Access
//!
//! A user of Redis needs these rights, which are [`RedisStorage::ACL`] with the keys and the
//! channel:
//!
//! ```text
//! ACL SETUSER infuse on >password ~infuse:* &infuse:events:*
//!     +evalsha +eval +ping +unwatch +subscribe +time +get +set +del +hmget +hgetall +hset
//!     +hdel +pttl +pexpire +publish
//! ```
//!
//! `~*:pybreaker:*` are the keys of the other layout, beside `~infuse:pybreaker:probe`. A database
//! other than 0 needs `+select`, the servers behind Sentinel `+role`, a cluster `+cluster|slots`
//! and `+asking`. Clients tell what they are when they connect: in 6.2, and from 7.2 on without
//! `+client|setinfo`, that is refused, which harms nothing but is noted in `ACL LOG`.

mod codec;
mod config;
mod keys;
mod link;
mod managers;
mod reason;
mod scripts;
mod servers;
mod storage;
mod watch;

pub(crate) use self::reason::kind;
pub use self::{
    config::{KeyLayout, RedisConfig, RedisConfigError, RedisMode},
    storage::RedisStorage,
};
