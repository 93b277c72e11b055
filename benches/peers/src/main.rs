//! The same requests and the same rules through Fusewall and its peers, in one run.
//!
//! `README.md` says what is counted and what is not.

mod engines;
mod generate;
mod measure;
mod record;
mod report;
mod requests;
mod worker;

use anyhow::Context;
use clap::Parser;
use engines::Kind;
use report::{Load, Report, Row};
use requests::Class;
use std::path::{Path, PathBuf};
use worker::Worker;

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
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// No more requests of a class than this
    #[arg(long, value_name = "N", default_value_t = 200)]
    at_most: usize,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// Also write a record of the run, in Markdown
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    if std::env::args().nth(1).as_deref() == Some(worker::ARGUMENT) {
        return worker::serve();
    }
    let args = Args::parse();
    let report = run(&args)?;
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

fn run(args: &Args) -> anyhow::Result<Report> {
    let corpus = folder("FUSEWALL_CORPUS_DIR", "corpus");
    let setup = folder("FUSEWALL_CONFORMANCE_DIR", "conformance").join("setup");
    let rules = match args.rules.as_slice() {
        [] => vec![setup.join("crs-pl1.conf"), setup.join("crs-pl4.conf")],
        given => given.to_vec(),
    };
    let names: Vec<&str> = match args.classes.as_slice() {
        [] => requests::CLASSES.to_vec(),
        given => given.iter().map(String::as_str).collect(),
    };
    let classes = names.into_iter().map(|name| Class::read(&corpus, name, args.at_most));
    let classes = classes.collect::<anyhow::Result<Vec<_>>>()?;
    let mut kinds = vec![Kind::Fusewall];
    kinds.extend(args.libmodsecurity.iter().cloned().map(Kind::Libmodsecurity));
    if !args.without_zentinel {
        kinds.push(Kind::Zentinel);
    }
    let mut report = Report { rounds: args.rounds, loads: Vec::new(), rows: Vec::new() };
    for path in &rules {
        compare(&mut report, path, &kinds, &classes)?;
    }
    Ok(report)
}

/// Takes all classes through all engines with one ruleset.
fn compare(report: &mut Report, path: &Path, kinds: &[Kind], classes: &[Class]) -> anyhow::Result<()> {
    let rules = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let workers = kinds.iter().map(|kind| Worker::start(kind, path));
    let mut workers = workers.collect::<anyhow::Result<Vec<_>>>()?;
    let names: Vec<_> = workers.iter().map(|worker| worker.loaded.version.clone()).collect();
    report.loads.extend(workers.iter().map(|worker| Load { rules: rules.clone(), loaded: worker.loaded.clone() }));
    let mut taken = 0;
    for class in classes {
        eprintln!("{rules}: {} requests of {}", class.requests.len(), class.name);
        let samples = measure::measure(&mut workers, class, taken, report.rounds)?;
        taken += class.requests.len();
        report.rows.push(Row::new(&rules, &class.name, &names, &samples, class.generated));
        report.rows.extend(Row::passed(&rules, &class.name, &names, &samples, class.generated));
    }
    Ok(())
}

/// A folder of shared data: where the variable says, else beside the project.
fn folder(variable: &str, name: &str) -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name);
    std::env::var_os(variable).map_or_else(beside, PathBuf::from)
}
