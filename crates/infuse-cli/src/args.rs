//! The command line.

use std::{env, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use infuse_storage::{Mode, Override};

use crate::{Failure, clean, time};

/// What `--help` and the manual say after the options.
pub(crate) const EXIT_STATUS: [(&str, &str); 5] = [
    ("0", "Done."),
    (
        "1",
        "The storage cannot be reached, or did not confirm a command: it is not done, or not known \
         to be. Or the output cannot be written.",
    ),
    ("2", "The command line or the settings are wrong."),
    (
        "3",
        "There is no such circuit: it is neither configured, nor announced by a running instance, \
         nor known to the storage.",
    ),
    (
        "4",
        "With --exit-code: a circuit is not closed, or is isolated, so that it rejects every call.",
    ),
];

/// Looks at Infuse's circuits and controls them, straight on Redis.
#[derive(Debug, Parser)]
#[command(
    name = "infusectl",
    version,
    long_about = "Looks at Infuse's circuits and controls them, straight on Redis.\n\nIt reads the \
                  settings that the applications read: INFUSE_* variables, and infuse.toml in the \
                  working directory or the file that INFUSE_CONFIG names. INFUSE_REDIS_URL and \
                  INFUSE_ENVIRONMENT must be theirs.\n\nA reason, and who gave it, is kept by \
                  open, close, half-open and reset if they change the state, and by isolate, \
                  observe, disable and enable as long as they hold. Nothing keeps those of \
                  clear-override.",
    after_help = "Exit status: 0 done, 1 storage not reached, command not confirmed or output not \
                  written, 2 wrong usage or settings, 3 no such circuit, 4 a circuit is not closed \
                  or is isolated (--exit-code).",
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// Read the settings from this file, whatever INFUSE_CONFIG names
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Write JSON, with circuits in the shape of the admin routes
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Wait so long for each answer of the storage; INFUSE_REDIS_TIMEOUT, if that is longer
    #[arg(long, global = true, value_name = "TIME", default_value = "2s")]
    pub(crate) timeout: String,
    /// Write what is done to the standard error
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List all circuits: those that are configured, and those that running instances announce
    ///
    /// FAILURES is how many the fleet has counted, of how many open the circuit: `2/5`. The 5 is
    /// `max_failure` of the settings read here, so use the file of the applications (--config).
    ///
    /// MODE is that of an override; else the one that the running instances announce, some seconds
    /// ago at most, and `mixed` if they differ; else that of the settings read here.
    List {
        /// Exit with 4 if a circuit is not closed, or is isolated: it rejects every call
        #[arg(long)]
        exit_code: bool,
    },
    /// Watch all circuits live; q or Ctrl-C leaves. With --json, write a line for each change
    ///
    /// FAILURES and MODE are what they are in `list`.
    Watch,
    /// Show one circuit, and what each running instance thinks of it
    Show {
        /// The circuit: `payments`, or `payments/refunds` for one below a service
        name: String,
        /// Exit with 4 if the circuit is not closed, or is isolated: it rejects every call
        #[arg(long)]
        exit_code: bool,
    },
    /// Open a circuit: calls are rejected for a time, then a trial call decides
    ///
    /// Without --for it is the reset timeout of the settings read here that holds, in every process:
    /// use the file of the applications (--config).
    Open(Opening),
    /// Close a circuit: calls pass, and failures are counted anew
    Close(Who),
    /// Open a circuit half: the next call is a trial
    HalfOpen(Who),
    /// Close a circuit and forget everything that was counted
    Reset(Who),
    /// Reject every call, whatever the state
    Isolate(Lasting),
    /// Reject no call, but go on counting, trying and telling what would have been rejected
    Observe(Lasting),
    /// Let every call through and count nothing
    Disable(Lasting),
    /// Count and reject as usual, whatever mode the settings of an application say
    Enable(Lasting),
    /// Take away what isolate, observe, disable or enable put on a circuit
    ///
    /// Nothing keeps who did, nor why: --by and --reason may be given, as with other commands, and
    /// need not.
    ClearOverride(Clearing),
    /// Write the completions of a shell to the standard output
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual page to the standard output
    Man {
        /// Write it and a page for each command into this folder instead
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
    },
}

/// Which circuit, who says so, and why.
#[derive(Debug, Args)]
pub(crate) struct Who {
    /// Why, for whoever looks at the circuit later; at most 256 bytes
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    whose: Whose,
}

/// The same where nothing keeps why.
#[derive(Debug, Args)]
pub(crate) struct Clearing {
    /// Why; nothing keeps it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    whose: Whose,
}

/// Which circuit, and who says so.
#[derive(Debug, Args)]
struct Whose {
    /// The circuit: `payments`, or `payments/refunds` for one below a service
    name: String,
    /// Who you are; your name on this machine by default
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Also where no circuit of that name is known
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Opening {
    #[command(flatten)]
    who: Who,
    /// Stay open for this time: `90s`, `10m`, `2h`, `1d`; at most 365d. By default for the reset
    /// timeout
    #[arg(long = "for", value_name = "TIME")]
    open_time: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Lasting {
    #[command(flatten)]
    who: Who,
    /// End by itself after this time: `90s`, `10m`, `2h`, `1d`; at most 365d. By default it lasts
    /// until somebody clears it
    #[arg(long = "for", value_name = "TIME")]
    lasting: Option<String>,
}

/// What is to be done with a circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) action: Action,
    pub(crate) name: String,
    pub(crate) by: String,
    pub(crate) reason: String,
    pub(crate) force: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Open it, for so long or for the reset timeout.
    Open(Option<Duration>),
    Close,
    HalfOpen,
    Reset,
    /// Put a mode above those of the settings, for so long.
    Put(Mode, Option<Duration>),
    Clear,
}

impl Command {
    /// What this orders, if it does.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] for a text or a time that cannot be.
    pub(crate) fn order(&self) -> Result<Option<Order>, Failure> {
        let time = |text: &Option<String>| text.as_deref().map(time::parse_for).transpose();
        let put = |it: &Lasting, mode| it.who.order(Action::Put(mode, time(&it.lasting)?));
        let order = match self {
            Self::Open(it) => it.who.order(Action::Open(time(&it.open_time)?)),
            Self::Close(who) => who.order(Action::Close),
            Self::HalfOpen(who) => who.order(Action::HalfOpen),
            Self::Reset(who) => who.order(Action::Reset),
            Self::Isolate(it) => put(it, Mode::Isolated),
            Self::Observe(it) => put(it, Mode::Observe),
            Self::Disable(it) => put(it, Mode::Disabled),
            Self::Enable(it) => put(it, Mode::Enabled),
            Self::ClearOverride(it) => it.whose.order(Action::Clear, it.reason.as_deref()),
            _ => return Ok(None),
        };
        order.map(Some)
    }
}

impl Who {
    fn order(&self, action: Action) -> Result<Order, Failure> {
        self.whose.order(action, Some(&self.reason))
    }
}

impl Whose {
    fn order(&self, action: Action, reason: Option<&str>) -> Result<Order, Failure> {
        let reason = reason.map(|reason| said("--reason", reason)).transpose()?.unwrap_or_default();
        let by = match &self.by {
            Some(by) => said("--by", by)?,
            None => login(),
        };
        Ok(Order { action, name: self.name.clone(), by, reason, force: self.force })
    }
}

/// A text that others will read: as admin routes want it too.
fn said(option: &str, text: &str) -> Result<String, Failure> {
    let text = text.trim();
    let wrong = if text.is_empty() {
        "say something"
    } else if text.len() > Override::MOST_TEXT {
        "use at most 256 bytes"
    } else if clean::is_clean(text) {
        return Ok(text.to_owned());
    } else {
        "use no control characters, and none that cannot be seen"
    };
    Err(Failure::Usage(format!("{option}: {wrong}")))
}

/// Who is logged in, as far as the environment says so in a text that can be shown.
fn login() -> String {
    let names = ["USER", "LOGNAME"].into_iter().filter_map(|name| env::var(name).ok());
    names.filter_map(|name| said("", &name).ok()).next().unwrap_or_else(|| "infusectl".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn order(args: &[&str]) -> Result<Option<Order>, String> {
        let args = ["infusectl"].iter().chain(args);
        let cli = Cli::try_parse_from(args).map_err(|error| error.to_string())?;
        cli.command.order().map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_command_line_is_whole() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_lasts_may_be_told_how_long() {
        let said = ["payments", "--reason", "moving", "--by", "ada", "--for", "90s"];
        let put = order(&[&["isolate"], &said[..]].concat()).unwrap().unwrap();
        assert_eq!(put.action, Action::Put(Mode::Isolated, Some(Duration::from_secs(90))));
        assert_eq!((&*put.name, &*put.by, &*put.reason), ("payments", "ada", "moving"));
        let open = order(&[&["open"], &said[..]].concat()).unwrap().unwrap();
        assert_eq!(open.action, Action::Open(Some(Duration::from_secs(90))));
        let open = order(&[&["open"], &said[..5]].concat()).unwrap().unwrap();
        assert_eq!(open.action, Action::Open(None));
        for state in ["close", "half-open", "reset", "clear-override"] {
            assert!(order(&[&[state], &said[..]].concat()).is_err(), "{state}");
            assert!(order(&[&[state], &said[..5]].concat()).unwrap().is_some(), "{state}");
        }
        for (mode, is) in
            [("observe", Mode::Observe), ("disable", Mode::Disabled), ("enable", Mode::Enabled)]
        {
            let put = order(&[&[mode], &said[..5]].concat()).unwrap().unwrap();
            assert_eq!(put.action, Action::Put(is, None));
        }
        assert_eq!(order(&["list"]), Ok(None));
    }

    #[test]
    fn a_reason_is_needed_and_can_be_shown() {
        let long = "x".repeat(257);
        for reason in ["", "  ", "a\nb", "\u{1b}[31m", "\u{202e}live", &long] {
            let wrong = order(&["open", "payments", "--reason", reason]).unwrap_err();
            assert!(wrong.starts_with("--reason: "), "{wrong}");
            assert!(clean::is_clean(&wrong), "{wrong:?}");
        }
        for command in ["open", "close", "half-open", "reset", "isolate", "enable"] {
            assert!(order(&[command, "payments"]).is_err(), "{command}");
        }
        // Nothing keeps it.
        let clear = order(&["clear-override", "payments"]).unwrap().unwrap();
        assert_eq!((clear.action, &*clear.reason), (Action::Clear, ""));
        assert!(order(&["clear-override", "payments", "--reason", "\u{7}"]).is_err());
        assert!(order(&["open", "payments", "--reason", &"ä".repeat(128)]).is_ok());
        let wrong = order(&["open", "payments", "--reason", "x", "--by", "\u{7}"]).unwrap_err();
        assert!(wrong.starts_with("--by: "), "{wrong}");
    }
}
