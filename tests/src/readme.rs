//! Compiles the examples of the README, by being its documentation.
#![doc = include_str!("../../README.md")]
