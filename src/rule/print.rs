//! Canonical printing: a ruleset as SecLang that reads back to the same ruleset.
//!
//! Everything that loading resolved is written out: defaults are gone, `block` is what it means, updates are applied. What
//! cannot be written in rule text stands as a comment: the Unicode map and the geographic database (data files) and the list of removed rules. Text that
//! is not UTF-8 is replaced, as the result is a `String`.

use super::{
    Action, AllowScope, AuditEngine, AuditFormat, AuditParts, AuditType, Condition, Ctl, Dataset, Disruptive,
    EngineMode, Flow, IdRange, KeepFiles, LimitAction, Macro, MacroPart, Operator, PartsMode, Pattern, Phrases, Rule,
    RuleSeverity, Ruleset, Sanitise, Selector, SetOp, Settings, Target, Test, Variable, XmlIntoArgs,
};

impl Ruleset {
    /// The ruleset as SecLang.
    ///
    /// ```
    /// use fusewall::diag::{Diagnostics, SourceMap};
    /// use fusewall::{Limits, files::MemoryFiles, lang::seclang};
    ///
    /// let read = |text: &str| {
    ///     let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(9));
    ///     seclang::load_text("a.conf", text.as_bytes(), &MemoryFiles::new(), &Limits::default(), &mut sources, &mut found)
    /// };
    /// let printed = read(r#"SecRule ARGS "@streq x" "id:1,t:lowercase,deny""#).to_seclang();
    /// assert!(printed.contains(r#"SecRule ARGS "@streq x""#) && printed.contains("t:none,t:lowercase"));
    /// assert_eq!(read(&printed).to_seclang(), printed);
    /// ```
    pub fn to_seclang(&self) -> String {
        let mut out = Vec::new();
        settings(&self.settings, &mut out);
        let mut markers = self.markers.iter().peekable();
        for (index, one) in self.rules.iter().enumerate() {
            while let Some(marker) = markers.next_if(|marker| marker.before <= index) {
                line("SecMarker", &[marker.label.as_bytes()], &mut out);
            }
            rule(one, &mut out);
        }
        for marker in markers {
            line("SecMarker", &[marker.label.as_bytes()], &mut out);
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl Test {
    /// The operator and what it looks for, such as `!@rx ^a`.
    pub fn to_seclang(&self) -> String {
        String::from_utf8_lossy(&operator(self)).into_owned()
    }
}

impl Rule {
    /// The rule as SecLang: one line, and one for each link of its chain.
    pub fn to_seclang(&self) -> String {
        let mut out = Vec::new();
        rule(self, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl Macro {
    /// The text as a rule author writes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &self.parts {
            match part {
                MacroPart::Text(text) => out.extend_from_slice(text),
                MacroPart::Variable { variable, key } => {
                    out.extend_from_slice(b"%{");
                    let (name, key): (&str, Option<&[u8]>) = match variable {
                        Variable::XmlAttributes => ("XML", Some(b"//@*")),
                        variable => (variable.name(), key.as_deref()),
                    };
                    out.extend_from_slice(name.as_bytes());
                    if let Some(key) = key {
                        out.push(b'.');
                        out.extend_from_slice(key);
                    }
                    out.push(b'}');
                }
                MacroPart::Matching { variable, pattern } => {
                    out.extend_from_slice(format!("%{{{}./", variable.name()).as_bytes());
                    out.extend_from_slice(&pattern.text);
                    out.extend_from_slice(b"/}");
                }
            }
        }
        out
    }
}

/// Escapes what a quoted text cannot hold as it is: the quote, and backslashes that would be taken for an escape.
fn escaped(text: &[u8], quote: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    for (index, &byte) in text.iter().enumerate() {
        let ambiguous = byte == b'\\' && text.get(index + 1).is_none_or(|next| *next == b'\\' || *next == quote);
        if byte == quote || ambiguous {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

fn quoted(text: &[u8], quote: u8) -> Vec<u8> {
    [&[quote], escaped(text, quote).as_slice(), &[quote]].concat()
}

/// A value whose own quotes would be taken off once more gets another pair.
fn guarded(text: Vec<u8>) -> Vec<u8> {
    if text.len() > 1 && text.first() == Some(&b'\'') && text.last() == Some(&b'\'') {
        quoted(&text, b'\'')
    } else {
        text
    }
}

fn line(name: &str, words: &[&[u8]], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    for word in words {
        out.push(b' ');
        let plain =
            !word.is_empty() && word.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:|!&*/@".contains(byte));
        if plain { out.extend_from_slice(word) } else { out.extend(quoted(word, b'"')) }
    }
    out.push(b'\n');
}

fn settings(all: &Settings, out: &mut Vec<u8>) {
    let default = Settings::default();
    let mut set = |name: &str, value: String, differs: bool| {
        if differs {
            line(name, &[value.as_bytes()], out);
        }
    };
    let switch = |on: bool| if on { "On" } else { "Off" }.to_owned();
    let limit = |action: LimitAction| match action {
        LimitAction::Reject => "Reject".to_owned(),
        LimitAction::ProcessPartial => "ProcessPartial".to_owned(),
    };
    macro_rules! print { ($($name:literal $($field:ident).+ => $show:expr;)*) => { $(
        set($name, $show(all.$($field).+.clone()), all.$($field).+ != default.$($field).+);
    )* } }
    print! {
        "SecRuleEngine" engine => |mode| engine(mode).to_owned();
        "SecRequestBodyAccess" request_body_access => switch;
        "SecResponseBodyAccess" response_body_access => switch;
        "SecRequestBodyLimit" request_body_limit => |n: u64| n.to_string();
        "SecRequestBodyNoFilesLimit" request_body_no_files_limit => |n: u64| n.to_string();
        "SecRequestBodyLimitAction" request_body_limit_action => limit;
        "SecResponseBodyLimit" response_body_limit => |n: u64| n.to_string();
        "SecResponseBodyLimitAction" response_body_limit_action => limit;
        "SecFusewallNestedDecoding" nested_decoding => |n: usize| n.to_string();
        "SecRequestBodyJsonDepthLimit" json_depth_limit => |n: usize| n.to_string();
        "SecArgumentsLimit" arguments_limit => |n: usize| n.to_string();
        "SecArgumentSeparator" argument_separator => |byte: u8| char::from(byte).to_string();
        "SecCookieFormat" cookie_format => |n: u8| n.to_string();
        "SecCookieV0Separator" cookie_separator => |byte: u8| char::from(byte).to_string();
        "SecParseXmlIntoArgs" xml_into_args => |mode| xml_into_args(mode).to_owned();
        "SecStreamInBodyInspection" stream_input_body => switch;
        "SecStreamOutBodyInspection" stream_output_body => switch;
        "SecHttpBlKey" http_bl_key => |text: Option<Box<str>>| text.unwrap_or_default().into_string();
        "SecRulePerfTime" rule_perf_time => |n: u64| n.to_string();
        "SecUploadDir" uploads.dir => |text: Option<Box<str>>| text.unwrap_or_default().into_string();
        "SecTmpDir" uploads.tmp_dir => |text: Option<Box<str>>| text.unwrap_or_default().into_string();
        "SecUploadKeepFiles" uploads.keep => |keep| keep_files(keep).to_owned();
        "SecUploadFileMode" uploads.mode => |mode: u32| format!("{mode:04o}");
        "SecTmpSaveUploadedFiles" uploads.save => switch;
        "SecUploadFileLimit" uploads.files => |n: usize| n.to_string();
        "SecCollectionTimeout" collection_timeout => |n: u64| n.to_string();
        "SecDataDir" data_dir => |text: Option<Box<str>>| text.unwrap_or_default().into_string();
        "SecServerSignature" server_signature => |text: Option<Box<str>>| text.unwrap_or_default().into_string();
        "SecWebAppId" web_app_id => |text: Option<Box<str>>| text.unwrap_or_default().into_string();
        "SecSensorId" sensor_id => |text: Option<Box<str>>| text.unwrap_or_default().into_string();
        "SecAuditEngine" audit.engine => |mode| audit_engine(mode).to_owned();
        "SecAuditLogParts" audit.parts => |parts: AuditParts| parts.to_string();
        "SecAuditLog" audit.path => |text: Option<Box<str>>| text.unwrap_or_default().into_string();
        "SecAuditLog2" audit.second_path => |text: Option<Box<str>>| text.unwrap_or_default().into_string();
        "SecAuditLogStorageDir" audit.storage_dir => |text: Option<Box<str>>| text.unwrap_or_default().into_string();
        "SecAuditLogFormat" audit.format => |format| if format == AuditFormat::Json { "JSON" } else { "Native" }.to_owned();
        "SecAuditLogType" audit.kind => |kind| if kind == AuditType::Serial { "Serial" } else { "Concurrent" }.to_owned();
        "SecAuditLogDirMode" audit.dir_mode => |mode: u32| format!("{mode:04o}");
        "SecAuditLogFileMode" audit.file_mode => |mode: u32| format!("{mode:04o}");
    }
    if let Some(statuses) = &all.audit.relevant_status {
        let names: Vec<_> = statuses.iter().map(u16::to_string).collect();
        set("SecAuditLogRelevantStatus", format!("^(?:{})$", names.join("|")), true);
    }
    for signature in &all.component_signatures {
        set("SecComponentSignature", signature.to_string(), true);
    }
    if all.response_body_mime_types != default.response_body_mime_types {
        out.extend_from_slice(b"SecResponseBodyMimeTypesClear\n");
        let types: Vec<&[u8]> = all.response_body_mime_types.iter().map(|name| name.as_bytes()).collect();
        if !types.is_empty() {
            line("SecResponseBodyMimeType", &types, out);
        }
    }
    for Dataset { name, lines } in &all.datasets {
        out.extend(format!("SecDataset {name} `\n").bytes());
        lines.iter().for_each(|line| out.extend([line, b"\n".as_slice()].concat()));
        out.extend_from_slice(b"`\n");
    }
    if let Some(database) = &all.geo {
        out.extend(format!("# SecGeoLookupDb: {}, {} bytes, kept apart\n", database.kind(), database.size()).bytes());
    }
    if let Some(map) = &all.unicode_map {
        out.extend(format!("# SecUnicodeMapFile: {} code points, kept apart\n", map.map.len()).bytes());
    }
    for (id, directive) in &all.removed {
        out.extend(format!("# rule {id} was removed by {directive}\n").bytes());
    }
}

fn engine(mode: EngineMode) -> &'static str {
    match mode {
        EngineMode::On => "On",
        EngineMode::Off => "Off",
        EngineMode::DetectionOnly => "DetectionOnly",
    }
}

fn xml_into_args(mode: XmlIntoArgs) -> &'static str {
    match mode {
        XmlIntoArgs::Off => "Off",
        XmlIntoArgs::On => "On",
        XmlIntoArgs::OnlyArgs => "OnlyArgs",
    }
}

fn keep_files(keep: KeepFiles) -> &'static str {
    match keep {
        KeepFiles::Off => "Off",
        KeepFiles::On => "On",
        KeepFiles::RelevantOnly => "RelevantOnly",
    }
}

fn audit_engine(mode: AuditEngine) -> &'static str {
    match mode {
        AuditEngine::On => "On",
        AuditEngine::Off => "Off",
        AuditEngine::RelevantOnly => "RelevantOnly",
    }
}

fn rule(rule: &Rule, out: &mut Vec<u8>) {
    for (index, condition) in rule.conditions.iter().enumerate() {
        let mut actions = Vec::new();
        if index == 0 {
            head_actions(rule, &mut actions);
        }
        condition_actions(condition, &mut actions);
        if index + 1 < rule.conditions.len() {
            actions.push(b"chain".to_vec());
        }
        let list = actions.join(&b',');
        match &condition.test {
            None => line("SecAction", &[&list], out),
            Some(test) => line("SecRule", &[&targets(condition), &operator(test), &list], out),
        }
    }
}

/// `name:'value'`.
fn with_value(name: &str, value: &[u8]) -> Vec<u8> {
    [name.as_bytes(), b":", &quoted(value, b'\'')].concat()
}

fn head_actions(rule: &Rule, out: &mut Vec<Vec<u8>>) {
    let mut push = |text: String| out.push(text.into_bytes());
    push(format!("id:{}", rule.id));
    push(format!("phase:{}", rule.phase.number()));
    match &rule.disruptive {
        Disruptive::Pass => push("pass".into()),
        Disruptive::Deny => push("deny".into()),
        Disruptive::Drop => push("drop".into()),
        Disruptive::Allow(AllowScope::Transaction) => push("allow".into()),
        Disruptive::Allow(AllowScope::Request) => push("allow:request".into()),
        Disruptive::Allow(AllowScope::Phase) => push("allow:phase".into()),
        Disruptive::Redirect(url) => out.push(with_value("redirect", &url.to_bytes())),
    }
    let mut push = |text: String| out.push(text.into_bytes());
    push(format!("status:{}", rule.status));
    push(if rule.log { "log" } else { "nolog" }.into());
    push(if rule.auditlog { "auditlog" } else { "noauditlog" }.into());
    match &rule.flow {
        Flow::Next => {}
        Flow::Skip(count) => push(format!("skip:{count}")),
        Flow::SkipAfter(label) => out.push(with_value("skipAfter", label.as_bytes())),
    }
    out.extend(rule.msg.iter().map(|msg| with_value("msg", &msg.to_bytes())));
    out.extend(rule.logdata.iter().map(|data| with_value("logdata", &data.to_bytes())));
    out.extend(rule.severity.map(|RuleSeverity(level)| format!("severity:{level}").into_bytes()));
    out.extend(rule.tags.iter().map(|tag| with_value("tag", &tag.to_bytes())));
    out.extend(rule.version.iter().map(|version| with_value("ver", version.as_bytes())));
    out.extend(rule.revision.iter().map(|revision| with_value("rev", revision.as_bytes())));
    out.extend(rule.maturity.map(|grade| format!("maturity:{grade}").into_bytes()));
    out.extend(rule.accuracy.map(|grade| format!("accuracy:{grade}").into_bytes()));
}

fn condition_actions(condition: &Condition, out: &mut Vec<Vec<u8>>) {
    out.push(b"t:none".to_vec());
    out.extend(condition.pipeline.iter().map(|one| format!("t:{}", one.name()).into_bytes()));
    if condition.multi_match {
        out.push(b"multiMatch".to_vec());
    }
    if condition.capture {
        out.push(b"capture".to_vec());
    }
    out.extend(condition.actions.iter().map(action));
}

fn action(action: &Action) -> Vec<u8> {
    match action {
        Action::SetVar(set) => {
            let name = [set.collection.name().to_ascii_lowercase().as_bytes(), b".", &set.key.to_bytes()].concat();
            let (sign, value) = match &set.op {
                SetOp::Unset => return with_value("setvar", &[b"!", name.as_slice()].concat()),
                SetOp::Set(value) => ("", value),
                SetOp::Add(value) => ("+", value),
                SetOp::Subtract(value) => ("-", value),
            };
            let value = guarded([sign.as_bytes(), &value.to_bytes()].concat());
            with_value("setvar", &[name.as_slice(), b"=", &value].concat())
        }
        Action::InitCollection { collection, key } => {
            let name = collection.name().to_ascii_lowercase();
            with_value("initcol", &[name.as_bytes(), b"=", &guarded(key.to_bytes())].concat())
        }
        Action::ExpireVar { collection, key, seconds: value }
        | Action::DeprecateVar { collection, key, rate: value } => {
            let action = if matches!(action, Action::ExpireVar { .. }) { "expirevar" } else { "deprecatevar" };
            let name = [collection.name().to_ascii_lowercase().as_bytes(), b".", &key.to_bytes()].concat();
            with_value(action, &[name.as_slice(), b"=", &guarded(value.to_bytes())].concat())
        }
        Action::SetEnv { name, value } => {
            with_value("setenv", &[&name.to_bytes(), b"=".as_slice(), &guarded(value.to_bytes())].concat())
        }
        Action::Ctl(change) => with_value("ctl", &ctl(change)),
        Action::Sanitise(what) => match what {
            Sanitise::Arg(name) => with_value("sanitiseArg", name),
            Sanitise::RequestHeader(name) => with_value("sanitiseRequestHeader", name),
            Sanitise::ResponseHeader(name) => with_value("sanitiseResponseHeader", name),
            Sanitise::Matched => b"sanitiseMatched".to_vec(),
            Sanitise::MatchedBytes { first, last } => format!("sanitiseMatchedBytes:{first}/{last}").into_bytes(),
        },
    }
}

fn ctl(change: &Ctl) -> Vec<u8> {
    let switch = |on: bool| if on { "On" } else { "Off" };
    let by = |name: &str, rules: &[u8]| [name.as_bytes(), b"=", rules].concat();
    let find = |pattern: &Pattern| guarded(pattern.text.to_vec());
    match change {
        Ctl::RuleEngine(mode) => by("ruleEngine", engine(*mode).as_bytes()),
        Ctl::RuleRemoveById(ranges) => by("ruleRemoveById", &ids(ranges)),
        Ctl::RuleRemoveByTag(pattern) => by("ruleRemoveByTag", &find(pattern)),
        Ctl::RuleRemoveByMsg(pattern) => by("ruleRemoveByMsg", &find(pattern)),
        Ctl::RuleRemoveTargetById(ranges, target) => removal("ruleRemoveTargetById", &ids(ranges), target),
        Ctl::RuleRemoveTargetByTag(pattern, target) => removal("ruleRemoveTargetByTag", &pattern.text, target),
        Ctl::RuleRemoveTargetByMsg(pattern, target) => removal("ruleRemoveTargetByMsg", &pattern.text, target),
        Ctl::RequestBodyAccess(on) => by("requestBodyAccess", switch(*on).as_bytes()),
        Ctl::ResponseBodyAccess(on) => by("responseBodyAccess", switch(*on).as_bytes()),
        Ctl::RequestBodyLimit(bytes) => by("requestBodyLimit", bytes.to_string().as_bytes()),
        Ctl::ResponseBodyLimit(bytes) => by("responseBodyLimit", bytes.to_string().as_bytes()),
        Ctl::RequestBodyProcessor(processor) => by("requestBodyProcessor", processor.name().as_bytes()),
        Ctl::ForceRequestBodyVariable(on) => by("forceRequestBodyVariable", switch(*on).as_bytes()),
        Ctl::ParseXmlIntoArgs(mode) => by("parseXmlIntoArgs", xml_into_args(*mode).as_bytes()),
        Ctl::AuditEngine(mode) => by("auditEngine", audit_engine(*mode).as_bytes()),
        Ctl::AuditLogParts { parts, mode } => {
            let sign = match mode {
                PartsMode::Replace => "",
                PartsMode::Add => "+",
                PartsMode::Remove => "-",
            };
            by("auditLogParts", format!("{sign}{parts}").as_bytes())
        }
    }
}

fn removal(name: &str, rules: &[u8], excluded: &Target) -> Vec<u8> {
    let mut out = [name.as_bytes(), b"=", rules, b";"].concat();
    target(excluded, &mut out);
    out
}

fn ids(ranges: &[IdRange]) -> Vec<u8> {
    let show = |range: &IdRange| match range.first == range.last {
        true => range.first.to_string(),
        false => format!("{}-{}", range.first, range.last),
    };
    ranges.iter().map(show).collect::<Vec<_>>().join(",").into_bytes()
}

impl Condition {
    /// Targets and exclusions as SecLang writes them; nothing for `SecAction`.
    pub fn targets_text(&self) -> Vec<u8> {
        targets(self)
    }
}

impl Test {
    /// Sign, name and argument as SecLang writes them, such as `!@rx ^a`.
    pub fn to_text(&self) -> Vec<u8> {
        operator(self)
    }
}

fn targets(condition: &Condition) -> Vec<u8> {
    let mut out = Vec::new();
    let included = condition.targets.iter().map(|one| (false, one));
    for (excluded, one) in included.chain(condition.exclusions.iter().map(|one| (true, one))) {
        if !out.is_empty() {
            out.push(b'|');
        }
        if excluded {
            out.push(b'!');
        }
        target(one, &mut out);
    }
    out
}

fn target(one: &Target, out: &mut Vec<u8>) {
    if one.count {
        out.push(b'&');
    }
    match one.variable {
        Variable::Xml => out.extend_from_slice(b"XML:/*"),
        Variable::XmlAttributes => out.extend_from_slice(b"XML://@*"),
        variable => out.extend_from_slice(variable.name().as_bytes()),
    }
    let special = |text: &[u8]| text.iter().any(|byte| byte.is_ascii_whitespace() || b"|,'\"\\\x0b;".contains(byte));
    match &one.selector {
        Selector::All => {}
        Selector::Key(key) => {
            out.push(b':');
            let plain = !special(key) && key.first() != Some(&b'/');
            if plain { out.extend_from_slice(key) } else { out.extend(quoted(key, b'\'')) }
        }
        Selector::Regex(pattern) => {
            out.push(b':');
            let text = [b"/", &pattern.text[..], b"/"].concat();
            let plain = !special(&pattern.text) && !pattern.text.contains(&b'/');
            if plain { out.extend(text) } else { out.extend(quoted(&text, b'\'')) }
        }
    }
}

fn operator(test: &Test) -> Vec<u8> {
    let (name, argument): (&str, Vec<u8>) = match &test.operator {
        // A leading blank would be lost behind the name.
        Operator::Rx(pattern) if !test.negated && pattern.text.first().is_some_and(u8::is_ascii_whitespace) => {
            return pattern.text.to_vec();
        }
        Operator::Rx(pattern) => ("rx", pattern.text.to_vec()),
        Operator::RxExpanded { text, global } => (if *global { "rxGlobal" } else { "rx" }, text.to_bytes()),
        Operator::RxGlobal(pattern) => ("rxGlobal", pattern.text.to_vec()),
        Operator::Pm(Phrases { file: Some(file), .. }) => ("pmFromFile", file.as_bytes().to_vec()),
        Operator::Pm(Phrases { dataset: Some(name), .. }) => ("pmFromDataset", name.as_bytes().to_vec()),
        Operator::Pm(Phrases { list, .. }) => {
            ("pm", list.iter().map(|phrase| snort(phrase)).collect::<Vec<_>>().join(&b' '))
        }
        Operator::StrEq(text) => ("streq", text.to_bytes()),
        Operator::Contains(text) => ("contains", text.to_bytes()),
        Operator::ContainsWord(text) => ("containsWord", text.to_bytes()),
        Operator::BeginsWith(text) => ("beginsWith", text.to_bytes()),
        Operator::EndsWith(text) => ("endsWith", text.to_bytes()),
        Operator::StrMatch(text) => ("strmatch", text.as_text().map_or_else(|| text.to_bytes(), snort_spaced)),
        Operator::Within(text) => ("within", text.to_bytes()),
        Operator::Eq(text) => ("eq", text.to_bytes()),
        Operator::Ge(text) => ("ge", text.to_bytes()),
        Operator::Gt(text) => ("gt", text.to_bytes()),
        Operator::Le(text) => ("le", text.to_bytes()),
        Operator::Lt(text) => ("lt", text.to_bytes()),
        Operator::IpMatch(set) => {
            let networks: Vec<_> = set.networks().map(|network| network.to_string()).collect();
            ("ipMatch", networks.join(",").into_bytes())
        }
        Operator::Rbl(zone) => ("rbl", zone.as_bytes().to_vec()),
        Operator::GeoLookup => ("geoLookup", Vec::new()),
        Operator::DetectSqli => ("detectSQLi", Vec::new()),
        Operator::DetectXss => ("detectXSS", Vec::new()),
        Operator::ValidateByteRange(allowed) => ("validateByteRange", byte_ranges(allowed)),
        Operator::ValidateUrlEncoding => ("validateUrlEncoding", Vec::new()),
        Operator::ValidateUtf8Encoding => ("validateUtf8Encoding", Vec::new()),
        Operator::VerifyCc(pattern) => ("verifyCC", pattern.text.to_vec()),
        Operator::VerifyCpf(pattern) => ("verifyCPF", pattern.text.to_vec()),
        Operator::VerifySsn(pattern) => ("verifySSN", pattern.text.to_vec()),
        Operator::VerifySvnr(pattern) => ("verifySVNR", pattern.text.to_vec()),
        Operator::UnconditionalMatch => ("unconditionalMatch", Vec::new()),
        Operator::NoMatch => ("noMatch", Vec::new()),
    };
    let sign = if test.negated { "!@" } else { "@" };
    let blank: &[u8] = if argument.is_empty() { b"" } else { b" " };
    [sign.as_bytes(), name.as_bytes(), blank, &argument].concat()
}

/// A phrase with everything that could be taken for syntax as `|hex|`.
fn snort(phrase: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, &byte) in phrase.iter().enumerate() {
        let opens_macro = byte == b'%' && phrase.get(index + 1) == Some(&b'{');
        if !byte.is_ascii_graphic() || b"|\\\"".contains(&byte) || opens_macro {
            out.extend(format!("|{byte:02x}|").bytes());
        } else {
            out.push(byte);
        }
    }
    out
}

/// The same with blanks left as they are.
fn snort_spaced(text: &[u8]) -> Vec<u8> {
    text.split(|byte| *byte == b' ').map(snort).collect::<Vec<_>>().join(&b' ')
}

fn byte_ranges(allowed: &[bool; 256]) -> Vec<u8> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for byte in (0..256).filter(|byte| allowed[*byte]) {
        match found.last_mut() {
            Some(last) if last.1 + 1 == byte => last.1 = byte,
            _ => found.push((byte, byte)),
        }
    }
    let show =
        |(first, last): &(usize, usize)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    found.iter().map(show).collect::<Vec<_>>().join(",").into_bytes()
}
