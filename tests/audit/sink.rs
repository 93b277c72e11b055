//! The log on disk.

use crate::traffic::{Traffic, waf};
use fusewall::host::audit::{AuditCounts, AuditLimits, AuditLog, AuditLogError};
use fusewall::{AuditRecord, Waf};
use md5::{Digest, Md5};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

struct Bench {
    folder: TempDir,
    waf: Waf,
    log: AuditLog,
    told: Arc<Mutex<Vec<String>>>,
}

/// A log with these directives, in which `DIR` stands for a folder of the test's own.
fn bench(directives: &str, limits: AuditLimits) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let waf = waf(&directives.replace("DIR", folder.path().to_str().unwrap()));
    let told = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&told);
    let report = move |line: &str| lines.lock().unwrap().push(line.to_owned());
    let log = AuditLog::open(&waf.loaded().program().ruleset.settings.audit, limits, report).unwrap();
    Bench { folder, waf, log, told }
}

impl Bench {
    fn record(&self) -> AuditRecord {
        Traffic::get(b"/?a=1").record(&self.waf)
    }

    fn write(&self, times: usize) {
        for _ in 0..times {
            self.log.write(|| Some(self.record()));
        }
        assert!(self.log.flush(Duration::from_secs(20)));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Waits for a report that has `part`.
    fn reported(&self, part: &str) -> String {
        for _ in 0..2000 {
            if let Some(line) = self.told.lock().unwrap().iter().find(|line| line.contains(part)) {
                return line.clone();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("no report with {part:?} in {:?}", self.told.lock().unwrap());
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
}

#[test]
fn a_serial_log_and_its_copy() {
    let bench = bench("SecAuditLogFormat JSON\nSecAuditLog DIR/a.log\nSecAuditLog2 DIR/b.log", AuditLimits::default());
    bench.write(3);
    let text = bench.read("a.log");
    assert_eq!(text.lines().count(), 3);
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    assert_eq!(text, bench.read("b.log"));
    #[cfg(unix)]
    assert_eq!(mode(&bench.path("a.log")), 0o600);
    let counts = bench.log.counts();
    assert_eq!(counts, AuditCounts { written: 3, bytes: text.len() as u64 - 3, ..AuditCounts::default() });
}

#[test]
fn a_serial_log_in_the_native_format() {
    let bench = bench("SecAuditLog DIR/a.log\nSecAuditLogFileMode 0640", AuditLimits::default());
    bench.write(2);
    let text = bench.read("a.log");
    assert_eq!(text.lines().filter(|line| line.ends_with("-A--")).count(), 2);
    assert!(text.ends_with("-Z--\n\n"), "an empty line ends each record");
    #[cfg(unix)]
    assert_eq!(mode(&bench.path("a.log")), 0o640);
}

#[test]
fn a_concurrent_log_and_its_index() {
    for name in ["Concurrent", "Parallel"] {
        let directives = format!("SecAuditLogType {name}\nSecAuditLogStorageDir DIR\nSecAuditLog DIR/index");
        let bench = bench(&directives, AuditLimits::default());
        bench.write(2);
        let file = "20240229/20240229-1234/20240229-123456-0190aXYZ";
        let text = bench.read(file);
        assert!(text.ends_with("-Z--\n\n"));
        let index = bench.read("index");
        let md5: String = Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            index.lines().next().unwrap(),
            format!(
                "www.example 192.0.2.1 - - [29/Feb/2024:12:34:56 +0000] \"GET /?a=1 HTTP/1.1\" 200 - \"-\" \"-\" 0190aXYZ \"-\" \
                 /{file} 0 {} md5:{md5}",
                text.len()
            )
        );
        // The same id in the same second is another file, never the same one.
        assert_eq!(bench.read(&format!("{file}.1")), text);
        #[cfg(unix)]
        assert_eq!((mode(&bench.path(file)), mode(&bench.path("20240229"))), (0o600, 0o700));
    }
}

#[test]
fn an_id_is_no_path() {
    let bench = bench("SecAuditLogType Concurrent\nSecAuditLogStorageDir DIR", AuditLimits::default());
    let mut record = bench.record();
    record.unique_id = "../../../x y".to_owned();
    bench.log.write(|| Some(record));
    assert!(bench.log.flush(Duration::from_secs(20)));
    assert!(bench.path("20240229/20240229-1234/20240229-123456-_________x_y").is_file());
}

#[test]
fn rotation() {
    let bench = bench("SecAuditLog DIR/a.log", AuditLimits::default());
    bench.write(1);
    fs::rename(bench.path("a.log"), bench.path("a.log.1")).unwrap();
    bench.write(1);
    assert!(!bench.path("a.log").exists(), "until it is told, the log writes on");
    bench.log.reopen();
    bench.write(1);
    let records = |name| bench.read(name).lines().filter(|line| line.ends_with("-A--")).count();
    assert_eq!((records("a.log.1"), records("a.log")), (2, 1));
}

#[test]
fn more_than_the_rate_is_dropped_and_told() {
    let bench = bench("SecAuditLog DIR/a.log", AuditLimits { records_per_second: 2, ..AuditLimits::default() });
    bench.write(40);
    let AuditCounts { written, over_rate, .. } = bench.log.counts();
    assert_eq!(written + over_rate, 40);
    assert!(over_rate > 0 && written >= 2);
    bench.reported("came too fast");
}

#[test]
fn a_full_queue_drops_and_tells() {
    let bench = bench("SecAuditLog DIR/a.log", AuditLimits { queue_bytes: 1, ..AuditLimits::default() });
    bench.write(4);
    assert_eq!(bench.log.counts(), AuditCounts { over_queue: 4, ..AuditCounts::default() });
    bench.reported("4 found the queue full");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_costs_records_and_one_line() {
    let bench = bench("SecAuditLog /dev/full", AuditLimits::default());
    bench.write(5);
    assert_eq!(bench.log.counts().failed, 5);
    let Bench { log, told, .. } = bench;
    drop(log);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while told.lock().unwrap().len() < 2 && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let told = told.lock().unwrap();
    assert!(told[0].contains("records are lost: No space left on device"), "{told:?}");
    assert_eq!(told[1..], ["Fusewall: audit log: 5 records were lost"]);
}

#[test]
fn a_record_is_cut_at_the_limit() {
    let limits = AuditLimits { record_bytes: 5000, ..AuditLimits::default() };
    let bench = bench("SecAuditLogFormat JSON\nSecAuditLog DIR/a.log", limits);
    let body = "a=".to_owned() + &"x".repeat(100_000);
    let record = Traffic::post(b"application/x-www-form-urlencoded", body.as_bytes()).record(&bench.waf);
    bench.log.write(|| Some(record));
    assert!(bench.log.flush(Duration::from_secs(20)));
    let text = bench.read("a.log");
    assert!(text.len() <= 5001);
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(all["transaction"]["truncated"], serde_json::json!(["request.body"]));
}

#[test]
fn a_place_that_cannot_be_used_is_an_error_at_the_start() {
    let open = |directives: &str| {
        let settings = waf(directives).loaded().program().ruleset.settings.audit.clone();
        AuditLog::open(&settings, AuditLimits::default(), |_| {}).err()
    };
    assert!(matches!(open(""), Some(AuditLogError::NoPlace("SecAuditLog"))));
    assert!(matches!(
        open("SecAuditLogType Concurrent\nSecAuditLog /tmp/x"),
        Some(AuditLogError::NoPlace("SecAuditLogStorageDir"))
    ));
    assert!(matches!(open("SecAuditLog /nowhere/at/all"), Some(AuditLogError::Open { .. })));
    assert!(matches!(
        open("SecAuditLogType Concurrent\nSecAuditLogStorageDir /dev/null"),
        Some(AuditLogError::Open { .. })
    ));
}
