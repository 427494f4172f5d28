use std::{
    collections::{VecDeque, vec_deque},
    sync::Arc,
};

use super::Event;

/// The last events, the oldest first. Their numbers follow one another.
#[derive(Debug)]
pub(super) struct Ring {
    events: VecDeque<Arc<Event>>,
    most: usize,
    /// The number of the newest; 0 if there was none yet.
    last: u64,
}

/// What came after an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum After {
    /// All of it.
    These(Vec<Arc<Event>>),
    /// Some of it is forgotten, or there was no such event.
    Forgotten,
}

impl Ring {
    pub(super) fn new(most: usize) -> Self {
        Self { events: VecDeque::new(), most, last: 0 }
    }

    /// Adds the event that is made with this number.
    pub(super) fn push(&mut self, make: impl FnOnce(u64) -> Event) -> u64 {
        self.last += 1;
        while self.events.len() >= self.most {
            self.events.pop_front();
        }
        self.events.push_back(Arc::new(make(self.last)));
        self.last
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// What came after the event of this number; 0 is before all of them.
    pub(super) fn after(&self, number: u64) -> After {
        let kept = u64::try_from(self.events.len()).unwrap_or(u64::MAX);
        match self.last.checked_sub(number) {
            Some(missing) if missing <= kept => {
                let from = self.events.len() - usize::try_from(missing).unwrap_or_default();
                After::These(self.events.range(from..).cloned().collect())
            }
            _ => After::Forgotten,
        }
    }

    pub(super) fn iter(&self) -> vec_deque::Iter<'_, Arc<Event>> {
        self.events.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use infuse_storage::StorageEvent;
    use proptest::prelude::*;

    use super::*;
    use crate::events::What;

    fn event(number: u64) -> Event {
        let what = What::Storage(StorageEvent::Back);
        Event { number, at: SystemTime::UNIX_EPOCH, circuit: None, what }
    }

    fn numbers(after: After) -> Option<Vec<u64>> {
        match after {
            After::These(events) => Some(events.iter().map(|event| event.number).collect()),
            After::Forgotten => None,
        }
    }

    proptest! {
        #[test]
        fn what_came_after_is_whole_or_forgotten(
            most in 1_usize..6,
            pushed in 0_u64..20,
            number in 0_u64..25,
        ) {
            let mut ring = Ring::new(most);
            for n in 1..=pushed {
                prop_assert_eq!(ring.push(event), n);
            }
            prop_assert_eq!(ring.last(), pushed);
            let kept = pushed.min(most as u64);
            prop_assert_eq!(ring.iter().count() as u64, kept);
            let expected =
                (number <= pushed && number >= pushed - kept).then(|| (number + 1..=pushed).collect());
            prop_assert_eq!(numbers(ring.after(number)), expected);
        }
    }
}
