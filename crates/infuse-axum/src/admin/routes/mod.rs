//! What answers the requests that were let in, one file for each thing that can be asked for.

mod circuits;
mod config;
mod control;
mod events;
mod health;
mod history;
mod instances;
mod openapi;
mod state;

pub(super) use state::Admin;

use axum::routing::{MethodRouter, get, post};

/// All routes but those of the page.
pub(super) fn all() -> Vec<(&'static str, MethodRouter<Admin>)> {
    vec![
        ("/circuits", get(circuits::all)),
        ("/circuits/{name}", get(circuits::one)),
        // A circuit below a service has a name of two parts, and what is done to one that is not
        // has as many.
        ("/circuits/{name}/{part}", get(circuits::below).post(control::of)),
        ("/circuits/{name}/{below}/{action}", post(control::below)),
        ("/events", get(events::stream)),
        ("/history", get(history::newest)),
        ("/instances", get(instances::all)),
        ("/config", get(config::all)),
        ("/health", get(health::now)),
        ("/openapi.json", get(openapi::description)),
    ]
}
