//! One circuit's record and what each verb does to it: pure functions of the storage's time.
//!
//! - `kept` is what a record holds, and `shown` what is told of it.
//! - `standing` compares it with what is presented, and mends it; `generation` is what every
//!   change does.
//! - `counting` adds up failures, `suspicion` judges them; `rates` adds up calls, and `reporters`
//!   knows who has seen failures.
//! - `opening` opens, `trials` grants leases and ends them, `commands` does what it is told, and
//!   `overriding` is a mode above all that. `provenance` is what opened it.

mod commands;
mod counting;
mod generation;
mod kept;
mod opening;
mod overriding;
mod provenance;
mod rates;
mod reporters;
mod shown;
mod standing;
mod suspicion;
mod trials;

#[cfg(test)]
pub(crate) use self::provenance::Why;
pub(crate) use self::{kept::Record, standing::Effect};
