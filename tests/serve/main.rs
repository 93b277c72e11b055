//! `fusewall serve` over real sockets on the loopback interface.

mod audit;
mod bodies;
mod http2;
mod limits;
mod requests;
mod responses;
mod site;
