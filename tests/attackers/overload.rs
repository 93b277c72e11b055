//! Botnets that ask for far more than the CPU share bears.

use crate::ALONE;
use crate::answers::{Findings, all, refused, statuses};
use crate::load::count;
use crate::senders::{self, Botnet, load, one_by_one};
use crate::sites::{SHARE, Site, Sites};
use crate::traffic::{Request, say, setup};
use fusewall::host::serve::config::Budget;
use fusewall::meter::Scope;
use fusewall::{Limits, Waf, WafBuilder};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a dear request.
const DEAR: usize = 24 << 10;

/// How much is sent, to what.
struct Extent {
    rules: Option<PathBuf>,
    /// Of each botnet's attack.
    time: Duration,
}

impl Extent {
    /// Rules of the Core Rule Set where they are at hand, otherwise the built-in ones.
    fn new(millis: u64) -> Extent {
        Extent { rules: setup("crs-pl1"), time: Duration::from_millis(millis) }
    }

    /// Budgets are so tight that dear requests and the rules that they are made for spend them, and ordinary ones do not.
    fn builder(&self) -> WafBuilder {
        let (builder, base, per_byte, rule) = match &self.rules {
            Some(path) => (Waf::builder().rules_path(path), 2_000_000, 80, 120_000),
            None => (Waf::builder().rules_builtin(), 500_000, 20, 50_000),
        };
        let budget = Budget { base, per_byte, rule, ..Budget::default() };
        builder.limits(budget.within(Limits::default()))
    }
}

#[test]
fn no_botnet_switches_anything() {
    attack(&Extent::new(2000));
}

#[test]
#[ignore = "two minutes; .ci/full runs it"]
fn no_botnet_switches_anything_for_long() {
    attack(&Extent::new(45_000));
}

fn attack(extent: &Extent) {
    if cfg!(debug_assertions) {
        say("left out: attacks on running proxies (need a release build)");
        return;
    }
    let _alone = ALONE.lock();
    let sites = Sites::start(|| extent.builder());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut found = Findings::default();
    runtime.block_on(async {
        let costs = Costs::measure(&sites).await;
        for botnet in Botnet::ALL {
            under(botnet, &sites, extent, &costs, &mut found).await;
        }
    });
    found.assert();
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
    async fn measure(Sites { attacked, neighbour, .. }: &Sites) -> Costs {
        let before = neighbour.counts();
        let answers = one_by_one(neighbour, 20, |number| senders::benign(senders::clean(number), number)).await;
        assert_eq!(count(&answers, 200), 20, "harmless requests: {:?}", statuses(&answers));
        let benign = neighbour.cost_since(before);
        let bodies = senders::dear(attacked.waf.loaded().program(), 32, DEAR);
        let before = attacked.counts();
        let scopes = bodies.iter().filter_map(|body| {
            let request = Request::post("/save", "application/x-www-form-urlencoded", body.as_slice());
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

async fn under(botnet: Botnet, sites: &Sites, extent: &Extent, costs: &Costs, found: &mut Findings) {
    let Sites { attacked, neighbour, .. } = sites;
    sites.calm().await;
    let switched = [attacked, neighbour].map(Site::switched);
    let (shed, spared) = (attacked.shed(), neighbour.shed());
    let small = senders::SMALL.len() as u32;
    for site in [attacked, neighbour] {
        let before = one_by_one(site, small, |number| senders::small(senders::clean(number), number)).await;
        found.want(all(&before, 403), "a small attack was not refused before the load");
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
    sites.calm().await;
    let name = botnet.name();

    say(&format!(
        "{name}, small attacks: on the attacked site {:?} from bots, {:?} from clean clients; beside it {:?}",
        statuses(bots),
        statuses(clean),
        statuses(beside)
    ));
    found.want(refused(bots) && refused(clean), "a small attack was not refused");
    found.want(count(clean, 403) > 0 && count(bots, 403) > 0, "no small attack was inspected");
    found.want(all(beside, 403), "a small attack on the second tenant was not refused by a rule");
    let after = one_by_one(attacked, small, |number| senders::small(senders::clean(number), number)).await;
    found.want(all(&after, 403), "a small attack was not refused by a rule when all was over");

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
    found.want(refused(dear), "a dear attack passed");
    found.want(log.exhausted > 0, "no budget was spent");
    found.want(log.unseen.is_empty() && neighbour.log().unseen.is_empty(), "something passed uninspected");

    say(&format!(
        "{name}, second tenant: {:?} of harmless requests, {spared} shed; of the attacked one {shed} shed, {:?} of harmless requests",
        statuses(benign),
        statuses(others)
    ));
    found.want(shed as usize > dear.len() / 3, "the load was none");
    found.want(spared == 0, "the second tenant was shed");
    found.want(all(benign, 200), "the second tenant's requests were not served");

    let after = [attacked, neighbour].map(Site::switched);
    say(&format!(
        "{name}, switches: epochs {} and {}, {} rules off",
        after[0].epoch,
        after[1].epoch,
        after[0].off + after[1].off
    ));
    found.want(after == switched, "a switch was turned");
    found.want(after.iter().all(|site| site.off == 0 && site.quarantined == 0), "a rule is off");
}
