use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use infuse_core::{Counts, State};
use tokio::time::Instant;

use crate::{
    Look, StorageError, Thresholds, View,
    hub::{Hub, lock},
    known::{Asked, Known},
    node::Node,
};

/// How often a circuit that is closed and unused is looked at.
const IDLE: Duration = Duration::from_secs(60);
/// Most circuits that are looked at in any second.
pub(crate) const MOST: usize = 500;
/// How many are looked at by one verb, which has a limit.
pub(crate) const AT_ONCE: usize = 100;
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Which circuits are to be looked at, and how many may be.
#[derive(Default)]
pub(crate) struct Looks {
    /// Those that asked for it, each once.
    urgent: VecDeque<Arc<Node>>,
    /// The addresses of those.
    asked: HashSet<usize>,
    /// Those whose turn it is.
    round: VecDeque<Arc<Node>>,
    round_at: Option<Instant>,
    /// When how many were looked at, in the last second.
    recent: VecDeque<(Instant, usize)>,
    said_slow: bool,
}

/// Whether a look waits for its circuit's turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Haste {
    InTurn,
    AtOnce,
}

impl Looks {
    pub(crate) fn add_urgent(&mut self, node: Arc<Node>) {
        if self.asked.insert(Arc::as_ptr(&node) as usize) {
            self.urgent.push_back(node);
        }
    }

    /// Whether circuits still wait for their look.
    pub(crate) fn are_due(&self) -> bool {
        !self.urgent.is_empty() || !self.round.is_empty()
    }

    /// Begins a round of those circuits that may have changed. What is left of the last one comes
    /// first in it.
    pub(crate) fn begin_round(&mut self, hub: &Hub) {
        let now = Instant::now();
        let mut nodes = hub.registry.nodes();
        nodes.retain(|node| node.wants_look(now, IDLE));
        // Those that were not looked at for longest come first.
        nodes.sort_by_cached_key(|node| node.looked_at());
        let most = (MOST as f64 * hub.options.sync_interval.as_secs_f64()) as usize;
        if nodes.len() > most.max(1) && !self.said_slow {
            self.said_slow = true;
            tracing::warn!(
                target: "infuse",
                circuits = nodes.len(),
                most,
                "there are more circuits in use than are looked at in one interval: changes that \
                 are not pushed take longer to arrive",
            );
        }
        self.round = nodes.into();
        self.round_at = Some(now);
    }

    /// Looks at as many circuits as may be now; whether the storage answered, if one was due.
    pub(crate) async fn look(&mut self, hub: &Hub) -> bool {
        self.look_in(hub, Haste::InTurn).await
    }

    /// [`look`](Self::look), also at circuits that have sent much lately: the storage is back, and
    /// its word is taken before anything else happens.
    pub(crate) async fn look_at_once(&mut self, hub: &Hub) -> bool {
        self.look_in(hub, Haste::AtOnce).await
    }

    async fn look_in(&mut self, hub: &Hub, haste: Haste) -> bool {
        let now = Instant::now();
        while self.recent.front().is_some_and(|(at, _)| now.duration_since(*at) >= SECOND) {
            self.recent.pop_front();
        }
        let spent: usize = self.recent.iter().map(|(_, looks)| looks).sum();
        let nodes = self.take(now, haste, MOST.saturating_sub(spent));
        if nodes.is_empty() {
            return !self.are_due();
        }
        self.recent.push_back((now, nodes.len()));
        let mut answered = true;
        for part in nodes.chunks(AT_ONCE) {
            answered = answered && look_at(hub, part).await;
        }
        hub.progress.send_modify(|_| {});
        answered
    }

    fn take(&mut self, now: Instant, haste: Haste, most: usize) -> Vec<Arc<Node>> {
        let waits = |node: &Node| haste == Haste::InTurn && node.next_command(now) > now;
        let (mut nodes, mut put_off) = (Vec::new(), Vec::new());
        while nodes.len() < most
            && let Some(node) = self.urgent.pop_front()
        {
            if waits(&node) {
                put_off.push(node);
                continue;
            }
            self.asked.remove(&(Arc::as_ptr(&node) as usize));
            // Somebody else may have looked since.
            if node.looked_at().is_none() {
                nodes.push(node);
            }
        }
        self.urgent.extend(put_off.drain(..));
        while nodes.len() < most
            && let Some(node) = self.round.pop_front()
        {
            let since = |at| self.round_at.is_some_and(|round| at < round);
            if !node.looked_at().is_none_or(since) {
                continue;
            }
            if waits(&node) { put_off.push(node) } else { nodes.push(node) }
        }
        self.round.extend(put_off);
        nodes
    }
}

/// Looks at circuits; whether the storage answered.
async fn look_at(hub: &Hub, nodes: &[Arc<Node>]) -> bool {
    let (asked, mut looks): (Vec<Asked>, Vec<Look>) =
        nodes.iter().map(|node| look(hub, node)).unzip();
    match look_twice(hub, nodes, &mut looks).await {
        Ok(views) => {
            for ((node, asked), view) in nodes.iter().zip(&asked).zip(&views) {
                node.learn_by_look(hub, view, asked);
            }
            true
        }
        Err(error) => {
            hub.lose(&error);
            false
        }
    }
}

/// [`Hub::twice_for`], but that calls are told of only once: the storage may have counted them, and
/// lost no more than its answer.
async fn look_twice(
    hub: &Hub,
    nodes: &[Arc<Node>],
    looks: &mut [Look],
) -> Result<Vec<View>, StorageError> {
    nodes.iter().for_each(|node| node.charge());
    if let Ok(views) = hub.in_time(hub.storage.look(looks)).await {
        return Ok(views);
    }
    looks.iter_mut().for_each(|look| look.counts = Counts::NONE);
    nodes.iter().for_each(|node| node.charge());
    hub.in_time(hub.storage.look(looks)).await
}

fn look(hub: &Hub, node: &Node) -> (Asked, Look) {
    let now = hub.now();
    let (asked, counts) = {
        let known = lock(&node.known);
        // Under the lock, so that the calls belong to what is presented.
        let counts = take_counts(hub, node, &known);
        (known.ask(now, None), counts)
    };
    let mut look = Look::new(node.key.clone(), asked.presented);
    look.overridden = asked.overridden.clone();
    look.provenance = asked.provenance.clone();
    look.last_success = hub.age_of_success(node);
    if let Some(breaker) = node.breaker() {
        let policy = breaker.policy();
        look.thresholds = Thresholds::from(&policy);
        if look.thresholds.rates.is_some() {
            look.process = Some(node.process(hub));
            look.counts = counts;
            look.open_time = node.open_time(hub, &breaker, &policy);
            look.fault = breaker.last_fault().filter(|_| counts.failures > 0);
        }
    }
    (asked, look)
}

/// The calls of this process that the fleet is to be told of now.
fn take_counts(hub: &Hub, node: &Node, known: &Known) -> Counts {
    let Some(breaker) = node.breaker() else { return Counts::NONE };
    if known.state != State::Closed {
        return Counts::NONE;
    }
    let counts = breaker.take_deltas().counts;
    // What was counted while the storage was lost is told nobody; nor what one counts that may be
    // sick itself, and opens only itself.
    let apart = known.trust.is_apart(hub.now()) && !known.count.others_fail();
    if hub.standing.is_alone() || known.returning || apart { Counts::NONE } else { counts }
}
