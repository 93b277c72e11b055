//! What attackers may want to switch, tried on proxies under load: inspection, the service of others, rules. A botnet sends the
//! dearest requests that can be made of the rules, far more of them than the CPU share bears, while small attacks and harmless
//! requests come from everywhere.
//!
//! | file | holds |
//! |---|---|
//! | `sites` | two tenants of one governor, each behind a proxy |
//! | `senders` | who sends what |
//! | `answers` | what has come back, and what was not as it must be |
//! | `overload` | far more dear requests than there is CPU |
//! | `faults` | rules that fail when they are evaluated |
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

mod answers;
mod faults;
mod overload;
mod senders;
mod sites;

/// One test at a time: each wants the processors for itself.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
