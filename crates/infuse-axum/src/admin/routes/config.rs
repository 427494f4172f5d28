use axum::{Json, extract::State};
use serde::Serialize;

use super::Admin;
use crate::settings::{EffectiveSetting, effective};

/// The answer to `GET /config`.
#[derive(Debug, Serialize)]
pub(super) struct Config {
    settings: Vec<EffectiveSetting>,
}

/// `GET /config`.
pub(super) async fn all(State(admin): State<Admin>) -> Json<Config> {
    let live = admin.live();
    let settings = effective(&live.settings(), &live.origins(), live.has_own_storage());
    Json(Config { settings })
}
