//! What rules can change while they run.

use super::persist::Opened;
use super::request::Named;
use fusewall::geo::Place;
use fusewall::rule::{BodyProcessor, Ctl, EngineMode, Rule, Settings, Target, Variable, XmlIntoArgs};
use std::collections::HashMap;

/// A collection that rules write: keys without case, in order of first writing.
#[derive(Debug, Clone, Default)]
pub struct Collection(Vec<Named>);

impl Collection {
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_slice())
    }

    pub fn set(&mut self, key: &[u8], value: Vec<u8>) {
        match self.0.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(key)) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_ascii_lowercase(), value)),
        }
    }

    pub fn unset(&mut self, key: &[u8]) {
        self.0.retain(|(own, _)| !own.eq_ignore_ascii_case(key));
    }

    pub fn all(&self) -> &[Named] {
        &self.0
    }
}

/// One matched value.
#[derive(Debug, Clone)]
pub struct Matched {
    /// `ARGS:x`.
    pub name: Vec<u8>,
    /// After transformation.
    pub value: Vec<u8>,
}

/// Everything of a transaction that is not its input.
#[derive(Debug)]
pub struct State {
    pub mode: EngineMode,
    pub request_body_access: bool,
    pub response_body_access: bool,
    pub processor: Option<BodyProcessor>,
    pub force_request_body: bool,
    pub xml_into_args: XmlIntoArgs,
    pub tx: Collection,
    /// GLOBAL, IP, RESOURCE, SESSION, USER, as far as they are initialised.
    pub opened: Vec<Opened>,
    /// SESSIONID and USERID.
    pub named: HashMap<Variable, Vec<u8>>,
    /// GEO: what the last look-up has found.
    pub geo: Option<Place>,
    /// The last match.
    pub matched: Option<Matched>,
    /// The matches of the rule that runs.
    pub matched_vars: Vec<Matched>,
    /// 255 until a rule with a severity has matched.
    pub highest_severity: u8,
    /// `ctl:ruleRemove...`, in order.
    pub removals: Vec<Ctl>,
    pub logged: Vec<u64>,
    pub interruption: Option<(String, u16)>,
}

impl State {
    pub fn new(settings: &Settings) -> State {
        State {
            mode: settings.engine,
            request_body_access: settings.request_body_access,
            response_body_access: settings.response_body_access,
            processor: None,
            force_request_body: false,
            xml_into_args: settings.xml_into_args,
            tx: Collection::default(),
            opened: Vec::new(),
            named: HashMap::new(),
            geo: None,
            matched: None,
            matched_vars: Vec::new(),
            highest_severity: 255,
            removals: Vec::new(),
            logged: Vec::new(),
            interruption: None,
        }
    }

    /// A persistent collection, if it is initialised.
    pub fn opened(&self, variable: Variable) -> Option<&Opened> {
        self.opened.iter().find(|opened| opened.id.0 == variable)
    }

    pub fn opened_mut(&mut self, variable: Variable) -> Option<&mut Opened> {
        self.opened.iter_mut().find(|opened| opened.id.0 == variable)
    }

    /// Whether a `ctl` has removed the rule. `finds` runs a pattern.
    pub fn is_removed(&self, rule: &Rule, finds: &Finds<'_>) -> bool {
        self.removals.iter().any(|ctl| match ctl {
            Ctl::RuleRemoveById(ranges) => ranges.iter().any(|range| range.contains(rule.id.0)),
            Ctl::RuleRemoveByTag(pattern) => has_tag(rule, &|tag| finds(pattern, tag)),
            Ctl::RuleRemoveByMsg(pattern) => has_msg(rule, &|msg| finds(pattern, msg)),
            _ => false,
        })
    }

    /// The targets that `ctl`s have removed from the rule.
    pub fn removed_targets(&self, rule: &Rule, finds: &Finds<'_>) -> Vec<Target> {
        let removed = self.removals.iter().filter_map(|ctl| match ctl {
            Ctl::RuleRemoveTargetById(ranges, target) => {
                ranges.iter().any(|range| range.contains(rule.id.0)).then_some(target)
            }
            Ctl::RuleRemoveTargetByTag(pattern, target) => has_tag(rule, &|tag| finds(pattern, tag)).then_some(target),
            Ctl::RuleRemoveTargetByMsg(pattern, target) => has_msg(rule, &|msg| finds(pattern, msg)).then_some(target),
            _ => None,
        });
        removed.cloned().collect()
    }
}

/// Whether a pattern finds something in a text.
pub type Finds<'a> = dyn Fn(&fusewall::rule::Pattern, &[u8]) -> bool + 'a;

/// Tags and messages are compared as the author wrote them, macros included.
fn has_tag(rule: &Rule, finds: &dyn Fn(&[u8]) -> bool) -> bool {
    rule.tags.iter().any(|tag| finds(&tag.to_bytes()))
}

fn has_msg(rule: &Rule, finds: &dyn Fn(&[u8]) -> bool) -> bool {
    rule.msg.as_ref().is_some_and(|msg| finds(&msg.to_bytes()))
}
