use config::Config;
use infuse_storage::test_util::{Application, Fleet, Seat};

use crate::{CircuitSnapshot, Infuse, InfuseBuilder};

impl Application for Infuse {
    fn circuits(&self) -> Vec<CircuitSnapshot> {
        Self::circuits(self)
    }
}

/// So many processes with Infuse in each, all with these settings, that share circuits by one
/// embedded storage. `setup` says what settings cannot, for each by its [`Seat`]; storage and clock
/// are the seat's.
///
/// What else a process has, a router say, is made of its [`Infuse`], or by [`Fleet::start`].
///
/// # Panics
///
/// If the settings are wrong, or the time of the runtime is not paused.
pub async fn fleet(
    processes: usize,
    config: &Config,
    setup: impl Fn(&Seat, InfuseBuilder) -> InfuseBuilder + 'static,
) -> Fleet<Infuse> {
    let config = config.clone();
    Fleet::start(processes, move |seat| {
        let builder = Infuse::builder().storage(seat.storage()).clock(seat.clock());
        let (builder, config) = (setup(&seat, builder), config.clone());
        async move {
            let started = builder.start(&config).await;
            started.unwrap_or_else(|error| panic!("a process could not be started: {error}"))
        }
    })
    .await
}

/// A [`Config`] of these settings alone, by their names in the environment or a file.
///
/// # Panics
///
/// If one is no key or no value of a `Config`. Whether Infuse takes it is seen when it is started.
#[track_caller]
pub fn config<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Config {
    let mut config = Config::builder();
    for (key, value) in settings {
        config = config.set_override(key, value).expect("a key and a value");
    }
    config.build().expect("settings that can be put together")
}
