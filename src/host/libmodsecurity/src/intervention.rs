//! Interventions: a refusal, handed over to the host.

use crate::barrier::guarded;
use crate::handle::Handle;
use crate::log_line;
use crate::text;
use crate::transaction::{Request, Transaction};
use fusewall::host::exchange::Refusal;
use std::ffi::{c_char, c_int};
use std::ptr;

/// How a request that nobody can judge is answered.
const FAILED: u16 = 500;

/// What is to become of a request, as hosts of libmodsecurity read it.
#[repr(C)]
#[derive(Debug)]
pub struct ModSecurityIntervention {
    /// The status of the answer.
    pub status: c_int,
    /// Milliseconds to wait before it; always 0.
    pub pause: c_int,
    /// Where the client is redirected to, or null. The host frees it.
    pub url: *mut c_char,
    /// The line for the error log. The host frees it.
    pub log: *mut c_char,
    /// Whether the request goes no further: always 1 here.
    pub disruptive: c_int,
}

struct Verdict {
    status: u16,
    location: Option<Vec<u8>>,
    log: String,
}

/// Whether the request is to be refused, and how. Each refusal is told once. Without a transaction, or with one that is broken, the
/// answer is a refusal with 500: a request that was not inspected does not pass.
///
/// # Safety
/// `transaction` is null or a handle of this library that nobody else uses meanwhile; `intervention` is null or such a place, whose
/// texts nobody needs any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_intervention(
    transaction: *mut Transaction,
    intervention: *mut ModSecurityIntervention,
) -> c_int {
    let judge = || {
        // SAFETY: as the host promises.
        match unsafe { Handle::own(transaction) } {
            Some(request) if !request.broken => verdict(request),
            _ => Some(failed()),
        }
    };
    let Some(verdict) = guarded(Some(failed()), judge) else { return 0 };
    if !intervention.is_null() {
        let url = verdict.location.as_deref().map_or(ptr::null_mut(), text::handed_over);
        let log = text::handed_over(verdict.log.as_bytes());
        let told = ModSecurityIntervention { status: verdict.status.into(), pause: 0, url, log, disruptive: 1 };
        // SAFETY: as the host promises.
        unsafe { ptr::write(intervention, told) };
    }
    1
}

fn verdict(request: &mut Request) -> Option<Verdict> {
    if request.told {
        return None;
    }
    let (status, location) = match request.so_far()?.refusal()?.clone() {
        Refusal::Page(status) => (status, None),
        Refusal::Redirect { status, location } => (status, Some(location)),
        // No host of this API can close a connection without an answer.
        Refusal::Drop => (log_line::DROPPED, None),
    };
    request.told = true;
    let client = request.ends.client.ip();
    let line = match &request.refused_by {
        Some(record) => request.line_of(record, Some(status)),
        None => log_line::without_match(request.so_far()?, status),
    };
    Some(Verdict { status, location, log: format!("[client {client}] {line}") })
}

fn failed() -> Verdict {
    let log = "ModSecurity: Access denied with code 500. The engine has failed, or has no rules for this request.";
    Verdict { status: FAILED, location: None, log: log.to_owned() }
}

/// Frees the texts of an intervention.
///
/// # Safety
/// `intervention` is null, or one that [`msc_intervention`] has filled, or whose texts are null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_intervention_cleanup(intervention: *mut ModSecurityIntervention) {
    // SAFETY: as the host promises.
    if let Some(intervention) = unsafe { intervention.as_mut() } {
        for text in [&mut intervention.url, &mut intervention.log] {
            // SAFETY: it was handed over, and is forgotten here.
            unsafe { text::free(std::mem::replace(text, ptr::null_mut())) };
        }
    }
}
