//! An agent under test, in this process.

use fusewall::Waf;
use fusewall::host::serve::ErrorLog;
use fusewall::host::spoa::{Agent, Config};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Nothing in these tests takes longer than this unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html
SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQBODY_ERROR "!@eq 0" "id:2,phase:2,deny,status:400"
SecRule ARGS "@rx (?i)<script" "id:10,phase:2,deny,status:403,log,msg:'an attack'"
SecRule REQUEST_HEADERS:User-Agent "@contains scanner" "id:11,phase:1,deny,status:405"
SecRule ARGS:away "@rx ." "id:12,phase:1,redirect:https://www.example/%{MATCHED_VAR}"
SecRule ARGS:gone "@rx ." "id:13,phase:1,drop"
SecRule RESPONSE_HEADERS:X-Secret "@rx ." "id:14,phase:3,deny,status:503"
SecRule RESPONSE_BODY "@contains secret" "id:15,phase:4,deny,status:502"
SecRule ARGS:byte "@rx ^\xff$" "id:16,phase:2,deny,status:406"
SecRule REMOTE_ADDR "@ipMatch 192.0.2.66" "id:17,phase:1,deny,status:401"
"#;

pub struct Running {
    pub address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    metrics: Box<dyn Fn() -> String + Send>,
    down: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub fn waf(rules: &str) -> Waf {
    Waf::builder().rules_text("a.conf", rules).build().expect("the rules load")
}

impl Running {
    pub fn start(change: impl FnOnce(&mut Config)) -> Running {
        Running::start_with(vec![waf(RULES)], change)
    }

    /// With one ruleset for each application.
    pub fn start_with(wafs: Vec<Waf>, change: impl FnOnce(&mut Config)) -> Running {
        let mut config = Config { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Config::default() };
        config.shared.threads = 2;
        change(&mut config);
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = log.clone();
        let error_log = ErrorLog::to(move |line| lines.lock().unwrap().push(line.to_owned()));
        let (down, wait) = oneshot::channel();
        let (started, start) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let agent = Agent::bind(config, wafs, error_log).await.unwrap();
                started.send((agent.addresses()[0], agent.metrics())).unwrap();
                agent.run(async { drop(wait.await) }).await;
            });
        });
        let (address, metrics) = start.recv().unwrap();
        Running { address, log, metrics: Box::new(metrics), down: Some(down), thread: Some(thread) }
    }

    /// Whether the metrics have this line.
    pub fn counted(&self, line: &str) -> bool {
        (self.metrics)().lines().any(|own| own == line)
    }

    /// Waits for it.
    pub fn counts(&self, line: &str) {
        let start = Instant::now();
        while !self.counted(line) {
            assert!(start.elapsed() < PATIENCE, "no `{line}` in\n{}", (self.metrics)());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for a log line that has all of `parts`.
    pub fn logged(&self, parts: &[&str]) -> String {
        let start = Instant::now();
        loop {
            let lines = self.log.lock().unwrap().clone();
            match lines.iter().find(|line| parts.iter().all(|part| line.contains(part))) {
                Some(line) => return line.clone(),
                None => assert!(start.elapsed() < PATIENCE, "no line with {parts:?} in {lines:#?}"),
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn shut_down(&mut self) {
        drop(self.down.take());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shut_down();
        let ended = self.thread.take().unwrap().join();
        assert!(std::thread::panicking() || ended.is_ok());
    }
}
