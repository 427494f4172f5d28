use std::net::SocketAddr;

use infuse_storage::{Circuit, Note, Override, Reach, State};

use super::{Action, Order};
use crate::admin::problem::Problem;

/// Does what is to be done, in the whole fleet if the storage is there.
///
/// # Cancel safety
///
/// What has begun is done to its end and audited, though the caller has left.
pub(in crate::admin) async fn carry_out(
    circuit: &Circuit,
    order: Order,
    peer: Option<SocketAddr>,
) -> Result<Reach, Problem> {
    let circuit = circuit.clone();
    let task = tokio::spawn(async move {
        let reach = give(&circuit, &order).await;
        audit(circuit.name(), &order, peer, reach);
        reach
    });
    task.await.map_err(|error| {
        tracing::error!(target: "infuse", %error, "a command by the admin routes came to no end");
        Problem::failed()
    })
}

async fn give(circuit: &Circuit, order: &Order) -> Reach {
    let note = || Note::new().by(&order.by).because(&order.reason);
    match order.action {
        Action::Put(State::Open) => match order.lasting {
            Some(time) => circuit.open_for(time, note()).await,
            None => circuit.open_with(note()).await,
        },
        Action::Put(State::HalfOpen) => circuit.half_open_with(note()).await,
        Action::Put(State::Closed) => circuit.close_with(note()).await,
        Action::Reset => circuit.reset_with(note()).await,
        Action::Override(mode) => {
            let over = Override::new(mode).by(&order.by).because(&order.reason);
            let over = match order.lasting {
                Some(time) => over.lasting(time),
                None => over,
            };
            circuit.set_override(Some(over)).await
        }
        Action::ClearOverride => circuit.set_override(None).await,
    }
}

fn audit(circuit: &str, order: &Order, peer: Option<SocketAddr>, reach: Reach) {
    let action = order.action.name();
    tracing::info!(
        target: "infuse::audit",
        circuit,
        action,
        by = order.by,
        reason = order.reason,
        "for" = order.lasting.map(|time| time.as_secs_f64()),
        peer = peer.map(|peer| peer.to_string()),
        reach = match reach {
            Reach::Fleet => "fleet",
            Reach::Local => "local",
        },
        "circuit {circuit}: {action}{}{}: {}",
        if order.by.is_empty() { "" } else { " by " },
        order.by,
        order.reason,
    );
}
