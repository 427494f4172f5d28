use std::{error::Error, fmt};

use crate::{
    init_error::write_causes,
    settings::{SettingChange, SettingsErrors},
};

/// Settings could not be reloaded. Nothing has changed.
///
/// Its text says what is wrong, where, and how to mend it; secrets are not in it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// Settings are wrong. The text has a line for each of them.
    #[error(transparent)]
    Settings(#[from] SettingsErrors),
    /// Settings have changed that hold until the process starts anew. The text has a line for each
    /// of them.
    #[error("{}", lines(.0))]
    Fixed(Vec<SettingChange>),
}

fn lines(changes: &[SettingChange]) -> String {
    let mut text = "nothing was changed, because these settings hold until the application starts \
                    anew; restart it, or take them back:"
        .to_owned();
    for change in changes {
        text.push_str(&format!("\n{change}"));
    }
    text
}

/// The text, which is what `main` shows of an error that it returns.
impl fmt::Debug for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_causes(self as &(dyn Error + 'static), f)
    }
}
