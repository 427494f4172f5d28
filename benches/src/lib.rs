//! A small harness for side-by-side benchmarks.
//!
//! What is compared runs in turns, round by round, in one process: a machine that slows down in
//! between slows everybody down. So [`run`] takes all contenders of a row at once, and
//! [`Measured`] says how much dearer a contender was than the first one *of the same round*.
//!
//! `cargo bench -p infuse-benches --bench calls` prints the table of guarded calls,
//! `--bench memory` what a circuit weighs. Without `--bench`, which `cargo bench` passes, a bench
//! runs for a moment only, to see that it works.

mod executor;
mod harness;
mod table;

pub use executor::block_on;
pub use harness::{Contender, Effort, Measured, run};
pub use table::{Cell, Row, print_table};
