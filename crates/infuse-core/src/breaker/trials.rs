/// The trial calls in flight at a breaker. Most breakers never have any, and keep a word for them.
#[derive(Default)]
pub(super) struct Trials(Option<Box<InFlight>>);

#[derive(Default)]
struct InFlight {
    list: Vec<Trial>,
    /// How many were begun in all: the newest one's number.
    begun: u64,
}

/// A trial call in flight. Its place is free again when `ends` has passed.
pub(super) struct Trial {
    id: u64,
    /// In microseconds of the breaker's clock, as `ends`.
    pub(super) started: u64,
    /// In microseconds of the breaker's clock.
    pub(super) ends: u64,
    /// The token of the lease, if the storage granted it.
    pub(super) token: Option<u64>,
}

impl Trials {
    fn list(&self) -> &[Trial] {
        self.0.as_ref().map_or(&[], |trials| &trials.list)
    }

    pub(super) fn len(&self) -> usize {
        self.list().len()
    }

    /// When each of them ends, the first first.
    pub(super) fn ends(&self) -> Vec<u64> {
        let mut ends: Vec<u64> = self.list().iter().map(|trial| trial.ends).collect();
        ends.sort_unstable();
        ends
    }

    /// Begins one; its number, from 1, which none has had before.
    pub(super) fn begin(&mut self, started: u64, ends: u64, token: Option<u64>) -> u64 {
        let trials = self.0.get_or_insert_default();
        trials.begun += 1;
        trials.list.push(Trial { id: trials.begun, started, ends, token });
        trials.begun
    }

    /// One begins its call only now. When it ends at the latest stays.
    pub(super) fn begin_call(&mut self, id: u64, now: u64) {
        let list = self.0.as_mut().map_or(&mut [][..], |trials| &mut trials.list);
        if let Some(trial) = list.iter_mut().find(|trial| trial.id == id) {
            trial.started = now;
        }
    }

    /// Takes one out, if it is still there.
    pub(super) fn end(&mut self, id: u64) -> Option<Trial> {
        let list = &mut self.0.as_mut()?.list;
        let at = list.iter().position(|trial| trial.id == id)?;
        Some(list.swap_remove(at))
    }

    pub(super) fn drop_expired(&mut self, now: u64) {
        if let Some(trials) = &mut self.0 {
            trials.list.retain(|trial| now < trial.ends);
        }
    }

    /// Takes all out. Numbers go on.
    pub(super) fn clear(&mut self) {
        if let Some(trials) = &mut self.0 {
            trials.list.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_number_of_its_own() {
        let mut trials = Trials::default();
        assert_eq!((trials.len(), trials.ends()), (0, vec![]));
        trials.clear();
        assert!(trials.end(1).is_none());

        assert_eq!((trials.begin(0, 9, None), trials.begin(0, 5, Some(7))), (1, 2));
        assert_eq!(trials.ends(), [5, 9]);
        assert_eq!(trials.end(2).unwrap().token, Some(7));
        assert!(trials.end(2).is_none());
        trials.clear();
        assert_eq!(trials.begin(3, 6, None), 3, "no number comes again");
        trials.drop_expired(5);
        assert_eq!(trials.len(), 1);
        trials.drop_expired(6);
        assert_eq!(trials.len(), 0);
        assert_eq!(size_of::<Trials>(), size_of::<usize>());
    }
}
