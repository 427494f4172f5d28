//! Over real sockets where there is a way to lack something.

use std::{fs::File, process::Command, sync::Arc, time::Duration};

use http::Method;
use infuse_storage::{Outcome, core::Verdict as Said};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{
    ServiceError, ServiceErrorKind, ServiceRequest,
    client::{
        Transport,
        network::{Network, build},
        path::BaseUrl,
        resolver::Bounded,
        script::{Script, Step},
        service::Target,
        verdict::Verdict,
    },
};

#[test]
fn what_we_lack_is_ours() {
    for kind in [io::ErrorKind::AddrNotAvailable, io::ErrorKind::OutOfMemory] {
        assert_eq!(of(&axum::Error::new(io::Error::from(kind))), Origin::Local, "{kind:?}");
    }
    for code in NO_MORE_FILES {
        let error = io::Error::other(io::Error::from_raw_os_error(code));
        assert_eq!(of(&error), Origin::Local, "{error}");
    }
    for kind in [
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::TimedOut,
        io::ErrorKind::HostUnreachable,
        io::ErrorKind::Other,
    ] {
        assert_eq!(of(&io::Error::from(kind)), Origin::Service, "{kind:?}");
    }
}

#[tokio::test]
async fn a_transport_that_resolves_names_itself_is_understood() {
    let error = tokio::net::TcpStream::connect("name.invalid:80").await.unwrap_err();
    assert_eq!(of(&error), Origin::Local, "{error:?}");
}

fn client() -> reqwest::Client {
    Network::default().client(0, false).unwrap()
}

/// The error of a call that reads its answer, and the verdict on it.
async fn failing_by(
    client: reqwest::Client,
    url: &str,
    build: impl FnOnce(ServiceRequest) -> ServiceRequest,
) -> (ServiceError, Said) {
    let mut target = Target::test(Transport::Network(client));
    target.base = BaseUrl::new(&url.parse().unwrap());
    let target = target.with(|rules| rules.timeout = Some(Duration::from_secs(30)));
    let (verdict, recorder) = Verdict::recorded(Arc::new(target));
    let request = ServiceRequest::new(verdict.target.clone(), None, Method::POST, &"a");
    let error = match build(request).send_with(verdict).await {
        Ok(answer) => answer.error_for_status().err(),
        Err(error) => Some(error),
    };
    (error.expect("it fails"), recorder.verdict().expect("it is judged"))
}

async fn failing(url: &str) -> (ServiceErrorKind, Outcome, Origin) {
    failing_within(url, Duration::from_secs(30)).await
}

async fn failing_within(url: &str, time: Duration) -> (ServiceErrorKind, Outcome, Origin) {
    let (error, said) = failing_by(client(), url, |request| request.timeout(time)).await;
    (error.kind(), said.outcome, said.origin)
}

/// Answers every connection with this, and closes it; or says nothing.
async fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut hanging = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            if answer == HANG {
                hanging.push(stream);
                continue;
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    url
}

const HANG: &str = "hang";

#[tokio::test]
async fn a_name_that_is_not_resolved_is_our_failure() {
    let failed = failing("http://name.invalid").await;
    assert_eq!(failed, (ServiceErrorKind::Connect, Outcome::Failure, Origin::Local));
}

struct Silent;

impl reqwest::dns::Resolve for Silent {
    fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_does_not_answer_is_our_failure() {
    assert_eq!(of(&axum::Error::new(NoAnswer)), Origin::Local);
    let client = build(0, false, Bounded(Silent)).unwrap();
    let (error, said) = failing_by(client, "http://payments", |request| request).await;
    assert_eq!(error.kind(), ServiceErrorKind::Connect, "{error:?}");
    assert_eq!((said.outcome, said.origin), (Outcome::Failure, Origin::Local), "{error:?}");
}

#[tokio::test]
async fn an_address_that_is_not_to_be_had_is_our_failure() {
    let url = server("").await;
    // TEST-NET-1, which no machine has.
    let builder = reqwest::Client::builder().no_proxy().local_address(Some([192, 0, 2, 1].into()));
    #[cfg(feature = "tls")]
    let builder = builder.tls_certs_only([]);
    let (error, said) = failing_by(builder.build().unwrap(), &url, |request| request).await;
    assert_eq!(error.kind(), ServiceErrorKind::Connect, "{error:?}");
    assert_eq!((said.outcome, said.origin), (Outcome::Failure, Origin::Local));
}

#[tokio::test]
async fn what_the_service_does_is_the_services() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let failed = failing(&format!("http://{free}")).await;
    assert_eq!(failed, (ServiceErrorKind::Connect, Outcome::Failure, Origin::Service));
    for (answer, kind) in [
        ("", ServiceErrorKind::Disconnect),
        ("nonsense\r\n\r\n", ServiceErrorKind::Disconnect),
        (HANG, ServiceErrorKind::Timeout),
        ("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", ServiceErrorKind::Status),
    ] {
        let time = if answer == HANG { 100 } else { 30_000 };
        let failed = failing_within(&server(answer).await, Duration::from_millis(time)).await;
        assert_eq!(failed, (kind, Outcome::Failure, Origin::Service), "{answer:?}");
    }
}

#[tokio::test]
async fn what_a_caller_failed_to_send_is_ours_if_it_counts_at_all() {
    let url = server("").await;
    let body = || axum::body::Body::new(Script::new(&[Step::Data("a"), Step::Fail]));
    let (error, said) = failing_by(client(), &url, |request| request.body(body())).await;
    assert_eq!(error.kind(), ServiceErrorKind::RequestBody);
    assert_eq!((said.outcome, said.origin), (Outcome::Ignored, Origin::Local));
}

/// In a process of its own, because the limit is the process's.
#[cfg(unix)]
#[tokio::test]
async fn no_more_open_files_are_our_failure() {
    const CHILD: &str = "INFUSE_TEST_WITHOUT_FILES";
    if std::env::var_os(CHILD).is_none() {
        let name = "client::origin::tests::no_more_open_files_are_our_failure";
        let output = Command::new("sh")
            .args(["-c", "ulimit -n 64 && exec \"$@\"", "sh"])
            .arg(std::env::current_exe().unwrap())
            .args([name, "--exact"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let (url, client) = (server("").await, client());
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    let (error, said) = failing_by(client, &url, |request| request).await;
    drop(files);
    assert_eq!(error.kind(), ServiceErrorKind::Connect, "{error:?}");
    assert_eq!((said.outcome, said.origin), (Outcome::Failure, Origin::Local));
}
