//! `fusewall serve` over real sockets on the loopback interface.

mod attacks;
mod audit;
mod bodies;
mod command;
mod configured;
mod governor;
mod http2;
mod limits;
mod operated;
#[cfg(feature = "otlp")]
mod otlp;
mod remote;
mod requests;
mod responses;
mod service;
mod site;
mod spans;
