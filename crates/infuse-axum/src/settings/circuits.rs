//! What settings say of a circuit by its name, be it a service's or one below.

use infuse_storage::{Policy, core::Mode};

use super::{BreakerSettings, ParseServiceNameError, ServiceName, Settings};

/// For programs that share circuits with applications: what [`Infuse`](crate::Infuse) makes circuits
/// by. `payments/refunds` is the circuit `refunds` below the service `payments`.
impl Settings {
    /// The name of a circuit as applications have it, which is how it stands in keys: that of the
    /// service in its [canonical](Self::canonical) spelling, one below it as it is.
    ///
    /// # Errors
    ///
    /// For a text that no circuit of an application can be called.
    pub fn circuit_name(&self, name: &str) -> Result<String, ParseServiceNameError> {
        let (service, below) = split(name);
        let service = self.canonical(service)?;
        Ok(match below {
            Some(below) => format!("{service}/{}", ServiceName::with_spelling(below)?),
            None => service.to_string(),
        })
    }

    /// The namespace of a circuit's keys. The name is taken as it is: see
    /// [`circuit_name`](Self::circuit_name).
    pub fn circuit_namespace(&self, circuit: &str) -> String {
        self.namespace_template.render_text(&self.environment, circuit)
    }

    /// The policy of a circuit: what is set for its service, or for all. It holds no rule that an
    /// application added in code.
    pub fn circuit_policy(&self, circuit: &str) -> Policy {
        match ServiceName::parse(split(circuit).0) {
            Ok(service) => self.policy_like(&service, true),
            // Settings are checked by the same limits when they are read; here and below.
            Err(_) => self.breaker.policy(None, true).unwrap_or_default(),
        }
    }

    /// The mode of a circuit where nobody put another above it: what is set for its service, or for
    /// all.
    pub fn circuit_mode(&self, circuit: &str) -> Mode {
        let service = ServiceName::parse(split(circuit).0);
        service.map_or(&self.breaker, |service| self.breaker_for(&service)).mode
    }

    /// The policy of the circuits that behave as is set for this name, and perhaps have rules of the
    /// application's own.
    pub(crate) fn policy_like(&self, like: &ServiceName, has_rules: bool) -> Policy {
        let timeout = self.service(like.key()).map(|service| service.timeout);
        let breaker: &BreakerSettings = self.breaker_for(like);
        breaker.policy(timeout, has_rules).unwrap_or_default()
    }
}

fn split(circuit: &str) -> (&str, Option<&str>) {
    match circuit.split_once('/') {
        Some((service, below)) => (service, Some(below)),
        None => (circuit, None),
    }
}

#[cfg(test)]
mod tests {
    use config::{Config, File, FileFormat};

    use super::*;
    use crate::settings::KnownNames;

    fn settings() -> Settings {
        let file = r#"
            [infuse]
            environment = "production"
            service_connections = ["User_Service"]
            [infuse.services.user-service]
            breaker_max_failure = 2
            breaker_mode = "observe"
        "#;
        let file = File::from_str(file, FileFormat::Toml);
        let config = Config::builder().add_source(file).build().unwrap();
        Settings::from_config(&config, &KnownNames::default()).unwrap().0
    }

    #[test]
    fn a_circuit_is_called_as_applications_call_it() {
        let settings = settings();
        for (name, called) in [
            ("USER-SERVICE", Some("User_Service")),
            ("user_service/Refunds", Some("User_Service/Refunds")),
            ("Payments", Some("payments")),
            ("", None),
            ("/refunds", None),
            ("payments/", None),
            ("payments/a/b", None),
            ("payments/..", None),
            ("pay ments", None),
        ] {
            assert_eq!(settings.circuit_name(name).ok().as_deref(), called, "{name:?}");
        }
    }

    #[test]
    fn a_circuit_below_goes_by_what_is_set_for_its_service() {
        let settings = settings();
        for (name, failures, mode) in [
            ("User_Service", 2, Mode::Observe),
            ("User_Service/refunds", 2, Mode::Observe),
            ("payments", 5, Mode::Enabled),
            ("no name", 5, Mode::Enabled),
        ] {
            let policy = settings.circuit_policy(name);
            assert_eq!((policy.max_failure(), settings.circuit_mode(name)), (failures, mode));
        }
        assert_eq!(settings.circuit_namespace("User_Service/a"), "production:User_Service/a");
    }
}
