//! Name server look-ups for `@rbl`, off the request path.
//!
//! An evaluation never waits: a name that is not known yet is no match, is noted in the verdict and is asked for in the background, so
//! that the next request from the same address finds the answer. Answers are kept for a while, in a table of bounded size.

use crate::engine::{Answer, Resolver};
use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

/// Names that wait to be asked for; more are left for a later request.
const WAITING: usize = 1024;
/// Answers that are kept.
const KEPT: usize = 65_536;
/// How long an answer is kept.
const LIFETIME: Duration = Duration::from_secs(300);

/// What is known of a name.
#[derive(Debug, Clone, Copy)]
enum State {
    Asked,
    Known(Answer),
}

type Table = HashMap<Box<str>, (State, Instant)>;

/// Block lists as the system's resolver sees them, asked by one thread in the background.
///
/// ```no_run
/// let waf = fusewall::Waf::builder().rules_path("rules").resolver(fusewall::host::NameLookUps::system()).build();
/// ```
#[derive(Debug)]
pub struct NameLookUps {
    table: Arc<RwLock<Table>>,
    waiting: SyncSender<Box<str>>,
}

impl NameLookUps {
    /// Asks the system's resolver.
    pub fn system() -> Self {
        Self::with(|name| (name, 0).to_socket_addrs().ok()?.next().map(|address| address.ip()))
    }

    /// Asks `ask`, which answers the first address of a name. The thread ends with this value.
    pub fn with(ask: impl Fn(&str) -> Option<IpAddr> + Send + 'static) -> Self {
        let table = Arc::new(RwLock::new(Table::new()));
        let (waiting, names) = sync_channel(WAITING);
        let answers = table.clone();
        std::thread::spawn(move || answer_all(&names, &answers, ask));
        NameLookUps { table, waiting }
    }
}

impl Resolver for NameLookUps {
    fn answer(&self, name: &str) -> Answer {
        let now = Instant::now();
        // A table that is being written is not waited for.
        let Ok(table) = self.table.try_read() else { return Answer::Unknown };
        match table.get(name) {
            Some((State::Known(answer), until)) if *until > now => return *answer,
            Some((State::Asked, until)) if *until > now => return Answer::Unknown,
            _ => {}
        }
        drop(table);
        // A full queue means that the name is asked for with a later request.
        let _ = self.waiting.try_send(name.into());
        Answer::Unknown
    }
}

fn answer_all(names: &Receiver<Box<str>>, table: &RwLock<Table>, ask: impl Fn(&str) -> Option<IpAddr>) {
    while let Ok(name) = names.recv() {
        let known = table.read().is_ok_and(|table| table.get(&name).is_some_and(|(_, until)| *until > Instant::now()));
        if known {
            continue;
        }
        keep(table, name.clone(), State::Asked);
        // Lists answer with an address of 127.0.0.0/8 (RFC 5782, 2.1); a resolver that answers everything does not.
        let answer = match ask(&name) {
            Some(IpAddr::V4(address)) if address.is_loopback() => Answer::Listed(address),
            _ => Answer::NotListed,
        };
        keep(table, name, State::Known(answer));
    }
}

fn keep(table: &RwLock<Table>, name: Box<str>, state: State) {
    let now = Instant::now();
    let Ok(mut table) = table.write() else { return };
    if table.len() >= KEPT && !table.contains_key(&name) {
        table.retain(|_, (_, until)| *until > now);
        // All of them are fresh: an arbitrary half makes room.
        let mut keep = false;
        if table.len() >= KEPT {
            table.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
    }
    table.insert(name, (state, now + LIFETIME));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn soon(look_ups: &NameLookUps, name: &str) -> Answer {
        for _ in 0..500 {
            match look_ups.answer(name) {
                Answer::Unknown => std::thread::sleep(Duration::from_millis(10)),
                answer => return answer,
            }
        }
        Answer::Unknown
    }

    #[test]
    fn the_first_answer_is_unknown_and_a_later_one_is_not() {
        let look_ups = NameLookUps::with(|name| match name {
            "listed" => Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))),
            "hijacked" => Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1))),
            _ => None,
        });
        assert_eq!(look_ups.answer("listed"), Answer::Unknown);
        assert_eq!(soon(&look_ups, "listed"), Answer::Listed(Ipv4Addr::new(127, 0, 0, 2)));
        assert_eq!(soon(&look_ups, "hijacked"), Answer::NotListed);
        assert_eq!(soon(&look_ups, "other"), Answer::NotListed);
    }
}
