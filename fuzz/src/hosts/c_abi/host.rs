//! What a host holds, with what is known of each thing.

use super::direct::Direct;
use fusewall::Waf;
use fusewall::store::{Releases, RulePiece, RuleSource};
use modsecurity::{
    ModSecurity, RulesSet, Transaction, msc_cleanup, msc_init, msc_rules_cleanup, msc_set_log_cb,
    msc_transaction_cleanup,
};
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_void};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use tempfile::TempDir;

/// Things of each kind at one time.
pub const PLACES: usize = 3;

/// A rules set: its pieces, and those of the contexts around it, the outermost first.
#[derive(Default)]
pub struct Pieces {
    pub around: Vec<Vec<RulePiece>>,
    pub own: Vec<RulePiece>,
    /// How many rules its own are.
    pub count: usize,
}

impl Pieces {
    /// All that a request passes.
    pub fn layers(&self) -> Vec<Vec<RulePiece>> {
        self.around.iter().chain([&self.own]).filter(|layer| !layer.is_empty()).cloned().collect()
    }
}

/// Compiles layers as an embedder would; none if they do not load together.
pub fn compile(layers: Vec<Vec<RulePiece>>) -> Option<Waf> {
    static RELEASES: LazyLock<Arc<Releases>> = LazyLock::new(Arc::default);
    let builder = Waf::builder().rules(RuleSource::Layers(layers)).allow_empty();
    builder.releases(RELEASES.clone()).build().ok()
}

/// Whether the log of an engine is told anything.
pub type Tells = Rc<Cell<bool>>;

/// A transaction: what the engine itself makes of it, and who is told of it.
pub struct Request {
    pub direct: Direct,
    pub tells: Tells,
    /// The id that the host has chosen.
    pub id: Option<String>,
}

/// A handle, and what is known of it.
pub type Place<H, K> = Option<(*mut H, K)>;

/// Everything that a host holds at one time.
#[derive(Default)]
pub struct Host {
    pub engines: [Place<ModSecurity, Tells>; PLACES],
    pub sets: [Place<RulesSet, Pieces>; PLACES],
    pub transactions: [Place<Transaction, Request>; PLACES],
    /// Lines of the log since somebody has looked. Its place must not change: transactions have a pointer to it.
    pub lines: Box<RefCell<Vec<Vec<u8>>>>,
    folder: Option<TempDir>,
}

type Taker = unsafe extern "C" fn(*mut c_void, *const c_void);

/// Takes a line of the log.
unsafe extern "C" fn take(lines: *mut c_void, line: *const c_void) {
    // SAFETY: the pointer of the transaction, which is that of `Host::lines`, and a text that ends with a zero.
    let (lines, line) = unsafe { (&*lines.cast::<RefCell<Vec<Vec<u8>>>>(), CStr::from_ptr(line.cast())) };
    lines.borrow_mut().push(line.to_bytes().to_vec());
}

impl Host {
    /// What comes back with each line of the log.
    pub fn log_data(&self) -> *mut c_void {
        (&raw const *self.lines).cast_mut().cast()
    }

    pub fn new_engine(&mut self, at: usize) {
        self.end_engine(at);
        self.engines[at] = Some((msc_init(), Tells::default()));
    }

    pub fn end_engine(&mut self, at: usize) {
        if let Some((engine, _)) = self.engines[at].take() {
            // SAFETY: a handle, which is not used any more.
            unsafe { msc_cleanup(engine) };
        }
    }

    pub fn end_set(&mut self, at: usize) {
        if let Some((set, _)) = self.sets[at].take() {
            // SAFETY: a handle, which is not used any more.
            let answer = unsafe { msc_rules_cleanup(set) };
            assert!(answer == 0 || std::thread::panicking(), "{answer}");
        }
    }

    pub fn end_transaction(&mut self, at: usize) {
        if let Some((transaction, _)) = self.transactions[at].take() {
            // SAFETY: a handle, which is not used any more.
            unsafe { msc_transaction_cleanup(transaction) };
        }
    }

    /// Turns the log of an engine on or off.
    pub fn log(&mut self, at: usize, on: bool) {
        if let Some((engine, tells)) = &self.engines[at] {
            // SAFETY: a handle, and a function that takes what its transactions bring.
            unsafe { msc_set_log_cb(*engine, on.then_some(take as Taker)) };
            tells.set(on);
        }
    }

    /// A file with this in it.
    pub fn file(&mut self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::write(&path, content).expect("a file is written");
        path
    }

    /// A folder without files but those of this host.
    pub fn folder(&mut self) -> &Path {
        self.folder.get_or_insert_with(|| tempfile::tempdir().expect("a folder")).path()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for at in 0..PLACES {
            self.end_engine(at);
            self.end_set(at);
            self.end_transaction(at);
        }
    }
}

/// A path as C has it.
pub fn c_path(path: &Path) -> CString {
    CString::new(path.to_str().expect("a path")).expect("no zeros")
}
