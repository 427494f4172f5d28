use std::{fmt, sync::Arc, time::Duration};

use crate::{ProcessId, StorageError};

/// What a participant tells the others of its group about itself. See
/// [`Storage::announce`](crate::Storage::announce).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Announcement {
    /// The group: any text. It has nothing to do with the names of circuits.
    pub group: Arc<str>,
    /// Who says it.
    pub process: ProcessId,
    /// What it says: any text of at most [`MOST_TEXT`](Self::MOST_TEXT) bytes.
    pub text: Arc<str>,
    /// For how long that holds, unless it is said again.
    pub lasting: Duration,
}

impl Announcement {
    /// The longest text, in bytes: 256 KiB.
    pub const MOST_TEXT: usize = 256 * 1024;

    /// An announcement.
    pub fn new(
        group: impl Into<Arc<str>>,
        process: ProcessId,
        text: impl Into<Arc<str>>,
        lasting: Duration,
    ) -> Self {
        Self { group: group.into(), process, text: text.into(), lasting }
    }

    /// Refuses one whose text is too long, as every storage must.
    ///
    /// # Errors
    ///
    /// [`StorageError::TooLong`].
    pub fn check(&self) -> Result<(), StorageError> {
        let (bytes, most) = (self.text.len(), Self::MOST_TEXT);
        if bytes > most { Err(StorageError::TooLong { bytes, most }) } else { Ok(()) }
    }
}

/// It says how long the text is, which may be very long.
impl fmt::Debug for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcement")
            .field("group", &self.group)
            .field("process", &self.process)
            .field("bytes", &self.text.len())
            .field("lasting", &self.lasting)
            .finish()
    }
}

/// What a participant says of itself: see [`Circuits::announce`](crate::Circuits::announce).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instance {
    /// The participant.
    pub process: ProcessId,
    /// How long ago it said so, by the storage's clock.
    pub heard_ago: Duration,
    /// What it said.
    pub text: Arc<str>,
}

impl Instance {
    /// What a participant said so long ago.
    pub fn new(process: ProcessId, heard_ago: Duration, text: impl Into<Arc<str>>) -> Self {
        Self { process, heard_ago, text: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: usize) -> Announcement {
        Announcement::new("test", ProcessId::from_u64(1), "x".repeat(bytes), Duration::MAX)
    }

    #[test]
    fn a_text_has_a_longest_length() {
        of(Announcement::MOST_TEXT).check().unwrap();
        let error = of(Announcement::MOST_TEXT + 1).check().unwrap_err();
        assert_eq!(error.to_string(), "262145 bytes are announced, and 262144 are the most");
    }

    #[test]
    fn the_text_is_not_shown() {
        let shown = format!("{:?}", of(1_000));
        assert!(shown.len() < 150 && shown.contains("1000"), "{shown}");
    }
}
