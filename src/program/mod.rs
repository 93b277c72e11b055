//! The waist of the house: a compiled ruleset as plain data.
//!
//! A [`Program`] has no closures, no trait objects and no interior mutability: it can be printed, compared, priced, verified
//! and explained. [`Loaded`] holds the automata that are built from it, deterministically.

mod explain;
mod ids;
mod loaded;
mod presets;
mod sieve;
mod switches;
mod verify;

pub use explain::explain;
pub use ids::{KeyId, NodeId, PatternId, PhrasesId, RuleIx, RuleSetId, SelectionId, SlotId, TestId};
pub(crate) use loaded::tail;
pub use loaded::{LoadError, Loaded};
pub use presets::Preset;
pub use sieve::{ALPHABETS, Check, Conditions, Facts, LEVELS, LookPrice, Sieve, SieveNode, SieveVariable, Slot, level};
pub use switches::{Switches, weaker};
pub use verify::{Fault, verify};

use crate::byteset::{ByteSet, ones};
use crate::limits::Limits;
use crate::meter::Price;
use crate::net::IpSet;
use crate::rule::{
    AuditEngine, AuditParts, BodyProcessor, EngineMode, PartsMode, Pattern, Phrases, Ruleset, Sanitise, Variable,
    XmlIntoArgs,
};
use crate::scan;
use crate::scan::require::Window;
use crate::transform::Transformation;
use std::sync::Arc;

/// A compiled ruleset.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// What the rules mean: settings, messages, tags, places in files.
    pub ruleset: Arc<Ruleset>,
    /// The limits it was planned with.
    pub limits: Limits,
    /// One entry per rule of the ruleset, in load order; folded ones included.
    pub rules: Vec<PlannedRule>,
    /// The rules that can run, per phase, in load order.
    pub schedule: [Vec<RuleIx>; 5],
    /// Where conditions look: targets and exclusions, each distinct list once.
    pub selections: Vec<Selection>,
    /// The transformation pipelines as one prefix tree. Node 0 is the untransformed value.
    pub nodes: Vec<Node>,
    /// The distinct operators.
    pub tests: Vec<Test>,
    /// The distinct patterns.
    pub patterns: Vec<PatternPlan>,
    /// The distinct phrase lists.
    pub phrases: Vec<PhrasesPlan>,
    /// Literals (lower case) that patterns require; found together in one scan of a buffer. Their numbers are followed by those of
    /// the phrase lists: the phrases of one are found in the same scan.
    pub literals: Vec<Box<[u8]>>,
    /// The screens of the tests of each phase.
    pub sieves: [Sieve; 5],
    /// TX keys (lower case) that the rules name; 0-9 are the captures.
    pub tx_keys: Vec<Box<[u8]>>,
    /// Sets of rules that `ctl` actions name.
    pub rule_sets: Vec<Vec<RuleIx>>,
    /// Some rule looks at FULL_REQUEST, which is made for it alone.
    pub full_request: bool,
    /// Some rule hides values in logs (`sanitise...`): records then keep what hiding needs.
    pub sanitises: bool,
    /// Uploaded files are stored, if the host has a place for them: a rule looks at FILES_TMPNAMES, or a directive wants it.
    pub stores_uploads: bool,
}

/// A rule as the engine runs it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRule {
    /// Head and chain. Empty when the rule was folded away.
    pub links: Vec<Link>,
    /// Where evaluation goes on after a full match: a position in the phase's schedule.
    pub jump: Option<usize>,
    /// `msg`.
    pub msg: Option<Text>,
    /// `logdata`.
    pub logdata: Option<Text>,
    /// `tag`s.
    pub tags: Vec<Text>,
    /// The URL of `redirect`.
    pub redirect: Option<Text>,
    /// A match of it, right or wrong, makes no other rule weaker: it neither allows nor skips, removes or configures anything, and
    /// at most adds to counters. When its budget is spent it counts as a match.
    pub tightens: bool,
    /// It still runs when the budget of a request is spent that is not refused for it: it has the tag [`CRITICAL`](Self::CRITICAL).
    pub critical: bool,
    /// What the planner found out.
    pub fate: Fate,
    /// The most that the rule's own steps (verifiers, captures, actions) may cost, per evaluated value.
    pub price: Price,
}

impl PlannedRule {
    /// The tag of rules that have a reserve of their own, as written in `tag:'fusewall/critical'` (without case).
    pub const CRITICAL: &str = "fusewall/critical";
}

/// What became of a rule in planning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It runs.
    Live,
    /// Its condition is constant and true: its actions run, nothing is tested.
    Always,
    /// Its condition is constant and false.
    Never,
    /// No path leads to it.
    Unreachable,
}

/// One link of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Where it looks; `None` matches once, always.
    pub look: Option<Look>,
    /// Store the groups of a match in TX:0-9.
    pub capture: bool,
    /// Non-disruptive actions.
    pub actions: Vec<Step>,
}

/// The condition of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Where.
    pub selection: SelectionId,
    /// After which transformations.
    pub node: NodeId,
    /// For what.
    pub test: TestId,
    /// With the opposite sign.
    pub negated: bool,
    /// On every changed value along the pipeline.
    pub multi_match: bool,
    /// The slot in the sieve of its phase, which tells whether some value may match.
    pub sieve: Option<SlotId>,
}

/// Targets and exclusions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Included, in order.
    pub targets: Vec<Source>,
    /// Left out.
    pub exclusions: Vec<Source>,
    /// Whether actions can change what it selects (TX, MATCHED_VARS, ...): then it is resolved each time it is asked for.
    pub dynamic: bool,
}

/// A variable and which of its members.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// The variable.
    pub variable: Variable,
    /// Which members.
    pub which: Which,
    /// Their number instead of their values.
    pub count: bool,
}

/// Which members of a variable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Which {
    /// All.
    All,
    /// The one of this name.
    Key(Box<[u8]>),
    /// The TX entry of this key.
    Tx(KeyId),
    /// Those whose name the pattern finds.
    Regex(PatternId),
}

/// Which values transformations may change; all others come out as they went in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trigger {
    /// Those with one of these bytes.
    pub bytes: ByteSet,
    /// The empty value.
    pub empty: bool,
}

impl Default for Trigger {
    fn default() -> Trigger {
        Trigger::NEVER
    }
}

impl Trigger {
    /// None.
    pub const NEVER: Trigger = Trigger { bytes: ByteSet::EMPTY, empty: false };

    /// What one or the other changes.
    #[must_use]
    pub const fn or(self, other: Trigger) -> Trigger {
        Trigger { bytes: self.bytes.union(other.bytes), empty: self.empty || other.empty }
    }

    /// Whether a value of `len` bytes, `mask` among them, may be changed.
    #[inline]
    pub const fn changes(&self, len: usize, mask: &ByteSet) -> bool {
        mask.intersects(&self.bytes) || len == 0 && self.empty
    }
}

/// A node of the pipeline tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The transformation that leads here from the parent; `None` for the root.
    pub step: Option<(NodeId, Transformation)>,
    /// All nodes from the root (left out) to this one.
    pub path: Vec<NodeId>,
    /// What the transformation may change.
    pub trigger: Trigger,
    /// What some transformation on the path may change.
    pub path_trigger: Trigger,
}

impl Node {
    /// The untransformed value.
    pub const ROOT: Node = Node { step: None, path: Vec::new(), trigger: Trigger::NEVER, path_trigger: Trigger::NEVER };
}

/// An operator, its parameters compiled.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `@rx`.
    Rx(PatternId),
    /// `@rxGlobal`.
    RxGlobal(PatternId),
    /// `@rx` and `@rxGlobal` with macros that only a request can expand: compiled each time.
    RxExpanded {
        /// The pattern.
        text: Text,
        /// What its rule wants to know.
        want: scan::Want,
        /// All matches.
        global: bool,
    },
    /// `@pm`.
    Pm(PhrasesId),
    /// A comparison of bytes.
    Text(TextTest, Text),
    /// A comparison of numbers.
    Number(NumberTest, Text),
    /// `@ipMatch`.
    IpMatch(IpSet),
    /// `@geoLookup`, in the ruleset's database.
    GeoLookup,
    /// `@rbl`: the block list of this name.
    Rbl(Box<str>),
    /// `@detectSQLi`.
    DetectSqli,
    /// `@detectXSS`.
    DetectXss,
    /// `@validateByteRange`.
    ByteRange(Box<[bool; 256]>),
    /// `@validateUrlEncoding`.
    UrlEncoding,
    /// `@validateUtf8Encoding`.
    Utf8Encoding,
    /// `@verifyCC` and its like.
    Verify(CheckDigits, PatternId),
    /// `@unconditionalMatch`.
    Always,
    /// `@noMatch`.
    Never,
}

/// Comparisons of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextTest {
    /// `@streq`.
    Equal,
    /// `@contains`, `@strmatch`.
    Contains,
    /// `@containsWord`.
    ContainsWord,
    /// `@beginsWith`.
    BeginsWith,
    /// `@endsWith`.
    EndsWith,
    /// `@within`.
    Within,
}

/// Comparisons of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberTest {
    /// `@eq`.
    Eq,
    /// `@ge`.
    Ge,
    /// `@gt`.
    Gt,
    /// `@le`.
    Le,
    /// `@lt`.
    Lt,
}

impl NumberTest {
    /// Whether `value` stands so to `other`.
    pub const fn holds(self, value: i64, other: i64) -> bool {
        match self {
            NumberTest::Eq => value == other,
            NumberTest::Ge => value >= other,
            NumberTest::Gt => value > other,
            NumberTest::Le => value <= other,
            NumberTest::Lt => value < other,
        }
    }
}

/// Numbers with check digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckDigits {
    /// Credit cards: Luhn.
    Luhn,
    /// Brazilian CPF.
    Cpf,
    /// US social security number.
    Ssn,
    /// Austrian SVNR.
    Svnr,
}

/// A phrase list and what any value must have that contains one of its phrases.
#[derive(Debug, Clone, PartialEq)]
pub struct PhrasesPlan {
    /// The phrases.
    pub phrases: Phrases,
    /// By the value's [`level`]; `None` where no phrase can occur.
    pub screens: [Option<Screen>; LEVELS],
}

/// A pattern and how it is matched.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternPlan {
    /// The pattern.
    pub pattern: Pattern,
    /// What its users want to know.
    pub want: scan::Want,
    /// How it is verified.
    pub engine: scan::Engine,
    /// How it is made sure that a match is one of the pattern itself.
    pub exact: scan::Exact,
    /// What can be said without running it.
    pub plain: Option<scan::Plain>,
    /// The verifier's price.
    pub price: Price,
    /// What any value that it matches must have, by the value's [`level`]; `None` where it matches none of that level.
    pub screens: [Option<Screen>; LEVELS],
}

/// Cheap conditions that any matching value fulfils.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// Length in bytes, at least.
    pub min_len: usize,
    /// Each set has a byte in common with the value.
    pub any_of: Vec<ByteSet>,
    /// Literals.
    pub need: Need,
    /// One window of each of these stands in the value. Only sieves ask for them.
    pub windows: Vec<Vec<Window>>,
}

impl Screen {
    /// Lets every value pass.
    pub const OPEN: Screen = Screen { min_len: 0, any_of: Vec::new(), need: Need::Always, windows: Vec::new() };
}

/// An and/or tree over [`Program::literals`]. But for [`Need::Always`] none holds where no literal occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Holds.
    Always,
    /// The literal of this index occurs.
    Literal(u32),
    /// All hold.
    All(Vec<Need>),
    /// One holds.
    Any(Vec<Need>),
    /// One of these literals occurs: words of the set of all literals, and their bits.
    AnyOf(Vec<(u32, u64)>),
}

impl Need {
    /// Whether it holds, given the set of literals that occur.
    pub fn holds(&self, hits: &[u64]) -> bool {
        match self {
            Need::Always => true,
            Need::Literal(at) => hits.get(*at as usize / 64).is_some_and(|word| word >> (at % 64) & 1 == 1),
            Need::All(needs) => needs.iter().all(|need| need.holds(hits)),
            Need::Any(needs) => needs.iter().any(|need| need.holds(hits)),
            Need::AnyOf(words) => {
                words.iter().any(|(at, bits)| hits.get(*at as usize).is_some_and(|word| word & bits != 0))
            }
        }
    }
}

impl Need {
    /// Names each literal that it asks for.
    pub fn literals(&self, name: &mut impl FnMut(u32)) {
        match self {
            Need::Always => {}
            Need::Literal(at) => name(*at),
            Need::All(needs) | Need::Any(needs) => needs.iter().for_each(|need| need.literals(name)),
            Need::AnyOf(words) => {
                words.iter().for_each(|(at, bits)| ones(&[*bits]).for_each(|bit| name(at * 64 + bit as u32)));
            }
        }
    }

    /// Literals of which one occurs wherever the need holds, as few as possible; `None` if it may hold without any.
    pub fn rarest(&self) -> Option<Vec<u32>> {
        match self {
            Need::Always => None,
            Need::Literal(at) => Some(vec![*at]),
            Need::AnyOf(_) => {
                let mut all = Vec::new();
                self.literals(&mut |literal| all.push(literal));
                Some(all)
            }
            Need::Any(needs) => {
                let all: Option<Vec<_>> = needs.iter().map(Need::rarest).collect();
                all.map(|all| all.concat())
            }
            Need::All(needs) => needs.iter().filter_map(Need::rarest).min_by_key(Vec::len),
        }
    }
}

/// Text with macros, TX keys resolved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    /// In order.
    pub parts: Vec<TextPart>,
}

impl Text {
    /// The text if it is constant.
    pub fn constant(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [] => Some(b""),
            [TextPart::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

/// A piece of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextPart {
    /// As it stands.
    Literal(Box<[u8]>),
    /// A TX entry.
    Tx(KeyId),
    /// Any other variable.
    Variable(Variable, Option<Box<[u8]>>),
    /// The first member of a collection whose name the pattern finds.
    Matching(Variable, PatternId),
}

/// A non-disruptive action, compiled.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// `setvar:tx.key=...` with a key known at load.
    SetTx(KeyId, SetStep),
    /// `setvar` on another collection, or with a key that holds macros.
    SetVar(Variable, Text, SetStep),
    /// `ctl`.
    Ctl(CtlStep),
    /// `initcol` and its like.
    InitCollection(Variable, Text),
    /// `expirevar`: collection, key, seconds.
    Expire(Variable, Text, Text),
    /// `deprecatevar`: collection, key, `amount/seconds`.
    Deprecate(Variable, Text, Text),
    /// `setenv`.
    SetEnv(Text, Text),
    /// `sanitise...`.
    Sanitise(Sanitise),
}

impl Step {
    /// Setting an entry, by the bytes of its value.
    pub const SET: Price = Price::new(16, 128);
    /// Entries of an index that are moved for one fuel, where a name is put between them.
    pub const MOVED: u64 = 4;
    /// Loading a record of a persistent collection: finding it, and copying its bytes.
    pub const LOAD: Price = Price::new(2_000, 1_024);
    /// Committing changes of a record. Paid by the first change after a commit, so that a commit never fails for want of fuel.
    pub const COMMIT: Price = Price::new(3_000, 1_024);
    /// Changing an entry, here and in the store, by the bytes of name and value.
    pub const CHANGE: Price = Price::new(256, 1_024);
    /// Looking at one entry in search of a name.
    pub const FIND: u64 = 2;

    /// The texts that it expands.
    pub fn texts(&self) -> Vec<&Text> {
        match self {
            Step::SetTx(_, right) => right.text().into_iter().collect(),
            Step::SetVar(_, key, right) => std::iter::once(key).chain(right.text()).collect(),
            Step::InitCollection(_, key) => vec![key],
            Step::Expire(_, key, value) | Step::Deprecate(_, key, value) | Step::SetEnv(key, value) => vec![key, value],
            Step::Ctl(_) | Step::Sanitise(_) => Vec::new(),
        }
    }
}

/// The right side of `setvar`.
#[derive(Debug, Clone, PartialEq)]
pub enum SetStep {
    /// `=`.
    Set(Text),
    /// `=+`.
    Add(Text),
    /// `=-`.
    Subtract(Text),
    /// `!`.
    Unset,
}

impl SetStep {
    /// What is expanded, if anything is.
    pub fn text(&self) -> Option<&Text> {
        match self {
            SetStep::Set(text) | SetStep::Add(text) | SetStep::Subtract(text) => Some(text),
            SetStep::Unset => None,
        }
    }
}

/// `ctl`, compiled.
#[derive(Debug, Clone, PartialEq)]
pub enum CtlStep {
    /// `ruleEngine`.
    RuleEngine(EngineMode),
    /// `ruleRemoveBy...`.
    RemoveRules(RuleSetId),
    /// `ruleRemoveTargetBy...`.
    RemoveTarget(RuleSetId, Source),
    /// `requestBodyAccess`.
    RequestBodyAccess(bool),
    /// `responseBodyAccess`.
    ResponseBodyAccess(bool),
    /// `requestBodyLimit`.
    RequestBodyLimit(u64),
    /// `responseBodyLimit`.
    ResponseBodyLimit(u64),
    /// `requestBodyProcessor`.
    RequestBodyProcessor(BodyProcessor),
    /// `forceRequestBodyVariable`.
    ForceRequestBodyVariable(bool),
    /// `parseXmlIntoArgs`.
    ParseXmlIntoArgs(XmlIntoArgs),
    /// `auditEngine`.
    AuditEngine(AuditEngine),
    /// `auditLogParts`.
    AuditLogParts(AuditParts, PartsMode),
}

impl Program {
    /// The rule of the ruleset that a planned rule comes from.
    pub fn source(&self, rule: RuleIx) -> Option<&crate::rule::Rule> {
        self.ruleset.rules.get(rule.index())
    }

    /// The screens of a test that have literals in them: those of its pattern or phrase list.
    pub fn screens(&self, test: &Test) -> Option<&[Option<Screen>; LEVELS]> {
        match test {
            Test::Rx(id) | Test::RxGlobal(id) | Test::Verify(_, id) => Some(&self.patterns.get(id.index())?.screens),
            Test::Pm(id) => Some(&self.phrases.get(id.index())?.screens),
            _ => None,
        }
    }

    /// Words of 64 bits that a set of all literals and phrase lists takes.
    pub fn literal_words(&self) -> usize {
        (self.literals.len() + self.phrases.len()).div_ceil(64)
    }
}
