//! The processor under test, in this process.

use fusewall::Waf;
use fusewall::host::ext_proc::{Config, Counter, Counters, Outcome, Server};
use fusewall::host::serve::ErrorLog;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

const LONG: Duration = Duration::from_secs(20);

pub const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/event-stream
SecRequestBodyLimit 4000000
SecRequestBodyNoFilesLimit 4000000
SecRule REQUEST_HEADERS:Content-Type "@contains json" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_FILENAME "@streq /unread" "id:2,phase:1,pass,nolog,ctl:requestBodyAccess=Off"
SecRule ARGS|REQUEST_HEADERS "@contains attack" "id:10,phase:2,deny,status:403,log,msg:'an attack'"
SecRule REQUEST_METHOD "@streq PATCH" "id:11,phase:1,deny,status:405,log"
SecRule ARGS:away "@rx ." "id:12,phase:1,redirect:https://www.example/elsewhere"
SecRule REMOTE_ADDR "@ipMatch 198.51.100.0/24" "id:13,phase:1,deny,status:429,log"
SecRule REQUEST_PROTOCOL "@streq HTTP/1.0" "id:14,phase:1,deny,status:426,log"
SecRule REQBODY_ERROR "!@eq 0" "id:15,phase:2,deny,status:400,log"
SecRule RESPONSE_HEADERS:X-Secret "@rx ." "id:20,phase:3,deny,status:503,log"
SecRule RESPONSE_BODY "@contains secret" "id:21,phase:4,deny,status:502,log"
"#;

/// A processor that runs until this is dropped.
pub struct Processor {
    pub address: SocketAddr,
    pub counters: Arc<Counters>,
    log: Arc<Mutex<Vec<String>>>,
    down: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Processor {
    pub fn start() -> Processor {
        Processor::with(RULES, |_| {})
    }

    /// With these rules; `change` sets what the test is about.
    pub fn with(rules: &str, change: impl FnOnce(&mut Config)) -> Processor {
        Processor::of(Waf::builder().rules_text("test.conf", rules).build().expect("rules that load"), change)
    }

    /// With this one.
    pub fn of(waf: Waf, change: impl FnOnce(&mut Config)) -> Processor {
        let mut config = Config::default();
        config.site.listen = vec!["127.0.0.1:0".parse().expect("an address")];
        // The clients of a test end with it: there is nobody to wait for.
        config.site.timeouts.shutdown = Duration::from_millis(50);
        change(&mut config);
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let error_log = ErrorLog::to(move |line| lines.lock().expect("a log").push(line.to_owned()));
        let (started, ready) = std::sync::mpsc::channel();
        let (down, wait) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let server = Server::bind(config, waf, error_log).await.expect("it listens");
                let address = server.addresses().first().copied();
                started.send((address, server.counters())).expect("somebody waits");
                server
                    .run(async {
                        let _ = wait.await;
                    })
                    .await;
            });
        });
        let (address, counters) = ready.recv().expect("it starts");
        let address = address.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
        Processor { address, counters, log, down: Some(down), thread: Some(thread) }
    }

    pub fn log(&self) -> Vec<String> {
        self.log.lock().expect("a log").clone()
    }

    /// Waits for a log line that has all of `parts`.
    pub fn logged(&self, parts: &[&str]) -> String {
        let line = || self.log().into_iter().find(|line| parts.iter().all(|part| line.contains(part)));
        eventually(|| line().is_some(), || format!("{parts:?} in {:#?}", self.log()));
        line().expect("seen a moment ago")
    }

    /// Waits until so many streams have ended in this way.
    pub fn ended(&self, outcome: Outcome, times: u64) {
        let counts = || Outcome::ALL.map(|outcome| (outcome.name(), self.counters.streams(outcome)));
        eventually(|| self.counters.streams(outcome) >= times, || format!("{} in {:?}", outcome.name(), counts()));
    }

    pub fn noted(&self, counter: Counter) -> u64 {
        self.counters.noted(counter)
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        drop(self.down.take());
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking(), "the processor has panicked");
        }
    }
}

/// Waits until something is so.
pub fn eventually(is: impl Fn() -> bool, what: impl Fn() -> String) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < LONG, "it does not come: {}", what());
        sleep(Duration::from_millis(5));
    }
}
