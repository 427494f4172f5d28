//! What changes circuits: `action` is what can be done, `order` what is said with it, `carry_out`
//! does it and leaves an audit line.

mod action;
mod carry_out;
mod order;

pub(super) use action::Action;
pub(super) use carry_out::carry_out;
pub(super) use order::Order;
