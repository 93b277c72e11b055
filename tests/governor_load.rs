//! The governor in a real process: two sites on one core, one of them asked for far more than there is.
//!
//! The server is this program, started again on the first core; load comes from the second. Ignored by default: it takes
//! 40 seconds and wants both cores for itself. `.ci/full` runs it, and so does
//! `cargo test --release --all-features --test governor_load -- --ignored --nocapture`.

mod traffic;

use fusewall::Waf;
use fusewall::governor::{Governor, GovernorConfig, TenantMetrics, thread_cpu_time};
use fusewall::host::serve::{Config, ErrorLog, Server};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use traffic::{say, setup};

/// The part of the server's one core that rule evaluation may use.
const SHARE: f64 = 0.4;
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

/// A request by client number `client`; each has a network of its own.
fn request(client: u32, target: &str) -> Vec<u8> {
    let [_, _, a, b] = client.to_be_bytes();
    format!(
        "GET {target} HTTP/1.1\r\nHost: www.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
         Accept: text/html\r\nAccept-Language: en\r\nX-Forwarded-For: 81.{a}.{b}.7\r\n\r\n"
    )
    .into_bytes()
}

/// A target with so many arguments: dear enough that the rest of the server and the load itself are small beside it.
fn form(fields: usize) -> String {
    let words = "summer+shoes+blue+leather+large+comfortable+walking+garden+breakfast+window";
    let fields: Vec<_> = (0..fields).map(|number| format!("field{number}={words}")).collect();
    format!("/search?{}", fields.join("&"))
}

/// Requests at a rate, whatever becomes of those before.
#[derive(Clone)]
struct Load {
    address: SocketAddr,
    target: Arc<str>,
    networks: u32,
    per_second: f64,
}

/// Statuses, and how long each answer took from the moment when the request was due.
type Answers = Arc<Mutex<Vec<(u16, Duration)>>>;

impl Load {
    async fn run(self, time: Duration) -> Vec<(u16, Duration)> {
        let answers = Answers::default();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let start = Instant::now();
        let mut sending = tokio::task::JoinSet::new();
        for number in 0_u32.. {
            let due = start + Duration::from_secs_f64(f64::from(number) / self.per_second);
            if due >= start + time {
                break;
            }
            tokio::time::sleep_until(due.into()).await;
            let (answers, connections) = (Arc::clone(&answers), Arc::clone(&connections));
            let (address, request) = (self.address, request(number % self.networks, &self.target));
            sending.spawn(async move {
                let pooled = connections.lock().expect("connections").pop();
                let Ok(mut connection) = (match pooled {
                    Some(connection) => Ok(connection),
                    None => TcpStream::connect(address).await,
                }) else {
                    return;
                };
                if let Some(status) = ask(&mut connection, &request).await {
                    answers.lock().expect("answers").push((status, due.elapsed()));
                    connections.lock().expect("connections").push(connection);
                }
            });
            while sending.try_join_next().is_some() {}
        }
        let _ =
            tokio::time::timeout(Duration::from_secs(10), async { while sending.join_next().await.is_some() {} }).await;
        let answers = answers.lock().expect("answers");
        answers.clone()
    }
}

async fn ask(connection: &mut TcpStream, request: &[u8]) -> Option<u16> {
    connection.write_all(request).await.ok()?;
    let (mut read, mut chunk) = (Vec::new(), [0; 16_384]);
    loop {
        let count = connection.read(&mut chunk).await.ok().filter(|&count| count > 0)?;
        read.extend_from_slice(&chunk[..count]);
        let Some(end) = memchr::memmem::find(&read, b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok())?;
        if read.len() >= end + 4 + length {
            return head.split(' ').nth(1)?.parse().ok();
        }
    }
}

/// The time that 99 of 100 answers with a status that `counts` stayed below.
fn p99(answers: &[(u16, Duration)], counts: impl Fn(u16) -> bool) -> Duration {
    let mut times: Vec<_> = answers.iter().filter(|(status, _)| counts(*status)).map(|(_, time)| *time).collect();
    times.sort();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

fn count(answers: &[(u16, Duration)], status: u16) -> usize {
    answers.iter().filter(|(have, _)| *have == status).count()
}

#[test]
#[ignore = "40 seconds on two cores; .ci/full runs it"]
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
    runtime.block_on(measure(&server));
}

async fn measure(server: &Running) {
    let benign = Load { address: server.addresses[0], target: form(40).into(), networks: 200, per_second: 50.0 };
    let hostile = Load { address: server.addresses[1], target: form(180).into(), networks: 300, per_second: 20.0 };
    // What a request costs, to know what a capacity is; and what an answer takes without load.
    let before = server.report().await;
    let unloaded = benign.clone().run(Duration::from_secs(4)).await;
    let between = server.report().await;
    hostile.clone().run(Duration::from_secs(3)).await;
    let after = server.report().await;
    let cost = |tenant: usize, from: &Report, to: &Report| {
        let spent = (to.evaluation[tenant] - from.evaluation[tenant]) as f64 / 1e9;
        spent / (to.admitted[tenant] - from.admitted[tenant]).max(1) as f64
    };
    let costs = [cost(0, &before, &between), cost(1, &between, &after)];
    let benign = Load { per_second: 0.45 * SHARE / costs[0], ..benign };
    let hostile = Load { per_second: 4.5 * SHARE / costs[1], ..hostile };
    say(&format!(
        "a benign request costs {:.3} ms, a hostile one {:.3} ms: {:.0} and {:.0} a second",
        costs[0] * 1e3,
        costs[1] * 1e3,
        benign.per_second,
        hostile.per_second
    ));
    let time = Duration::from_secs(15);
    let attacking = tokio::spawn(hostile.run(time));
    // The first second fills what there is of bursts.
    let early = benign.clone().run(Duration::from_secs(2)).await;
    let (from, start) = (server.report().await, Instant::now());
    let loaded = benign.clone().run(Duration::from_secs(10)).await;
    let (to, elapsed) = (server.report().await, start.elapsed().as_secs_f64());
    let attacked = attacking.await.expect("the load runs");
    let ended = Instant::now();
    let mut recovered = None;
    while ended.elapsed() < Duration::from_secs(10) && recovered.is_none() {
        if server.report().await.level == 0 {
            recovered = Some(ended.elapsed());
        }
    }
    let again = benign.run(Duration::from_secs(3)).await;

    let part = |tenant: usize| (to.evaluation[tenant] - from.evaluation[tenant]) as f64 / 1e9 / elapsed;
    let shed = |tenant: usize| (to.shed[tenant] - from.shed[tenant], to.admitted[tenant] - from.admitted[tenant]);
    let used = part(0) + part(1);
    say(&format!(
        "rule evaluation: {:.1} % of the core (declared {:.0} %), benign {:.1} %, hostile {:.1} %; the whole server {:.1} %",
        used * 100.0,
        SHARE * 100.0,
        part(0) * 100.0,
        part(1) * 100.0,
        (to.thread - from.thread) as f64 / 1e7 / elapsed,
    ));
    for (tenant, name) in TENANTS.iter().enumerate() {
        let (shed, admitted) = shed(tenant);
        say(&format!("{name}: {shed} shed, {admitted} let in"));
    }
    say(&format!("hostile answers: {} x 503, {} x 429", count(&attacked, 503), count(&attacked, 429)));
    let ok = |status| status != 503 && status != 429;
    say(&format!(
        "p99 of benign answers: {:?} without load, {:?} when it began, {:?} under it, {:?} after it; calm again after {recovered:?}",
        p99(&unloaded, ok),
        p99(&early, ok),
        p99(&loaded, ok),
        p99(&again, ok),
    ));
    assert!((used - SHARE).abs() < 0.05, "{used} of {SHARE}");
    assert_eq!(to.shed[0], 0, "benign requests were shed");
    assert!(count(&attacked, 503) > 0);
    assert!(recovered.is_some_and(|time| time < Duration::from_secs(5)), "{recovered:?}");
    assert!(p99(&loaded, ok) < Duration::from_millis(250));
}
