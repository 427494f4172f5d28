//! Reads the settings anew, and changes what goes by them: all of it, or nothing.

use std::{
    env,
    sync::{Arc, PoisonError},
};

use config::Config;

use super::{Live, Reload, ReloadError};
use crate::settings::{Origins, ServiceName, Settings, between, unseen_variables};

impl Live {
    /// See [`Infuse::reload`](crate::Infuse::reload).
    pub(crate) fn reload(&self, config: &Config) -> Result<Reload, ReloadError> {
        let one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut new, warnings) = Settings::from_config(config, &self.builder.known)?;
        let unseen = unseen_variables(config, env::vars_os());
        if new.service_name.is_none() {
            new.service_name = self.builder.service_name.clone();
        }
        let old = self.settings();
        let changes = between(&old, &new, self.builder.has_storage);
        if !changes.fixed.is_empty() {
            return Err(ReloadError::Fixed(changes.fixed));
        }
        // Nothing below can fail.
        let new = Arc::new(new);
        // First, so that a circuit which is made from now on goes by them.
        self.replace(Arc::clone(&new), Origins::of(config));
        for service in new.services.values() {
            self.rules(&service.name).set(self.builder.rules(service));
        }
        for circuit in self.circuits.all() {
            // Below a service everything is as at the service.
            let service = circuit.name().split('/').next().unwrap_or_default();
            if let Ok(like) = ServiceName::parse(service) {
                self.builder.change(&circuit, &like, &old, &new);
            }
        }
        drop(one_at_a_time);

        for warning in warnings.iter().chain(&unseen) {
            tracing::warn!(target: "infuse", "{warning}");
        }
        let reload = Reload::new(changes.live);
        for change in reload.changes() {
            tracing::info!(target: "infuse", "reloaded: {change}");
        }
        if reload.is_empty() {
            tracing::info!(target: "infuse", "reloaded: no setting has changed");
        }
        Ok(reload)
    }
}
