//! What the service manager is told (`sd_notify(3)`), over a socket of the test's own.

use crate::command::{Serving, line_with};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/host.conf");

/// The next message that is no heartbeat.
fn told(manager: &UnixDatagram) -> String {
    loop {
        let mut message = [0; 4096];
        let length = manager.recv(&mut message).expect("a message in time");
        let message = String::from_utf8(message[..length].to_vec()).unwrap();
        if message != "WATCHDOG=1" {
            return message;
        }
    }
}

#[test]
fn the_service_manager_hears_of_start_reload_heartbeats_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let rules = folder.path().join("rules.conf");
    std::fs::copy(RULES, &rules).unwrap();
    let environment = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "40000")];
    let mut serving = Serving::start_with(&["--rules", rules.to_str().unwrap()], &environment);
    assert_eq!(told(&manager), "READY=1\nSTATUS=serving");
    assert_eq!(serving.status("/"), "200");

    let begun = Instant::now();
    let mut heartbeats = 0;
    while heartbeats < 3 {
        let mut message = [0; 64];
        let length = manager.recv(&mut message).expect("a heartbeat in time");
        heartbeats += usize::from(&message[..length] == b"WATCHDOG=1");
    }
    assert!(begun.elapsed() < Duration::from_secs(10));

    serving.signal("-HUP");
    let reloading = told(&manager);
    let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&reloading);
    assert!(since.split('\n').next().unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(told(&manager), "READY=1\nSTATUS=serving, generation 2");
    std::fs::write(&rules, "SecRule nonsense").unwrap();
    serving.signal("-HUP");
    assert!(told(&manager).starts_with("RELOADING=1\n"));
    assert_eq!(told(&manager), "READY=1\nSTATUS=serving; the last reload has failed");

    serving.signal("-TERM");
    assert_eq!(told(&manager), "STOPPING=1\nSTATUS=ending");
    assert!(serving.child.wait().unwrap().success());
}

#[test]
fn a_manager_that_is_not_there_does_not_matter() {
    for socket in ["/nowhere/at/all", "relative", "@fusewall-test-nobody", ""] {
        let mut serving = Serving::start_with(&["--rules", RULES], &[("NOTIFY_SOCKET", socket)]);
        assert_eq!(serving.status("/"), "200", "{socket}");
        serving.signal("-TERM");
        line_with(&mut serving.errors, "ending");
    }
}
