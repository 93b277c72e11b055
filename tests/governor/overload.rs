//! More load than there is CPU.

use crate::simulation::{SECOND, Source, World, address};
use fusewall::governor::Level;

const MILLI: u64 = 1_000_000;

/// Part of all cores that evaluation has used.
fn share(world: &World, cores: u64, seconds: u64) -> f64 {
    world.spent as f64 / (cores * seconds * SECOND) as f64
}

#[test]
fn a_hostile_tenant_is_shed_and_a_benign_one_never() {
    for (cores, declared) in [(1, 0.7), (2, 0.5), (4, 0.9)] {
        let mut world = World::new(declared, cores);
        let capacity = declared * cores as f64;
        let (benign, hostile) = (world.governor.tenant("benign", 1), world.governor.tenant("hostile", 1));
        world.sources.push(Source::new(&benign, 0, 50, MILLI / 5, 0.5 * capacity));
        world.sources.push(Source::new(&hostile, 1000, 300, MILLI, 4.5 * capacity));
        world.run(2 * SECOND);
        world.count();
        world.run(10 * SECOND);
        let used = share(&world, cores as u64, 10);
        assert!((used - declared).abs() < 0.05, "{used} of {declared}");
        let (benign, hostile) = (world.sources[0].tally, world.sources[1].tally);
        assert_eq!(benign.shed(), 0, "{benign:?}");
        let part = hostile.cpu as f64 / world.spent as f64;
        assert!((part - 0.5).abs() < 0.05, "{part}");
        assert!(world.changes() <= 2, "{} changes of level", world.changes());
    }
}

/// The time that 99 of 100 requests of a source have taken at most.
fn p99(source: &Source) -> u64 {
    let mut took = source.took.clone();
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

#[test]
fn an_attack_on_one_tenant_does_not_slow_another_down_from_its_first_moment_on() {
    for (cores, cost) in [(1, 3 * MILLI), (1, 30 * MILLI), (2, 3 * MILLI), (4, 3 * MILLI)] {
        let mut world = World::new(0.4, cores);
        let capacity = 0.4 * cores as f64;
        let (benign, hostile) = (world.governor.tenant("benign", 1), world.governor.tenant("hostile", 1));
        world.sources.push(Source::new(&benign, 0, 200, MILLI * 7 / 10, 0.45 * capacity));
        // What it costs is known, as it would be of a site that has been there for a while.
        world.sources.push(Source::new(&hostile, 1000, 300, cost, 0.1 * capacity));
        world.run(5 * SECOND);
        let unloaded = p99(&world.sources[0]);
        world.count();
        world.sources[1].load = 4.5 * capacity;
        world.run(2 * SECOND);
        let loaded = p99(&world.sources[0]);
        assert!(loaded <= 3 * unloaded, "{loaded} ns after {unloaded} ns, {cores} cores");
        assert_eq!(world.sources[0].tally.shed(), 0);
    }
}

#[test]
fn who_is_over_its_part_by_a_little_does_not_wait_behind_all_of_an_attack() {
    for cores in [1, 2, 4] {
        let mut world = World::new(0.4, cores);
        let capacity = 0.4 * cores as f64;
        let (busy, hostile) = (world.governor.tenant("busy", 1), world.governor.tenant("hostile", 1));
        // CPU that nobody else wanted up to now: its bucket is as empty as one can be.
        world.sources.push(Source::new(&busy, 0, 200, MILLI * 7 / 10, 0.65 * capacity));
        world.sources.push(Source::new(&hostile, 1000, 300, 3 * MILLI, 0.1 * capacity));
        world.run(5 * SECOND);
        let unloaded = p99(&world.sources[0]);
        assert_eq!(world.sources[0].tally.shed(), 0);
        assert!(busy.metrics().balance_nanos < 0);
        world.sources[1].load = 4.5 * capacity;
        // Up to here the other tenant is within its part.
        world.run(SECOND / 20);
        world.count();
        world.run(SECOND / 5);
        let loaded = p99(&world.sources[0]);
        assert!(loaded <= 4 * unloaded, "{loaded} ns after {unloaded} ns, {cores} cores");
    }
}

#[test]
fn what_others_leave_idle_is_lent_and_given_back_at_once() {
    let mut world = World::new(0.8, 1);
    let (quiet, busy) = (world.governor.tenant("quiet", 3), world.governor.tenant("busy", 1));
    world.sources.push(Source::new(&quiet, 0, 20, MILLI / 5, 0.05));
    world.sources.push(Source::new(&busy, 1000, 300, MILLI / 2, 2.0));
    world.run(2 * SECOND);
    world.count();
    world.run(5 * SECOND);
    let busy = world.sources[1].tally.cpu as f64 / (5 * SECOND) as f64;
    assert!((busy - 0.75).abs() < 0.05, "{busy}");
    world.sources[0].load = 0.55;
    world.count();
    world.run(5 * SECOND);
    assert_eq!(world.sources[0].tally.shed(), 0);
    let busy = world.sources[1].tally.cpu as f64 / (5 * SECOND) as f64;
    assert!((busy - 0.25).abs() < 0.05, "{busy}");
}

#[test]
fn the_parts_of_those_who_all_want_more_are_as_their_weights() {
    let mut world = World::new(0.6, 2);
    for (index, weight) in [1, 2, 5].into_iter().enumerate() {
        let tenant = world.governor.tenant(&weight.to_string(), weight);
        world.sources.push(Source::new(&tenant, index as u32 * 1000, 200, MILLI / 2, 3.0));
    }
    world.run(2 * SECOND);
    world.count();
    world.run(8 * SECOND);
    assert!((share(&world, 2, 8) - 0.6).abs() < 0.05);
    for (source, weight) in world.sources.iter().zip([1.0, 2.0, 5.0]) {
        let part = source.tally.cpu as f64 / world.spent as f64;
        assert!((part - weight / 8.0).abs() < 0.05, "{part} for weight {weight}");
    }
}

#[test]
fn one_dear_client_does_not_get_the_others_of_its_tenant_shed() {
    let mut world = World::new(0.7, 1);
    let tenant = world.governor.tenant("only", 1);
    world.sources.push(Source::new(&tenant, 0, 40, MILLI / 5, 0.3));
    world.sources.push(Source::new(&tenant, 900, 1, 5 * MILLI, 3.0));
    world.run(2 * SECOND);
    world.count();
    world.run(10 * SECOND);
    let (others, dear) = (world.sources[0].tally, world.sources[1].tally);
    assert_eq!(others.shed(), 0, "{others:?}");
    assert_eq!(dear.tenants, 0);
    assert!(dear.clients > dear.admitted, "{dear:?}");
    assert!((share(&world, 1, 10) - 0.7).abs() < 0.05, "{}", share(&world, 1, 10));
}

#[test]
fn very_dear_requests_of_one_client_cost_the_others_a_moment_at_most() {
    let mut world = World::new(0.7, 1);
    let tenant = world.governor.tenant("only", 1);
    world.sources.push(Source::new(&tenant, 0, 40, MILLI / 5, 0.2));
    world.run(SECOND);
    world.sources.push(Source::new(&tenant, 900, 1, 150 * MILLI, 5.0));
    world.count();
    world.run(10 * SECOND);
    let others = world.sources[0].tally;
    assert!(others.shed() * 100 < others.admitted, "{others:?}");
    let dear = world.sources[1].tally;
    assert_eq!(dear.tenants, 0);
    assert!(dear.clients > 5 * dear.admitted, "{dear:?}");
}

#[test]
fn a_dear_client_alone_is_not_refused_while_there_is_cpu() {
    let mut world = World::new(0.7, 1);
    let tenant = world.governor.tenant("only", 1);
    world.sources.push(Source::new(&tenant, 0, 40, MILLI / 5, 0.1));
    world.sources.push(Source::new(&tenant, 900, 1, 150 * MILLI, 0.15));
    world.run(20 * SECOND);
    assert_eq!(world.sources[0].tally.shed() + world.sources[1].tally.shed(), 0, "{:?}", world.sources[1].tally);
}

#[test]
fn botnets_stay_within_their_tenant() {
    // One /16, and 500 networks far apart: both are hundreds of /24.
    for (networks, cost) in [(256, 2 * MILLI), (500, 2 * MILLI), (500, 20 * MILLI)] {
        let mut world = World::new(0.7, 2);
        let (victim, other) = (world.governor.tenant("victim", 1), world.governor.tenant("other", 1));
        world.sources.push(Source::new(&other, 0, 60, MILLI / 5, 0.65));
        world.sources.push(Source::new(&victim, 1000, 40, MILLI / 5, 0.2));
        world.sources.push(Source::new(&victim, 2000, networks, cost, 6.0));
        world.run(2 * SECOND);
        world.count();
        world.run(8 * SECOND);
        assert_eq!(world.sources[0].tally.shed(), 0, "{networks} networks: {:?}", world.sources[0].tally);
        let used = share(&world, 2, 8);
        assert!((used - 0.7).abs() < 0.05, "{networks} networks: {used}");
    }
}

#[test]
fn the_queue_stays_short_and_all_is_well_again_five_seconds_later() {
    let mut world = World::new(0.7, 1);
    let tenant = world.governor.tenant("only", 1);
    world.sources.push(Source::new(&tenant, 0, 200, MILLI, 0.3));
    world.run(2 * SECOND);
    assert_eq!(world.governor.level(), Level::Calm);
    world.sources[0].load = 5.0;
    world.count();
    world.run(10 * SECOND);
    assert_eq!(world.governor.level(), Level::Tenants);
    assert!(world.longest_queue < 250 * MILLI, "{} ms", world.longest_queue / MILLI);
    world.sources[0].load = 0.3;
    world.run(SECOND);
    world.count();
    world.run(4 * SECOND);
    assert_eq!(world.governor.level(), Level::Calm);
    assert_eq!(world.sources[0].tally.shed(), 0);
}

#[test]
fn the_level_does_not_flap_under_a_steady_load() {
    for load in [0.5, 0.69, 0.72, 0.8, 1.0, 2.0] {
        let mut world = World::new(0.7, 1);
        let tenant = world.governor.tenant("only", 1);
        world.sources.push(Source::new(&tenant, 0, 200, MILLI, load));
        world.run(3 * SECOND);
        world.count();
        world.run(20 * SECOND);
        assert!(world.changes() <= 4, "{} changes in 20 s at {load}", world.changes());
    }
}

#[test]
fn shadow_work_goes_first() {
    let mut world = World::new(0.7, 1);
    let tenant = world.governor.tenant("only", 1);
    world.sources.push(Source::new(&tenant, 0, 200, MILLI, 0.3));
    world.run(SECOND);
    assert!(tenant.admit(Some(address(1))).unwrap().shadow());
    assert_eq!(tenant.metrics().without_shadow, 0);
    world.sources[0].load = 0.71;
    world.run(10 * SECOND);
    assert_eq!(world.sources[0].tally.shed(), 0);
    let ticket = tenant.admit(Some(address(1))).unwrap();
    assert!(!ticket.shadow() && ticket.level() >= Level::Shadow);
}
