//! libmodsecurity through its C interface, loaded at run time: nothing links against it, and any version can be named.
//!
//! All that is unsafe here is in this file: the functions of the library in [`Api`], and owners of what they give out,
//! each of which gives it back when it is dropped.

#![allow(unsafe_code)]

use super::{Engine, Verdict};
use crate::requests::Request;
use anyhow::{Context, bail, ensure};
use libloading::Library;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{NonNull, null, null_mut};
use std::rc::Rc;

/// `ModSecurityIntervention` of `modsecurity/intervention.h`.
#[repr(C)]
struct RawIntervention {
    status: c_int,
    pause: c_int,
    url: *mut c_char,
    log: *mut c_char,
    disruptive: c_int,
}

/// The library's functions, as `modsecurity.h`, `rules_set.h` and `transaction.h` declare them.
struct Api {
    init: unsafe extern "C" fn() -> *mut c_void,
    who_am_i: unsafe extern "C" fn(*mut c_void) -> *const c_char,
    set_log_cb: unsafe extern "C" fn(*mut c_void, unsafe extern "C" fn(*mut c_void, *const c_void)),
    cleanup: unsafe extern "C" fn(*mut c_void),
    create_rules_set: unsafe extern "C" fn() -> *mut c_void,
    rules_add_file: unsafe extern "C" fn(*mut c_void, *const c_char, *mut *const c_char) -> c_int,
    rules_cleanup: unsafe extern "C" fn(*mut c_void) -> c_int,
    new_transaction: unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_void) -> *mut c_void,
    process_connection: unsafe extern "C" fn(*mut c_void, *const c_char, c_int, *const c_char, c_int) -> c_int,
    process_uri: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char, *const c_char) -> c_int,
    add_n_request_header: unsafe extern "C" fn(*mut c_void, *const u8, usize, *const u8, usize) -> c_int,
    process_request_headers: unsafe extern "C" fn(*mut c_void) -> c_int,
    append_request_body: unsafe extern "C" fn(*mut c_void, *const u8, usize) -> c_int,
    process_request_body: unsafe extern "C" fn(*mut c_void) -> c_int,
    intervention: unsafe extern "C" fn(*mut c_void, *mut RawIntervention) -> c_int,
    transaction_cleanup: unsafe extern "C" fn(*mut c_void),
    /// Keeps the code in memory; dropped last.
    _library: Library,
}

impl Api {
    fn open(path: &Path) -> anyhow::Result<Api> {
        /// A function by its name in the library, of the type of the field that it goes into.
        macro_rules! function {
            ($library:ident, $name:literal) => {
                // SAFETY: the field's type is the one that the library's headers declare for this name.
                *unsafe { $library.get(concat!($name, "\0").as_bytes()) }
                    .with_context(|| concat!("no function ", $name))?
            };
        }
        // SAFETY: the initialisers of libmodsecurity and of what it links have no preconditions.
        let library = unsafe { Library::new(path) }.with_context(|| format!("cannot load {}", path.display()))?;
        Ok(Api {
            init: function!(library, "msc_init"),
            who_am_i: function!(library, "msc_who_am_i"),
            set_log_cb: function!(library, "msc_set_log_cb"),
            cleanup: function!(library, "msc_cleanup"),
            create_rules_set: function!(library, "msc_create_rules_set"),
            rules_add_file: function!(library, "msc_rules_add_file"),
            rules_cleanup: function!(library, "msc_rules_cleanup"),
            new_transaction: function!(library, "msc_new_transaction"),
            process_connection: function!(library, "msc_process_connection"),
            process_uri: function!(library, "msc_process_uri"),
            add_n_request_header: function!(library, "msc_add_n_request_header"),
            process_request_headers: function!(library, "msc_process_request_headers"),
            append_request_body: function!(library, "msc_append_request_body"),
            process_request_body: function!(library, "msc_process_request_body"),
            intervention: function!(library, "msc_intervention"),
            transaction_cleanup: function!(library, "msc_transaction_cleanup"),
            _library: library,
        })
    }
}

/// Receives log lines and drops them. Without a callback the library would print them.
unsafe extern "C" fn ignore_log(_: *mut c_void, _: *const c_void) {}

/// An initialised library.
struct Instance {
    api: Api,
    handle: NonNull<c_void>,
}

impl Instance {
    fn new(api: Api) -> anyhow::Result<Instance> {
        // SAFETY: no preconditions; the callback may be called at any time and from any thread.
        let handle = NonNull::new(unsafe { (api.init)() }).context("msc_init failed")?;
        unsafe { (api.set_log_cb)(handle.as_ptr(), ignore_log) };
        Ok(Instance { api, handle })
    }

    fn version(&self) -> String {
        // SAFETY: a string that lives as long as the instance.
        unsafe { CStr::from_ptr((self.api.who_am_i)(self.handle.as_ptr())) }.to_string_lossy().into_owned()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: ours, and whoever borrowed it held an `Rc` of it.
        unsafe { (self.api.cleanup)(self.handle.as_ptr()) };
    }
}

/// A set of rules.
struct Rules {
    instance: Rc<Instance>,
    handle: NonNull<c_void>,
}

impl Rules {
    fn load(instance: Rc<Instance>, path: &Path) -> anyhow::Result<Rules> {
        let file = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: no preconditions.
        let handle = unsafe { (instance.api.create_rules_set)() };
        let rules = Rules { handle: NonNull::new(handle).context("msc_create_rules_set failed")?, instance };
        let mut error = null();
        // SAFETY: a live set of rules, a string that ends in NUL, a place for one pointer.
        let added =
            unsafe { (rules.instance.api.rules_add_file)(rules.handle.as_ptr(), file.as_ptr(), &raw mut error) };
        if added >= 0 {
            return Ok(rules);
        }
        if error.is_null() {
            bail!("libmodsecurity refuses {} and does not say why", path.display());
        }
        // SAFETY: the library has put a string there, allocated for us; the process ends with this error.
        bail!("libmodsecurity: {}", unsafe { CStr::from_ptr(error) }.to_string_lossy())
    }

    fn transaction(&self) -> anyhow::Result<Transaction<'_>> {
        let instance = &self.instance;
        // SAFETY: both outlive the transaction, which borrows `self`; no data goes to the log callback.
        let handle =
            unsafe { (instance.api.new_transaction)(instance.handle.as_ptr(), self.handle.as_ptr(), null_mut()) };
        Ok(Transaction { api: &instance.api, handle: NonNull::new(handle).context("msc_new_transaction failed")? })
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        // SAFETY: ours; transactions borrow it, so none is left.
        unsafe { (self.instance.api.rules_cleanup)(self.handle.as_ptr()) };
    }
}

/// A transaction.
struct Transaction<'a> {
    api: &'a Api,
    handle: NonNull<c_void>,
}

impl Transaction<'_> {
    /// Phases 1 and 2, up to an interruption.
    fn run(&self, request: &Prepared) -> anyhow::Result<Verdict> {
        let (api, handle) = (self.api, self.handle.as_ptr());
        // SAFETY: a live transaction; strings end in NUL or come with their length, and the library copies them.
        unsafe {
            let mut done = (api.process_connection)(handle, request.client.as_ptr(), 40_000, c"127.0.0.1".as_ptr(), 80);
            done &= (api.process_uri)(
                handle,
                request.uri.as_ptr(),
                request.method.as_ptr(),
                request.version_number.as_ptr(),
            );
            for (name, value) in &request.headers {
                done &= (api.add_n_request_header)(handle, name.as_ptr(), name.len(), value.as_ptr(), value.len());
            }
            done &= (api.process_request_headers)(handle);
            ensure!(done == 1, "libmodsecurity: a step of phase 1 failed");
        }
        let ended = self.interruption();
        if ended.is_some() {
            return Ok(ended);
        }
        if !request.body.is_empty() {
            // SAFETY: as above. What it returns says whether the limit of the body interrupted: asked below.
            unsafe { (api.append_request_body)(handle, request.body.as_ptr(), request.body.len()) };
        }
        // SAFETY: as above.
        ensure!(unsafe { (api.process_request_body)(handle) } == 1, "libmodsecurity: phase 2 failed");
        Ok(self.interruption())
    }

    fn interruption(&self) -> Verdict {
        let mut raw = RawIntervention { status: 200, pause: 0, url: null_mut(), log: null_mut(), disruptive: 0 };
        // SAFETY: a live transaction and a place of the type that it fills; the strings are ours, from malloc, or null.
        let disruptive = unsafe {
            let disruptive = (self.api.intervention)(self.handle.as_ptr(), &raw mut raw);
            libc::free(raw.url.cast());
            libc::free(raw.log.cast());
            disruptive
        };
        (disruptive != 0).then(|| u16::try_from(raw.status).unwrap_or(0))
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { (self.api.transaction_cleanup)(self.handle.as_ptr()) };
    }
}

/// A request as the C interface takes it.
struct Prepared {
    client: CString,
    method: CString,
    uri: CString,
    /// Without `HTTP/`.
    version_number: CString,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

/// The engine with its requests.
pub struct Libmodsecurity {
    rules: Rules,
    requests: Vec<Prepared>,
}

impl Libmodsecurity {
    /// Loads the library of this name or path, and the rules.
    ///
    /// # Errors
    /// A library that is not there or lacks a function, rules that it refuses.
    pub fn load(library: &Path, rules: &Path) -> anyhow::Result<Libmodsecurity> {
        let instance = Instance::new(Api::open(library)?)?;
        Ok(Libmodsecurity { rules: Rules::load(Rc::new(instance), rules)?, requests: Vec::new() })
    }
}

impl Engine for Libmodsecurity {
    fn version(&self) -> String {
        self.rules.instance.version()
    }

    fn take(&mut self, request: &Request) -> anyhow::Result<usize> {
        let number = request.version.strip_prefix("HTTP/").unwrap_or(&request.version);
        self.requests.push(Prepared {
            client: CString::new(request.client.to_string())?,
            method: CString::new(request.method.as_str())?,
            uri: CString::new(request.uri.as_str())?,
            version_number: CString::new(number)?,
            headers: request.headers.iter().map(|(n, v)| (n.clone().into_bytes(), v.clone().into_bytes())).collect(),
            body: request.body.clone(),
        });
        Ok(self.requests.len() - 1)
    }

    fn evaluate(&mut self, index: usize) -> anyhow::Result<Verdict> {
        let request = self.requests.get(index).context("no such request")?;
        self.rules.transaction()?.run(request)
    }
}
