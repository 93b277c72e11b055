//! The typed rule model: what every rule language lowers to and what the planner (and the naive interpreter of the tests) reads.
//!
//! It says what a rule *means*, never how it is matched. It is plain data; patterns are kept as source text that
//! [`crate::lang::pcre`] has accepted.

mod action;
mod audit;
mod macros;
mod operator;
mod print;
mod settings;
mod supplies;
mod target;
mod upload;
mod variable;

pub use action::{Action, AllowScope, Ctl, Disruptive, Flow, IdRange, PartsMode, SetOp, SetVar};
pub use audit::{AuditEngine, AuditFormat, AuditPart, AuditParts, AuditSettings, AuditType, Sanitise};
pub use macros::{Macro, MacroPart};
pub use operator::{Operator, Pattern, Phrases, Test};
pub use settings::{BodyProcessor, Dataset, EngineMode, LimitAction, Settings, XmlIntoArgs};
pub use supplies::{Field, Supplies};
pub use target::{Selector, Target};
pub use upload::{KeepFiles, UploadSettings};
pub use variable::Variable;

use crate::diag::Span;
use crate::transform::Transformation;
use std::fmt;
use std::sync::Arc;

/// A rule's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u64);

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// When a rule runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// 1: request line and headers.
    RequestHeaders = 1,
    /// 2: request body.
    RequestBody = 2,
    /// 3: response line and headers.
    ResponseHeaders = 3,
    /// 4: response body.
    ResponseBody = 4,
    /// 5: logging; always runs, never blocks.
    Logging = 5,
}

impl Phase {
    /// All phases in order.
    pub const ALL: [Phase; 5] =
        [Phase::RequestHeaders, Phase::RequestBody, Phase::ResponseHeaders, Phase::ResponseBody, Phase::Logging];

    /// 1 to 5.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// 0 to 4, to index a table of phases.
    pub const fn index(self) -> usize {
        self as usize - 1
    }
}

/// The severity that a rule declares: 0 (emergency) to 7 (debug), as in syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleSeverity(pub u8);

impl RuleSeverity {
    /// The names of severities 0 to 7, as logged.
    pub const NAMES: [&'static str; 8] =
        ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"];

    /// The name of this severity.
    pub fn name(self) -> &'static str {
        Self::NAMES.get(usize::from(self.0)).copied().unwrap_or("DEBUG")
    }
}

/// A ruleset in load order, every directive applied: removals, target and action updates, default actions.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruleset {
    /// Everything that is not a rule.
    pub settings: Settings,
    /// Rules in load order, chains folded into their head.
    pub rules: Vec<Rule>,
    /// Markers for `skipAfter`, in load order.
    pub markers: Vec<Marker>,
}

/// A place that `skipAfter` jumps to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Its name.
    pub label: Arc<str>,
    /// The marker stands before `rules[before]`.
    pub before: usize,
    /// Where it was written.
    pub span: Option<Span>,
}

/// One rule: a head and its chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// When it runs.
    pub phase: Phase,
    /// Head first, then the chain links. Never empty. All must match.
    pub conditions: Vec<Condition>,
    /// What a full match does, `block` resolved by the default actions of the phase.
    pub disruptive: Disruptive,
    /// Status of `deny` and of `redirect` (default 403; 302 for redirect).
    pub status: u16,
    /// Whether a full match writes a log record.
    pub log: bool,
    /// Whether a full match makes the transaction relevant for the audit log.
    pub auditlog: bool,
    /// `skip` or `skipAfter` on a full match.
    pub flow: Flow,
    /// `msg`, expanded when the rule has matched.
    pub msg: Option<Macro>,
    /// `logdata`, expanded when the rule has matched.
    pub logdata: Option<Macro>,
    /// `severity`.
    pub severity: Option<RuleSeverity>,
    /// `tag`s in order; they may hold macros.
    pub tags: Vec<Macro>,
    /// `ver`.
    pub version: Option<Box<str>>,
    /// `rev`.
    pub revision: Option<Box<str>>,
    /// `maturity`, 1 to 9.
    pub maturity: Option<u8>,
    /// `accuracy`, 1 to 9.
    pub accuracy: Option<u8>,
    /// File as it is logged.
    pub file: Arc<str>,
    /// Line of the directive's first line, from 1.
    pub line: u32,
    /// Where it was written.
    pub span: Option<Span>,
}

/// One link: the head of a rule or a chained rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Where to look, in order. Empty for `SecAction`.
    pub targets: Vec<Target>,
    /// What to leave out (`!ARGS:x`, SecRuleUpdateTargetById): same variable, selected name.
    pub exclusions: Vec<Target>,
    /// `t:none` already applied.
    pub pipeline: Vec<Transformation>,
    /// What to look for. `None` matches always and once (`SecAction`).
    pub test: Option<Test>,
    /// Run the test on the input and after every changing transformation.
    pub multi_match: bool,
    /// Store groups 0-9 of a match in TX:0-TX:9.
    pub capture: bool,
    /// Non-disruptive actions, in order; run at each match of this link.
    pub actions: Vec<Action>,
    /// Where it was written.
    pub span: Option<Span>,
}
