use std::{error::Error, fmt};

/// One setting that is wrong.
///
/// `Display` is one line that says what, where and what to use instead. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct SettingsProblem {
    key: String,
    value: Option<String>,
    origin: Option<String>,
    message: String,
}

impl SettingsProblem {
    pub(super) fn new(key: String, message: String) -> Self {
        Self { key, value: None, origin: None, message }
    }

    pub(super) fn of(mut self, value: Option<String>, origin: &str) -> Self {
        self.value = value;
        self.origin = Some(origin.to_owned());
        self
    }

    /// The setting, as it was spelt where it was set: `INFUSE_BREAKER_MAX_FAILURE`,
    /// `infuse.breaker_max_failure`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Where it was set: `the environment`, `infuse.toml`. `None` if it was not set anywhere.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Its value, with secrets masked. `None` if there is none, or none to be shown.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// What is wrong with it, and what to use instead.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        if let Some(origin) = &self.origin {
            write!(f, " (from {origin})")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// All that is wrong with the settings, so that it can be mended in one go.
///
/// `Display` writes one line for each [`SettingsProblem`], and so does `Debug`, which is what `main`
/// shows of an error that it returns.
#[derive(Clone, PartialEq, Eq)]
pub struct SettingsErrors {
    problems: Vec<SettingsProblem>,
    warnings: Vec<SettingsWarning>,
}

impl SettingsErrors {
    /// What is wrong; there is at least one.
    pub fn problems(&self) -> &[SettingsProblem] {
        &self.problems
    }

    /// What was noticed besides.
    pub fn warnings(&self) -> &[SettingsWarning] {
        &self.warnings
    }
}

impl fmt::Display for SettingsErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for SettingsErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for SettingsErrors {}

/// Something about the settings that is most likely a mistake, but may be meant.
///
/// `Display` is one line that says what and how to mend it. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct SettingsWarning(SettingsProblem);

impl SettingsWarning {
    /// The setting that it is about.
    pub fn key(&self) -> &str {
        self.0.key()
    }

    /// What is wrong with it, and how to mend it.
    pub fn message(&self) -> &str {
        self.0.message()
    }
}

impl fmt::Display for SettingsWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Collects problems and warnings while settings are read.
#[derive(Debug, Default)]
pub(super) struct Report {
    problems: Vec<SettingsProblem>,
    warnings: Vec<SettingsWarning>,
}

impl Report {
    pub(super) fn error(&mut self, problem: SettingsProblem) {
        self.problems.push(problem);
    }

    pub(super) fn warn(&mut self, problem: SettingsProblem) {
        self.warnings.push(SettingsWarning(problem));
    }

    /// How many problems there are so far.
    pub(super) fn errors(&self) -> usize {
        self.problems.len()
    }

    /// The warnings if there are no problems. Both are sorted, since tables are not.
    pub(super) fn finish(mut self) -> Result<Vec<SettingsWarning>, SettingsErrors> {
        self.warnings.sort();
        self.warnings.dedup();
        self.problems.sort();
        self.problems.dedup();
        if self.problems.is_empty() {
            return Ok(self.warnings);
        }
        Err(SettingsErrors { problems: self.problems, warnings: self.warnings })
    }
}
