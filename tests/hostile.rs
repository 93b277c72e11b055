//! Hostile requests: what they cost in time and memory, and in which order a host may call what it calls.

#[path = "hostile/budget.rs"]
mod budget;
#[path = "hostile/cost.rs"]
mod cost;
#[path = "hostile/order.rs"]
mod order;
#[path = "hostile/program.rs"]
mod program;
