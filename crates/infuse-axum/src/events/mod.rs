//! What has happened, for those who look: the changes of every circuit and of the storage.
//!
//! [`Feed`] listens to every circuit, to changes alone, so that no call gets slower. `ring` keeps
//! the last of what it hears; [`Listening`] follows it, from now on or from an event that somebody
//! has heard already.

mod event;
mod feed;
mod listening;
mod ring;

pub(crate) use event::{Event, What};
pub(crate) use feed::Feed;
pub(crate) use listening::{Listening, Told};
