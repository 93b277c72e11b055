//! Phases, rules, links and actions, in the order of the manual.

use super::exchange::Exchange;
use super::operators::{self, Groups};
use super::patterns::Patterns;
use super::persist::Store;
use super::request::{Named, Request, decoded, header};
use super::state::{Matched, State};
use super::{Outcome, values};
use fusewall::http::Kind;
use fusewall::http::coding::End;
use fusewall::http::nested::NestedLimits;
use fusewall::meter::Meter;
use fusewall::net::parse_address;
use fusewall::ops::numeric::integer;
use fusewall::rule::{
    Action, AllowScope, BodyProcessor, Condition, Ctl, Disruptive, EngineMode, Flow, LimitAction, Macro, Operator,
    Phase, Rule, Ruleset, SetOp, SetVar, Target, Test, Variable,
};
use fusewall::transform::{Changed, Context};
use std::collections::BTreeMap;

/// The evaluation of one exchange.
pub struct Run<'a> {
    pub ruleset: &'a Ruleset,
    pub patterns: &'a Patterns,
    pub exchange: &'a Exchange,
    store: &'a mut Store,
    pub request: Request,
    pub state: State,
    pub phase: Phase,
    /// Phase 2 has begun: the body has arrived.
    pub reached_body: bool,
    /// The body without its codings, from phase 2 on.
    pub body: Vec<u8>,
    /// Phase 2 has begun with access to the body.
    pub body_access: bool,
    /// The body is REQUEST_BODY.
    pub body_is_variable: bool,
    pub reached_response: bool,
    /// Phase 4 has begun with access to the body.
    pub response_body_access: bool,
    /// The response body without its codings.
    pub response_body: Vec<u8>,
    /// The rule that runs.
    pub rule: Option<&'a Rule>,
    allowed: Option<AllowScope>,
}

impl<'a> Run<'a> {
    pub fn new(ruleset: &'a Ruleset, patterns: &'a Patterns, store: &'a mut Store, exchange: &'a Exchange) -> Run<'a> {
        let mut state = State::new(&ruleset.settings);
        state.processor = default_processor(exchange);
        Run {
            ruleset,
            patterns,
            exchange,
            store,
            request: Request::new(exchange, &ruleset.settings),
            state,
            phase: Phase::RequestHeaders,
            reached_body: false,
            body: Vec::new(),
            body_access: false,
            body_is_variable: false,
            reached_response: false,
            response_body_access: false,
            response_body: Vec::new(),
            rule: None,
            allowed: None,
        }
    }

    /// All phases, and what they leave behind.
    pub fn outcome(mut self) -> Outcome {
        self.run_phase(Phase::RequestHeaders);
        if self.state.interruption.is_none() {
            self.take_body();
            self.limit_without_files();
        }
        if self.state.interruption.is_none() {
            self.run_phase(Phase::RequestBody);
        }
        if self.exchange.response.is_some() && self.state.interruption.is_none() {
            self.reached_response = true;
            self.run_phase(Phase::ResponseHeaders);
            if self.state.interruption.is_none() {
                self.take_response_body();
                self.run_phase(Phase::ResponseBody);
            }
        }
        self.run_phase(Phase::Logging);
        for opened in std::mem::take(&mut self.state.opened) {
            self.store.close(opened);
        }
        self.into_outcome()
    }

    /// Reads the body as phase 1 has decided.
    fn take_body(&mut self) {
        self.reached_body = true;
        let state = &self.state;
        self.body_access = state.request_body_access;
        if !self.body_access {
            if !self.exchange.body.is_empty() {
                self.request.note("request body");
            }
            return;
        }
        let (processor, forced) = (state.processor, state.force_request_body);
        self.body_is_variable = processor.map_or(forced, |processor| processor == BodyProcessor::UrlEncoded);
        let body_is_decoded;
        (self.body, body_is_decoded) = self.request.decode(self.exchange, self.ruleset.settings.request_body_limit);
        if !body_is_decoded {
            self.request.note("request body coding");
        }
        if let Some(processor) = processor.filter(|_| !self.body.is_empty()) {
            let xml = self.state.xml_into_args;
            self.request.read_body(self.exchange, &self.body, processor, xml, &self.ruleset.settings);
        }
        let nested = NestedLimits {
            depth: self.ruleset.settings.nested_decoding,
            only_graphql: processor == Some(BodyProcessor::GraphQl),
        };
        if nested.depth > 0 || nested.only_graphql {
            self.request.read_nested(&nested, &self.ruleset.settings);
        }
        let streamed = self.ruleset.settings.stream_input_body;
        if !self.body.is_empty() && processor.is_none() && !forced && !streamed {
            self.request.note("request body");
        }
        if !self.body.is_empty() {
            self.request.judge_body(self.exchange);
        }
        self.request.note_limits();
    }

    /// A body that is too long even without its files is an error, or refused.
    fn limit_without_files(&mut self) {
        let settings = &self.ruleset.settings;
        let length = match self.state.processor {
            Some(BodyProcessor::Multipart) => {
                self.request.of(&[Kind::PartHeader, Kind::ArgPost]).map(|(_, value)| value.len()).sum()
            }
            _ => self.body.len(),
        };
        let over = length as u64 > settings.request_body_no_files_limit;
        if self.state.mode == EngineMode::Off || !self.body_access || !over {
            return;
        }
        if !self.request.report.error {
            self.request.report.error = true;
            self.request.report.error_message = "the request body without its files is over the limit".into();
        }
        if self.state.mode == EngineMode::On && settings.request_body_limit_action == LimitAction::Reject {
            self.state.interruption = Some(("deny".to_owned(), 413));
        }
    }

    /// Reads the response body as phase 3 has decided.
    fn take_response_body(&mut self) {
        self.response_body_access = self.inspects_response_body();
        if let Some(response) = self.exchange.response.as_ref().filter(|_| self.response_body_access) {
            let limit = self.ruleset.settings.response_body_limit;
            let (body, end) = decoded(&response.headers, &response.body, limit);
            self.response_body = body;
            if end != Some(End::Complete) {
                self.request.note("response body coding");
            }
        }
    }

    fn into_outcome(self) -> Outcome {
        let tx = &self.state.tx;
        let score = |names: [&[u8]; 2]| names.iter().find_map(|name| tx.get(name)).map_or(0, integer);
        let is_capture = |key: &[u8]| key.len() == 1 && key[0].is_ascii_digit();
        let kept: BTreeMap<_, _> = tx.all().iter().filter(|(key, _)| !is_capture(key)).cloned().collect();
        Outcome {
            score_inbound: score([b"blocking_inbound_anomaly_score", b"inbound_anomaly_score"]),
            score_outbound: score([b"blocking_outbound_anomaly_score", b"outbound_anomaly_score"]),
            tx: kept,
            interruption: self.state.interruption,
            logged: self.state.logged,
        }
    }

    fn run_phase(&mut self, phase: Phase) {
        self.phase = phase;
        let allowed = match self.allowed {
            Some(AllowScope::Transaction) => phase != Phase::Logging,
            Some(AllowScope::Request) => phase <= Phase::RequestBody,
            Some(AllowScope::Phase) | None => false,
        };
        if allowed {
            return;
        }
        let ruleset = self.ruleset;
        let (mut next, mut to_skip) = (0, 0);
        while let Some(rule) = ruleset.rules.get(next) {
            let at = next;
            next += 1;
            if rule.phase != phase {
                continue;
            }
            if to_skip > 0 {
                to_skip -= 1;
                continue;
            }
            if self.state.mode == EngineMode::Off {
                return;
            }
            if self.state.is_removed(rule, &|pattern, text| self.patterns.finds(pattern, text)) {
                continue;
            }
            if !self.matches(rule) {
                continue;
            }
            if self.ends_phase(rule) {
                return;
            }
            match &rule.flow {
                Flow::Next => {}
                Flow::Skip(count) => to_skip = *count,
                Flow::SkipAfter(label) => {
                    let markers = &mut ruleset.markers.iter();
                    match markers.find(|marker| marker.label == *label && marker.before > at) {
                        Some(marker) => next = marker.before,
                        None => return,
                    }
                }
            }
        }
    }

    /// Whether all links match. What a matching link does stays done if a later one fails.
    fn matches(&mut self, rule: &'a Rule) -> bool {
        self.rule = Some(rule);
        self.state.matched_vars.clear();
        // What the rule itself removes is removed from the next rule on.
        let removed = self.state.removed_targets(rule, &|pattern, text| self.patterns.finds(pattern, text));
        rule.conditions.iter().all(|condition| self.link(condition, &removed))
    }

    /// Logs a full match and does what is disruptive; answers whether that ends the phase.
    fn ends_phase(&mut self, rule: &Rule) -> bool {
        if let Some(severity) = rule.severity {
            self.state.highest_severity = self.state.highest_severity.min(severity.0);
        }
        if rule.log {
            self.state.logged.push(rule.id.0);
        }
        if self.state.mode != EngineMode::On || self.phase == Phase::Logging {
            return false;
        }
        let action = match &rule.disruptive {
            Disruptive::Pass => return false,
            Disruptive::Allow(scope) => {
                self.allowed = Some(*scope);
                return true;
            }
            Disruptive::Deny => "deny".to_owned(),
            Disruptive::Drop => "drop".to_owned(),
            Disruptive::Redirect(url) => format!("redirect:{}", String::from_utf8_lossy(&self.expand(url))),
        };
        self.state.interruption = Some((action, rule.status));
        true
    }

    /// One link: all its values are taken before the first of them acts.
    fn link(&mut self, condition: &Condition, removed: &[Target]) -> bool {
        let Some(test) = &condition.test else {
            self.act(&condition.actions);
            return true;
        };
        let inputs: Vec<Named> =
            condition.targets.iter().flat_map(|target| self.inputs(target, condition, removed)).collect();
        let mut matched = false;
        for (name, value) in inputs {
            for text in self.texts(condition, value) {
                if let Some(groups) = self.test(test, &text) {
                    matched = true;
                    self.value_matched(condition, &name, text, groups);
                }
            }
        }
        matched
    }

    /// The values of a target without what exclusions and `ctl`s leave out.
    fn inputs(&self, target: &Target, condition: &Condition, removed: &[Target]) -> Vec<Named> {
        let excluding: Vec<&Target> = condition
            .exclusions
            .iter()
            .chain(removed)
            .filter(|out| out.variable == target.variable && out.count == target.count)
            .collect();
        if target.count {
            // A count stays or goes as a whole.
            let gone = excluding.iter().any(|out| **out == *target || out.selector == fusewall::rule::Selector::All);
            return if gone { Vec::new() } else { values::of_target(self, target) };
        }
        let members = values::members(self, target.variable).into_iter();
        members
            .filter(|(key, _)| values::is_selected(self, target, key.as_deref()))
            .filter(|(key, _)| !excluding.iter().any(|out| values::is_selected(self, out, key.as_deref())))
            .map(|(key, value)| (values::name(target.variable, key.as_deref()), value))
            .collect()
    }

    /// What the operator sees of a value: its last form or, with `multiMatch`, each different form.
    fn texts(&self, condition: &Condition, value: Vec<u8>) -> Vec<Vec<u8>> {
        let context = Context { unicode_map: self.ruleset.settings.unicode_map.as_deref() };
        let mut forms = vec![value];
        for transformation in &condition.pipeline {
            let mut out = Vec::new();
            let last = forms.last().map(Vec::as_slice).unwrap_or_default();
            if transformation.apply(last, &mut out, &context) == Changed::Yes {
                forms.push(out);
            }
        }
        if condition.multi_match { forms } else { forms.pop().into_iter().collect() }
    }

    fn test(&mut self, test: &Test, text: &[u8]) -> Option<Groups> {
        let found = if test.operator == Operator::GeoLookup {
            self.look_up(text).then(Vec::new)
        } else {
            operators::test(&test.operator, text, self.patterns, &|argument| self.expand(argument))
        };
        if test.negated { found.is_none().then(Vec::new) } else { found }
    }

    /// `@geoLookup`.
    fn look_up(&mut self, text: &[u8]) -> bool {
        let place = self.ruleset.settings.geo.as_ref().zip(parse_address(text));
        self.state.geo =
            place.and_then(|(database, address)| database.find(address, &mut Meter::unlimited()).expect("no budget"));
        self.state.geo.is_some()
    }

    fn value_matched(&mut self, condition: &Condition, name: &[u8], value: Vec<u8>, groups: Groups) {
        let matched = Matched { name: name.to_vec(), value };
        self.state.matched = Some(matched.clone());
        self.state.matched_vars.push(matched);
        if condition.capture && !condition.test.as_ref().is_some_and(|test| test.negated) {
            for number in 0..10 {
                let key = number.to_string().into_bytes();
                match groups.get(number).cloned().flatten() {
                    Some(text) => self.state.tx.set(&key, text),
                    None => self.state.tx.unset(&key),
                }
            }
        }
        self.act(&condition.actions);
    }

    fn act(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::SetVar(set) => self.set_variable(set),
                Action::Ctl(ctl) => self.control(ctl),
                Action::InitCollection { collection, key } => self.initialise(*collection, key),
                Action::ExpireVar { collection, key, seconds } => {
                    let (key, seconds) = (self.expand(key), integer(&self.expand(seconds)));
                    if let Some(opened) = self.state.opened_mut(*collection) {
                        opened.expire(&key, seconds);
                    }
                }
                Action::DeprecateVar { collection, key, rate } => {
                    let (key, rate) = (self.expand(key), self.expand(rate));
                    let (amount, seconds) = match rate.iter().position(|byte| *byte == b'/') {
                        Some(at) => (integer(&rate[..at]), integer(&rate[at + 1..])),
                        None => (0, 0),
                    };
                    if let Some(opened) = self.state.opened_mut(*collection) {
                        opened.deprecate(&key, amount, seconds);
                    }
                }
                // What logs hide is no business of the interpreter.
                Action::SetEnv { .. } | Action::Sanitise(_) => {}
                other => panic!("an action that the interpreter does not know: {other:?}"),
            }
        }
    }

    /// `initcol` and its kin: the first one counts.
    fn initialise(&mut self, collection: Variable, key: &Macro) {
        let key = self.expand(key);
        let named = match collection {
            Variable::Session => Some(Variable::SessionId),
            Variable::User => Some(Variable::UserId),
            _ => None,
        };
        if let Some(named) = named {
            self.state.named.insert(named, key.clone());
        }
        if self.state.opened(collection).is_none() {
            let settings = &self.ruleset.settings;
            let application = match collection {
                Variable::Global | Variable::Ip => None,
                _ => settings.web_app_id.as_ref(),
            };
            let application = application.map_or(Vec::new(), |id| id.as_bytes().to_vec());
            let opened = self.store.open((collection, application, key), settings.collection_timeout);
            self.state.opened.push(opened);
        }
    }

    fn set_variable(&mut self, set: &SetVar) {
        let key = self.expand(&set.key);
        let old = match set.collection {
            Variable::Tx => self.state.tx.get(&key).map(<[u8]>::to_vec),
            collection => self.state.opened(collection).and_then(|opened| opened.get(&key)),
        };
        let old = old.map_or(0, |old| integer(&old));
        let text = |number: i64| Some(number.to_string().into_bytes());
        let new = match &set.op {
            SetOp::Set(value) => Some(self.expand(value)),
            SetOp::Add(value) => text(old.saturating_add(integer(&self.expand(value)))),
            SetOp::Subtract(value) => text(old.saturating_sub(integer(&self.expand(value)))),
            SetOp::Unset => None,
        };
        let counts = matches!(set.op, SetOp::Add(_) | SetOp::Subtract(_));
        match (set.collection, new) {
            (Variable::Tx, Some(value)) => self.state.tx.set(&key, value),
            (Variable::Tx, None) => self.state.tx.unset(&key),
            (collection, value) => {
                if let Some(opened) = self.state.opened_mut(collection) {
                    opened.set(&key, value, counts);
                }
            }
        }
    }

    fn control(&mut self, ctl: &Ctl) {
        let state = &mut self.state;
        match ctl {
            Ctl::RuleEngine(mode) => state.mode = *mode,
            Ctl::RequestBodyAccess(access) => state.request_body_access = *access,
            Ctl::ResponseBodyAccess(access) => state.response_body_access = *access,
            Ctl::RequestBodyProcessor(processor) => state.processor = Some(*processor),
            Ctl::ParseXmlIntoArgs(mode) => state.xml_into_args = *mode,
            Ctl::ForceRequestBodyVariable(force) => state.force_request_body = *force,
            Ctl::RuleRemoveById(_)
            | Ctl::RuleRemoveByTag(_)
            | Ctl::RuleRemoveByMsg(_)
            | Ctl::RuleRemoveTargetById(..)
            | Ctl::RuleRemoveTargetByTag(..)
            | Ctl::RuleRemoveTargetByMsg(..) => state.removals.push(ctl.clone()),
            // Body limits and the audit log are no business of the interpreter.
            _ => {}
        }
    }
}

/// The processor that the Content-Type alone chooses.
fn default_processor(exchange: &Exchange) -> Option<BodyProcessor> {
    let content_type = header(&exchange.headers, b"content-type")?.trim_ascii_start().to_ascii_lowercase();
    if content_type.starts_with(b"application/x-www-form-urlencoded") {
        Some(BodyProcessor::UrlEncoded)
    } else if content_type.starts_with(b"multipart/form-data") {
        Some(BodyProcessor::Multipart)
    } else {
        None
    }
}
