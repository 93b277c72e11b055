//! Name server look-ups for `@rbl`, off the request path.
//!
//! An evaluation never waits: a name that is not known yet is no match, is noted in the verdict and is asked for in the background, so
//! that the next request from the same address finds the answer. A list that does not answer is noted, too: it has not said "no". Answers are kept for a while, in a table of bounded size.

use crate::engine::{Answer, Resolver};
use std::collections::HashMap;
use std::io;
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
/// How long nobody is asked again where nobody answers.
const RETRY: Duration = Duration::from_secs(5);

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
        Self::with(|name| match (name, 0).to_socket_addrs() {
            Ok(mut addresses) => Ok(addresses.next().map(|address| address.ip())),
            Err(problem) if is_no_such_name(&problem) => Ok(None),
            Err(problem) => Err(problem),
        })
    }

    /// Asks `ask`, which answers the first address of a name, `None` if it has none, or an error if nobody knows: then the name is
    /// not taken for one that is not listed, and is asked for again soon. The thread ends with this value.
    pub fn with(ask: impl Fn(&str) -> io::Result<Option<IpAddr>> + Send + 'static) -> Self {
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

/// Whether an error of the system's resolver says that there is no such name. The standard library hands on nothing but the words of
/// `gai_strerror`: those of EAI_NONAME and EAI_NODATA by glibc, musl and the BSDs. Anything else is no answer.
fn is_no_such_name(problem: &io::Error) -> bool {
    const WORDS: [&str; 6] = [
        "Name or service not known",
        "No address associated with hostname",
        "Name does not resolve",
        "Name has no usable address",
        "nodename nor servname provided",
        "no address associated with name",
    ];
    let told = problem.to_string();
    WORDS.iter().any(|words| told.contains(words))
}

fn answer_all(names: &Receiver<Box<str>>, table: &RwLock<Table>, ask: impl Fn(&str) -> io::Result<Option<IpAddr>>) {
    while let Ok(name) = names.recv() {
        let known = table.read().is_ok_and(|table| table.get(&name).is_some_and(|(_, until)| *until > Instant::now()));
        if known {
            continue;
        }
        keep(table, name.clone(), State::Asked);
        // Lists answer with an address of 127.0.0.0/8 (RFC 5782, 2.1); a resolver that answers everything does not.
        let answer = match ask(&name) {
            Ok(Some(IpAddr::V4(address))) if address.is_loopback() => Answer::Listed(address),
            Ok(_) => Answer::NotListed,
            Err(_) => Answer::Unavailable,
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
    let lifetime = if matches!(state, State::Known(Answer::Unavailable)) { RETRY } else { LIFETIME };
    table.insert(name, (state, now + lifetime));
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
            "listed" => Ok(Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)))),
            "hijacked" => Ok(Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)))),
            "lost" => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(None),
        });
        assert_eq!(look_ups.answer("listed"), Answer::Unknown);
        assert_eq!(soon(&look_ups, "listed"), Answer::Listed(Ipv4Addr::new(127, 0, 0, 2)));
        assert_eq!(soon(&look_ups, "hijacked"), Answer::NotListed);
        assert_eq!(soon(&look_ups, "other"), Answer::NotListed);
        assert_eq!(soon(&look_ups, "lost"), Answer::Unavailable);
    }

    #[test]
    fn a_resolver_that_fails_is_not_one_that_knows_no_such_name() {
        let told = |words: &str| io::Error::other(format!("failed to lookup address information: {words}"));
        assert!(is_no_such_name(&told("Name or service not known")));
        assert!(!is_no_such_name(&told("Temporary failure in name resolution")));
        assert!(!is_no_such_name(&io::ErrorKind::TimedOut.into()));
    }
}
