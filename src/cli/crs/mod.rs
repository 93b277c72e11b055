//! `fusewall crs install`: a release of the Core Rule Set, from its archive to the folder that a configuration names.

mod archive;
mod authentic;
mod folder;
mod settings;

use super::rules::{RulesHaveErrors, print_findings};
use super::say;
use crate::store::{DiskFiles, Loading, RuleSource, load};
use anyhow::{Context, ensure};
use archive::Release;
use authentic::Proof;
use folder::Folder;
use serde::Serialize;
use settings::Changes;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Bytes of an archive. Releases have one to five megabytes.
const ARCHIVE_BYTES: usize = 64 << 20;

/// Bytes of a signature.
const SIGNATURE_BYTES: usize = 64 << 10;

/// Where the project publishes its releases.
const RELEASES: &str = "https://github.com/coreruleset/coreruleset";

/// Arguments of `crs`.
#[derive(Debug, clap::Args)]
pub struct CrsArgs {
    #[command(subcommand)]
    command: CrsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum CrsCommand {
    /// Install or upgrade the OWASP Core Rule Set: fetch, verify, check, put in place at once
    Install(InstallArgs),
}

/// Arguments of `crs install`.
#[derive(Debug, clap::Args)]
struct InstallArgs {
    /// The release, such as 4.19.0; not needed with --from
    #[arg(value_name = "RELEASE", required_unless_present = "from")]
    release: Option<String>,
    /// The folder for it; your own files in it stay
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// The archive (.tar.gz): a file or an https URL. Without it: that of the project on GitHub
    #[arg(long, value_name = "FILE|URL")]
    from: Option<String>,
    /// The SHA-256 of the archive, in hexadecimal
    #[arg(long, value_name = "HEX", required_unless_present = "keyring")]
    sha256: Option<String>,
    /// The key of the project, as `gpg --dearmor` writes it: the signature of the archive is checked by `gpgv`
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
    /// The detached signature: a file or an https URL. Without it: that of the project, or the archive's name with `.asc`
    #[arg(long, value_name = "FILE|URL", requires = "keyring")]
    signature: Option<String>,
    /// Certificates to trust instead of the Mozilla roots, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Replace files of the release that were changed in place; without it that is an error
    #[arg(long)]
    discard_changes: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Answer {
    version: String,
    folder: PathBuf,
    proof: Vec<Proof>,
    rules: usize,
    previous: Option<PathBuf>,
    kept: Vec<PathBuf>,
    beside_yours: Vec<PathBuf>,
    settings: Option<Changes>,
    include: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// An archive that cannot be had, is not authentic, holds what it should not or does not load; a folder that cannot be written, or
/// in which files of the release were changed. What was installed before stays then.
pub fn run(args: &CrsArgs) -> anyhow::Result<ExitCode> {
    let CrsCommand::Install(args) = &args.command;
    let answer = install(args)?;
    if args.json {
        say(serde_json::to_string(&answer)?)?;
    } else {
        print(&answer)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn install(args: &InstallArgs) -> anyhow::Result<Answer> {
    let from = args.archive()?;
    let bytes = get(&from, args.ca.as_deref(), ARCHIVE_BYTES)?;
    let mut proof = Vec::new();
    if let Some(expected) = &args.sha256 {
        proof.push(authentic::digest(&bytes, expected).with_context(|| from.clone())?);
    }
    if let Some(keyring) = &args.keyring {
        let signature = get(&args.signature(&from), args.ca.as_deref(), SIGNATURE_BYTES)?;
        proof.push(authentic::signature(&bytes, &signature, keyring).with_context(|| from.clone())?);
    }
    let release = Release::read(&bytes).with_context(|| from.clone())?;
    if let Some(wanted) = &args.release {
        let wanted = wanted.trim_start_matches('v');
        ensure!(release.version == wanted, "{from}: holds release {}, not {wanted}", release.version);
    }
    let folder = Folder::open(&args.into)?;
    let staged = folder.stage(&release, &from, &proof, args.discard_changes)?;
    let rules = check(staged.path())?;
    let example = |text: Option<Vec<u8>>| text.map(|text| String::from_utf8_lossy(&text).into_owned());
    let settings = example(folder.example()).map(|before| {
        let now = release.example().map(String::from_utf8_lossy).unwrap_or_default();
        settings::changes(&before, &now)
    });
    let (kept, beside_yours) = (staged.kept.clone(), staged.beside_yours.clone());
    let previous = staged.put_in_place()?;
    let include = include(folder.path());
    Ok(Answer {
        version: release.version,
        folder: folder.path().to_owned(),
        proof,
        rules,
        previous,
        kept,
        beside_yours,
        settings,
        include,
    })
}

impl InstallArgs {
    fn archive(&self) -> anyhow::Result<String> {
        if let Some(from) = &self.from {
            return Ok(from.clone());
        }
        let release = self.release.as_deref().unwrap_or_default().trim_start_matches('v');
        let is_version = release.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
        ensure!(is_version && !release.is_empty(), "`{release}` is no release: expected numbers such as 4.19.0");
        Ok(format!("{RELEASES}/archive/refs/tags/v{release}.tar.gz"))
    }

    fn signature(&self, from: &str) -> String {
        match (&self.signature, &self.from, &self.release) {
            (Some(signature), ..) => signature.clone(),
            (None, None, Some(release)) => {
                let release = release.trim_start_matches('v');
                format!("{RELEASES}/releases/download/v{release}/coreruleset-{release}.tar.gz.asc")
            }
            _ => format!("{from}.asc"),
        }
    }
}

/// Reads a file, or fetches it.
fn get(from: &str, ca: Option<&Path>, most: usize) -> anyhow::Result<Vec<u8>> {
    if from.contains("://") {
        return fetch(from, ca, most).with_context(|| format!("{from} cannot be fetched"));
    }
    let mut bytes = Vec::new();
    let read = File::open(from).and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("{from} cannot be read"))?;
    ensure!(bytes.len() <= most, "{from} has more than {most} bytes");
    Ok(bytes)
}

#[cfg(feature = "serve")]
fn fetch(url: &str, ca: Option<&Path>, most: usize) -> anyhow::Result<Vec<u8>> {
    Ok(crate::host::serve::download(url, ca, most)?)
}

#[cfg(not(feature = "serve"))]
fn fetch(_: &str, _: Option<&Path>, _: usize) -> anyhow::Result<Vec<u8>> {
    anyhow::bail!("this build has no network: build it with the feature `serve`, or give a file to --from")
}

/// What a configuration includes, in this order.
const INCLUDED: [&str; 5] =
    ["crs-setup.conf", "plugins/*-config.conf", "plugins/*-before.conf", "rules/*.conf", "plugins/*-after.conf"];

fn include(folder: &Path) -> Vec<String> {
    let directive = |name: &str| if name.starts_with("plugins") { "IncludeOptional" } else { "Include" };
    INCLUDED.iter().map(|name| format!("{} {}/{name}", directive(name), folder.display())).collect()
}

/// Loads what is to be put in place, as a configuration would. Answers with the number of rules.
fn check(folder: &Path) -> anyhow::Result<usize> {
    let text = format!("SecRuleEngine On\nSecRequestBodyAccess On\n{}\n", include(folder).join("\n"));
    let source = RuleSource::Text { name: folder.join("check.conf").display().to_string(), text };
    match load(&source, &DiskFiles, &Loading::default()) {
        Ok((loaded, _)) => Ok(loaded.program().ruleset.rules.len()),
        Err(report) => {
            print_findings(&report.without_notes());
            let left = format!("nothing was changed; the release is in {} to look at", folder.display());
            Err(anyhow::Error::from(RulesHaveErrors::of(&report)).context(left))
        }
    }
}

fn print(answer: &Answer) -> std::io::Result<()> {
    let Answer { version, folder, proof, rules, previous, kept, beside_yours, settings, include } = answer;
    say(format_args!("CRS {version} is in {}: {rules} rules, checked", folder.display()))?;
    for proof in proof {
        say(format_args!("  {proof}"))?;
    }
    for path in kept {
        say(format_args!("  yours, kept: {}", path.display()))?;
    }
    for path in beside_yours {
        say(format_args!("  the release now has a file of this name, beside yours: {}", path.display()))?;
    }
    if let Some(previous) = previous {
        say(format_args!("  what was there before is in {}", previous.display()))?;
    }
    if let Some(changes) = settings {
        say(changes)?;
    }
    say("\nInto the configuration, behind SecRuleEngine and the limits:\n")?;
    include.iter().try_for_each(say)
}
