//! The admin API over real sockets: who may ask what, and what comes of it.

mod access;
mod command;
mod health;
mod kill;
mod log;
mod malformed;
mod mode;
mod openapi;
mod rollout;
mod rules;
mod rulesets;
mod site;
mod tcp;
mod uploads;
