//! `infusectl`: looks at circuits and controls them, straight on Redis.
//!
//! It reads the settings of the applications, and shares their circuits as one more participant that
//! calls nobody: it seeds nothing, counts nothing and does not announce itself.
//!
//! - `args` is the command line, `pages` what is made of it: completions and the manual.
//! - `fleet` opens the storage, finds out which circuits there are and looks at them; `announced` is
//!   what running instances say of themselves.
//! - `list`, `show` and `control` are the commands that end by themselves, `watch` the one that does
//!   not.
//! - `words`, `row` and `details` say what a circuit does in words, `json` in the shapes of the admin
//!   routes; `mode` is which mode it has in the fleet; `clean` keeps what others wrote from controlling
//!   a terminal.

mod announced;
mod args;
mod clean;
mod control;
mod details;
mod failure;
mod fleet;
mod json;
mod list;
mod mode;
mod out;
mod pages;
mod paint;
mod row;
mod setup;
mod show;
mod table;
#[cfg(test)]
mod testing;
mod time;
mod watch;
mod words;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::Failure;
use fleet::Fleet;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Completions { shell } => pages::completions(*shell),
        Command::Man { out } => pages::manual(out.as_deref()),
        _ => share(&cli),
    };
    done.unwrap_or_else(|failure| failure.tell())
}

/// Does what needs the circuits.
fn share(cli: &Cli) -> Result<ExitCode, Failure> {
    setup::log(cli)?;
    // What can be told to be wrong without the storage is told first.
    let order = cli.command.order()?;
    let settings = setup::settings(cli)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Output("no runtime", error))?;
    let done = runtime.block_on(async {
        let fleet = Fleet::open(settings).await?;
        match &cli.command {
            Command::List { exit_code } => list::run(cli, &fleet, *exit_code).await,
            Command::Show { name, exit_code } => show::run(cli, &fleet, name, *exit_code).await,
            Command::Watch => watch::run(cli, fleet).await,
            _ => match order {
                Some(order) => control::run(cli, &fleet, order).await,
                None => Ok(ExitCode::SUCCESS),
            },
        }
    });
    // Not by waiting for a name server that nobody needs any more.
    runtime.shutdown_background();
    done
}
