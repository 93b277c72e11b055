//! What must hold, a file for each thing that is tried. An oracle panics when it does not hold, and takes any bytes.

mod blocks;
mod built;
mod bundle;
mod fuel;
mod head;
mod operators;
mod pcre;
mod plan;
mod prefilter;
mod readers;
mod resume;
mod seclang;
mod second;
mod swap;
pub mod transform;
mod whole_request;

pub use built::{graphql_built, multipart_built};
pub use bundle::bundle;
pub use fuel::fuel;
pub use head::{cookies, query, uri};
pub use operators::{libinjection, operators};
pub use pcre::pcre_parse;
pub use plan::plan;
pub use prefilter::prefilter;
pub use readers::{graphql, json, multipart, protobuf, urlencoded, xml};
pub use resume::resume;
pub use seclang::seclang_parse;
pub use swap::swap;
pub use whole_request::whole_request;
