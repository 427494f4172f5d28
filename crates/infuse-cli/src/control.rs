use std::process::ExitCode;

use infuse_storage::{Circuit, CircuitSnapshot, Note, Override, Reach};
use serde_json::json;

use crate::{
    Failure, Fleet,
    args::{Action, Cli, Order},
    clean::clean,
    json,
    mode::FleetMode,
    out,
    paint::{self, Paint},
    words,
};

/// Does what is ordered.
pub(crate) async fn run(cli: &Cli, fleet: &Fleet, order: Order) -> Result<ExitCode, Failure> {
    let instances = fleet.instances_if_any().await;
    let known = fleet.names(&instances);
    let found = fleet.find(&order.name, &known).await?;
    if !found.known && !order.force {
        return Err(fleet.unknown(&order.name, known));
    }
    let circuit = found.circuit;
    if carry_out(&circuit, &order).await == Reach::Local {
        // Whoever is asked now says why.
        fleet.reach().await.map_err(|error| fleet.failure(&error))?;
        return Err(Failure::NotConfirmed(format!(
            "Redis did not confirm it in time: look at {} before you repeat it",
            circuit.name()
        )));
    }
    let snapshot = circuit.snapshot();
    // Of what holds after an override, instances that were heard before its end say nothing.
    let heard = if order.action == Action::Clear { &[][..] } else { &instances };
    let mode = FleetMode::of(&snapshot, heard);
    if cli.json {
        let circuit = json::circuit(&snapshot, mode, &instances);
        out::json(&json!({"reach": "fleet", "circuit": circuit}))?;
    } else {
        out::line(&told(&snapshot, mode, &fleet.settings.environment, Paint::of_output()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn carry_out(circuit: &Circuit, order: &Order) -> Reach {
    let note = || Note::new().by(&order.by).because(&order.reason);
    match order.action {
        Action::Open(Some(time)) => circuit.open_for(time, note()).await,
        Action::Open(None) => circuit.open_with(note()).await,
        Action::Close => circuit.close_with(note()).await,
        Action::HalfOpen => circuit.half_open_with(note()).await,
        Action::Reset => circuit.reset_with(note()).await,
        Action::Put(mode, lasting) => {
            let mut over = Override::new(mode).by(&order.by).because(&order.reason);
            over.left = lasting;
            circuit.set_override(Some(over)).await
        }
        Action::Clear => circuit.set_override(None).await,
    }
}

/// What the circuit is now, on one line.
fn told(snapshot: &CircuitSnapshot, mode: FleetMode, environment: &str, paint: Paint) -> String {
    let state = paint.text(paint::of_state(snapshot.state), snapshot.state.as_str());
    let retry = match words::retry(snapshot) {
        none if none == words::NONE => String::new(),
        retry => format!(" ({retry})"),
    };
    let is = match &snapshot.overridden {
        Some(over) => words::overridden(over),
        None => mode.as_str().to_owned(),
    };
    let mode = paint.text(mode.tone(), &is);
    format!("{} in {}: {state}{retry}, {mode}", clean(&snapshot.service), clean(environment))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use infuse_storage::{Circuits, Mode, Policy, State};

    use super::*;

    fn order(action: Action) -> Order {
        let [name, by, reason] = ["payments", "ada", "moving"].map(str::to_owned);
        Order { action, name, by, reason, force: false }
    }

    #[tokio::test]
    async fn every_action_does_what_it_says() {
        let circuits = Circuits::builder().start().unwrap();
        let circuit = circuits.circuit("payments", Policy::default());
        let lasting = Some(Duration::from_secs(600));
        for (action, state, mode) in [
            (Action::Open(None), State::Open, Mode::Enabled),
            (Action::HalfOpen, State::HalfOpen, Mode::Enabled),
            (Action::Put(Mode::Isolated, lasting), State::HalfOpen, Mode::Isolated),
            (Action::Close, State::Closed, Mode::Isolated),
            (Action::Put(Mode::Observe, None), State::Closed, Mode::Observe),
            (Action::Put(Mode::Disabled, None), State::Closed, Mode::Disabled),
            (Action::Open(lasting), State::Open, Mode::Disabled),
            (Action::Reset, State::Closed, Mode::Disabled),
            (Action::Put(Mode::Enabled, None), State::Closed, Mode::Enabled),
            (Action::Clear, State::Closed, Mode::Enabled),
        ] {
            let order = order(action);
            assert_eq!(carry_out(&circuit, &order).await, Reach::Fleet);
            assert_eq!((circuit.state(), circuit.mode()), (state, mode), "{order:?}");
            if order.action == Action::Open(lasting) {
                assert!(circuit.retry_after().unwrap() > Duration::from_secs(590));
            }
            if let Action::Put(mode, lasting) = order.action {
                let over = circuit.overridden().unwrap();
                assert_eq!((over.mode, &*over.by, &*over.reason), (mode, "ada", "moving"));
                assert_eq!(over.left.is_some(), lasting.is_some());
            }
        }
        assert_eq!(circuit.overridden(), None);
    }

    #[tokio::test]
    async fn it_is_told_on_one_line() {
        let mut it = crate::testing::snapshot().await;
        let told =
            |it: &CircuitSnapshot| told(it, FleetMode::of(it, &[]), "production", Paint::off());
        assert_eq!(told(&it), "payments in production: closed, enabled");
        it.state = State::Open;
        it.retry_after = Some(Duration::from_secs(15));
        it.overridden = Some(Override::new(Mode::Isolated).by("ada").because("moving"));
        assert_eq!(told(&it), "payments in production: open (15s), isolated by ada: moving");
    }
}
