//! How values are shown in errors, without the secrets in them.

use config::{Value, ValueKind};

use super::RedisUrl;

/// The most characters of a value that are shown.
const SHOWN: usize = 80;

/// What of a setting may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// All of it, except what stands before an `@` or after a `?`, since a password may be there.
    Open,
    /// An address of Redis: scheme, user, host, port and database.
    RedisUrl,
    /// Nothing.
    Hidden,
}

/// Writes a value for a person to read.
pub(super) fn show(kind: &ValueKind, secrecy: Secrecy) -> String {
    match (kind, secrecy) {
        (_, Secrecy::Hidden) => "(not shown)".to_owned(),
        (ValueKind::Nil, _) => "nothing".to_owned(),
        (ValueKind::Table(_), _) => "a table".to_owned(),
        (ValueKind::Array(items), _) => show_list(items, secrecy),
        (ValueKind::String(text), Secrecy::Open) => format!("{:?}", shorten(&mask(text))),
        (ValueKind::String(text), Secrecy::RedisUrl) => {
            let urls: Vec<_> = RedisUrl::split(text).into_iter().map(RedisUrl::show).collect();
            format!("{:?}", shorten(&urls.join(", ")))
        }
        (_, Secrecy::RedisUrl) => "\"***\"".to_owned(),
        (ValueKind::Float(number), _) => format!("{number:?}"),
        (other, _) => other.to_string(),
    }
}

fn show_list(items: &[Value], secrecy: Secrecy) -> String {
    let mut list = String::from("[");
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            list.push_str(", ");
        }
        if i > 0 && list.len() > SHOWN {
            list.push('…');
            break;
        }
        match &item.kind {
            // Whoever nests lists deeply gets to see as much as needed, and no deep recursion.
            ValueKind::Array(_) => list.push_str("[…]"),
            kind => list.push_str(&show(kind, secrecy)),
        }
    }
    list.push(']');
    list
}

/// Hides what may be a password in a text that is no secret as such.
pub(super) fn mask(text: &str) -> String {
    let mut shown = text;
    let mut tail = "";
    if let (Some(_), Some(query)) = (text.find("://"), text.find('?')) {
        shown = &text[..query];
        tail = "?***";
        // `?` and `/` may stand in a password that its owner forgot to encode.
        if text[query..].contains('@') {
            shown = &text[..text.rfind('@').map_or(0, |at| at + 1)];
        }
    }
    match shown.rfind('@') {
        None => format!("{shown}{tail}"),
        Some(at) => {
            let start = shown.find("://").map_or(0, |i| i + 3);
            let start = if start <= at { start } else { 0 };
            format!("{}***{}{tail}", &shown[..start], &shown[at..])
        }
    }
}

/// Cuts a text that is too long to show.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn passwords_in_urls_are_masked() {
        for (text, shown) in [
            ("http://host/path", "http://host/path"),
            ("http://user:pw@host/path", "http://***@host/path"),
            ("http://user:p@w/x@host", "http://***@host"),
            ("user:pw@host", "***@host"),
            ("http://host/?token=pw", "http://host/?***"),
            ("http://user:p?w@host", "http://***@?***"),
            ("what?", "what?"),
        ] {
            assert_eq!(mask(text), shown);
        }
    }

    #[test]
    fn kinds() {
        let list = vec![Value::from("a:b@c"), Value::from(3), Value::from(vec![Value::from(1)])];
        for (kind, shown) in [
            (ValueKind::Nil, "nothing"),
            (ValueKind::Boolean(true), "true"),
            (ValueKind::Float(5.0), "5.0"),
            (ValueKind::String("a\n".to_owned()), "\"a\\n\""),
            (ValueKind::Array(list), "[\"***@c\", 3, […]]"),
        ] {
            assert_eq!(show(&kind, Secrecy::Open), shown);
            assert_eq!(show(&kind, Secrecy::Hidden), "(not shown)");
        }
        let long = show(&ValueKind::String("x".repeat(1000)), Secrecy::Open);
        assert_eq!(long, format!("\"{}…\"", "x".repeat(80)));
    }

    proptest! {
        #[test]
        fn no_password_is_shown(
            user in "[a-z]{0,4}",
            // Of letters that nothing else here has, and of what passwords have that URLs mind.
            password in "[A-Z]{4,8}[/?#@:, %A-Z]{0,6}",
            query in "(\\?[a-z]{1,3})?",
        ) {
            for scheme in ["http", "redis", "rediss"] {
                let url = format!("{scheme}://{user}:{password}@host/1{query}");
                for secrecy in [Secrecy::Open, Secrecy::RedisUrl] {
                    let shown = show(&ValueKind::String(url.clone()), secrecy);
                    prop_assert!(!shown.contains(|c: char| c.is_ascii_uppercase()), "{}", shown);
                }
            }
        }
    }
}
