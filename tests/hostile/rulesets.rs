//! Whom the attempts are sent to: a small ruleset of our own, the built-in rules, and CRS.

use crate::oracle::compare::Forms;
use fusewall::Waf;
use fusewall::engine::FixedEnv;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A ruleset in service.
pub struct Target {
    pub name: &'static str,
    pub waf: Waf,
    /// Whether a rule finds attacks, and not only fault with messages.
    pub is_finding: fn(u64) -> bool,
    /// Requests longer than this are not sent to it.
    pub longest: usize,
}

/// The least that a site would have: who reads which body, what is done with a broken one, and one attack, looked for only where
/// parsers put what they read.
pub const SITE: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecRule REQUEST_HEADERS:Content-Type "@rx ^application/(?:json|[^;]+\+json)" "id:1,phase:1,pass,nolog,t:lowercase,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:Content-Type "@rx ^(?:application|text)/(?:xml|[^;]+\+xml)" "id:2,phase:1,pass,nolog,t:lowercase,ctl:requestBodyProcessor=XML"
SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES|REQUEST_COOKIES_NAMES|REQUEST_FILENAME|FILES|FILES_NAMES|XML:/*|XML://@* "@contains attack" "id:20,phase:2,pass,log,t:none,t:urlDecodeUni"
SecRule REQBODY_ERROR "!@eq 0" "id:10,phase:2,deny,status:400,log"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" "id:11,phase:2,deny,status:400,log"
SecRule MULTIPART_UNMATCHED_BOUNDARY "@eq 1" "id:12,phase:2,deny,status:400,log"
SecRule RESPONSE_BODY "@contains attack" "id:21,phase:4,deny,status:502,log"
"#;

/// The hand-written rules.
pub static OWN: LazyLock<Target> = LazyLock::new(|| Target {
    name: "hand-written rules",
    waf: build(|builder| builder.rules_text("site.conf", SITE)),
    is_finding: |id| matches!(id, 20 | 21),
    longest: usize::MAX,
});

/// The rules that come with the engine.
pub static BUILTIN: LazyLock<Target> = LazyLock::new(|| Target {
    name: "built-in rules",
    waf: build(|builder| builder.rules_builtin()),
    is_finding: |id| id >= 9_702_000,
    longest: if cfg!(debug_assertions) { 4 << 10 } else { 1 << 20 },
});

/// CRS at paranoia level 1; none in a build without optimisation, or if it is not there.
pub static CRS: LazyLock<Option<Target>> = LazyLock::new(|| {
    let file = conformance().join("setup/crs-pl1.conf");
    if cfg!(debug_assertions) || !file.is_file() {
        crate::table::say("left out: CRS (needs a release build and FUSEWALL_CONFORMANCE_DIR)");
        return None;
    }
    Some(Target {
        name: "CRS",
        waf: build(|builder| builder.rules_path(&file)),
        is_finding: |id| (930_000..959_000).contains(&id) && !(949_000..950_000).contains(&id),
        longest: 32 << 10,
    })
});

/// CRS at paranoia level 4, on the same terms.
pub static CRS4: LazyLock<Option<Target>> = LazyLock::new(|| {
    let file = conformance().join("setup/crs-pl4.conf");
    let there = !cfg!(debug_assertions) && file.is_file();
    there.then(|| Target {
        name: "CRS, level 4",
        waf: build(|builder| builder.rules_path(&file)),
        is_finding: |id| (930_000..959_000).contains(&id) && !(949_000..950_000).contains(&id),
        longest: usize::MAX,
    })
});

/// The hand-written rules in all forms.
pub static FORMS: LazyLock<Forms> = LazyLock::new(|| Forms::of_text(SITE).unwrap_or_else(|error| panic!("{error}")));

fn build(rules: impl Fn(fusewall::WafBuilder) -> fusewall::WafBuilder) -> Waf {
    rules(Waf::builder().env(FixedEnv::default())).build().unwrap_or_else(|report| panic!("{report}"))
}

/// All rulesets that are there.
pub fn all() -> impl Iterator<Item = &'static Target> {
    [&*OWN, &*BUILTIN].into_iter().chain(CRS.as_ref())
}

/// The folder of conformance data.
pub fn conformance() -> PathBuf {
    std::env::var_os("FUSEWALL_CONFORMANCE_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"), PathBuf::from)
}

/// Whether everything is to be run.
pub fn full() -> bool {
    std::env::var_os("FUSEWALL_HOSTILE").is_some_and(|value| value == "full")
}
