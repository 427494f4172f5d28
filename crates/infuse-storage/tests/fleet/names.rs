//! Two names that are spelt alike in the storage are one circuit of the fleet.

use std::sync::Arc;

use infuse_storage::{Circuits, Policy, State};
use tokio::time::sleep;

use crate::support::{
    SECOND, fail_times, in_step::InStep, let_happen, ready, until, until_both, until_state,
};

async fn alike(fleet: &InStep) -> Circuits {
    let builder = fleet.builder_on(Arc::new(fleet.memory.clone()));
    ready(builder.namespace(|_| "payments".to_owned())).await
}

#[tokio::test(start_paused = true)]
async fn both_hear_what_is_pushed() {
    let fleet = InStep::new();
    let circuits = alike(&fleet).await;
    let one = circuits.circuit("one", Policy::default());
    let two = circuits.circuit("two", Policy::default());
    let_happen().await;
    fail_times(&one, 5).await;
    until_state(&one, State::Open).await;
    let_happen().await;
    until_both(&one, &two, State::Open).await;
    assert_eq!(two.close().await, infuse_storage::Reach::Fleet);
    let_happen().await;
    assert_eq!(one.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn their_failures_add_up() {
    let fleet = InStep::new();
    let circuits = alike(&fleet).await;
    let one = circuits.circuit("one", Policy::default());
    let two = circuits.circuit("two", Policy::default());
    let_happen().await;
    fail_times(&one, 2).await;
    fail_times(&two, 2).await;
    sleep(SECOND / 5).await;
    assert_eq!(fleet.stored().await.failures, 4);
    fail_times(&one, 1).await;
    until("both are open", || one.state() == State::Open && two.state() == State::Open).await;
}
