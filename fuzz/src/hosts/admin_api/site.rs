//! An engine with its admin API: fresh for each input, so that an input means the same whenever it is tried.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fusewall::engine::FixedEnv;
use fusewall::files::MemoryFiles;
use fusewall::governor::ManualClock;
use fusewall::host::admin::{Admin, AdminConfig, Caller, Match, Role, Roles};
use fusewall::rule::EngineMode;
use fusewall::store::rollout::Pinned;
use fusewall::store::{BundleKey, Generation, Releases, RuleSource, compile};
use fusewall::{Switch, Waf};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tempfile::TempDir;

/// Bytes that an uploaded ruleset may have.
pub const UPLOAD_BYTES: usize = 4000;

/// Nobody waits so long for anything unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Rules that refuse one word.
pub fn rules(word: &str) -> String {
    format!(
        "SecRuleEngine On\n\
         SecRule ARGS \"@contains {word}\" \"id:1,phase:1,deny,tag:'word'\"\n\
         SecRule ARGS \"@streq both\" \"id:2,phase:1,deny,tag:'word',tag:'a/b c'\"\n"
    )
}

/// Who signs bundles; a bundle; its signature as an upload has it. And a keeper of the rules that each site starts with.
struct Signed {
    key: BundleKey,
    bundle: Vec<u8>,
    signature: String,
    releases: Arc<Releases>,
    _kept: Waf,
}

static SIGNED: LazyLock<Signed> = LazyLock::new(|| {
    let signer = minisign::KeyPair::generate_unencrypted_keypair().expect("a key pair");
    let source = RuleSource::Text { name: "rules.conf".to_owned(), text: rules("bundled") };
    let bundle = compile(&source, &MemoryFiles::new(), &Default::default()).expect("it compiles").bytes;
    let signature = minisign::sign(Some(&signer.pk), &signer.sk, &bundle[..], Some("serial:7"), None);
    let signature = STANDARD.encode(signature.expect("a signature").to_string());
    let key = BundleKey::parse(&signer.pk.to_box().expect("a key").to_string()).expect("a key as minisign writes it");
    let releases = Arc::new(Releases::new());
    let kept = Waf::builder().env(FixedEnv::default()).rules_text("first.conf", rules("first"));
    let kept = kept.bundle_key(key.clone()).releases(releases.clone()).build().expect("the rules load");
    Signed { key, bundle, signature, releases, _kept: kept }
});

/// A bundle that can be uploaded, and the signature of it.
pub fn signed() -> (&'static [u8], &'static str) {
    (&SIGNED.bundle, &SIGNED.signature)
}

/// Everything that somebody could have changed.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub generations: Vec<Generation>,
    pub off: Vec<Switch>,
    pub mode: EngineMode,
    pub held: Option<Pinned>,
    /// The rollout under way or the last one.
    pub rollout: Option<String>,
    /// What is staged, for those who may see it.
    pub staged: Option<String>,
}

impl State {
    /// The roles without which this could not have become `after`.
    pub fn needed(&self, after: &State) -> Vec<Role> {
        let parts = [
            (Role::Kill, self.off != after.off),
            (Role::Mode, self.mode != after.mode),
            (Role::Promote, self.generations != after.generations || self.held != after.held),
            (Role::Promote, self.rollout != after.rollout || self.staged != after.staged),
        ];
        parts.into_iter().filter(|(_, changed)| *changed).map(|(role, _)| role).collect()
    }
}

pub struct Site {
    pub waf: Waf,
    /// What the caller may do.
    pub roles: Roles,
    socket: PathBuf,
    _admin: Admin,
    _folder: TempDir,
}

impl Site {
    /// A site whose only caller has these roles.
    pub fn start(roles: Roles, unsigned_uploads: bool) -> Site {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("admin.sock");
        let builder = Waf::builder().env(FixedEnv::default()).rules_text("first.conf", rules("first"));
        let builder = builder.bundle_key(SIGNED.key.clone()).releases(SIGNED.releases.clone());
        let waf = builder.build().expect("the rules load");
        let somebody = Caller { who: Match::User(u32::MAX - 7), name: None, roles: Roles::ALL };
        let config = AdminConfig {
            socket: Some(socket.clone()),
            owner_roles: roles,
            callers: vec![somebody],
            upload_bytes: UPLOAD_BYTES,
            unsigned_uploads,
            ..AdminConfig::default()
        };
        let source = RuleSource::Text { name: "reloaded.conf".to_owned(), text: rules("reloaded") };
        let builder = Admin::builder(config, waf.clone()).clock(Arc::new(ManualClock::default())).source(source);
        let admin = builder.start().expect("it listens");
        Site { waf, roles, socket, _admin: admin, _folder: folder }
    }

    pub fn state(&self) -> State {
        let (off, mode) = self.waf.switched_off();
        let rollout = self.waf.rollout().map(|rollout| format!("{:?} {}", rollout.contest, rollout.over));
        let staged = self.roles.has(Role::Read).then(|| self.staged());
        State { generations: self.waf.generations(), off, mode, held: self.waf.held(), rollout, staged }
    }

    fn staged(&self) -> String {
        let answer = self.ask(b"GET /v1/rulesets HTTP/1.1\r\nHost: admin\r\n\r\n");
        let answer = super::answer::read(&answer, false).expect("an answer");
        answer.json()["staged"].to_string()
    }

    /// What comes back for these bytes.
    pub fn ask(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = UnixStream::connect(&self.socket).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("an open socket");
        // What is refused may not be read to its end.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "no end of the answer");
        }
        answer
    }
}
