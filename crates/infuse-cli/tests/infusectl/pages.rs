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
    for command in COMMANDS {
        assert!(help.contains(&format!("  {command} ")), "{command}: {help}");
        ctl.ok(&[command, "--help"]).await;
    }
    assert!(ctl.ok(&["--version"]).await.starts_with("infusectl 0."));
}
