//! Manual pages and completions are those of the commands that there are.

use std::process::{Command, Output};

fn fusewall(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fusewall")).args(arguments).output().unwrap()
}

fn text(arguments: &[&str]) -> String {
    let output = fusewall(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that the help names.
fn commands() -> Vec<String> {
    let help = text(&["--help"]);
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = listed.lines().filter_map(|line| line.split_whitespace().next().map(str::to_owned));
    names.filter(|name| name != "help").collect()
}

#[test]
fn every_command_has_a_page_with_its_options_and_examples() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(text(&["man", "--dir", folder.path().to_str().unwrap()]), "");
    let commands = commands();
    assert!(commands.len() >= 10, "{commands:?}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);
    let whole = read("fusewall.1");
    for command in &commands {
        let page = read(&format!("fusewall-{command}.1"));
        assert!(page.contains(&format!(".TH fusewall-{command} 1 ")), "{page}");
        assert!(page.contains("Examples:") && page.contains(".SH OPTIONS"), "{page}");
        let named = format!("fusewall\\-{}(1)", command.replace('-', "\\-"));
        assert!(whole.contains(&named), "{command} is not in {whole}");
        assert_eq!(text(&["man", command]), page);
    }
    assert!(read("fusewall-check.1").contains("\\-\\-max\\-fuel"));
    assert!(folder.path().join("fusewall-rollout-stage.1").exists(), "commands of commands have pages, too");
    let unknown = fusewall(&["man", "nonsense"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("expected one of check, "));
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&["completions", shell]);
        for command in commands() {
            assert!(script.contains(&command), "{command} for {shell}");
        }
    }
    assert_eq!(fusewall(&["completions", "nonsense"]).status.code(), Some(2));
}
