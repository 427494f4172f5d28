//! `load_config` in a process of its own, since it reads the environment and the working directory.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use infuse_axum::settings::{KnownNames, Settings, load_config};

/// Not a test by itself: what the others run, in another directory and environment.
#[test]
fn child() {
    if env::var_os("LOAD_CONFIG_CHILD").is_none() {
        return;
    }
    let text = match load_config() {
        Err(error) => match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
        Ok(config) => match Settings::from_config(&config, &KnownNames::default()) {
            Err(errors) => errors.to_string(),
            Ok((settings, warnings)) => {
                assert!(warnings.is_empty(), "{warnings:?}");
                format!("{} {:?}", settings.breaker.max_failure.unwrap(), settings.trip_rest)
            }
        },
    };
    fs::write("result", text).unwrap();
}

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("load_config").join(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.0.join(name), content).unwrap();
        self
    }

    #[track_caller]
    fn load(&self, vars: &[(&str, &str)]) -> String {
        let mut command = Command::new(env::current_exe().unwrap());
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().to_lowercase().starts_with("infuse") {
                command.env_remove(name);
            }
        }
        let output = command
            .args(["--exact", "files::child"])
            .current_dir(&self.0)
            .env("LOAD_CONFIG_CHILD", "1")
            .envs(vars.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        fs::read_to_string(self.0.join("result")).unwrap()
    }
}

const FILE: &str = "[infuse]\nbreaker_max_failure = 7\ntrip_rest = 2\n";

#[test]
fn the_file_in_the_working_directory_and_the_environment() {
    assert_eq!(Dir::new("nothing").load(&[]), "5 250ms");
    let dir = Dir::new("both").file("infuse.toml", FILE);
    assert_eq!(dir.load(&[]), "7 2s");
    assert_eq!(dir.load(&[("INFUSE_BREAKER_MAX_FAILURE", "9")]), "9 2s");
    assert_eq!(dir.load(&[("INFUSE_BREAKER_MAX_FAILURE", "")]), "7 2s");
    assert_eq!(
        dir.load(&[("INFUSE_BREAKER_MAX_FAILURE", "x"), ("INFUSE_CONFIG", "")]),
        "INFUSE_BREAKER_MAX_FAILURE = \"x\" (from the environment): not a whole number; use 1 to 65535"
    );
}

#[test]
fn a_file_is_named_in_its_errors() {
    let dir = Dir::new("wrong").file("infuse.toml", "infuse.trip_rest = 0\ninfuse.trip_graze = 1");
    assert_eq!(
        dir.load(&[]),
        "infuse.trip_graze (from infuse.toml): not a setting of Infuse; did you mean \
         `infuse.trip_grace`?\n\
         infuse.trip_rest = 0 (from infuse.toml): must be greater than 0; use 1ms to 1m"
    );
}

#[test]
fn a_named_file_takes_the_place_of_the_other() {
    let dir =
        Dir::new("named").file("infuse.toml", FILE).file("other.conf", "infuse.trip_rest = 3");
    assert_eq!(dir.load(&[("INFUSE_CONFIG", "other.conf")]), "5 3s");
    // Not `other.conf`, which the crate config would not find, nor `infuse.toml`, which it would.
    for missing in ["missing.toml", "infuse"] {
        let error = dir.load(&[("INFUSE_CONFIG", missing)]);
        let start = format!("cannot read {missing}, the file that INFUSE_CONFIG names: ");
        assert!(error.starts_with(&start), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_never_passed_over() {
    let dir = Dir::new("directory");
    fs::create_dir(dir.0.join("infuse.toml")).unwrap();
    assert!(dir.load(&[]).starts_with("cannot read infuse.toml: "), "{}", dir.load(&[]));
    let dir = Dir::new("bytes").file("infuse.toml", b"infuse.service_name = '\xff'");
    assert_eq!(dir.load(&[]), "infuse.toml: not UTF-8");
    let dir = Dir::new("mark").file("infuse.toml", format!("\u{feff}{FILE}"));
    assert_eq!(dir.load(&[]), "7 2s");
}

#[test]
fn a_file_that_does_not_parse_shows_where_and_no_password() {
    let dir = Dir::new("syntax").file("infuse.toml", "[infuse]\nredis_url = redis://:hunter2@a");
    let error = dir.load(&[]);
    assert!(error.starts_with("infuse.toml: TOML parse error at line 2, column 13: "), "{error}");
    assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
}

#[test]
fn a_setting_outside_of_the_table_is_an_error() {
    for (name, text) in [
        ("breaker_max_failure", "breaker_max_failure = 3\n[infuse]\ntrip_rest = 1"),
        ("services", "[services.payments]\nurl = 'http://a'"),
    ] {
        let dir = Dir::new("outside").file("infuse.toml", text);
        assert_eq!(
            dir.load(&[]),
            format!("infuse.toml: `{name}` stands outside of the table; put it under `[infuse]`")
        );
    }
    let dir = Dir::new("own").file("infuse.toml", format!("title = 'mine'\n{FILE}"));
    assert_eq!(dir.load(&[]), "7 2s");
}

#[test]
fn a_table_that_is_nearly_ours_is_an_error() {
    for name in ["infus", "Infused", "inufse"] {
        let dir = Dir::new("misspelt").file("infuse.toml", format!("[{name}]\ntrip_rest = 1"));
        let expected = format!("infuse.toml: `{name}` is not looked at; did you mean `infuse`?");
        assert_eq!(dir.load(&[]), expected);
    }
}

#[cfg(unix)]
#[test]
fn variables_that_cannot_be_read() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let dir = Dir::new("unicode");
    let rubbish = |name: &str| {
        let mut command = Command::new(env::current_exe().unwrap());
        let output = command
            .args(["--exact", "files::child"])
            .current_dir(&dir.0)
            .env("LOAD_CONFIG_CHILD", "1")
            .env(name, OsStr::from_bytes(b"hunter2\xff"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        fs::read_to_string(dir.0.join("result")).unwrap()
    };
    assert_eq!(
        rubbish("INFUSE_REDIS_URL"),
        "the variable INFUSE_REDIS_URL is not Unicode; set it to text or unset it"
    );
    assert_eq!(rubbish("SOMEBODY_ELSES"), "5 250ms");
    assert_eq!(
        dir.load(&[("INFUSE_TRIP_REST", "1"), ("infuse_trip_rest", "2")]),
        "the variable INFUSE_TRIP_REST is set twice, in upper and in lower case; unset one"
    );
}
