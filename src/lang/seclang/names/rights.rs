//! What the rules of a tenant may do, of everything that does something: they decide about the tenant's own requests, and about
//! nothing that belongs to the host or to other tenants.
//!
//! No arm is a wildcard: whoever adds a name decides about it here.

use super::actions::{self, CtlKind};
use super::{directives, operators};

/// What rules may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rights {
    /// Everything that the language has: rules of whoever runs the host.
    #[default]
    All,
    /// What concerns the requests of one tenant: rules of somebody who shares the host with others.
    Tenant,
}

/// Why a tenant's rules may not do something, and what to do instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lang::seclang) struct Withheld {
    pub why: &'static str,
    pub instead: &'static str,
}

const fn no(why: &'static str, instead: &'static str) -> Option<Withheld> {
    Some(Withheld { why, instead })
}

const ENGINE: &str = "whether and how strictly the engine runs is decided by the host";
const ASK: &str =
    "leave the line out; who runs the host sets it for all tenants, in the rules that stand before theirs";
const LIMITS: &str = "how much memory and time a request may take is decided by the host";
const LOGS: &str = "what is written to logs, and where, is decided by the host";
const PLACES: &str = "it names a place where files are written";
const REACHES: &str = "it makes the engine ask another machine";
const LISTS: &str = "fetch the list beforehand, and use @ipMatchFromFile or @pmFromFile";

impl directives::Kind {
    /// What keeps a tenant's rules from using it; `None`: nothing. Files that it names lie in the tenant's folder.
    pub const fn withheld(self) -> Option<Withheld> {
        use directives::Kind;
        match self {
            // Rules, and what they see of the tenant's own requests.
            Kind::Rule | Kind::Action | Kind::Marker | Kind::Dataset | Kind::DefaultAction => None,
            Kind::RuleRemoveById | Kind::RuleRemoveByMsg | Kind::RuleRemoveByTag | Kind::RuleUpdateActionById => None,
            Kind::RuleUpdateTargetById | Kind::RuleUpdateTargetByMsg | Kind::RuleUpdateTargetByTag => None,
            Kind::ArgumentSeparator | Kind::CookieFormat | Kind::CookieV0Separator | Kind::NestedDecoding => None,
            Kind::ParseXmlIntoArgs | Kind::UnicodeCodePage => None,
            Kind::RequestBodyAccess | Kind::ResponseBodyAccess => None,
            Kind::ResponseBodyMimeType | Kind::ResponseBodyMimeTypesClear => None,
            Kind::StreamInBodyInspection | Kind::StreamOutBodyInspection => None,
            // Names in the records of its own requests, and in its own collections.
            Kind::ComponentSignature | Kind::ServerSignature | Kind::WebAppId | Kind::CollectionTimeout => None,
            // Files, which are read from its folder.
            Kind::Include | Kind::IncludeOptional | Kind::GeoLookupDb | Kind::UnicodeMapFile => None,
            Kind::RuleEngine => no(ENGINE, ASK),
            Kind::RequestBodyLimit | Kind::RequestBodyLimitAction | Kind::RequestBodyNoFilesLimit => no(LIMITS, ASK),
            Kind::ResponseBodyLimit | Kind::ResponseBodyLimitAction => no(LIMITS, ASK),
            Kind::ArgumentsLimit | Kind::JsonDepthLimit | Kind::UploadFileLimit => no(LIMITS, ASK),
            Kind::AuditEngine | Kind::AuditLogFormat | Kind::AuditLogParts | Kind::AuditLogType => no(LOGS, ASK),
            Kind::AuditLogRelevantStatus | Kind::RulePerfTime | Kind::SensorId => no(LOGS, ASK),
            Kind::AuditLog | Kind::AuditLog2 | Kind::AuditLogStorageDir => no(PLACES, ASK),
            Kind::AuditLogDirMode | Kind::AuditLogFileMode => no(LOGS, ASK),
            Kind::DataDir | Kind::TmpDir | Kind::UploadDir => no(PLACES, ASK),
            Kind::TmpSaveUploadedFiles | Kind::UploadKeepFiles | Kind::UploadFileMode => {
                no("whether uploaded files are written is decided by the host", ASK)
            }
            Kind::RemoteRules | Kind::RemoteRulesFailAction => {
                no(REACHES, "fetch the rules beforehand, check them, and Include them")
            }
            Kind::HttpBlKey => no(REACHES, LISTS),
        }
    }
}

impl actions::Kind {
    /// The same for an action.
    pub const fn withheld(self) -> Option<Withheld> {
        use actions::Kind;
        match self {
            Kind::SetEnv => no(
                "the variables that it sets are read by the host, which may act on them",
                "use setvar:tx.name=value, which rules read",
            ),
            // Options of `ctl` have rows of their own.
            Kind::Ctl => None,
            Kind::Accuracy | Kind::Id | Kind::Maturity | Kind::Msg | Kind::Rev | Kind::Severity | Kind::Tag => None,
            Kind::Ver | Kind::Phase | Kind::LogData => None,
            // They decide about the tenant's own requests.
            Kind::Allow | Kind::Block | Kind::Deny | Kind::Drop | Kind::Pass | Kind::Redirect | Kind::Status => None,
            Kind::Capture | Kind::Chain | Kind::MultiMatch | Kind::Skip | Kind::SkipAfter => None,
            Kind::Transformation => None,
            // Whether a match is worth a record; whether and where records are written is the host's business.
            Kind::Log | Kind::NoLog | Kind::AuditLog | Kind::NoAuditLog => None,
            Kind::SanitiseArg | Kind::SanitiseMatched | Kind::SanitiseMatchedBytes => None,
            Kind::SanitiseRequestHeader | Kind::SanitiseResponseHeader => None,
            // In collections that no other tenant has.
            Kind::InitCol | Kind::SetRsc | Kind::SetSid | Kind::SetUid | Kind::SetVar => None,
            Kind::DeprecateVar | Kind::ExpireVar => None,
        }
    }
}

impl CtlKind {
    /// The same for an option of `ctl`.
    pub const fn withheld(self) -> Option<Withheld> {
        match self {
            CtlKind::RuleEngine => {
                no(ENGINE, "use ctl:ruleRemoveById or ctl:ruleRemoveByTag for the rules that are not to run")
            }
            CtlKind::AuditEngine => no(LOGS, "use `noauditlog` in the rules that are not worth a record"),
            CtlKind::RequestBodyLimit | CtlKind::ResponseBodyLimit => no(LIMITS, ASK),
            // What a record of the tenant's own request holds: the Core Rule Set says so in most rules.
            CtlKind::AuditLogParts => None,
            CtlKind::ForceRequestBodyVariable | CtlKind::ParseXmlIntoArgs | CtlKind::RequestBodyProcessor => None,
            CtlKind::RequestBodyAccess | CtlKind::ResponseBodyAccess => None,
            CtlKind::RuleRemoveById | CtlKind::RuleRemoveByMsg | CtlKind::RuleRemoveByTag => None,
            CtlKind::RuleRemoveTargetById | CtlKind::RuleRemoveTargetByMsg | CtlKind::RuleRemoveTargetByTag => None,
        }
    }
}

impl operators::Kind {
    /// The same for an operator.
    pub const fn withheld(self) -> Option<Withheld> {
        use operators::Kind;
        match self {
            Kind::Rbl => no(REACHES, LISTS),
            // Files, which are read from the tenant's folder.
            Kind::PmFromFile | Kind::IpMatchFromFile => None,
            Kind::Rx | Kind::RxGlobal | Kind::Pm | Kind::PmFromDataset | Kind::StrEq | Kind::Contains => None,
            Kind::ContainsWord | Kind::BeginsWith | Kind::EndsWith | Kind::StrMatch | Kind::Within => None,
            Kind::Eq | Kind::Ge | Kind::Gt | Kind::Le | Kind::Lt | Kind::GeoLookup => None,
            Kind::IpMatch | Kind::IpMatchFromDataset | Kind::DetectSqli | Kind::DetectXss => None,
            Kind::ValidateByteRange | Kind::ValidateUrlEncoding | Kind::ValidateUtf8Encoding => None,
            Kind::VerifyCc | Kind::VerifyCpf | Kind::VerifySsn | Kind::VerifySvnr => None,
            Kind::UnconditionalMatch | Kind::NoMatch => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Support;
    use super::*;
    use crate::diag::{Diagnostics, SourceMap};
    use crate::files::MemoryFiles;
    use crate::lang::seclang::{Entry, Part, codes, read};
    use crate::limits::Limits;

    /// The codes of the findings in a text.
    fn found(text: &str, rights: Rights) -> Vec<&'static str> {
        let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(100));
        let entry = Entry::Text { name: "site.conf", text: text.as_bytes() };
        let part = Part { entry, files: &MemoryFiles::new(), rights, depth: 0 };
        read(&[part], &Limits::default(), &|_| None, &mut sources, &mut found);
        found.iter().map(|found| found.code).collect()
    }

    /// Holds a name against what becomes of it, for tenants and for others.
    fn hold(name: &str, text: &str, withheld: Option<Withheld>, code: &'static str) {
        assert_eq!(found(text, Rights::Tenant).contains(&code), withheld.is_some(), "{text}");
        assert!(!found(text, Rights::All).contains(&code), "{text}");
        let page = include_str!("../../../../docs/tenants.md");
        let row = page.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{name}`")));
        match withheld {
            Some(Withheld { why, instead }) => {
                assert!(why.len() > 10 && instead.len() > 10, "{name}");
                assert!(
                    row.is_some_and(|row| row.contains(why)),
                    "docs/tenants.md has no row of `{name}` that says: {why}"
                );
            }
            None => assert!(row.is_none(), "docs/tenants.md says that `{name}` is refused"),
        }
    }

    #[test]
    fn every_name_is_as_its_row_says() {
        for row in directives::TABLE {
            if let Support::Yes(kind) = row.support {
                let arguments = "a ".repeat(kind.arity().0);
                hold(row.name, &format!("{} {arguments}\n", row.name), kind.withheld(), codes::WITHHELD_DIRECTIVE);
            }
        }
        for row in actions::TABLE {
            if let Support::Yes(kind) = row.support {
                let argument = if kind.argument() == actions::Argument::Never { "" } else { ":a" };
                let text = format!("SecAction \"id:1,phase:1,pass,{}{argument}\"\n", row.name);
                hold(row.name, &text, kind.withheld(), codes::WITHHELD_ACTION);
            }
        }
        for row in actions::CTL {
            if let Support::Yes(kind) = row.support {
                let text = format!("SecAction \"id:1,phase:1,pass,ctl:{}=a\"\n", row.name);
                hold(&format!("ctl:{}", row.name), &text, kind.withheld(), codes::WITHHELD_CTL);
            }
        }
        for row in operators::TABLE {
            if let Support::Yes(kind) = row.support {
                let text = format!("SecRule ARGS \"@{} a\" \"id:1,phase:1,pass\"\n", row.name);
                hold(&format!("@{}", row.name), &text, kind.withheld(), codes::WITHHELD_OPERATOR);
            }
        }
    }
}
