//! How long services keep calls waiting, by circuit.
//!
//! A call adds to a number that is always there. What is handed to a recorder of metrics, and
//! when, is the affair of the module `metrics`.

mod histogram;
mod registry;
mod stripe;

#[cfg(feature = "metrics")]
pub(crate) use histogram::BOUNDS;
pub(crate) use histogram::Durations;
#[cfg(feature = "metrics")]
pub(crate) use registry::keep;
pub(crate) use registry::of;
