//! The functions of libmodsecurity's C interface, by name, as `modsecurity.h`, `rules_set.h`, `transaction.h` and `intervention.h`
//! declare them. The library is loaded at run time: nothing links against it, and any version can be named.

use anyhow::Context;
use libloading::Library;
use std::ffi::{c_char, c_int, c_void};
use std::path::Path;

/// `ModSecurityIntervention`.
#[repr(C)]
pub struct RawIntervention {
    pub status: c_int,
    pub pause: c_int,
    pub url: *mut c_char,
    pub log: *mut c_char,
    pub disruptive: c_int,
}

/// `ModSecLogCb`: the data of the transaction, and a text.
pub type LogCallback = unsafe extern "C" fn(*mut c_void, *const c_void);

/// Declares the table of functions, and how it is filled.
macro_rules! functions {
    ($($field:ident $name:literal: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The library.
        pub struct Api {
            $(pub $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            /// Keeps the code in memory; dropped last.
            _library: Library,
        }

        impl Api {
            /// Loads a library by name or path.
            ///
            /// # Errors
            /// A library that is not there, cannot be loaded, or lacks a function.
            pub fn open(path: &Path) -> anyhow::Result<Api> {
                // SAFETY: the initialisers of libmodsecurity and of what it links have no preconditions.
                let library = unsafe { Library::new(path) }
                    .with_context(|| format!("{} cannot be loaded: name the library of your server", path.display()))?;
                Ok(Api {
                    // SAFETY: the type is the one that the library's headers declare for this name.
                    $($field: *unsafe { library.get(concat!($name, "\0").as_bytes()) }
                        .with_context(|| format!("{} has no function {}", path.display(), $name))?,)*
                    _library: library,
                })
            }
        }
    };
}

functions! {
    init "msc_init": fn() -> *mut c_void;
    who_am_i "msc_who_am_i": fn(*mut c_void) -> *const c_char;
    set_log_cb "msc_set_log_cb": fn(*mut c_void, LogCallback);
    cleanup "msc_cleanup": fn(*mut c_void);
    create_rules_set "msc_create_rules_set": fn() -> *mut c_void;
    rules_add_file "msc_rules_add_file": fn(*mut c_void, *const c_char, *mut *const c_char) -> c_int;
    rules_add "msc_rules_add": fn(*mut c_void, *const c_char, *mut *const c_char) -> c_int;
    rules_cleanup "msc_rules_cleanup": fn(*mut c_void) -> c_int;
    new_transaction "msc_new_transaction": fn(*mut c_void, *mut c_void, *mut c_void) -> *mut c_void;
    process_connection "msc_process_connection": fn(*mut c_void, *const c_char, c_int, *const c_char, c_int) -> c_int;
    process_uri "msc_process_uri": fn(*mut c_void, *const c_char, *const c_char, *const c_char) -> c_int;
    add_n_request_header "msc_add_n_request_header": fn(*mut c_void, *const u8, usize, *const u8, usize) -> c_int;
    process_request_headers "msc_process_request_headers": fn(*mut c_void) -> c_int;
    append_request_body "msc_append_request_body": fn(*mut c_void, *const u8, usize) -> c_int;
    process_request_body "msc_process_request_body": fn(*mut c_void) -> c_int;
    add_n_response_header "msc_add_n_response_header": fn(*mut c_void, *const u8, usize, *const u8, usize) -> c_int;
    process_response_headers "msc_process_response_headers": fn(*mut c_void, c_int, *const c_char) -> c_int;
    append_response_body "msc_append_response_body": fn(*mut c_void, *const u8, usize) -> c_int;
    process_response_body "msc_process_response_body": fn(*mut c_void) -> c_int;
    process_logging "msc_process_logging": fn(*mut c_void) -> c_int;
    intervention "msc_intervention": fn(*mut c_void, *mut RawIntervention) -> c_int;
    transaction_cleanup "msc_transaction_cleanup": fn(*mut c_void);
}
