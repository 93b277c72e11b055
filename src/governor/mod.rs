//! The process: its clocks, the ids that it gives out, and its share of CPU. The only floor below the hosts that knows the time.
//!
//! | file | does |
//! |---|---|
//! | `share` | the share of CPU that rule evaluation may use, for all tenants together |
//! | `tenant` | a tenant's part of it, and the decision about each of its requests |
//! | `ticket` | a request that was let in, and what it pays |
//! | `clients` | what each network of clients has cost lately |
//! | `level` | how much is shed |
//! | `fuel_rate` | what fuel is worth in CPU time |
//! | `metrics` | what was counted |
//! | `durations` | how long things have taken |
//! | `exposition` | the text format of Prometheus |
//! | `quarantine` | a circuit breaker for each rule |
//! | `reports` | so many reports of a kind in a second |
//! | `bucket`, `decaying`, `atomic` | numbers that threads share without a lock |
//! | `network`, `clock`, `cpu` | networks of clients; time; CPU time of a thread |
//! | `env`, `identity` | what rules see of the world; transaction ids |
//! | `periodic`, `worker` | work beside the requests: again and again; handed over one by one |
//! | `priority` | work behind them |

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod atomic;
mod bucket;
mod clients;
mod clock;
#[cfg(any(feature = "cli", feature = "tower"))]
mod cpu;
mod decaying;
mod durations;
mod env;
mod exposition;
mod fuel_rate;
mod identity;
mod level;
mod metrics;
mod network;
mod periodic;
mod priority;
mod quarantine;
mod reports;
mod share;
mod tenant;
mod ticket;
mod worker;

pub use clock::{Clock, ManualClock, SystemClock};
#[cfg(any(feature = "cli", feature = "tower"))]
pub use cpu::thread_cpu_time;
pub use durations::Durations;
pub use env::SystemEnv;
pub use exposition::{Exposition, Family, MEDIA_TYPE};
pub use identity::{Identities, Identity};
pub use level::Level;
pub use metrics::{Metrics, TenantMetrics};
pub use network::Network;
pub use periodic::Periodic;
pub use priority::lowest_priority;
pub use quarantine::{Account, Change, Decision, Observation, Outcome, Quarantine, QuarantineConfig, State, Why};
pub use reports::{LeftOut, Report};
pub use share::{Governor, GovernorConfig};
pub use tenant::{Shed, ShedReason, Tenant};
pub use ticket::{Started, Ticket};
pub use worker::{Work, Worker};
