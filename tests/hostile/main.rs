//! Hostile input, class by class (`docs/hostile-inputs.md`): whatever a client sends, an attack in it is found, or the request is
//! refused, or what was not inspected is flagged; and nothing panics, costs more than its price, or depends on how a body is cut.
//!
//! Each class makes its cases without chance or from fixed seeds, so that their numbers can be written down; `table` compares
//! them with the page, and `FUSEWALL_BLESS=1` writes it anew. `FUSEWALL_HOSTILE=full` runs what is too long for every day.
//!
//! | file | holds |
//! |---|---|
//! | `attempt` | one request with an attack in it, and what must become of it |
//! | `rulesets` | whom the attempts are sent to |
//! | `row` | runs a class, counts the outcomes |
//! | `chance` | numbers that are the same in every run |
//! | `table` | the page with all counts |
//! | `cost`, `budget`, `order`, `program` | what requests cost in time and memory, calls in any order, programs that are not whole |
//! | `padding`, `hidden`, `dearest` | text made from the patterns of the Core Rule Set: what it hides, and what it costs |
//! | the others | the classes, and what holds for all of them |

#[path = "../oracle/mod.rs"]
mod oracle;
#[path = "../traffic/mod.rs"]
mod traffic;

mod arguments;
mod attempt;
mod certificate;
mod chance;
mod content_type;
mod cookies;
mod cost;
mod dearest;
mod doubling;
mod form;
mod headers;
mod hidden;
mod invariants;
mod json;
mod multipart;
mod operators;
mod order;
mod padding;
mod patterns;
mod program;
mod responses;
mod row;
mod rule_files;
mod rulesets;
mod splits;
mod table;
mod target;
mod transformations;
mod xml;
