//! What the floors of the library promise each for itself. One program: each further one costs a link.

mod detect;
mod layers;
mod manual;
mod names;
mod scan_engines;
mod transform_semantics;
