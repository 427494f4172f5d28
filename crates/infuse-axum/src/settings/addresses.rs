//! The addresses of Redis, and which setting they are from.

use super::{
    RedisUrl,
    key::Key,
    problem::SettingsProblem,
    reader::{Reader, whole},
};

/// The addresses, and the setting that they are from. What is wrong is reported.
pub(super) fn read(reader: &mut Reader<'_>) -> (Vec<RedisUrl>, Key) {
    let url = Key::General("redis_url");
    let host = Key::Cache("host");
    let urls = reader.many_split(&url, RedisUrl::split, RedisUrl::parse);
    let cache = cache(reader);
    let from_env = |key: &Key| reader.entry(key).is_some_and(|entry| entry.from_env);
    let (Some(urls), Some(cache)) = (&urls, &cache) else {
        return match urls {
            Some(urls) => (urls, url),
            None => (cache.into_iter().collect(), host),
        };
    };
    let cache_from_env = ["host", "port", "database"].map(Key::Cache).iter().any(from_env);
    match (from_env(&url), cache_from_env) {
        (false, true) => return (vec![cache.clone()], host),
        (true, false) => return (urls.clone(), url),
        _ => {}
    }
    let same = matches!(urls.as_slice(), [url] if url.server() == cache.server());
    if let (Some(entry), Some(other), false) = (reader.entry(&url), reader.entry(&host), same) {
        let message = format!(
            "`{}` gives another address, \"{cache}\" (from {}); keep one",
            other.shown_key, other.origin
        );
        reader.report.error(entry.problem(message));
    }
    (urls.clone(), url)
}

/// The address in `INFUSE_CACHES`.
fn cache(reader: &mut Reader<'_>) -> Option<RedisUrl> {
    let host = Key::Cache("host");
    let port = reader.one(&Key::Cache("port"), whole(1..=65_535));
    let database = reader.one(&Key::Cache("database"), whole(0..=u32::MAX));
    if reader.entry(&host).is_none() {
        let others = [Key::Cache("port"), Key::Cache("database")];
        if let Some(entry) = others.iter().find_map(|key| reader.entry(key)) {
            let message = format!("not set, but `{}` is; set it too", entry.shown_key);
            reader.report.error(SettingsProblem::new(host.variable(), message));
        }
        return None;
    }
    let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(6379);
    reader.one(&host, |host| RedisUrl::from_parts(host, port, database.unwrap_or(0)))
}
