//! Settings that the way in which a `Config` was built keeps from being found.

use std::{collections::BTreeSet, ffi::OsString};

use config::{Config, Value, ValueKind};

use super::{
    SettingsWarning,
    key::{self, Class, Key},
    problem::{Report, SettingsProblem},
    values::Values,
};

const ENVIRONMENT: &str = "the environment";
const DEPTH: usize = 8;

/// Names that many an application has for settings of its own. Alone, and where Infuse's settings
/// are found too, they are taken for the application's.
const COMMON: [&str; 14] = [
    "admin_token",
    "environment",
    "instance_name",
    "redis_mode",
    "redis_pool_size",
    "redis_sentinel_master",
    "redis_sentinel_password",
    "redis_sentinel_username",
    "redis_timeout",
    "redis_url",
    "service_name",
    "service_timeout",
    "storage",
    "sync_interval",
];

/// Warns of settings that lost their prefix to `Environment::with_prefix("INFUSE")`.
pub(super) fn warn_of_lost_prefix(config: &Config, values: &Values, report: &mut Report) {
    for lost in lost(config, values) {
        let variable = lost.variable();
        let name = variable.trim_start_matches("INFUSE_").to_ascii_lowercase();
        report.warn(
            SettingsProblem::new(
                name,
                format!(
                    "not read, but looks like {variable} without its prefix; if it is, add \
                     `.keep_prefix(true)` to the Environment of the Config"
                ),
            )
            .of(None, ENVIRONMENT),
        );
    }
}

/// Warns of variables that were meant for Infuse and did not make it into the `Config`.
///
/// `vars` is the process's environment, `std::env::vars_os()`. A `Config` whose environment has
/// the prefix `INFUSE` and the separator `__`, for example, holds none of Infuse's settings, and
/// says nothing about it.
pub fn unseen_variables(
    config: &Config,
    vars: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<SettingsWarning> {
    let values = Values::collect(config, &mut Report::default());
    let lost = lost(config, &values);
    let seen =
        |key: &Key| values.get(key).is_some_and(|entry| entry.from_env) || lost.contains(key);
    let mut report = Report::default();
    for (name, value) in vars {
        let Ok(name) = name.into_string() else { continue };
        if value.is_empty() || !key::is_ours(&name) {
            continue;
        }
        let unseen = match key::classify(&[name.to_lowercase()], false) {
            Class::Key(key, _) => !seen(&key),
            Class::Caches => !key::CACHE.iter().any(|field| seen(&Key::Cache(field))),
            _ => false,
        };
        if unseen {
            report.warn(SettingsProblem::new(
                name,
                "set in the environment, but not in the Config that Infuse was given; build it \
                 with `infuse_axum::load_config()`, or with \
                 `Environment::with_prefix(\"INFUSE\").prefix_separator(\"_\").keep_prefix(true)`"
                    .to_owned(),
            ));
        }
    }
    report.finish().unwrap_or_default()
}

/// The settings that stand in a `Config` without their prefix.
fn lost(config: &Config, values: &Values) -> BTreeSet<Key> {
    let mut lost = BTreeSet::new();
    let ValueKind::Table(root) = &config.cache.kind else { return lost };
    // With a prefix kept, none was lost.
    if values.keys().any(|key| values.get(key).is_some_and(|entry| entry.from_env)) {
        return lost;
    }
    for (name, value) in root.iter().filter(|(name, _)| !key::is_ours(name)) {
        walk(&mut vec!["infuse".to_owned(), name.clone()], value, &mut lost);
    }
    let common = |key: &Key| matches!(key, Key::General(name) if COMMON.contains(name));
    // Where all of the environment was read, `REDIS_URL` is not `INFUSE_REDIS_URL`.
    let whole = root.keys().any(|name| name.eq_ignore_ascii_case("path"));
    if lost.iter().all(common) && (whole || values.keys().next().is_some()) {
        lost.clear();
    }
    lost
}

fn walk(path: &mut Vec<String>, value: &Value, lost: &mut BTreeSet<Key>) {
    if let ValueKind::Table(table) = &value.kind {
        if path.len() < DEPTH {
            for (name, value) in table {
                path.push(name.clone());
                walk(path, value, lost);
                path.pop();
            }
        }
    } else if value.origin() == Some(ENVIRONMENT) {
        match key::classify(path, false) {
            Class::Key(key, _) => drop(lost.insert(key)),
            // An application may well have caches; the one that is called `infuse` is ours.
            Class::Caches if value.to_string().contains("infuse") => {
                lost.insert(Key::Cache("host"));
            }
            _ => {}
        }
    }
}
