//! D16: the restart that makes it worse. In June 2025 a policy that crashed the process was read again at every start.

use super::Drill;
use super::report::Findings;
use super::setting::{Setting, millis, verdict};
use crate::cli::requests::Prepared;
use crate::engine::FixedEnv;
use crate::plan::Ceilings;
use crate::store::{Origin, RuleSource};
use crate::waf::{Health, HistoryConfig, Waf};
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D16",
    outage: "Google Cloud, 12 June 2025: the process crashed at every start",
    injected: "starts with rules that do not parse, are empty, missing, too dear, or bring the process down; a history that is damaged, too",
    must_hold: "every start has rules: the last good ones, or else the built-in ones; and says that it is degraded, and why",
    run,
};

const GOOD: &str = "SecRuleEngine On\nSecRule ARGS \"@contains evil\" \"id:1,phase:1,deny\"\n";

/// Takes a tenth of a millisecond and more on each kilobyte.
const DEAR: &str = "SecRuleEngine On\nSecRule ARGS \"@rx (?:a.*b|b.*c|c.*a)d[^x]{60}y\" \"id:1,phase:2,deny\"\n";
/// Fuel that a rule may take for 64 KiB.
const CEILING: u64 = 10 * (64 << 10);

/// A folder that goes when the drill ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> anyhow::Result<Folder> {
        let path = std::env::temp_dir().join(format!("fusewall-drill-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Folder(path))
    }

    fn history(&self) -> PathBuf {
        self.0.join("history")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A start with rules of a text, or of a file that is not there.
fn start(text: Option<&str>, history: &Path, settle_millis: u64) -> anyhow::Result<(Waf, Duration)> {
    let config = HistoryConfig::new(history).settle_millis(settle_millis);
    let ceilings = Ceilings { rule_fuel: Some(CEILING), ..Ceilings::default() };
    let builder = Waf::builder().env(FixedEnv::default()).history(config).ceilings(ceilings);
    let builder = match text {
        Some(text) => builder.rules_text("rules.conf", text),
        None => builder.rules_path("/no/such/rules.conf"),
    };
    let begun = Instant::now();
    let built = builder.build().map_err(|report| anyhow::anyhow!("it does not start:\n{report}"))?;
    Ok((built, begun.elapsed()))
}

fn refuses_evil(waf: &Waf) -> anyhow::Result<bool> {
    let request = Prepared::new("evil".to_owned(), "/?x=evil", None);
    Ok(verdict(waf, &request)?.1.interruption.is_some())
}

fn is_degraded(waf: &Waf) -> bool {
    matches!(waf.health(), Health::Degraded { .. })
}

fn run(_setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let folder = Folder::new("start")?;
    drop(start(Some(GOOD), &folder.history(), 0)?);
    let poisons = [
        ("a syntax error", Some("SecRule nonsense")),
        ("no rule at all", Some("")),
        ("a file that is missing", None),
        ("a rule over the ceiling", Some(DEAR)),
    ];
    let mut slowest = Duration::ZERO;
    for (what, text) in poisons {
        let (waf, took) = start(text, &folder.history(), 0)?;
        slowest = slowest.max(took);
        let restored = waf.generation().origin == Origin::Restored;
        found.hold(restored && refuses_evil(&waf)?, || format!("{what}: {:?} is in service", waf.generation().origin));
        found.hold(is_degraded(&waf), || format!("{what}: nobody was told"));
        // Good rules end it.
        let source = RuleSource::Text { name: "rules.conf".into(), text: GOOD.into() };
        let replaced = waf.replace(&source).is_ok();
        found.hold(replaced && !is_degraded(&waf), || format!("{what}: good rules do not end it"));
    }
    found.note("poisons", poisons.len());
    found.note("slowest_start_ms", millis(slowest));

    // A process that dies leaves its folder as it is at that moment.
    let deadly = "SecRuleEngine On\nSecRule ARGS \"@contains deadly\" \"id:1,phase:1,deny\"\n";
    let (crashes, mut left) = (Folder::new("crash")?, folder.history());
    let mut starts = 0;
    while starts < 10 {
        let (waf, _) = start(Some(deadly), &left, 3_600_000)?;
        let next = crashes.0.join(starts.to_string());
        copy(&left, &next)?;
        if refuses_evil(&waf)? {
            found.hold(is_degraded(&waf), || "a crash loop: nobody was told".to_owned());
            break;
        }
        starts += 1;
        left = next;
    }
    found.note("crashes_before_the_last_good_rules", starts);
    found.hold(starts == 3, || format!("{starts} starts with rules that bring the process down"));

    // Nothing that is left can be used.
    for entry in fs::read_dir(folder.history())?.flatten() {
        fs::write(entry.path(), "damaged")?;
    }
    let (waf, _) = start(Some("SecRule nonsense"), &folder.history(), 0)?;
    let builtin = waf.generation().origin == Origin::Builtin;
    found.hold(builtin && is_degraded(&waf), || "a damaged history: the built-in rules are not in service".to_owned());
    Ok(found)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    // As private as the one that it is a copy of.
    let made = fs::create_dir(to).and_then(|()| fs::set_permissions(to, fs::metadata(from)?.permissions()));
    made.with_context(|| format!("{} cannot be made", to.display()))?;
    for entry in fs::read_dir(from)?.flatten() {
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
