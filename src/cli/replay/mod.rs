//! `fusewall replay`: an operator's own traffic, before any of it depends on Fusewall.

mod against;
mod differences;
mod judge;
mod paths;
mod print;
mod source;
mod summary;

use super::rules::RulesArgs;
use super::{progress, say};
use crate::rule::EngineMode;
use crate::store::rollout::Outcome;
use crate::store::{RulePiece, RuleSource};
use crate::waf::Waf;
use against::{Against, Settings, Troubles};
use differences::{Differences, Found};
use judge::Judge;
use serde::Serialize;
use source::{Account, Kind, Lacks, LogFormat, Recorded, Source};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use summary::{Figures, Summary};

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    rules: RulesArgs,
    #[command(flatten)]
    sources: SourceArgs,
    /// Compare with `libmodsecurity`, `libmodsecurity=PATH` (of the library), `fusewall=RULES` or `log` (what was decided then)
    #[arg(long, value_name = "ENGINE")]
    against: Option<Against>,
    /// Seconds that the other engine has for a request; then it is started anew
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    against_timeout: u64,
    /// The program that runs libmodsecurity. Without it: `fusewall-against` beside this one
    #[arg(long, value_name = "FILE")]
    against_program: Option<PathBuf>,
    /// Statuses that mean "blocked" where the recording does not say more
    #[arg(long, value_name = "STATUS", value_delimiter = ',', default_value = "403")]
    blocked_status: Vec<u16>,
    /// Judge as if the rules said `SecRuleEngine On`
    #[arg(long)]
    enforce: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Where the traffic was recorded.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true, id = "traffic")]
struct SourceArgs {
    /// Requests: JSON lines, plain or gzipped; may be repeated, as all of these
    #[arg(long, value_name = "FILE", group = "traffic")]
    requests: Vec<PathBuf>,
    /// An access log of nginx or Apache
    #[arg(long, value_name = "FILE", group = "traffic")]
    log: Vec<PathBuf>,
    /// An HTTP archive, as browsers export it
    #[arg(long, value_name = "FILE", group = "traffic")]
    har: Vec<PathBuf>,
    /// Packets, as `tshark -T json -Y http` prints them
    #[arg(long, value_name = "FILE", group = "traffic")]
    pcap_json: Vec<PathBuf>,
    /// An audit log of ModSecurity: JSON, or native and serial
    #[arg(long, value_name = "FILE", group = "traffic")]
    audit: Vec<PathBuf>,
    /// The lines of access logs: `combined`, `common`, or what `log_format` of nginx says
    #[arg(long, value_name = "FORMAT", default_value = "combined")]
    log_format: String,
}

impl SourceArgs {
    fn all(&self) -> anyhow::Result<Vec<Source>> {
        let format: LogFormat = self.log_format.parse().map_err(|error| anyhow::anyhow!("--log-format: {error}"))?;
        let of = |paths: &[PathBuf], kind: Kind| {
            let source = |path: &PathBuf| Source { path: path.clone(), kind: kind.clone() };
            paths.iter().map(source).collect::<Vec<_>>()
        };
        let mut all = of(&self.requests, Kind::Requests);
        all.extend(of(&self.log, Kind::AccessLog(format)));
        all.extend(of(&self.har, Kind::Har));
        all.extend(of(&self.pcap_json, Kind::PcapJson));
        all.extend(of(&self.audit, Kind::Audit));
        Ok(all)
    }
}

/// What was found, for machines.
#[derive(Debug, Serialize)]
pub struct Answer {
    sources: Vec<Account>,
    /// `On` or `DetectionOnly`: then nothing is blocked.
    engine: &'static str,
    lacking: Vec<Lacking>,
    #[serde(flatten)]
    figures: Figures,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Compared>,
}

/// What was not recorded, and what comes of it.
#[derive(Debug, Serialize)]
pub struct Lacking {
    what: String,
    requests: u64,
    /// Rules that were left out.
    not_judged: Vec<u64>,
    /// Rules that could not see everything that they look at.
    judged_in_part: Vec<u64>,
    /// Rules that there are.
    of: usize,
}

/// The comparison.
#[derive(Debug, Serialize)]
pub struct Compared {
    engine: String,
    #[serde(flatten)]
    found: Found,
    not_compared: Troubles,
}

/// Runs the command.
///
/// # Errors
/// Rules that do not load, a file that cannot be read, an engine to compare with that does not start, no requests.
pub fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let sources = args.sources.all()?;
    let mut judge = Judge::new(with_rules(&args.rules, args.enforce)?);
    let settings = Settings {
        rules: args.rules.clone(),
        enforce: args.enforce,
        timeout: Duration::from_secs(args.against_timeout),
        program: args.against_program.clone(),
        blocked_statuses: args.blocked_status.clone(),
    };
    let mut other = args.against.as_ref().map(|against| against::open(against, &settings)).transpose()?;
    let (mut summary, mut differences) = (Summary::default(), Differences::default());
    let mut lacking = BTreeMap::<Lacks, u64>::new();
    let spinner = progress::spinner("requests");
    let mut take = |recorded: Recorded| -> anyhow::Result<()> {
        let transaction = judge.evaluate(&recorded);
        summary.add(&recorded, &transaction);
        if !recorded.lacks.is_nothing() {
            *lacking.entry(recorded.lacks.clone()).or_default() += 1;
        }
        if let Some(other) = &mut other {
            let unjudged = judge.without(&recorded.lacks);
            if let Some(there) = other.judge(&recorded, &unjudged)? {
                let verdict = transaction.verdict();
                let exhausted = verdict.as_ref().is_some_and(|verdict| verdict.exhausted.is_some());
                differences.add(&recorded, &Outcome::of(verdict.as_ref()), exhausted, &there);
            }
        }
        spinner.inc(1);
        Ok(())
    };
    let accounts = sources.iter().map(|source| source.read(&mut take)).collect::<anyhow::Result<Vec<_>>>()?;
    spinner.finish_and_clear();
    let of = judge.waf().loaded().program().ruleset.rules.len();
    let lacking: Vec<_> = lacking
        .into_iter()
        .map(|(lacks, requests)| {
            let unjudged = judge.without(&lacks);
            let (not_judged, judged_in_part) = (unjudged.rules.clone(), unjudged.in_part.clone());
            Lacking { what: lacks.to_string(), requests, not_judged, judged_in_part, of }
        })
        .collect();
    let answer = Answer {
        sources: accounts,
        engine: mode(judge.waf()),
        lacking,
        figures: summary.figures(),
        against: other.map(|other| Compared {
            engine: other.name(),
            found: differences.found(),
            not_compared: other.troubles(),
        }),
    };
    if args.json {
        say(serde_json::to_string(&answer)?)?;
    } else {
        print::print(&answer)?;
    }
    anyhow::ensure!(answer.figures.requests > 0, "no requests could be read");
    let differs = answer.against.as_ref().is_some_and(|compared| compared.found.different > 0);
    let silent = answer.against.as_ref().is_some_and(|compared| compared.not_compared.failures() > 0);
    Ok(if differs || silent { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Loads rules, which block whatever they say themselves if `enforce` is set.
///
/// # Errors
/// Rules that do not load.
fn with_rules(args: &RulesArgs, enforce: bool) -> anyhow::Result<Waf> {
    let mut builder = args.builder();
    if enforce && !args.rules.is_empty() {
        let mut pieces: Vec<_> = args.rules.iter().cloned().map(RulePiece::Path).collect();
        pieces.push(RulePiece::Text { name: "--enforce".to_owned(), text: "SecRuleEngine On".to_owned() });
        builder = builder.rules(RuleSource::Layers(vec![pieces]));
    }
    args.load(builder)
}

fn mode(waf: &Waf) -> &'static str {
    match waf.loaded().program().ruleset.settings.engine {
        EngineMode::On => "On",
        EngineMode::Off => "Off",
        EngineMode::DetectionOnly => "DetectionOnly",
    }
}
