//! Watching circuits live.
//!
//! What changes is pushed by the storage, as to any process that shares the circuits; what is shown
//! is made of copies of them, ten times a second, so that times run down. `ear` repairs what pushing
//! lost and hears which instances run; `view` is what there is to see and `draw` how it looks, which
//! both know neither terminal nor clock; `screen` is the terminal, and `lines` writes JSON instead.

mod draw;
mod ear;
mod lines;
mod screen;
mod view;

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use crate::{Failure, Fleet, args::Cli};

/// How often circuits are copied.
const TICK: Duration = Duration::from_millis(100);

/// Watches until whoever does leaves.
pub(crate) async fn run(cli: &Cli, fleet: Fleet) -> Result<ExitCode, Failure> {
    if !cli.json && !io::stdout().is_terminal() {
        return Err(Failure::Usage(
            "`watch` needs a terminal: use `watch --json` for lines that a program can read"
                .to_owned(),
        ));
    }
    let fleet = Arc::new(fleet);
    // So that a storage that is not there is an error, and nobody watches nothing.
    let heard = ear::listen(&fleet).await?;
    // Before the screen is taken, so that whoever ends this finds it as it was.
    let ended = ended().map_err(|error| Failure::Output("cannot wait for signals", error))?;
    tokio::select! {
        done = async {
            if cli.json { lines::write(&fleet, heard).await } else { screen::show(&fleet, heard).await }
        } => done.map(|()| ExitCode::SUCCESS),
        () = ended => Ok(ExitCode::SUCCESS),
    }
}

/// Waits until someone ends this process, in a way that lets it put the terminal in order.
#[cfg(unix)]
fn ended() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn ended() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // An error means that it cannot be waited for: keys are left.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}
