//! Asking the storage for the lease of a trial call.

use std::{
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

use infuse_core::{Breaker, Outcome, State};
use tokio::{join, time::timeout};

use crate::{
    LeaseAnswer, LeaseRequest, Presented, Settle, Storage, StorageError, Thresholds, Token,
    circuit::CircuitPermit,
    hub::Hub,
    known::{Asked, Heard},
    node::{Asking, Node},
    outgoing::Outgoing,
    reporting::Reports,
};

/// What came of asking.
pub(crate) enum Answer {
    /// The trial may be made.
    Granted(CircuitPermit),
    /// The storage is lost: this process grants its trials itself.
    Alone,
    /// No trial now.
    NotNow,
}

/// Asks in a task of its own, so that a caller that leaves cancels nothing: what is granted to
/// nobody is given back. `reply` is called at most once, and not if the storage is too slow.
pub(crate) fn ask(
    hub: &Arc<Hub>,
    asking: Asking,
    lease: Duration,
    reply: impl FnOnce(Answer) + Send + 'static,
) {
    let Some(breaker) = asking.node().breaker() else { return };
    let node = Arc::clone(asking.node());
    let shared = Arc::clone(hub);
    hub.spawn_ask(async move {
        tell_first(&shared, &node).await;
        if shared.standing.is_alone() {
            drop(asking);
            return reply(Answer::Alone);
        }
        let (token, asked) = (shared.next_token(), node.ask_storage(shared.now()));
        let mut request = LeaseRequest::new(node.key.clone(), asked.presented, token, lease);
        request.overridden = asked.overridden.clone();
        request.provenance = asked.provenance.clone();
        let policy = breaker.policy();
        request.max_calls = policy.half_open_max_calls();
        request.thresholds = Thresholds::from(&policy);
        let storage = Arc::clone(&shared.storage);
        Ask { breaker, node, storage, asked, request: [request] }.run(shared, asking, reply).await;
    });
}

/// Tells the storage of a trip that it has not heard of yet: it grants no trial for a circuit that
/// it takes for closed. That is so only when the open time is shorter than the way to the storage,
/// or when a test moves the clock on at once.
async fn tell_first(hub: &Hub, node: &Arc<Node>) {
    let mut out = Outgoing::default();
    if out.add(hub, node, Reports::Wait).look {
        node.want_look();
    }
    out.send(hub).await;
}

struct Ask {
    breaker: Arc<Breaker>,
    node: Arc<Node>,
    storage: Arc<dyn Storage>,
    asked: Asked,
    request: [LeaseRequest; 1],
}

impl Ask {
    async fn run(self, hub: Arc<Hub>, asking: Asking, reply: impl FnOnce(Answer)) {
        let mut verb = pin!(self.twice());
        let granted = match timeout(hub.options.timeout, &mut verb).await {
            Ok(Ok(granted)) => granted,
            Ok(Err(error)) => {
                hub.orphan(self.token().number, &self.node);
                hub.lose(&error);
                drop(asking);
                return reply(Answer::Alone);
            }
            Err(_) => {
                drop(reply);
                hub.orphan(self.token().number, &self.node);
                // A grant that comes too late is given back, unless it is over by then. Nothing
                // of the circuits is held for it.
                let (shared, limit) = (Arc::downgrade(&hub), self.lease());
                let late = async {
                    if let Ok(Ok(granted)) = timeout(limit, verb).await {
                        self.give_back(&shared, &granted).await;
                    }
                };
                join!(late, self.check(hub, asking));
                return;
            }
        };
        let answer = self.take(&hub, &granted);
        let used = matches!(&answer, Answer::Granted(permit) if permit.is_trial());
        // After shutdown the trial goes on here, and the lease belongs to the others.
        let used = used && !hub.standing.is_closed();
        // The next caller may ask before this one is answered.
        drop(asking);
        reply(answer);
        if !used {
            self.give_back(&Arc::downgrade(&hub), &granted).await;
        }
    }

    /// The storage was too slow: asks again, which finds out whether it is there at all. Nobody
    /// else asks meanwhile, so that a loss makes one caller wait.
    async fn check(&self, hub: Arc<Hub>, asking: Asking) {
        match hub.in_time(self.once()).await {
            Ok(answer) => self.give_back(&Arc::downgrade(&hub), &answer).await,
            Err(error) => hub.lose(&error),
        }
        drop(asking);
    }

    fn take(&self, hub: &Arc<Hub>, answer: &LeaseAnswer) -> Answer {
        self.node.learn(hub, &answer.view, Heard::Answered(&self.asked));
        // The circuit may have changed since the grant; what is known here then is newer. One that
        // has just opened again here has time left. The snapshot is first: a change after it has
        // another epoch.
        let snapshot = self.breaker.snapshot();
        let holds = answer.granted
            && self.node.generation() == answer.view.generation
            && match snapshot.state {
                State::Closed => false,
                State::Open => snapshot.retry_after == Some(Duration::ZERO),
                State::HalfOpen => true,
            };
        if !holds {
            if !answer.granted && self.node.generation() == answer.view.generation {
                // By the storage's clock the open time is not over: until then nobody asks.
                self.breaker.defer_trial(answer.view.time_left);
            }
            return Answer::NotNow;
        }
        let (owner, token) = (Arc::clone(&self.breaker), self.token().number);
        hub.hold(token, &self.node, self.lease());
        let permit = self.breaker.begin_shared_trial(owner, token, self.lease(), snapshot.epoch);
        if !permit.as_ref().is_some_and(CircuitPermit::is_trial) {
            // Changed just now. If it closed, an ordinary call needs no lease.
            hub.release(token);
        }
        permit.map_or(Answer::NotNow, Answer::Granted)
    }

    /// Gives back what was granted, if it was.
    async fn give_back(&self, hub: &Weak<Hub>, answer: &LeaseAnswer) {
        let token = self.token();
        if !answer.granted {
            // There is nothing to give back.
            if let Some(hub) = hub.upgrade() {
                hub.release(token.number);
            }
            return;
        }
        let presented = Presented::from(&answer.view);
        let mut settle = Settle::new(self.node.key.clone(), presented, token, Outcome::Ignored);
        settle.overridden = answer.view.overridden.clone();
        settle.provenance = answer.view.provenance.clone();
        let settle = [settle];
        self.node.charge();
        let result = timeout(self.lease(), self.storage.settle(&settle)).await;
        let Some(hub) = hub.upgrade() else { return };
        match result {
            Ok(Ok(views)) => {
                hub.release(token.number);
                if let (false, Some(view)) = (hub.standing.is_alone(), views.first()) {
                    self.node.learn(&hub, view, Heard::Answered(&self.asked));
                }
            }
            Ok(Err(error)) => tracing::debug!(
                target: "infuse",
                error = &error as &dyn std::error::Error,
                "a lease was not given back: it ends by itself",
            ),
            Err(_) => {}
        }
    }

    async fn twice(&self) -> Result<LeaseAnswer, StorageError> {
        match self.once().await {
            Ok(answer) => Ok(answer),
            Err(_) => self.once().await,
        }
    }

    async fn once(&self) -> Result<LeaseAnswer, StorageError> {
        self.node.charge();
        let answers = self.storage.lease(&self.request).await?;
        let answer = answers.into_iter().next();
        answer.ok_or_else(|| StorageError::Answer("a lease request was not answered".to_owned()))
    }

    fn token(&self) -> Token {
        self.request[0].token
    }

    fn lease(&self) -> Duration {
        self.request[0].lease
    }
}
