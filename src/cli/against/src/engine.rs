//! libmodsecurity with its rules, and a request on its way through it: owners of what the library gives out, each of which gives it
//! back when it is dropped.

use crate::api::{Api, RawIntervention};
use crate::messages::{Request, Response, Setup, Verdict, bytes};
use anyhow::{Context, bail, ensure};
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{NonNull, null, null_mut};

/// The engine with its rules.
pub struct Engine {
    // Dropped in this order: rules before the instance.
    rules: Rules,
    instance: Instance,
}

/// An initialised library.
struct Instance {
    api: &'static Api,
    handle: NonNull<c_void>,
}

/// A set of rules.
struct Rules {
    api: &'static Api,
    handle: NonNull<c_void>,
}

/// A transaction, and what it has logged.
struct Transaction<'a> {
    api: &'a Api,
    handle: NonNull<c_void>,
    logged: Box<RefCell<Vec<u64>>>,
    ended: Option<Verdict>,
}

impl Engine {
    /// Loads the library and the rules.
    ///
    /// # Errors
    /// A library that is not there or lacks a function, rules that it refuses.
    pub fn load(setup: &Setup) -> anyhow::Result<Engine> {
        // It lives as long as the process, as the library's own threads and caches may.
        let api: &'static Api = Box::leak(Box::new(Api::open(&setup.library)?));
        // SAFETY: no preconditions.
        let handle = NonNull::new(unsafe { (api.init)() }).context("msc_init failed")?;
        // SAFETY: a live instance. The callback takes what transactions of ours are made with.
        unsafe { (api.set_log_cb)(handle.as_ptr(), remember_rule) };
        let instance = Instance { api, handle };
        // SAFETY: no preconditions.
        let handle = NonNull::new(unsafe { (api.create_rules_set)() }).context("msc_create_rules_set failed")?;
        let engine = Engine { rules: Rules { api, handle }, instance };
        for path in &setup.rules {
            engine.rules.add_file(path)?;
        }
        engine.rules.add(&setup.more)?;
        Ok(engine)
    }

    /// Its name and version.
    pub fn name(&self) -> String {
        // SAFETY: a string that lives as long as the instance.
        unsafe { CStr::from_ptr((self.instance.api.who_am_i)(self.instance.handle.as_ptr())) }
            .to_string_lossy()
            .into_owned()
    }

    /// Takes a request, and its response if there is one, through the phases, up to an intervention.
    ///
    /// # Errors
    /// A request that the C interface cannot take, a step that fails.
    pub fn judge(&self, request: &Request) -> anyhow::Result<Verdict> {
        let mut transaction = Transaction::new(self)?;
        let outcome = transaction.run(request);
        transaction.log();
        outcome?;
        let mut verdict = transaction.ended.take().unwrap_or_default();
        verdict.rules.append(&mut transaction.logged.borrow_mut());
        verdict.rules.sort_unstable();
        verdict.rules.dedup();
        Ok(verdict)
    }
}

impl Rules {
    fn add_file(&self, path: &Path) -> anyhow::Result<()> {
        let file = CString::new(path.as_os_str().as_bytes())?;
        let mut error = null();
        // SAFETY: a live set of rules, a string that ends in NUL, a place for one pointer.
        let added = unsafe { (self.api.rules_add_file)(self.handle.as_ptr(), file.as_ptr(), &raw mut error) };
        told(added, error).with_context(|| format!("libmodsecurity refuses {}", path.display()))
    }

    fn add(&self, text: &str) -> anyhow::Result<()> {
        let text = CString::new(text)?;
        let mut error = null();
        // SAFETY: as above.
        let added = unsafe { (self.api.rules_add)(self.handle.as_ptr(), text.as_ptr(), &raw mut error) };
        told(added, error).context("libmodsecurity refuses what replays add to the rules")
    }
}

/// Whether rules were added.
fn told(added: c_int, error: *const std::ffi::c_char) -> anyhow::Result<()> {
    if added >= 0 {
        return Ok(());
    }
    ensure!(!error.is_null(), "it does not say why");
    // SAFETY: the library has put a string there, allocated for us; the process ends with this error.
    bail!("{}", unsafe { CStr::from_ptr(error) }.to_string_lossy().trim())
}

impl Transaction<'_> {
    fn new(engine: &Engine) -> anyhow::Result<Transaction<'_>> {
        let logged = Box::new(RefCell::new(Vec::new()));
        let data: *const RefCell<Vec<u64>> = &raw const *logged;
        let (api, instance, rules) = (engine.instance.api, &engine.instance.handle, &engine.rules.handle);
        // SAFETY: both outlive the transaction, which borrows `engine`; so does the data, which it owns.
        let handle = unsafe { (api.new_transaction)(instance.as_ptr(), rules.as_ptr(), data.cast_mut().cast()) };
        let handle = NonNull::new(handle).context("msc_new_transaction failed")?;
        Ok(Transaction { api, handle, logged, ended: None })
    }

    fn run(&mut self, request: &Request) -> anyhow::Result<()> {
        let (api, handle) = (self.api, self.handle.as_ptr());
        let text = |base64: &str, what: &str| {
            CString::new(bytes(base64)?)
                .with_context(|| format!("{what} with a NUL, which the C interface cannot take"))
        };
        let (uri, method) = (text(&request.uri, "a target")?, text(&request.method, "a method")?);
        let (client, version) = (CString::new(&request.client[..])?, CString::new(&request.version[..])?);
        // SAFETY: a live transaction; strings end in NUL, and the library copies them.
        unsafe {
            (api.process_connection)(handle, client.as_ptr(), 40_000, c"127.0.0.1".as_ptr(), 80);
            (api.process_uri)(handle, uri.as_ptr(), method.as_ptr(), version.as_ptr());
        }
        for [name, value] in &request.headers {
            let (name, value) = (bytes(name)?, bytes(value)?);
            // SAFETY: as above; these come with their lengths.
            unsafe { (api.add_n_request_header)(handle, name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
        }
        // SAFETY: as above.
        ensure!(unsafe { (api.process_request_headers)(handle) } == 1, "a step of phase 1 failed");
        if self.has_ended() {
            return Ok(());
        }
        let body = bytes(&request.body)?;
        if !body.is_empty() {
            // SAFETY: as above. Its answer says whether the limit of the body intervenes, which is asked for below.
            unsafe { (api.append_request_body)(handle, body.as_ptr(), body.len()) };
        }
        // SAFETY: as above.
        ensure!(unsafe { (api.process_request_body)(handle) } == 1, "a step of phase 2 failed");
        if self.has_ended() {
            return Ok(());
        }
        match &request.response {
            Some(response) => self.respond(response, &request.version),
            None => Ok(()),
        }
    }

    fn respond(&mut self, response: &Response, version: &str) -> anyhow::Result<()> {
        let (api, handle) = (self.api, self.handle.as_ptr());
        for [name, value] in &response.headers {
            let (name, value) = (bytes(name)?, bytes(value)?);
            // SAFETY: as in `run`.
            unsafe { (api.add_n_response_header)(handle, name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
        }
        let protocol = CString::new(format!("HTTP/{version}"))?;
        // SAFETY: as in `run`.
        unsafe { (api.process_response_headers)(handle, c_int::from(response.status), protocol.as_ptr()) };
        if self.has_ended() {
            return Ok(());
        }
        let body = bytes(&response.body)?;
        // SAFETY: as in `run`.
        unsafe {
            (api.append_response_body)(handle, body.as_ptr(), body.len());
            (api.process_response_body)(handle);
        }
        self.has_ended();
        Ok(())
    }

    /// Phase 5.
    fn log(&mut self) {
        // SAFETY: a live transaction.
        unsafe { (self.api.process_logging)(self.handle.as_ptr()) };
    }

    /// Asks for an intervention, and keeps the first that stops the exchange.
    fn has_ended(&mut self) -> bool {
        let mut raw = RawIntervention { status: 200, pause: 0, url: null_mut(), log: null_mut(), disruptive: 0 };
        // SAFETY: a live transaction, and a place of the type that it fills.
        let said = unsafe { (self.api.intervention)(self.handle.as_ptr(), &raw mut raw) };
        let (url, log) = (owned(raw.url), owned(raw.log));
        if said == 0 || raw.disruptive == 0 {
            return self.ended.is_some();
        }
        let rules = log.as_deref().and_then(rule_id).into_iter().collect();
        let status = u16::try_from(raw.status).unwrap_or(0);
        self.ended.get_or_insert(Verdict { disruptive: true, status, url, rules });
        true
    }
}

/// A string that the library has allocated for us.
fn owned(text: *mut std::ffi::c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: it ends in NUL, and comes from malloc: the header leaves it to the caller.
    unsafe {
        let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
        libc::free(text.cast());
        Some(owned)
    }
}

/// The number in `[id "..."]`.
fn rule_id(line: &str) -> Option<u64> {
    line.split_once("[id \"")?.1.split('"').next()?.parse().ok()
}

/// Takes a line for the error log, and remembers which rule it is of.
///
/// # Safety
/// `data` is null or what a transaction was made with, `line` is null or a string that ends in NUL.
unsafe extern "C" fn remember_rule(data: *mut c_void, line: *const c_void) {
    if data.is_null() || line.is_null() {
        return;
    }
    // SAFETY: the caller's promise; one thread calls, from functions that borrow nothing of it.
    let (logged, line) = unsafe { (&*data.cast::<RefCell<Vec<u64>>>(), CStr::from_ptr(line.cast())) };
    if let (Ok(mut logged), Some(id)) = (logged.try_borrow_mut(), rule_id(&line.to_string_lossy())) {
        logged.push(id);
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: ours; what was made of it is dropped already.
        unsafe { (self.api.cleanup)(self.handle.as_ptr()) };
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        // SAFETY: ours; transactions borrow the engine, so none is left.
        unsafe { (self.api.rules_cleanup)(self.handle.as_ptr()) };
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { (self.api.transaction_cleanup)(self.handle.as_ptr()) };
    }
}
