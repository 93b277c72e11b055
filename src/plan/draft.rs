//! Interning: each distinct selection, pipeline, operator and pattern gets one place, so that work is shared.

use super::{fold, keys};
use crate::diag::Diagnostic;
use crate::lang::seclang::codes;
use crate::meter::Price;
use crate::program::{
    CheckDigits, CtlStep, Fate, KeyId, Link, Look, Node, NodeId, NumberTest, PatternId, PhrasesId, PlannedRule, RuleIx,
    RuleSetId, Selection, SelectionId, SetStep, Source, Step, Test, TestId, Text, TextPart, TextTest, Trigger, Which,
};
use crate::rule::{
    Action, Condition, Ctl, Disruptive, Macro, MacroPart, Operator, Pattern, Phrases, Rule, Ruleset, Selector, SetOp,
    Target, Variable,
};
use crate::scan::Want;
use crate::transform::Transformation;
use std::collections::{BTreeMap, HashMap};

/// A pattern that is yet to be compiled.
#[derive(Debug, Clone)]
pub(super) struct PatternDraft {
    pub(super) pattern: Pattern,
    pub(super) want: Want,
    /// The first place that uses it, for diagnostics.
    pub(super) span: Option<crate::diag::Span>,
    pub(super) rule: crate::rule::RuleId,
}

/// The tables of a program in the making.
pub(super) struct Draft<'r> {
    ruleset: &'r Ruleset,
    tx_keys: Vec<Box<[u8]>>,
    key_index: HashMap<Box<[u8]>, KeyId>,
    selections: Vec<Selection>,
    selection_index: HashMap<Selection, SelectionId>,
    nodes: Vec<Node>,
    node_index: HashMap<(NodeId, Transformation), NodeId>,
    tests: Vec<Test>,
    patterns: Vec<PatternDraft>,
    pattern_index: HashMap<Pattern, PatternId>,
    phrases: Vec<Phrases>,
    rule_sets: Vec<Vec<RuleIx>>,
    /// Some rule reads TX:1-9 that it did not capture itself.
    groups_escape: bool,
    /// What patterns with macros are, by the places of rule and condition, where it is known.
    known: BTreeMap<(usize, usize), Vec<u8>>,
}

/// What [`Draft::finish`] hands on.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) selections: Vec<Selection>,
    pub(super) nodes: Vec<Node>,
    pub(super) tests: Vec<Test>,
    pub(super) phrases: Vec<Phrases>,
    pub(super) tx_keys: Vec<Box<[u8]>>,
    pub(super) rule_sets: Vec<Vec<RuleIx>>,
    pub(super) patterns: Vec<PatternDraft>,
}

impl<'r> Draft<'r> {
    pub(super) fn new(ruleset: &'r Ruleset, known: BTreeMap<(usize, usize), Vec<u8>>) -> Self {
        let tx_keys = keys::tx_keys(ruleset);
        let key_index = tx_keys.iter().enumerate().map(|(at, key)| (key.clone(), KeyId::new(at))).collect();
        let groups_escape = ruleset.rules.iter().any(reads_groups_of_others);
        Draft {
            ruleset,
            tx_keys,
            key_index,
            selections: Vec::new(),
            selection_index: HashMap::new(),
            nodes: vec![Node::ROOT],
            node_index: HashMap::new(),
            tests: Vec::new(),
            patterns: Vec::new(),
            pattern_index: HashMap::new(),
            phrases: Vec::new(),
            rule_sets: Vec::new(),
            groups_escape,
            known,
        }
    }

    /// The warnings about conditions of a rule whose pattern is known only when a request comes.
    pub(super) fn unknown_patterns(&self, at: usize) -> impl Iterator<Item = Diagnostic> {
        let rule = self.ruleset.rules.get(at);
        let conditions = rule.into_iter().flat_map(|rule| rule.conditions.iter().enumerate());
        conditions.filter_map(move |(place, condition)| {
            let Operator::RxExpanded { .. } = condition.test.as_ref()?.operator else { return None };
            if self.known.contains_key(&(at, place)) {
                return None;
            }
            let message = "no price bounds a pattern that is known only when a request comes, only the budget of the rule does";
            Some(Diagnostic::warning(codes::METERED, condition.span, message).help(
                "if a list is looked through, `@within` and `@pm` do so in linear time; values in the pattern are read as syntax",
            ))
        })
    }

    pub(super) fn finish(self) -> Finished {
        let Draft { selections, nodes, tests, phrases, tx_keys, rule_sets, patterns, .. } = self;
        Finished { selections, nodes, tests, phrases, tx_keys, rule_sets, patterns }
    }

    /// Plans one rule. A rule without a future keeps its texts (for reports) and loses its links.
    pub(super) fn rule(&mut self, at: usize, fate: Fate, jump: Option<usize>) -> PlannedRule {
        let ruleset = self.ruleset;
        let rule = &ruleset.rules[at];
        let links = match fate {
            Fate::Never | Fate::Unreachable => Vec::new(),
            Fate::Always => rule
                .conditions
                .iter()
                .map(|condition| Link { look: None, capture: false, actions: self.steps(condition) })
                .collect(),
            Fate::Live => {
                let groups = self.groups_escape || reads_groups(rule);
                let conditions = rule.conditions.iter().enumerate();
                conditions.map(|(place, condition)| self.link(rule, condition, (at, place), groups)).collect()
            }
        };
        PlannedRule {
            links,
            jump,
            msg: rule.msg.as_ref().map(|text| self.text(text)),
            logdata: rule.logdata.as_ref().map(|text| self.text(text)),
            tags: rule.tags.iter().map(|text| self.text(text)).collect(),
            redirect: match &rule.disruptive {
                Disruptive::Redirect(url) => Some(self.text(url)),
                _ => None,
            },
            tightens: false,
            critical: rule.tags.iter().any(is_critical),
            fate,
            price: Price::default(),
        }
    }

    fn link(&mut self, rule: &Rule, condition: &Condition, place: (usize, usize), groups: bool) -> Link {
        let look = condition.test.as_ref().map(|test| {
            let want = match (condition.capture && !test.negated, groups) {
                (false, _) => Want::Match,
                (true, false) => Want::Span,
                (true, true) => Want::Groups,
            };
            Look {
                selection: self.selection(rule, condition),
                node: self.node(&condition.pipeline),
                test: self.test(rule, condition, place, &test.operator, want),
                negated: test.negated,
                multi_match: condition.multi_match,
                sieve: None,
            }
        });
        Link { look, capture: condition.capture, actions: self.steps(condition) }
    }

    fn selection(&mut self, rule: &Rule, condition: &Condition) -> SelectionId {
        let targets: Vec<_> = condition.targets.iter().map(|target| self.source(rule, target)).collect();
        let exclusions: Vec<_> = condition.exclusions.iter().map(|target| self.source(rule, target)).collect();
        let dynamic = targets.iter().any(|source| is_dynamic(source.variable));
        let selection = Selection { targets, exclusions, dynamic };
        if let Some(&id) = self.selection_index.get(&selection) {
            return id;
        }
        let id = SelectionId::new(self.selections.len());
        self.selections.push(selection.clone());
        self.selection_index.insert(selection, id);
        id
    }

    fn source(&mut self, rule: &Rule, target: &Target) -> Source {
        let which = match &target.selector {
            Selector::All => Which::All,
            Selector::Key(key) if target.variable == Variable::Tx => Which::Tx(self.key(key)),
            Selector::Key(key) if target.variable.folds_case() => Which::Key(key.to_ascii_lowercase().into()),
            Selector::Key(key) => Which::Key(key.clone()),
            Selector::Regex(pattern) => Which::Regex(self.pattern(rule, pattern, Want::Match, None)),
        };
        Source { variable: target.variable, which, count: target.count }
    }

    fn node(&mut self, pipeline: &[Transformation]) -> NodeId {
        pipeline.iter().fold(NodeId::ROOT, |parent, &step| {
            let key = (parent, step);
            if let Some(&node) = self.node_index.get(&key) {
                return node;
            }
            let node = NodeId::new(self.nodes.len());
            let mut path = self.nodes[parent.index()].path.clone();
            path.push(node);
            let trigger = Trigger { bytes: step.triggers(), empty: step.changes_empty() };
            let above = &self.nodes[parent.index()];
            let path_trigger = above.path_trigger.or(trigger);
            let step = Some((parent, step));
            self.nodes.push(Node { step, path, trigger, path_trigger });
            self.node_index.insert(key, node);
            node
        })
    }

    fn test(
        &mut self,
        rule: &Rule,
        condition: &Condition,
        place: (usize, usize),
        operator: &Operator,
        want: Want,
    ) -> TestId {
        let span = condition.span;
        // Every match is looked for, so the place of each is needed even without captures.
        let each = if want == Want::Match { Want::Span } else { want };
        let test = match operator {
            Operator::RxExpanded { text, global } => match self.known.get(&place) {
                Some(known) => {
                    let pattern = Pattern { text: known.as_slice().into(), fold_case: false };
                    let id = self.pattern(rule, &pattern, if *global { each } else { want }, span);
                    if *global { Test::RxGlobal(id) } else { Test::Rx(id) }
                }
                None => {
                    let want = if *global { each } else { want };
                    Test::RxExpanded { text: self.text(text), want, global: *global }
                }
            },
            Operator::Rx(pattern) => Test::Rx(self.pattern(rule, pattern, want, span)),
            Operator::RxGlobal(pattern) => Test::RxGlobal(self.pattern(rule, pattern, each, span)),
            Operator::Pm(phrases) => Test::Pm(self.phrases(phrases)),
            Operator::StrEq(text) => Test::Text(TextTest::Equal, self.text(text)),
            Operator::Contains(text) | Operator::StrMatch(text) => Test::Text(TextTest::Contains, self.text(text)),
            Operator::ContainsWord(text) => Test::Text(TextTest::ContainsWord, self.text(text)),
            Operator::BeginsWith(text) => Test::Text(TextTest::BeginsWith, self.text(text)),
            Operator::EndsWith(text) => Test::Text(TextTest::EndsWith, self.text(text)),
            Operator::Within(text) => Test::Text(TextTest::Within, self.text(text)),
            Operator::Eq(text) => Test::Number(NumberTest::Eq, self.text(text)),
            Operator::Ge(text) => Test::Number(NumberTest::Ge, self.text(text)),
            Operator::Gt(text) => Test::Number(NumberTest::Gt, self.text(text)),
            Operator::Le(text) => Test::Number(NumberTest::Le, self.text(text)),
            Operator::Lt(text) => Test::Number(NumberTest::Lt, self.text(text)),
            Operator::IpMatch(set) => Test::IpMatch(set.clone()),
            Operator::Rbl(zone) => Test::Rbl(zone.clone()),
            Operator::GeoLookup => Test::GeoLookup,
            Operator::DetectSqli => Test::DetectSqli,
            Operator::DetectXss => Test::DetectXss,
            Operator::ValidateByteRange(allowed) => Test::ByteRange(allowed.clone()),
            Operator::ValidateUrlEncoding => Test::UrlEncoding,
            Operator::ValidateUtf8Encoding => Test::Utf8Encoding,
            Operator::VerifyCc(pattern) => self.verify(rule, CheckDigits::Luhn, pattern, span),
            Operator::VerifyCpf(pattern) => self.verify(rule, CheckDigits::Cpf, pattern, span),
            Operator::VerifySsn(pattern) => self.verify(rule, CheckDigits::Ssn, pattern, span),
            Operator::VerifySvnr(pattern) => self.verify(rule, CheckDigits::Svnr, pattern, span),
            Operator::UnconditionalMatch => Test::Always,
            Operator::NoMatch => Test::Never,
        };
        if let Some(at) = self.tests.iter().position(|other| *other == test) {
            return TestId::new(at);
        }
        self.tests.push(test);
        TestId::new(self.tests.len() - 1)
    }

    fn verify(&mut self, rule: &Rule, digits: CheckDigits, pattern: &Pattern, span: Option<crate::diag::Span>) -> Test {
        Test::Verify(digits, self.pattern(rule, pattern, Want::Span, span))
    }

    fn pattern(&mut self, rule: &Rule, pattern: &Pattern, want: Want, span: Option<crate::diag::Span>) -> PatternId {
        if let Some(&id) = self.pattern_index.get(pattern) {
            let known = &mut self.patterns[id.index()];
            known.want = more(known.want, want);
            return id;
        }
        let id = PatternId::new(self.patterns.len());
        self.patterns.push(PatternDraft { pattern: pattern.clone(), want, span: span.or(rule.span), rule: rule.id });
        self.pattern_index.insert(pattern.clone(), id);
        id
    }

    fn phrases(&mut self, phrases: &Phrases) -> PhrasesId {
        if let Some(at) = self.phrases.iter().position(|other| other == phrases) {
            return PhrasesId::new(at);
        }
        self.phrases.push(phrases.clone());
        PhrasesId::new(self.phrases.len() - 1)
    }

    fn key(&self, key: &[u8]) -> KeyId {
        // `keys::tx_keys` has collected every key that is spelled out.
        self.key_index.get(key.to_ascii_lowercase().as_slice()).copied().unwrap_or(KeyId::new(usize::MAX))
    }

    fn text(&mut self, text: &Macro) -> Text {
        let parts = text.parts.iter().map(|part| match part {
            MacroPart::Text(text) => TextPart::Literal(text.clone()),
            MacroPart::Variable { variable: Variable::Tx, key: Some(key) } => TextPart::Tx(self.key(key)),
            MacroPart::Matching { variable, pattern } => TextPart::Matching(*variable, self.selector_pattern(pattern)),
            MacroPart::Variable { variable, key } => {
                let fold = |key: &[u8]| if variable.folds_case() { key.to_ascii_lowercase() } else { key.to_vec() };
                TextPart::Variable(*variable, key.as_ref().map(|key| fold(key).into()))
            }
        });
        Text { parts: parts.collect() }
    }

    fn steps(&mut self, condition: &Condition) -> Vec<Step> {
        condition.actions.iter().map(|action| self.step(action)).collect()
    }

    fn step(&mut self, action: &Action) -> Step {
        match action {
            Action::SetVar(set) => {
                let right = match &set.op {
                    SetOp::Set(value) => SetStep::Set(self.text(value)),
                    SetOp::Add(value) => SetStep::Add(self.text(value)),
                    SetOp::Subtract(value) => SetStep::Subtract(self.text(value)),
                    SetOp::Unset => SetStep::Unset,
                };
                match set.key.as_text() {
                    Some(key) if set.collection == Variable::Tx => Step::SetTx(self.key(key), right),
                    _ => Step::SetVar(set.collection, self.text(&set.key), right),
                }
            }
            Action::Ctl(ctl) => Step::Ctl(self.ctl(ctl)),
            Action::InitCollection { collection, key } => Step::InitCollection(*collection, self.text(key)),
            Action::ExpireVar { collection, key, seconds } => {
                Step::Expire(*collection, self.text(key), self.text(seconds))
            }
            Action::DeprecateVar { collection, key, rate } => {
                Step::Deprecate(*collection, self.text(key), self.text(rate))
            }
            Action::SetEnv { name, value } => Step::SetEnv(self.text(name), self.text(value)),
            Action::Sanitise(what) => Step::Sanitise(what.clone()),
        }
    }

    fn ctl(&mut self, ctl: &Ctl) -> CtlStep {
        match ctl {
            Ctl::RuleEngine(mode) => CtlStep::RuleEngine(*mode),
            Ctl::RuleRemoveById(_) | Ctl::RuleRemoveByTag(_) | Ctl::RuleRemoveByMsg(_) => {
                CtlStep::RemoveRules(self.rule_set(ctl))
            }
            Ctl::RuleRemoveTargetById(_, target)
            | Ctl::RuleRemoveTargetByTag(_, target)
            | Ctl::RuleRemoveTargetByMsg(_, target) => {
                let set = self.rule_set(ctl);
                let which = match &target.selector {
                    Selector::All => Which::All,
                    Selector::Key(key) if target.variable == Variable::Tx => {
                        // A key that no rule names elsewhere cannot be looked at either.
                        Which::Tx(self.key(key))
                    }
                    Selector::Key(key) if target.variable.folds_case() => Which::Key(key.to_ascii_lowercase().into()),
                    Selector::Key(key) => Which::Key(key.clone()),
                    Selector::Regex(pattern) => Which::Regex(self.selector_pattern(pattern)),
                };
                CtlStep::RemoveTarget(set, Source { variable: target.variable, which, count: target.count })
            }
            Ctl::RequestBodyAccess(on) => CtlStep::RequestBodyAccess(*on),
            Ctl::ResponseBodyAccess(on) => CtlStep::ResponseBodyAccess(*on),
            Ctl::RequestBodyLimit(bytes) => CtlStep::RequestBodyLimit(*bytes),
            Ctl::ResponseBodyLimit(bytes) => CtlStep::ResponseBodyLimit(*bytes),
            Ctl::RequestBodyProcessor(processor) => CtlStep::RequestBodyProcessor(*processor),
            Ctl::ForceRequestBodyVariable(on) => CtlStep::ForceRequestBodyVariable(*on),
            Ctl::ParseXmlIntoArgs(mode) => CtlStep::ParseXmlIntoArgs(*mode),
            Ctl::AuditEngine(mode) => CtlStep::AuditEngine(*mode),
            Ctl::AuditLogParts { parts, mode } => CtlStep::AuditLogParts(*parts, *mode),
        }
    }

    fn selector_pattern(&mut self, pattern: &Pattern) -> PatternId {
        if let Some(&id) = self.pattern_index.get(pattern) {
            return id;
        }
        let id = PatternId::new(self.patterns.len());
        let rule = crate::rule::RuleId(0);
        self.patterns.push(PatternDraft { pattern: pattern.clone(), want: Want::Match, span: None, rule });
        self.pattern_index.insert(pattern.clone(), id);
        id
    }

    fn rule_set(&mut self, ctl: &Ctl) -> RuleSetId {
        let set: Vec<_> = fold::named(ctl, self.ruleset).into_iter().map(RuleIx::new).collect();
        if let Some(at) = self.rule_sets.iter().position(|other| *other == set) {
            return RuleSetId::new(at);
        }
        self.rule_sets.push(set);
        RuleSetId::new(self.rule_sets.len() - 1)
    }
}

/// Whether actions or the evaluation itself change what the variable holds.
fn is_dynamic(variable: Variable) -> bool {
    matches!(
        variable,
        Variable::Tx
            | Variable::Env
            | Variable::MatchedVar
            | Variable::MatchedVarName
            | Variable::MatchedVars
            | Variable::MatchedVarsNames
            | Variable::Rule
            | Variable::PerfRules
            | Variable::PerfAll
            | Variable::PerfCombined
            | Variable::PerfGc
            | Variable::PerfLogging
            | Variable::PerfPhase1
            | Variable::PerfPhase2
            | Variable::PerfPhase3
            | Variable::PerfPhase4
            | Variable::PerfPhase5
            | Variable::PerfSread
            | Variable::PerfSwrite
            | Variable::Geo
            | Variable::HighestSeverity
            | Variable::Duration
            | Variable::Time
            | Variable::TimeEpoch
            | Variable::TimeHour
            | Variable::TimeMin
            | Variable::TimeSec
            | Variable::TimeDay
            | Variable::TimeMon
            | Variable::TimeYear
            | Variable::TimeWday
            | Variable::UserId
            | Variable::SessionId
            | Variable::BudgetExhausted
            | Variable::Uninspected
            | Variable::CollectionLimit
            | Variable::ReqbodyProcessor
    ) || variable.is_persistent()
}

fn more(one: Want, other: Want) -> Want {
    match (one, other) {
        (Want::Groups, _) | (_, Want::Groups) => Want::Groups,
        (Want::Span, _) | (_, Want::Span) => Want::Span,
        _ => Want::Match,
    }
}

/// Whether the rule may read TX:1-9 before a match of its own has set them.
fn reads_groups_of_others(rule: &Rule) -> bool {
    for condition in &rule.conditions {
        let parameter = condition.test.as_ref().and_then(|test| keys::parameter(&test.operator));
        if condition.targets.iter().any(looks_at_groups) || parameter.is_some_and(names_groups) {
            return true;
        }
        if condition.capture && condition.test.as_ref().is_some_and(|test| !test.negated) {
            return false;
        }
        let reads = |action| adds_to_groups(action) || keys::texts(action).into_iter().any(names_groups);
        if condition.actions.iter().any(reads) {
            return true;
        }
    }
    // No link captures: all texts are of others.
    keys::macros_of(rule).any(names_groups)
}

/// Whether the rule reads TX:1-9: by name, by a regex selector over TX, or by adding to them.
fn reads_groups(rule: &Rule) -> bool {
    keys::macros_of(rule).any(names_groups)
        || rule.conditions.iter().any(|condition| {
            condition.targets.iter().any(looks_at_groups) || condition.actions.iter().any(adds_to_groups)
        })
}

fn is_group(key: &[u8]) -> bool {
    matches!(key, [b'1'..=b'9'])
}

fn names_groups(text: &Macro) -> bool {
    text.parts.iter().any(|part| match part {
        MacroPart::Variable { variable: Variable::Tx, key: Some(key) } => is_group(key),
        MacroPart::Matching { variable: Variable::Tx, pattern } => finds_group(pattern),
        _ => false,
    })
}

fn finds_group(pattern: &Pattern) -> bool {
    let finds = fold::finder(pattern);
    (b'1'..=b'9').any(|digit| finds(&[digit]))
}

fn looks_at_groups(target: &Target) -> bool {
    target.variable == Variable::Tx
        && match &target.selector {
            Selector::Key(key) => is_group(key),
            Selector::All => true,
            Selector::Regex(pattern) => finds_group(pattern),
        }
}

/// A sum reads what it adds to; a key with a macro may turn out to be a group's, if it does not begin otherwise.
fn adds_to_groups(action: &Action) -> bool {
    let Action::SetVar(set) = action else { return false };
    let may_be_group = match set.key.parts.first() {
        // What follows may be empty.
        Some(MacroPart::Text(start)) => is_group(start),
        Some(_) => true,
        None => false,
    };
    matches!(set.op, SetOp::Add(_) | SetOp::Subtract(_)) && set.collection == Variable::Tx && may_be_group
}

fn is_critical(tag: &Macro) -> bool {
    tag.as_text().is_some_and(|tag| tag.eq_ignore_ascii_case(PlannedRule::CRITICAL.as_bytes()))
}
