//! What drills run with: the ruleset that was asked for, rules of their own, and requests.

use crate::cli::requests::Prepared;
use crate::cli::rules::RulesArgs;
use crate::engine::{Decided, FixedEnv, Verdict};
use crate::files::{Files, MemoryFiles};
use crate::limits::Limits;
use crate::rule::{EngineMode, Supplies};
use crate::store::{DiskFiles, RuleSource, builtin_files};
use crate::waf::{Transaction, Waf, WafBuilder};
use anyhow::Context;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What every drill is given.
pub struct Setting<'a> {
    rules: &'a RulesArgs,
    /// A few seconds at most.
    pub short: bool,
    ruleset: OnceCell<Waf>,
}

impl<'a> Setting<'a> {
    /// Drills with these rules; they are loaded when the first drill wants them.
    pub fn new(rules: &'a RulesArgs, short: bool) -> Setting<'a> {
        Setting { rules, short, ruleset: OnceCell::new() }
    }

    /// One of two sizes: of a short drill, or of one that takes its time.
    pub fn size<T>(&self, short: T, full: T) -> T {
        if self.short { short } else { full }
    }

    /// What the ruleset is called in answers.
    pub fn ruleset_name(&self) -> String {
        if self.rules.rules.is_empty() {
            return "built-in rules".to_owned();
        }
        let names: Vec<_> = self.rules.rules.iter().map(|path| path.display().to_string()).collect();
        names.join(", ")
    }

    /// Where the ruleset comes from.
    pub fn source(&self) -> RuleSource {
        self.rules.source()
    }

    /// The ruleset that was asked for, at a fixed time.
    ///
    /// # Errors
    /// Rules that do not load.
    pub fn ruleset(&self) -> anyhow::Result<Waf> {
        if let Some(waf) = self.ruleset.get() {
            return Ok(waf.clone());
        }
        let waf = self.rules.load(self.rules.builder().env(FixedEnv::default()))?;
        Ok(self.ruleset.get_or_init(|| waf).clone())
    }

    /// The same ruleset within other limits.
    ///
    /// # Errors
    /// Rules that do not load.
    pub fn ruleset_within(&self, limits: Limits) -> anyhow::Result<Waf> {
        self.rules.load(self.rules.builder().env(FixedEnv::default()).limits(limits))
    }

    /// The same ruleset on a host that supplies this.
    ///
    /// # Errors
    /// Rules that do not load.
    pub fn ruleset_supplied(&self, supplies: Supplies) -> anyhow::Result<Waf> {
        // Findings are counted, not printed.
        let builder = self.rules.builder().env(FixedEnv::default()).supplies(supplies);
        builder.build().map_err(|report| anyhow::anyhow!("the rules do not load:\n{report}"))
    }

    /// The same ruleset, and other rules behind it.
    ///
    /// # Errors
    /// Rules that do not load.
    pub fn ruleset_and(&self, text: &str) -> anyhow::Result<Waf> {
        let builder = self.rules.builder().env(FixedEnv::default());
        let builder = if self.rules.rules.is_empty() {
            let (entry, files) = builtin_files();
            builder.rules_path(entry).files(files.with(Behind::NAME, text))
        } else {
            builder.files(Behind(MemoryFiles::new().with(Behind::NAME, text)))
        };
        self.rules.load(builder.rules_path(Behind::NAME))
    }
}

/// The file system, and one file that is not in it.
struct Behind(MemoryFiles);

impl Behind {
    const NAME: &'static str = "drill.conf";

    fn of(&self, path: &Path) -> &dyn Files {
        if path == Path::new(Self::NAME) { &self.0 } else { &DiskFiles }
    }
}

impl Files for Behind {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        self.of(path).read(path)
    }

    fn beginning(&self, path: &Path, most: usize) -> std::io::Result<Vec<u8>> {
        self.of(path).beginning(path, most)
    }

    fn length(&self, path: &Path) -> std::io::Result<u64> {
        self.of(path).length(path)
    }

    fn glob(&self, pattern: &Path) -> std::io::Result<Vec<PathBuf>> {
        self.of(pattern).glob(pattern)
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        self.of(path).canonical(path)
    }
}

/// A builder with rules of a drill's own, at a fixed time.
pub fn own(text: &str) -> WafBuilder {
    let text = format!("SecRuleEngine On\nSecRequestBodyAccess On\n{text}");
    Waf::builder().env(FixedEnv::default()).rules_text("drill.conf", text)
}

/// A WAF with rules of a drill's own.
///
/// # Errors
/// Rules that do not load: the report.
pub fn own_rules(text: &str, limits: Limits) -> anyhow::Result<Waf> {
    let built = own(text).limits(limits).build();
    built.map_err(|report| anyhow::anyhow!("rules of the drill do not load:\n{report}"))
}

/// A pattern of the same meaning as it is written between double quotes, where two backslashes would be read as one.
pub fn quoted(pattern: &str) -> String {
    pattern.replace(r"\\", r"\x5c").replace(r#"\""#, "\"").replace('"', r#"\""#)
}

/// What became of the budget, in words.
pub fn budget(told: &Verdict) -> String {
    match &told.exhausted {
        None => "no budget is spent".to_owned(),
        Some(spent) => format!("the {} budget is spent in phase {}", spent.scope, spent.phase.number()),
    }
}

/// Whether a spent budget lets nothing through: the request is refused, or the rule counts as a match. Where rules only detect, there
/// is nothing to refuse.
pub fn is_closed(transaction: &Transaction, told: &Verdict) -> bool {
    if transaction.mode() != EngineMode::On {
        return true;
    }
    match told.exhausted.as_ref().map(|spent| spent.policy) {
        Some(Decided::Block) => told.interruption.is_some(),
        Some(Decided::Match) | None => true,
        Some(_) => false,
    }
}

/// Evaluates a request to its end.
///
/// # Errors
/// The engine has failed.
pub fn verdict(waf: &Waf, request: &Prepared) -> anyhow::Result<(Transaction, Verdict)> {
    let transaction = request.evaluate(waf);
    let verdict = transaction.verdict().with_context(|| format!("{}: internal error", request.id()))?;
    Ok((transaction, verdict))
}

/// Milliseconds, as drills tell them.
pub fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// The memory of this process, where the system tells it.
pub fn resident_kilobytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The descriptors that this process has open, where the system tells it.
pub fn open_descriptors() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}
