//! `fusewall man` and `fusewall completions`: manual pages and shell completions, made from the definition of the command line itself.

use anyhow::Context;
use clap::Command;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// The command, such as `check` or `rollout stage`; without it the page of `fusewall` itself
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    command: Vec<String>,
    /// Writes a file for each command to this folder, such as fusewall-check.1, instead of one page to the standard output
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Writes manual pages (roff) of `whole`, the command line.
///
/// # Errors
/// A command that is not there, a folder that cannot be written to.
pub fn run(args: &ManArgs, whole: Command) -> anyhow::Result<ExitCode> {
    let mut whole = whole.disable_help_subcommand(true);
    whole.build();
    match &args.dir {
        Some(folder) => write_all(&whole, folder)?,
        None => std::io::stdout().write_all(&page(find(&whole, &args.command)?)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the completions of `whole` to the standard output.
///
/// # Errors
/// An answer that cannot be written.
pub fn complete(args: &CompletionsArgs, mut whole: Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut whole, "fusewall", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

fn find<'c>(whole: &'c Command, names: &[String]) -> anyhow::Result<&'c Command> {
    names.iter().try_fold(whole, |command, name| {
        command.find_subcommand(name).with_context(|| {
            let known: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
            format!("there is no command `{name}`: expected one of {}", known.join(", "))
        })
    })
}

fn page(command: &Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let source = concat!("fusewall ", env!("CARGO_PKG_VERSION"));
    // Its name is how its page is called: `fusewall-check`.
    let man = clap_mangen::Man::new(command.clone()).title(name).source(source).manual("Fusewall");
    man.render(&mut page)?;
    Ok(page)
}

fn write_all(command: &Command, folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(format!("{}.1", command.get_display_name().unwrap_or(command.get_name())));
    let written = page(command).and_then(|page| std::fs::write(&path, page));
    written.with_context(|| format!("{} cannot be written", path.display()))?;
    command.get_subcommands().try_for_each(|command| write_all(command, folder))
}
