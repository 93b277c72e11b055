//! D3: a rule that only watches still costs. In 2019 the fatal rule was in simulate mode.

use super::report::Findings;
use super::setting::{Setting, own, verdict};
use super::{Drill, traffic};
use crate::engine::FixedEnv;
use crate::governor::QuarantineConfig;
use crate::limits::Limits;
use crate::rule::RuleId;
use crate::waf::Waf;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D3",
    outage: "Cloudflare, 2 July 2019: the rule was in simulate mode and ran all the same",
    injected: "a dear rule in DetectionOnly, a thousand requests a second from many networks",
    must_hold: "it is metered, off within a second, and requests cost less then; rules that enforce decide and cost what they did",
    run,
};

/// Takes a tenth of a millisecond and more on what is sent.
const DEAR: &str = r"(?:a.*b|b.*c|c.*a)d[^x]{60}y";
const PER_SECOND: u32 = 1000;

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let watching = format!(
        "SecRuleEngine DetectionOnly\nSecRequestBodyAccess On\n\
         SecRule ARGS \"@rx {DEAR}\" \"id:1,phase:2,deny\"\nSecRule ARGS:x \"@rx ^y\" \"id:2,phase:2,deny\""
    );
    let built = Waf::builder()
        .env(FixedEnv::default())
        .quarantine(QuarantineConfig::default())
        .rules_text("watching.conf", watching)
        .build();
    let waf = built.map_err(|report| anyhow::anyhow!("rules of the drill do not load:\n{report}"))?;
    let enforcing = format!("SecRule ARGS \"@rx {DEAR}\" \"id:1,phase:2,deny\"");
    let built = own(&enforcing).limits(Limits::default()).quarantine(QuarantineConfig::default()).build();
    let enforcing = built.map_err(|report| anyhow::anyhow!("rules of the drill do not load:\n{report}"))?;
    let request = traffic::form(format!("x=y{}", "abcd".repeat(1_000)));
    let decided = |waf: &Waf| verdict(waf, &request).map(|(_, told)| (told.fuel, told.interruption, told.rules));

    let (_, before) = verdict(&waf, &request)?;
    let own = waf_fuel(&waf, &request);
    let neighbour = decided(&enforcing)?;
    let seconds = setting.size(1, 3);
    let began = Instant::now();
    let mut off = None;
    for number in 0..PER_SECOND * seconds {
        let due = began + Duration::from_secs(1) * number / PER_SECOND;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let network = IpAddr::V4(Ipv4Addr::new(198, 18, (number % 200) as u8, 7));
        drop(request.evaluate_from(&waf, network));
        let now_off = || waf.quarantined().iter().any(|(rule, _)| *rule == RuleId(1));
        if off.is_none() && number % 16 == 0 && now_off() {
            off = Some(began.elapsed());
        }
    }
    let (_, after) = verdict(&waf, &request)?;
    found.note("rule_fuel", own);
    found.note("off_after_ms", off.map_or(-1.0, |off| (off.as_secs_f64() * 1e5).round() / 1e2));
    found.note("request_fuel_before", before.fuel);
    found.note("request_fuel_after", after.fuel);
    found.hold(own > 0, || "the rule was not metered".to_owned());
    found.hold(off.is_some_and(|off| off <= Duration::from_secs(1)), || {
        format!("the rule was not off in time: {off:?}")
    });
    found.hold(after.fuel < before.fuel / 2, || {
        format!("requests cost {} fuel before, {} after", before.fuel, after.fuel)
    });
    found.hold(after.rules == [RuleId(2)], || format!("the other rule does not watch any more: {:?}", after.rules));

    // The same rule where it enforces, under the same traffic: it stays, and costs what it did.
    for number in 0..setting.size(300, 1500_u32) {
        let network = IpAddr::V4(Ipv4Addr::new(198, 18, (number % 200) as u8, 7));
        drop(request.evaluate_from(&enforcing, network));
    }
    let still = decided(&enforcing)?;
    found.note("enforcing_rules_off", enforcing.quarantined().len());
    found.hold(enforcing.quarantined().is_empty(), || "an enforcing rule went off by its cost".to_owned());
    found.hold(still == neighbour, || "rules that enforce decide or cost otherwise than before".to_owned());
    Ok(found)
}

/// Fuel of the dearest rule's own.
fn waf_fuel(waf: &Waf, request: &crate::cli::requests::Prepared) -> u64 {
    request.evaluate(waf).dearest_rules(1).first().map_or(0, |(_, fuel)| *fuel)
}
