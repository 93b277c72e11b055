//! What must hold, a file for each thing that is tried. An oracle panics when it does not hold, and takes any bytes.

mod bundle;
mod fuel;
mod plan;
mod prefilter;
mod readers;
mod whole_request;

pub use bundle::bundle;
pub use fuel::fuel;
pub use plan::plan;
pub use prefilter::prefilter;
pub use readers::{graphql, json, multipart, protobuf, urlencoded, xml};
pub use whole_request::whole_request;
