//! The names of the manuals (ModSecurity v2.9 and v3.0, and what Coraza adds), and which of the three engines know them.
//!
//! Written down apart from the tables that the loader uses, so that a name which a manual has and a table lacks is found out. After a
//! name stand three letters: for ModSecurity v2, for libmodsecurity v3, for Coraza. `y`: it works. `p`: partly, or accepted without
//! effect. `n`: refused or unknown. A fourth word is the first version of Fusewall that supports the name, if not the first of all.

use std::collections::BTreeMap;

/// How an engine takes a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Yes,
    Partly,
    No,
}

impl Takes {
    /// As the page shows it.
    pub fn shown(self) -> &'static str {
        match self {
            Takes::Yes => "yes",
            Takes::Partly => "partly",
            Takes::No => "no",
        }
    }
}

/// What is written about a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// ModSecurity v2, libmodsecurity v3, Coraza.
    pub engines: [Takes; 3],
    /// The first version of Fusewall that supports it.
    pub since: &'static str,
}

/// Reads a list. Names are folded to lower case.
pub(super) fn read(list: &'static str) -> BTreeMap<String, Known> {
    let takes = |letter: char| match letter {
        'y' => Takes::Yes,
        'p' => Takes::Partly,
        'n' => Takes::No,
        other => panic!("`{other}` says nothing"),
    };
    let mut names = BTreeMap::new();
    let entries = list.lines().flat_map(|line| line.split(" · ")).map(str::trim).filter(|entry| !entry.is_empty());
    for entry in entries {
        let mut words = entry.split_ascii_whitespace();
        let (Some(name), Some(letters)) = (words.next(), words.next()) else { panic!("`{entry}` says nothing") };
        let engines: Vec<_> = letters.chars().map(takes).collect();
        let known = Known { engines: engines.try_into().expect("three letters"), since: words.next().unwrap_or("0.1") };
        assert!(names.insert(name.to_ascii_lowercase(), known).is_none(), "`{name}` stands twice");
    }
    names
}

pub(super) const DIRECTIVES: &str = "
Include yyy · IncludeOptional ynn · SecAction yyy · SecArgumentSeparator yyn · SecArgumentsLimit yyy · SecAuditEngine yyy
SecAuditLog yyy · SecAuditLog2 yyn · SecAuditLogDir nny · SecAuditLogDirMode yyy · SecAuditLogFileMode yyy
SecAuditLogFormat yyy · SecAuditLogParts yyy · SecAuditLogRelevantStatus yyy · SecAuditLogStorageDir yyp
SecAuditLogType yyy · SecCacheTransformations ynn · SecChrootDir ynn · SecCollectionTimeout yyp
SecComponentSignature yyy · SecConnEngine ynp · SecConnReadStateLimit ynp · SecConnWriteStateLimit ynp
SecContentInjection ynn · SecCookieFormat ypn · SecCookieV0Separator ynn · SecDataDir ypp · SecDataset nny
SecDebugLog yyy · SecDebugLogLevel yyy · SecDefaultAction yyy · SecDisableBackendCompression ynn
SecEncryptionEngine pnn · SecEncryptionKey pnn · SecEncryptionMethodPm pnn · SecEncryptionMethodRx pnn
SecEncryptionParam pnn · SecGeoLookupDb yyn · SecGeoLookupsDb pnn · SecGsbLookupDb ynp · SecGuardianLog ynn
SecHashEngine ynp · SecHashKey ynp · SecHashMethodPm ynp · SecHashMethodRx ynp · SecHashParam ynp · SecHttpBlKey yyp
SecIgnoreRuleCompilationErrors nny · SecInterceptOnError ynn · SecMarker yyy · SecParseXmlIntoArgs yyn
SecPcreMatchLimit yyp · SecPcreMatchLimitRecursion ypp · SecPdfProtect pnn · SecPdfProtectMethod pnn
SecPdfProtectSecret pnn · SecPdfProtectTimeout pnn · SecPdfProtectTokenName pnn · SecReadStateLimit ynn
SecRemoteRules yyp · SecRemoteRulesFailAction yyp · SecRequestBodyAccess yyy · SecRequestBodyInMemoryLimit ypy
SecRequestBodyJsonDepthLimit yyy · SecRequestBodyLimit yyy · SecRequestBodyLimitAction yyy
SecRequestBodyNoFilesLimit yyp · SecRequestEncoding pnn · SecResponseBodyAccess yyy · SecResponseBodyLimit yyy
SecResponseBodyLimitAction yyy · SecResponseBodyMimeType yyy · SecResponseBodyMimeTypesClear yyy · SecRule yyy
SecRuleEngine yyy · SecRuleInheritance ynn · SecRulePerfTime ynn · SecRuleRemoveById yyy · SecRuleRemoveByMsg yyy
SecRuleRemoveByTag yyy · SecRuleScript yyn · SecRuleUpdateActionById yyy · SecRuleUpdateTargetById yyy
SecRuleUpdateTargetByMsg yyn · SecRuleUpdateTargetByTag yyy · SecSensorId ynp · SecServerSignature ypp
SecStatusEngine ypn · SecStreamInBodyInspection ynn · SecStreamOutBodyInspection ynn · SecTmpDir yyn
SecTmpSaveUploadedFiles yyn · SecUnicodeCodePage ynn · SecUnicodeMap nnn · SecUnicodeMapFile yyn · SecUploadDir yyy
SecUploadFileLimit yyp · SecUploadFileMode yyp · SecUploadKeepFiles yyp · SecWebAppId yyp · SecWriteStateLimit ynn
SecXmlExternalEntity yyn
LoadFile nnn · LoadModule nnn · modsecurity nnn · modsecurity_rules nnn · modsecurity_rules_file nnn
modsecurity_rules_remote nnn · modsecurity_transaction_id nnn · modsecurity_use_error_log nnn
SecFusewallNestedDecoding nnn
";

pub(super) const VARIABLES: &str = "
ARGS yyy · ARGS_COMBINED_SIZE yyy · ARGS_GET yyy · ARGS_GET_NAMES yyy · ARGS_NAMES yyy · ARGS_PATH nny · ARGS_POST yyy
ARGS_POST_NAMES yyy · AUTH_TYPE yyp · DURATION yyy · ENV yyy · FILES yyy · FILES_COMBINED_SIZE yyy · FILES_NAMES yyy
FILES_SIZES yyy · FILES_TMPNAMES yyy · FILES_TMP_CONTENT yyy · FULL_REQUEST yyy · FULL_REQUEST_LENGTH yyy · GEO yyp
GLOBAL yyn · HIGHEST_SEVERITY yyy · INBOUND_DATA_ERROR yyy · IP yyp · JSON nny · MATCHED_VAR yyy · MATCHED_VAR_NAME yyy
MATCHED_VARS yyy · MATCHED_VARS_NAMES yyy · MODSEC_BUILD yyn · MSC_PCRE_ERROR nyn · MSC_PCRE_LIMITS_EXCEEDED pyn
MULTIPART_BOUNDARY_QUOTED yyy · MULTIPART_BOUNDARY_WHITESPACE yyy · MULTIPART_CRLF_LF_LINES yyy
MULTIPART_DATA_AFTER yyy · MULTIPART_DATA_BEFORE yyy · MULTIPART_FILENAME yyy · MULTIPART_FILE_LIMIT_EXCEEDED yyy
MULTIPART_HEADER_FOLDING yyy · MULTIPART_INVALID_HEADER_FOLDING yyy · MULTIPART_INVALID_PART yyy
MULTIPART_INVALID_QUOTING yyy · MULTIPART_LF_LINE yyy · MULTIPART_MISSING_SEMICOLON yyy · MULTIPART_NAME yyy
MULTIPART_PART_HEADERS yyy · MULTIPART_SEMICOLON_MISSING pyn · MULTIPART_STRICT_ERROR yyy
MULTIPART_UNMATCHED_BOUNDARY yyy · OUTBOUND_DATA_ERROR yyy · PATH_INFO yyy · PERF_ALL ynn · PERF_COMBINED ynn
PERF_GC ynn · PERF_LOGGING ynn · PERF_PHASE1 ynn · PERF_PHASE2 ynn · PERF_PHASE3 ynn · PERF_PHASE4 ynn
PERF_PHASE5 ynn · PERF_RULES ynn · PERF_SREAD ynn · PERF_SWRITE ynn · QUERY_STRING yyy · REMOTE_ADDR yyy
REMOTE_HOST yyp · REMOTE_PORT yyy · REMOTE_USER yyn · REQBODY_ERROR yyy · REQBODY_ERROR_MSG yyy
REQBODY_PROCESSOR yyy · REQBODY_PROCESSOR_ERROR yyy · REQBODY_PROCESSOR_ERROR_MSG yyy · REQUEST_BASENAME yyy
REQUEST_BODY yyy · REQUEST_BODY_LENGTH yyy · REQUEST_COOKIES yyy · REQUEST_COOKIES_NAMES yyy · REQUEST_FILENAME yyy
REQUEST_HEADERS yyy · REQUEST_HEADERS_NAMES yyy · REQUEST_LINE yyy · REQUEST_METHOD yyy · REQUEST_PROTOCOL yyy
REQUEST_URI yyy · REQUEST_URI_RAW yyy · REQUEST_XML nny · RESOURCE yyn · RESPONSE_ARGS nny · RESPONSE_BODY yyy
RESPONSE_CONTENT_LENGTH yyy · RESPONSE_CONTENT_TYPE yyy · RESPONSE_HEADERS yyy · RESPONSE_HEADERS_NAMES yyy
RESPONSE_PROTOCOL yyy · RESPONSE_STATUS yyy · RESPONSE_XML nny · RES_BODY_ERROR nny · RES_BODY_ERROR_MSG nny
RES_BODY_PROCESSOR nny · RES_BODY_PROCESSOR_ERROR nny · RES_BODY_PROCESSOR_ERROR_MSG nny · RULE yyy
SCRIPT_BASENAME ynn · SCRIPT_FILENAME ynn · SCRIPT_GID ynn · SCRIPT_GROUPNAME ynn · SCRIPT_MODE ynn · SCRIPT_UID ynn
SCRIPT_USERNAME ynn · SDBM_DELETE_ERROR ynn · SERVER_ADDR yyy · SERVER_NAME yyy · SERVER_PORT yyy · SESSION yyn
SESSIONID yyp · STATUS pyn · STATUS_LINE yyy · STREAM_INPUT_BODY ynn · STREAM_OUTPUT_BODY ynn · TIME yyy
TIME_DAY yyy · TIME_EPOCH yyy · TIME_HOUR yyy · TIME_MIN yyy · TIME_MON yyy · TIME_SEC yyy · TIME_WDAY yyy
TIME_YEAR yyy · TX yyy · UNIQUE_ID yyy · URI_PARSE_ERROR nny · URLENCODED_ERROR yyy · USER yyn · USERAGENT_IP ynn
USERID yyp · WEBAPPID yyn · WEBSERVER_ERROR_LOG ynn · XML yyy
FUSEWALL_COLLECTION_LIMIT nnn · FUSEWALL_UNINSPECTED nnn · FUSEWALL_BUDGET_EXHAUSTED nnn
";

pub(super) const OPERATORS: &str = "
beginsWith yyy · contains yyy · containsWord yyn · detectSQLi yyy · detectXSS yyy · endsWith yyy · eq yyy
fuzzyHash yyn · ge yyy · geoLookup yyp · gsbLookup ynn · gt yyy · inspectFile yyy · ipMatch yyy · ipMatchF yyn
ipMatchFromDataset nny · ipMatchFromFile yyy · le yyy · lt yyy · noMatch yyy · pm yyy · pmf yyy
pmFromDataset nny · pmFromFile yyy · rbl yyy · restpath nny · rsub ynn · rx yyy · rxGlobal nyn · strmatch yyy
streq yyy · unconditionalMatch yyy · validateByteRange yyy · validateDTD yyn · validateEncryption pnn
validateHash ynn · validateNid nny · validateSchema yyp · validateUrlEncoding yyy · validateUtf8Encoding yyy
verifyCC yyn · verifyCPF yyn · verifySSN yyn · verifySVNR nyn · within yyy
";

pub(super) const TRANSFORMATIONS: &str = "
base64Decode yyy · base64DecodeExt yyy · base64DecodeText nnn · base64Encode yyy · cmdLine yyy · compressWhitespace yyy · cssDecode yyy
escapeSeqDecode yyy · hexDecode yyy · hexEncode yyy · htmlEntityDecode yyy · jsDecode yyy · length yyy
lowercase yyy · md5 yyy · none yyy · normalisePath yyy · normalisePathWin yyy · normalizePath yyy
normalizePathWin yyy · parityEven7bit yyn · parityOdd7bit yyn · parityZero7bit yyn · phpArgsNames nyn
removeComments yyy · removeCommentsChar yyy · removeNulls yyy · removeWhitespace yyy · replaceComments yyy
replaceNulls yyy · sha1 yyy · sqlHexDecode yyn · trim yyy · trimLeft yyy · trimRight yyy · uppercase nyy
urlDecode yyy · urlDecodeUni yyy · urlEncode yyy · utf8toUnicode yyy
";

pub(super) const ACTIONS: &str = "
accuracy yyy · allow yyy · append ynn · auditlog yyy · block yyy · capture yyy · chain yyy · ctl yyy · deny yyy
deprecatevar ynn · drop yyy · exec yyp · expirevar yyp · id yyy · initcol yyp · log yyy · logdata yyy
maturity yyy · msg yyy · multiMatch yyy · noauditlog yyy · nolog yyy · pass yyy · pause ynn · phase yyy
prepend ynn · proxy ynn · redirect yyy · rev yyy · sanitiseArg ynn · sanitiseMatched ynn
sanitiseMatchedBytes ynn · sanitiseRequestHeader ynn · sanitiseResponseHeader ynn · sanitizeArg ynn
sanitizeMatched ynn · sanitizeMatchedBytes ynn · sanitizeRequestHeader ynn · sanitizeResponseHeader ynn
setenv yyy · setrsc yyn · setsid yyn · setuid yyn · setvar yyy · severity yyy · skip yyy · skipAfter yyy
status yyy · t yyy · tag yyy · ver yyy · xmlns yyn
";

pub(super) const CTL: &str = "
auditEngine yyy · auditLogParts yyy · debugLogLevel yny · encryptionEnforcement pnn · encryptionEngine pnn
forceRequestBodyVariable yyy · forceResponseBodyVariable nny · hashEnforcement ynp · hashEngine ynp
parseXmlIntoArgs yyn · requestBodyAccess yyy · requestBodyLimit yny · requestBodyProcessor yyy
responseBodyAccess yny · responseBodyLimit yny · responseBodyProcessor nny · ruleEngine yyy
ruleRemoveById yyy · ruleRemoveByMsg yny · ruleRemoveByTag yyy · ruleRemoveTargetById yyy
ruleRemoveTargetByMsg yny · ruleRemoveTargetByTag yyy · ruleUpdateTargetById pnn · ruleUpdateTargetByMsg pnn
ruleUpdateTargetByTag pnn
";
