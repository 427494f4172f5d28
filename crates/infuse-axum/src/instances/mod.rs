//! The processes of a fleet, told apart: what each says of itself, and what people call it.
//!
//! Every process announces itself through the storage, to all of its environment. That goes on
//! whether or not it has routes to look at it by, so that others can show it.

mod announcement;
#[cfg(feature = "admin")]
mod names;

pub(crate) use announcement::announce;
#[cfg(feature = "admin")]
pub(crate) use announcement::{Announcement, Here};
#[cfg(feature = "admin")]
pub(crate) use names::Names;
