//! The locks and pointers of the swap protocol: those of the standard library and of `arc_swap`.
//!
//! In a build with `--cfg fusewall_model` they are those of `shuttle`, which decides before each step of a thread whose turn it is: so
//! `tests/swap_model` goes through interleavings that real threads meet once in a million swaps. What a request does beside the
//! protocol, counters and pools, stays with the standard library.

#[cfg(not(fusewall_model))]
pub use arc_swap::{ArcSwap, ArcSwapOption};
#[cfg(fusewall_model)]
pub use model::{ArcSwap, ArcSwapOption};
#[cfg(fusewall_model)]
pub use shuttle::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
#[cfg(fusewall_model)]
pub use shuttle::sync::{Mutex, MutexGuard};
#[cfg(not(fusewall_model))]
pub use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
#[cfg(not(fusewall_model))]
pub use std::sync::{Mutex, MutexGuard};

#[cfg(fusewall_model)]
mod model {
    //! What a pointer that is swapped does, as far as anybody can see: it is read and written whole.

    use shuttle::sync::Mutex;
    use std::sync::{Arc, PoisonError};

    /// Like `arc_swap::ArcSwap`.
    #[derive(Debug)]
    pub struct ArcSwap<T>(Mutex<Arc<T>>);

    impl<T> ArcSwap<T> {
        pub fn from_pointee(value: T) -> Self {
            ArcSwap(Mutex::new(Arc::new(value)))
        }

        pub fn load(&self) -> Arc<T> {
            self.load_full()
        }

        pub fn load_full(&self) -> Arc<T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }

        pub fn store(&self, value: Arc<T>) {
            // What was there goes when nobody has to wait for it.
            let _before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), value);
        }
    }

    /// Like `arc_swap::ArcSwapOption`.
    #[derive(Debug)]
    pub struct ArcSwapOption<T>(Mutex<Option<Arc<T>>>);

    impl<T> ArcSwapOption<T> {
        pub fn empty() -> Self {
            ArcSwapOption(Mutex::new(None))
        }

        pub fn load(&self) -> Option<Arc<T>> {
            self.load_full()
        }

        pub fn load_full(&self) -> Option<Arc<T>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }

        pub fn store(&self, value: Option<Arc<T>>) {
            let _before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), value);
        }
    }

    impl<T> Default for ArcSwapOption<T> {
        fn default() -> Self {
            ArcSwapOption::empty()
        }
    }
}
