//! Transactions: one request and its response each, in the order in which the host tells of them.

use crate::barrier::guarded;
use crate::engine::{ModSecurity, Shared};
use crate::handle::{Handle, Kind};
use crate::log_line;
use crate::metrics;
use crate::rules::{Ready, Refused};
use crate::rules_set::RulesSet;
use crate::text;
use fusewall::host::exchange::{BodyPolicy, Ends, Exchange, Refusal, RequestHead, ResponsePlan, Turn, Unread};
use fusewall::{MatchRecord, Phase};
use std::ffi::{c_char, c_int, c_void};
use std::net::{Ipv4Addr, SocketAddr};
use std::ptr;
use std::sync::Arc;

/// It was done.
pub const DONE: c_int = 1;
/// It was not done: no such handle, no text, the wrong moment, or the engine has failed.
pub const ERROR: c_int = 0;

/// What a host says that its client or its own address is, if it is none that can be read.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Bodies whose codings cannot be undone are inspected as they are, as libmodsecurity does it with all of them; limits are for the
/// rules to say.
const POLICY: BodyPolicy =
    BodyPolicy { over_limit: Unread::Refuse, coded: Unread::Pass, exhausted: None, rule_exhausted: None };

/// A transaction, as hosts hold it.
pub type Transaction = Handle<Request>;

/// A request and its response.
pub struct Request {
    rules: Arc<Ready>,
    engine: Arc<Shared>,
    /// The host's own, for its log.
    log_data: *mut c_void,
    id: Option<String>,
    pub(crate) ends: Ends,
    pub(crate) head: RequestHead,
    /// The host name of log lines, if it is another than the request names.
    pub(crate) hostname: Option<String>,
    pub(crate) response_headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// What becomes of the response body, once the response's head is known.
    pub(crate) plan: Option<ResponsePlan>,
    /// The status that the client gets, as far as the host has said so.
    pub(crate) status: Option<u16>,
    /// From phase 1 on.
    exchange: Option<Exchange>,
    /// What of the request body has come.
    pub(crate) body: Given,
    /// The phase that was run last; 0: none.
    reached: u8,
    /// Match records that were looked at for the log.
    seen: usize,
    /// The match that has refused the request.
    pub(crate) refused_by: Option<MatchRecord>,
    /// The host knows that the request is refused.
    pub(crate) told: bool,
    /// A call has panicked: nothing here can be relied on.
    pub(crate) broken: bool,
}

/// What a host has given of a request body.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// Bytes.
    pub(crate) bytes: u64,
    /// A file was named.
    pub(crate) from_file: bool,
    /// It is known why there may be less than there should: a limit, a refusal, or a file that cannot be read.
    pub(crate) ended: bool,
}

impl Kind for Request {
    const TAG: u64 = 0xd32e_8a05_714b_c9f6;
}

impl Request {
    /// Whether what belongs to a phase can still be told.
    pub(crate) fn is_before(&self, phase: Phase) -> bool {
        self.reached < phase.number()
    }

    /// What the engine knows so far, if it knows anything.
    pub(crate) fn so_far(&self) -> Option<&Exchange> {
        self.exchange.as_ref()
    }

    /// The exchange; phase 1 runs with what has been told if it has not yet.
    pub(crate) fn exchange(&mut self) -> &mut Exchange {
        if self.exchange.is_none() {
            let waf = &self.rules.waf;
            let mut exchange = match &self.id {
                Some(id) => Exchange::with_id(waf, id, self.ends, POLICY),
                None => Exchange::new(waf, self.ends, POLICY),
            };
            exchange.begin(&self.head);
            self.exchange = Some(exchange);
            self.run(Phase::RequestHeaders);
        }
        // It is there: this makes nothing.
        self.exchange.get_or_insert_with(|| Exchange::new(&self.rules.waf, self.ends, POLICY))
    }

    /// Runs the phase that was started to its end, and tells the host what has matched.
    pub(crate) fn run(&mut self, phase: Phase) {
        self.reached = phase.number();
        let Some(exchange) = &mut self.exchange else { return };
        while exchange.step(u64::MAX) == Turn::Pending {}
        let (records, seen) = exchange.logged_records(self.seen);
        self.seen = seen;
        for record in records {
            // The match that ends a request is for `msc_intervention` to tell.
            if record.action.is_some() && self.refused_by.is_none() {
                self.refused_by = Some(record);
            } else {
                self.engine.log(self.log_data, self.line_of(&record, None).as_bytes());
            }
        }
    }

    /// The log line of a match; the status is that of a refusal.
    pub(crate) fn line_of(&self, record: &MatchRecord, refused: Option<u16>) -> String {
        let loaded = self.rules.waf.loaded();
        let rule = loaded.program().ruleset.rules.iter().find(|rule| rule.id == record.rule);
        log_line::of_match(record, rule, self.hostname.as_deref(), refused)
    }

    /// Everything is known: runs phase 5 and writes the audit record.
    fn end(&mut self) {
        self.exchange().finish();
        self.run(Phase::Logging);
        let Some(exchange) = &mut self.exchange else { return };
        let refused = exchange.refusal().map(|refusal| match refusal {
            Refusal::Page(status) | Refusal::Redirect { status, .. } => *status,
            Refusal::Drop => log_line::DROPPED,
        });
        let status = self.status.or(refused).unwrap_or(0);
        exchange.answered(status);
        if let Some(audit) = self.rules.audit.as_ref().filter(|_| exchange.is_relevant(status)) {
            audit.write(|| {
                let mut record = exchange.audit_record(status)?;
                record.connector = self.engine.connector().to_string();
                Some(record)
            });
        }
    }
}

/// Does something with a transaction of the host. If that panics the transaction is broken from then on: every call answers an error,
/// and `msc_intervention` refuses the request.
///
/// # Safety
/// `pointer` is null or a handle of this library that nobody else uses meanwhile.
pub unsafe fn with(pointer: *mut Transaction, call: impl FnOnce(&mut Request) -> c_int) -> c_int {
    guarded(ERROR, || {
        // SAFETY: as the caller says.
        let Some(request) = (unsafe { Handle::own(pointer) }).filter(|request| !request.broken) else { return ERROR };
        request.broken = true;
        let answer = call(request);
        request.broken = false;
        answer
    })
}

/// Begins a transaction with the rules as they are now. Null if that is not possible: a host that goes on all the same is told by
/// [`msc_intervention`](crate::msc_intervention) to refuse the request. `log_data` comes back with each line of the log.
///
/// # Safety
/// `engine` and `rules` are null or handles of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_new_transaction(
    engine: *mut ModSecurity,
    rules: *mut RulesSet,
    log_data: *mut c_void,
) -> *mut Transaction {
    // SAFETY: as the host promises.
    unsafe { begin(engine, rules, None, log_data) }
}

/// Begins a transaction whose id the host has chosen.
///
/// # Safety
/// As [`msc_new_transaction`]; `id` is null or a text that ends with a zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_new_transaction_with_id(
    engine: *mut ModSecurity,
    rules: *mut RulesSet,
    id: *const c_char,
    log_data: *mut c_void,
) -> *mut Transaction {
    // SAFETY: as the host promises.
    unsafe {
        let id = text::bytes(id).map(|id| String::from_utf8_lossy(id).into_owned());
        begin(engine, rules, id.filter(|id| !id.is_empty()), log_data)
    }
}

unsafe fn begin(
    engine: *mut ModSecurity,
    rules: *mut RulesSet,
    id: Option<String>,
    log_data: *mut c_void,
) -> *mut Transaction {
    guarded(ptr::null_mut(), || {
        // SAFETY: as the host promises.
        let (Some(engine), Some(rules)) = (unsafe { (Handle::shared(engine), Handle::shared(rules)) }) else {
            return ptr::null_mut();
        };
        let engine = engine.shared().clone();
        let rules = match rules.for_request() {
            Ok(rules) => rules,
            Err(Refused(problem)) => {
                metrics::count(None);
                engine.log(log_data, format!("ModSecurity: no request can be inspected. {problem}").as_bytes());
                return ptr::null_mut();
            }
        };
        Handle::lend(Request {
            rules,
            engine,
            log_data,
            id,
            ends: Ends { client: NOWHERE, server: NOWHERE },
            head: RequestHead::default(),
            hostname: None,
            response_headers: Vec::new(),
            plan: None,
            status: None,
            exchange: None,
            body: Given::default(),
            reached: 0,
            seen: 0,
            refused_by: None,
            told: false,
            broken: false,
        })
    })
}

/// The exchange is over: runs phase 5, which never refuses, and writes the audit record. Once.
///
/// # Safety
/// `transaction` is null or a handle of this library that nobody else uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_process_logging(transaction: *mut Transaction) -> c_int {
    let log = |request: &mut Request| {
        if !request.is_before(Phase::Logging) {
            return ERROR;
        }
        request.end();
        DONE
    };
    // SAFETY: as the host promises.
    unsafe { with(transaction, log) }
}

/// The client got this status in the end: what the audit log shows, and what makes a transaction relevant for it.
///
/// # Safety
/// As [`msc_process_logging`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_update_status_code(transaction: *mut Transaction, status: c_int) -> c_int {
    let note = |request: &mut Request| match u16::try_from(status) {
        Ok(status) => {
            request.status = Some(status);
            DONE
        }
        Err(_) => ERROR,
    };
    // SAFETY: as the host promises.
    unsafe { with(transaction, note) }
}

/// Gives a transaction back.
///
/// # Safety
/// `transaction` is null or a handle of this library, which the host does not use any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_transaction_cleanup(transaction: *mut Transaction) {
    guarded((), || {
        // SAFETY: as the host promises.
        if let Some(request) = unsafe { Handle::release(transaction) } {
            metrics::count(Some(&request));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intervention::{ModSecurityIntervention, msc_intervention, msc_intervention_cleanup};
    use crate::{msc_cleanup, msc_create_rules_set, msc_init, msc_process_request_headers, msc_rules_cleanup};

    /// A panic is a refusal, then and later: whatever comes, the host is never told that the request may pass.
    #[test]
    fn a_panic_breaks_the_transaction_and_nothing_else() {
        let (engine, rules) = (msc_init(), msc_create_rules_set());
        // SAFETY: all are handles, and given back once.
        unsafe {
            let broken = msc_new_transaction(engine, rules, ptr::null_mut());
            let other = msc_new_transaction(engine, rules, ptr::null_mut());
            assert_eq!(with(broken, |_| panic!("on purpose")), ERROR);
            assert_eq!(msc_process_request_headers(broken), ERROR);
            for _ in 0..2 {
                let (url, log) = (ptr::null_mut(), ptr::null_mut());
                let mut told = ModSecurityIntervention { status: 200, pause: 0, url, log, disruptive: 0 };
                assert_eq!(msc_intervention(broken, &raw mut told), 1);
                assert_eq!((told.status, told.disruptive), (500, 1));
                msc_intervention_cleanup(&raw mut told);
            }
            assert_eq!((msc_process_request_headers(other), msc_intervention(other, ptr::null_mut())), (DONE, 0));
            [broken, other].into_iter().for_each(|transaction| msc_transaction_cleanup(transaction));
            msc_rules_cleanup(rules);
            msc_cleanup(engine);
        }
    }
}
