//! Bundles that are not loaded, and what their author reads.

use super::*;
use fusewall::store::LoadReport;

/// The code and the words of the only error.
fn refusal(result: Result<Waf, LoadReport>, code: &str, words: &str) {
    let report = result.expect_err("it must not load");
    let shown = report.render(false);
    assert_eq!(report.diagnostics.errors(), 1, "{shown}");
    assert!(report.diagnostics.has(code), "{shown}");
    assert!(shown.contains(words), "{shown}");
    assert!(shown.contains("help:"), "{shown}");
    assert!(shown.contains("rules.fwb"), "{shown}");
}

#[test]
fn only_the_signer_is_trusted() {
    let bytes = bundle();
    refusal(builder().rules_path("rules.fwb").files(signed(&bytes)).build(), "E0907", "no key says");
    let unsigned = MemoryFiles::new().with("rules.fwb", bytes.clone());
    refusal(from_bundle(unsigned.clone()), "E0907", "has no signature");
    refusal(from_bundle(unsigned.clone().with("rules.fwb.minisig", "nonsense")), "E0907", "not valid");
    refusal(from_bundle(unsigned.with("rules.fwb.minisig", vec![b'A'; 1 << 20])), "E0907", "not valid");
    let stranger = KeyPair::generate_unencrypted_keypair().unwrap();
    let other = builder().rules_path("rules.fwb").files(signed(&bytes)).bundle_key(key_of(&stranger)).build();
    refusal(other, "E0907", "different key");
}

#[test]
fn a_signature_is_of_every_byte() {
    let bytes = bundle();
    let signature = signature(&bytes);
    for at in (0..bytes.len()).step_by(bytes.len() / 97 + 1) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let files = MemoryFiles::new().with("rules.fwb", changed).with("rules.fwb.minisig", signature.as_str());
        // Without its first bytes it is no bundle, but a rule file with nonsense in it.
        assert!(from_bundle(files).is_err(), "byte {at}");
    }
    for cut in 0..64 {
        let short = &bytes[..bytes.len() * cut / 64];
        let files = MemoryFiles::new().with("rules.fwb", short).with("rules.fwb.minisig", signature.as_str());
        // Nothing at all is an empty rule file.
        assert!(short.is_empty() || from_bundle(files).is_err(), "{cut}/64");
    }
}

#[test]
fn sizes_are_capped() {
    let bytes = bundle();
    let mut limits = fusewall::Limits::default();
    limits.bundle_bytes = bytes.len() - 1;
    let small = builder().rules_path("rules.fwb").files(signed(&bytes)).bundle_key(key()).limits(limits).build();
    refusal(small, "E0106", "bytes, at most");
}

#[test]
fn another_form_is_named() {
    let mut bytes = bundle();
    bytes[8] = 2;
    refusal(from_bundle(signed(&bytes)), "E0908", "another version of the engine");
}

#[test]
fn a_bundle_stands_alone() {
    let files = signed(&bundle()).with("more.conf", "SecRuleEngine Off");
    let waf = builder().rules_path("more.conf").rules_path("rules.fwb").files(files).bundle_key(key()).build();
    refusal(waf, "E0908", "among other rules");
}
