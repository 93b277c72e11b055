//! What stands below the help of each command, and at the end of its manual page: how it is called.

use clap::Command;

/// Command, what an example does, the example.
const EXAMPLES: &[(&str, &[(&str, &str)])] = &[
    (
        "check",
        &[
            (
                "What is wrong with these rules, and what they may cost",
                "fusewall check --rules /etc/fusewall/site.conf",
            ),
            #[cfg(feature = "serve")]
            (
                "The configuration of `serve` and its rules, before a start",
                "fusewall check --config /etc/fusewall/fusewall.toml",
            ),
            (
                "A gate in a pipeline: fails if a request may cost too much",
                "fusewall check --rules rules/ --max-fuel 500000000 --json",
            ),
        ],
    ),
    ("compile", &[("One file that loads without compiling", "fusewall compile --rules rules/ --output site.fuse")]),
    ("run", &[("A verdict for each recorded request", "fusewall run --rules rules/ --requests traffic.jsonl.gz")]),
    (
        "replay",
        &[
            (
                "What would be blocked of yesterday's traffic",
                "fusewall replay --rules rules/ --log access.log.1.gz --enforce",
            ),
            (
                "The same, beside the engine that is in service",
                "fusewall replay --rules rules/ --log access.log.1.gz --enforce --against libmodsecurity",
            ),
        ],
    ),
    (
        "bench",
        &[
            (
                "What these rules cost on this traffic, and which are the dearest",
                "fusewall bench --rules rules/ --requests traffic.jsonl.gz",
            ),
            ("The dearest request that can be found", "fusewall bench --rules rules/ --worst"),
        ],
    ),
    (
        "diff",
        &[("Which verdicts an update changes", "fusewall diff --rules old/ --with new/ --requests traffic.jsonl.gz")],
    ),
    #[cfg(feature = "spoa")]
    (
        "spoa",
        &[
            ("An agent for HAProxy with its configuration", "fusewall spoa --config /etc/fusewall/spoa.toml"),
            ("One for these rules, which are followed", "fusewall spoa --listen 127.0.0.1:9000 --rules rules/ --watch"),
        ],
    ),
    (
        "ftw",
        &[(
            "The regression tests of the Core Rule Set",
            "fusewall ftw --rules crs.conf --tests crs/tests/regression/tests",
        )],
    ),
    (
        "serve",
        &[
            ("With a configuration", "fusewall serve --config /etc/fusewall/fusewall.toml"),
            ("To try it out", "fusewall serve --listen 127.0.0.1:8080 --upstream http://127.0.0.1:3000"),
        ],
    ),
    #[cfg(feature = "ext-proc")]
    (
        "ext-proc",
        &[
            (
                "Envoy's external processor, with a configuration",
                "fusewall ext-proc --config /etc/fusewall/ext-proc.toml",
            ),
            ("To try it out", "fusewall ext-proc --listen 127.0.0.1:9002 --rules rules/"),
        ],
    ),
    (
        "rollout",
        &[
            ("What is in service", "fusewall rollout --socket /run/fusewall/admin.sock status"),
            ("Back to the rules before", "fusewall rollout --socket /run/fusewall/admin.sock rollback"),
            ("A rule off, at once", "fusewall rollout --socket /run/fusewall/admin.sock rule 942100 off"),
            (
                "Watch only, for a quarter of an hour",
                "fusewall rollout --socket /run/fusewall/admin.sock mode detection_only --for 15m",
            ),
        ],
    ),
    (
        "crs",
        &[
            (
                "A release, its signature checked",
                "fusewall crs install 4.19.0 --into /etc/fusewall/crs --keyring crs.gpg",
            ),
            (
                "From a file, without network",
                "fusewall crs install --into /etc/fusewall/crs --from crs.tar.gz --keyring crs.gpg",
            ),
        ],
    ),
    ("explain", &[("Why a request got its verdict", "fusewall explain --rules rules/ --request request.json")]),
    ("drill", &[("All outage drills with these rules", "fusewall drill --rules rules/")]),
    ("man", &[("All pages", "fusewall man --dir /usr/local/share/man/man1"), ("One, to read", "fusewall man check")]),
    ("completions", &[("For the present shell", "fusewall completions bash")]),
];

/// The command line with its examples.
pub(super) fn with_examples(mut whole: Command) -> Command {
    for (name, examples) in EXAMPLES {
        if whole.find_subcommand(name).is_some() {
            let mut text = String::from("Examples:");
            for (what, example) in *examples {
                text.push_str(&format!("\n  # {what}\n  {example}\n"));
            }
            whole = whole.mut_subcommand(name, |command| command.after_long_help(text));
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::{CommandFactory, FromArgMatches};

    #[test]
    fn the_examples_are_command_lines_of_their_command() {
        for (name, examples) in EXAMPLES {
            let known = Cli::command().find_subcommand(name).is_some();
            assert!(known || cfg!(not(all(feature = "serve", unix))), "there is no command `{name}`");
            for (_, example) in examples.iter().filter(|_| known) {
                assert_eq!(example.split(' ').nth(1), Some(*name), "{example}");
                let parsed = Cli::command().try_get_matches_from(example.split(' '));
                let parsed = parsed.and_then(|matches| Cli::from_arg_matches(&matches));
                assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            }
        }
    }

    #[test]
    fn every_command_has_examples() {
        let whole = Cli::command();
        let missing: Vec<_> = whole
            .get_subcommands()
            .map(Command::get_name)
            .filter(|name| *name != "help" && !EXAMPLES.iter().any(|(known, _)| known == name))
            .collect();
        assert!(missing.is_empty(), "write examples for {missing:?} in src/cli/examples.rs");
    }
}
