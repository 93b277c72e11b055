//! Texts that cross the border: read where the host has them, handed over in memory of its own allocator.

use std::ffi::{CStr, c_char};
use std::{ptr, slice};

/// Bytes of a text of the host that ends with a zero; none if there is none.
///
/// # Safety
/// The pointer is null, or that of a text which ends with a zero and stays as it is meanwhile.
pub unsafe fn bytes<'a>(text: *const c_char) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    // SAFETY: as the caller says.
    Some(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// `length` bytes of the host; none if there is a length and no pointer.
///
/// # Safety
/// The pointer is null, or that of so many bytes, which stay as they are meanwhile.
pub unsafe fn counted<'a>(start: *const u8, length: usize) -> Option<&'a [u8]> {
    match (start.is_null(), length) {
        (_, 0) => Some(&[]),
        (true, _) => None,
        // SAFETY: as the caller says; no object is larger than `isize::MAX` bytes.
        (false, _) if isize::try_from(length).is_ok() => Some(unsafe { slice::from_raw_parts(start, length) }),
        (false, _) => None,
    }
}

/// A copy of a text that the host frees with `free`; null if there is no memory. It ends at the first zero.
pub fn handed_over(text: &[u8]) -> *mut c_char {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    // SAFETY: any size may be asked for.
    let copy = unsafe { libc::malloc(text.len() + 1) }.cast::<u8>();
    if !copy.is_null() {
        // SAFETY: there is room for the text and its end, and the places do not overlap.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), copy, text.len());
            *copy.add(text.len()) = 0;
        }
    }
    copy.cast()
}

/// Frees what was handed over.
///
/// # Safety
/// The pointer is null, or one of [`handed_over`] that has not been freed.
pub unsafe fn free(text: *mut c_char) {
    // SAFETY: it is of the same allocator.
    unsafe { libc::free(text.cast()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_end_at_the_first_zero() {
        for (text, copied) in [(&b"text"[..], &b"text"[..]), (b"", b""), (b"te\0xt", b"te")] {
            let copy = handed_over(text);
            // SAFETY: it was handed over, and is freed once.
            unsafe {
                assert_eq!(bytes(copy), Some(copied));
                free(copy);
            }
        }
    }

    #[test]
    fn bytes_that_are_not_there() {
        // SAFETY: null is allowed.
        unsafe {
            assert_eq!(bytes(ptr::null()), None);
            assert_eq!(counted(ptr::null(), 0), Some(&b""[..]));
            assert_eq!(counted(ptr::null(), 1), None);
        }
    }
}
