//! What is made of the command line: completions and the manual.

use std::{fs, io, path::Path, process::ExitCode};

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use crate::{
    Failure,
    args::{Cli, EXIT_STATUS},
    out,
};

const ENVIRONMENT: [(&str, &str); 4] = [
    (
        "INFUSE_*",
        "The settings of the applications, as they read them; INFUSE_REDIS_URL above all, \
         INFUSE_ENVIRONMENT, INFUSE_SERVICE_CONNECTIONS and \
         INFUSE_REDIS_KEY_NAMESPACE_TEMPLATE. They beat the file.",
    ),
    ("INFUSE_CONFIG", "The file with the settings. Default infuse.toml, if it is there."),
    ("USER, LOGNAME", "Who gives a command, without --by."),
    ("NO_COLOR", "Set to anything, there are no colours. There are none but on a terminal."),
];

const EXAMPLES: [(&str, &str); 4] = [
    ("infusectl list", "What is open, and why."),
    (
        "infusectl isolate payments --reason 'their database is moved' --for 10m",
        "No process calls payments for ten minutes.",
    ),
    (
        "infusectl show payments --exit-code",
        "Succeeds in a script if payments is closed and not isolated.",
    ),
    ("infusectl list --json | jq -r '.circuits[] | select(.state == \"open\").service'", "Names."),
];

/// Writes the completions of a shell.
pub(crate) fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "infusectl", &mut text);
    out::bytes(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the page of the whole program, or that and one for each command into a folder.
pub(crate) fn manual(folder: Option<&Path>) -> Result<ExitCode, Failure> {
    let failed = |error| Failure::Output("cannot write the manual", error);
    let page = page().map_err(failed)?;
    match folder {
        None => out::bytes(&page)?,
        Some(folder) => pages(folder, &page).map_err(failed)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn pages(folder: &Path, page: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)?;
    fs::write(folder.join("infusectl.1"), page)
}

/// The page of the whole program: with sections that clap knows nothing of.
fn page() -> io::Result<Vec<u8>> {
    let man = Man::new(Cli::command().after_help(None::<&str>)).manual("Infuse");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    section("EXIT STATUS", &EXIT_STATUS).to_writer(&mut page)?;
    section("ENVIRONMENT", &ENVIRONMENT).to_writer(&mut page)?;
    section("EXAMPLES", &EXAMPLES).to_writer(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

fn section(name: &str, lines: &[(&str, &str)]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [name]);
    for (term, text) in lines {
        roff.control("TP", []).text([bold(*term)]).text([roman(*text)]);
    }
    roff
}
