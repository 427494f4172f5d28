//! The settings as an application meets them: from the environment, from files, and from a
//! `Config` of its own.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

mod circuits;
mod contradictions;
mod files;
mod never_panics;
mod operating;
mod redis;
mod sources;
mod values;

use std::collections::HashMap;

use config::{Config, Environment, File, FileFormat};
use infuse_axum::settings::{KnownNames, Settings, SettingsErrors, SettingsWarning};

type Read = Result<(Settings, Vec<SettingsWarning>), SettingsErrors>;

fn vars(vars: &[(&str, &str)]) -> HashMap<String, String> {
    vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Settings from the environment, read whole.
fn from_env(pairs: &[(&str, &str)]) -> Read {
    read(config(Environment::default(), pairs))
}

/// Settings from an environment built in some way.
fn config(environment: Environment, pairs: &[(&str, &str)]) -> Config {
    Config::builder().add_source(environment.source(Some(vars(pairs)))).build().unwrap()
}

fn from_file(text: &str) -> Read {
    from_both(text, &[])
}

fn from_both(text: &str, pairs: &[(&str, &str)]) -> Read {
    let config = Config::builder()
        .add_source(File::from_str(text, FileFormat::Toml))
        .add_source(Environment::default().source(Some(vars(pairs))))
        .build()
        .unwrap();
    read(config)
}

fn read(config: Config) -> Read {
    let known = KnownNames::default()
        .with_listener("audit")
        .with_listener("pager")
        .with_exclusion("my_app::NotFound");
    Settings::from_config(&config, &known)
}

/// Settings that are right, without any warning.
#[track_caller]
fn good(read: Read) -> Settings {
    match read {
        Ok((settings, warnings)) if warnings.is_empty() => settings,
        Ok((_, warnings)) => panic!("{}", lines(&warnings).join("\n")),
        Err(errors) => panic!("{errors}"),
    }
}

/// The messages of settings that are wrong.
#[track_caller]
fn bad(read: Read) -> String {
    match read {
        Ok((settings, _)) => panic!("{settings:#?}"),
        Err(errors) => errors.to_string(),
    }
}

/// The warnings about settings that are right.
#[track_caller]
fn warned(read: Read) -> Vec<String> {
    match read {
        Ok((_, warnings)) => lines(&warnings),
        Err(errors) => panic!("{errors}"),
    }
}

fn lines(warnings: &[SettingsWarning]) -> Vec<String> {
    warnings.iter().map(ToString::to_string).collect()
}
