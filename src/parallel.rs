//! Work on many things at once, when a ruleset is loaded. What comes out does not depend on which thread was faster.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// As many threads as there are processors for them.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Does something with each item, on at most `threads` threads; each thread has some memory for it. The results stand in the order of the items, whichever thread was
/// faster; `None` where the work has panicked.
pub fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T, &mut Vec<u8>) -> R + Sync,
) -> Vec<Option<R>> {
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    let one = || {
        let mut scratch = Vec::new();
        while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed))
            && let (Some(item), Some(slot)) = (items.get(at), done.get(at))
        {
            let result = work(item, &mut scratch);
            if let Ok(mut slot) = slot.lock() {
                *slot = Some(result);
            }
        }
    };
    if threads <= 1 {
        one();
    } else {
        std::thread::scope(|scope| {
            (0..threads.min(items.len().max(1))).for_each(|_| {
                scope.spawn(one);
            });
        });
    }
    done.into_iter().map(|slot| slot.into_inner().ok().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::in_parallel;

    #[test]
    fn results_stand_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..100).collect();
        for threads in [0, 1, 3] {
            let doubled = in_parallel(&items, threads, |item, scratch| {
                scratch.push(1);
                2 * item
            });
            assert!(doubled.iter().enumerate().all(|(at, double)| *double == Some(2 * at)));
        }
        assert!(in_parallel(&[] as &[u8], 2, |_, _| ()).is_empty());
    }
}
