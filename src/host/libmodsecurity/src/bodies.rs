//! Bodies, in pieces or from a file.

use crate::metrics;
use crate::text;
use crate::transaction::{DONE, ERROR, Request, Transaction, with};
use fusewall::Phase;
use fusewall::host::exchange::{Chunk, ResponsePlan};
use std::ffi::{OsStr, c_char, c_int};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

/// Bytes of a file that are read at once.
const PIECE: usize = 64 << 10;

/// A piece of the request body. An error: it, or its end, is not inspected, because it is too late or over `SecRequestBodyLimit`.
///
/// # Safety
/// `transaction` is null or a handle of this library that nobody else uses meanwhile; `body` is null or points to so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_append_request_body(
    transaction: *mut Transaction,
    body: *const u8,
    bytes: usize,
) -> c_int {
    // SAFETY: as the host promises.
    let piece = unsafe { text::counted(body, bytes) };
    let tell = |request: &mut Request| match piece.filter(|_| request.is_before(Phase::RequestBody)) {
        Some(piece) => tell_request_body(request, piece),
        None => ERROR,
    };
    // SAFETY: as the host promises.
    unsafe { with(transaction, tell) }
}

fn tell_request_body(request: &mut Request, piece: &[u8]) -> c_int {
    if !request.exchange().inspects_request_body() {
        return DONE;
    }
    request.body.bytes = request.body.bytes.saturating_add(piece.len() as u64);
    let taken = request.exchange().request_body_chunk(piece);
    request.body.ended |= taken != Chunk::Taken;
    match taken {
        Chunk::Taken | Chunk::Refused(_) => DONE,
        Chunk::Cut(_) => ERROR,
    }
}

/// The request body stands in this file, as far as it was not told in pieces. A file that cannot be read is an error, and one that
/// rules see: REQBODY_ERROR.
///
/// # Safety
/// `transaction` is null or a handle of this library that nobody else uses meanwhile; `path` is null or a text that ends with a zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_request_body_from_file(transaction: *mut Transaction, path: *const c_char) -> c_int {
    // SAFETY: as the host promises.
    let path = unsafe { text::bytes(path) };
    let read = |request: &mut Request| {
        if !request.is_before(Phase::RequestBody) {
            return ERROR;
        }
        if !request.exchange().inspects_request_body() {
            return DONE;
        }
        request.body.from_file = true;
        let path = Path::new(OsStr::from_bytes(path.unwrap_or_default()));
        match read_request_body(request, path) {
            Ok(answer) => answer,
            Err(problem) => {
                tracing::error!(path = %path.display(), %problem, "a request body cannot be read from its file");
                fail(request, "The file of the request body cannot be read.");
                ERROR
            }
        }
    };
    // SAFETY: as the host promises.
    unsafe { with(transaction, read) }
}

fn read_request_body(request: &mut Request, path: &Path) -> io::Result<c_int> {
    let mut file = File::open(path)?;
    let mut piece = vec![0; PIECE];
    loop {
        let read = match file.read(&mut piece) {
            Ok(read) => read,
            Err(problem) if problem.kind() == ErrorKind::Interrupted => continue,
            Err(problem) => return Err(problem),
        };
        let piece = piece.get(..read).unwrap_or_default();
        if piece.is_empty() {
            return Ok(DONE);
        }
        // The rest of what is over the limit is not even read.
        if tell_request_body(request, piece) == ERROR {
            return Ok(ERROR);
        }
        if request.exchange().refusal().is_some() {
            return Ok(DONE);
        }
    }
}

/// Whether a part of a body has come, less than `Content-Length` has announced, and nobody has said why. A host that has given nothing
/// at all does not show this body: nginx has none any more when a request goes on to an error page.
fn is_short(request: &mut Request) -> bool {
    let announced = request.head.values("content-length").next().and_then(|length| str::from_utf8(length).ok());
    let announced = announced.and_then(|length| length.trim().parse::<u64>().ok()).unwrap_or(0);
    let expected = !request.body.ended && request.exchange().inspects_request_body();
    let begun = request.body.bytes > 0 || request.body.from_file;
    expected && begun && request.exchange().refusal().is_none() && request.body.bytes < announced
}

/// Rules see that the body is not what the client has sent: REQBODY_ERROR.
fn fail(request: &mut Request, why: &'static str) {
    request.body.ended = true;
    request.exchange().fail_request_body(why);
    metrics::count_cut();
}

/// The request body is complete: runs phase 2, and phase 1 if it was left out. If only a part has come of what `Content-Length` has
/// announced, rules see that as REQBODY_ERROR.
///
/// # Safety
/// `transaction` is null or a handle of this library that nobody else uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_process_request_body(transaction: *mut Transaction) -> c_int {
    let run = |request: &mut Request| {
        if !request.is_before(Phase::RequestBody) {
            return ERROR;
        }
        if is_short(request) {
            fail(request, "The request body is shorter than Content-Length says.");
        }
        request.exchange().end_request_body();
        request.run(Phase::RequestBody);
        DONE
    };
    // SAFETY: as the host promises.
    unsafe { with(transaction, run) }
}

/// A piece of the response body. An error: it, or its end, is not inspected, because it is too late or over `SecResponseBodyLimit`.
///
/// # Safety
/// As [`msc_append_request_body`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_append_response_body(
    transaction: *mut Transaction,
    body: *const u8,
    bytes: usize,
) -> c_int {
    // SAFETY: as the host promises.
    let piece = unsafe { text::counted(body, bytes) };
    let tell = |request: &mut Request| {
        let Some(piece) = piece.filter(|_| request.is_before(Phase::ResponseBody)) else { return ERROR };
        if request.plan == Some(ResponsePlan::Pass) {
            return DONE;
        }
        match request.exchange().response_body_chunk(piece) {
            Chunk::Taken | Chunk::Refused(_) => DONE,
            Chunk::Cut(_) => ERROR,
        }
    };
    // SAFETY: as the host promises.
    unsafe { with(transaction, tell) }
}

/// The response body is complete: runs phase 4, and what was left out before it.
///
/// # Safety
/// As [`msc_process_request_body`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_process_response_body(transaction: *mut Transaction) -> c_int {
    let run = |request: &mut Request| {
        if !request.is_before(Phase::ResponseBody) {
            return ERROR;
        }
        request.exchange().end_response_body();
        request.run(Phase::ResponseBody);
        DONE
    };
    // SAFETY: as the host promises.
    unsafe { with(transaction, run) }
}

/// A copy of the response body as far as it was inspected, up to its first zero; the host frees it. Null without a transaction.
///
/// # Safety
/// As [`msc_process_request_body`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_get_response_body(transaction: *mut Transaction) -> *const c_char {
    let mut copy = ptr::null_mut();
    let body = |request: &mut Request| {
        copy = text::handed_over(request.so_far().map(|exchange| exchange.response_body()).unwrap_or_default());
        DONE
    };
    // SAFETY: as the host promises.
    unsafe { with(transaction, body) };
    copy
}

/// Bytes of the response body as far as it was inspected.
///
/// # Safety
/// As [`msc_process_request_body`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_get_response_body_length(transaction: *mut Transaction) -> usize {
    // SAFETY: as the host promises.
    unsafe { length(transaction, |request| request.so_far().map(|exchange| exchange.response_body().len())) }
}

/// Bytes of the request body as far as it was inspected.
///
/// # Safety
/// As [`msc_process_request_body`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_get_request_body_length(transaction: *mut Transaction) -> usize {
    // SAFETY: as the host promises.
    unsafe { length(transaction, |request| request.so_far().map(|exchange| exchange.request_body().len())) }
}

unsafe fn length(transaction: *mut Transaction, of: impl FnOnce(&Request) -> Option<usize>) -> usize {
    let mut length = 0;
    let measure = |request: &mut Request| {
        length = of(request).unwrap_or(0);
        DONE
    };
    // SAFETY: as the caller says.
    unsafe { with(transaction, measure) };
    length
}
