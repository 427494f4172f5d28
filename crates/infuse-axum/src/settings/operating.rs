//! How the application is operated: what it is called, who may look at it and control it, and what
//! it depends on.

use super::{
    Secret, ServiceName, Settings,
    key::Key,
    problem::SettingsProblem,
    reader::{Reader, none_or},
};

/// Fewer characters can be guessed.
const SHORTEST_TOKEN: usize = 16;
/// Longer ones do not fit into headers everywhere.
const LONGEST_TOKEN: usize = 512;
const LONGEST_NAME: usize = 128;

/// Reads it all. The services must have been read before.
pub(super) fn resolve(reader: &mut Reader<'_>, settings: &mut Settings) {
    let key = Key::General;
    if let Some(name) = reader.one(&key("instance_name"), instance_name) {
        settings.instance_name = name;
    }
    settings.admin_token = reader.one(&key("admin_token"), token).flatten();
    settings.admin_read_token = reader.one(&key("admin_read_token"), token).flatten();
    if settings.admin_token.is_some() && settings.admin_token == settings.admin_read_token {
        let problem = SettingsProblem::new(
            key("admin_read_token").variable(),
            "the same as INFUSE_ADMIN_TOKEN, so that whoever may look may change things too; use \
             another, or remove this"
                .to_owned(),
        );
        reader.report.error(problem);
    }
    ready_services(reader, settings);
}

fn instance_name(text: &str) -> Result<String, String> {
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        return Err(format!("{c:?} is not allowed; use printable characters"));
    }
    if text.chars().count() > LONGEST_NAME {
        return Err(format!("too long; use at most {LONGEST_NAME} characters"));
    }
    Ok(text.to_owned())
}

/// A token as the header `Authorization: Bearer` can hold it (RFC 6750), `None` for `none`.
fn token(text: &str) -> Result<Option<Secret>, String> {
    none_or(text, |text| {
        // Which character it is would show a part of it.
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
        if !text.bytes().all(allowed) {
            return Err("a character that is not allowed; use letters, digits and `-._~+/=`, as \
                        `openssl rand -hex 32` writes them"
                .to_owned());
        }
        match text.len() {
            ..SHORTEST_TOKEN => Err(format!("too short; use at least {SHORTEST_TOKEN} characters")),
            SHORTEST_TOKEN..=LONGEST_TOKEN => Ok(Secret::new(text)),
            _ => Err(format!("too long; use at most {LONGEST_TOKEN} characters")),
        }
    })
}

fn ready_services(reader: &mut Reader<'_>, settings: &mut Settings) {
    let key = Key::General("ready_services");
    let names =
        reader.many(&key, |text| settings.canonical(text).map_err(|error| error.to_string()));
    let Some(names) = names else { return };
    let unknown = |name: &&ServiceName| {
        !settings.services.contains_key(*name) && !settings.circuits.contains_key(*name)
    };
    if let Some(entry) = reader.entry(&key) {
        for name in names.iter().filter(unknown) {
            reader.report.warn(entry.problem(format!(
                "nothing is configured for `{name}`: unless code makes a circuit of this name, it \
                 has no effect"
            )));
        }
    }
    settings.ready_services = names;
}
