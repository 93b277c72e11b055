//! Small rulesets and exchanges out of a string of bytes: for property tests and fuzzers alike.
//!
//! Names and values come from few choices, so that rules and requests meet.

pub use super::choices::Choices;
use super::exchange::{Exchange, Response};

const TARGETS: &[&str] = &[
    "ARGS",
    "ARGS:a",
    "ARGS:b",
    "ARGS:/^a/",
    "ARGS:/^(?!b)/",
    "ARGS_NAMES",
    "ARGS_NAMES:a",
    "ARGS_GET",
    "ARGS_POST",
    "ARGS_GET_NAMES",
    "ARGS_POST_NAMES",
    "REQUEST_HEADERS",
    "REQUEST_HEADERS:X-A",
    "REQUEST_HEADERS:/^x-/",
    "REQUEST_HEADERS_NAMES",
    "REQUEST_COOKIES",
    "REQUEST_COOKIES:c",
    "REQUEST_COOKIES_NAMES",
    "REQUEST_URI",
    "REQUEST_URI_RAW",
    "REQUEST_FILENAME",
    "REQUEST_BASENAME",
    "REQUEST_METHOD",
    "REQUEST_LINE",
    "QUERY_STRING",
    "REQUEST_BODY",
    "REQUEST_BODY_LENGTH",
    "REQBODY_PROCESSOR",
    "REQBODY_ERROR",
    "TX:a",
    "TX:b",
    "TX:/^[abn]$/",
    "TX",
    "TX:0",
    "TX:1",
    "TX:n",
    "TX:gate",
    "MATCHED_VAR",
    "MATCHED_VAR_NAME",
    "MATCHED_VARS",
    "MATCHED_VARS_NAMES",
    "&ARGS",
    "&ARGS:a",
    "&ARGS:/^a/",
    "&TX:a",
    "&TX:gate",
    "&TX:/^[abn]$/",
    "&MATCHED_VARS",
    "&REQUEST_HEADERS:x-a",
    "&REQUEST_COOKIES",
    "ARGS_COMBINED_SIZE",
    "FILES",
    "FILES_NAMES",
    "&FILES",
    "FILES_COMBINED_SIZE",
    "FILES_TMPNAMES",
    "MULTIPART_PART_HEADERS",
    "MULTIPART_STRICT_ERROR",
    "XML:/*",
    "XML://@*",
    "HIGHEST_SEVERITY",
    "UNIQUE_ID",
    "REMOTE_ADDR",
    "URLENCODED_ERROR",
    "RESPONSE_STATUS",
    "RESPONSE_BODY",
    "RESPONSE_HEADERS",
    "RESPONSE_HEADERS:x-a",
    "IP:a",
    "IP",
    "&IP:a",
    "&IP",
    "IP:/^[ab]$/",
    "IP:IS_NEW",
    "IP:UPDATE_COUNTER",
    "IP:TIMEOUT",
    "IP:LAST_UPDATE_TIME|IP:UPDATE_RATE|IP:CREATE_TIME",
    "SESSION:b",
    "SESSIONID",
    "USER",
    "GLOBAL:KEY",
    "FUSEWALL_COLLECTION_LIMIT",
    "FUSEWALL_UNINSPECTED",
    "TX:2",
    "TX:/^[0-9]$/",
    "&TX:1",
    "&TX:limit",
    "TX:limit",
    "TX:level",
    "ARGS:/^A$/",
    "ARGS:'x-a'",
    "REQUEST_HEADERS:/^X-[AB]$/",
    "&ARGS_NAMES",
    "MATCHED_VARS:/a$/",
    "MATCHED_VARS_NAMES:/^ARGS/",
    "RULE:id",
    "SERVER_ADDR",
];

const EXCLUSIONS: &[&str] = &[
    "!ARGS:a",
    "!ARGS:/b/",
    "!ARGS",
    "!REQUEST_HEADERS:x-a",
    "!REQUEST_HEADERS:/^X/",
    "!TX:a",
    "!REQUEST_COOKIES:C",
    "!ARGS_NAMES:a",
    "!MATCHED_VARS",
    "!XML",
    "!&ARGS",
    "!&ARGS:a",
    "!TX:/^[an]$/",
    "!TX:/[0-9]/",
    "!&TX:gate",
    "!REQUEST_URI",
    "!IP:a",
    "!IP:/T/",
];

const OPERATORS: &[&str] = &[
    "@rx a",
    "@rx ^a$",
    "@rx (a)(b)?",
    "@rx (?i)AB",
    "@rx a+b",
    "@rx ^[0-9]+$",
    "@rx (x|y)z",
    "@rx ^$",
    "@rx .",
    r"@rx \bab\b",
    "@rx (a*)(b*)",
    "@rx (?:(a)|(b)|(c))+",
    "@rx ^TX:",
    "@rx [^a-z]",
    "@rxGlobal (a)|(b)",
    "@pm a xyz",
    "@pm ab abc bcd",
    "@pm SELECT union",
    "@streq a",
    "@streq ab",
    "@streq %{tx.a}",
    "@streq %{MATCHED_VAR}",
    "@streq %{tx.gate}",
    "@contains a",
    "@contains %{tx.b}",
    "@containsWord ab",
    "@beginsWith a",
    "@beginsWith ARGS",
    "@endsWith b",
    "@within a b abc",
    "@within %{tx.a} x",
    "@strmatch b",
    "@eq 0",
    "@eq 1",
    "@eq %{tx.n}",
    "@ge 1",
    "@gt 1",
    "@lt 2",
    "@lt 3",
    "@le 0",
    "@le %{tx.gate}",
    "@unconditionalMatch",
    "@noMatch",
    "@detectSQLi",
    "@detectXSS",
    "@validateByteRange 97-122",
    "@validateUrlEncoding",
    "@validateUtf8Encoding",
    "@ipMatch 203.0.113.0/24,a::/16",
    "@ipMatch 192.0.2.1",
    "@ge %{tx.limit}",
    "@verifyCC [0-9]{3,}",
    "@pm ab abc AB a",
    "@pm a b c ab bc abc cab select",
    "@ipMatch ::ffff:192.0.2.0/120,10.10.10.7/21",
    "@ipMatch 2001:db8::ffff/112,203.0.113.7",
    "@validateByteRange 0-255",
    "@validateByteRange 0,32-126,255",
    "@within %{tx.0}%{tx.1}",
    "@streq %{TX.2}",
    "@streq a%{tx.none}",
    "@beginsWith %{tx.none}",
    "@eq %{tx.level}",
    "@gt %{tx.limit}",
    "@endsWith %{REQUEST_HEADERS.X-A}",
    "@contains %{matched_var_name}",
    "@rx union.{0,8}select",
    r"@rx (?i)(?:union|select)\s",
    "@rx (?:|union|select|)b",
    "@rx ^(?:union|SELECT)?$",
    r"@rx \x00b",
    r"@rx (script)>(a|b|)",
    r"@rx \bselect\b|^cab",
    r"@rx (a|b)\1",
    r"@rx (?i)([a-z]+)=\1(?!b)",
    r"@rx a(?=b)|(?<!a)b$",
    r"@rx (?<=^|b)(a++)(b?)",
    r"@rx (?:(?>a*)b|a)*c",
    r"@rx ^TX:(?!a)",
    r"@rxGlobal (a)(?!a)|(?<=b)(b)",
    "@rx ^%{tx.gate}$",
    "@rx (%{tx.a})b",
    "@rx %{MATCHED_VAR}",
    "@rx ^(?:%{tx.limit}|%{tx.level})",
    r"@rx ^(a%{tx.gate})?+(?!\1)b",
    "@rx [%{ARGS.a}]$",
    "@rxGlobal (%{tx.b})",
];

const TRANSFORMATIONS: &[&str] = &[
    "t:lowercase",
    "t:uppercase",
    "t:urlDecodeUni",
    "t:removeWhitespace",
    "t:length",
    "t:trim",
    "t:hexEncode",
    "t:base64Decode",
    "t:compressWhitespace",
    "t:htmlEntityDecode",
    "t:normalizePath",
    "t:removeNulls",
    "t:sha1",
    "t:none",
    "t:jsDecode",
    "t:urlDecode",
    "t:md5",
    "t:utf8toUnicode",
    "t:replaceComments",
    "t:cmdLine",
];

const SETTERS: &[&str] = &[
    "setvar:tx.a=1",
    "setvar:tx.a=%{MATCHED_VAR}",
    "setvar:tx.n=+1",
    "setvar:tx.n=-2",
    "setvar:tx.n=+%{tx.n}",
    "setvar:!tx.a",
    "setvar:'tx.%{tx.a}=a'",
    "setvar:tx.b=%{tx.0}",
    "setvar:tx.b=%{MATCHED_VAR_NAME}",
    "setvar:tx.c=%{rule.id}",
    "setvar:tx.d=%{args.a}%{args.missing}",
    "setvar:TX.A=ab",
    "setvar:tx.b",
    "setvar:tx.n=+abc",
    "setvar:tx.gate=2",
    "setvar:tx.limit=2",
    "setvar:!tx.gate",
    "setvar:tx.n=9223372036854775807",
    "setvar:tx.blocking_inbound_anomaly_score=+3",
    "setvar:tx.outbound_anomaly_score=+%{tx.limit}",
    "setvar:tx.e=%{REQUEST_HEADERS.x-a}-%{REQUEST_HEADERS}",
    "setvar:tx.1=a",
    "setvar:'tx.f=%{MATCHED_VARS}'",
    "setvar:ip.a=+1",
    "initcol:ip=%{REMOTE_ADDR}",
    "initcol:ip=%{REMOTE_ADDR}",
    "initcol:ip=%{ARGS.a}",
    "initcol:global=global",
    "setsid:%{ARGS.a}",
    "setsid:%{REQUEST_COOKIES.c}",
    "setuid:%{ARGS.b}",
    "setrsc:%{REQUEST_FILENAME}",
    "setvar:ip.b=%{MATCHED_VAR}",
    "setvar:IP.A=-2",
    "setvar:!ip.a",
    "setvar:'ip.%{tx.a}=+2'",
    "setvar:ip.timeout=7",
    "setvar:ip.Timeout=+20",
    "setvar:!ip.timeout",
    "setvar:ip.key=other",
    "setvar:session.b=+%{tx.n}",
    "setvar:global.c=ab",
    "setvar:user.a=+1",
    "setvar:resource.a=+3",
    "expirevar:ip.a=10",
    "expirevar:ip.b=%{tx.limit}0",
    "expirevar:session.b=5",
    "deprecatevar:ip.a=1/5",
    "deprecatevar:ip.a=%{tx.limit}/7",
    "deprecatevar:session.b=2/3",
    "setvar:tx.j=%{ip.update_counter}-%{ip.b}-%{SESSIONID}",
    "setvar:tx.g=%{ip.a}",
    "setvar:tx.h=%{HIGHEST_SEVERITY}",
    "setvar:tx.i=%{RULE.msg}",
    "setvar:tx.level=1",
    "setvar:tx.level=%{tx.gate}",
    "setvar:tx.gate=%{tx.limit},setvar:tx.limit=%{tx.level},setvar:tx.level=4",
    "setvar:tx.level=+%{tx.gate}",
    "setvar:!tx.limit",
    "setvar:tx.2=+1",
    "setvar:'tx.%{tx.1}=+1'",
    "setvar:'tx.lev%{tx.none}el=3'",
    "setvar:'tx.l%{ARGS_NAMES}=3'",
    "setvar:'!tx.%{MATCHED_VAR}'",
    "setvar:'tx.j=[%{tx.1}|%{tx.2}|%{tx.9}]'",
    "setvar:'tx.k=%{TX.0}%{unique_id}-'",
    "setvar:tx.n=",
];

const CONTROLS: &[&str] = &[
    "ctl:ruleRemoveById=ID",
    "ctl:ruleRemoveById=ID-ID",
    "ctl:ruleRemoveByTag=t1",
    "ctl:ruleRemoveByTag=^t[23]",
    "ctl:ruleRemoveByMsg=m2",
    "ctl:ruleRemoveTargetById=ID;ARGS:a",
    "ctl:ruleRemoveTargetById=ID-ID;ARGS",
    "ctl:ruleRemoveTargetById=ID;ARGS:/b/",
    "ctl:ruleRemoveTargetById=ID;REQUEST_HEADERS:X-A",
    "ctl:ruleRemoveTargetById=ID;TX:A",
    "ctl:ruleRemoveTargetByTag=t1;ARGS:b",
    "ctl:ruleRemoveTargetByTag=t2;ARGS_NAMES",
    "ctl:ruleRemoveTargetByMsg=m1;REQUEST_COOKIES:c",
    "ctl:ruleRemoveTargetById=ID;REQUEST_URI",
    "ctl:parseXmlIntoArgs=On",
    "ctl:parseXmlIntoArgs=OnlyArgs",
    "ctl:ruleEngine=DetectionOnly",
    "ctl:ruleEngine=On",
    "ctl:ruleEngine=Off",
    "ctl:forceRequestBodyVariable=On",
    "ctl:requestBodyProcessor=XML",
    "ctl:requestBodyProcessor=JSON",
    "ctl:requestBodyProcessor=URLENCODED",
    "ctl:requestBodyProcessor=NDJSON",
    "ctl:requestBodyProcessor=GRAPHQL",
    "ctl:requestBodyProcessor=PROTOBUF",
    "ctl:requestBodyProcessor=GRPC",
    "ctl:requestBodyAccess=Off",
    "ctl:responseBodyAccess=Off",
    "ctl:auditEngine=Off",
    "ctl:ruleRemoveTargetById=ID-ID;TX:/^[a-n]/",
    "ctl:ruleRemoveTargetById=ID-ID;&ARGS",
    "ctl:ruleRemoveTargetById=ID-ID;TX",
    "ctl:ruleRemoveTargetById=ID-ID;MATCHED_VARS",
    "ctl:ruleRemoveTargetByTag=^t;REQUEST_HEADERS:/^X/",
    "ctl:ruleRemoveTargetById=ID-ID;&TX:gate",
    "ctl:ruleRemoveById=ID-ID",
];

const DISRUPTIVE: &[&str] = &[
    "pass",
    "pass",
    "pass",
    "pass",
    "block",
    "deny",
    "deny,status:401",
    "drop",
    "redirect:'/r?%{tx.a}'",
    "allow",
    "allow:phase",
    "allow:request",
];

const FLOWS: &[&str] = &["skip:1", "skip:2", "skipAfter:M1", "skipAfter:M2", "skipAfter:M3", "skipAfter:NOWHERE"];

/// What a ruleset may begin with, so that later rules have something to count.
const COUNTERS: &[&str] = &[
    "",
    "",
    "SecAction \"id:100,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}\"\n",
    "SecAction \"id:100,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.a=+1,expirevar:ip.a=30\"\n",
    "SecAction \"id:100,phase:1,pass,nolog,initcol:ip=%{ARGS.a},setsid:%{ARGS.b},setuid:a,setrsc:%{REQUEST_FILENAME},initcol:global=g\"\n",
    "SecAction \"id:100,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},deprecatevar:ip.a=1/4,setvar:ip.a=+2\"\n",
];

const GATES: &[&str] = &[
    r#"SecAction "id:ID,phase:PHASE,pass,nolog,setvar:tx.gate=1""#,
    r#"SecAction "id:ID,phase:PHASE,pass,nolog,setvar:tx.limit=3,setvar:tx.n=0""#,
    r#"SecRule TX:gate "@lt 2" "id:ID,phase:PHASE,pass,nolog,skipAfter:M1""#,
    r#"SecRule TX:gate "@lt 1" "id:ID,phase:PHASE,pass,nolog,skipAfter:M2""#,
    r#"SecRule &TX:gate "@eq 0" "id:ID,phase:PHASE,pass,nolog,setvar:tx.gate=1""#,
    r#"SecRule &TX:limit "@eq 0" "id:ID,phase:PHASE,pass,nolog,setvar:tx.limit=1""#,
    r#"SecRule TX:gate "@ge %{tx.limit}" "id:ID,phase:PHASE,deny,chain"
SecRule ARGS "@rx a" "setvar:tx.n=+1""#,
    r#"SecRule TX:gate "@eq 1" "id:ID,phase:PHASE,pass,log,chain"
SecRule ARGS "@rx a" "setvar:tx.gate=%{MATCHED_VAR}""#,
    r#"SecRule TX:level "@eq 1" "id:ID,phase:PHASE,pass,nolog,skipAfter:M3""#,
    r#"SecRule &TX:level|TX:gate "!@eq 1" "id:ID,phase:PHASE,pass,nolog,skip:1""#,
    r#"SecAction "id:ID,phase:PHASE,pass,nolog,setvar:tx.level=%{tx.gate},setvar:tx.gate=%{tx.limit}""#,
    r#"SecRule ARGS "@rx ^a" "id:ID,phase:PHASE,pass,nolog,ctl:ruleRemoveById=1-9""#,
    r#"SecRule ARGS:a "@rx ." "id:ID,phase:PHASE,allow:request,nolog""#,
    r#"SecRule TX:limit "@within 1 2 3" "id:ID,phase:PHASE,pass,nolog,setvar:tx.level=+1""#,
    r#"SecRule TX:limit|TX:gate|TX:level "@ge 1" "id:ID,phase:PHASE,pass,log,setvar:tx.sum=+1""#,
    r#"SecRule ARGS "@rx (a)(.)?" "id:ID,phase:PHASE,pass,nolog,capture""#,
];

/// A ruleset of at most `most` rules.
pub fn ruleset(from: &mut Choices<'_>, most: usize) -> String {
    let mut text = String::new();
    text.push_str(from.one(&[
        "SecRuleEngine On\n",
        "SecRuleEngine On\n",
        "SecRuleEngine On\n",
        "SecRuleEngine DetectionOnly\n",
    ]));
    text.push_str(from.one(&["SecRequestBodyAccess On\n", "SecRequestBodyAccess On\n", "SecRequestBodyAccess Off\n"]));
    text.push_str("SecResponseBodyAccess On\n");
    text.push_str(from.one(&["", "", "SecCollectionTimeout 20\n", "SecWebAppId app\n"]));
    text.push_str(from.one(COUNTERS));
    if from.one_in(3) {
        text.push_str("SecFusewallNestedDecoding 2\n");
    }
    for phase in 1..=4 {
        if from.one_in(4) {
            let action =
                from.one(&["pass,log", "deny,log", "pass,nolog", "drop,nolog,auditlog", "deny,status:404,log"]);
            text.push_str(&format!("SecDefaultAction \"phase:{phase},{action}\"\n"));
        }
    }
    let count = 1 + from.below(most);
    for id in 1..=count {
        text.push_str(&one_rule(from, id, count));
        if from.one_in(5) {
            text.push_str(from.one(&["SecMarker M1\n", "SecMarker M2\n", "SecMarker M3\n"]));
        }
    }
    if from.one_in(4) {
        let (id, target) = (1 + from.below(count), from.one(EXCLUSIONS));
        text.push_str(&format!("SecRuleUpdateTargetById {id} \"{target}\"\n"));
    }
    if from.one_in(8) {
        text.push_str(&format!("SecRuleRemoveById {}\n", 1 + from.below(count)));
    }
    text
}

/// A small pattern: all that screens and engines treat in a way of its own.
fn pattern(from: &mut Choices<'_>, depth: usize) -> String {
    const ATOMS: &[&str] = &[
        "a", "b", "ab", "union", "select", "SELECT", ".", "[ab]", "[^a]", "[a-z]", r"\d", r"\s", r"\W", r"\x00",
        r"\x27", "=", "-", "1",
    ];
    const EDGES: &[&str] = &["^", "$", r"\b", r"\B", ""];
    const REPEATS: &[&str] = &["*", "+", "?", "{2}", "{1,3}", "{0,2}?", "+?", "*?"];
    let kind = if depth == 0 { 0 } else { from.below(11) };
    match kind {
        0 | 1 => from.one(ATOMS).to_owned(),
        2 => from.one(EDGES).to_owned(),
        3 => format!("(?:{}){}", pattern(from, depth - 1), from.one(REPEATS)),
        4 => format!("({})", pattern(from, depth - 1)),
        5 => format!("(?:{}|{})", pattern(from, depth - 1), pattern(from, depth - 1)),
        6 => format!("(?i:{})", pattern(from, depth - 1)),
        8 => format!("(?{}{})", from.one(&["=", "!", ">"]), pattern(from, depth - 1)),
        9 => format!("(?:{}){}+", pattern(from, depth - 1), from.one(&["*", "+", "?", "{1,3}"])),
        _ => format!("{}{}", pattern(from, depth - 1), pattern(from, depth - 1)),
    }
}

fn operator(from: &mut Choices<'_>) -> String {
    if !from.one_in(3) {
        return from.one(OPERATORS).to_owned();
    }
    let name = from.one(&["@rx", "@rx", "@rx", "@rxGlobal"]);
    format!("{name} {}{}", pattern(from, 3), pattern(from, 2))
}

fn one_rule(from: &mut Choices<'_>, id: usize, count: usize) -> String {
    let phase = from.one(&[2, 1, 2, 1, 2, 1, 3, 4, 5]);
    if from.one_in(5) {
        let gate = from.one(GATES).replace("ID", &id.to_string()).replace("PHASE", &phase.to_string());
        return if phase == 5 { gate.replace(",deny", "") } else { gate } + "\n";
    }
    let mut actions = vec![format!("id:{id},phase:{phase}")];
    let disruptive = from.one(DISRUPTIVE);
    let late = phase == 5 && !disruptive.starts_with("allow");
    actions.push(if late { "pass" } else { disruptive }.to_owned());
    actions.push(from.one(&["log", "nolog", "t:none"]).to_owned());
    for (times, list) in [
        (3, &["tag:t1", "tag:t2", "tag:t3", "tag:'t1/%{tx.a}'"][..]),
        (3, &["msg:m1", "msg:'m2 %{tx.a}'"]),
        (4, &["severity:CRITICAL", "severity:5"]),
        (5, FLOWS),
    ] {
        if from.one_in(times) {
            actions.push(from.one(list).to_owned());
        }
    }
    if from.one_in(8) {
        // A SecAction may not have what belongs to an operator.
        actions.extend(acts(from, count));
        return format!("SecAction \"{}\"\n", actions.join(","));
    }
    let links = if from.one_in(3) { 2 + from.below(2) } else { 1 };
    let mut text = String::new();
    for link in 1..=links {
        actions.extend(matching(from));
        actions.extend(acts(from, count));
        if link < links {
            actions.push("chain".to_owned());
        }
        let mut targets = vec![from.one(TARGETS)];
        for _ in 0..from.below(3) {
            targets.push(from.one(TARGETS));
        }
        if from.one_in(3) {
            targets.push(from.one(EXCLUSIONS));
        }
        let sign = from.one(&["", "", "", "!"]);
        let listed = std::mem::take(&mut actions).join(",");
        text.push_str(&format!("SecRule {} \"{sign}{}\" \"{listed}\"\n", targets.join("|"), operator(from)));
    }
    text
}

fn matching(from: &mut Choices<'_>) -> Vec<String> {
    let mut found = vec![from.several(TRANSFORMATIONS, 3, ",")];
    if from.one_in(5) {
        found.push("multiMatch".to_owned());
    }
    if from.one_in(3) {
        found.push("capture".to_owned());
    }
    found.retain(|action| !action.is_empty());
    if found.is_empty() {
        found.push("t:none".to_owned());
    }
    found
}

fn acts(from: &mut Choices<'_>, count: usize) -> Vec<String> {
    let mut found = vec![from.several(SETTERS, 3, ",")];
    if from.one_in(4) {
        let (one, other) = (1 + from.below(count), 1 + from.below(count));
        let control = from.one(CONTROLS);
        let ids = format!("{}-{}", one.min(other), one.max(other));
        found.push(control.replace("ID-ID", &ids).replace("ID", &one.to_string()));
    }
    found.retain(|action| !action.is_empty());
    found
}

const NAMES: &[&str] = &["a", "b", "A", "ab", "c", "x-a", "", "n"];

const VALUES: &[&str] = &[
    "a",
    "b",
    "ab",
    "AB",
    "abc",
    "1",
    "0",
    "2",
    "",
    " a ",
    "xz",
    "%61",
    "a%00b",
    "%zz",
    "a+b",
    "1%27+or+1=1--",
    "%ff",
    "0041",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "aaab",
    "YWI=",
    "/a/../b",
    "&lt;",
    "union+select",
    "cab bca",
    "%u0061",
    "79927398713",
    "UNION+SELECT+1",
    "union/**/select",
    "%00b",
    "::ffff:192.0.2.9",
    "10.10.15.255",
    "2001:db8::",
    "xunion",
    "script%3Ea",
    "aab=-ab1",
    "select",
    "3",
    "%20ab%0a",
];

const BODIES: &[(&str, &str)] = &[
    ("", ""),
    ("application/x-www-form-urlencoded", "ARGS"),
    ("application/json", r#"{"a":"ab","b":["a",1],"a":"x"}"#),
    ("application/xml", "<r x='ab'>a<b y=\"1\">b</b></r>"),
    ("text/plain", "ab a"),
    ("application/x-www-form-urlencoded", "a=1&b=%zz&A=ab"),
    (
        "multipart/form-data; boundary=B",
        "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nab\r\n--B\r\nContent-Disposition: form-data; \
         name=\"f\"; filename=\"a.php\"\r\nContent-Type: text/plain\r\n\r\nxz\r\n--B--\r\n",
    ),
    ("multipart/form-data; boundary=\"B\"", "--B\nContent-Disposition: form-data; name=a\n\nab\n--B\nx"),
    ("", "a=1"),
];

fn arguments(from: &mut Choices<'_>) -> String {
    let count = from.below(5);
    (0..count).map(|_| format!("{}={}", from.one(NAMES), from.one(VALUES))).collect::<Vec<_>>().join("&")
}

/// An exchange whose names and values are those of the rulesets.
pub fn exchange(from: &mut Choices<'_>) -> Exchange {
    let path = from.one(&["/", "/a", "/b/a.php", "/a%20b/../c", "http://host/a", "/%2fa", "*"]);
    let query = arguments(from);
    let separator = from.one(&["?", "?", "?", ""]);
    let fragment = from.one(&["", "", "", "#a"]);
    let mut exchange = Exchange::get(&format!("{path}{separator}{query}{fragment}"));
    exchange.method = from.one(&["GET", "POST", "PUT", "a"]).into();
    for _ in 0..from.below(4) {
        exchange = exchange.header(from.one(&["X-A", "x-a", "Host", "X-B", "User-Agent"]), from.one(VALUES));
    }
    if from.one_in(3) {
        exchange =
            exchange.header("Cookie", &format!("{}={}; C={}", from.one(NAMES), from.one(VALUES), from.one(VALUES)));
    }
    let (content_type, body) = from.one(BODIES);
    if !content_type.is_empty() {
        exchange = exchange.header("Content-Type", content_type);
    }
    exchange.body = if body == "ARGS" { arguments(from).into() } else { body.into() };
    exchange.after = from.one(&[0, 0, 1, 5, 10, 30, 3600]);
    if from.one_in(2) {
        let headers = vec![
            (b"Content-Type".to_vec(), from.one(&["text/html", "text/plain; charset=x", "image/png"]).into()),
            (b"X-A".to_vec(), from.one(VALUES).into()),
        ];
        let body = from.one(VALUES).into();
        exchange.response = Some(Response { status: from.one(&[200, 404, 500]), headers, body });
    }
    exchange
}
