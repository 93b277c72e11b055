//! What the library hands over: memory of `malloc`, which the host frees.

use super::super::memory;
use modsecurity::{ModSecurityIntervention, Transaction, msc_intervention, msc_intervention_cleanup};
use std::ffi::{CStr, c_char, c_int};
use std::ptr;

/// Makes a call that may hand over a text; the places where Rust has allocated meanwhile.
pub fn looking<T>(call: impl FnOnce() -> T) -> (T, Vec<usize>) {
    memory::left_behind(call)
}

/// Reads a text that was handed over; none if it is null.
pub fn text(text: *const c_char, of_rust: &[usize]) -> Option<Vec<u8>> {
    if text.is_null() {
        return None;
    }
    assert!(!of_rust.contains(&text.addr()), "a host would free what is not of `malloc`");
    // SAFETY: a text that ends with a zero, which nobody has freed.
    Some(unsafe { CStr::from_ptr(text) }.to_bytes().to_vec())
}

/// Frees a text as a host does.
pub fn free(text: *const c_char) {
    // SAFETY: it was handed over, and is freed once.
    unsafe { libc::free(text.cast_mut().cast()) };
}

/// An intervention as the host reads it.
pub struct Told {
    pub status: c_int,
    pub url: Option<Vec<u8>>,
    pub log: Vec<u8>,
}

/// Asks whether a request is refused. `by_hand`: the host frees the texts itself.
pub fn intervention(transaction: *mut Transaction, by_hand: bool) -> Option<Told> {
    let (url, log) = (ptr::null_mut(), ptr::null_mut());
    let mut filled = ModSecurityIntervention { status: 200, pause: -1, url, log, disruptive: -1 };
    // SAFETY: a handle or null, and a place.
    let (answer, of_rust) = looking(|| unsafe { msc_intervention(transaction, &raw mut filled) });
    if answer == 0 {
        let untouched = (filled.status, filled.pause, filled.disruptive) == (200, -1, -1);
        assert!(untouched && filled.url.is_null() && filled.log.is_null(), "nothing was to be told: {filled:?}");
        return None;
    }
    assert_eq!((answer, filled.pause, filled.disruptive), (1, 0, 1));
    let url = text(filled.url, &of_rust);
    let log = text(filled.log, &of_rust).expect("a line for the log");
    if by_hand {
        free(filled.url);
        free(filled.log);
    } else {
        for _ in 0..2 {
            // SAFETY: it was filled; what is freed is forgotten, so that a second time does nothing.
            unsafe { msc_intervention_cleanup(&raw mut filled) };
            assert!(filled.url.is_null() && filled.log.is_null());
        }
    }
    Some(Told { status: filled.status, url, log })
}
