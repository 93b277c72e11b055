//! The engine as hosts hold it: who asks, and who is told.

use crate::barrier::guarded;
use crate::handle::{Handle, Kind};
use crate::metrics;
use crate::text;
use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Once};
use tracing_subscriber::filter::LevelFilter;

/// Who a host is told that it has loaded.
const WHO: &CStr = match CStr::from_bytes_with_nul(
    concat!("Fusewall v", env!("CARGO_PKG_VERSION"), " (API of libmodsecurity 3.0.15)\0").as_bytes(),
) {
    Ok(name) => name,
    Err(_) => c"Fusewall",
};

/// Takes a line of the log: the pointer that the host has given with the transaction, and a text that is valid during the call.
pub type ModSecLogCb = Option<unsafe extern "C" fn(data: *mut c_void, line: *const c_void)>;

/// An engine, as hosts hold it.
pub type ModSecurity = Handle<Engine>;

/// What all transactions of a host share.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

impl Kind for Engine {
    const TAG: u64 = 0x9b1f_63c2_0e47_d85a;
}

/// What transactions keep of an engine, which may be given back before them.
#[derive(Debug)]
pub struct Shared {
    connector: arc_swap::ArcSwap<String>,
    /// A `ModSecLogCb`, or null.
    log: AtomicPtr<c_void>,
}

impl Engine {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Shared {
    /// Who stands between the host and the engine.
    pub(crate) fn connector(&self) -> Arc<String> {
        self.connector.load_full()
    }

    /// Tells the host a line.
    pub(crate) fn log(&self, data: *mut c_void, line: &[u8]) {
        let callback = self.log.load(Ordering::Acquire);
        // SAFETY: it was made of a `ModSecLogCb`, whose null pointer is `None`.
        let callback = unsafe { std::mem::transmute::<*mut c_void, ModSecLogCb>(callback) };
        let Some(callback) = callback else { return };
        let mut line = line.to_vec();
        line.retain(|byte| *byte != 0);
        line.push(0);
        // SAFETY: the host has said that this function takes its own pointer and a text that ends with a zero.
        unsafe { callback(data, line.as_ptr().cast()) };
    }
}

/// Makes an engine. Null if there is no memory. What the engine has to say beside its log, such as that a list cannot be asked, it
/// writes to the standard error.
#[unsafe(no_mangle)]
pub extern "C" fn msc_init() -> *mut ModSecurity {
    static TELLING: Once = Once::new();
    guarded(ptr::null_mut(), || {
        TELLING.call_once(|| {
            let to_stderr = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).without_time();
            // Somebody else in this process may have said before where such lines go.
            let _ = to_stderr.log_internal_errors(false).with_max_level(LevelFilter::WARN).try_init();
        });
        metrics::open();
        let connector = arc_swap::ArcSwap::from_pointee(String::new());
        Handle::lend(Engine { shared: Arc::new(Shared { connector, log: AtomicPtr::new(ptr::null_mut()) }) })
    })
}

/// Who the engine is: a text that stays valid. Also without an engine.
#[unsafe(no_mangle)]
pub extern "C" fn msc_who_am_i(_engine: *mut ModSecurity) -> *const c_char {
    WHO.as_ptr()
}

/// Says who stands between the host and the engine: the audit log names it.
///
/// # Safety
/// `engine` is null or a handle of this library; `connector` is null or a text that ends with a zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_set_connector_info(engine: *mut ModSecurity, connector: *const c_char) {
    guarded((), || {
        // SAFETY: as the host promises.
        let (engine, connector) = unsafe { (Handle::shared(engine), text::bytes(connector)) };
        if let (Some(engine), Some(connector)) = (engine, connector) {
            engine.shared.connector.store(Arc::new(String::from_utf8_lossy(connector).into_owned()));
        }
    });
}

/// Says who takes the lines of the log; null: nobody.
///
/// # Safety
/// `engine` is null or a handle of this library; the function stays where it is as long as there are transactions, and takes a
/// text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_set_log_cb(engine: *mut ModSecurity, callback: ModSecLogCb) {
    guarded((), || {
        // SAFETY: as the host promises.
        if let Some(engine) = unsafe { Handle::shared(engine) } {
            let place = callback.map_or(ptr::null_mut(), |callback| callback as *mut c_void);
            engine.shared.log.store(place, Ordering::Release);
        }
    });
}

/// Gives an engine back. Its transactions go on without it.
///
/// # Safety
/// `engine` is null or a handle of this library, which the host does not use any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_cleanup(engine: *mut ModSecurity) {
    // SAFETY: as the host promises.
    guarded((), || drop(unsafe { Handle::release(engine) }));
}
