//! Fusewall behind the C API of libmodsecurity 3: a shared library with the name, the functions and the manners that hosts such as
//! nginx's ModSecurity module were linked against. `docs/nginx.md` says how it is put into place, `include/modsecurity` declares
//! the functions for C.
//!
//! The way of a request: `transaction` takes the calls of the host, in their order, and drives one
//! [`Exchange`](fusewall::host::exchange::Exchange); `intervention` hands its refusal over; `log_line` and `audit` write down what
//! was found. The way of rules: `rules_set` takes what the host was configured with, `rules` reads, nests and compiles it, and
//! `counters` keeps what they count.
//!
//! Three things hold for every function. It answers an error, and never crashes, if it is called with nothing, with a handle of
//! another kind or out of order (`handle`). No panic crosses into the host (`barrier`). And while the host configures itself nothing
//! is started that a fork would tear apart: threads that compile have ended when a call returns, the one that writes the audit log
//! starts with the first record.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)
)]

mod audit;
mod barrier;
mod bodies;
mod counters;
mod engine;
mod handle;
mod headers;
mod intervention;
mod log_line;
mod metrics;
mod rules;
mod rules_set;
mod text;
mod transaction;

pub use bodies::{
    msc_append_request_body, msc_append_response_body, msc_get_request_body_length, msc_get_response_body,
    msc_get_response_body_length, msc_process_request_body, msc_process_response_body, msc_request_body_from_file,
};
pub use engine::{
    ModSecLogCb, ModSecurity, msc_cleanup, msc_init, msc_set_connector_info, msc_set_log_cb, msc_who_am_i,
};
pub use headers::{
    msc_add_n_request_header, msc_add_n_response_header, msc_add_request_header, msc_add_response_header,
    msc_process_connection, msc_process_request_headers, msc_process_response_headers, msc_process_uri,
    msc_set_request_hostname,
};
pub use intervention::{ModSecurityIntervention, msc_intervention, msc_intervention_cleanup};
pub use rules_set::{
    RulesSet, msc_create_rules_set, msc_rules_add, msc_rules_add_file, msc_rules_add_remote, msc_rules_cleanup,
    msc_rules_dump, msc_rules_error_cleanup, msc_rules_merge,
};
pub use transaction::{
    Transaction, msc_new_transaction, msc_new_transaction_with_id, msc_process_logging, msc_transaction_cleanup,
    msc_update_status_code,
};
