//! `fusewall ext-proc`: by a client of our own, and under a real Envoy.

mod answers;
mod command;
mod grpc;
mod health;
mod hostile;
mod processor;
