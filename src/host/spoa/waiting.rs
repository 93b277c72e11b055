//! Transactions between their request and their response: so many, for so long.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What waits, by the ids of transactions.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    shelf: Mutex<Shelf<T>>,
    most: usize,
    lifetime: Duration,
}

#[derive(Debug)]
struct Shelf<T> {
    kept: HashMap<String, Kept<T>>,
    /// The oldest first; also those that were taken meanwhile.
    order: VecDeque<(Instant, u64, String)>,
    /// Numbers all that was ever kept.
    next: u64,
}

#[derive(Debug)]
struct Kept<T> {
    number: u64,
    what: T,
}

impl<T> Waiting<T> {
    pub(super) fn new(most: usize, lifetime: Duration) -> Self {
        let shelf = Shelf { kept: HashMap::new(), order: VecDeque::new(), next: 0 };
        Waiting { shelf: Mutex::new(shelf), most, lifetime }
    }

    /// Keeps something until it is asked for.
    ///
    /// # Errors
    /// There is no place: it is given back.
    pub(super) fn keep(&self, id: &str, what: T, now: Instant) -> Result<Option<T>, T> {
        let mut shelf = self.lock();
        if shelf.kept.len() >= self.most && !shelf.kept.contains_key(id) {
            return Err(what);
        }
        let number = shelf.next;
        shelf.next += 1;
        shelf.order.push_back((now, number, id.to_owned()));
        let before = shelf.kept.insert(id.to_owned(), Kept { number, what });
        shelf.tidy(self.most);
        Ok(before.map(|kept| kept.what))
    }

    /// What was kept under this id.
    pub(super) fn take(&self, id: &str) -> Option<T> {
        self.lock().kept.remove(id).map(|kept| kept.what)
    }

    /// Gives back what nobody has asked for in time.
    pub(super) fn expired(&self, now: Instant) -> Vec<T> {
        let mut shelf = self.lock();
        let mut expired = Vec::new();
        while shelf.order.front().is_some_and(|(kept, ..)| now.saturating_duration_since(*kept) >= self.lifetime) {
            let Some((_, number, id)) = shelf.order.pop_front() else { break };
            if shelf.is_kept(&id, number) {
                expired.extend(shelf.kept.remove(&id).map(|kept| kept.what));
            }
        }
        expired
    }

    /// Everything, when the agent ends.
    pub(super) fn all(&self) -> Vec<T> {
        self.lock().kept.drain().map(|(_, kept)| kept.what).collect()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.lock().kept.len()
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<T>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Shelf<T> {
    fn is_kept(&self, id: &str, number: u64) -> bool {
        self.kept.get(id).is_some_and(|kept| kept.number == number)
    }

    /// Forgets the order of what was taken, once that is most of it.
    fn tidy(&mut self, most: usize) {
        if self.order.len() > most.saturating_mul(2) {
            let kept = &self.kept;
            self.order.retain(|(_, number, id)| kept.get(id).is_some_and(|kept| kept.number == *number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_for_so_long() {
        let waiting: Waiting<u32> = Waiting::new(2, Duration::from_secs(60));
        let start = Instant::now();
        assert_eq!(waiting.keep("a", 1, start), Ok(None));
        assert_eq!(waiting.keep("b", 2, start + Duration::from_secs(30)), Ok(None));
        assert_eq!(waiting.keep("c", 3, start), Err(3), "there is no place");
        assert_eq!(waiting.keep("b", 4, start + Duration::from_secs(31)), Ok(Some(2)), "the same id again");
        assert_eq!(waiting.expired(start + Duration::from_secs(59)), [0_u32; 0]);
        assert_eq!(waiting.expired(start + Duration::from_secs(60)), [1]);
        assert_eq!(waiting.expired(start + Duration::from_secs(90)), [0_u32; 0], "the second of this id is younger");
        assert_eq!((waiting.take("b"), waiting.take("b"), waiting.take("a")), (Some(4), None, None));
        assert_eq!(waiting.expired(start + Duration::from_secs(600)), [0_u32; 0]);
    }

    #[test]
    fn what_was_taken_is_forgotten() {
        let waiting: Waiting<u32> = Waiting::new(8, Duration::from_secs(60));
        for number in 0..1000 {
            let id = number.to_string();
            assert_eq!(waiting.keep(&id, number, Instant::now()), Ok(None));
            assert_eq!(waiting.take(&id), Some(number));
        }
        assert!(waiting.lock().order.len() <= 16);
        assert_eq!(waiting.keep("x", 0, Instant::now()), Ok(None));
        assert_eq!((waiting.count(), waiting.all()), (1, vec![0]));
    }
}
