//! Sees to suspicions: clears those that are refuted by calls of this process, and settles those
//! that it raised itself.
//!
//! It runs beside the replicator, so that a look or a report that is slow delays nothing, and
//! neither does one circuit another.

use std::{
    panic::resume_unwind,
    sync::{Arc, Weak},
};

use tokio::{
    select,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    Clear, Thresholds, Trip,
    hub::{Hub, lock},
    node::Node,
    outgoing::Told,
    random,
    suspected::{Act, Moment, Suspected, TIMER},
    ticks::TICK,
};

/// Runs until the circuits' last handle is gone.
pub(crate) async fn run(hub: Weak<Hub>) {
    let Some(suspected) = hub.upgrade().map(|hub| Arc::clone(&hub.suspected)) else { return };
    // Dropped with this: what is under way then may or may not have been heard.
    let mut telling = JoinSet::new();
    loop {
        let Some(strong) = hub.upgrade() else { return };
        let wake_at = turn(&strong, &mut telling);
        drop(strong);
        select! {
            biased;
            () = suspected.notified() => {}
            () = sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => {}
            Some(told) = telling.join_next() => {
                if let Err(error) = told && error.is_panic() {
                    // A storage that panics is the end of sharing, wherever it does.
                    resume_unwind(error.into_panic());
                }
            }
        }
    }
}

/// Does what is to be done; when to come again, if a circuit is suspect.
fn turn(hub: &Arc<Hub>, telling: &mut JoinSet<()>) -> Option<Instant> {
    let suspects = hub.suspects();
    if suspects.is_empty() {
        return None;
    }
    hub.tick();
    let mut out = Verdicts::default();
    let now = Instant::now();
    let mut wake_at = now + TICK;
    for node in &suspects {
        wake_at = wake_at.min(out.add(hub, node, false));
    }
    out.send(hub, telling);
    Some(wake_at.max(now + TIMER))
}

/// Clears at once what calls of this process refute, for there will be no other opportunity.
/// Suspicions that it raised are left to lapse.
pub(crate) async fn farewell(hub: &Hub) {
    let mut out = Verdicts::default();
    for node in hub.suspects() {
        out.add(hub, &node, true);
    }
    let told = out.clears.tell(hub, |clears| hub.storage.clear(clears)).await;
    told.unwrap_or_else(|untold| untold.lose(hub));
}

#[derive(Default)]
struct Verdicts {
    clears: Told<Clear>,
    settles: Told<Trip>,
}

impl Verdicts {
    /// Adds what there is to say of a circuit; when to ask again.
    fn add(&mut self, hub: &Hub, node: &Arc<Node>, last: bool) -> Instant {
        let at = Instant::now();
        let Some(breaker) = node.breaker() else { return at + TICK };
        let moment = Moment {
            at,
            stamp: breaker.last_success_tick(),
            last_success: hub.age_of_success(node).map(|age| hub.now().saturating_sub(age)),
            subscribed: hub.progress.borrow().subscribed,
            random: random::fraction(),
        };
        let mut known = lock(&node.known);
        let asked = known.ask(hub.now(), None);
        let Some(suspected) = &mut known.count.suspected else { return at + TICK };
        if last && !suspected.is_refuted(&moment) {
            return at + TICK;
        }
        let act = if last { Act::Clear } else { suspected.step(&moment, &hub.graces()) };
        let id = suspected.id;
        match act {
            Act::Wait(until) => return until,
            Act::Forget => {
                known.count.end_suspicion();
                return at + TICK;
            }
            Act::WatchAnew => {
                hub.anew.notify_one();
                return at + TICK;
            }
            Act::Clear | Act::Settle { .. } => {}
        }
        if let Some(until) = put_off(node, suspected, at).filter(|_| !last) {
            return until;
        }
        drop(known);
        let policy = breaker.policy();
        let thresholds = Thresholds::from(&policy);
        let (key, process) = (node.key.clone(), node.process(hub));
        tracing::debug!(
            target: "infuse",
            circuit = breaker.name(),
            what = ?act,
            "the suspicion of circuit {} is told what came of it",
            breaker.name(),
        );
        if let Act::Settle { grace } = act {
            let open_time = node.open_time(hub, &breaker, &policy);
            let mut trip = Trip::new(key, asked.presented, process, open_time);
            trip.thresholds = thresholds;
            trip.suspicion = Some(id);
            trip.grace = grace;
            trip.fault = breaker.last_fault();
            trip.overridden = asked.overridden.clone();
            trip.provenance = asked.provenance.clone();
            self.settles.push(trip, node, asked);
        } else {
            let mut clear = Clear::new(key, asked.presented, process, id);
            clear.thresholds = thresholds;
            clear.overridden = asked.overridden.clone();
            clear.provenance = asked.provenance.clone();
            self.clears.push(clear, node, asked);
        }
        at + TICK
    }

    fn send(self, hub: &Arc<Hub>, telling: &mut JoinSet<()>) {
        let Self { clears, settles } = self;
        if !clears.is_empty() {
            let hub = Arc::clone(hub);
            telling.spawn(async move {
                let told = clears.tell(&hub, |clears| hub.storage.clear(clears)).await;
                told.unwrap_or_else(|untold| untold.lose(&hub));
            });
        }
        if !settles.is_empty() {
            let hub = Arc::clone(hub);
            telling.spawn(async move {
                let told = settles.tell(&hub, |settles| hub.storage.trip(settles)).await;
                told.unwrap_or_else(|untold| untold.lose(&hub));
            });
        }
    }
}

/// When it can be said, if this circuit has sent too much lately.
fn put_off(node: &Node, suspected: &mut Suspected, at: Instant) -> Option<Instant> {
    let next = node.next_command(at);
    if next <= at {
        return None;
    }
    suspected.put_off();
    Some(next)
}
