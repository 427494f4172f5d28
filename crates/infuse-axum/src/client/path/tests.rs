use proptest::prelude::*;

use super::*;

fn base(url: &str) -> BaseUrl {
    BaseUrl::new(&Url::parse(url).unwrap())
}

/// The URL that a path leads to.
fn go(base_url: &str, path: impl IntoPath) -> Result<String, PathError> {
    let base = base(base_url);
    base.parse(&base.append(&path)?).map(Into::into)
}

const HOME: &str = "http://payments:8000/api/v1";

#[test]
fn good_paths_are_appended_byte_for_byte() {
    for (path, url) in [
        ("", "http://payments:8000/api/v1"),
        ("/", "http://payments:8000/api/v1/"),
        ("orders/7", "http://payments:8000/api/v1/orders/7"),
        ("/orders/7", "http://payments:8000/api/v1/orders/7"),
        ("orders/", "http://payments:8000/api/v1/orders/"),
        ("a%2Fb%20c", "http://payments:8000/api/v1/a%2Fb%20c"),
        ("a%2fb", "http://payments:8000/api/v1/a%2fb"),
        ("a//b", "http://payments:8000/api/v1/a//b"),
        ("?x=1", "http://payments:8000/api/v1?x=1"),
        ("a?x=1&y=..%2F/../z", "http://payments:8000/api/v1/a?x=1&y=..%2F/../z"),
        ("a?next=http://elsewhere//", "http://payments:8000/api/v1/a?next=http://elsewhere//"),
        ("a?line=%0A", "http://payments:8000/api/v1/a?line=%0A"),
        ("a?b?c", "http://payments:8000/api/v1/a?b?c"),
        ("a b ", "http://payments:8000/api/v1/a%20b%20"),
        ("é", "http://payments:8000/api/v1/%C3%A9"),
        ("%ff", "http://payments:8000/api/v1/%ff"),
        ("100%", "http://payments:8000/api/v1/100%"),
        ("/items:find", "http://payments:8000/api/v1/items:find"),
        ("x/items:find", "http://payments:8000/api/v1/x/items:find"),
        ("...", "http://payments:8000/api/v1/..."),
        (".well-known/a..b", "http://payments:8000/api/v1/.well-known/a..b"),
        ("a;v=1/b", "http://payments:8000/api/v1/a;v=1/b"),
        ("@elsewhere", "http://payments:8000/api/v1/@elsewhere"),
        (":80", "http://payments:8000/api/v1/:80"),
        // Decoded once this is an ordinary text.
        ("%252e%252e", "http://payments:8000/api/v1/%252e%252e"),
    ] {
        assert_eq!(go(HOME, path).as_deref(), Ok(url), "{path:?}");
    }
}

#[test]
fn hostile_paths_are_refused() {
    use PathError::*;
    for (path, why) in [
        ("..", DotSegment),
        (".", DotSegment),
        ("../admin", DotSegment),
        ("/../admin", DotSegment),
        ("a/../../admin", DotSegment),
        ("a/./b", DotSegment),
        ("a/..", DotSegment),
        ("a/..?x=1", DotSegment),
        ("%2e%2e/admin", DotSegment),
        ("%2E%2E%2Fadmin", DotSegment),
        (".%2e/admin", DotSegment),
        ("..%2fadmin", DotSegment),
        ("a%2f..%2f..%2fadmin", DotSegment),
        ("..%5cadmin", DotSegment),
        ("..\\admin", DotSegment),
        ("a\\..\\..\\admin", DotSegment),
        ("..;/admin", DotSegment),
        ("..;x=1/admin", DotSegment),
        ("%2e%2e%3b/admin", DotSegment),
        ("a\\b", Backslash),
        ("\\\\elsewhere", Backslash),
        ("/\\elsewhere", Backslash),
        ("a%5Cb", Backslash),
        ("//elsewhere", DoubleSlash),
        ("///elsewhere", DoubleSlash),
        ("/%2felsewhere", DoubleSlash),
        ("%2felsewhere", DoubleSlash),
        ("%2F%2Felsewhere", DoubleSlash),
        ("http://elsewhere/", Scheme),
        ("HTTP://elsewhere/", Scheme),
        ("/http://elsewhere/", Scheme),
        ("http:elsewhere", Scheme),
        ("http%3A%2F%2Felsewhere", Scheme),
        ("h%74tp://elsewhere", Scheme),
        ("javascript:alert(1)", Scheme),
        ("file:///etc/passwd", Scheme),
        ("svn+ssh://elsewhere", Scheme),
        ("a#b", Fragment),
        ("#", Fragment),
        ("a%23b", Fragment),
        ("a?b#c", Fragment),
        ("a\0b", Control),
        ("a%00b", Control),
        ("a\r\nX-Evil: 1", Control),
        ("a%0d%0aX-Evil:1", Control),
        ("a\tb", Control),
        (".\t./admin", Control),
        ("\n//elsewhere", Control),
        ("a\u{7f}", Control),
        ("a%7f", Control),
        ("a%c2%85b", Control),
        ("%ff%00", Control),
        ("a?b\nc", Control),
    ] {
        assert_eq!(go(HOME, path), Err(why), "{path:?}");
        assert_eq!(go("http://payments", path), Err(why), "{path:?} at the root");
    }
}

#[test]
fn segments_hold_what_users_type() {
    let id = String::from("a/b ?#%;é\\c");
    assert_eq!(
        go(HOME, ["orders", &id]).as_deref(),
        Ok("http://payments:8000/api/v1/orders/a%2Fb%20%3F%23%25%3B%C3%A9%5Cc"),
    );
    assert_eq!(go(HOME, ["%2e%2e"]).as_deref(), Ok("http://payments:8000/api/v1/%252e%252e"));
    assert_eq!(go(HOME, ["http://x"]).as_deref(), Ok("http://payments:8000/api/v1/http%3A%2F%2Fx"));
    assert_eq!(go(HOME, vec![String::from("a")]).as_deref(), Ok("http://payments:8000/api/v1/a"));
    let pair = ["a", "b"].map(String::from);
    assert_eq!(go(HOME, &pair).as_deref(), Ok("http://payments:8000/api/v1/a/b"));
    assert_eq!(go(HOME, &pair[..]).as_deref(), Ok("http://payments:8000/api/v1/a/b"));
    assert_eq!(go(HOME, [""; 0]).as_deref(), Ok(HOME));
}

#[test]
fn hostile_segments_are_refused() {
    use PathError::*;
    for (segment, why) in [
        ("", EmptySegment),
        (".", DotSegment),
        ("..", DotSegment),
        ("../admin", DotSegment),
        ("x/..", DotSegment),
        ("..\\admin", DotSegment),
        ("..;x", DotSegment),
        ("a\nb", Control),
        ("\0", Control),
    ] {
        assert_eq!(go(HOME, ["orders", segment]), Err(why), "{segment:?}");
    }
    assert_eq!(go(HOME, ["/elsewhere"]), Err(DoubleSlash));
}

#[test]
fn the_base_keeps_its_path_and_loses_the_rest() {
    assert_eq!(go("http://h", "").as_deref(), Ok("http://h/"));
    assert_eq!(go("http://h/", "a").as_deref(), Ok("http://h/a"));
    assert_eq!(go("http://h/api/", "").as_deref(), Ok("http://h/api/"));
    assert_eq!(go("http://h/api/", "?x").as_deref(), Ok("http://h/api/?x"));
    assert_eq!(go("http://h/api//", "a").as_deref(), Ok("http://h/api/a"));
    assert_eq!(go("https://u:p@h:444/api?q#f", "a").as_deref(), Ok("https://h:444/api/a"));
    assert_eq!(go("http://[::1]:80/x", "a").as_deref(), Ok("http://[::1]/x/a"));
}

/// Texts made of the pieces that attacks on paths are made of.
fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            ".",
            "..",
            "/",
            "//",
            "\\",
            "%2e",
            "%2E",
            "%2f",
            "%5c",
            "%25",
            "%23",
            "%00",
            "%0a",
            "?",
            "#",
            "@",
            ":",
            ";",
            "http:",
            "http://",
            "elsewhere",
            "api",
            "v1",
            " ",
            "\t",
            "\n",
            "%",
            "%c0%ae",
            "a",
            "\u{ff0e}",
            "\u{2025}",
            "[",
            "]",
            "|",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn at_home(url: &str) {
    let url = Url::parse(url).unwrap();
    assert_eq!(url.origin(), Url::parse(HOME).unwrap().origin());
    assert!(url.path() == "/api/v1" || url.path().starts_with("/api/v1/"), "{url}");
    assert!(url.username().is_empty() && url.fragment().is_none(), "{url}");
    // What goes over the wire is the `http` crate's reading of the same text.
    let sent: http::Uri = url.as_str().parse().unwrap();
    assert_eq!(sent.authority().unwrap(), "payments:8000");
    assert_eq!(sent.path(), url.path());
    // And no server that decodes once finds a way up in it.
    let decoded = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy();
    assert!(!decoded.split(['/', '\\']).any(|segment| matches!(segment, "." | "..")), "{url}");
}

proptest! {
    #[test]
    fn accepted_texts_stay_home(text in hostile_text()) {
        if let Ok(url) = go(HOME, text) {
            at_home(&url);
        }
    }

    #[test]
    fn accepted_segments_stay_home(segments in prop::collection::vec(hostile_text(), 0..4)) {
        if let Ok(url) = go(HOME, &segments) {
            at_home(&url);
            // Each segment is one segment, and comes back whole.
            let path = url.strip_prefix(HOME).unwrap();
            let back: Vec<_> = path
                .split('/')
                .skip(1)
                .map(|segment| percent_decode_str(segment).decode_utf8().unwrap())
                .collect();
            prop_assert_eq!(back, segments);
        }
    }
}
