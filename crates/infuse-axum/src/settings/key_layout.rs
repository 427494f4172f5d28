use std::fmt;

/// How the keys of a circuit are named in Redis. All that share a circuit must name them alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum KeyLayout {
    /// `infuse`: `infuse:<namespace>:state` and so on, as Infuse for Python does.
    #[default]
    Infuse,
    /// `pybreaker`: `<namespace>:pybreaker:state` and so on, as pybreaker itself does.
    Pybreaker,
}

impl KeyLayout {
    /// The layout's name: `infuse` or `pybreaker`.
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyLayout::Infuse => "infuse",
            KeyLayout::Pybreaker => "pybreaker",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        [KeyLayout::Infuse, KeyLayout::Pybreaker]
            .into_iter()
            .find(|layout| text.eq_ignore_ascii_case(layout.as_str()))
            .ok_or_else(|| "not a layout of keys; use `infuse` or `pybreaker`".to_owned())
    }
}

impl fmt::Display for KeyLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "redis")]
impl From<KeyLayout> for infuse_storage::KeyLayout {
    fn from(layout: KeyLayout) -> Self {
        match layout {
            KeyLayout::Infuse => Self::Infuse,
            KeyLayout::Pybreaker => Self::Pybreaker,
        }
    }
}
