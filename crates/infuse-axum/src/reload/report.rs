use std::fmt;

use crate::settings::SettingChange;

/// What a reload of the settings has changed.
///
/// `Display` is one line for each setting, and empty if there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reload {
    changes: Vec<SettingChange>,
}

impl Reload {
    pub(crate) fn new(changes: Vec<SettingChange>) -> Self {
        Self { changes }
    }

    /// The settings that have changed, those for all first, then those of single services and
    /// circuits in the order of their names.
    pub fn changes(&self) -> &[SettingChange] {
        &self.changes
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl fmt::Display for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, change) in self.changes.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            change.fmt(f)?;
        }
        Ok(())
    }
}
