//! Who may do what by the admin routes. It is decided purely: from the request's head, its peer and
//! the tokens that are set.
//!
//! - `decide` is the whole rule, and what may be done in the end.
//! - `site` refuses what another website made a browser send.
//! - `local` is who may come in where no token is set.
//! - `token` compares tokens.

mod decide;
mod local;
mod site;
mod token;

pub(super) use decide::{Access, Tokens, Wants, decide};
