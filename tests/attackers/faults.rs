//! Rules that fail when they are evaluated: nothing passes because of them, and whoever finds them cannot switch them off.

use crate::ALONE;
use crate::answers::{Findings, all, refused, statuses};
use crate::load::get;
use crate::senders::{self, Botnet, load, one_by_one};
use crate::sites::{Site, Sites};
use crate::traffic::say;
use fusewall::Waf;
use fusewall::engine::{Answer as Listed, Resolver};
use std::collections::BTreeMap;
use std::time::Duration;

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
    get(client, &format!("/list?fail{}=192.0.2.1&q=%27+or+1%3D1--", 1 + number % 4))
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
    let mut found = Findings::default();
    runtime.block_on(async {
        one_client_with_faults(&sites, &mut found).await;
        for botnet in Botnet::ALL {
            botnet_with_faults(botnet, &sites, &mut found).await;
        }
    });
    found.assert();
}

/// One client that makes one rule fail after the other is refused; no rule is touched.
async fn one_client_with_faults(Sites { attacked, neighbour, .. }: &Sites, found: &mut Findings) {
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
    found.want(statuses(&answers) == BTreeMap::from([(500, 3), (429, 37)]), "a client with faults was not turned away");
    found.want(all(&others, 403), "a small attack was not refused by a rule");
    found.want(after.iter().all(|site| site.epoch == 0 && site.off == 0), "one client has turned a switch");
}

/// Rules that fail for a whole botnet count as matches: nothing passes because of them, and nobody else notices.
async fn botnet_with_faults(botnet: Botnet, sites: &Sites, found: &mut Findings) {
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
    found.want(failed > 0 || after[0].quarantined > 0, "nothing failed");
    found
        .want(faults.iter().all(|answer| matches!(answer.status, 403 | 429 | 500 | 503)), "a fault let an attack pass");
    found.want(refused(bots) && refused(clean), "a small attack was not refused");
    found.want(after[0].off == 0, "an enforcing rule was switched off");
    found.want(after[1].epoch == 0 && neighbour.shed() == 0, "the second tenant has noticed the faults");
    found.want(all(benign, 200), "the second tenant's requests were not served");
    found.want(all(beside, 403), "a small attack passed the second tenant's rules");
}
