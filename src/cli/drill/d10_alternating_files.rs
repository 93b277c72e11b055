//! D10: a generated file that grows, good and bad by turns. In November 2025 such a file exceeded a limit that only the running proxies
//! knew of, and every five minutes it was another one.

use super::Drill;
use super::report::Findings;
use super::setting::{Setting, resident_kilobytes, verdict};
use crate::cli::requests::Prepared;
use crate::engine::FixedEnv;
use crate::files::{Files, MemoryFiles};
use crate::limits::Limits;
use crate::store::{LoadReport, RuleSource};
use crate::waf::Waf;
use anyhow::Context;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D10",
    outage: "Cloudflare, 18 November 2025: a generated file exceeded a limit and the proxies panicked",
    injected: "a list with every entry twice, with one entry too many, with ten times as many; good and bad ones by turns",
    must_hold: "duplicates are removed and told; what is too long is an error with both counts; the last good list decides throughout",
    run,
};

/// Entries that a list may have, and those of the good one.
const MOST: usize = 200;
const GOOD: usize = 100;
/// Growth of the memory that is allocators' doing.
const GROWTH: f64 = 1.1;

const RULES: &str = "SecRuleEngine On\nSecRule ARGS \"@pmFromFile feed.data\" \"id:1,phase:1,deny\"\n";

/// A file that somebody else writes.
#[derive(Clone, Default)]
struct Feed(Arc<Mutex<MemoryFiles>>);

impl Feed {
    fn write(&self, entries: impl Iterator<Item = usize>) {
        let text: String = entries.map(|entry| format!("feature-{entry}-x\n")).collect();
        let files = MemoryFiles::new().with("rules.conf", RULES).with("feed.data", text);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = files;
    }

    fn now(&self) -> MemoryFiles {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Files for Feed {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.now().read(path)
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        self.now().glob(pattern)
    }
}

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let feed = Feed::default();
    feed.write(0..GOOD);
    let limits = Limits { list_entries: MOST, ..Limits::default() };
    let builder = Waf::builder().env(FixedEnv::default()).limits(limits).files(feed.clone()).rules_path("rules.conf");
    let waf = builder.build().map_err(|report| anyhow::anyhow!("rules of the drill do not load:\n{report}"))?;
    let source = RuleSource::Paths(vec!["rules.conf".into()]);
    let requests = ["feature-0-x", "feature-99-x", "feature-100-x", "feature-200-x", "nothing"];
    let requests = requests.map(|value| Prepared::new(value.to_owned(), &format!("/?x={value}"), None));
    let decide = || -> anyhow::Result<Vec<bool>> {
        requests.iter().map(|request| Ok(verdict(&waf, request)?.1.interruption.is_some())).collect()
    };
    let before = decide()?;
    found.hold(before == [true, true, false, false, false], || format!("the list decides otherwise: {before:?}"));

    feed.write((0..GOOD).chain(0..GOOD));
    let (_, report) = waf.replace(&source).map_err(|report| anyhow::anyhow!("duplicates do not load:\n{report}"))?;
    let told = report.diagnostics.iter().any(|found| found.code == "N0802" && found.message.contains("100 of 200"));
    found.hold(told, || "nobody was told of duplicates".to_owned());
    for entries in [MOST + 1, 10 * GOOD] {
        feed.write(0..entries);
        let counts = |report: LoadReport| {
            let text = report.to_string();
            text.contains(&entries.to_string()) && text.contains(&MOST.to_string())
        };
        let refused = waf.replace(&source).err();
        found.hold(refused.is_some_and(counts), || format!("{entries} entries: no error with both counts"));
        found.hold(decide()? == before, || format!("{entries} entries changed a verdict"));
    }

    let cycles = setting.size(20, 100);
    let (mut changed, mut wrong, mut memory) = (0, 0, None);
    for cycle in 0..cycles {
        // Good ones differ in order alone.
        feed.write((0..GOOD).cycle().skip(cycle % GOOD).take(GOOD));
        wrong += usize::from(waf.replace(&source).is_err());
        feed.write(0..if cycle % 2 == 0 { MOST + 1 } else { 10 * GOOD });
        wrong += usize::from(waf.replace(&source).is_ok());
        changed += usize::from(decide()? != before);
        if cycle == 9 {
            memory = resident_kilobytes();
        }
    }
    found.note("cycles", cycles);
    found.note("changed_verdicts", changed);
    found.note("generation", waf.generation().number);
    found.hold(changed == 0, || format!("{changed} times a verdict had changed"));
    found.hold(wrong == 0, || format!("{wrong} lists were taken that should not have been, or not taken"));
    if let (Some(early), Some(late)) = (memory, resident_kilobytes()) {
        let growth = late as f64 / early.max(1) as f64;
        found.note("memory_growth", (growth * 100.0).round() / 100.0);
        found.hold(growth <= GROWTH, || format!("memory grew from {early} to {late} KB"));
    }
    waf.roll_back().context("the list before is kept")?;
    found.hold(decide()? == before, || "the list before decides otherwise".to_owned());
    Ok(found)
}
