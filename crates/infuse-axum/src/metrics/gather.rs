use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use infuse_storage::Circuits;
use tokio::{
    task::yield_now,
    time::{MissedTickBehavior, interval},
};

use super::{Meters, collect};
use crate::reload::Live;

/// How often what was counted is handed over where nobody asks for it.
const EVERY: Duration = Duration::from_secs(5);

/// How many circuits are done at a time, so that calls need not wait until all are.
const AT_A_TIME: usize = 32;

/// Hands over what is counted every few seconds, for as long as there are circuits.
pub(crate) fn keep_current(live: &Arc<Live>) {
    let Some(meters) = live.meters() else { return };
    let task = tokio::spawn(run(Arc::downgrade(live), Arc::clone(meters)));
    meters.run_by(task.abort_handle());
}

async fn run(live: Weak<Live>, meters: Arc<Meters>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(circuits) = live.upgrade().map(|live| live.circuits.clone()) else { return };
        gently(&circuits, &meters).await;
    }
}

async fn gently(circuits: &Circuits, meters: &Meters) {
    collect::general(circuits, meters);
    for some in collect::chosen(circuits, meters).chunks(AT_A_TIME) {
        some.iter().for_each(|circuit| collect::one(circuit, meters));
        yield_now().await;
    }
}
