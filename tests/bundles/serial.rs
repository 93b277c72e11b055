//! Serials: what was signed once cannot come back.

use super::*;

/// Two bundles with their serials, and one without, among the files of a host.
static FILES: LazyLock<MemoryFiles> = LazyLock::new(|| {
    let signed = |files: MemoryFiles, name: &str, comment: Option<&str>, word: &str| {
        let bytes = bundle_of(&rules().with("site/words.data", format!("{word}\n")));
        let signature = minisign::sign(Some(&SIGNER.pk), &SIGNER.sk, &bytes[..], comment, None).expect("a signature");
        files.with(name, bytes).with(format!("{name}.minisig"), signature.to_string())
    };
    let files = signed(MemoryFiles::new(), "old.fwb", Some("serial:6"), "older");
    let files = signed(files, "new.fwb", Some("weekly serial:7"), "newer");
    let files = signed(files, "wrong.fwb", Some("serial:seven"), "wrong");
    signed(files, "none.fwb", Some("weekly"), "nothing")
});

fn files() -> MemoryFiles {
    FILES.clone()
}

fn from(name: &str) -> WafBuilder {
    builder().rules_path(name).files(files()).bundle_key(key())
}

fn source(name: &str) -> RuleSource {
    RuleSource::Paths(vec![name.into()])
}

#[test]
fn the_serial_is_what_was_signed() {
    let serial = |name| from(name).build().unwrap_or_else(|report| panic!("{report}")).generation().serial;
    assert_eq!((serial("old.fwb"), serial("new.fwb"), serial("none.fwb")), (Some(6), Some(7), None));
    let report = from("wrong.fwb").build().unwrap_err();
    assert!(report.diagnostics.has("E0907") && report.to_string().contains("serial:seven"), "{report}");
    // Whoever changes the comment has no signature for it.
    let text = String::from_utf8(fusewall::files::Files::read(&files(), "old.fwb.minisig".as_ref()).unwrap()).unwrap();
    let forged = files().with("old.fwb.minisig", text.replace("serial:6", "serial:9"));
    let report = builder().rules_path("old.fwb").files(forged).bundle_key(key()).build().unwrap_err();
    assert!(report.diagnostics.has("E0907"), "{report}");
}

#[test]
fn below_the_minimum_nothing_comes_into_service() {
    for name in ["old.fwb", "none.fwb"] {
        let report = from(name).min_serial(7).build().unwrap_err();
        assert!(report.diagnostics.has("E0913"), "{report}");
    }
    let waf = from("old.fwb").min_serial(6).build().unwrap();
    waf.replace(&source("new.fwb")).unwrap();
    assert!(get(&waf, "newer").interruption().is_some());
    assert_eq!(waf.pin_serial(7), 7);
    assert!(waf.roll_back().is_err(), "the older one is too old now");
    for name in ["old.fwb", "none.fwb"] {
        assert!(waf.replace(&source(name)).unwrap_err().diagnostics.has("E0913"), "{name}");
    }
    assert_eq!(waf.generation().serial, Some(7));
}

#[test]
fn a_bundle_has_the_content_of_its_rules() {
    let bundled = from_bundle(signed(&bundle())).unwrap();
    assert_eq!(bundled.generation().content, plain().generation().content);
}

#[test]
fn a_start_remembers_serials() {
    let folder = super::cache::private_folder();
    let history = || fusewall::HistoryConfig::new(folder.path());
    let waf = from("old.fwb").history(history()).min_serial(6).build().unwrap();
    waf.replace(&source("new.fwb")).unwrap();
    waf.pin_serial(7);
    drop(waf);
    // The old bundle is valid, and too old; no minimum is configured any more.
    let waf = from("old.fwb").history(history()).build().unwrap();
    assert_eq!(waf.generation().serial, Some(7));
    assert!(matches!(waf.health(), fusewall::Health::Degraded { .. }));
    assert!(get(&waf, "newer").interruption().is_some());
}
