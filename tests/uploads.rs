//! Uploaded files from outside: what is stored, under which names, for how long, and what happens when it cannot be.
#![cfg(unix)]

use fusewall::engine::upload::{NotStored, UploadFile, UploadSink};
use fusewall::rule::UploadSettings;
use fusewall::store::{DiskUploads, LoadReport, RuleSource};
use fusewall::{Limits, Transaction, Waf};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

const ON: &str = "SecRuleEngine On\nSecRequestBodyAccess On\n";
/// What recommended configurations have.
const STRICT: &str = "SecRule REQBODY_ERROR \"!@eq 0\" \"id:900,phase:2,deny,status:400\"\n";
/// Shows the names of stored files.
const NAMES: &str = "SecRule FILES_TMPNAMES \"@unconditionalMatch\" \
    \"id:901,phase:2,pass,nolog,setvar:'tx.names=%{tx.names};%{MATCHED_VAR}'\"\n";

fn try_load(rules: &str) -> Result<Waf, Box<LoadReport>> {
    let builder = Waf::builder().rules_text("uploads.conf", format!("{ON}{STRICT}{rules}"));
    builder.uploads(DiskUploads::new()).build().map_err(Box::new)
}

fn load(rules: &str) -> Waf {
    try_load(rules).unwrap_or_else(|report| panic!("{report}"))
}

fn keeping(how: &str, folder: &Path, more: &str) -> Waf {
    load(&format!("SecUploadKeepFiles {how}\nSecUploadDir {}\n{NAMES}{more}", folder.display()))
}

fn form(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = b"--B\r\nContent-Disposition: form-data; name=\"plain\"\r\n\r\nvalue\r\n".to_vec();
    for (name, content) in files {
        body.extend_from_slice(b"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"");
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(b"\"\r\nContent-Type: text/plain\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--B--\r\n");
    body
}

/// A request up to the end of phase 2.
fn upload(waf: &Waf, files: &[(&str, &[u8])]) -> Transaction {
    let mut transaction = waf.transaction();
    transaction.process_request_line(b"POST", b"/upload", b"HTTP/1.1");
    transaction.add_request_header(b"Content-Type", b"multipart/form-data; boundary=B");
    transaction.process_request_headers();
    for piece in form(files).chunks(1000) {
        transaction.write_request_body(piece);
    }
    transaction.process_request_body();
    transaction
}

/// The rest of an exchange.
fn answer(transaction: &mut Transaction, status: u16) {
    transaction.process_response_headers(status, b"HTTP/1.1");
    transaction.process_response_body();
    transaction.process_logging();
}

/// What FILES_TMPNAMES had.
fn names(transaction: &Transaction) -> Vec<String> {
    let all = String::from_utf8_lossy(transaction.tx("names").unwrap_or_default()).into_owned();
    all.split(';').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn found_in(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn status(transaction: &Transaction) -> u16 {
    transaction.interruption().map_or(200, |ended| ended.status)
}

#[test]
fn a_file_has_the_bytes_of_its_part_and_ends_with_the_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let waf = load(&format!("SecTmpDir {}\n{NAMES}", folder.path().display()));
    let long: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    let mut transaction = upload(&waf, &[("a.txt", b"first\r\nline"), ("empty", b""), ("b", &long)]);
    let stored = names(&transaction);
    assert_eq!(stored.len(), 2, "{stored:?}");
    assert_eq!(fs::read(&stored[0]).unwrap(), b"first\r\nline");
    assert_eq!(fs::read(&stored[1]).unwrap(), long);
    assert_eq!(fs::metadata(&stored[0]).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(stored.iter().all(|name| Path::new(name).parent() == Some(folder.path())));
    answer(&mut transaction, 200);
    assert_eq!(found_in(folder.path()), 2, "there until the end");
    drop(transaction);
    assert_eq!(found_in(folder.path()), 0);
}

#[test]
fn nothing_is_written_for_rules_that_do_not_want_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = format!("SecTmpDir {0}\nSecUploadDir {0}\n", folder.path().display());
    let transaction = upload(&load(&place), &[("a", b"x")]);
    assert_eq!((found_in(folder.path()), status(&transaction)), (0, 200));
    drop(transaction);
    let transaction = upload(&load(&format!("{place}SecTmpSaveUploadedFiles On\n")), &[("a", b"x")]);
    assert_eq!(found_in(folder.path()), 1);
    drop(transaction);
}

#[test]
fn files_stay_if_they_are_to() {
    let folder = tempfile::tempdir().unwrap();
    let waf = keeping("On", folder.path(), "SecUploadFileMode 0640\n");
    let mut transaction = upload(&waf, &[("a", b"evidence")]);
    answer(&mut transaction, 200);
    let stored = names(&transaction);
    drop(transaction);
    assert_eq!(fs::read(&stored[0]).unwrap(), b"evidence");
    assert_eq!(fs::metadata(&stored[0]).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn files_of_relevant_transactions_stay() {
    let folder = tempfile::tempdir().unwrap();
    let more = "SecAuditLogRelevantStatus \"^5\"\n\
        SecRule FILES_TMP_CONTENT \"@contains attack\" \"id:1,phase:2,deny,auditlog\"\n";
    let waf = load(&format!("SecUploadKeepFiles RelevantOnly\nSecUploadDir {}\n{more}", folder.path().display()));
    for (content, answered, stays) in [("plain", 200, 0), ("an attack", 200, 1), ("plain", 503, 2)] {
        let mut transaction = upload(&waf, &[("a", content.as_bytes())]);
        answer(&mut transaction, answered);
        drop(transaction);
        assert_eq!(found_in(folder.path()), stays, "{content}, {answered}");
    }
}

#[test]
fn the_status_that_the_host_answers_with_decides_what_is_relevant() {
    let folder = tempfile::tempdir().unwrap();
    let more = "SecAuditLogRelevantStatus \"^5\"\n";
    let waf = load(&format!("SecUploadKeepFiles RelevantOnly\nSecUploadDir {}\n{more}", folder.path().display()));
    let mut transaction = upload(&waf, &[("a", b"evidence")]);
    // No upstream has answered: the host says 502 by itself.
    transaction.set_answered(502);
    drop(transaction);
    assert_eq!(found_in(folder.path()), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_stored_file_holds_no_descriptor() {
    let folder = tempfile::tempdir().unwrap();
    let waf = load(&format!("SecTmpSaveUploadedFiles On\nSecTmpDir {}\n", folder.path().display()));
    let parts: Vec<(String, Vec<u8>)> = (0..20).map(|part| (format!("a{part}"), b"x".to_vec())).collect();
    let parts: Vec<(&str, &[u8])> = parts.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
    let transaction = upload(&waf, &parts);
    assert_eq!(found_in(folder.path()), 20);
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    assert_eq!(open.filter(|path| path.starts_with(folder.path())).count(), 0);
    drop(transaction);
}

#[test]
fn the_audit_log_says_where_a_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let audit = "SecAuditEngine On\nSecAuditLogParts ABJZ\n";
    let mut transaction = upload(&keeping("On", folder.path(), audit), &[("a", b"x"), ("e", b""), ("b", b"yy")]);
    answer(&mut transaction, 200);
    let record = transaction.audit_record(200).unwrap();
    let paths: Vec<_> = record.request.files.iter().map(|file| file.path.clone()).collect();
    let stored = names(&transaction);
    assert_eq!(paths, [Some(stored[0].clone()), None, Some(stored[1].clone())]);
    assert!(record.to_json().contains(&format!("\"path\":\"{}\"", stored[0])));
    let waf = load(&format!("SecTmpSaveUploadedFiles On\nSecTmpDir {}\n{audit}", folder.path().display()));
    let record = upload(&waf, &[("a", b"x")]).audit_record(200).unwrap();
    assert_eq!(record.request.files[0].path, None, "it does not stay");

    // Two names of one part, and what comes after them.
    let doubled = "x\"; filename=\"y";
    let mut transaction = upload(&keeping("On", folder.path(), audit), &[(doubled, b"xy"), ("b", b"z")]);
    answer(&mut transaction, 200);
    let files = transaction.audit_record(200).unwrap().request.files;
    let content = |at: usize| fs::read(files[at].path.as_deref().unwrap()).unwrap();
    let found: Vec<_> = files.iter().map(|file| (file.name.as_slice(), file.size)).collect();
    assert_eq!(found, [(&b"x"[..], 2), (b"y", 2), (b"b", 1)]);
    assert_eq!([content(0), content(1), content(2)], [&b"xy"[..], b"xy", b"z"]);
}

#[test]
fn names_are_made_of_nothing_that_the_client_sends() {
    let folder = tempfile::tempdir().unwrap();
    let waf = keeping("On", folder.path(), "");
    let hostile = ["../../x", "/etc/passwd", "a\0b", "..", "C:\\x", "a\u{202e}b", ""];
    for name in hostile {
        let transaction = upload(&waf, &[(name, b"content")]);
        for stored in names(&transaction) {
            let stored = Path::new(&stored);
            assert_eq!(stored.parent(), Some(folder.path()), "{name:?}");
            let own = stored.file_name().unwrap().to_str().unwrap();
            assert!(own.len() == 39 && own.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{own}");
        }
    }
    assert_eq!(found_in(folder.path()), hostile.len());
}

#[test]
fn so_many_files_are_stored_and_so_many_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let rules = format!(
        "SecUploadFileLimit 2\nSecTmpDir {}\n{NAMES}\
         SecRule MULTIPART_FILE_LIMIT_EXCEEDED \"@eq 1\" \"id:1,phase:2,pass,setvar:tx.over=1\"\n",
        folder.path().display()
    );
    let transaction = upload(&load(&rules), &[("a", b"1"), ("b", b"2"), ("c", b"3")]);
    assert_eq!((names(&transaction).len(), status(&transaction)), (2, 200));
    assert_eq!(transaction.tx("over"), Some(&b"1"[..]));
    drop(transaction);

    let mut limits = Limits::default();
    limits.upload_bytes = 10;
    let builder = Waf::builder().rules_text("uploads.conf", format!("{ON}{STRICT}{rules}")).limits(limits);
    let waf = builder.uploads(DiskUploads::new()).build().unwrap();
    assert_eq!(status(&upload(&waf, &[("a", b"12345"), ("b", b"67890")])), 200);
    assert_eq!(status(&upload(&waf, &[("a", b"12345"), ("b", b"678901")])), 400);
    assert_eq!(found_in(folder.path()), 0);
}

#[test]
fn an_abandoned_transaction_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let waf = load(&format!("SecTmpDir {}\n{NAMES}", folder.path().display()));
    let content = vec![b'x'; 200_000];
    let mut transaction = waf.transaction();
    transaction.process_request_line(b"POST", b"/upload", b"HTTP/1.1");
    transaction.add_request_header(b"Content-Type", b"multipart/form-data; boundary=B");
    transaction.process_request_headers();
    transaction.write_request_body(&form(&[("a", &content)]));
    transaction.start(fusewall::Phase::RequestBody);
    while found_in(folder.path()) == 0 {
        assert_eq!(transaction.step(1), fusewall::Step::Pending);
    }
    drop(transaction);
    assert_eq!(found_in(folder.path()), 0);
}

#[test]
fn a_folder_that_cannot_be_used_is_found_at_load_and_noticed_later() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("place");
    let rules = format!("SecTmpDir {}\n{NAMES}", place.display());
    let report = try_load(&rules).expect_err("there is no such folder");
    assert!(report.diagnostics.iter().any(|found| found.code == "E0906"), "{report}");
    fs::create_dir(&place).unwrap();
    let waf = load(&rules);
    fs::remove_dir(&place).unwrap();
    let transaction = upload(&waf, &[("a", b"x")]);
    assert_eq!((status(&transaction), names(&transaction).len()), (400, 0), "never silently");
    let source = RuleSource::Text { name: "uploads.conf".to_owned(), text: format!("{ON}{rules}") };
    assert!(waf.replace(&source).is_err(), "nor may a reload put it into service");
}

#[test]
fn files_that_stay_need_a_folder() {
    let report = try_load("SecUploadKeepFiles On\n").expect_err("no SecUploadDir");
    assert!(report.diagnostics.iter().any(|found| found.code == "E0204"), "{report}");
    assert!(try_load("SecUploadKeepFiles Off\n").is_ok());
}

#[test]
fn a_host_without_a_place_for_files_says_so() {
    let warned = |rules: &str| {
        let waf = Waf::builder().rules_text("uploads.conf", format!("{ON}{rules}")).allow_empty().build().unwrap();
        let found = waf.report().diagnostics.iter().filter(|found| found.code == "W0701").count();
        assert!(names(&upload(&waf, &[("a", b"x")])).is_empty());
        found
    };
    assert_eq!(warned(NAMES), 1);
    assert_eq!(warned("SecUploadKeepFiles On\n"), 1);
    assert_eq!(warned("SecTmpSaveUploadedFiles On\n"), 1);
    assert_eq!(warned("SecUploadKeepFiles Off\nSecTmpSaveUploadedFiles Off\nSecUploadDir /x\nSecTmpDir /tmp\n"), 0);
}

/// A sink whose disk is full after some bytes, or that panics there.
struct Failing {
    after: usize,
    panics: bool,
    open: Arc<Mutex<usize>>,
}

struct FailingFile {
    left: usize,
    panics: bool,
    open: Arc<Mutex<usize>>,
}

impl UploadSink for Failing {
    fn create(&self, _: &UploadSettings) -> Result<Box<dyn UploadFile>, NotStored> {
        *self.open.lock().unwrap() += 1;
        Ok(Box::new(FailingFile { left: self.after, panics: self.panics, open: Arc::clone(&self.open) }))
    }
}

impl UploadFile for FailingFile {
    fn path(&self) -> &str {
        "somewhere"
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), NotStored> {
        if bytes.len() > self.left {
            assert!(!self.panics, "as it was asked to");
            return Err(NotStored("no space left".to_owned()));
        }
        self.left -= bytes.len();
        Ok(())
    }

    fn keep(self: Box<Self>) {
        std::mem::forget(self);
    }
}

impl Drop for FailingFile {
    fn drop(&mut self) {
        *self.open.lock().unwrap() -= 1;
    }
}

#[test]
fn a_full_disk_is_an_error_of_the_body_and_a_panic_leaves_nothing() {
    for (after, panics, expected) in [(100_000, false, 200), (10, false, 400), (10, true, 500)] {
        let open = Arc::new(Mutex::new(0));
        let sink = Failing { after, panics, open: Arc::clone(&open) };
        let rules = format!("{ON}{STRICT}{NAMES}");
        let waf = Waf::builder().rules_text("uploads.conf", rules).uploads(sink).build().unwrap();
        let transaction = upload(&waf, &[("a", b"short"), ("b", b"longer than ten bytes")]);
        assert_eq!(status(&transaction), expected);
        let error = transaction.records().iter().find(|record| record.rule.0 == 900);
        assert_eq!(error.is_some(), expected == 400);
        drop(transaction);
        assert_eq!(*open.lock().unwrap(), 0);
    }
}
