//! The governor in a real process: two sites on one core, one of them asked for far more than there is.
//!
//! The server is this program, started again on the first core; load comes from the second. Ignored by default: a round takes
//! 40 seconds and wants both cores for itself. `.ci/full` runs it, and so does
//! `cargo test --release --all-features --test governor_load -- --ignored --nocapture`.

mod load;
mod traffic;

use fusewall::Waf;
use fusewall::governor::{Governor, GovernorConfig, TenantMetrics, thread_cpu_time};
use fusewall::host::serve::{Config, ErrorLog, Server};
use load::{Load, count, get, p99};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use traffic::{say, setup};

/// The part of the server's one core that rule evaluation may use.
const SHARE: f64 = 0.4;
/// How much longer benign answers may take beside an attack, 99 of 100, its first moments included.
const SLOWER: f64 = 3.0;
/// Of which one must hold everything: what else a machine does delays answers as well.
const ROUNDS: u32 = 3;
/// Where answers take so long without an attack, or a benign tenant spends more than its part, a round says nothing and does not
/// count. So often at most.
const STALLED: Duration = Duration::from_millis(20);
const STALLS: u32 = 3;
/// The first seconds of the attack.
const EARLY: Duration = Duration::from_secs(2);
const STARTED: &str = "FUSEWALL_GOVERNOR_LOAD_SERVER";
const TENANTS: [&str; 2] = ["benign", "hostile"];

/// What the server says of itself, again and again.
#[derive(Debug, Clone, Default, PartialEq)]
struct Report {
    /// Rule evaluation, by tenant, nanoseconds.
    evaluation: [u64; 2],
    admitted: [u64; 2],
    shed: [u64; 2],
    level: u64,
    /// The thread that does everything, nanoseconds.
    thread: u64,
}

impl Report {
    fn parse(line: &str) -> Option<Report> {
        let numbers: Vec<u64> = line.strip_prefix("report ")?.split(' ').filter_map(|text| text.parse().ok()).collect();
        let [a, b, c, d, e, f, level, thread] = numbers[..] else { return None };
        Some(Report { evaluation: [a, b], admitted: [c, d], shed: [e, f], level, thread })
    }
}

/// The server; does nothing unless it was started as one.
#[test]
#[ignore = "the other half of the test below"]
fn server() {
    if std::env::var_os(STARTED).is_none() {
        return;
    }
    let path = setup("crs-pl4").expect("the rules");
    let governor = Governor::new(&GovernorConfig { share: Some(SHARE), cores: 1, ..GovernorConfig::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut addresses = Vec::new();
        for name in TENANTS {
            let waf =
                Waf::builder().rules_path(&path).tenant(governor.tenant(name, 1)).build().expect("the rules load");
            let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
            let trusted_proxies = fusewall::host::serve::config::parse("", "trusted_proxies = ['127.0.0.1']");
            let config = Config { listen, ..trusted_proxies.expect("a configuration") };
            let server = Server::bind(config, waf, ErrorLog::to(|_| {})).await.expect("a port");
            addresses.push(server.addresses()[0].to_string());
            tokio::spawn(server.run(std::future::pending()));
        }
        println!("\nlistening {}", addresses.join(" "));
        loop {
            let metrics = governor.metrics();
            let each = |count: fn(&TenantMetrics) -> u64| {
                let of = |name: &&str| metrics.tenants.iter().find(|tenant| tenant.name == **name).map_or(0, count);
                TENANTS.iter().map(of).map(|count| count.to_string()).collect::<Vec<_>>().join(" ")
            };
            println!(
                "report {} {} {} {} {}",
                each(|tenant| tenant.cpu_nanos),
                each(|tenant| tenant.admitted),
                each(|tenant| tenant.shed_clients + tenant.shed_tenants),
                metrics.level.number(),
                thread_cpu_time().as_nanos(),
            );
            let _ = std::io::stdout().flush();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

struct Running {
    child: Child,
    addresses: Vec<SocketAddr>,
    report: Arc<Mutex<Report>>,
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
            .stdout(Stdio::piped())
            .spawn()
            .expect("taskset (util-linux) starts the server");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let listening = lines.find_map(|line| line.strip_prefix("listening ").map(str::to_owned)).expect("it listens");
        let addresses = listening.split(' ').filter_map(|text| text.parse().ok()).collect();
        let report = Arc::new(Mutex::new(Report::default()));
        let latest = Arc::clone(&report);
        std::thread::spawn(move || {
            for report in lines.filter_map(|line| Report::parse(&line)) {
                *latest.lock().expect("the report") = report;
            }
        });
        Running { child, addresses, report }
    }

    /// What the server says next.
    async fn report(&self) -> Report {
        tokio::time::sleep(Duration::from_millis(150)).await;
        self.report.lock().expect("the report").clone()
    }
}

/// A target with so many arguments: dear enough that the rest of the server and the load itself are small beside it.
fn form(fields: usize) -> String {
    let words = "summer+shoes+blue+leather+large+comfortable+walking+garden+breakfast+window";
    let fields: Vec<_> = (0..fields).map(|number| format!("field{number}={words}")).collect();
    format!("/search?{}", fields.join("&"))
}

/// Requests for a form with so many fields, by so many networks in turn.
fn load(address: SocketAddr, fields: usize, networks: u32, per_second: f64) -> Load {
    let target = form(fields);
    let request = move |number: u32| {
        let [_, _, a, b] = (number % networks).to_be_bytes();
        get([81, a, b, 7], &target)
    };
    Load { address, request: Arc::new(request), per_second }
}

#[test]
#[ignore = "up to two minutes on two cores; .ci/full runs it"]
fn five_times_the_capacity_is_shed_and_a_benign_tenant_is_not() {
    if setup("crs-pl4").is_none() {
        return;
    }
    if cfg!(debug_assertions) {
        say("left out: load on the governor (needs a release build)");
        return;
    }
    let server = Running::start();
    // The load, and whatever threads it starts, on the other core.
    let own = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-acp", "1", &own]).stdout(Stdio::null()).status();
    assert!(pinned.is_ok_and(|status| status.success()), "the load has no core of its own");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (mut rounds, mut stalls) = (0, 0);
    while rounds < ROUNDS && stalls < STALLS {
        match runtime.block_on(measure(&server)) {
            Round::Held => return,
            Round::Broke(what) => {
                say(&format!("this round did not hold: {}", what.join("; ")));
                rounds += 1;
            }
            Round::SaysNothing(why) => {
                say(&format!("this round says nothing: {why}"));
                stalls += 1;
            }
        }
    }
    panic!("none of {rounds} rounds held, {stalls} said nothing");
}

/// What a round came to.
enum Round {
    Held,
    /// What should be otherwise.
    Broke(Vec<String>),
    /// What was in the way.
    SaysNothing(String),
}

/// CPU time of a tenant's requests between two reports, seconds, all of them and each.
fn cost(tenant: usize, from: &Report, to: &Report) -> (f64, f64) {
    let spent = (to.evaluation[tenant] - from.evaluation[tenant]) as f64 / 1e9;
    (spent, spent / (to.admitted[tenant] - from.admitted[tenant]).max(1) as f64)
}

/// One round: benign load alone, beside the attack, and alone again.
async fn measure(server: &Running) -> Round {
    let mut benign = load(server.addresses[0], 40, 200, 50.0);
    let hostile = load(server.addresses[1], 180, 300, 20.0);
    // What a request costs, to know what a capacity is: of the benign ones at the rate at which they will come, since a processor
    // that is often idle is slow.
    let mut benign_cost = 0.0;
    for seconds in [2, 3] {
        let before = server.report().await;
        benign.clone().run(Duration::from_secs(seconds)).await;
        benign_cost = cost(0, &before, &server.report().await).1;
        benign.per_second = 0.45 * SHARE / benign_cost;
    }
    let before = server.report().await;
    hostile.clone().run(Duration::from_secs(3)).await;
    let hostile_cost = cost(1, &before, &server.report().await).1;
    let costs = [benign_cost, hostile_cost];
    let hostile = Load { per_second: 4.5 * SHARE / hostile_cost, ..hostile };
    say(&format!(
        "a benign request costs {:.3} ms, a hostile one {:.3} ms: {:.0} and {:.0} a second",
        costs[0] * 1e3,
        costs[1] * 1e3,
        benign.per_second,
        hostile.per_second
    ));
    let before = server.report().await;
    let mut unloaded = benign.clone().run(Duration::from_secs(5)).await;
    let alone = cost(0, &before, &server.report().await).0 / 5.0;
    let time = Duration::from_secs(12);
    let attacking = tokio::spawn(hostile.run(time));
    let served = tokio::spawn(benign.clone().run(time));
    // The first seconds use up what there is of bursts.
    tokio::time::sleep(EARLY).await;
    let (from, start) = (server.report().await, Instant::now());
    tokio::time::sleep(time - EARLY - Duration::from_secs(1)).await;
    let (to, elapsed) = (server.report().await, start.elapsed().as_secs_f64());
    let (attacked, loaded) = (attacking.await.expect("the load runs"), served.await.expect("the load runs"));
    let ended = Instant::now();
    let mut recovered = None;
    while ended.elapsed() < Duration::from_secs(10) && recovered.is_none() {
        if server.report().await.level == 0 {
            recovered = Some(ended.elapsed());
        }
    }
    unloaded.extend(benign.run(Duration::from_secs(5)).await);

    let part = |tenant: usize| (to.evaluation[tenant] - from.evaluation[tenant]) as f64 / 1e9 / elapsed;
    let used = part(0) + part(1);
    say(&format!(
        "rule evaluation: {:.1} % of the core (declared {:.0} %), benign {:.1} %, hostile {:.1} %; the whole server {:.1} %",
        used * 100.0,
        SHARE * 100.0,
        part(0) * 100.0,
        part(1) * 100.0,
        (to.thread - from.thread) as f64 / 1e7 / elapsed,
    ));
    let last = server.report().await;
    for (tenant, name) in TENANTS.iter().enumerate() {
        let (shed, admitted) =
            (last.shed[tenant] - before.shed[tenant], last.admitted[tenant] - before.admitted[tenant]);
        say(&format!("{name}: {shed} shed, {admitted} let in"));
    }
    say(&format!("hostile answers: {} x 503, {} x 429", count(&attacked, 503), count(&attacked, 429)));
    let ok = |status| !matches!(status, 0 | 429 | 503);
    let first = loaded.iter().filter(|answer| answer.due < EARLY);
    let [without, beside, early] = [p99(&unloaded, ok), p99(&loaded, ok), p99(first, ok)];
    say(&format!(
        "p99 of benign answers: {without:?} without the attack, {beside:?} beside it, {early:?} in its first {EARLY:?}; calm again after {recovered:?}",
    ));
    if without > STALLED {
        return Round::SaysNothing(format!("benign answers took {without:?} without an attack"));
    }
    if alone > 0.5 * SHARE {
        return Round::SaysNothing(format!("the benign tenant used {:.1} % of the core alone", alone * 100.0));
    }
    let slower = beside.max(early).as_secs_f64() / without.as_secs_f64();
    let shed = last.shed[0] - before.shed[0];
    let held = [
        (slower <= SLOWER, format!("benign answers take {slower:.1} times as long beside the attack")),
        (shed == 0, format!("{shed} benign requests were shed")),
        (loaded.iter().all(|answer| ok(answer.status)), "benign requests were not answered".to_owned()),
        ((used - SHARE).abs() < 0.05, format!("evaluation used {used:.3} of {SHARE}")),
        (count(&attacked, 503) > 0, "no hostile request was shed".to_owned()),
        (recovered.is_some_and(|time| time < Duration::from_secs(5)), format!("calm after {recovered:?}")),
    ];
    let broken: Vec<_> = held.into_iter().filter(|(held, _)| !held).map(|(_, what)| what).collect();
    if broken.is_empty() { Round::Held } else { Round::Broke(broken) }
}
