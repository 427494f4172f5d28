use std::{
    collections::HashMap,
    env,
    ffi::OsString,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use config::{Config, ConfigError, Environment, File, FileFormat, ValueKind};

use super::key::{self, Class, Key};
use crate::init_error::write_causes;

/// The file that is read if `INFUSE_CONFIG` names no other.
const DEFAULT_FILE: &str = "infuse.toml";

/// Builds the `Config` that `Infuse::init_app` takes, from a file and the environment.
///
/// The file is the one that `INFUSE_CONFIG` names, which must then exist, or else `infuse.toml` in
/// the working directory, if it is there. The environment's part are the variables that begin with
/// `INFUSE_`; they beat the file. An empty variable is unset.
///
/// An application with settings of its own can add this as a source to its own `Config`.
///
/// # Errors
///
/// If the file cannot be read or is not TOML, if a setting stands in it outside of the table
/// `[infuse]`, and if a variable is not Unicode or is set twice in different case. Whether the
/// values are right is seen when they are used.
pub fn load_config() -> Result<Config, ConfigFileError> {
    load(env::vars_os(), None)
}

/// [`load_config`] with this file, whatever `INFUSE_CONFIG` names. It must exist.
///
/// # Errors
///
/// As for [`load_config`].
pub fn load_config_from(file: impl Into<PathBuf>) -> Result<Config, ConfigFileError> {
    load(env::vars_os(), Some(file.into()))
}

fn load(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
    file: Option<PathBuf>,
) -> Result<Config, ConfigFileError> {
    let vars = variables(vars)?;
    let mut builder = Config::builder();
    let by_variable = vars.get("infuse_config").filter(|_| file.is_none()).map(PathBuf::from);
    let named = by_variable.is_some();
    let must_exist = named || file.is_some();
    let path = file.or(by_variable).unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    match fs::read(&path) {
        Ok(bytes) => {
            check_file(&path, bytes)?;
            builder = builder.add_source(File::from(path.clone()).format(FileFormat::Toml));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => {}
        Err(source) => return Err(ConfigFileError::Read { path, named, source }),
    }
    // The prefix is kept and there is no separator, so that no variable gets lost or taken apart;
    // nothing is parsed, so that `0012` stays what it is.
    let environment = Environment::with_prefix("INFUSE")
        .prefix_separator("_")
        .keep_prefix(true)
        .source(Some(vars));
    builder
        .add_source(environment)
        .build()
        .map_err(|error| ConfigFileError::Parse { path, message: without_source_lines(&error) })
}

/// Infuse's variables, in lower case. Others may hold what they like: config would fail on the
/// first that is not Unicode, and show it.
fn variables(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<HashMap<String, String>, ConfigFileError> {
    let mut ours = HashMap::new();
    for (name, value) in vars {
        let Ok(name) = name.into_string() else { continue };
        if value.is_empty() || !name.to_ascii_lowercase().starts_with("infuse_") {
            continue;
        }
        let Ok(value) = value.into_string() else {
            return Err(ConfigFileError::NotUnicode { name });
        };
        if let Some(other) = ours.insert(name.to_lowercase(), value.clone())
            && other != value
        {
            return Err(ConfigFileError::Twice { name: name.to_uppercase() });
        }
    }
    Ok(ours)
}

/// Looks for what config would pass over: bytes that are no text, and settings that stand where
/// nobody looks for them.
fn check_file(path: &Path, bytes: Vec<u8>) -> Result<(), ConfigFileError> {
    let path = path.to_owned();
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(ConfigFileError::Parse { path, message: "not UTF-8".to_owned() });
    };
    let text = text.trim_start_matches('\u{feff}');
    let file = Config::builder().add_source(File::from_str(text, FileFormat::Toml)).build();
    let file = match file {
        Ok(file) => file,
        Err(error) => {
            return Err(ConfigFileError::Parse { path, message: without_source_lines(&error) });
        }
    };
    let ValueKind::Table(root) = file.cache.kind else { return Ok(()) };
    let mut names: Vec<_> = root.into_keys().filter(|name| !key::is_ours(name)).collect();
    names.sort();
    for name in names {
        let known = match key::classify(&["infuse".to_owned(), name.clone()], true) {
            Class::Key(Key::General(_), _) | Class::Caches | Class::Services(None) => true,
            _ => matches!(name.as_str(), "breaker"),
        };
        if known {
            return Err(ConfigFileError::OutsideTable { path, name });
        }
        if strsim::damerau_levenshtein(&name.to_ascii_lowercase(), "infuse") <= 2 {
            return Err(ConfigFileError::MisspeltTable { path, name });
        }
    }
    Ok(())
}

/// The message of a parser, without the lines of the file that it quotes: they may hold a password.
fn without_source_lines(error: &ConfigError) -> String {
    let text = match error {
        ConfigError::FileParse { cause, .. } => cause.to_string(),
        other => other.to_string(),
    };
    let quoted = |line: &str| {
        line.trim_start()
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_start()
            .starts_with('|')
    };
    let lines: Vec<_> =
        text.lines().map(str::trim).filter(|line| !quoted(line) && !line.is_empty()).collect();
    lines.join(": ")
}

/// Why no `Config` could be built.
///
/// `Display` says where and how to mend it, and shows no value. `Debug`, which is what `main` shows
/// of an error that it returns, adds the cause.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConfigFileError {
    /// The file cannot be read.
    #[error(
        "cannot read {}{}", path.display(),
        if *.named { ", the file that INFUSE_CONFIG names" } else { "" }
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// Whether `INFUSE_CONFIG` named it.
        named: bool,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{}: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where in it, and what was expected there.
        message: String,
    },
    /// A setting stands outside of the table of Infuse's settings.
    #[error("{}: `{name}` stands outside of the table; put it under `[infuse]`", path.display())]
    OutsideTable {
        /// The file.
        path: PathBuf,
        /// The setting.
        name: String,
    },
    /// A table's name is nearly that of Infuse's settings.
    #[error("{}: `{name}` is not looked at; did you mean `infuse`?", path.display())]
    MisspeltTable {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A variable of the environment is not Unicode.
    #[error("the variable {name} is not Unicode; set it to text or unset it")]
    NotUnicode {
        /// The variable.
        name: String,
    },
    /// A variable of the environment is set twice, in different case and to different values.
    #[error("the variable {name} is set twice, in upper and in lower case; unset one")]
    Twice {
        /// The variable, in upper case.
        name: String,
    },
}

impl fmt::Debug for ConfigFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_causes(self, f)
    }
}
