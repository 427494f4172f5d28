//! What changes while the process runs, and how.
//!
//! `rules` is what the calls to a service go by, in one place that is swapped whole; `live` has the
//! settings that hold, and makes circuits by them; `apply` reads the settings anew and changes the
//! circuits that there are.

mod apply;
mod error;
mod live;
mod report;
mod rules;

pub use error::ReloadError;
pub use report::Reload;

pub(crate) use live::{Below, Builder, Live, TripRuleFn};
pub(crate) use rules::{LiveRules, Rules};
