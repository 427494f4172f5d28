//! One process of a fleet, for tests that have several: it does what the lines of its input say,
//! and answers each by a line of JSON.
//!
//! Arguments are settings of Infuse, `infuse_breaker_max_failure=3` say, beside these:
//!
//! - `--graceless` takes away what keeps scattered errors of a healthy fleet from opening a
//!   circuit: nothing is said of successes, and a suspicion comes true at once.
//! - `--wall-shift=300` has the clock for people go so many seconds wrong.
//!
//! All commands concern the circuit, or the service, `target`. It ends with its input.

mod commands;
mod graceless;
mod load;
mod options;
mod output;
mod shifted;

use std::{error::Error, io, process::ExitCode, sync::Arc};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tracing_subscriber::EnvFilter;

use crate::{commands::Worker, options::Options, output::say};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("infuse=info"))
        .with_writer(io::stderr)
        .with_ansi(false)
        .init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}: {:?}", error.source());
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::from_args(std::env::args().skip(1))?;
    let worker = Arc::new(Worker::start(options).await?);
    say(&json!({ "ready": true }));
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let command: Value = serde_json::from_str(&line)?;
        let worker = Arc::clone(&worker);
        // Each in a task of its own: one that waits holds nothing up.
        tokio::spawn(async move {
            let mut answer = worker.carry_out(&command).await;
            answer["id"] = command["id"].clone();
            say(&answer);
        });
    }
    Ok(())
}
