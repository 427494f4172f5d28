//! What a `Config` says about Infuse, before it is judged: one value for each setting.

use std::collections::{BTreeMap, BTreeSet};

use config::{Config, Value, ValueKind};

use super::{
    ServiceName,
    entry::{Entry, is_unset, text},
    key::{self, Class, Key},
    nearest,
    problem::{Report, SettingsProblem},
    redact::{self, Secrecy},
};

/// The origin that the crate config gives to what it read from the environment.
const ENVIRONMENT: &str = "the environment";

/// Tables within tables that are looked into. Ours are four deep, five with `_` as separator taken
/// out of the longest key.
const DEPTH: usize = 12;

/// One value for each setting that has one.
#[derive(Debug, Default)]
pub(super) struct Values {
    entries: BTreeMap<Key, Entry>,
}

impl Values {
    /// Reads what is Infuse's in a `Config`. What stands under other names is not looked at.
    pub(super) fn collect(config: &Config, report: &mut Report) -> Self {
        let mut collector = Collector { report, found: BTreeMap::new(), tables: BTreeMap::new() };
        if let ValueKind::Table(root) = &config.cache.kind {
            for (name, value) in root.iter().filter(|(name, _)| key::is_ours(name)) {
                collector.walk(&mut vec![name.clone()], value);
            }
        }
        collector.finish()
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.entries.keys()
    }
}

struct Collector<'a> {
    report: &'a mut Report,
    /// By rank: what the environment says beats what anything else says.
    found: BTreeMap<(Key, bool), Vec<Entry>>,
    /// How the tables of services are spelt.
    tables: BTreeMap<ServiceName, BTreeMap<String, String>>,
}

impl Collector<'_> {
    fn walk(&mut self, path: &mut Vec<String>, value: &Value) {
        match &value.kind {
            ValueKind::Table(table) if path.len() < DEPTH => {
                for (name, value) in table {
                    path.push(name.clone());
                    self.walk(path, value);
                    path.pop();
                }
            }
            kind => self.leaf(path, kind, value.origin()),
        }
    }

    fn leaf(&mut self, path: &mut Vec<String>, kind: &ValueKind, origin: Option<&str>) {
        let from_env = origin == Some(ENVIRONMENT);
        let class = key::classify(path, !from_env);
        if is_unset(kind, from_env) && (from_env || matches!(class, Class::Key(..) | Class::Caches))
        {
            return;
        }
        let entry = Entry {
            shown_key: shown_key(path, &class, from_env),
            origin: origin.unwrap_or("the application's Config").to_owned(),
            from_env,
            kind: kind.clone(),
            secrecy: match &class {
                Class::Key(key, _) => key.secrecy(),
                _ => Secrecy::Hidden,
            },
        };
        match class {
            Class::Key(key, spelling) => {
                if let (Key::Service(name, _), Some(spelling)) = (&key, spelling) {
                    let tables = self.tables.entry(name.clone()).or_default();
                    tables.insert(spelling, entry.origin.clone());
                }
                self.found.entry((key, from_env)).or_default().push(entry);
            }
            Class::Caches => self.caches(path, kind, origin, &entry),
            Class::File if from_env => {}
            Class::Prefix if from_env => {}
            Class::File => self.stray(&entry, "only the environment can name the file to read"),
            Class::Prefix => self.stray(&entry, "not a table; write `[infuse]`"),
            Class::Services(None) => self.stray(
                &entry,
                "not a setting of Infuse; list services in INFUSE_SERVICE_CONNECTIONS, or give each \
                 its own table, `[infuse.services.<name>]`",
            ),
            Class::Services(Some(name)) => {
                let name = redact::shorten(&name);
                let url = match from_env {
                    true => format!("INFUSE_SERVICES__{}__URL", name.to_uppercase()),
                    false => format!("[infuse.services.{name}] url"),
                };
                self.stray(&entry, format!("a service is a table of settings; write `{url} = …`"));
            }
            Class::BadName(_, error) => {
                let problem = SettingsProblem::new(entry.shown_key.clone(), error.to_string());
                self.report.error(problem.of(None, &entry.origin));
            }
            Class::Unknown(unknown) => {
                let value = text(kind).unwrap_or_default();
                if from_env && key::is_service_link(&unknown, &value) {
                    return;
                }
                let remedy = nearest::remedy(&unknown, |service, name| match (service, from_env) {
                    (Some(service), true) => {
                        format!("INFUSE_SERVICES__{service}__{name}").to_uppercase()
                    }
                    (None, true) => format!("INFUSE_{}", name.to_uppercase()),
                    (Some(service), false) => format!("infuse.services.{service}.{name}"),
                    (None, false) => format!("infuse.{name}"),
                });
                self.stray(&entry, remedy);
            }
        }
    }

    /// Something that is no setting: an error in a file, whose author wrote it for Infuse. In the
    /// environment others write too. Its value is not shown, since it may be anything.
    fn stray(&mut self, entry: &Entry, message: impl Into<String>) {
        let problem = SettingsProblem::new(entry.shown_key.clone(), message.into());
        let problem = problem.of(None, &entry.origin);
        match entry.from_env {
            true => self.report.warn(problem),
            false => self.report.error(problem),
        }
    }

    /// A cache written as JSON, which is how the environment can hold a table.
    fn caches(
        &mut self,
        path: &mut Vec<String>,
        kind: &ValueKind,
        origin: Option<&str>,
        entry: &Entry,
    ) {
        let json = match kind {
            // `list_separator` parts JSON as it parts everything.
            ValueKind::Array(items) if entry.from_env => items
                .iter()
                .map(|item| text(&item.kind))
                .collect::<Option<Vec<_>>>()
                .map(|items| items.join(",")),
            kind => text(kind),
        };
        let example =
            "use `{\"infuse\": {\"HOST\": \"localhost\", \"PORT\": 6379, \"DATABASE\": 0}}`";
        match json.as_deref().map(serde_json::from_str::<serde_json::Value>) {
            Some(Ok(json @ serde_json::Value::Object(_))) => {
                self.walk(path, &from_json(json, origin.map(str::to_owned).as_ref()));
            }
            Some(Err(error)) => {
                let (line, column) = (error.line(), error.column());
                let message = format!("not JSON (line {line}, column {column}); {example}");
                self.report.error(entry.problem(message));
            }
            _ => self.report.error(entry.problem(format!("not a table of caches; {example}"))),
        }
    }

    fn finish(self) -> Values {
        for (name, spellings) in self.tables {
            if let Some((first, origin)) = spellings.first_key_value()
                && spellings.len() > 1
            {
                let names: Vec<_> = spellings.keys().map(|name| format!("`{name}`")).collect();
                let key = format!("infuse.services.{}", printable(first));
                let message = format!(
                    "{} are one service, `{name}`: case, `-` and `_` do not distinguish names; \
                     keep one table",
                    names.join(" and ")
                );
                self.report.error(SettingsProblem::new(key, message).of(None, origin));
            }
        }
        let mut values = Values::default();
        for ((key, _), mut entries) in self.found {
            entries.sort_by(|a, b| (&a.shown_key, &a.origin).cmp(&(&b.shown_key, &b.origin)));
            let mut entries = entries.into_iter();
            let Some(first) = entries.next() else { continue };
            let mut seen = BTreeSet::from([first.comparable()]);
            for other in entries {
                if seen.insert(other.comparable()) {
                    self.report.error(first.problem(format!(
                        "`{}` is the same setting and has another value, {} (from {}); keep one",
                        other.shown_key,
                        other.show(),
                        other.origin
                    )));
                }
            }
            // The environment comes second, and wins.
            values.entries.insert(key, first);
        }
        values
    }
}

fn shown_key(path: &[String], class: &Class, from_env: bool) -> String {
    let flat = key::flatten(path);
    match class {
        // What the separators of the environment were cannot be told from what became of them.
        Class::Key(key, _) if from_env && flat.contains('.') => key.variable(),
        _ if from_env && !flat.contains('.') => printable(&flat.to_uppercase()),
        _ => printable(&flat),
    }
}

/// A key for a line of text: without what could break the line, and no longer than it.
fn printable(key: &str) -> String {
    redact::shorten(&key.escape_debug().to_string())
}

fn from_json(json: serde_json::Value, origin: Option<&String>) -> Value {
    use serde_json::Value as Json;
    let kind = match json {
        Json::Null => ValueKind::Nil,
        Json::Bool(value) => ValueKind::Boolean(value),
        Json::Number(number) => ValueKind::String(number.to_string()),
        Json::String(text) => ValueKind::String(text),
        Json::Array(items) => {
            ValueKind::Array(items.into_iter().map(|item| from_json(item, origin)).collect())
        }
        Json::Object(fields) => ValueKind::Table(
            fields.into_iter().map(|(name, value)| (name, from_json(value, origin))).collect(),
        ),
    };
    Value::new(origin, kind)
}
