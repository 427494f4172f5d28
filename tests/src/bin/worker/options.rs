use std::error::Error;

use infuse_axum::config::Config;

/// What the arguments say.
pub(crate) struct Options {
    pub(crate) config: Config,
    pub(crate) graceless: bool,
    /// How many seconds the clock for people is ahead.
    pub(crate) wall_shift: Option<i64>,
}

impl Options {
    pub(crate) fn from_args(args: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut config = Config::builder();
        let (mut graceless, mut wall_shift) = (false, None);
        for arg in args {
            match arg.split_once('=') {
                None if arg == "--graceless" => graceless = true,
                Some(("--wall-shift", seconds)) => wall_shift = Some(seconds.parse()?),
                Some((key, value)) => config = config.set_override(key, value)?,
                None => return Err(format!("no setting: {arg}").into()),
            }
        }
        Ok(Self { config: config.build()?, graceless, wall_shift })
    }
}
