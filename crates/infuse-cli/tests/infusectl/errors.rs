use infuse_test_servers::RedisServer;

use crate::ctl::Ctl;

/// Each of the commands that need the circuits.
const COMMANDS: [&[&str]; 4] = [
    &["list"],
    &["show", "payments"],
    &["open", "payments", "--reason", "x"],
    &["watch", "--json"],
];

#[tokio::test]
async fn circuits_in_memory_are_nobody_else_s() {
    for ctl in [
        Ctl::new(),
        Ctl::new().with("INFUSE_STORAGE", "memory"),
        Ctl::new().with("INFUSE_REDIS_URL", "none"),
    ] {
        for command in COMMANDS {
            let said = ctl.fails(2, command).await;
            assert!(said.contains("set INFUSE_REDIS_URL"), "{said}");
        }
    }
}

#[tokio::test]
async fn settings_that_are_wrong_are_all_told() {
    let ctl = Ctl::new()
        .with("INFUSE_REDIS_URL", "redis://user:hunter2@127.0.0.1:1")
        .with("INFUSE_BREAKER_MAX_FAILURE", "many")
        .with("INFUSE_SYNC_INTERVAL", "soon")
        .with("INFUSE_BREAKER_MAX_FAILURES", "3");
    let said = ctl.fails(2, &["list"]).await;
    for part in [
        "INFUSE_BREAKER_MAX_FAILURE = ",
        "INFUSE_SYNC_INTERVAL = ",
        "warning: INFUSE_BREAKER_MAX_FAILURES",
    ] {
        assert!(said.contains(part), "{said}");
    }
    ctl.file("bad.toml", "[infuse\n");
    let said = ctl.fails(2, &["list", "--config", "bad.toml"]).await;
    assert!(said.contains("bad.toml"), "{said}");
    let said = ctl.fails(2, &["list", "--config", "none.toml"]).await;
    assert!(said.contains("cannot read none.toml: "), "{said}");
}

#[tokio::test]
async fn a_setting_that_is_misspelt_is_a_warning() {
    let redis = RedisServer::start().await;
    let ctl = Ctl::of(&redis).with("INFUSE_ENVIROMENT", "production");
    let done = ctl.run(&["list"]).await;
    assert_eq!(done.code, 0);
    assert!(done.stderr.contains("warning: INFUSE_ENVIROMENT"), "{}", done.stderr);
    assert!(done.stdout.starts_with("CIRCUIT"), "{}", done.stdout);
}

#[tokio::test]
async fn a_storage_that_is_gone_is_told_without_secrets() {
    let redis = RedisServer::builder().password("hunter2").start().await;
    let ctl = Ctl::of(&redis);
    for command in COMMANDS.into_iter().take(3) {
        ctl.ok(command).await;
    }
    redis.kill();
    for command in COMMANDS {
        let said = ctl.fails(1, command).await;
        assert!(said.contains("127.0.0.1") && !said.contains("hunter2"), "{said}");
        assert!(said.to_lowercase().contains("refused"), "{said}");
    }
}

#[tokio::test]
async fn a_storage_that_stands_still_is_not_waited_for_longer_than_is_said() {
    let redis = RedisServer::start().await;
    let ctl = Ctl::of(&redis);
    redis.stop_signal();
    for command in COMMANDS {
        let said = ctl.fails(1, &[command, &["--timeout", "200ms"]].concat()).await;
        assert!(said.contains("within 200ms"), "{said}");
    }
    redis.cont_signal();
    ctl.ok(&["list"]).await;
}

#[tokio::test]
async fn a_wrong_password_is_an_error_of_the_storage() {
    let redis = RedisServer::builder().password("hunter2").start().await;
    let url = format!("redis://:hunter3@127.0.0.1:{}", redis.port());
    let said = Ctl::new().with("INFUSE_REDIS_URL", &url).fails(1, &["list"]).await;
    assert!(!said.contains("hunter"), "{said}");
}

#[tokio::test]
async fn a_command_line_that_is_wrong_is_told_before_anything_else() {
    let ctl = Ctl::new();
    let bell = "\u{7}";
    for args in [
        &[][..],
        &["lits"],
        &["list", "payments"],
        &["show"],
        &["open", "payments"],
        &["open", "payments", "--reason", ""],
        &["open", "payments", "--reason", " \t "],
        &["open", "payments", "--reason", bell],
        &["open", "payments", "--reason", "x", "--by", bell],
        &["open", "payments", "--reason", "x", "--for", "10m"],
        &["isolate", "payments", "--reason", "x", "--for", "soon"],
        &["isolate", "payments", "--reason", "x", "--for", "400d"],
        &["isolate", "payments", "--reason", &"x".repeat(257)],
        &["completions", "tcsh"],
    ] {
        ctl.fails(2, args).await;
    }
    let redis = RedisServer::start().await;
    Ctl::of(&redis).fails(2, &["list", "--timeout", "0"]).await;
    let said = Ctl::of(&redis).fails(2, &["watch"]).await;
    assert!(said.contains("use `watch --json`"), "{said}");
    Ctl::of(&redis).fails(2, &["watch", "-v"]).await;
}

#[tokio::test]
async fn hostile_names_are_refused_and_shown_as_what_they_are() {
    let redis = RedisServer::start().await;
    let ctl = Ctl::of(&redis);
    let long = "a".repeat(300);
    for name in [
        "",
        " ",
        "pay ments",
        "../payments",
        "payments/..",
        "payments/a/b",
        "payments:state",
        "{payments}",
        "*",
        "payments\nusers",
        "payments\u{1b}[2J\u{1b}]0;owned\u{7}",
        "payments\u{9b}31m",
        "\u{202e}stnemyap",
        "päyments",
        "<script>alert(1)</script>",
        "'; FLUSHALL",
        &long,
    ] {
        for args in [
            &["show", "--", name][..],
            &["open", "--reason", "x", "--force", "--", name],
            &["isolate", "--reason", "x", "--force", "--", name],
        ] {
            let said = ctl.fails(2, args).await;
            assert!(said.contains("no circuit can be called"), "{said}");
            assert!(!said.contains('\u{202e}'), "{said:?}");
        }
    }
    assert_eq!(redis.keys("*").await.unwrap(), Vec::<String>::new());
}

/// What stands in Redis is others' word too.
#[tokio::test]
async fn hostile_reasons_control_no_terminal() {
    use infuse_storage::{Mode, Override, Policy};

    let redis = RedisServer::start().await;
    let circuits = crate::ctl::application(&redis);
    let over = Override::new(Mode::Isolated).by("eve\u{1b}[2J").because("a\nb\u{9b}31m\u{202e}");
    let payments = circuits.circuit("payments", Policy::default());
    assert_eq!(payments.set_override(Some(over)).await, infuse_storage::Reach::Fleet);
    let ctl = Ctl::of(&redis);
    // That nothing in them controls a terminal is seen to by whoever runs them.
    for args in [&["list"][..], &["show", "payments"]] {
        let said = ctl.ok(args).await;
        assert!(said.contains("isolated by eve�[2J: a�b�31m�"), "{said:?}");
    }
    let listed = ctl.ok(&["list", "--json"]).await;
    assert!(!listed.contains('\u{202e}'), "{listed:?}");
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["circuits"][0]["override"]["reason"], "a\nb\u{9b}31m\u{202e}");
}

#[tokio::test]
async fn whoever_reads_no_further_is_no_error() {
    let redis = RedisServer::start().await;
    let ctl = Ctl::of(&redis);
    let mut child = ctl.command(crate::ctl::PROGRAM, &["list"]).spawn().unwrap();
    drop(child.stdout.take());
    let done = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(done.stderr.is_empty(), "{done:?}");
}

#[tokio::test]
async fn what_is_done_is_logged_if_it_is_asked_for() {
    let redis = RedisServer::start().await;
    let ctl = Ctl::of(&redis);
    let mut command = ctl.command(crate::ctl::PROGRAM, &["list", "--verbose"]);
    let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let log = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success() && log.contains("circuits are shared through Redis"), "{log}");
}
