//! The functions as hosts call them, and as they must not: in the wrong order, with nothing, with the wrong thing.

use modsecurity::*;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io::Write;
use std::ptr;

/// An engine and its rules.
struct Host {
    engine: *mut ModSecurity,
    rules: *mut RulesSet,
}

const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecRule REQBODY_ERROR "!@eq 0" "id:1,phase:2,deny,status:400,log"
SecRule ARGS:q "@contains attack" "id:2,phase:2,deny,status:406,nolog"
SecRule RESPONSE_HEADERS:X-Leak "@rx ." "id:3,phase:3,deny,status:502"
"#;

impl Host {
    fn new(rules: &str) -> Host {
        let host = Host { engine: msc_init(), rules: msc_create_rules_set() };
        add(host.rules, rules).expect("they load");
        host
    }

    fn begin(&self) -> *mut Transaction {
        // SAFETY: both are handles.
        unsafe { msc_new_transaction(self.engine, self.rules, ptr::null_mut()) }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // SAFETY: both are handles, and not used any more.
        unsafe {
            assert_eq!(msc_rules_cleanup(self.rules), 0);
            msc_cleanup(self.engine);
        }
    }
}

fn add(set: *mut RulesSet, rules: &str) -> Result<c_int, String> {
    let (rules, mut error) = (CString::new(rules).unwrap(), ptr::null());
    // SAFETY: a handle or null, a text, a place.
    let answer = unsafe { msc_rules_add(set, rules.as_ptr(), &raw mut error) };
    outcome(answer, error)
}

fn merge(set: *mut RulesSet, around: *mut RulesSet) -> Result<c_int, String> {
    let mut error = ptr::null();
    // SAFETY: handles and a place.
    let answer = unsafe { msc_rules_merge(set, around, &raw mut error) };
    outcome(answer, error)
}

fn outcome(answer: c_int, error: *const c_char) -> Result<c_int, String> {
    if answer >= 0 {
        assert!(error.is_null());
        return Ok(answer);
    }
    // SAFETY: a text of the library, freed once.
    unsafe {
        let text = CStr::from_ptr(error).to_string_lossy().into_owned();
        msc_rules_error_cleanup(error);
        Err(text)
    }
}

/// The status with which a transaction is refused, and the line about it.
fn refused(transaction: *mut Transaction) -> Option<(c_int, String)> {
    let mut told =
        ModSecurityIntervention { status: 200, pause: 0, url: ptr::null_mut(), log: ptr::null_mut(), disruptive: 0 };
    // SAFETY: a handle or null, and a place; the text is freed once.
    unsafe {
        if msc_intervention(transaction, &raw mut told) == 0 {
            return None;
        }
        let line = CStr::from_ptr(told.log).to_string_lossy().into_owned();
        msc_intervention_cleanup(&raw mut told);
        Some((told.status, line))
    }
}

fn uri(transaction: *mut Transaction, uri: &CStr) -> c_int {
    // SAFETY: a handle or null, and texts.
    unsafe { msc_process_uri(transaction, uri.as_ptr(), c"POST".as_ptr(), c"1.1".as_ptr()) }
}

fn form(transaction: *mut Transaction) -> c_int {
    let (name, value) = (c"Content-Type", c"application/x-www-form-urlencoded");
    // SAFETY: a handle or null, and texts.
    unsafe { msc_add_request_header(transaction, name.as_ptr().cast(), value.as_ptr().cast()) }
}

fn body(transaction: *mut Transaction, body: &[u8]) -> c_int {
    // SAFETY: a handle or null, and so many bytes.
    unsafe { msc_append_request_body(transaction, body.as_ptr(), body.len()) }
}

#[test]
fn nothing_and_the_wrong_thing_are_errors() {
    let host = Host::new(RULES);
    let (nothing, mut error) = (ptr::null_mut(), ptr::null());
    // SAFETY: every pointer is null, or a handle of some kind.
    unsafe {
        assert!(msc_new_transaction(ptr::null_mut(), host.rules, ptr::null_mut()).is_null());
        assert!(msc_new_transaction(host.engine, ptr::null_mut(), ptr::null_mut()).is_null());
        assert!(msc_new_transaction(host.rules.cast(), host.engine.cast(), ptr::null_mut()).is_null());
        for wrong in [nothing, host.engine.cast(), host.rules.cast()] {
            assert_eq!(msc_process_connection(wrong, ptr::null(), 0, ptr::null(), 0), 0);
            assert_eq!(msc_process_uri(wrong, ptr::null(), ptr::null(), ptr::null()), 0);
            assert_eq!(msc_set_request_hostname(wrong, ptr::null()), 0);
            assert_eq!(msc_add_request_header(wrong, ptr::null(), ptr::null()), 0);
            assert_eq!(msc_add_n_request_header(wrong, ptr::null(), 1, ptr::null(), 1), 0);
            assert_eq!(msc_process_request_headers(wrong), 0);
            assert_eq!(msc_append_request_body(wrong, ptr::null(), 1), 0);
            assert_eq!(msc_request_body_from_file(wrong, ptr::null()), 0);
            assert_eq!(msc_process_request_body(wrong), 0);
            assert_eq!(msc_add_response_header(wrong, ptr::null(), ptr::null()), 0);
            assert_eq!(msc_add_n_response_header(wrong, ptr::null(), 1, ptr::null(), 1), 0);
            assert_eq!(msc_process_response_headers(wrong, 200, ptr::null()), 0);
            assert_eq!(msc_append_response_body(wrong, ptr::null(), 1), 0);
            assert_eq!(msc_process_response_body(wrong), 0);
            assert!(msc_get_response_body(wrong).is_null());
            assert_eq!((msc_get_response_body_length(wrong), msc_get_request_body_length(wrong)), (0, 0));
            assert_eq!(msc_update_status_code(wrong, 200), 0);
            assert_eq!(msc_process_logging(wrong), 0);
            msc_transaction_cleanup(wrong);
            // What was not inspected does not pass.
            assert_eq!(refused(wrong).expect("it is refused").0, 500);
            assert_eq!(msc_intervention(wrong, ptr::null_mut()), 1);
        }
        for wrong in [ptr::null_mut(), host.engine.cast()] {
            assert_eq!(msc_rules_add(wrong, c"".as_ptr(), &raw mut error), -1);
            msc_rules_error_cleanup(error);
            assert_eq!(msc_rules_add_file(host.rules, ptr::null(), ptr::null_mut()), -1);
            assert_eq!(msc_rules_merge(wrong, host.rules, ptr::null_mut()), -1);
            assert_eq!(msc_rules_merge(host.rules, wrong, ptr::null_mut()), -1);
            assert_eq!(msc_rules_cleanup(wrong), -1);
            msc_rules_dump(wrong);
        }
        assert_eq!(msc_rules_merge(host.rules, host.rules, ptr::null_mut()), -1);
        assert_eq!(msc_rules_add_remote(host.rules, c"key".as_ptr(), c"https://x".as_ptr(), ptr::null_mut()), -1);
        msc_set_connector_info(host.rules.cast(), c"x".as_ptr());
        msc_set_connector_info(host.engine, ptr::null());
        msc_set_log_cb(ptr::null_mut(), None);
        msc_cleanup(host.rules.cast());
        msc_intervention_cleanup(ptr::null_mut());
        msc_rules_error_cleanup(ptr::null());
    }
    let transaction = host.begin();
    assert_eq!(refused(transaction), None, "the rules are as they were");
    // SAFETY: a handle.
    unsafe { msc_transaction_cleanup(transaction) };
}

#[test]
fn what_comes_too_late_is_an_error() {
    let host = Host::new(RULES);
    let transaction = host.begin();
    // SAFETY: a handle, and texts.
    unsafe {
        assert_eq!((uri(transaction, c"/"), form(transaction)), (1, 1));
        assert_eq!(msc_process_request_headers(transaction), 1);
        assert_eq!(
            (uri(transaction, c"/?q=attack"), form(transaction), msc_process_request_headers(transaction)),
            (0, 0, 0)
        );
        assert_eq!((body(transaction, b"a=b"), msc_process_request_body(transaction)), (1, 1));
        assert_eq!((body(transaction, b"&q=attack"), msc_process_request_body(transaction)), (0, 0));
        assert_eq!(msc_request_body_from_file(transaction, c"/etc/hostname".as_ptr()), 0);
        assert_eq!(msc_process_response_body(transaction), 1);
        let (name, value) = (c"X-Leak".as_ptr().cast(), c"1".as_ptr().cast());
        assert_eq!(msc_add_response_header(transaction, name, value), 0);
        assert_eq!(msc_process_response_headers(transaction, 200, c"1.1".as_ptr()), 0);
        assert_eq!((msc_process_logging(transaction), msc_process_logging(transaction)), (1, 0));
        assert_eq!(refused(transaction), None);
        msc_transaction_cleanup(transaction);
    }
}

/// A host that leaves phases out is not one that leaves out inspection.
#[test]
fn phases_that_are_left_out_run() {
    let host = Host::new(RULES);
    let transaction = host.begin();
    // SAFETY: a handle.
    unsafe {
        assert_eq!((uri(transaction, c"/?q=attack"), msc_process_response_body(transaction)), (1, 1));
        let (status, line) = refused(transaction).expect("it is refused");
        assert_eq!(status, 406);
        assert!(line.contains("A rule that does not log has matched. [id \"2\"]"), "{line}");
        msc_transaction_cleanup(transaction);
    }
}

#[test]
fn bodies_from_files() {
    let host = Host::new(RULES);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&b"a=".iter().chain(&[b'x'; 200_000]).chain(b"&q=attack").copied().collect::<Vec<_>>()).unwrap();
    let whole = CString::new(file.path().to_str().unwrap()).unwrap();
    for (path, answer, status) in [(&*whole, 1, 406), (c"/nowhere/at/all", 0, 400), (c"/", 0, 400)] {
        let transaction = host.begin();
        // SAFETY: a handle and a text.
        unsafe {
            assert_eq!((uri(transaction, c"/"), form(transaction)), (1, 1));
            assert_eq!(msc_request_body_from_file(transaction, path.as_ptr()), answer, "{path:?}");
            assert_eq!(msc_process_request_body(transaction), 1);
            assert_eq!(refused(transaction).expect("it is refused").0, status, "{path:?}");
            msc_transaction_cleanup(transaction);
        }
    }
}

#[test]
fn bodies_over_their_limit() {
    let partial = format!("{RULES}SecRequestBodyLimit 10\nSecRequestBodyLimitAction ProcessPartial");
    for (rules, status) in [(partial.clone(), None), (partial.replace("ProcessPartial", "Reject"), Some(413))] {
        let host = Host::new(&rules);
        let transaction = host.begin();
        // SAFETY: a handle.
        unsafe {
            assert_eq!((uri(transaction, c"/"), form(transaction)), (1, 1));
            assert_eq!(body(transaction, b"a=0123456789"), c_int::from(status.is_some()));
            assert_eq!(msc_get_request_body_length(transaction), 10);
            msc_process_request_body(transaction);
            assert_eq!(refused(transaction).map(|(status, _)| status), status);
            msc_transaction_cleanup(transaction);
        }
    }
}

/// As in nginx with libmodsecurity: rules of the location first, its settings count, its removals reach the server's rules.
#[test]
fn a_context_is_nested_in_another() {
    let [server, location, bare, twice] = [(); 4].map(|()| msc_create_rules_set());
    let deny = |id: u32| format!("SecAction id:{id},phase:1,deny,status:40{id}\n");
    assert_eq!(add(server, &["SecRuleEngine On\n", &deny(1), &deny(2), &deny(3)].concat()), Ok(3));
    // The exception comes in time for the rule that stands in the server.
    assert_eq!(add(location, "SecRuleRemoveById 1\nSecAction id:4,phase:1,pass,ctl:ruleRemoveById=2"), Ok(1));
    assert_eq!(add(twice, "SecAction id:7,phase:1,pass\nSecAction id:1,phase:1,pass"), Ok(2));
    assert_eq!(merge(location, server), Ok(2));
    assert_eq!(merge(bare, server), Ok(3));
    let problem = merge(twice, server).unwrap_err();
    assert!(problem.contains("File: inline rules. Line: 2.") && problem.contains("rule id 1 is taken"), "{problem}");
    let engine = msc_init();
    for (set, status) in [(location, 403), (bare, 401)] {
        // SAFETY: handles.
        unsafe {
            let transaction = msc_new_transaction(engine, set, ptr::null_mut());
            msc_process_request_headers(transaction);
            assert_eq!(refused(transaction).expect("it is refused").0, status);
            msc_transaction_cleanup(transaction);
        }
    }
    // What is added later belongs to the context itself.
    assert_eq!(add(bare, "SecAction id:6,phase:1,deny,status:406"), Ok(1));
    // SAFETY: handles.
    unsafe {
        let transaction = msc_new_transaction(engine, bare, ptr::null_mut());
        msc_process_request_headers(transaction);
        assert_eq!(refused(transaction).expect("it is refused").0, 406);
        msc_transaction_cleanup(transaction);
    }
    // A setting of the location counts more than that of the server around it.
    let watching = msc_create_rules_set();
    assert_eq!(add(watching, "SecRuleEngine DetectionOnly"), Ok(0));
    assert_eq!(merge(watching, server), Ok(3));
    // SAFETY: handles.
    unsafe {
        let transaction = msc_new_transaction(engine, watching, ptr::null_mut());
        msc_process_request_headers(transaction);
        assert_eq!(refused(transaction), None);
        msc_transaction_cleanup(transaction);
        [server, location, bare, twice, watching].into_iter().for_each(|set| assert_eq!(msc_rules_cleanup(set), 0));
        msc_cleanup(engine);
    }
}

#[test]
fn rules_that_do_not_load_are_named_and_change_nothing() {
    let host = Host::new(RULES);
    let problem = add(host.rules, "\nSecRule ARGS \"@rx (\" \"id:9,phase:1,deny\"\nSecRulle").unwrap_err();
    assert!(problem.starts_with("Rules error. File: inline rules. Line: 2. Column: "), "{problem}");
    assert!(problem.ends_with("One more error: `fusewall check` shows both."), "{problem}");
    assert!(!problem.contains('\n'));
    let problem = add(host.rules, "SecAction id:2,phase:1,pass").unwrap_err();
    assert!(problem.contains("rule id 2 is taken"), "{problem}");
    assert_eq!(add(host.rules, "SecAction id:9,phase:1,deny,status:409"), Ok(1));
    let transaction = host.begin();
    // SAFETY: a handle.
    unsafe {
        msc_process_request_headers(transaction);
        assert_eq!(refused(transaction).expect("it is refused").0, 409);
        msc_transaction_cleanup(transaction);
    }
}

#[test]
fn what_was_given_back_is_not_a_handle_any_more() {
    let set = msc_create_rules_set();
    // SAFETY: the kind of mistake that is meant to be survived, as far as it can be.
    unsafe {
        assert_eq!(msc_rules_cleanup(set), 0);
        assert_eq!(msc_rules_add(set, c"SecRuleEngine On".as_ptr(), ptr::null_mut()), -1);
    }
}

extern "C" fn count(data: *mut c_void, line: *const c_void) {
    // SAFETY: the pointer that the test has given, and a text.
    unsafe {
        let lines = &mut *data.cast::<Vec<String>>();
        lines.push(CStr::from_ptr(line.cast()).to_string_lossy().into_owned());
    }
}

/// Matches are told when they happen, once, and the one that refuses is left to `msc_intervention`.
#[test]
fn log_lines_reach_the_host() {
    let rule = |id, phase, more| format!("SecAction \"id:{id},phase:{phase},log,msg:'number {id}',{more}\"\n");
    let host = Host::new(&format!(
        "SecRuleEngine On\n{}{}{}",
        rule(1, 1, "pass"),
        rule(2, 2, "deny,status:410"),
        rule(3, 5, "pass")
    ));
    let mut lines: Vec<String> = Vec::new();
    let data: *mut c_void = (&raw mut lines).cast();
    // SAFETY: handles; the list outlives the transaction.
    unsafe {
        msc_set_log_cb(host.engine, Some(count));
        let id = CString::new("own-id").unwrap();
        let transaction = msc_new_transaction_with_id(host.engine, host.rules, id.as_ptr(), data);
        assert_eq!(msc_set_request_hostname(transaction, c"shop.example".as_ptr().cast()), 1);
        msc_process_request_headers(transaction);
        assert_eq!((*data.cast::<Vec<String>>()).len(), 1);
        msc_process_request_body(transaction);
        let (status, line) = refused(transaction).expect("it is refused");
        assert_eq!(status, 410);
        assert!(line.starts_with("[client 0.0.0.0] ModSecurity: Access denied with code 410 (phase 2). "), "{line}");
        assert!(line.contains("[msg \"number 2\"]") && line.contains("[unique_id \"own-id\"]"), "{line}");
        assert!(line.contains("[hostname \"shop.example\"]"), "{line}");
        msc_process_logging(transaction);
        msc_transaction_cleanup(transaction);
    }
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("[msg \"number 1\"]") && lines[1].contains("[msg \"number 3\"]"), "{lines:?}");
}

/// Records are written by a thread that starts with the first one, and are on disk when the rules are given back.
#[test]
fn the_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let rules = |id: &str| {
        format!(
            "SecRuleEngine On\nSecAuditEngine RelevantOnly\nSecAuditLogFormat JSON\nSecAuditLog {}\n\
             SecAction \"id:{id},phase:1,deny,status:403,log,auditlog\"",
            path.display()
        )
    };
    for id in ["1", "2"] {
        let host = Host::new(&rules(id));
        // SAFETY: handles and texts.
        unsafe {
            msc_set_connector_info(host.engine, c"a test".as_ptr());
            let transaction = host.begin();
            assert_eq!(uri(transaction, c"/here"), 1);
            msc_process_request_headers(transaction);
            msc_update_status_code(transaction, 499);
            msc_process_logging(transaction);
            msc_transaction_cleanup(transaction);
        }
        drop(host);
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(written.contains("\"http_code\":499") && written.contains("\"connector\":\"a test\""), "{written}");
        assert!(written.contains(&format!("\"ruleId\":\"{id}\"")), "{written}");
        // Rotated: whoever reads its rules again writes into a new file.
        std::fs::rename(&path, folder.path().join(id)).unwrap();
    }
    let wrong = rules("1").replace("SecAuditLog /", "SecAuditLog /nowhere/");
    let [set, around] = [(); 2].map(|()| msc_create_rules_set());
    add(set, &wrong).unwrap();
    assert!(merge(around, set).unwrap_err().contains("/nowhere/"));
    // SAFETY: handles.
    unsafe { [set, around].into_iter().for_each(|set| assert_eq!(msc_rules_cleanup(set), 0)) };
}

/// A client is one client, whichever context a request of his meets.
#[test]
fn contexts_count_together() {
    let server = Host::new(
        "SecRuleEngine On\nSecAction \"id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.seen=+1\"\n\
         SecRule IP:seen \"@gt 2\" \"id:2,phase:1,deny,status:429\"",
    );
    let location = msc_create_rules_set();
    add(location, "SecAction id:3,phase:1,pass,nolog").unwrap();
    merge(location, server.rules).unwrap();
    let statuses = [server.rules, location, server.rules].map(|rules| {
        // SAFETY: handles and texts.
        unsafe {
            let transaction = msc_new_transaction(server.engine, rules, ptr::null_mut());
            assert_eq!(msc_process_connection(transaction, c"192.0.2.99".as_ptr(), 1, c"::1".as_ptr(), 2), 1);
            msc_process_request_headers(transaction);
            let refused = refused(transaction).map(|(status, _)| status);
            msc_transaction_cleanup(transaction);
            refused
        }
    });
    assert_eq!(statuses, [None, None, Some(429)]);
    // SAFETY: a handle.
    unsafe { assert_eq!(msc_rules_cleanup(location), 0) };
}

fn length(transaction: *mut Transaction, length: &CStr) -> c_int {
    // SAFETY: a handle, and texts.
    unsafe { msc_add_request_header(transaction, c"Content-Length".as_ptr().cast(), length.as_ptr().cast()) }
}

/// A host that has lost a part of the body must not have the rest judged as if it were all.
#[test]
fn bodies_that_are_cut_by_the_host() {
    let partial = format!("{RULES}SecRequestBodyLimit 10\nSecRequestBodyLimitAction ProcessPartial");
    let blind = RULES.replace("SecRequestBodyAccess On", "SecRequestBodyAccess Off");
    for (rules, announced, given, status) in [
        (RULES, c"7", &b"a=b&c=d"[..], None),
        (RULES, c"8", b"a=b&c=d", Some(400)),
        // None at all: this host does not show it.
        (RULES, c"8", b"", None),
        (RULES, c"0", b"", None),
        (RULES, c"none", b"a=b", None),
        // The rest is over the limit: that is no mistake of the host.
        (&partial, c"400", b"a=0123456789", None),
        (&blind, c"8", b"", None),
    ] {
        let host = Host::new(rules);
        let transaction = host.begin();
        // SAFETY: a handle.
        unsafe {
            assert_eq!((uri(transaction, c"/"), form(transaction), length(transaction, announced)), (1, 1, 1));
            for piece in given.chunks(5) {
                body(transaction, piece);
            }
            assert_eq!(msc_process_request_body(transaction), 1);
            assert_eq!(refused(transaction).map(|(status, _)| status), status, "{announced:?} {given:?}");
            msc_transaction_cleanup(transaction);
        }
    }
    // A file that ends too early.
    let host = Host::new(RULES);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"a=b").unwrap();
    let path = CString::new(file.path().to_str().unwrap()).unwrap();
    let empty = tempfile::NamedTempFile::new().unwrap();
    let none = CString::new(empty.path().to_str().unwrap()).unwrap();
    for (path, announced, status) in [(&path, c"3", None), (&path, c"4", Some(400)), (&none, c"4", Some(400))] {
        let transaction = host.begin();
        // SAFETY: a handle and a text.
        unsafe {
            assert_eq!((uri(transaction, c"/"), form(transaction), length(transaction, announced)), (1, 1, 1));
            assert_eq!(msc_request_body_from_file(transaction, path.as_ptr()), 1);
            assert_eq!(msc_process_request_body(transaction), 1);
            assert_eq!(refused(transaction).map(|(status, _)| status), status, "{announced:?}");
            msc_transaction_cleanup(transaction);
        }
    }
}
