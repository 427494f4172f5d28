use std::fs;

use crate::ctl::Ctl;

const COMMANDS: [&str; 14] = [
    "list",
    "watch",
    "show",
    "open",
    "close",
    "half-open",
    "reset",
    "isolate",
    "observe",
    "disable",
    "enable",
    "clear-override",
    "completions",
    "man",
];

#[tokio::test]
async fn there_are_completions_for_every_shell_and_no_settings_are_needed() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = Ctl::new().ok(&["completions", shell]).await;
        for command in COMMANDS {
            assert!(text.contains(command), "{shell} {command}");
        }
    }
}

#[tokio::test]
async fn the_manual_says_all_of_it() {
    let ctl = Ctl::new();
    let page = ctl.ok(&["man"]).await;
    for part in ["NAME", "SYNOPSIS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "EXAMPLES"] {
        let quoted = format!(".SH \"{part}\"");
        assert!(page.contains(&format!(".SH {part}")) || page.contains(&quoted), "{part}: {page}");
    }
    assert!(!page.contains("EXTRA"), "{page}");
    for command in COMMANDS {
        assert!(
            page.contains(&format!("infusectl\\-{}", command.replace('-', "\\-"))),
            "{command}"
        );
    }
    ctl.ok(&["man", "--out", "pages"]).await;
    let written = fs::read_dir(ctl.folder().join("pages")).unwrap().count();
    assert_eq!(written, COMMANDS.len() + 1);
    let main = fs::read_to_string(ctl.folder().join("pages/infusectl.1")).unwrap();
    assert_eq!(main, page);
}

#[tokio::test]
async fn help_says_what_exit_statuses_mean() {
    let ctl = Ctl::new();
    let help = ctl.ok(&["--help"]).await;
    assert!(help.contains("Exit status: 0 done"), "{help}");
    assert!(help.contains("output not written"), "{help}");
    for command in COMMANDS {
        assert!(help.contains(&format!("  {command} ")), "{command}: {help}");
        ctl.ok(&[command, "--help"]).await;
    }
    assert!(ctl.ok(&["--version"]).await.starts_with("infusectl 0."));
}

#[tokio::test]
async fn help_says_what_comes_from_the_settings_read_here_and_what_is_kept() {
    let ctl = Ctl::new();
    for (args, said) in [
        (&["list", "--help"][..], "`max_failure` of the settings read here"),
        (&["list", "--help"], "or is isolated: it rejects every call"),
        (&["show", "--help"], "or is isolated: it rejects every call"),
        (&["open", "--help"], "the reset timeout of the settings read here"),
        (&["clear-override", "--help"], "Nothing keeps who did, nor why"),
        (&["--help"], "Nothing keeps those of clear-override"),
    ] {
        let help = ctl.ok(args).await;
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(said), "{args:?}: {help}");
    }
}
