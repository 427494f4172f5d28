use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use infuse_core::{Outcome, State};

use super::{Harness, expect::Verdict};
use crate::{
    Announcement, CircuitKey, Clear, Control, Instance, LeaseAnswer, LeaseRequest, Look, Presented,
    ProcessId, Report, Seed, Settle, Storage, StorageError, SuspicionId, Token, Trip, View,
};

/// A time that does not end while a case runs.
pub(super) const LONG: Duration = Duration::from_secs(60);
/// A time whose end a case waits for. A server's answers take less.
pub(super) const SHORT: Duration = Duration::from_millis(400);

/// A circuit of one storage, and what a process can do to it.
pub(crate) struct Subject<'a> {
    harness: &'a dyn Harness,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) key: CircuitKey,
    pub(super) me: ProcessId,
    numbers: AtomicU64,
}

fn said(error: &StorageError) -> String {
    format!("the storage failed: {error}")
}

fn one<T>(verb: &str, answers: Result<Vec<T>, StorageError>) -> Verdict<T> {
    let mut answers = answers.map_err(|error| format!("{verb}: {}", said(&error)))?;
    match (answers.pop(), answers.len()) {
        (Some(answer), 0) => Ok(answer),
        (last, rest) => {
            let found = rest + usize::from(last.is_some());
            Err(format!("a batch of one {verb} was answered {found} times"))
        }
    }
}

impl<'a> Subject<'a> {
    pub(super) fn new(harness: &'a dyn Harness) -> Self {
        Self {
            harness,
            storage: harness.storage(),
            key: harness.key(),
            me: ProcessId::random(),
            numbers: AtomicU64::new(1),
        }
    }

    /// Another circuit of the same storage.
    pub(super) fn another(&self) -> Self {
        Self::new(self.harness)
    }

    pub(super) async fn pass(&self, time: Duration) {
        self.harness.pass(time).await;
    }

    /// A token that was not used before.
    pub(super) fn token(&self) -> Token {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        Token { process: self.me, number }
    }

    // The verbs, for this circuit.

    pub(super) async fn look(&self, presented: Presented) -> Verdict<View> {
        self.look_by(Look::new(self.key.clone(), presented)).await
    }

    pub(super) async fn look_by(&self, look: Look) -> Verdict<View> {
        one("look", self.storage.look(&[look]).await)
    }

    /// Looks as one who knows nothing.
    pub(super) async fn now(&self) -> Verdict<View> {
        self.look(Presented::NOTHING).await
    }

    pub(super) async fn report(
        &self,
        presented: Presented,
        process: ProcessId,
        failures: u32,
    ) -> Verdict<View> {
        self.report_by(Report::new(self.key.clone(), presented, process, failures)).await
    }

    pub(super) async fn report_by(&self, report: Report) -> Verdict<View> {
        one("report", self.storage.report(&[report]).await)
    }

    pub(super) async fn trip(&self, presented: Presented, open_time: Duration) -> Verdict<View> {
        self.trip_by(Trip::new(self.key.clone(), presented, self.me, open_time)).await
    }

    pub(super) async fn trip_by(&self, trip: Trip) -> Verdict<View> {
        one("trip", self.storage.trip(&[trip]).await)
    }

    pub(super) async fn clear(
        &self,
        presented: Presented,
        suspicion: SuspicionId,
    ) -> Verdict<View> {
        let clear = Clear::new(self.key.clone(), presented, self.me, suspicion);
        one("clear", self.storage.clear(&[clear]).await)
    }

    /// A request for a long lease, where one call is allowed.
    pub(super) fn request(&self, presented: Presented) -> LeaseRequest {
        LeaseRequest::new(self.key.clone(), presented, self.token(), LONG)
    }

    pub(super) async fn lease(&self, request: LeaseRequest) -> Verdict<LeaseAnswer> {
        one("lease", self.storage.lease(&[request]).await)
    }

    /// A settling that closes by one success and opens for long.
    pub(super) fn settling(&self, presented: Presented, token: Token, outcome: Outcome) -> Settle {
        let mut settle = Settle::new(self.key.clone(), presented, token, outcome);
        settle.success_threshold = 1;
        settle.open_time = LONG;
        settle
    }

    pub(super) async fn settle(&self, settle: Settle) -> Verdict<View> {
        one("settle", self.storage.settle(&[settle]).await)
    }

    pub(super) fn command(&self, state: State) -> Control {
        Control::put(self.key.clone(), self.token(), state, LONG)
    }

    pub(super) async fn control(&self, command: Control) -> Verdict<View> {
        one("control", self.storage.control(&[command]).await)
    }

    pub(super) async fn put(&self, state: State) -> Verdict<View> {
        self.control(self.command(state)).await
    }

    pub(super) fn seeding(&self, state: State) -> Seed {
        Seed::new(self.key.clone(), self.token(), state, LONG)
    }

    pub(super) async fn seed(&self, seed: Seed) -> Verdict<View> {
        one("seed", self.storage.seed(&[seed]).await)
    }

    // The verbs about groups.

    /// Says something for long, in the group that has the circuit's name.
    pub(super) fn saying(&self, process: ProcessId, text: &str) -> Announcement {
        Announcement::new(self.key.as_str(), process, text, LONG)
    }

    pub(super) async fn announce(&self, announcement: Announcement) -> Verdict {
        let done = self.storage.announce(&announcement).await;
        done.map_err(|error| format!("announce: {}", said(&error)))
    }

    pub(super) async fn withdraw(&self, group: &str, process: ProcessId) -> Verdict {
        let done = self.storage.withdraw(group, process).await;
        done.map_err(|error| format!("withdraw: {}", said(&error)))
    }

    /// What is said in a group, in the order of the participants.
    pub(super) async fn instances(&self, group: &str) -> Verdict<Vec<Instance>> {
        let all = self.storage.instances(group).await;
        let mut all = all.map_err(|error| format!("instances: {}", said(&error)))?;
        all.sort_by_key(|instance| instance.process);
        Ok(all)
    }

    // What cases begin with.

    /// Opens the circuit for a time, as generation 1.
    pub(super) async fn opened(&self, open_time: Duration) -> Verdict<View> {
        self.trip(Presented::NOTHING, open_time).await
    }

    /// Puts the circuit half-open, as generation 1, and takes the only lease, for long.
    pub(super) async fn on_trial(&self) -> Verdict<(Token, View)> {
        let view = self.put(State::HalfOpen).await?;
        self.begin_trial(&view).await
    }

    /// Takes the only lease of a half-open circuit, for long.
    pub(super) async fn begin_trial(&self, view: &View) -> Verdict<(Token, View)> {
        let request = self.request(view.into());
        let token = request.token;
        let answer = self.lease(request).await?;
        if answer.granted {
            Ok((token, answer.view))
        } else {
            Err(format!("a lease was denied that was free: {:?}", answer.view))
        }
    }
}
