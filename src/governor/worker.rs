//! Work that requests leave behind for somebody else, who has all the time in the world.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

/// What a [`Worker`] is given to do.
#[derive(Debug)]
pub enum Work<T> {
    /// Something was handed over.
    Item(T),
    /// The time between two ticks is over.
    Tick,
}

/// A thread that takes what is handed to it, one after the other, and looks up at every tick. It ends when the last handle is dropped
/// and the queue is empty; nobody waits for that.
#[derive(Debug, Clone)]
pub struct Worker<T> {
    queue: SyncSender<T>,
}

impl<T: Send + 'static> Worker<T> {
    /// Starts a worker whose queue takes so many items, with `millis` milliseconds between two ticks.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(
        name: &str,
        items: usize,
        millis: u64,
        work: impl FnMut(Work<T>) + Send + 'static,
    ) -> io::Result<Worker<T>> {
        let (queue, incoming) = sync_channel(items);
        // A model has only threads that it knows of.
        if cfg!(fusewall_model) {
            return Ok(Worker { queue });
        }
        std::thread::Builder::new().name(name.to_owned()).spawn(move || run(&incoming, millis, work))?;
        Ok(Worker { queue })
    }

    /// Hands something over, if there is room for it. Never waits.
    ///
    /// # Errors
    /// There is none: it comes back.
    pub fn hand_over(&self, item: T) -> Result<(), T> {
        self.queue.try_send(item).map_err(|refused| match refused {
            TrySendError::Full(item) | TrySendError::Disconnected(item) => item,
        })
    }
}

fn run<T>(incoming: &Receiver<T>, millis: u64, mut work: impl FnMut(Work<T>)) {
    let between = Duration::from_millis(millis.max(1));
    let mut next = Instant::now() + between;
    loop {
        let left = next.saturating_duration_since(Instant::now());
        // A queue that never runs empty must not keep the clock from ticking.
        let taken = if left.is_zero() { Err(RecvTimeoutError::Timeout) } else { incoming.recv_timeout(left) };
        match taken {
            Ok(item) => work(Work::Item(item)),
            Err(RecvTimeoutError::Timeout) => {
                work(Work::Tick);
                next = Instant::now() + between;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn it_does_what_was_handed_over_in_order_ticks_meanwhile_and_ends() {
        let (seen, told) = channel();
        let worker = Worker::start("test", 4, 1, move |work| seen.send(work).expect("somebody listens"));
        let worker = worker.expect("a thread");
        for number in 0..100 {
            let mut item = number;
            while let Err(back) = worker.hand_over(item) {
                item = back;
                std::thread::yield_now();
            }
        }
        let mut items = Vec::new();
        let mut ticks = 0;
        while items.len() < 100 || ticks == 0 {
            match told.recv().expect("the worker lives") {
                Work::Item(item) => items.push(item),
                Work::Tick => ticks += 1,
            }
        }
        assert_eq!(items, (0..100).collect::<Vec<_>>());
        drop(worker);
        // The worker lets go of what it has told with.
        while told.recv().is_ok() {}
    }

    #[test]
    fn a_full_queue_gives_back_what_it_does_not_take() {
        let (go, wait) = channel::<()>();
        let work = move |_| {
            let _ = wait.recv();
        };
        let worker = Worker::start("test", 1, 60_000, work).expect("a thread");
        let refused = (0..100).filter(|&number| worker.hand_over(number).is_err()).count();
        // One is in the queue, and one at work.
        assert!(refused >= 98, "{refused} refused");
        drop(go);
    }
}
