//! What attackers may want to switch, tried on proxies under load: inspection, the service of others, rules. A botnet sends the
//! dearest requests that can be made of the rules, far more of them than the CPU share bears, while small attacks and harmless
//! requests come from everywhere.
//!
//! | file | holds |
//! |---|---|
//! | `sites` | two tenants of one governor, each behind a proxy |
//! | `senders` | who sends what |
//!
//! `.ci/full` runs the longer form with `--ignored`.

#[path = "../hostile/chance.rs"]
mod chance;
#[path = "../load/mod.rs"]
mod load;
#[path = "../hostile/padding.rs"]
mod padding;
#[path = "../traffic/mod.rs"]
mod traffic;

mod senders;
mod sites;

use fusewall::engine::{Answer as Listed, Resolver};
use fusewall::governor::Level;
use fusewall::host::serve::config::Budget;
use fusewall::meter::Scope;
use fusewall::{Limits, Waf, WafBuilder};
use load::{Answer, Load};
use senders::Botnet;
use sites::{SHARE, Site, Sites};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use traffic::{say, setup};

/// One test at a time: each wants the processors for itself.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// How much is sent, to what.
struct Extent {
    rules: Option<PathBuf>,
    /// Of each botnet's attack.
    time: Duration,
    /// Bytes of a dear request.
    size: usize,
}

impl Extent {
    /// Rules of the Core Rule Set where they are at hand and loaded in time, otherwise the built-in ones.
    fn new(rules: &str, millis: u64) -> Extent {
        let optimised = !cfg!(debug_assertions);
        let rules = optimised.then(|| setup(rules)).flatten();
        Extent { rules, time: Duration::from_millis(millis), size: if optimised { 24 << 10 } else { 2 << 10 } }
    }

    /// Budgets are so tight that dear requests and the rules that they are made for spend them, and ordinary ones do not.
    fn builder(&self) -> WafBuilder {
        let builder = match &self.rules {
            Some(path) => Waf::builder().rules_path(path),
            None => Waf::builder().rules_builtin(),
        };
        let budget = Budget { base: 2_000_000, per_byte: 80, rule: 120_000, ..Budget::default() };
        builder.limits(budget.within(Limits::default()))
    }
}

/// Answers by status.
fn statuses(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}

/// Whether an attack was answered as one: refused by a rule, or shed, or refused because its budget is spent.
fn refused(answers: &[Answer]) -> bool {
    answers.iter().all(|answer| matches!(answer.status, 403 | 429 | 503))
}

fn load(site: &Site, per_second: f64, request: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static) -> Load {
    to(site.address, per_second, request)
}

fn to(address: SocketAddr, per_second: f64, request: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static) -> Load {
    Load { address, request: Arc::new(request), per_second }
}

/// `count` requests, one after the other.
async fn one_by_one(site: &Site, count: u32, request: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static) -> Vec<Answer> {
    let request: Arc<dyn Fn(u32) -> Vec<u8> + Send + Sync> = Arc::new(request);
    let mut answers = Vec::new();
    for number in 0..count {
        let request = Arc::clone(&request);
        answers.extend(to(site.address, 1e4, move |_| request(number)).run(Duration::from_nanos(1)).await);
    }
    answers
}

/// Waits until nothing is shed any more.
async fn calm(sites: &Sites) {
    let begun = Instant::now();
    while sites.governor.level() != Level::Calm {
        assert!(begun.elapsed() < Duration::from_secs(8), "still {:?}", sites.governor.level());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn no_botnet_switches_anything() {
    attack(&Extent::new("crs-pl1", 2500));
}

#[test]
#[ignore = "two minutes; .ci/full runs it"]
fn no_botnet_switches_anything_for_long() {
    attack(&Extent::new("crs-pl4", 45_000));
}

fn attack(extent: &Extent) {
    let _alone = ALONE.lock();
    let sites = Sites::start(|| extent.builder());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let costs = Costs::measure(&sites, extent).await;
        for botnet in Botnet::ALL {
            under(botnet, &sites, extent, &costs).await;
        }
    });
}

/// What requests cost on these sites, in seconds of CPU, and the dear ones.
struct Costs {
    benign: f64,
    dear: f64,
    bodies: Arc<Vec<Vec<u8>>>,
    /// Of the dear ones, those that spend their budget.
    exhausted: usize,
    /// Those that do not, but in which a rule spends its own.
    rule_exhausted: usize,
}

impl Costs {
    async fn measure(Sites { attacked, neighbour, .. }: &Sites, extent: &Extent) -> Costs {
        let before = neighbour.counts();
        let answers = one_by_one(neighbour, 20, |number| senders::benign(senders::clean(number), number)).await;
        assert_eq!(load::count(&answers, 200), 20, "harmless requests: {:?}", statuses(&answers));
        let benign = neighbour.cost_since(before);
        let bodies = senders::dear(attacked.waf.loaded().program(), 32, extent.size);
        let before = attacked.counts();
        let scopes = bodies.iter().filter_map(|body| {
            let request = traffic::Request::post("/save", "application/x-www-form-urlencoded", body.as_slice());
            Some(request.evaluate(&attacked.waf).verdict()?.exhausted?.scope)
        });
        let scopes: Vec<_> = scopes.collect();
        let of = |scope| scopes.iter().filter(|&&have| have == scope).count();
        let (exhausted, rule_exhausted) = (of(Scope::Request), of(Scope::Rule));
        assert!(
            exhausted > 0 && rule_exhausted > 0,
            "budgets spent: {exhausted} of requests, {rule_exhausted} of rules"
        );
        Costs { benign, dear: attacked.cost_since(before), bodies: Arc::new(bodies), exhausted, rule_exhausted }
    }
}

async fn under(botnet: Botnet, sites: &Sites, extent: &Extent, costs: &Costs) {
    let Sites { attacked, neighbour, .. } = sites;
    calm(sites).await;
    let switched = [attacked, neighbour].map(Site::switched);
    let (shed, spared) = (attacked.shed(), neighbour.shed());
    let small = senders::SMALL.len() as u32;
    for site in [attacked, neighbour] {
        let found = one_by_one(site, small, |number| senders::small(senders::clean(number), number)).await;
        assert_eq!(load::count(&found, 403), small as usize, "small attacks: {:?}", statuses(&found));
    }

    let part = SHARE / 2.0;
    let quiet = (0.3 * part / costs.benign).min(100.0);
    let bodies = Arc::clone(&costs.bodies);
    let dear = move |number: u32| senders::post(botnet.address(number), &bodies[number as usize % bodies.len()]);
    let loads = [
        load(attacked, (8.0 * SHARE / costs.dear).min(600.0), dear),
        load(attacked, quiet, move |number| senders::small(botnet.address(number), number)),
        load(attacked, quiet, |number| senders::small(senders::clean(number), number)),
        load(attacked, quiet, |number| senders::benign(senders::clean(number), number)),
        load(neighbour, quiet, |number| senders::benign(senders::clean(number), number)),
        load(neighbour, quiet / 3.0, |number| senders::small(senders::clean(number), number)),
    ];
    let running = loads.map(|load| tokio::spawn(load.run(extent.time)));
    let mut answers = Vec::new();
    for load in running {
        answers.push(load.await.expect("the load runs"));
    }
    let [dear, bots, clean, others, benign, beside] = &answers[..] else { unreachable!("six loads") };
    let (shed, spared) = (attacked.shed() - shed, neighbour.shed() - spared);
    calm(sites).await;
    let name = botnet.name();

    say(&format!(
        "{name}, small attacks: on the attacked site {:?} from bots, {:?} from clean clients; beside it {:?}",
        statuses(bots),
        statuses(clean),
        statuses(beside)
    ));
    assert!(refused(bots) && refused(clean), "a small attack was not refused");
    assert!(load::count(clean, 403) > 0 && load::count(bots, 403) > 0, "no small attack was inspected");
    assert_eq!(load::count(beside, 403), beside.len(), "a small attack was not refused by a rule beside the attack");
    let found = one_by_one(attacked, small, |number| senders::small(senders::clean(number), number)).await;
    assert_eq!(load::count(&found, 403), small as usize, "small attacks after it: {:?}", statuses(&found));

    let log = attacked.log();
    say(&format!(
        "{name}, uninspected: dear attacks of {:.1} ms got {:?}; of {} kinds {} spend their budget, {} that of a rule; \
         {} budgets spent, {} passed unseen",
        costs.dear * 1e3,
        statuses(dear),
        costs.bodies.len(),
        costs.exhausted,
        costs.rule_exhausted,
        log.exhausted,
        log.unseen.len()
    ));
    assert!(refused(dear), "a dear attack passed");
    assert!(log.exhausted > 0, "no budget was spent");
    let unseen = [log.unseen, neighbour.log().unseen].concat();
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));

    say(&format!(
        "{name}, second tenant: {:?} of harmless requests, {spared} shed; of the attacked one {shed} shed, {:?} of harmless requests",
        statuses(benign),
        statuses(others)
    ));
    assert!(shed as usize > dear.len() / 3, "the load was none");
    assert_eq!(spared, 0, "the second tenant was shed");
    assert_eq!(load::count(benign, 200), benign.len(), "the second tenant's requests were not served");

    let after = [attacked, neighbour].map(Site::switched);
    say(&format!(
        "{name}, switches: epochs {} and {}, {} rules off",
        after[0].epoch,
        after[1].epoch,
        after[0].off + after[1].off
    ));
    assert_eq!(after, switched, "a switch was turned");
    assert!(after.iter().all(|site| site.off == 0 && site.quarantined == 0), "{after:?}");
}

/// A block list that makes the engine fail whenever it is asked.
struct Failing;

impl Resolver for Failing {
    fn answer(&self, _: &str) -> Listed {
        panic!("{FAULT}")
    }
}

const FAULT: &str = "injected fault";

/// Rules 1 to 4 fail for those who want them to.
const FAILING: &str = r#"
SecRuleEngine On
SecRule ARGS:fail1 "@rbl one.example" "id:1,phase:1,deny,status:403"
SecRule ARGS:fail2 "@rbl two.example" "id:2,phase:1,deny,status:403"
SecRule ARGS:fail3 "@rbl three.example" "id:3,phase:1,deny,status:403"
SecRule ARGS:fail4 "@rbl four.example" "id:4,phase:1,deny,status:403"
SecRule ARGS "@detectSQLi" "id:5,phase:2,deny,status:403"
"#;

/// A request that makes a rule fail, with an attack behind it.
fn failing(client: [u8; 4], number: u32) -> Vec<u8> {
    load::get(client, &format!("/list?fail{}=192.0.2.1&q=%27+or+1%3D1--", 1 + number % 4))
}

/// The first of the small attacks, which the rules of this test know.
fn injection(client: [u8; 4], _: u32) -> Vec<u8> {
    senders::small(client, 0)
}

#[test]
fn no_fault_of_a_rule_switches_it_off() {
    let _alone = ALONE.lock();
    // Of hundreds of injected faults nobody wants to read.
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref::<String>().is_none_or(|text| text != FAULT) {
            told(panic);
        }
    }));
    let sites = Sites::start(|| Waf::builder().rules_text("failing.conf", FAILING).resolver(Failing));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        one_client_with_faults(&sites).await;
        for botnet in Botnet::ALL {
            botnet_with_faults(botnet, &sites).await;
        }
    });
}

/// One client that makes one rule fail after the other is refused; no rule is touched.
async fn one_client_with_faults(Sites { attacked, neighbour, .. }: &Sites) {
    let client = [192, 0, 2, 1];
    let answers = one_by_one(attacked, 40, move |number| failing(client, number)).await;
    let others = one_by_one(attacked, 10, |number| injection(senders::clean(number), number)).await;
    let after = [attacked, neighbour].map(Site::switched);
    say(&format!(
        "one client, faults: it got {:?}, small attacks of others {:?}; epochs {} and {}",
        statuses(&answers),
        statuses(&others),
        after[0].epoch,
        after[1].epoch
    ));
    assert_eq!(statuses(&answers), BTreeMap::from([(500, 3), (429, 37)]));
    assert_eq!(load::count(&others, 403), others.len());
    assert!(after.iter().all(|site| site.epoch == 0 && site.off == 0), "a switch was turned: {after:?}");
}

/// Rules that fail for a whole botnet count as matches: nothing passes because of them, and nobody else notices.
async fn botnet_with_faults(botnet: Botnet, sites: &Sites) {
    let Sites { attacked, neighbour, .. } = sites;
    let failed = attacked.log().failed;
    let loads = [
        load(attacked, 200.0, move |number| failing(botnet.address(number), number)),
        load(attacked, 40.0, move |number| injection(botnet.address(number), number)),
        load(attacked, 40.0, |number| injection(senders::clean(number), number)),
        load(neighbour, 40.0, |number| senders::benign(senders::clean(number), number)),
        load(neighbour, 40.0, |number| injection(senders::clean(number), number)),
    ];
    let running = loads.map(|load| tokio::spawn(load.run(Duration::from_millis(1200))));
    let mut answers = Vec::new();
    for load in running {
        answers.push(load.await.expect("the load runs"));
    }
    let [faults, bots, clean, benign, beside] = &answers[..] else { unreachable!("five loads") };
    let after = [attacked, neighbour].map(Site::switched);
    let failed = attacked.log().failed - failed;
    say(&format!(
        "{}, faults: {failed} and more, answered {:?}; small attacks {:?}, {:?}; second tenant {:?}, {:?}; {} rules count as matches, {} off, epoch beside {}",
        botnet.name(),
        statuses(faults),
        statuses(bots),
        statuses(clean),
        statuses(benign),
        statuses(beside),
        after[0].quarantined,
        after[0].off,
        after[1].epoch
    ));
    assert!(failed > 0 || after[0].quarantined > 0, "nothing failed");
    assert!(faults.iter().all(|answer| matches!(answer.status, 403 | 429 | 500 | 503)), "a fault let an attack pass");
    assert!(refused(bots) && refused(clean), "a small attack was not refused");
    assert_eq!(after[0].off, 0, "an enforcing rule was switched off");
    assert!(after[0].quarantined <= 1, "more rules than may be");
    assert_eq!((after[1].epoch, neighbour.shed()), (0, 0), "the second tenant noticed");
    assert_eq!(load::count(benign, 200), benign.len(), "the second tenant's requests were not served");
    assert_eq!(load::count(beside, 403), beside.len(), "a small attack passed the second tenant's rules");
}
