//! A storage that refuses, is slow, or does not answer.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

mod bounds;
mod calls;
mod leases;
mod losing;
mod overrides;
mod pushing;
mod rates;
mod returning;
mod seeding;
mod suspicions;

#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;

use infuse_storage::{Circuit, Circuits, CircuitsBuilder, Policy};
use support::{Fleet, ready, scripted::Scripted};

/// An application behind a script, and one that is not.
struct Faulty {
    fleet: Fleet,
    script: Scripted,
    circuits: Circuits,
    /// `payments` behind the script.
    here: Circuit,
    /// `payments` of the other application.
    there: Circuit,
}

impl Faulty {
    async fn new() -> Self {
        Self::with(Policy::default(), |builder| builder).await
    }

    async fn with(policy: Policy, setup: impl FnOnce(CircuitsBuilder) -> CircuitsBuilder) -> Self {
        let fleet = Fleet::new();
        let script = Scripted::new(fleet.memory.clone());
        let circuits = ready(setup(fleet.builder_on(Arc::new(script.clone())))).await;
        let here = circuits.circuit("payments", policy.clone());
        let there = fleet.join().await.circuit("payments", policy);
        support::let_happen().await;
        Self { fleet, script, circuits, here, there }
    }

    /// Whether the storage is lost to the application behind the script.
    fn is_lost(&self) -> bool {
        !self.here.snapshot().shared
    }
}
