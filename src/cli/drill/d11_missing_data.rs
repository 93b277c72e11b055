//! D11: nothing, taken for zero. In November 2025 older proxies had no data and gave every request the score 0.

use super::Drill;
use super::report::Findings;
use super::setting::{Setting, own};
use crate::cli::requests::Prepared;
use crate::engine::persist::{Collections, Committed, Record, RecordId, Unavailable, Update};
use crate::engine::upload::{NotStored, UploadFile, UploadSink};
use crate::engine::{Answer, Resolver, missing};
use crate::files::{Files, MemoryFiles, RemoteRules};
use crate::lang::seclang::examples;
use crate::limits::Limits;
use crate::rule::UploadSettings;
use crate::waf::{Waf, WafBuilder};
use std::io;

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D11",
    outage: "Cloudflare, 18 November 2025: where data was missing, the score was 0",
    injected: "files that are gone or empty when rules are loaded; look-ups, stores and places for files that do not answer while they run",
    must_hold: "at load it is an error or a warning; later the verdict, the rules and a line of the log tell, and rules decide what comes of it",
    run,
};

/// What goes missing while rules are loaded: a name, rules that want it, the code of the finding.
const AT_LOAD: &[(&str, &str, &str)] = &[
    ("a rule file", "Include gone.conf", "E0102"),
    ("rule files", "Include gone/*.conf", "E0102"),
    ("a phrase file", "SecRule ARGS \"@pmFromFile gone.data\" \"id:7,phase:2,deny\"", "E0101"),
    ("the phrases in a file", "SecRule ARGS \"@pmFromFile empty.data\" \"id:7,phase:2,deny\"", "E0404"),
    ("an address file", "SecRule REMOTE_ADDR \"@ipMatchFromFile gone.data\" \"id:7,phase:1,deny\"", "E0101"),
    ("the addresses in a file", "SecRule REMOTE_ADDR \"@ipMatchFromFile empty.data\" \"id:7,phase:1,deny\"", "W0701"),
    ("a dataset", "SecRule ARGS \"@pmFromDataset gone\" \"id:7,phase:2,deny\"", "E0404"),
    (
        "the addresses of a dataset",
        "SecDataset none `\n`\nSecRule ARGS \"@ipMatchFromDataset none\" \"id:7,phase:2,deny\"",
        "W0701",
    ),
    ("a geographic database", "SecGeoLookupDb gone.mmdb", "E0101"),
    ("the content of a geographic database", "SecGeoLookupDb empty.data", "E0204"),
    ("any geographic database", "SecRule REMOTE_ADDR \"@geoLookup\" \"id:7,phase:1,deny\"", "W0701"),
    ("a Unicode map", "SecUnicodeMapFile gone.mapping 20127", "E0101"),
    ("the code page of a Unicode map", "SecUnicodeMapFile unicode.mapping 1252", "E0204"),
    ("remote rules", "SecRemoteRules key https://rules.example/a.conf", "E0101"),
    (
        "remote rules that may be missing",
        "SecRemoteRulesFailAction Warn\nSecRemoteRules key https://rules.example/a.conf",
        "W0717",
    ),
    ("the key of a block list", "SecRule REMOTE_ADDR \"@rbl dnsbl.httpbl.org\" \"id:7,phase:1,deny\"", "W0701"),
    ("an environment variable", "SecRule ENV:GONE \"@streq a\" \"id:7,phase:1,deny\"", "W0916"),
    ("a place for uploads", "SecRule FILES_TMPNAMES \"@rx .\" \"id:7,phase:2,deny\"", "W0701"),
    ("a marker", "SecAction \"id:7,phase:1,pass,skipAfter:GONE\"", "W0703"),
    ("the rule that is updated", "SecRuleUpdateTargetById 99 \"!ARGS:a\"", "W0705"),
    ("the collection that is written to", "SecAction \"id:7,phase:1,pass,setvar:ip.a=1\"", "W0713"),
];

/// Nobody who could be asked answers.
struct Down;

impl RemoteRules for Down {
    fn fetch(&self, _: &str, _: &str, _: usize) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::TimedOut.into())
    }
}

impl Resolver for Down {
    fn answer(&self, _: &str) -> Answer {
        Answer::Unavailable
    }
}

impl Collections for Down {
    fn load(&self, _: &RecordId<'_>, _: u64) -> Result<Option<Record>, Unavailable> {
        Err(Unavailable)
    }

    fn commit(&self, _: &RecordId<'_>, _: &Update<'_>, _: u64) -> Result<Committed, Unavailable> {
        Err(Unavailable)
    }
}

impl UploadSink for Down {
    fn create(&self, _: &UploadSettings) -> Result<Box<dyn UploadFile>, NotStored> {
        Err(NotStored("no space left on device".to_owned()))
    }
}

/// A resolver that has not got an answer yet.
struct Slow;

impl Resolver for Slow {
    fn answer(&self, _: &str) -> Answer {
        Answer::Unknown
    }
}

fn files() -> impl Files + Send + Sync + 'static {
    let files: MemoryFiles = examples::files().with("empty.data", "# nothing\n");
    crate::files::WithRemote { files, remote: Box::new(Down) }
}

fn run(_setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    for (what, rules, code) in AT_LOAD {
        let text = format!("{rules}\nSecAction \"id:1,phase:1,pass\"\n");
        let report = match own(&text).files(files()).build() {
            Ok(waf) => waf.report().clone(),
            Err(report) => report,
        };
        let told = report.diagnostics.has(code);
        found.hold(told, || format!("{what} is missing at load, and no {code} says so: {report}"));
        let loads = report.diagnostics.errors() == 0;
        found.hold(loads == code.starts_with('W'), || {
            format!("{what} is missing at load, and {code} is no more than words")
        });
    }
    found.note("missing_at_load", AT_LOAD.len());
    let cases = while_running();
    found.note("missing_while_running", cases.len());
    for case in cases {
        case.inject(&mut found)?;
    }
    Ok(found)
}

/// Something that is missing while requests are evaluated.
struct Case {
    what: &'static str,
    /// How the verdict calls it.
    mark: &'static str,
    waf: WafBuilder,
    request: Prepared,
    /// Where rules see it.
    variable: &'static str,
}

fn while_running() -> Vec<Case> {
    let get = || Prepared::new("missing".to_owned(), "/?a=1", None);
    let asks = "SecRule REMOTE_ADDR \"@rbl bl.example.org\" \"id:7,phase:1,deny\"\n";
    let counts = "SecAction \"id:7,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.a=+1\"\n";
    let form = "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nbytes\r\n--x--\r\n";
    let upload = Prepared::new("missing".to_owned(), "/", Some(("multipart/form-data; boundary=x", form.into())));
    let lists = Limits { block_lists: 4, ..Limits::default() };
    let verdict = "FUSEWALL_UNINSPECTED";
    let case = |what, mark, waf, request, variable| Case { what, mark, waf, request, variable };
    vec![
        case(
            "a resolver",
            missing::NAME_LOOK_UP_FAILED,
            rules(asks, verdict, missing::NAME_LOOK_UP_FAILED).limits(lists),
            get(),
            verdict,
        ),
        case(
            "its answer",
            missing::NAME_LOOK_UP,
            rules(asks, verdict, missing::NAME_LOOK_UP).resolver(Slow),
            get(),
            verdict,
        ),
        case(
            "the name server",
            missing::NAME_LOOK_UP_FAILED,
            rules(asks, verdict, missing::NAME_LOOK_UP_FAILED).resolver(Down),
            get(),
            verdict,
        ),
        case(
            "a geographic database",
            missing::PLACE_LOOK_UP,
            rules("SecRule REMOTE_ADDR \"@geoLookup\" \"id:7,phase:1,deny\"\n", verdict, missing::PLACE_LOOK_UP),
            get(),
            verdict,
        ),
        case(
            "the store of collections",
            missing::STORE,
            rules(counts, "FUSEWALL_COLLECTION_LIMIT", missing::STORE).collections(Down),
            get(),
            "FUSEWALL_COLLECTION_LIMIT",
        ),
        case(
            "space for uploads",
            missing::UPLOAD,
            rules("SecRule FILES_TMPNAMES \"@rx .\" \"id:7,phase:2,pass,nolog\"\n", verdict, missing::UPLOAD)
                .uploads(Unchecked),
            upload,
            verdict,
        ),
    ]
}

/// A place for uploads that is full only once it is used.
struct Unchecked;

impl UploadSink for Unchecked {
    fn check(&self, _: &UploadSettings) -> Result<(), NotStored> {
        Ok(())
    }

    fn create(&self, settings: &UploadSettings) -> Result<Box<dyn UploadFile>, NotStored> {
        Down.create(settings)
    }
}

/// Rules that ask for something, and one that refuses what lacks it: the policy that an operator declares.
fn rules(text: &str, variable: &str, mark: &str) -> WafBuilder {
    own(&format!("{text}SecRule {variable} \"@contains {mark}\" \"id:8,phase:2,deny,status:503\"\n"))
}

impl Case {
    fn inject(self, found: &mut Findings) -> anyhow::Result<()> {
        let Case { what, mark, waf, request, variable } = self;
        let waf: Waf =
            waf.build().map_err(|report| anyhow::anyhow!("{what}: rules of the drill do not load:\n{report}"))?;
        let transaction = request.evaluate(&waf);
        let Some(verdict) = transaction.verdict() else { anyhow::bail!("{what} is missing: internal error") };
        let marked = verdict.uninspected.contains(&mark) || verdict.collections.contains(&mark);
        found.hold(marked, || format!("{what} is missing, and the verdict does not say `{mark}`: {verdict:?}"));
        let refused = verdict.interruption.as_ref().is_some_and(|ended| ended.status == 503);
        found.hold(refused, || format!("{what} is missing, and {variable} does not say `{mark}`: {verdict:?}"));
        Ok(())
    }
}
