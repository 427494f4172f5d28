//! How both storages are asked.

use std::{collections::HashMap, sync::Arc};

use infuse_storage::{
    CircuitKey, Clear, Command, Control, LeaseRequest, Look, Opening, Presented, ProcessId, Report,
    Seed, Settle, Storage, StorageError, SuspicionId, Trip, View, core::Override,
};

use super::acts::{Act, Openings, Overrides, Presents, Step, Verb, Which};

/// What the processes were told last, by circuit and process.
pub(super) type Known = HashMap<(usize, ProcessId), View>;

impl Act {
    fn presented(&self, known: Option<&View>) -> Presented {
        let last = known.map_or(Presented::NOTHING, Presented::from);
        match self.presents {
            Presents::Known => last,
            Presents::Nothing => Presented::NOTHING,
            Presents::Other { off, state, time_left } => {
                let generation = last.generation.saturating_add_signed(off);
                Presented { generation, state, time_left }
            }
        }
    }

    fn overridden(&self, known: Option<&View>) -> Option<Arc<Override>> {
        match &self.overrides {
            Overrides::Known => known?.overridden.clone(),
            Overrides::Other(other) => other.clone(),
        }
    }

    fn provenance(&self, known: Option<&View>) -> Option<Arc<Opening>> {
        match &self.provenance {
            Openings::Known => known?.provenance.clone(),
            Openings::Other(other) => other.clone(),
        }
    }

    fn suspicion(&self, known: Option<&View>) -> Option<SuspicionId> {
        let last = known.and_then(|view| view.suspicion).map(|suspicion| suspicion.id);
        match (self.suspicion, last) {
            (Which::None, _) => None,
            (Which::Known, Some(id)) => Some(id),
            (Which::Other, Some(id)) => Some(SuspicionId { raised_at: id.raised_at + 1, ..id }),
            (Which::OtherGeneration, Some(id)) => {
                Some(SuspicionId { generation: id.generation + 1, ..id })
            }
            (_, None) => Some(SuspicionId { generation: 0, raised_at: 0 }),
        }
    }
}

/// What both storages answer to a step: the views, and who was granted a lease.
pub(super) async fn answers(
    storage: &dyn Storage,
    circuits: &[CircuitKey],
    step: &Step,
    known: &Known,
) -> Result<Vec<(View, bool)>, StorageError> {
    macro_rules! ask {
        ($verb:ident, $make:expr) => {{
            let make = $make;
            let acts = step.acts.iter().enumerate().map(|(at, act)| {
                let known = known.get(&(at, act.process));
                let mut verb = make(circuits[at].clone(), act.presented(known), act, known);
                verb.overridden = act.overridden(known);
                verb.provenance = act.provenance(known);
                verb
            });
            storage.$verb(&acts.collect::<Vec<_>>()).await
        }};
    }
    let views = match step.verb {
        Verb::Look => ask!(look, |key, presented, act: &Act, _| {
            let mut look = Look::new(key, presented);
            look.last_success = act.last_success;
            look.thresholds = act.thresholds;
            look.process = (!act.anonymous).then_some(act.process);
            look.counts = act.counts;
            look.open_time = act.open_time;
            look.fault = act.fault;
            look
        }),
        Verb::Report => ask!(report, |key, presented, act: &Act, known: Option<&View>| {
            let mut report = Report::new(key, presented, act.process, act.failures);
            let clears = known.map_or(0, |view| view.clears);
            report.clears = clears.saturating_sub(act.clears_missed);
            report.last_success = act.last_success;
            report.thresholds = act.thresholds;
            report.rest = act.rest;
            report.lapse = act.lapse;
            report.held_off = act.held_off;
            report
        }),
        Verb::Trip => ask!(trip, |key, presented, act: &Act, known| {
            let mut trip = Trip::new(key, presented, act.process, act.open_time);
            trip.thresholds = act.thresholds;
            trip.suspicion = act.suspicion(known);
            trip.grace = act.grace;
            trip.cause = act.cause;
            trip.failures = act.failures;
            trip.fault = act.fault;
            trip
        }),
        Verb::Clear => ask!(clear, |key, presented, act: &Act, known| {
            let nowhere = SuspicionId { generation: 0, raised_at: u64::MAX };
            let id = act.suspicion(known).unwrap_or(nowhere);
            Clear::new(key, presented, act.process, id)
        }),
        Verb::Settle => ask!(settle, |key, presented, act: &Act, _| {
            let mut settle = Settle::new(key, presented, act.token, act.outcome);
            settle.success_threshold = act.thresholds.success_threshold;
            settle.open_time = act.open_time;
            settle.ramp = act.ramp;
            settle.held_off = act.held_off;
            settle.fault = act.fault;
            settle
        }),
        Verb::Control => ask!(control, |key, presented, act: &Act, _| {
            let Act { state, open_time, ref note, .. } = *act;
            let put = Command::Put { state, open_time, note: note.clone() };
            let command = act.command.clone().map_or(put, Command::Override);
            let mut command = Control::new(key, act.token, command);
            command.presented = presented;
            command
        }),
        Verb::Seed => ask!(seed, |key, presented, act: &Act, _| {
            let mut seed = Seed::new(key, act.token, act.state, act.open_time);
            seed.presented = presented;
            seed.late_by = act.late_by;
            seed
        }),
        Verb::Lease => {
            let answers = ask!(lease, |key, presented, act: &Act, _| {
                let mut request = LeaseRequest::new(key, presented, act.token, act.rest);
                request.max_calls = act.thresholds.half_open_max_calls;
                request
            })?;
            return Ok(answers.into_iter().map(|it| (it.view, it.granted)).collect());
        }
    };
    Ok(views?.into_iter().map(|view| (view, false)).collect())
}
