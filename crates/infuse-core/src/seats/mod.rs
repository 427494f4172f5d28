//! Where threads count without getting in each other's way: each has a [seat], and whatever is
//! counted has a [row](Rows) for each seat.

mod rows;
mod seat;

pub(crate) use rows::Rows;
pub(crate) use seat::ROWS;
