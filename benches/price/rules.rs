//! What only a whole evaluation has: selections, the sieve, captures, actions, records. A row is a ruleset, and each is tried on the same
//! requests: few values, many, very many tiny ones, long ones.

use crate::inputs::repeat;
use crate::table::{Table, rate};
use crate::traffic::Request;
use fusewall::engine::{Answer, FixedEnv, Resolver};
use fusewall::meter::Scope;
use fusewall::{Limits, Transaction, Waf};

/// A ruleset: `NN` in a rule becomes its number, and there are so many of them.
struct Case(&'static str, usize, &'static str);

const CASES: &[Case] = &[
    Case("no rules", 0, ""),
    Case("rules that look at nothing", 300, r#"SecRule ARGS:zz "@rx q" "id:NN,phase:2,pass,nolog""#),
    Case(
        "sieve: words",
        300,
        r#"SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES|REQUEST_HEADERS "@rx wordNN\s" "id:NN,phase:2,pass,nolog,t:none""#,
    ),
    Case(
        "sieve: windows",
        100,
        r#"SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES|REQUEST_HEADERS "@rx [<>;]\s?[=(NN][^a]+[|)]" "id:NN,phase:2,pass,nolog,t:none""#,
    ),
    Case(
        "sieve: pipelines",
        60,
        r#"SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES "@rx (?i)abcNN\(" "id:NN,phase:2,pass,nolog,t:none,t:urlDecodeUni,t:htmlEntityDecode,t:lowercase,t:removeNulls""#,
    ),
    Case(
        "sieve: what each value passes",
        200,
        r#"SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES "@rx [a-z0-9]?[^NN]$" "id:NN,phase:2,pass,nolog,t:none,chain"
        SecRule ARGS:zz "@rx q" """#,
    ),
    Case(
        "sieve: pipelines of their own",
        12,
        r#"SecRule ARGS|REQUEST_COOKIES "@rx [a-z]{NN}!" "id:1NN,phase:2,pass,nolog,t:none,t:base64Decode"
        SecRule ARGS|REQUEST_COOKIES "@rx [a-z]{NN}!" "id:2NN,phase:2,pass,nolog,t:none,t:hexDecode,t:lowercase"
        SecRule ARGS|REQUEST_COOKIES "@rx [a-z]{NN}!" "id:3NN,phase:2,pass,nolog,t:none,t:sha1,t:hexEncode""#,
    ),
    Case(
        "many names",
        50,
        r#"SecRule REQUEST_COOKIES_NAMES|REQUEST_COOKIES|ARGS|ARGS_NAMES "@rx qNN" "id:NN,phase:2,pass,nolog""#,
    ),
    Case(
        "exclusions by name",
        1,
        r#"SecRule ARGS|REQUEST_COOKIES|!ARGS:a1|!ARGS:a2|!REQUEST_COOKIES:x2|!ARGS:b "!@streq zz" "id:NN,phase:2,pass,nolog""#,
    ),
    Case(
        "exclusions by regex",
        1,
        r#"SecRule ARGS|REQUEST_COOKIES|!REQUEST_COOKIES:/^y/|!ARGS:/b$/ "@rx ." "id:NN,phase:2,pass,nolog""#,
    ),
    Case(
        "selected by regex",
        20,
        r#"SecRule ARGS:/NN$/|REQUEST_COOKIES:/NN/|REQUEST_HEADERS:/^x-NN/ "@rx ." "id:NN,phase:2,pass,nolog""#,
    ),
    Case(
        "selected by key",
        100,
        r#"SecRule ARGS:aNN|REQUEST_COOKIES:x|REQUEST_HEADERS:User-Agent "@rx ." "id:NN,phase:2,pass,nolog""#,
    ),
    Case("counts", 100, r#"SecRule &ARGS|&REQUEST_COOKIES|&ARGS:a1 "@gt 1000000" "id:NN,phase:2,pass,nolog""#),
    Case(
        "captures",
        1,
        r#"SecRule ARGS|REQUEST_COOKIES "@rx (.)(.?)(.?)(.?)" "id:NN,phase:2,pass,nolog,capture,t:none""#,
    ),
    Case(
        "multiMatch",
        1,
        r#"SecRule ARGS|REQUEST_COOKIES "@rx q$" "id:NN,phase:2,pass,nolog,multiMatch,t:lowercase,t:hexEncode,t:uppercase,t:urlEncode,t:md5,t:base64Encode""#,
    ),
    Case(
        "setvar of one entry",
        4,
        r#"SecRule ARGS|REQUEST_COOKIES "@rx ." "id:NN,phase:2,pass,nolog,setvar:tx.a=+1,setvar:tx.b=%{MATCHED_VAR},setvar:tx.a=-1,setvar:!tx.c""#,
    ),
    Case(
        "setvar of many entries",
        1,
        r#"SecRule ARGS|REQUEST_COOKIES "@rx ." "id:NN,phase:2,pass,nolog,setvar:'tx.%{MATCHED_VAR_NAME}=+1',setvar:'tx.x%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'""#,
    ),
    Case(
        "setvar that grows",
        1,
        r#"SecRule ARGS|REQUEST_COOKIES "@rx ." "id:NN,phase:2,pass,nolog,setvar:'tx.a=%{tx.a}%{MATCHED_VAR}'""#,
    ),
    Case(
        "TX entries",
        3,
        r#"SecRule ARGS "@rx ." "id:NN1,phase:2,pass,nolog,setvar:'tx.%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'"
        SecRule TX:/^args.*NN/|TX:a|&TX "@rx zz" "id:NN2,phase:2,pass,nolog""#,
    ),
    Case(
        "macros in operators",
        20,
        r#"SecRule ARGS|REQUEST_COOKIES "@streq %{tx.a}%{MATCHED_VAR}%{REMOTE_ADDR}" "id:NN,phase:2,pass,nolog""#,
    ),
    Case(
        "macros that look for a name",
        1,
        r#"SecRule ARGS "@streq %{ARGS.last}%{REQUEST_COOKIES.last}%{REQUEST_HEADERS.last}" "id:NN,phase:2,pass,nolog""#,
    ),
    Case("patterns with macros", 1, r#"SecRule ARGS "@rx ^%{REQUEST_METHOD}[0-9]+x" "id:NN,phase:2,pass,nolog""#),
    Case(
        "MATCHED_VARS",
        1,
        r#"SecRule ARGS|REQUEST_COOKIES "@rx ." "id:NN,phase:2,pass,nolog,chain"
        SecRule MATCHED_VARS|MATCHED_VARS_NAMES|&MATCHED_VARS "@rx zz" "t:none""#,
    ),
    Case("constants", 40, r#"SecAction "id:NN,phase:1,pass,nolog,setvar:tx.aNN=NN,setvar:tx.bNN=abcdefgh""#),
    Case("constants, many", 600, r#"SecAction "id:NN,phase:1,pass,nolog,setvar:tx.aNN=NN""#),
    Case(
        "actions with macros",
        200,
        r#"SecAction "id:NN,phase:2,pass,nolog,setvar:'tx.a=%{REMOTE_ADDR}%{REQUEST_URI}%{TIME}',setvar:tx.n=+1""#,
    ),
    Case(
        "TX in conditions",
        300,
        r#"SecRule TX:a "@lt 1" "id:NN,phase:2,pass,nolog,skipAfter:E-NN"
        SecMarker E-NN"#,
    ),
    Case(
        "live variables",
        100,
        r#"SecRule DURATION|TIME|TIME_EPOCH|MATCHED_VAR|HIGHEST_SEVERITY|UNIQUE_ID|RULE:id "@streq zz" "id:NN,phase:2,pass,nolog""#,
    ),
    Case(
        "jumps",
        300,
        r#"SecRule REQUEST_METHOD "@streq ZZ" "id:1NN,phase:2,pass,nolog,skipAfter:END-NN"
        SecAction "id:2NN,phase:2,pass,nolog,skip:1"
        SecAction "id:3NN,phase:2,pass,nolog,setvar:tx.a=1"
        SecMarker END-NN"#,
    ),
    Case(
        "removed rules",
        200,
        r#"SecAction "id:1NN,phase:1,pass,nolog,ctl:ruleRemoveById=2100-2999"
        SecRule ARGS "@rx ." "id:2NN,phase:2,pass,nolog""#,
    ),
    Case(
        "removed at each value",
        1,
        r#"SecRule ARGS|REQUEST_COOKIES "@rx ." "id:NN,phase:2,pass,nolog,ctl:ruleRemoveById=2-9999,ctl:ruleRemoveTargetById=2-9999;ARGS:x,ctl:auditLogParts=+E""#,
    ),
    Case(
        "removed targets",
        20,
        r#"SecAction "id:1NN,phase:1,pass,nolog,ctl:ruleRemoveTargetById=2000-29999;ARGS:bNN,ctl:ruleRemoveTargetById=2000-29999;REQUEST_COOKIES:/^bNN/"
        SecRule ARGS|REQUEST_COOKIES "!@streq zz" "id:200NN,phase:2,pass,nolog""#,
    ),
    Case(
        "records",
        40,
        r#"SecRule ARGS|REQUEST_COOKIES "@rx ." "id:NN,phase:2,pass,log,msg:'%{MATCHED_VAR}',logdata:'%{MATCHED_VAR}'""#,
    ),
    Case(
        "records with tags",
        40,
        r#"SecRule REQUEST_METHOD "@rx ." "id:NN,phase:2,pass,log,auditlog,capture,msg:'A message of ordinary length',logdata:'Matched Data: %{TX.0} found within %{MATCHED_VAR_NAME}: %{MATCHED_VAR}',tag:'application-multi',tag:'language-multi',tag:'platform-multi',tag:'attack-sqli',tag:'paranoia-level/1',tag:'OWASP_CRS',tag:'capec/1000/152/248/66',severity:'CRITICAL',ver:'OWASP_CRS/4'""#,
    ),
    Case("records without a text", 300, r#"SecAction "id:NN,phase:2,pass,log""#),
    Case(
        "sanitised",
        10,
        r#"SecRule ARGS|REQUEST_COOKIES "@rx ." "id:NN,phase:2,pass,log,logdata:'%{MATCHED_VAR}',sanitiseMatched,sanitiseArg:a1,sanitiseRequestHeader:cookie""#,
    ),
    Case(
        "collections",
        1,
        r#"SecAction "id:1NN,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}"
        SecRule ARGS|REQUEST_COOKIES "@rx ." "id:2NN,phase:2,pass,nolog,setvar:'ip.%{MATCHED_VAR_NAME}=+1',expirevar:ip.a=60,deprecatevar:ip.a=1/10"
        SecRule IP:a|IP:/x/|&IP "@gt 100000" "id:3NN,phase:2,pass,nolog""#,
    ),
    Case(
        "collections, opened",
        1,
        r#"SecAction "id:NN,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},initcol:global=global,setvar:ip.n=+1""#,
    ),
    Case(
        "environment",
        1,
        r#"SecRule ARGS "@rx ^a1?[0-9]$" "id:NN,phase:2,pass,nolog,setenv:'%{MATCHED_VAR_NAME}=1'"
        SecRule ENV|ENV:a "@rx zz" "id:2NN,phase:2,pass,nolog""#,
    ),
    Case("every match", 1, r#"SecRule ARGS|REQUEST_COOKIES "@rxGlobal a?" "id:NN,phase:2,pass,nolog,capture""#),
    Case("FULL_REQUEST", 3, r#"SecRule FULL_REQUEST|REQUEST_BODY|REQUEST_LINE "@rx zzNN$" "id:NN,phase:2,pass,nolog""#),
    Case(
        "a negated test of each value",
        100,
        r#"SecRule ARGS|REQUEST_COOKIES|REQUEST_HEADERS "!@rx ^[^\x00]*$" "id:NN,phase:2,pass,nolog""#,
    ),
    Case(
        "one operator of each",
        1,
        r#"SecRule ARGS|REQUEST_COOKIES "@eq 77" "id:11,phase:2,pass,nolog"
        SecRule ARGS|REQUEST_COOKIES "@streq zz" "id:12,phase:2,pass,nolog"
        SecRule ARGS|REQUEST_COOKIES "@contains zz" "id:13,phase:2,pass,nolog"
        SecRule ARGS|REQUEST_COOKIES "@within zz" "id:14,phase:2,pass,nolog"
        SecRule ARGS|REQUEST_COOKIES "@ipMatch 10.0.0.0/8,::1" "id:15,phase:2,pass,nolog"
        SecRule ARGS|REQUEST_COOKIES "@validateByteRange 1-255" "id:16,phase:2,pass,nolog"
        SecRule ARGS|REQUEST_COOKIES "@validateUrlEncoding" "id:17,phase:2,pass,nolog"
        SecRule ARGS|REQUEST_COOKIES "@validateUtf8Encoding" "id:18,phase:2,pass,nolog"
        SecRule ARGS|REQUEST_COOKIES "@pm zz yy" "id:20,phase:2,pass,nolog""#,
    ),
    Case(
        "@ipMatch of each value",
        40,
        r#"SecRule ARGS|REQUEST_COOKIES|REMOTE_ADDR "@ipMatch 10.0.0.0/8,192.168.0.0/16,::1" "id:NN,phase:2,pass,nolog""#,
    ),
    Case(
        "@rbl of each value",
        2,
        r#"SecRule ARGS|REQUEST_COOKIES|REMOTE_ADDR "@rbl dnsbl.example.org" "id:NN,phase:2,pass,nolog""#,
    ),
    Case("@detectSQLi of each value", 1, r#"SecRule ARGS|REQUEST_COOKIES "@detectSQLi" "id:NN,phase:2,pass,nolog""#),
    Case("@detectXSS of each value", 1, r#"SecRule ARGS|REQUEST_COOKIES "@detectXSS" "id:NN,phase:2,pass,nolog""#),
    Case(
        "@verifyCC of each value",
        1,
        r#"SecRule ARGS|REQUEST_COOKIES "@verifyCC [0-9]{1,16}" "id:NN,phase:2,pass,nolog""#,
    ),
    Case(
        "backtracking on each value",
        1,
        r#"SecRule ARGS|REQUEST_COOKIES "@rx (?:(?>a*)b|a|.)*(?=x)c" "id:1,phase:2,pass,nolog"
        SecRule ARGS|REQUEST_COOKIES "@rx (.)\1q" "id:2,phase:2,pass,nolog""#,
    ),
];

/// A resolver that knows nothing.
struct Silence;

impl Resolver for Silence {
    fn answer(&self, _: &str) -> Answer {
        Answer::NotListed
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// The requests of all rows, the ordinary one first.
fn requests() -> Vec<(&'static str, Request)> {
    let form = |body: String| Request::post("/", FORM, body);
    let fields = |count: usize, field: fn(usize) -> String| form((0..count).map(field).collect());
    let cookies = |text: &str, count: usize| Request::get("/?a=1").header("Cookie", &text.repeat(count));
    let headers = (0..900).fold(Request::get("/"), |request, at| request.header(&format!("h{at}"), "1"));
    // Something of what each rule looks for.
    let words: String = (1..=300).map(|at| format!("word{at} abc{at}(")).collect::<Vec<_>>().join("+");
    let passes = format!("b={words}%3C%3D1|%3B(1x|%5B%3C%3B=2|!&b=%3C%3D3|!x");
    let mixed =
        |at: usize| format!("n{at}={}&", ["1", "a%20b", "%3Cx%3E", "..%2F", "a.b-c", "%C3%A9", "x'y", "QUJD"][at % 8]);
    vec![
        ("benign", form("name=Anna&city=Oslo&note=ring+twice".to_owned())),
        ("4000 values", fields(4000, |at| format!("a{at}=abcdef&"))),
        ("4000 names in descending order", fields(4000, |at| format!("a{}=abcdef&", 9999 - at))),
        ("one value of 64 KB, unprintable", form(format!("a={}", "%01".repeat(64 << 10)))),
        ("4000 empty values", fields(4000, |at| format!("a{at}=&"))),
        ("16000 names of one letter", fields(16_000, |_| "a=1&".to_owned())),
        ("4000 values with escapes", fields(4000, mixed)),
        ("16000 values, of which one passes", form("b=z&".repeat(16_000) + &passes)),
        (
            "4000 values of 7 bytes by chance",
            fields(4000, |at| format!("b={:07x}&", at.wrapping_mul(2_654_435_761) & 0xfff_ffff)),
        ),
        ("16000 cookies", cookies("x=1;", 16_000)),
        ("900 headers", headers),
        (
            "one value of 64 KB",
            form(format!("a={}", String::from_utf8(repeat("ring twice ", 64 << 10)).expect("text").replace(' ', "+"))),
        ),
        ("one name of 64 KB", form(format!("{}=1", "n".repeat(64 << 10)))),
        ("a GET without anything", Request { headers: Vec::new(), ..Request::get("/") }),
    ]
}

fn waf(text: &str) -> Waf {
    let mut limits = Limits::default();
    (limits.fuel_base, limits.fuel_cap, limits.fuel_rule) = (u64::MAX, u64::MAX, u64::MAX);
    let rules = format!("SecRuleEngine On\nSecRequestBodyAccess On\nSecArgumentsLimit 20000\n{text}");
    let waf = Waf::builder().env(FixedEnv::default()).resolver(Silence).limits(limits).rules_text("bench.conf", rules);
    waf.allow_empty().build().unwrap_or_else(|report| panic!("{report}"))
}

/// Evaluates a request; answers its fuel.
pub fn fuel(request: &Request, waf: &Waf) -> u64 {
    let spent = |transaction: Transaction| transaction.verdict().expect("the engine does not fail").fuel;
    spent(request.evaluate(waf))
}

pub fn rows(table: &mut Table) {
    let requests = requests();
    for Case(name, count, rule) in CASES {
        let text: String = (1..=*count).map(|id| rule.replace("NN", &id.to_string()) + "\n").collect();
        let waf = waf(&text);
        let mut tried = Vec::new();
        for (kind, request) in &requests {
            let exhausted = request.evaluate(&waf).verdict().expect("the engine does not fail").exhausted;
            assert!(exhausted.is_none_or(|end| end.scope == Scope::Memory), "{name}, {kind}: {exhausted:?}");
            if !table.once() {
                tried.push((rate(3, &mut || fuel(request, &waf)), *kind, request));
            }
        }
        let (_, ordinary) = requests.first().expect("there is one");
        table.row(name, "benign", || fuel(ordinary, &waf));
        tried.sort_by(|a, b| b.0.total_cmp(&a.0));
        let hostile = tried.iter().filter(|(_, kind, _)| *kind != "benign").take(2);
        for (_, kind, request) in hostile {
            table.row(name, kind, || fuel(request, &waf));
        }
    }
}
