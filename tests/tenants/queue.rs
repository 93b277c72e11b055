//! The queue of reloads: bounded, the newest of each tenant, equal content once.

use crate::{builder, is_refused, refusing, tenants, text};
use fusewall::files::{Files, MemoryFiles};
use fusewall::store::RuleSource;
use fusewall::{NotQueued, Reloaded, Tenants};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

/// A gate before a file: loading waits there.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<(bool, usize)>, Condvar)>);

impl Gate {
    fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut held = state.lock().unwrap();
        held.1 += 1;
        changed.notify_all();
        drop(changed.wait_while(held, |(open, _)| !*open).unwrap());
    }

    fn wait_for(&self, arrived: usize) {
        let (state, changed) = &*self.0;
        drop(changed.wait_while(state.lock().unwrap(), |(_, seen)| *seen < arrived).unwrap());
    }

    fn open(&self) {
        self.0.0.lock().unwrap().0 = true;
        self.0.1.notify_all();
    }
}

struct Gated(MemoryFiles, Gate);

impl Files for Gated {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path.ends_with("slow.data") {
            self.1.pass();
        }
        self.0.read(path)
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        self.0.glob(pattern)
    }
}

/// A ruleset whose loading waits at the gate.
fn slow() -> RuleSource {
    text("site.conf", "SecRule ARGS \"@pmFromFile slow.data\" \"id:1,phase:1,deny\"\n")
}

fn gated(queue: usize, names: &[&str]) -> (Tenants, Gate) {
    let gate = Gate::default();
    let files = names
        .iter()
        .fold(MemoryFiles::new(), |files, name| files.with(format!("/srv/tenants/{name}/slow.data"), "slow\n"));
    let tenants = builder().files(Gated(files, gate.clone())).queue(queue).build().expect("a thread");
    for name in names {
        tenants.add(name, &refusing("old")).expect("it loads");
    }
    (tenants, gate)
}

#[test]
fn a_newer_reload_takes_the_place_of_the_one_that_waits() {
    let (tenants, gate) = gated(4, &["a", "b"]);
    let first = tenants.reload("a", slow()).expect("room");
    gate.wait_for(1);
    let superseded: Vec<_> = ["one", "two"].map(|word| tenants.reload("b", refusing(word)).expect("room")).into();
    let last = tenants.reload("b", refusing("three")).expect("room");
    for old in &superseded {
        assert!(matches!(old.wait(), Reloaded::Superseded), "{old:?}");
    }
    assert!(first.outcome().is_none() && last.outcome().is_none());
    assert_eq!((tenants.queue().waiting, tenants.queue().loading), (1, 1));
    gate.open();
    assert!(first.wait().is_in_service() && last.wait().is_in_service());
    let b = tenants.get("b").expect("it is there");
    assert!(is_refused(&b, "/?q=three") && !is_refused(&b, "/?q=two") && !is_refused(&b, "/?q=old"));
    assert_eq!(b.generation().number, 2, "what was superseded was never loaded");
    assert_eq!((tenants.queue().superseded, tenants.queue().waiting), (2, 0));
}

#[test]
fn a_full_queue_refuses_at_once_and_says_how_full_it_is() {
    let (tenants, gate) = gated(2, &["a", "b", "c", "d"]);
    let first = tenants.reload("a", slow()).expect("room");
    gate.wait_for(1);
    let waiting = ["b", "c"].map(|name| tenants.reload(name, refusing("new")).expect("room"));
    let refused = tenants.reload("d", refusing("new")).expect_err("it is full");
    assert_eq!(refused, NotQueued::Full { waiting: 2, most: 2 });
    assert!(refused.to_string().contains("2 reloads wait, 2 may"), "{refused}");
    // Whoever waits already may wait for something newer.
    let newer = tenants.reload("c", refusing("newer")).expect("its own place");
    gate.open();
    assert!(first.wait().is_in_service() && waiting[0].wait().is_in_service() && newer.wait().is_in_service());
    assert!(matches!(waiting[1].wait(), Reloaded::Superseded));
    assert_eq!((tenants.queue().most_waiting, tenants.queue().refused), (2, 1));
    assert!(is_refused(&tenants.get("d").expect("it is there"), "/?q=old"), "what was refused has changed nothing");
    assert!(tenants.reload("d", refusing("new")).expect("there is room again").wait().is_in_service());
}

#[test]
fn the_next_reload_of_a_tenant_is_not_overtaken_by_the_one_that_is_being_loaded() {
    let gate = Gate::default();
    let files = MemoryFiles::new().with("/srv/tenants/a/slow.data", "slow\n");
    let tenants = builder().files(Gated(files, gate.clone())).workers(2).build().expect("threads");
    tenants.add("a", &refusing("old")).expect("it loads");
    let (first, second) = (tenants.reload("a", slow()).expect("room"), {
        gate.wait_for(1);
        tenants.reload("a", refusing("new")).expect("room")
    });
    gate.open();
    assert!(first.wait().is_in_service() && second.wait().is_in_service());
    let a = tenants.get("a").expect("it is there");
    assert!(is_refused(&a, "/?q=new") && !is_refused(&a, "/?q=slow"));
    assert_eq!(a.generation().number, 3);
}

#[test]
fn equal_content_in_the_queue_is_compiled_once() {
    let tenants = tenants();
    let names: Vec<String> = (0..50).map(|number| format!("t{number}")).collect();
    for name in &names {
        tenants.add(name, &refusing("old")).expect("it loads");
    }
    let before = tenants.releases();
    let reloads: Vec<_> = names.iter().map(|name| tenants.reload(name, refusing("new")).expect("room")).collect();
    assert!(reloads.iter().all(|reload| reload.wait().is_in_service()));
    let after = tenants.releases();
    assert_eq!((after.compiled - before.compiled, after.shared - before.shared), (1, 49));
}

#[test]
fn rules_that_do_not_load_leave_what_is_in_service() {
    let tenants = tenants();
    tenants.add("a", &refusing("old")).expect("it loads");
    match tenants.reload("a", text("site.conf", "SecRule ARGS \"@rx (\" \"id:1\"")).expect("room").wait() {
        Reloaded::Refused(report) => assert!(report.to_string().contains("E0405"), "{report}"),
        other => panic!("{other:?}"),
    }
    let a = tenants.get("a").expect("it is there");
    assert!(is_refused(&a, "/?q=old"));
    assert_eq!(a.generation().number, 1);
    assert_eq!(tenants.reload("nobody", refusing("x")).expect_err("unknown"), NotQueued::NoSuchTenant("nobody".into()));
}

#[test]
fn who_goes_takes_waiting_reloads_along() {
    let (tenants, gate) = gated(4, &["a", "b", "c"]);
    let first = tenants.reload("a", slow()).expect("room");
    gate.wait_for(1);
    let (removed, closed) =
        (tenants.reload("b", refusing("x")).expect("room"), tenants.reload("c", refusing("x")).expect("room"));
    assert!(tenants.remove("b"));
    assert!(matches!(removed.wait(), Reloaded::Withdrawn));
    gate.open();
    drop(tenants);
    assert!(first.wait().is_in_service(), "what is under way comes to its end");
    assert!(closed.outcome().is_some_and(|outcome| outcome.is_in_service() || matches!(outcome, Reloaded::Withdrawn)));
}
