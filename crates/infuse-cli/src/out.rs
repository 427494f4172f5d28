//! Writing to the standard output.

use std::io::{self, Write as _};

use serde_json::Value;

use crate::{Failure, clean::clean_json};

/// Writes a text and a line's end.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    bytes(format!("{text}\n").as_bytes())
}

/// Writes JSON for people and programs.
pub(crate) fn json(value: &Value) -> Result<(), Failure> {
    line(&clean_json(&format!("{value:#}")))
}

/// Writes JSON on a line of its own.
pub(crate) fn json_line(value: &Value) -> Result<(), Failure> {
    line(&clean_json(&value.to_string()))
}

pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    written.map_err(|error| Failure::Output("cannot write", error))
}
