//! From the command line to the settings that the applications go by.

use std::io::{self, IsTerminal as _};

use infuse_axum::{
    load_config,
    settings::{KnownNames, Settings, StorageKind, load_config_from},
};

use crate::{
    Failure,
    args::{Cli, Command},
    clean::clean,
    failure::causes,
    time,
};

/// Reads the settings, as the applications do, and says what in them is most likely a mistake: a
/// name misspelt, and a command goes to another environment.
pub(crate) fn settings(cli: &Cli) -> Result<Settings, Failure> {
    let timeout = time::parse_timeout(&cli.timeout)?;
    let config = match &cli.config {
        Some(file) => load_config_from(file),
        None => load_config(),
    };
    let config = config.map_err(|error| Failure::Usage(causes(&error)))?;
    // What the applications registered is in their code.
    let read = Settings::from_config(&config, &KnownNames::any());
    let (mut settings, warnings) = read.map_err(|errors| {
        tell(errors.warnings());
        Failure::Usage(errors.to_string())
    })?;
    tell(&warnings);
    if settings.storage == StorageKind::Memory {
        return Err(Failure::Usage(
            "circuits are kept in the memory of each process, where nobody else can see them: set \
             INFUSE_REDIS_URL to the Redis that the applications share, and INFUSE_STORAGE to \
             `redis` or not at all"
                .to_owned(),
        ));
    }
    // A person waits longer than a request.
    settings.redis.timeout = settings.redis.timeout.max(timeout);
    Ok(settings)
}

fn tell(warnings: &[infuse_axum::settings::SettingsWarning]) {
    for warning in warnings {
        eprintln!("infusectl: warning: {}", clean(&warning.to_string()));
    }
}

/// Writes the log to the standard error, if it is asked for.
pub(crate) fn log(cli: &Cli) -> Result<(), Failure> {
    if !cli.verbose {
        return Ok(());
    }
    if matches!(cli.command, Command::Watch) && !cli.json {
        return Err(Failure::Usage("--verbose would write over the screen of `watch`".to_owned()));
    }
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    Ok(())
}
