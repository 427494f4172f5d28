//! One server: it starts, does as it is told, and never outlives its test.

#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpStream},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use infuse_test_servers::{RedisServer, Reply};
use tokio::time::timeout;

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[tokio::test]
async fn it_starts_empty_and_answers() {
    let (one, other) = tokio::join!(RedisServer::start(), RedisServer::start());
    assert_ne!(one.port(), other.port());
    assert_eq!(one.url(), format!("redis://127.0.0.1:{}", one.port()));
    assert_eq!(one.url_db(3), format!("redis://127.0.0.1:{}/3", one.port()));

    assert_eq!(one.command(&["PING"]).await, Ok(Reply::Status("PONG".into())));
    one.set("a", "1").await.unwrap();
    assert_eq!(one.get("a").await.unwrap().as_deref(), Some("1"));
    assert_eq!(one.get("b").await, Ok(None));
    assert_eq!(one.command(&["INCR", "a"]).await, Ok(Reply::Int(2)));
    assert_eq!(one.keys("*").await.unwrap(), ["a"]);
    assert_eq!(other.keys("*").await.unwrap(), [""; 0]);
    let error = one.command(&["LPUSH", "a", "1"]).await.unwrap_err();
    assert!(error.starts_with("WRONGTYPE"), "{error}");
    assert_eq!(one.info("server").await.unwrap()["tcp_port"], one.port().to_string());
}

#[tokio::test]
async fn it_is_killed_when_dropped() {
    let redis = RedisServer::start().await;
    let port = redis.port();
    assert!(listens(port));
    drop(redis);
    assert!(!listens(port));
}

/// A process that has a server, and the port of that.
fn owner() -> (Child, u16) {
    let mut owner = Command::new(env!("CARGO_BIN_EXE_throwaway-redis"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(owner.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let port = url.trim().rsplit(':').next().unwrap().parse().unwrap();
    (owner, port)
}

fn until_gone(port: u16) {
    let began = Instant::now();
    while listens(port) {
        assert!(began.elapsed() < Duration::from_secs(20), "it outlived its process");
        sleep(Duration::from_millis(2));
    }
}

#[test]
fn it_does_not_outlive_a_process_that_is_killed() {
    let (mut owner, port) = owner();
    assert!(listens(port));
    let folder = std::env::temp_dir().join(format!("infuse-redis-{}-0", owner.id()));
    assert!(folder.exists());
    owner.kill().unwrap();
    owner.wait().unwrap();
    until_gone(port);
    assert!(!folder.exists());
}

#[test]
fn it_does_not_outlive_a_test_that_panics() {
    let (send, receive) = std::sync::mpsc::channel();
    let test = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let redis = RedisServer::start().await;
            send.send(redis.port()).unwrap();
            panic!("on purpose");
        });
    });
    let port = receive.recv().unwrap();
    assert!(test.join().is_err());
    assert!(!listens(port));
}

#[tokio::test]
async fn it_counts_commands() {
    let redis = RedisServer::start().await;
    redis.set("a", "1").await.unwrap();
    redis.reset_stats().await.unwrap();
    for _ in 0..3 {
        redis.get("a").await.unwrap();
    }
    redis.command(&["EVAL", "return redis.call('GET', KEYS[1])", "1", "a"]).await.unwrap();
    let stats = redis.commandstats().await.unwrap();
    assert_eq!(stats["get"], 4);
    assert_eq!(stats["eval"], 1);
    assert!(!stats.contains_key("set"), "{stats:?}");
    assert!(redis.commands_processed().await.unwrap() >= 5);
}

#[tokio::test]
async fn a_monitor_hears_what_is_said() {
    let redis = RedisServer::start().await;
    let monitor = redis.monitor().await.unwrap();
    redis.set("a", "1").await.unwrap();
    redis.command(&["EVAL", "return redis.call('DEL', KEYS[1])", "1", "a"]).await.unwrap();
    timeout(Duration::from_secs(20), async {
        while monitor.scripted().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .unwrap();
    let sent = monitor.sent();
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent[0].ends_with(r#""SET" "a" "1""#), "{sent:?}");
    assert!(monitor.scripted()[0].ends_with(r#""DEL" "a""#), "{:?}", monitor.lines());
    monitor.clear();
    assert_eq!(monitor.lines(), [""; 0]);
}

#[tokio::test]
async fn it_hears_subscriptions() {
    let redis = RedisServer::start().await;
    let mut subscriber = redis.connect().await.unwrap();
    subscriber.command(&["SUBSCRIBE", "news"]).await.unwrap();
    assert_eq!(redis.command(&["PUBLISH", "news", "good"]).await, Ok(Reply::Int(1)));
    assert_eq!(subscriber.next().await.unwrap().texts(), ["message", "news", "good"]);
}

#[tokio::test]
async fn it_stands_still_and_goes_on() {
    let redis = RedisServer::start().await;
    redis.set("a", "1").await.unwrap();
    redis.stop_signal();
    assert!(redis.runs());
    assert!(listens(redis.port()));
    let silent = timeout(Duration::from_millis(300), redis.get("a")).await;
    assert!(silent.is_err(), "{silent:?}");
    redis.cont_signal();
    assert_eq!(redis.get("a").await.unwrap().as_deref(), Some("1"));
    // A server that stands still does not outlive its test either.
    redis.stop_signal();
    let port = redis.port();
    drop(redis);
    assert!(!listens(port));
}

#[tokio::test]
async fn it_restarts_empty_on_its_port() {
    let redis = RedisServer::start().await;
    let port = redis.port();
    redis.set("a", "1").await.unwrap();
    redis.kill();
    assert!(!redis.runs());
    assert!(!listens(port));
    assert!(redis.get("a").await.is_err());
    redis.restart().await;
    assert_eq!(redis.port(), port);
    assert_eq!(redis.get("a").await, Ok(None));
    // And without having been killed before.
    redis.set("a", "1").await.unwrap();
    redis.restart().await;
    assert_eq!(redis.get("a").await, Ok(None));

    redis.shutdown().await;
    assert!(!listens(port));
    assert!(redis.log().contains("ready to exit"), "{}", redis.log());
    let other = RedisServer::builder().port(port).start().await;
    assert_eq!(other.port(), port);
}

#[tokio::test]
async fn it_takes_settings_passwords_and_users() {
    let redis = RedisServer::builder()
        .arg("--maxmemory", "1mb")
        .arg("--client-output-buffer-limit", "pubsub 1mb 512kb 7")
        .password("pass word")
        .user_acl("app on >secret ~infuse:* &* +@all")
        .start()
        .await;
    assert_eq!(redis.url(), format!("redis://:pass%20word@127.0.0.1:{}", redis.port()));
    let limit = redis.command(&["CONFIG", "GET", "maxmemory"]).await.unwrap();
    assert_eq!(limit.named("maxmemory").and_then(Reply::int), Some(1024 * 1024));

    let mut app = redis.connect().await.unwrap();
    app.command(&["AUTH", "app", "secret"]).await.unwrap();
    app.command(&["SET", "infuse:a", "1"]).await.unwrap();
    let error = app.command(&["SET", "a", "1"]).await.unwrap_err();
    assert!(error.starts_with("NOPERM"), "{error}");
}

#[tokio::test]
#[should_panic(expected = "Bad directive")]
async fn it_says_why_it_does_not_start() {
    RedisServer::builder().arg("--no-such-setting", "1").start().await;
}
