//! The real program against a real Redis.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

mod announced;
mod control;
mod ctl;
mod errors;
mod list;
mod pages;
mod show;
mod terminal;
mod watch;
