//! Swapping rulesets under load: two compiled generations five times a second, and beside them a full load from the files every ten
//! seconds. No request may notice.
//!
//! The server is this program, started again on the first core; load comes from the second. Ignored by default: it takes eleven
//! minutes and wants both cores for itself. `.ci/full` runs it, and so does
//! `cargo test --release --all-features --test swap_load -- --ignored --nocapture`. `FUSEWALL_SWAP_PAIRS` says how many pairs of
//! half a minute each (default 10), `FUSEWALL_SWAP_RATE` how many requests a second (default 5,000). A machine that is too slow for
//! them gets as many as keep its cores busy in part: with more than it can answer the time of an answer says nothing.

mod load;
mod traffic;

use fusewall::Waf;
use fusewall::host::serve::{Config, ErrorLog, Server, behind};
use fusewall::store::RuleSource;
use load::{Answer, Load, get, p99};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use traffic::{say, setup};

const STARTED: &str = "FUSEWALL_SWAP_LOAD_SERVER";
/// Between two swaps.
const BETWEEN: Duration = Duration::from_millis(200);
/// Between two loads from the files.
const RELOAD: Duration = Duration::from_secs(10);
/// Each half of a pair.
const HALF: Duration = Duration::from_secs(30);
/// How busy the rate of requests may keep a core.
const BUSY: f64 = 0.6;
/// How much longer answers may take beside the swaps, 99 of 100.
const SLOWER: f64 = 1.2;
/// How much the memory may grow from the first pair to the last.
const GROWTH: f64 = 1.1;

/// The Core Rule Set, and rules by which a generation is known: a request that sees rules of both is refused with 599.
fn rules(mark: u32) -> Option<RuleSource> {
    let setup = setup("crs-pl1")?;
    let text = format!(
        "SecAction \"id:1,phase:1,pass,nolog,setvar:tx.mark={mark}\"\n\
         Include {}\n\
         SecRule TX:mark \"!@eq {mark}\" \"id:2,phase:2,deny,nolog,status:599\"\n\
         SecRule ARGS:which \"@streq mark\" \"id:3,phase:2,deny,nolog,status:43{mark}\"\n",
        setup.display()
    );
    let name = setup.with_file_name(format!("mark{mark}.conf")).display().to_string();
    Some(RuleSource::Text { name, text })
}

/// The server; does nothing unless it was started as one.
#[test]
#[ignore = "the other half of the test below"]
fn server() {
    if std::env::var_os(STARTED).is_none() {
        return;
    }
    let sources = [0, 1].map(|mark| rules(mark).expect("the rules"));
    let waf = Waf::builder().rules_builtin().remember_automata(Arc::default()).build().expect("the rules load");
    waf.replace(&sources[0]).expect("the rules load");
    let swapping = Arc::new(AtomicBool::new(false));
    let counts = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let staged = [0, 1].map(|mark: usize| waf.stage(&sources[mark]).expect("the rules load"));
    {
        let (waf, swapping, counts) = (waf.clone(), swapping.clone(), counts.clone());
        std::thread::spawn(move || {
            for next in (0..2).cycle() {
                std::thread::sleep(BETWEEN);
                if swapping.load(Ordering::Relaxed) {
                    let next = staged[next].clone().onto(waf.generation().number);
                    // A load that was faster has its turn.
                    counts[0].fetch_add(u64::from(waf.promote(next).is_ok()), Ordering::Relaxed);
                }
            }
        });
    }
    {
        let (waf, swapping, counts) = (waf.clone(), swapping.clone(), counts.clone());
        let loading = move || {
            let mut last = Instant::now();
            for source in sources.iter().cycle() {
                while last.elapsed() < RELOAD || !swapping.load(Ordering::Relaxed) {
                    std::thread::sleep(BETWEEN);
                }
                last = Instant::now();
                waf.replace(source).expect("the rules load");
                counts[1].fetch_add(1, Ordering::Relaxed);
            }
        };
        behind("load", loading).expect("a thread");
    }
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            swapping.store(line == "swap", Ordering::Relaxed);
            println!("\ncounts {} {}", counts[0].load(Ordering::Relaxed), counts[1].load(Ordering::Relaxed));
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let config = fusewall::host::serve::config::parse("", "trusted_proxies = ['127.0.0.1']").expect("it reads");
        let config = Config { listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))], ..config };
        let server = Server::bind(config, waf, ErrorLog::to(|_| {})).await.expect("a port");
        println!("\nlistening {}", server.addresses()[0]);
        let _ = std::io::stdout().flush();
        server.run(std::future::pending()).await;
    });
}

struct Running {
    child: Child,
    input: ChildStdin,
    address: SocketAddr,
    counts: Arc<Mutex<[u64; 2]>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start() -> Running {
        let own = std::env::current_exe().expect("the path of this program");
        let mut child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(own)
            .args(["--exact", "server", "--ignored", "--nocapture"])
            .env(STARTED, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("taskset (util-linux) starts the server");
        let input = child.stdin.take().expect("its input");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let listening = lines.find_map(|line| line.strip_prefix("listening ").map(str::to_owned)).expect("it listens");
        let address = listening.parse().expect("an address");
        let counts = Arc::new(Mutex::new([0; 2]));
        let latest = Arc::clone(&counts);
        std::thread::spawn(move || {
            for line in lines {
                let numbers: Vec<u64> = line.split(' ').skip(1).filter_map(|text| text.parse().ok()).collect();
                if let ("counts", [swaps, loads]) = (line.split(' ').next().unwrap_or_default(), &numbers[..]) {
                    *latest.lock().expect("the counts") = [*swaps, *loads];
                }
            }
        });
        Running { child, input, address, counts }
    }

    fn swap(&mut self, on: bool) {
        writeln!(self.input, "{}", if on { "swap" } else { "rest" }).expect("it listens");
    }

    /// CPU time of the server and of the load, seconds.
    fn cpu_seconds(&self) -> [f64; 2] {
        [self.child.id(), std::process::id()].map(|process| {
            let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it lives");
            // Behind the name: the 12th and the 13th field are time in user and in kernel mode, a hundredth of a second each (proc(5)).
            let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
            fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
        })
    }

    fn resident_kilobytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
    }
}

const TARGETS: [(&str, &[u16]); 4] = [
    ("/shop/items?category=garden&page=2&sort=price", &[200]),
    ("/search?q=blue+chair&city=winter+street", &[200]),
    ("/shop/items?which=mark&page=3", &[430, 431]),
    ("/search?q=1'+union+select+password+from+users--", &[403]),
];

/// Which of the targets the `n`-th request goes to.
fn target(number: u32) -> (&'static str, &'static [u16]) {
    match number % 20 {
        0 | 10 => TARGETS[2],
        5 => TARGETS[3],
        number if number.is_multiple_of(2) => TARGETS[0],
        _ => TARGETS[1],
    }
}

fn number(variable: &str, default: f64) -> f64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
#[ignore = "eleven minutes on two cores; .ci/full runs it"]
fn no_request_notices_that_rulesets_are_swapped() {
    if setup("crs-pl1").is_none() {
        return;
    }
    if cfg!(debug_assertions) {
        say("left out: swaps under load (needs a release build)");
        return;
    }
    let mut server = Running::start();
    let own = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-acp", "1", &own]).stdout(Stdio::null()).status();
    assert!(pinned.is_ok_and(|status| status.success()), "the load has no core of its own");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let request = |number: u32| get([81, (number >> 8) as u8, number as u8, 7], target(number).0);
    let mut load = Load { address: server.address, request: Arc::new(request), per_second: 500.0 };
    runtime.block_on(load.clone().run(Duration::from_secs(1)));
    let before = server.cpu_seconds();
    let answered = runtime.block_on(load.clone().run(Duration::from_secs(4))).len();
    let after = server.cpu_seconds();
    let [of_server, of_load] = [0, 1].map(|side| (after[side] - before[side]) / answered as f64);
    let per_second = number("FUSEWALL_SWAP_RATE", 5000.0).min(BUSY / of_server.max(of_load));
    load.per_second = per_second;
    say(&format!(
        "a request takes the server {:.0} us, the load {:.0} us: {per_second:.0} a second",
        of_server * 1e6,
        of_load * 1e6
    ));
    // The same requests in both halves: what is first in one half is first in the other.
    let half = |server: &mut Running, on: bool| {
        server.swap(on);
        let answers = runtime.block_on(load.clone().run(HALF));
        server.swap(false);
        answers
    };
    runtime.block_on(load.clone().run(Duration::from_secs(3)));
    let pairs = number("FUSEWALL_SWAP_PAIRS", 10.0) as usize;
    let (mut ratios, mut statuses, mut memory) = (Vec::new(), BTreeMap::new(), Vec::new());
    for pair in 0..pairs {
        let mut took = [Duration::ZERO; 2];
        for on in [pair % 2 == 0, pair % 2 != 0] {
            let mut answers = half(&mut server, on);
            answers.sort_by_key(|answer| answer.due);
            took[usize::from(on)] = p99(&answers, |_| true);
            tally(&answers, per_second, &mut statuses);
        }
        memory.push(server.resident_kilobytes());
        ratios.push(took[1].as_secs_f64() / took[0].as_secs_f64());
        say(&format!("pair {pair}: p99 {:?} without swaps, {:?} with them; {} KB", took[0], took[1], memory[pair]));
    }
    std::thread::sleep(BETWEEN);
    let [swaps, loads] = *server.counts.lock().expect("the counts");
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    say(&format!("{swaps} swaps, {loads} loads from the files, {statuses:?}; p99 in the median {median:.2} times"));
    assert!(swaps as usize >= pairs * 100 && loads as usize >= pairs, "{swaps} swaps, {loads} loads");
    assert!(statuses.keys().all(|(_, explained)| *explained), "{statuses:?}");
    assert!([430, 431].iter().all(|status| statuses.contains_key(&(*status, true))), "both were in service");
    assert!(median <= SLOWER, "{ratios:?}");
    let growth = memory[memory.len() - 1] as f64 / memory[0] as f64;
    assert!(growth <= GROWTH, "{memory:?}");
}

/// Counts answers by status, and whether a generation explains it.
fn tally(answers: &[Answer], per_second: f64, statuses: &mut BTreeMap<(u16, bool), usize>) {
    for answer in answers {
        let number = (answer.due.as_secs_f64() * per_second).round() as u32;
        let explained = target(number).1.contains(&answer.status);
        *statuses.entry((answer.status, explained)).or_default() += 1;
    }
}
