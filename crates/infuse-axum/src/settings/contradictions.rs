//! What in the settings of Redis does not go together.

use super::{RedisMode, RedisSettings, RedisUrl, features::Features};

/// Which setting is to be mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// The addresses, wherever they are from.
    Addresses,
    /// The number of the database, which is part of them.
    Database,
    /// This one.
    Setting(&'static str),
}

/// Settings of which each is right by itself, and which contradict each other: what is to be
/// mended, and how.
pub(super) fn find(redis: &RedisSettings, features: Features) -> Vec<(About, String)> {
    let mut found = of_addresses(&redis.urls, redis.mode, features);
    match redis.mode {
        RedisMode::Sentinel => found.extend(of_sentinels(redis)),
        _ => found.extend(without_sentinels(redis)),
    }
    found
}

fn of_addresses(urls: &[RedisUrl], mode: RedisMode, features: Features) -> Vec<(About, String)> {
    let mut found = Vec::new();
    let mut say = |about, message: &str| found.push((about, message.to_owned()));
    let tls = urls.iter().filter(|url| url.is_tls()).count();
    if tls > 0 && !features.tls {
        say(
            About::Addresses,
            "`rediss://` needs the feature `tls` of infuse-axum, which this program was built \
             without; turn it on in Cargo.toml or use `redis://`",
        );
    }
    if tls > 0 && tls < urls.len() {
        say(
            About::Addresses,
            "`redis://` and `rediss://` are mixed; use one of them for all addresses",
        );
    }
    if mode == RedisMode::Standalone {
        if urls.len() > 1 {
            say(
                About::Addresses,
                "several addresses of one server; set INFUSE_REDIS_MODE to `sentinel` or \
                 `cluster`, or keep one",
            );
        }
        return found;
    }
    if urls.windows(2).any(|pair| pair[0].login() != pair[1].login()) {
        say(
            About::Addresses,
            "users, passwords or databases differ; give all addresses the same, since they lead \
             to the same data",
        );
    }
    if mode == RedisMode::Cluster && urls.iter().any(|url| url.database() != 0) {
        say(About::Database, "a cluster has the database 0 alone; use that or leave it out");
    }
    found
}

fn of_sentinels(redis: &RedisSettings) -> Vec<(About, String)> {
    let mut found = Vec::new();
    if redis.sentinel_master.is_none() {
        found.push((
            About::Setting("redis_sentinel_master"),
            "not set, but INFUSE_REDIS_MODE is `sentinel`; set it to the name that the sentinels \
             have for the master"
                .to_owned(),
        ));
    }
    if redis.sentinel_username.is_some() && redis.sentinel_password.is_none() {
        found.push((
            About::Setting("redis_sentinel_username"),
            "a user without a password; set INFUSE_REDIS_SENTINEL_PASSWORD too".to_owned(),
        ));
    }
    found
}

fn without_sentinels(redis: &RedisSettings) -> impl Iterator<Item = (About, String)> {
    let mode = redis.mode;
    [
        ("redis_sentinel_master", redis.sentinel_master.is_some()),
        ("redis_sentinel_username", redis.sentinel_username.is_some()),
        ("redis_sentinel_password", redis.sentinel_password.is_some()),
    ]
    .into_iter()
    .filter(|(_, set)| *set)
    .map(move |(setting, _)| {
        let message = format!("INFUSE_REDIS_MODE is `{mode}`; set it to `sentinel` or remove this");
        (About::Setting(setting), message)
    })
}

#[cfg(test)]
mod tests {
    use super::{super::Secret, *};

    const ALL: Features = Features { redis: true, tls: true };

    fn redis(mode: RedisMode, urls: &[&str]) -> RedisSettings {
        let urls = urls.iter().map(|url| RedisUrl::parse(url).unwrap()).collect();
        let sentinel_master = (mode == RedisMode::Sentinel).then(|| "main".to_owned());
        RedisSettings { mode, urls, sentinel_master, ..RedisSettings::default() }
    }

    #[track_caller]
    fn check(redis: &RedisSettings, expected: &[(About, &str)]) {
        let found = find(redis, ALL);
        let about: Vec<_> = found.iter().map(|(about, _)| *about).collect();
        assert_eq!(about, expected.iter().map(|(about, _)| *about).collect::<Vec<_>>());
        for ((_, message), (_, part)) in found.iter().zip(expected) {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn what_goes_together() {
        use RedisMode::{Cluster, Sentinel, Standalone};
        for (mode, urls) in [
            (Standalone, &["redis://one/3"][..]),
            (Standalone, &["rediss://u:pw@one/3"]),
            (Sentinel, &["redis://one/3"]),
            (Sentinel, &["redis://u:pw@one/3", "redis://u:pw@two:1/3"]),
            (Cluster, &["redis://one"]),
            (Cluster, &["redis://:pw@one/0", "redis://:pw@two"]),
        ] {
            assert_eq!(find(&redis(mode, urls), ALL), [], "{mode} {urls:?}");
        }
        let mut sentinel = redis(Sentinel, &["redis://one"]);
        sentinel.sentinel_password = Some(Secret::new("pw"));
        assert_eq!(find(&sentinel, ALL), []);
        sentinel.sentinel_username = Some("watcher".to_owned());
        assert_eq!(find(&sentinel, ALL), []);
    }

    #[test]
    fn addresses() {
        use About::{Addresses, Database};
        use RedisMode::{Cluster, Sentinel, Standalone};
        let differ = [(Addresses, "users, passwords or databases differ")];
        for (mode, urls, expected) in [
            (Standalone, &["redis://one", "redis://two"][..], &[(Addresses, "several")][..]),
            (
                Standalone,
                &["redis://one", "rediss://two"],
                &[(Addresses, "mixed"), (Addresses, "several")],
            ),
            (Cluster, &["redis://one", "rediss://two"], &[(Addresses, "mixed")]),
            (Sentinel, &["rediss://one", "rediss://two", "redis://two"], &[(Addresses, "mixed")]),
            (Cluster, &["redis://one/1"], &[(Database, "the database 0 alone")]),
            (Sentinel, &["redis://one/1", "redis://two/2"], &differ),
            (Sentinel, &["redis://one/1", "redis://two"], &differ),
            (Sentinel, &["redis://:a@one", "redis://two"], &differ),
            (Cluster, &["redis://:a@one", "redis://:a@two", "redis://:b@three"], &differ),
            (Cluster, &["redis://a:x@one", "redis://b:x@two"], &differ),
        ] {
            check(&redis(mode, urls), expected);
        }
    }

    #[test]
    fn tls_that_was_not_built_in() {
        let without = Features { tls: false, ..ALL };
        let found = find(&redis(RedisMode::Standalone, &["rediss://one"]), without);
        assert_eq!(found[0].0, About::Addresses);
        assert!(found[0].1.contains("the feature `tls` of infuse-axum"), "{}", found[0].1);
        assert_eq!(find(&redis(RedisMode::Standalone, &["redis://one"]), without), []);
    }

    #[test]
    fn sentinels() {
        let mut settings = redis(RedisMode::Sentinel, &["redis://one"]);
        settings.sentinel_master = None;
        settings.sentinel_username = Some("watcher".to_owned());
        check(
            &settings,
            &[
                (About::Setting("redis_sentinel_master"), "not set, but"),
                (About::Setting("redis_sentinel_username"), "without a password"),
            ],
        );
        settings.sentinel_master = Some("main".to_owned());
        settings.sentinel_password = Some(Secret::new("pw"));
        for mode in [RedisMode::Standalone, RedisMode::Cluster] {
            settings.mode = mode;
            let remedy = format!("INFUSE_REDIS_MODE is `{mode}`; set it to `sentinel`");
            check(
                &settings,
                &[
                    (About::Setting("redis_sentinel_master"), &remedy),
                    (About::Setting("redis_sentinel_username"), &remedy),
                    (About::Setting("redis_sentinel_password"), &remedy),
                ],
            );
        }
    }
}
