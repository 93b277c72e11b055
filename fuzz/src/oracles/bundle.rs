//! A signed bundle of any content.

use super::super::oracle::exchange::Exchange;
use fusewall::engine::FixedEnv;
use fusewall::files::MemoryFiles;
use fusewall::store::{BundleKey, RuleSource, compile};
use fusewall::{Verification, Waf};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Rules whose bundle has every kind of automaton in it.
const BUNDLED: &str = "SecRuleEngine On\n\
     SecRule ARGS \"@rx (?i)un(ion)\\s+select\" \"id:1,phase:1,deny,capture,setvar:tx.hit=%{tx.1}\"\n\
     SecRule ARGS \"@rx ^(a+)=\\1$\" \"id:2,phase:1,pass\"\n\
     SecRule ARGS \"@rx [ab]x.{30}y\" \"id:3,phase:1,deny\"\n";

/// Who signs, a bundle, and the rules that it is of.
static SIGNED: LazyLock<(minisign::KeyPair, Vec<u8>, Waf)> = LazyLock::new(|| {
    let signer = minisign::KeyPair::generate_unencrypted_keypair().expect("a key pair");
    let source = RuleSource::Text { name: "rules.conf".to_owned(), text: BUNDLED.to_owned() };
    let bundle = compile(&source, &MemoryFiles::new(), &Default::default()).expect("the rules load");
    let waf = Waf::builder().rules_text("rules.conf", BUNDLED).env(FixedEnv::default()).build();
    (signer, bundle.bytes, waf.expect("the rules load"))
});

/// Changes to a bundle, or a body of its own: three bytes of place and one of value each.
fn changed(bundle: &[u8], data: &[u8]) -> Vec<u8> {
    const BODY: usize = 44;
    let (mut bytes, data) = match data.split_first() {
        Some((0xff, body)) => return sealed([&bundle[..BODY], body].concat()),
        _ => (bundle.to_vec(), data),
    };
    for change in data.chunks_exact(4) {
        let place = usize::from(change[0]) << 16 | usize::from(change[1]) << 8 | usize::from(change[2]);
        let place = BODY + place % (bytes.len() - BODY);
        bytes[place] = change[3];
    }
    sealed(bytes)
}

/// The bundle with a checksum that fits.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = Sha256::digest(&bytes[44..]);
    bytes[12..44].copy_from_slice(&sum);
    bytes
}

/// A bundle of any content under a valid signature: no panic; and if the rules in it are as they were, either everything is, or
/// comparing finds that it is not. One that nobody has changed is loaded, and comparing finds no difference.
pub fn bundle(data: &[u8]) {
    let (signer, bundle, plain) = &*SIGNED;
    let bytes = changed(bundle, data);
    let untouched = bytes == *bundle;
    let signature = minisign::sign(Some(&signer.pk), &signer.sk, &bytes[..], None, None).expect("a signature");
    let key = BundleKey::parse(&signer.pk.to_box().expect("a key").to_string()).expect("a key as minisign writes it");
    let files = MemoryFiles::new().with("f.fwb", bytes).with("f.fwb.minisig", signature.to_string());
    let builder = Waf::builder().rules_path("f.fwb").files(files).bundle_key(key).env(FixedEnv::default());
    let waf = match builder.build() {
        Ok(waf) => waf,
        Err(error) if untouched => panic!("what was written is not read back: {error}"),
        Err(_) => return,
    };
    let exchanges = ["/?q=union%20select", "/?q=aa=aa", "/?q=hello"].map(Exchange::get);
    for exchange in &exchanges {
        let _ = exchange.evaluate(&waf).verdict();
    }
    let same_rules = waf.loaded().program().ruleset == plain.loaded().program().ruleset;
    let verification = waf.verify();
    assert!(!untouched || matches!(verification, Verification::Same { .. }), "{verification:?}");
    if !matches!(verification, Verification::Different { .. }) && same_rules {
        assert_eq!(waf.loaded().program(), plain.loaded().program());
        for exchange in &exchanges {
            assert_eq!(exchange.evaluate(&waf).verdict(), exchange.evaluate(plain).verdict());
        }
    }
}
