//! Rules sets as hosts hold them.

use crate::barrier::guarded;
use crate::handle::{Handle, Kind};
use crate::metrics;
use crate::rules::{Ready, Refused, Rules};
use crate::text;
use arc_swap::ArcSwapOption;
use std::ffi::{c_char, c_int};
use std::fmt::Write;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The last holder of rules waits so long for the records of their audit log.
const FLUSH: Duration = Duration::from_secs(2);

/// What is answered instead of a number of rules.
const FAILED: c_int = -1;

/// A rules set, as hosts hold it.
pub type RulesSet = Handle<Set>;

/// The rules of a context, while they are read and when they are ready.
#[derive(Debug, Default)]
pub struct Set {
    rules: Mutex<Rules>,
    /// What new transactions take: no lock stands before it.
    ready: ArcSwapOption<Ready>,
}

impl Kind for Set {
    const TAG: u64 = 0x47d0_92be_f318_6ca1;
}

impl Set {
    /// What a new transaction passes. Compiles, if nobody has merged the rules with others before.
    pub(crate) fn for_request(&self) -> Result<Arc<Ready>, Refused> {
        match self.ready.load_full() {
            Some(ready) => Ok(ready),
            None => {
                let ready = self.rules().ready()?;
                self.ready.store(Some(ready.clone()));
                Ok(ready)
            }
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Rules) -> Result<T, Refused>) -> Result<T, Refused> {
        let changed = change(&mut self.rules())?;
        self.ready.store(None);
        Ok(changed)
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a rules set without rules.
#[unsafe(no_mangle)]
pub extern "C" fn msc_create_rules_set() -> *mut RulesSet {
    guarded(ptr::null_mut(), || Handle::lend(Set::default()))
}

/// Adds rules from a file. Answers how many, or -1 and what is wrong; the rules set is as before then.
///
/// # Safety
/// `set` is null or a handle of this library; `path` is null or a text that ends with a zero; `error` is null or a place for a
/// pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_rules_add_file(
    set: *mut RulesSet,
    path: *const c_char,
    error: *mut *const c_char,
) -> c_int {
    // SAFETY: as the host promises.
    unsafe { add(set, path, error, |rules, path| rules.add_file(path)) }
}

/// Adds rules from a text. Answers how many, or -1 and what is wrong; the rules set is as before then.
///
/// # Safety
/// As [`msc_rules_add_file`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_rules_add(set: *mut RulesSet, rules: *const c_char, error: *mut *const c_char) -> c_int {
    // SAFETY: as the host promises.
    unsafe { add(set, rules, error, |rules, text| rules.add_text(text)) }
}

/// Rules of a server elsewhere are refused: a host would wait for it while it starts.
///
/// # Safety
/// As [`msc_rules_add_file`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_rules_add_remote(
    set: *mut RulesSet,
    _key: *const c_char,
    uri: *const c_char,
    error: *mut *const c_char,
) -> c_int {
    let refuse = |_: &mut Rules, uri: &str| -> Result<usize, Refused> {
        let message =
            "rules are not fetched while the host starts (download the file, check it, and name it as a file)";
        Err(Refused(format!("Rules error. `{uri}`: {message}.")))
    };
    // SAFETY: as the host promises.
    unsafe { add(set, uri, error, refuse) }
}

/// Nests the rules of `set` in those of `around`, and compiles the whole. As in libmodsecurity the rules of `set` run first, and what
/// it says itself counts more. Answers how many rules came to it, or -1 and what is wrong.
///
/// # Safety
/// `set` and `around` are null or handles of this library; `error` is null or a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_rules_merge(
    set: *mut RulesSet,
    around: *mut RulesSet,
    error: *mut *const c_char,
) -> c_int {
    let merged = guarded(Err(panicked()), || {
        // SAFETY: as the host promises.
        let (Some(inner), Some(outer)) = (unsafe { (Handle::shared(set), Handle::shared(around)) }) else {
            return Err(no_handle());
        };
        if ptr::eq(set, around) {
            return Err(Refused("Rules error. A rules set cannot be merged with itself.".to_owned()));
        }
        // Nobody takes the two the other way round: contexts stand in each other one way only.
        let added = inner.change(|rules| rules.nest_in(&mut outer.rules()))?;
        inner.for_request()?;
        Ok(added)
    });
    // SAFETY: as the host promises.
    unsafe { answer(merged, error) }
}

/// Writes the rules to the standard output, one a line: id, phase, place.
///
/// # Safety
/// `set` is null or a handle of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_rules_dump(set: *mut RulesSet) {
    guarded((), || {
        // SAFETY: as the host promises.
        let Some(set) = (unsafe { Handle::shared(set) }) else { return };
        let mut text = String::new();
        match set.for_request() {
            Ok(ready) => {
                for rule in &ready.waf.loaded().program().ruleset.rules {
                    let _ = writeln!(text, "{} phase {} {}:{}", rule.id, rule.phase.number(), rule.file, rule.line);
                }
            }
            Err(Refused(problem)) => text = problem + "\n",
        }
        // Nobody may be there to read it.
        let _ = std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes());
    });
}

/// Gives a rules set back; answers 0. Transactions that have begun with it go on.
///
/// # Safety
/// `set` is null or a handle of this library, which the host does not use any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_rules_cleanup(set: *mut RulesSet) -> c_int {
    guarded(FAILED, || {
        // SAFETY: as the host promises.
        let Some(set) = (unsafe { Handle::release(set) }) else { return FAILED };
        if let Some(audit) = set.ready.load_full().and_then(|ready| ready.audit.clone()) {
            audit.flush(FLUSH);
        }
        metrics::flush();
        0
    })
}

/// Frees an error text.
///
/// # Safety
/// `error` is null or a text that a function of this library has put into its place for errors.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_rules_error_cleanup(error: *const c_char) {
    // SAFETY: as the host promises.
    unsafe { text::free(error.cast_mut()) };
}

unsafe fn add(
    set: *mut RulesSet,
    text: *const c_char,
    error: *mut *const c_char,
    add: impl FnOnce(&mut Rules, &str) -> Result<usize, Refused>,
) -> c_int {
    let added = guarded(Err(panicked()), || {
        // SAFETY: as the host promises.
        let (set, text) = unsafe { (Handle::shared(set), text::bytes(text)) };
        let (Some(set), Some(text)) = (set, text) else { return Err(no_handle()) };
        let Ok(text) = str::from_utf8(text) else {
            let message = "Rules error. This is not UTF-8: put the rules into a file and name that, or convert them.";
            return Err(Refused(message.to_owned()));
        };
        set.change(|rules| add(rules, text))
    });
    // SAFETY: as the host promises.
    unsafe { answer(added, error) }
}

/// The number of rules, or -1 and the reason.
unsafe fn answer(result: Result<usize, Refused>, error: *mut *const c_char) -> c_int {
    match result {
        Ok(rules) => c_int::try_from(rules).unwrap_or(c_int::MAX),
        Err(Refused(problem)) => {
            if !error.is_null() {
                // SAFETY: as the host promises.
                unsafe { *error = text::handed_over(problem.as_bytes()) };
            }
            FAILED
        }
    }
}

fn no_handle() -> Refused {
    Refused("Rules error. There is no rules set, or no text, where the host points to.".to_owned())
}

fn panicked() -> Refused {
    Refused("Rules error. The engine has failed: this is a fault of Fusewall, please report it.".to_owned())
}
