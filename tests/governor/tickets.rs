//! What is taken, paid and given back.

use crate::simulation::{address, fuel};
use fusewall::governor::{Governor, GovernorConfig, ManualClock};
use proptest::prelude::*;
use std::sync::Arc;

#[test]
fn without_a_share_nothing_is_shed_and_all_is_counted() {
    let governor = Governor::new(&GovernorConfig::default());
    let tenant = governor.tenant("only", 1);
    for _ in 0..1000 {
        let ticket = tenant.admit(Some(address(1))).unwrap();
        assert!(ticket.shadow());
        ticket.settle(100_000_000);
    }
    let metrics = tenant.metrics();
    assert_eq!((metrics.admitted, metrics.fuel), (1000, 100_000_000_000));
    assert!(metrics.cpu_nanos > 0);
}

#[test]
fn a_ticket_that_is_dropped_pays_for_what_it_was_seen_to_spend() {
    let governor = Governor::new(&GovernorConfig { share: Some(0.5), ..GovernorConfig::default() });
    let tenant = governor.tenant("only", 1);
    let mut ticket = tenant.admit(None).unwrap();
    let started = ticket.start(0);
    ticket.stop(started, 5_000);
    drop(ticket);
    assert_eq!(tenant.metrics().fuel, 5_000);
}

#[test]
fn a_long_request_pays_before_its_end() {
    let clock = Arc::new(ManualClock::default());
    let config = GovernorConfig { share: Some(1.0), cores: 1, ..GovernorConfig::default() };
    let governor = Governor::with_clock(&config, Arc::clone(&clock));
    let tenant = governor.tenant("only", 1);
    let full = governor.metrics().balance_nanos;
    let mut ticket = tenant.admit(None).unwrap();
    let started = ticket.start(0);
    clock.work(20_000_000);
    ticket.stop(started, fuel(20_000_000));
    assert!(full - governor.metrics().balance_nanos > 19_000_000);
}

#[test]
fn a_tenant_that_is_gone_leaves_its_part_to_the_others() {
    let config = GovernorConfig { share: Some(1.0), cores: 1, ..GovernorConfig::default() };
    let governor = Governor::with_clock(&config, ManualClock::default());
    let (one, other) = (governor.tenant("one", 1), governor.tenant("other", 3));
    assert!(Arc::ptr_eq(&one, &governor.tenant("one", 1)));
    assert_eq!(governor.metrics().tenants.len(), 2);
    drop(one);
    assert_eq!(governor.metrics().tenants.len(), 1);
    assert_eq!(other.metrics().weight, 3);
}

#[test]
fn one_request_in_sixteen_is_measured_and_the_rate_follows_the_machine() {
    let clock = Arc::new(ManualClock::default());
    let governor = Governor::with_clock(&GovernorConfig::default(), Arc::clone(&clock));
    let tenant = governor.tenant("only", 1);
    let mut sampled = 0;
    for _ in 0..16_000 {
        let mut ticket = tenant.admit(None).unwrap();
        sampled += u32::from(ticket.samples_clock(0));
        assert!(ticket.samples_clock(1_000_000));
        let started = ticket.start(0);
        // A machine half as fast as the nominal one.
        clock.work(300_000);
        ticket.stop(started, fuel(150_000));
        ticket.settle(fuel(150_000));
    }
    assert!((800..1200).contains(&sampled), "{sampled}");
    let metrics = governor.metrics();
    assert!((metrics.nanos_per_fuel - 4.0).abs() < 0.05, "{}", metrics.nanos_per_fuel);
    let counted = metrics.tenants[0].cpu_nanos as f64 / (16_000.0 * 300_000.0);
    assert!((0.9..=1.01).contains(&counted), "{counted} of what was used");
}

#[test]
fn requests_that_wait_for_their_response_hold_nothing_back() {
    let config = GovernorConfig { share: Some(1.0), cores: 1, ..GovernorConfig::default() };
    let governor = Governor::with_clock(&config, ManualClock::default());
    let tenant = governor.tenant("only", 1);
    tenant.admit(None).unwrap().settle(fuel(10_000_000));
    let before = governor.metrics().balance_nanos;
    let mut ticket = tenant.admit(None).unwrap();
    let started = ticket.start(0);
    ticket.stop(started, fuel(100_000));
    assert!(before - governor.metrics().balance_nanos > 9_000_000);
    ticket.wait();
    assert!(before - governor.metrics().balance_nanos < 200_000);
    ticket.settle(fuel(100_000));
    assert!(before - governor.metrics().balance_nanos < 200_000);
}

#[test]
fn threads_at_once_lose_nothing() {
    let config = GovernorConfig { share: Some(1.0), cores: 1, burst_millis: 60_000 };
    let governor = Governor::with_clock(&config, ManualClock::default());
    let tenants = [governor.tenant("a", 1), governor.tenant("b", 1)];
    let full = governor.metrics().balance_nanos;
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let tenant = &tenants[thread as usize % 2];
            scope.spawn(move || {
                for number in 0..5_000_u32 {
                    let ticket = tenant.admit(Some(address(number % 700))).unwrap();
                    ticket.settle(u64::from(number % 100) * 10);
                }
            });
        }
    });
    let metrics = governor.metrics();
    let fuel: u64 = metrics.tenants.iter().map(|tenant| tenant.fuel).sum();
    let nanos: u64 = metrics.tenants.iter().map(|tenant| tenant.cpu_nanos).sum();
    assert_eq!(fuel, 4 * 5_000 / 100 * (0..100).map(|number| number * 10).sum::<u64>());
    assert_eq!(metrics.tenants.iter().map(|tenant| tenant.admitted).sum::<u64>(), 20_000);
    // All that was taken beforehand has been settled: what is missing is what was spent.
    assert_eq!(full - metrics.balance_nanos, nanos as i64);
    for tenant in &metrics.tenants {
        assert_eq!(full / 2 - tenant.balance_nanos, tenant.cpu_nanos as i64);
    }
}

proptest! {
    #[test]
    fn no_order_of_events_and_no_number_breaks_it(
        events in prop::collection::vec((0_u8..5, any::<u64>(), any::<u32>()), 1..200),
        share in 0.01..1.0_f64,
    ) {
        let clock = Arc::new(ManualClock::default());
        let config = GovernorConfig { share: Some(share), cores: 3, ..GovernorConfig::default() };
        let governor = Governor::with_clock(&config, Arc::clone(&clock));
        let tenants = [governor.tenant("a", 1), governor.tenant("b", u32::MAX)];
        let capacity = share * 3e6;
        let (mut tickets, mut admitted) = (Vec::new(), 0);
        for (kind, number, place) in events {
            match kind {
                0 => clock.set(number),
                1 => clock.work(number),
                2 => if let Ok(ticket) = tenants[place as usize % 2].admit(Some(address(place % 60_000))) {
                    admitted += 1;
                    tickets.push(ticket);
                },
                3 => if let Some(ticket) = tickets.last_mut() {
                    let started = ticket.start(number / 2);
                    clock.work(number % 7_000_000_000);
                    ticket.stop(started, number);
                },
                _ => if let Some(ticket) = tickets.pop() {
                    ticket.settle(number);
                },
            }
            let metrics = governor.metrics();
            // Never above the burst of 100 ms, never deeper in debt than a second.
            prop_assert!(metrics.balance_nanos as f64 <= capacity * 100.0 + 1.0);
            prop_assert!(metrics.balance_nanos as f64 >= -capacity * 1000.0 - 1.0);
        }
        let sum: u64 = governor.metrics().tenants.iter().map(|tenant| tenant.admitted).sum();
        prop_assert_eq!(sum, admitted);
    }
}
