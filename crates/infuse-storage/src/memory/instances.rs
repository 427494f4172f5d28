use std::{collections::HashMap, sync::Arc, time::Duration};

use crate::{Announcement, Instance, ProcessId};

/// What participants say to their groups.
#[derive(Debug, Default)]
pub(super) struct Instances(HashMap<Arc<str>, HashMap<ProcessId, Said>>);

#[derive(Debug)]
struct Said {
    at: Duration,
    ends: Duration,
    text: Arc<str>,
}

impl Instances {
    pub(super) fn announce(&mut self, said: &Announcement, now: Duration) {
        self.sweep(now);
        let of =
            Said { at: now, ends: now.saturating_add(said.lasting), text: Arc::clone(&said.text) };
        self.0.entry(Arc::clone(&said.group)).or_default().insert(said.process, of);
    }

    pub(super) fn withdraw(&mut self, group: &str, process: ProcessId) {
        if let Some(of) = self.0.get_mut(group) {
            of.remove(&process);
        }
    }

    pub(super) fn of(&self, group: &str, now: Duration) -> Vec<Instance> {
        let of = self.0.get(group).into_iter().flatten();
        let hold = of.filter(|(_, said)| now < said.ends);
        hold.map(|(process, said)| Instance {
            process: *process,
            heard_ago: now.saturating_sub(said.at),
            text: Arc::clone(&said.text),
        })
        .collect()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Forgets what has ended: it would pile up.
    fn sweep(&mut self, now: Duration) {
        self.0.retain(|_, of| {
            of.retain(|_, said| now < said.ends);
            !of.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_does_not_pile_up() {
        let mut instances = Instances::default();
        for number in 0..1_000 {
            let process = ProcessId::from_u64(number);
            let group = format!("group {}", number % 10);
            let said = Announcement::new(group, process, "here", Duration::from_secs(15));
            instances.announce(&said, Duration::from_secs(number));
        }
        assert_eq!(instances.0.values().map(HashMap::len).sum::<usize>(), 15);
        for number in 0..1_000 {
            instances.withdraw(&format!("group {}", number % 10), ProcessId::from_u64(number));
        }
        instances.sweep(Duration::from_secs(1_000));
        assert!(instances.0.is_empty());
    }
}
