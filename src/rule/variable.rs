//! The variables that rules can see.

/// Declares the enum, its names and its shape in one table.
macro_rules! variables {
    ($($(#[$doc:meta])* $variant:ident $name:literal $shape:ident;)*) => {
        /// A variable of the ModSecurity reference manual.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Variable { $($(#[$doc])* #[doc = concat!("`", $name, "`.")] $variant,)* }

        impl Variable {
            /// Every variable, in the order of the table.
            pub const ALL: &'static [Variable] = &[$(Variable::$variant,)*];

            /// The name as the manual writes it.
            pub const fn name(self) -> &'static str {
                match self { $(Variable::$variant => $name,)* }
            }

            /// Whether it has members that a selector can name.
            pub const fn is_collection(self) -> bool {
                match self { $(Variable::$variant => variables!(@shape $shape),)* }
            }
        }
    };
    (@shape Scalar) => { false };
    (@shape Collection) => { true };
}

variables! {
    Args "ARGS" Collection;
    ArgsGet "ARGS_GET" Collection;
    ArgsPost "ARGS_POST" Collection;
    ArgsNames "ARGS_NAMES" Collection;
    ArgsGetNames "ARGS_GET_NAMES" Collection;
    ArgsPostNames "ARGS_POST_NAMES" Collection;
    ArgsCombinedSize "ARGS_COMBINED_SIZE" Scalar;
    AuthType "AUTH_TYPE" Scalar;
    Duration "DURATION" Scalar;
    Env "ENV" Collection;
    Files "FILES" Collection;
    FilesCombinedSize "FILES_COMBINED_SIZE" Scalar;
    FilesNames "FILES_NAMES" Collection;
    FilesSizes "FILES_SIZES" Collection;
    FilesTmpNames "FILES_TMPNAMES" Collection;
    FilesTmpContent "FILES_TMP_CONTENT" Collection;
    FullRequest "FULL_REQUEST" Scalar;
    FullRequestLength "FULL_REQUEST_LENGTH" Scalar;
    Geo "GEO" Collection;
    Global "GLOBAL" Collection;
    HighestSeverity "HIGHEST_SEVERITY" Scalar;
    InboundDataError "INBOUND_DATA_ERROR" Scalar;
    Ip "IP" Collection;
    MatchedVar "MATCHED_VAR" Scalar;
    MatchedVarName "MATCHED_VAR_NAME" Scalar;
    MatchedVars "MATCHED_VARS" Collection;
    MatchedVarsNames "MATCHED_VARS_NAMES" Collection;
    ModsecBuild "MODSEC_BUILD" Scalar;
    MscPcreLimitsExceeded "MSC_PCRE_LIMITS_EXCEEDED" Scalar;
    MscPcreError "MSC_PCRE_ERROR" Scalar;
    MultipartBoundaryQuoted "MULTIPART_BOUNDARY_QUOTED" Scalar;
    MultipartBoundaryWhitespace "MULTIPART_BOUNDARY_WHITESPACE" Scalar;
    MultipartCrlfLfLines "MULTIPART_CRLF_LF_LINES" Scalar;
    MultipartDataAfter "MULTIPART_DATA_AFTER" Scalar;
    MultipartDataBefore "MULTIPART_DATA_BEFORE" Scalar;
    MultipartFileLimitExceeded "MULTIPART_FILE_LIMIT_EXCEEDED" Scalar;
    MultipartFilename "MULTIPART_FILENAME" Collection;
    MultipartHeaderFolding "MULTIPART_HEADER_FOLDING" Scalar;
    MultipartInvalidHeaderFolding "MULTIPART_INVALID_HEADER_FOLDING" Scalar;
    MultipartInvalidPart "MULTIPART_INVALID_PART" Scalar;
    MultipartInvalidQuoting "MULTIPART_INVALID_QUOTING" Scalar;
    MultipartLfLine "MULTIPART_LF_LINE" Scalar;
    MultipartMissingSemicolon "MULTIPART_MISSING_SEMICOLON" Scalar;
    MultipartName "MULTIPART_NAME" Collection;
    MultipartPartHeaders "MULTIPART_PART_HEADERS" Collection;
    MultipartStrictError "MULTIPART_STRICT_ERROR" Scalar;
    MultipartUnmatchedBoundary "MULTIPART_UNMATCHED_BOUNDARY" Scalar;
    OutboundDataError "OUTBOUND_DATA_ERROR" Scalar;
    PathInfo "PATH_INFO" Scalar;
    PerfAll "PERF_ALL" Scalar;
    PerfCombined "PERF_COMBINED" Scalar;
    PerfGc "PERF_GC" Scalar;
    PerfLogging "PERF_LOGGING" Scalar;
    PerfPhase1 "PERF_PHASE1" Scalar;
    PerfPhase2 "PERF_PHASE2" Scalar;
    PerfPhase3 "PERF_PHASE3" Scalar;
    PerfPhase4 "PERF_PHASE4" Scalar;
    PerfPhase5 "PERF_PHASE5" Scalar;
    PerfRules "PERF_RULES" Collection;
    PerfSread "PERF_SREAD" Scalar;
    PerfSwrite "PERF_SWRITE" Scalar;
    QueryString "QUERY_STRING" Scalar;
    RemoteAddr "REMOTE_ADDR" Scalar;
    RemoteHost "REMOTE_HOST" Scalar;
    RemotePort "REMOTE_PORT" Scalar;
    RemoteUser "REMOTE_USER" Scalar;
    ReqbodyError "REQBODY_ERROR" Scalar;
    ReqbodyErrorMsg "REQBODY_ERROR_MSG" Scalar;
    ReqbodyProcessor "REQBODY_PROCESSOR" Scalar;
    ReqbodyProcessorError "REQBODY_PROCESSOR_ERROR" Scalar;
    ReqbodyProcessorErrorMsg "REQBODY_PROCESSOR_ERROR_MSG" Scalar;
    RequestBasename "REQUEST_BASENAME" Scalar;
    RequestBody "REQUEST_BODY" Scalar;
    RequestBodyLength "REQUEST_BODY_LENGTH" Scalar;
    RequestCookies "REQUEST_COOKIES" Collection;
    RequestCookiesNames "REQUEST_COOKIES_NAMES" Collection;
    RequestFilename "REQUEST_FILENAME" Scalar;
    RequestHeaders "REQUEST_HEADERS" Collection;
    RequestHeadersNames "REQUEST_HEADERS_NAMES" Collection;
    RequestLine "REQUEST_LINE" Scalar;
    RequestMethod "REQUEST_METHOD" Scalar;
    RequestProtocol "REQUEST_PROTOCOL" Scalar;
    RequestUri "REQUEST_URI" Scalar;
    RequestUriRaw "REQUEST_URI_RAW" Scalar;
    ResBodyError "RES_BODY_ERROR" Scalar;
    ResBodyErrorMsg "RES_BODY_ERROR_MSG" Scalar;
    ResBodyProcessor "RES_BODY_PROCESSOR" Scalar;
    ResBodyProcessorError "RES_BODY_PROCESSOR_ERROR" Scalar;
    ResBodyProcessorErrorMsg "RES_BODY_PROCESSOR_ERROR_MSG" Scalar;
    Resource "RESOURCE" Collection;
    ResponseBody "RESPONSE_BODY" Scalar;
    ResponseContentLength "RESPONSE_CONTENT_LENGTH" Scalar;
    ResponseContentType "RESPONSE_CONTENT_TYPE" Scalar;
    ResponseHeaders "RESPONSE_HEADERS" Collection;
    ResponseHeadersNames "RESPONSE_HEADERS_NAMES" Collection;
    ResponseProtocol "RESPONSE_PROTOCOL" Scalar;
    ResponseStatus "RESPONSE_STATUS" Scalar;
    Rule "RULE" Collection;
    ScriptBasename "SCRIPT_BASENAME" Scalar;
    ScriptFilename "SCRIPT_FILENAME" Scalar;
    ScriptGid "SCRIPT_GID" Scalar;
    ScriptGroupname "SCRIPT_GROUPNAME" Scalar;
    ScriptMode "SCRIPT_MODE" Scalar;
    ScriptUid "SCRIPT_UID" Scalar;
    ScriptUsername "SCRIPT_USERNAME" Scalar;
    SdbmDeleteError "SDBM_DELETE_ERROR" Scalar;
    ServerAddr "SERVER_ADDR" Scalar;
    ServerName "SERVER_NAME" Scalar;
    ServerPort "SERVER_PORT" Scalar;
    Session "SESSION" Collection;
    SessionId "SESSIONID" Scalar;
    StatusLine "STATUS_LINE" Scalar;
    StreamInputBody "STREAM_INPUT_BODY" Scalar;
    StreamOutputBody "STREAM_OUTPUT_BODY" Scalar;
    Time "TIME" Scalar;
    TimeDay "TIME_DAY" Scalar;
    TimeEpoch "TIME_EPOCH" Scalar;
    TimeHour "TIME_HOUR" Scalar;
    TimeMin "TIME_MIN" Scalar;
    TimeMon "TIME_MON" Scalar;
    TimeSec "TIME_SEC" Scalar;
    TimeWday "TIME_WDAY" Scalar;
    TimeYear "TIME_YEAR" Scalar;
    Tx "TX" Collection;
    UniqueId "UNIQUE_ID" Scalar;
    UriParseError "URI_PARSE_ERROR" Scalar;
    UrlencodedError "URLENCODED_ERROR" Scalar;
    User "USER" Collection;
    UserAgentIp "USERAGENT_IP" Scalar;
    UserId "USERID" Scalar;
    WebAppId "WEBAPPID" Scalar;
    WebserverErrorLog "WEBSERVER_ERROR_LOG" Scalar;
    /// All text of an XML body: `XML:/*`.
    Xml "XML" Collection;
    /// All attribute values of an XML body: `XML://@*`.
    XmlAttributes "XML_ATTRIBUTES" Collection;
    /// Ours: what was not inspected, or may be read otherwise by its recipient (`request body, part-coded`; empty if nothing).
    Uninspected "FUSEWALL_UNINSPECTED" Scalar;
    /// Ours: which budget ran dry (`request`, `rule`, `memory`; empty if none).
    BudgetExhausted "FUSEWALL_BUDGET_EXHAUSTED" Scalar;
    /// Ours: the limits that persistent collections ran into (`store full`, `record limit`, `key too long`,
    /// `store unavailable`; empty if none).
    CollectionLimit "FUSEWALL_COLLECTION_LIMIT" Scalar;
}

impl Variable {
    /// Other names of variables: old ones of ModSecurity, and Coraza's.
    pub const ALIASES: &'static [(&'static str, Variable)] = &[
        ("MULTIPART_SEMICOLON_MISSING", Variable::MultipartMissingSemicolon),
        ("REQUEST_XML", Variable::Xml),
        ("STATUS", Variable::ResponseStatus),
    ];

    /// Finds a variable by name or alias, without case.
    pub fn from_name(name: &str) -> Option<Variable> {
        if let Some((_, variable)) = Self::ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)) {
            return Some(*variable);
        }
        Self::ALL.iter().copied().find(|variable| variable.name().eq_ignore_ascii_case(name))
    }

    /// Whether its records outlive a request: GLOBAL, IP, RESOURCE, SESSION and USER.
    pub const fn is_persistent(self) -> bool {
        matches!(self, Variable::Global | Variable::Ip | Variable::Resource | Variable::Session | Variable::User)
    }

    /// Whether member names are compared without case: headers, cookie names, TX and the other collections that rules write.
    /// Argument, file and multipart names are compared as they are.
    pub const fn folds_case(self) -> bool {
        matches!(
            self,
            Variable::RequestHeaders
                | Variable::RequestHeadersNames
                | Variable::ResponseHeaders
                | Variable::ResponseHeadersNames
                | Variable::RequestCookies
                | Variable::RequestCookiesNames
                | Variable::Tx
                | Variable::Ip
                | Variable::Global
                | Variable::Session
                | Variable::User
                | Variable::Resource
                | Variable::Rule
                | Variable::Geo
                | Variable::MatchedVars
                | Variable::MatchedVarsNames
        )
    }
}
