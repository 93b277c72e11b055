//! An example of everything that the tables of names support, for drills that try all of it. The compiler counts: a name that is added
//! without an example does not build.

use super::names::actions::{self, CtlKind, Kind as ActionKind};
use super::names::directives::{self, Kind as DirectiveKind};
use super::names::operators::{self, Kind as OperatorKind};
use super::names::{Support, variables};
use crate::files::MemoryFiles;
use crate::rule::Variable;
use crate::transform::Transformation;

/// Files that the examples name.
pub fn files() -> MemoryFiles {
    MemoryFiles::new()
        .with("phrases.data", "# phrases\nalpha\nbeta gamma\n")
        .with("addresses.data", "192.0.2.0/24\n2001:db8::/32\n")
        .with("unicode.mapping", "20127 (US-ASCII)\n00a0:20 00b2:32\n")
        .with("included.conf", "SecAction \"id:800001,phase:1,nolog,pass\"\n")
        .with("optional.conf", "SecAction \"id:800002,phase:1,nolog,pass\"\n")
        .with("places.mmdb", places())
}

/// Every directive but those that write rules, as a line.
pub fn directives() -> impl Iterator<Item = String> {
    let known = directives::TABLE.iter().filter_map(|row| match row.support {
        Support::Yes(kind) => Some((row.name, directive(kind)?)),
        Support::Ignored(_) | Support::NoEffect(_) => Some((row.name, "1")),
        Support::OnlyOff(_) => Some((row.name, "Off")),
        Support::Refused(..) => None,
    });
    known.map(|(name, arguments)| format!("{name} {arguments}\n"))
}

/// Every operator, with an argument where it takes one. Two of them want the datasets `names` and `nets`, some `tx.limit`.
pub fn operators() -> impl Iterator<Item = String> {
    let known = operators::TABLE.iter().filter_map(|row| match row.support {
        Support::Yes(kind) => Some((row.name, operator(kind))),
        _ => None,
    });
    known.map(|(name, argument)| format!("@{name} {argument}").trim_end().to_owned())
}

/// Every variable, as targets have it.
pub fn variables() -> impl Iterator<Item = String> {
    variables::offered().map(|name| match Variable::from_name(name) {
        Some(Variable::Xml) => "XML:/*|XML://@*".to_owned(),
        _ => name.to_owned(),
    })
}

/// Every transformation, as an action.
pub fn transformations() -> impl Iterator<Item = String> {
    Transformation::ALL.iter().map(|step| format!("t:{}", step.name()))
}

/// Every action in each of its forms, but for those that make a rule what it is: `id`, `phase` and `chain`.
pub fn actions() -> impl Iterator<Item = String> {
    let known = actions::TABLE.iter().flat_map(|row| match row.support {
        Support::Yes(kind) => action(kind).iter().map(|value| format!("{}{value}", row.name)).collect(),
        Support::Ignored(_) | Support::NoEffect(_) => vec![format!("{}:a", row.name)],
        Support::OnlyOff(_) => vec![format!("{}:Off", row.name)],
        Support::Refused(..) => Vec::new(),
    });
    known.chain(controls())
}

fn controls() -> impl Iterator<Item = String> {
    let known = actions::CTL.iter().flat_map(|row| match row.support {
        Support::Yes(kind) => control(kind).iter().map(|value| format!("ctl:{}={value}", row.name)).collect(),
        Support::Ignored(_) | Support::NoEffect(_) => vec![format!("ctl:{}=1", row.name)],
        Support::OnlyOff(_) => vec![format!("ctl:{}=Off", row.name)],
        Support::Refused(..) => Vec::new(),
    });
    known.collect::<Vec<_>>().into_iter()
}

/// The arguments of a directive; `None` for those that write rules.
fn directive(kind: DirectiveKind) -> Option<&'static str> {
    use DirectiveKind as K;
    Some(match kind {
        K::Action | K::Rule => return None,
        K::ArgumentSeparator => "\"&\"",
        K::ArgumentsLimit => "500",
        K::AuditEngine => "RelevantOnly",
        K::AuditLog | K::AuditLog2 => "audit.log",
        K::AuditLogDirMode => "0750",
        K::AuditLogFileMode => "0640",
        K::AuditLogFormat => "JSON",
        K::AuditLogParts => "ABIJDEFHZ",
        K::AuditLogRelevantStatus => "\"^(?:5|4(?!04))\"",
        K::AuditLogStorageDir => "records",
        K::AuditLogType => "Serial",
        K::CollectionTimeout => "3600",
        K::ComponentSignature => "\"drill/1.0\"",
        K::CookieFormat => "0",
        K::CookieV0Separator => "\";\"",
        K::DataDir => "data",
        K::Dataset => "others `\nalpha\nbeta\n`",
        K::DefaultAction => "\"phase:2,log,auditlog,deny,status:406\"",
        K::GeoLookupDb => "places.mmdb",
        K::HttpBlKey => "abcdefghijkl",
        K::Include => "included.conf",
        K::IncludeOptional => "optional.con?",
        K::JsonDepthLimit => "64",
        K::Marker => "END-OF-EXAMPLES",
        K::NestedDecoding => "1",
        K::ParseXmlIntoArgs => "On",
        K::RemoteRules => "a-key https://rules.example/a.conf",
        K::RemoteRulesFailAction => "Abort",
        K::RequestBodyAccess | K::ResponseBodyAccess | K::RuleEngine => "On",
        K::RequestBodyLimit | K::RequestBodyNoFilesLimit => "1048576",
        K::RequestBodyLimitAction => "Reject",
        K::ResponseBodyLimit => "524288",
        K::ResponseBodyLimitAction => "ProcessPartial",
        K::ResponseBodyMimeType => "text/plain text/html",
        K::ResponseBodyMimeTypesClear => "",
        K::RulePerfTime => "1000",
        K::RuleRemoveById => "899991-899999",
        K::RuleRemoveByMsg => "\"no such message\"",
        K::RuleRemoveByTag => "\"no such tag\"",
        K::RuleUpdateActionById => "899999 \"pass\"",
        K::RuleUpdateTargetById => "899999 \"!ARGS:a\"",
        K::RuleUpdateTargetByMsg => "\"no such message\" \"!ARGS:a\"",
        K::RuleUpdateTargetByTag => "\"no such tag\" \"!ARGS:a\"",
        K::SensorId => "drill",
        K::ServerSignature => "\"Server\"",
        K::StreamInBodyInspection | K::StreamOutBodyInspection => "On",
        K::UnicodeCodePage => "20127",
        K::UnicodeMapFile => "unicode.mapping 20127",
        K::TmpDir | K::UploadDir => "uploads",
        K::TmpSaveUploadedFiles => "Off",
        K::UploadFileLimit => "10",
        K::UploadFileMode => "0600",
        K::UploadKeepFiles => "Off",
        K::WebAppId => "drill",
    })
}

fn operator(kind: OperatorKind) -> &'static str {
    use OperatorKind as K;
    match kind {
        K::Rx => "(?i)(al)pha[0-9]{0,3}",
        K::RxGlobal => "(\\d+)",
        K::Pm => "alpha beta",
        K::Rbl => "bl.example.org",
        K::PmFromDataset => "names",
        K::IpMatchFromDataset => "nets",
        K::PmFromFile => "phrases.data",
        K::StrEq | K::Contains | K::ContainsWord | K::BeginsWith | K::EndsWith | K::StrMatch => "alpha",
        K::Within => "alpha,beta",
        K::Eq | K::Ge | K::Gt | K::Le | K::Lt => "%{tx.limit}",
        K::IpMatch => "192.0.2.0/24,::1",
        K::IpMatchFromFile => "addresses.data",
        K::ValidateByteRange => "9,10,32-126",
        K::VerifyCc => "\\d{13,16}",
        K::VerifyCpf => "\\d{11}",
        K::VerifySsn => "\\d{9}",
        K::VerifySvnr => "\\d{10}",
        K::DetectSqli | K::DetectXss | K::GeoLookup | K::NoMatch | K::UnconditionalMatch => "",
        K::ValidateUrlEncoding | K::ValidateUtf8Encoding => "",
    }
}

/// What follows an action's name, in each of its forms.
fn action(kind: ActionKind) -> &'static [&'static str] {
    use ActionKind as K;
    match kind {
        K::Id | K::Phase | K::Chain | K::Ctl => &[],
        K::Accuracy | K::Maturity => &[":3"],
        K::Allow => &["", ":phase", ":request"],
        K::AuditLog | K::Block | K::Capture | K::Deny | K::Drop | K::Log | K::MultiMatch => &[""],
        K::NoAuditLog | K::NoLog | K::Pass | K::SanitiseMatched => &[""],
        K::DeprecateVar => &[":ip.count=1/60"],
        K::ExpireVar => &[":ip.count=60"],
        K::InitCol => &[":global=all", ":resource=%{REQUEST_FILENAME}"],
        K::LogData => &[":'%{MATCHED_VAR_NAME} %{tx.1}'"],
        K::Msg => &[":'the subject is %{MATCHED_VAR}'"],
        K::Redirect => &[":https://www.example/%{MATCHED_VAR}"],
        K::Rev | K::Ver => &[":'1'"],
        K::SanitiseArg => &[":p"],
        K::SanitiseMatchedBytes => &["", ":1/1"],
        K::SanitiseRequestHeader | K::SanitiseResponseHeader => &[":X-Secret"],
        K::SetEnv => &[":seen=%{MATCHED_VAR}"],
        K::SetRsc | K::SetSid | K::SetUid => &[":%{MATCHED_VAR}"],
        K::SetVar => &[
            ":tx.sum=+2",
            ":tx.sum=-1",
            ":tx.text=%{MATCHED_VAR}",
            ":tx.flag",
            ":!tx.sum",
            ":ip.count=+1",
            ":tx.%{MATCHED_VAR}=1",
        ],
        K::Severity => &[":'CRITICAL'"],
        K::Skip => &[":1", ":2", ":100"],
        K::SkipAfter => &[":NEAR", ":END", ":NOWHERE"],
        K::Status => &[":418"],
        K::Transformation => &[":lowercase", ":none"],
        K::Tag => &[":'other/%{MATCHED_VAR}'"],
    }
}

fn control(kind: CtlKind) -> &'static [&'static str] {
    use CtlKind as K;
    match kind {
        K::AuditEngine => &["Off"],
        K::AuditLogParts => &["+E", "-H", "ABZ"],
        K::ForceRequestBodyVariable | K::ParseXmlIntoArgs => &["On"],
        K::RequestBodyAccess | K::ResponseBodyAccess => &["On", "Off"],
        K::RequestBodyLimit | K::ResponseBodyLimit => &["1000"],
        K::RequestBodyProcessor => &["JSON", "XML", "URLENCODED"],
        K::RuleEngine => &["Off", "DetectionOnly", "On"],
        K::RuleRemoveById => &["21", "10"],
        K::RuleRemoveByMsg => &["later"],
        K::RuleRemoveByTag => &["later"],
        K::RuleRemoveTargetById => &["21;ARGS:p", "10;ARGS"],
        K::RuleRemoveTargetByMsg => &["later;ARGS"],
        K::RuleRemoveTargetByTag => &["later;ARGS"],
    }
}

/// A geographic database in the MaxMind DB format: half of all addresses, from 128.0.0.0 and 8000:: on, are in Austria.
fn places() -> Vec<u8> {
    let text = |text: &str| [&[2 << 5 | text.len() as u8], text.as_bytes()].concat();
    let map = |entries: &[(&str, Vec<u8>)]| {
        let mut map = vec![7 << 5 | entries.len() as u8];
        entries.iter().for_each(|(key, value)| map.extend([text(key), value.clone()].concat()));
        map
    };
    let short = |number: u16| [&[5 << 5 | 2][..], &number.to_be_bytes()].concat();
    let record = map(&[("country", map(&[("iso_code", text("AT"))]))]);
    let description = map(&[
        ("node_count", [&[6 << 5 | 4][..], &1u32.to_be_bytes()].concat()),
        ("record_size", short(32)),
        ("ip_version", short(6)),
        ("binary_format_major_version", short(2)),
        ("database_type", text("Drill-Country")),
        ("build_epoch", vec![4, 2, 0x5f, 0, 0, 0]),
    ]);
    // One node: the left half leads nowhere, the right one to the first record, behind 16 zero bytes.
    let node = [1u32.to_be_bytes(), 17u32.to_be_bytes()].concat();
    [&node[..], &[0; 16], &record, b"\xab\xcd\xefMaxMind.com", &description].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_knows_half_of_the_world() {
        let database = crate::geo::Database::open(places()).unwrap();
        let find =
            |address: &str| database.find(address.parse().unwrap(), &mut crate::meter::Meter::unlimited()).unwrap();
        assert!(find("8000::1").is_some() && find("1::1").is_none());
    }

    #[test]
    fn there_is_an_example_of_every_name() {
        let examples: Vec<_> = actions().collect();
        let has = |name: &str| {
            let named = |example: &String| example.split([':', '=']).next().is_some_and(|own| own == name);
            examples.iter().any(named)
        };
        let supported = actions::TABLE.iter().filter(|row| !matches!(row.support, Support::Refused(..)));
        for row in supported {
            assert_eq!(has(row.name), !["id", "phase", "chain"].contains(&row.name), "{}", row.name);
        }
        for row in actions::CTL.iter().filter(|row| !matches!(row.support, Support::Refused(..))) {
            assert!(examples.iter().any(|example| example.starts_with(&format!("ctl:{}=", row.name))), "{}", row.name);
        }
    }
}
