//! The same requests and the same rules through Fusewall and its peers, in one run.
//!
//! `README.md` says what is counted and what is not.

mod engines;
mod generate;
mod load;
mod measure;
mod record;
mod report;
mod requests;

use anyhow::{Context, ensure};
use clap::Parser;
use engines::Kind;
use load::Load;
use report::{Place, Report, Row};
use requests::Class;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// CPU time for a request: Fusewall beside libmodsecurity and zentinel-modsec
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Rules that every engine loads, a .conf file; may be repeated [default: the CRS at levels 1 and 4 from the
    /// conformance data]
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Class of requests; may be repeated [default: all]
    #[arg(long = "class", value_name = "NAME")]
    classes: Vec<String>,
    /// libmodsecurity, a name that the loader finds or a path; may be repeated
    #[arg(long, value_name = "PATH", default_value = "libmodsecurity.so.3")]
    libmodsecurity: Vec<PathBuf>,
    /// Leave zentinel-modsec out
    #[arg(long)]
    without_zentinel: bool,
    /// How often each request is evaluated by each engine; its median counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Requests that an engine evaluates before it is the next one's turn; may be repeated (only the first counts for
    /// classes with long bodies)
    #[arg(long = "turn", value_name = "N", default_values_t = [1, 20], value_parser = clap::value_parser!(u32).range(1..))]
    turns: Vec<u32>,
    /// No more requests of a class than this
    #[arg(long, value_name = "N", default_value_t = 200)]
    at_most: usize,
    /// Only load the rules into this engine, and tell time and memory in JSON
    #[arg(long, value_name = "ENGINE", value_parser = Kind::NAMES)]
    load_only: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// Also write a record of the run, in Markdown
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(mut args: Args) -> anyhow::Result<()> {
    if args.rules.is_empty() {
        let setup = folder("FUSEWALL_CONFORMANCE_DIR", "conformance").join("setup");
        args.rules = vec![setup.join("crs-pl1.conf"), setup.join("crs-pl4.conf")];
    }
    if args.classes.is_empty() {
        args.classes = requests::CLASSES.map(str::to_owned).to_vec();
    }
    let kinds = args.kinds();
    if let Some(name) = &args.load_only {
        let kind = kinds.iter().find(|kind| kind.name() == name).context("this engine is left out")?;
        for rules in &args.rules {
            println!("{}", serde_json::to_string(&Load::here(kind, rules)?)?);
        }
        return Ok(());
    }
    let mut report = Report { rounds: args.rounds as usize, loads: Vec::new(), rows: Vec::new() };
    args.compare(&mut report)?;
    for library in args.libmodsecurity.iter().skip(1) {
        report.merge(args.again(library)?)?;
    }
    if let Some(path) = &args.record {
        std::fs::write(path, record::page(&report)).with_context(|| path.display().to_string())?;
    }
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{}", report.tables());
    }
    Ok(())
}

impl Args {
    /// The engines of this process. Of several versions of libmodsecurity the first: they share process-wide symbols, parser
    /// tables among them, and would read each other's.
    fn kinds(&self) -> Vec<Kind> {
        let libmodsecurity = self.libmodsecurity.first().cloned().map(Kind::Libmodsecurity);
        let zentinel = (!self.without_zentinel).then_some(Kind::Zentinel);
        [Kind::Fusewall].into_iter().chain(libmodsecurity).chain(zentinel).collect()
    }

    /// Takes all classes through the engines of this process, ruleset by ruleset.
    fn compare(&self, report: &mut Report) -> anyhow::Result<()> {
        let corpus = folder("FUSEWALL_CORPUS_DIR", "corpus");
        let classes = self.classes.iter().map(|name| Class::read(&corpus, name, self.at_most));
        let classes = classes.collect::<anyhow::Result<Vec<_>>>()?;
        for rules in &self.rules {
            let (name, kinds) = (load::stem(rules), self.kinds());
            for kind in &kinds {
                report.loads.push(Load::elsewhere(kind, rules)?);
            }
            let engines = kinds.iter().map(|kind| kind.load(rules));
            let mut engines = engines.collect::<anyhow::Result<Vec<_>>>()?;
            let names: Vec<_> = engines.iter().map(|engine| engine.version()).collect();
            for class in &classes {
                let first = measure::hand_over(&mut engines, class)?;
                let turns = if class.is_short() { self.turns.as_slice() } else { &self.turns[..1] };
                for turn in turns {
                    eprintln!("{name}: {} requests of {}, {turn} at a turn", class.requests.len(), class.name);
                    let (rounds, turn) = (self.rounds as usize, *turn as usize);
                    let samples = measure::measure(&mut engines, class, first, rounds, turn)?;
                    let place = Place { rules: name.clone(), class: class.name.clone(), turn };
                    report.rows.push(Row::new(&place, &names, &samples, class.generated));
                    report.rows.extend(Row::passed(&place, &names, &samples, class.generated));
                }
            }
        }
        Ok(())
    }

    /// The same comparison with another libmodsecurity alone, in a process of its own.
    fn again(&self, library: &Path) -> anyhow::Result<Report> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--json", "--without-zentinel", "--libmodsecurity"]).arg(library);
        command.args(["--rounds", &self.rounds.to_string(), "--at-most", &self.at_most.to_string()]);
        for rules in &self.rules {
            command.arg("--rules").arg(rules);
        }
        for class in &self.classes {
            command.args(["--class", class]);
        }
        for turn in &self.turns {
            command.args(["--turn", &turn.to_string()]);
        }
        let output = command.stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "the comparison with {} failed", library.display());
        serde_json::from_slice(&output.stdout).context("an answer that is not JSON")
    }
}

/// A folder of shared data: where the variable says, else beside the project.
fn folder(variable: &str, name: &str) -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name);
    std::env::var_os(variable).map_or_else(beside, PathBuf::from)
}
