use std::{
    borrow::{Borrow, Cow},
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

/// The longest name of a service, in bytes: that of a host.
const MAX_LEN: usize = 253;

/// The name of a service, which is also the name of its circuit.
///
/// It has letters, digits, `-`, `_` and `.`, all ASCII. Case does not distinguish two names, nor
/// does `-` from `_`, because a variable of the environment can spell neither: `user-service`,
/// `User_Service` and `USER_SERVICE` are one. What is shown, and goes into keys and responses, is
/// one canonical spelling.
///
/// Equality, order and hash look at the [`key`](ServiceName::key). A map with names as its keys
/// can be asked for a `&str` that went through [`ServiceName::normalize`].
///
/// Cloning is cheap.
#[derive(Clone)]
pub struct ServiceName {
    key: Arc<str>,
    spelling: Arc<str>,
}

impl ServiceName {
    /// Reads a name; its canonical spelling is lower case with `-`.
    ///
    /// # Errors
    ///
    /// If the name is empty, longer than 253 bytes, holds no letter or digit, or holds a character
    /// that names cannot have.
    pub fn parse(text: &str) -> Result<Self, ParseServiceNameError> {
        check(text)?;
        let key: Arc<str> = Self::normalize(text).into();
        Ok(Self { spelling: Arc::clone(&key), key })
    }

    /// Reads a name whose canonical spelling is `text` itself, as in
    /// `INFUSE_SERVICE_CONNECTIONS`.
    ///
    /// # Errors
    ///
    /// As for [`ServiceName::parse`].
    pub fn with_spelling(text: &str) -> Result<Self, ParseServiceNameError> {
        check(text)?;
        Ok(Self { key: Self::normalize(text).into(), spelling: text.into() })
    }

    /// What all spellings of a name have in common: lower case, `-` instead of `_`. Checks nothing.
    pub fn normalize(text: &str) -> Cow<'_, str> {
        if text.bytes().any(|b| b == b'_' || b.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase().replace('_', "-"))
        } else {
            Cow::Borrowed(text)
        }
    }

    /// The canonical spelling.
    pub fn as_str(&self) -> &str {
        &self.spelling
    }

    /// What distinguishes this name from others: lower case, `-` instead of `_`.
    pub fn key(&self) -> &str {
        &self.key
    }
}

fn check(text: &str) -> Result<(), ParseServiceNameError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() {
        Err(ParseServiceNameError::Empty)
    } else if let Some(c) = text.chars().find(|&c| !allowed(c)) {
        Err(ParseServiceNameError::Character(c))
    } else if text.len() > MAX_LEN {
        Err(ParseServiceNameError::TooLong)
    } else if !text.bytes().any(|b| b.is_ascii_alphanumeric()) {
        // Above all `.` and `..`, which mean something else in a path.
        Err(ParseServiceNameError::OnlyPunctuation)
    } else {
        Ok(())
    }
}

/// Why a text is not the name of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseServiceNameError {
    /// The name is empty.
    #[error("the name of a service cannot be empty")]
    Empty,
    /// The name is longer than 253 bytes.
    #[error("the name of a service has at most 253 characters")]
    TooLong,
    /// The name has neither a letter nor a digit.
    #[error("the name of a service needs a letter or a digit")]
    OnlyPunctuation,
    /// The name has a character that names cannot have.
    #[error("the name of a service cannot have {0:?}; use letters, digits, `-`, `_` and `.`")]
    Character(char),
}

impl FromStr for ServiceName {
    type Err = ParseServiceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.spelling)
    }
}

impl fmt::Debug for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.spelling, f)
    }
}

impl PartialEq for ServiceName {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ServiceName {}

impl Hash for ServiceName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As `str` does it, which `Borrow<str>` demands.
        (*self.key).hash(state);
    }
}

impl PartialOrd for ServiceName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ServiceName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

/// Borrows the [`key`](ServiceName::key), not the canonical spelling.
impl Borrow<str> for ServiceName {
    fn borrow(&self) -> &str {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_and_underscores_do_not_distinguish() {
        let name = ServiceName::parse("User_Service").unwrap();
        assert_eq!(name.as_str(), "user-service");
        assert_eq!(name, ServiceName::parse("USER-SERVICE").unwrap());
        assert_ne!(name, ServiceName::parse("user.service").unwrap());
    }

    #[test]
    fn a_spelling_is_kept_and_distinguishes_nothing() {
        let name = ServiceName::with_spelling("User_Service").unwrap();
        assert_eq!(name.to_string(), "User_Service");
        assert_eq!(name.key(), "user-service");
        assert_eq!(name, ServiceName::parse("user-service").unwrap());
    }

    #[test]
    fn a_map_is_asked_with_a_normalized_text() {
        let map = HashMap::from([(ServiceName::with_spelling("A_B").unwrap(), 1)]);
        assert_eq!(map.get(&*ServiceName::normalize("a_B")), Some(&1));
        assert_eq!(map.get("A_B"), None);
    }

    #[test]
    fn what_is_not_a_name() {
        use ParseServiceNameError::*;
        assert_eq!(ServiceName::parse(""), Err(Empty));
        assert_eq!(ServiceName::parse(".."), Err(OnlyPunctuation));
        assert_eq!(ServiceName::parse("a/b"), Err(Character('/')));
        assert_eq!(ServiceName::parse("zahlungsdienst-ü"), Err(Character('ü')));
        assert_eq!(ServiceName::parse(&"a".repeat(254)), Err(TooLong));
        assert!(ServiceName::parse(&"a".repeat(253)).is_ok());
    }

    proptest! {
        #[test]
        fn parse_of_display_is_stable(text in "\\PC{0,12}|[a-zA-Z0-9._-]{1,20}") {
            if let Ok(name) = ServiceName::parse(&text) {
                let again = ServiceName::parse(&name.to_string()).unwrap();
                prop_assert_eq!(again.as_str(), name.as_str());
                prop_assert_eq!(again, name);
            }
        }
    }
}
