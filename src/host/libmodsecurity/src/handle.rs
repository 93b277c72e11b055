//! What hosts hold: pointers to things whose kind is written at their beginning, so that a wrong one is recognised.

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is written where a handle was that has been given back.
const GONE: u64 = 0;

/// A kind of thing that hosts hold.
pub trait Kind {
    /// What is written at the beginning of each: random, so that nothing else looks like it.
    const TAG: u64;
}

/// A thing that a host holds.
#[repr(C)]
#[derive(Debug)]
pub struct Handle<T> {
    tag: AtomicU64,
    value: T,
}

impl<T: Kind> Handle<T> {
    /// Hands a thing over to the host, which gives it back with [`release`](Self::release).
    pub fn lend(value: T) -> *mut Self {
        Box::into_raw(Box::new(Handle { tag: AtomicU64::new(T::TAG), value }))
    }

    /// What a pointer of the host points to, if it is of this kind.
    ///
    /// # Safety
    /// The pointer is null, or one that this library has handed out, of any kind; nothing frees it meanwhile. One that was given
    /// back is recognised as long as its memory has not been used for something else: hosts must not count on that.
    pub unsafe fn shared<'a>(pointer: *const Self) -> Option<&'a T> {
        if !Self::could_be(pointer) {
            return None;
        }
        // SAFETY: everything that this library hands out begins with a tag, and the caller says that it is such a thing.
        let tag = unsafe { &*ptr::addr_of!((*pointer).tag) };
        if tag.load(Ordering::Relaxed) != T::TAG {
            return None;
        }
        // SAFETY: the tag says what it is.
        Some(unsafe { &(*pointer).value })
    }

    /// The same, to change it.
    ///
    /// # Safety
    /// As [`shared`](Self::shared), and nobody else uses it meanwhile: libmodsecurity wants the same of its hosts.
    pub unsafe fn own<'a>(pointer: *mut Self) -> Option<&'a mut T> {
        // SAFETY: as the caller says.
        unsafe { Self::shared(pointer) }?;
        // SAFETY: it is what it should be, and the caller says that nobody else uses it.
        Some(unsafe { &mut (*pointer).value })
    }

    /// Takes a thing back from the host.
    ///
    /// # Safety
    /// As [`own`](Self::own), and the host does not use it any more.
    pub unsafe fn release(pointer: *mut Self) -> Option<T> {
        // SAFETY: as the caller says.
        unsafe { Self::shared(pointer) }?;
        // SAFETY: it is of this kind, so it was made by `lend`, and nobody uses it any more.
        let mut handle = unsafe { Box::from_raw(pointer) };
        // Written although nobody will read it by right: whoever uses the pointer all the same shall be recognised.
        // SAFETY: a valid place of our own.
        unsafe { ptr::write_volatile(handle.tag.as_ptr(), GONE) };
        *handle.tag.get_mut() = GONE;
        Some(handle.value)
    }

    fn could_be(pointer: *const Self) -> bool {
        !pointer.is_null() && pointer.is_aligned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Cat(u32);
    struct Dog;

    impl Kind for Cat {
        const TAG: u64 = 1;
    }
    impl Kind for Dog {
        const TAG: u64 = 2;
    }

    #[test]
    fn a_handle_of_another_kind_is_recognised() {
        let cat = Handle::lend(Cat(7));
        // SAFETY: all pointers are null or were handed out.
        unsafe {
            assert_eq!(Handle::shared(cat).map(|cat: &Cat| cat.0), Some(7));
            assert!(Handle::<Dog>::shared(cat.cast()).is_none());
            assert!(Handle::<Cat>::shared(ptr::null()).is_none());
            assert!(Handle::<Cat>::own(cat.byte_add(1)).is_none());
            assert!(Handle::<Dog>::release(cat.cast()).is_none());
            assert_eq!(Handle::release(cat).map(|cat| cat.0), Some(7));
        }
    }
}
