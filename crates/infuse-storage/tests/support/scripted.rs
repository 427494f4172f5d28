//! The embedded storage behind gates, one for each verb: a link of the kit.
#![allow(unused_imports, reason = "each test binary uses a part of it")]

pub(crate) use infuse_storage::test_util::{Asked, Gate, Link as Scripted, VERBS, Verb};
