//! Compiled bundles and the cache: what they load is what the rules say, and what is wrong with one is found.

mod cache;
#[cfg(feature = "cli")]
mod commands;
mod crs;
mod damage;
mod forged;
mod refused;
mod round_trip;
mod serial;

use fusewall::engine::FixedEnv;
use fusewall::files::MemoryFiles;
use fusewall::store::{BundleKey, RulePiece, RuleSource, compile};
use fusewall::{Transaction, Waf, WafBuilder};
use minisign::KeyPair;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::LazyLock;

/// Where the bytes begin that the checksum is of, and where the checksum is.
const BODY: usize = 44;
const SUM: std::ops::Range<usize> = 12..BODY;

/// Who signs.
static SIGNER: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate_unencrypted_keypair().expect("a key pair"));

/// The signer's public key.
fn key() -> BundleKey {
    key_of(&SIGNER)
}

fn key_of(signer: &KeyPair) -> BundleKey {
    BundleKey::parse(&signer.pk.to_box().expect("a key").to_string()).expect("a key as minisign writes it")
}

/// The text of a `.minisig` file.
fn signature(bytes: &[u8]) -> String {
    minisign::sign(Some(&SIGNER.pk), &SIGNER.sk, bytes, None, None).expect("a signature").to_string()
}

/// Rules of every kind that a bundle has to carry: includes, lists, dense and irregular patterns, captures.
fn rules() -> MemoryFiles {
    MemoryFiles::new()
        .with("site/main.conf", MAIN)
        .with(
            "site/more/a.conf",
            r#"SecRule ARGS "@rx (?i)un(ion)\s+select" "id:10,phase:1,deny,capture,setvar:tx.hit=%{tx.1}""#,
        )
        .with("site/more/b.conf", r#"SecRule ARGS "@rx ^(a+)=\1$" "id:11,phase:1,log,pass""#)
        .with("site/words.data", "evil\nwicked\n# none\n")
        .with("site/nets.data", "192.0.2.0/24\n")
}

const MAIN: &str = r#"
SecRuleEngine On
Include more/*.conf
IncludeOptional absent.conf
SecRule ARGS "@pmFromFile words.data" "id:1,phase:1,deny,status:406"
SecRule REMOTE_ADDR "@ipMatchFromFile nets.data" "id:2,phase:1,pass,nolog,setvar:tx.near=1"
SecRule ARGS|REQUEST_HEADERS:/^x-/ "@rx <(?!b>)[a-z]+\b[^>]*on[a-z]{3,9}\s*=" "id:3,phase:1,deny,t:lowercase"
SecRule ARGS "@rx (?:/\*.*\*/|--|#)[^\n]{0,40}x.{6}y.{9}z" "id:4,phase:1,deny"
SecPcreMatchLimit 5
"#;

fn entry() -> RuleSource {
    RuleSource::Paths(vec!["site/main.conf".into()])
}

/// The bundle of [`rules`].
fn bundle() -> Vec<u8> {
    bundle_of(&rules())
}

fn bundle_of(files: &MemoryFiles) -> Vec<u8> {
    compile(&entry(), files, &Default::default()).unwrap_or_else(|report| panic!("{report}")).bytes
}

/// A bundle as a file with its signature beside it.
fn signed(bytes: &[u8]) -> MemoryFiles {
    MemoryFiles::new().with("rules.fwb", bytes).with("rules.fwb.minisig", signature(bytes))
}

/// The bundle with a checksum that fits.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = Sha256::digest(&bytes[BODY..]);
    bytes[SUM].copy_from_slice(&sum);
    bytes
}

fn builder() -> WafBuilder {
    Waf::builder().env(FixedEnv::default())
}

/// From source.
fn plain() -> Waf {
    builder().rules_path("site/main.conf").files(rules()).build().expect("the rules load")
}

/// From a bundle among `files`, trusted as [`key`].
fn from_bundle(files: MemoryFiles) -> Result<Waf, fusewall::store::LoadReport> {
    builder().rules_path("rules.fwb").files(files).bundle_key(key()).build()
}

/// A request with one argument.
fn get(waf: &Waf, value: &str) -> Transaction {
    let mut exchange = waf.transaction_with_id("test");
    exchange.process_connection([192, 0, 2, 7].into(), 40000, [192, 0, 2, 1].into(), 80);
    exchange.process_request_line(b"GET", format!("/?q={value}").as_bytes(), b"HTTP/1.1");
    exchange.add_request_header(b"Host", b"www.example");
    exchange.process_request_headers();
    exchange
}

const VALUES: &[&str] = &[
    "hello",
    "UNION%20%20select",
    "wicked",
    "aaa=aaa",
    "aaa=aa",
    "%3Cimg%20src=x%20onerror=1%3E",
    "%3Cb%3E",
    "--%20xabcdefyabcdefghiz",
];

/// Both evaluate alike, to the unit of fuel.
fn assert_alike(one: &Waf, other: &Waf) {
    assert_eq!(one.loaded().program(), other.loaded().program());
    for value in VALUES {
        let (left, right) = (get(one, value), get(other, value));
        let verdict = |transaction: &Transaction| {
            let mut verdict = transaction.verdict().expect("the engine does not fail");
            verdict.generation = 0;
            verdict
        };
        assert_eq!(verdict(&left), verdict(&right), "{value}");
        assert_eq!(left.tx("hit"), right.tx("hit"), "{value}");
    }
}

/// A folder of outside data, if it is there.
fn outside(variable: &str, default: &str, inside: &str) -> Option<PathBuf> {
    let root = std::env::var_os(variable)
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared").join(default), PathBuf::from);
    let path = root.join(inside);
    if !path.exists() {
        println!("left out: {} is not there", path.display());
        return None;
    }
    Some(path)
}
