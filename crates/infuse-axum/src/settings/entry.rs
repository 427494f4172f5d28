//! One value of a `Config`, of whatever kind.

use config::ValueKind;

use super::{
    problem::SettingsProblem,
    redact::{self, Secrecy},
};

/// A value as it was set.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The key as it was spelt.
    pub(super) shown_key: String,
    pub(super) origin: String,
    pub(super) from_env: bool,
    pub(super) kind: ValueKind,
    pub(super) secrecy: Secrecy,
}

impl Entry {
    /// A problem with this value.
    pub(super) fn problem(&self, message: impl Into<String>) -> SettingsProblem {
        SettingsProblem::new(self.shown_key.clone(), message.into())
            .of(Some(self.show()), &self.origin)
    }

    pub(super) fn show(&self) -> String {
        redact::show(&self.kind, self.secrecy)
    }

    pub(super) fn show_item(&self, item: &str) -> String {
        redact::show(&ValueKind::String(item.to_owned()), self.secrecy)
    }

    /// The value as one text.
    pub(super) fn scalar(&self) -> Result<String, String> {
        let list = || "a list; use one value".to_owned();
        match &self.kind {
            // What `list_separator` makes of every value, of a password with a comma too.
            ValueKind::Array(items) if self.from_env => {
                let parts: Option<Vec<_>> = items.iter().map(|item| raw(&item.kind)).collect();
                parts.map(|parts| parts.join(",").trim().to_owned()).ok_or_else(list)
            }
            ValueKind::Array(_) => Err(list()),
            kind => text(kind).ok_or_else(|| "a table; use one value".to_owned()),
        }
    }

    /// The value as a list of texts; one text is parted by `split`.
    pub(super) fn list(&self, split: fn(&str) -> Vec<&str>) -> Result<Vec<String>, String> {
        let parted = |text: &str| split(text).into_iter().map(str::to_owned).collect();
        let items: Vec<String> = match &self.kind {
            ValueKind::Array(items) => {
                let texts: Option<Vec<_>> = items.iter().map(|item| text(&item.kind)).collect();
                let texts = texts.ok_or("a list with more than texts and numbers in it")?;
                // `list_separator` may have parted what `split` would have left together.
                if self.from_env { parted(&texts.join(",")) } else { texts }
            }
            kind => parted(&text(kind).ok_or("a table; use a list")?),
        };
        let none = |item: &String| item.eq_ignore_ascii_case("none");
        match items.iter().any(none) {
            true if items.iter().all(none) => Ok(Vec::new()),
            true => Err("`none` is the empty list; remove it or the rest".to_owned()),
            false => Ok(items.into_iter().filter(|item| !item.is_empty()).collect()),
        }
    }

    /// What two spellings of a setting have in common when they say the same.
    pub(super) fn comparable(&self) -> String {
        let part = |text: &str| text.split(',').map(str::trim).collect::<Vec<_>>().join(",");
        match &self.kind {
            ValueKind::Array(items) => {
                let items: Vec<_> = items.iter().filter_map(|item| text(&item.kind)).collect();
                part(&items.join(","))
            }
            kind => part(&text(kind).unwrap_or_default()),
        }
    }
}

/// A plain value as a text. Numbers are read from their text too, so that every source can write a
/// value in the kind that it has.
pub(super) fn text(kind: &ValueKind) -> Option<String> {
    raw(kind).map(|text| text.trim().to_owned())
}

/// [`text`] with the spaces around it.
fn raw(kind: &ValueKind) -> Option<String> {
    match kind {
        ValueKind::Table(_) | ValueKind::Array(_) => None,
        ValueKind::Nil => Some(String::new()),
        ValueKind::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Whether a value says nothing.
pub(super) fn is_unset(kind: &ValueKind, from_env: bool) -> bool {
    match kind {
        ValueKind::Nil => true,
        ValueKind::String(text) => text.trim().is_empty(),
        // An empty list in a file is a list; in the environment it was an empty variable.
        ValueKind::Array(items) => from_env && items.iter().all(|item| is_unset(&item.kind, true)),
        _ => false,
    }
}
