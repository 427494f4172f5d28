//! Settings of those who operate the application.

use infuse_axum::settings::Settings;

use crate::{bad, from_env, from_file, good, warned};

#[test]
fn defaults() {
    let settings = good(from_env(&[]));
    let name = Settings::default().instance_name;
    assert!(name.ends_with(&format!(":{}", std::process::id())), "{name}");
    assert_eq!(settings.instance_name, name);
    assert_eq!((settings.admin_token, settings.admin_read_token), (None, None));
    assert!(settings.ready_services.is_empty());
}

#[test]
fn all_of_them() {
    let settings = good(from_env(&[
        ("INFUSE_INSTANCE_NAME", "web 7 (blue)"),
        ("INFUSE_ADMIN_TOKEN", "0123456789abcdef"),
        ("INFUSE_ADMIN_READ_TOKEN", "fedcba9876543210"),
        ("INFUSE_SERVICE_CONNECTIONS", "Payments, users"),
        ("INFUSE_READY_SERVICES", "payments, PAYMENTS, users"),
    ]));
    assert_eq!(settings.instance_name, "web 7 (blue)");
    assert_eq!(settings.admin_token.as_ref().unwrap().expose(), "0123456789abcdef");
    assert_eq!(settings.admin_read_token.as_ref().unwrap().expose(), "fedcba9876543210");
    let ready: Vec<_> = settings.ready_services.iter().map(|name| name.as_str()).collect();
    assert_eq!(ready, ["Payments", "users"]);
    let shown = format!("{settings:?}");
    assert!(!shown.contains("0123456789abcdef") && !shown.contains("fedcba"), "{shown}");
    let none = good(from_env(&[("INFUSE_ADMIN_TOKEN", "none"), ("INFUSE_READY_SERVICES", "none")]));
    assert_eq!((none.admin_token, none.ready_services.len()), (None, 0));
}

#[test]
fn a_token_is_one_that_can_be_sent_and_not_guessed_and_is_never_shown() {
    for (token, what) in [
        ("0123456789abcde", "too short; use at least 16 characters"),
        (&*"x".repeat(513), "too long; use at most 512 characters"),
        ("0123456789 abcdef", "a character that is not allowed"),
        ("0123456789äbcdef0", "a character that is not allowed"),
    ] {
        for key in ["INFUSE_ADMIN_TOKEN", "INFUSE_ADMIN_READ_TOKEN"] {
            let said = bad(from_env(&[(key, token)]));
            assert!(said.starts_with(key) && said.contains(what), "{said}");
            assert!(said.contains("(not shown)") && !said.contains(token), "{said}");
        }
    }
    let said = bad(from_file(
        "[infuse]\nadmin_token = '0123456789abcdef'\nadmin_read_token = '0123456789abcdef'",
    ));
    assert!(said.contains("the same as INFUSE_ADMIN_TOKEN") && !said.contains("0123"), "{said}");
}

#[test]
fn a_name_is_one_that_can_be_shown() {
    let said = bad(from_file("[infuse]\ninstance_name = \"a\\nb\""));
    assert!(said.contains("'\\n' is not allowed"), "{said}");
    let said = bad(from_env(&[("INFUSE_INSTANCE_NAME", &"x".repeat(129))]));
    assert!(said.contains("too long; use at most 128 characters"), "{said}");
}

#[test]
fn services_that_there_are() {
    let said = bad(from_env(&[("INFUSE_READY_SERVICES", "a/b")]));
    assert!(said.contains("cannot have '/'"), "{said}");
    let said = warned(from_env(&[
        ("INFUSE_SERVICE_CONNECTIONS", "payments"),
        ("INFUSE_READY_SERVICES", "payments, paymnts"),
    ]));
    assert!(said.len() == 1 && said[0].contains("nothing is configured for `paymnts`"), "{said:?}");
    good(from_file(
        "[infuse]\nready_services = ['disk']\n[infuse.services.disk]\nbreaker_ramp = 5",
    ));
}
