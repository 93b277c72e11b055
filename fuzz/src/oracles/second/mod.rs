//! Second implementations of what has one right answer: slow, as simple as can be, written from what the documentation of the first
//! ones says (and the standards that it names), not from their code.
//!
//! | file | what is read or decided once more |
//! |---|---|
//! | `form` | query strings and urlencoded bodies |
//! | `cookies` | Cookie headers of both formats |
//! | `uri` | request targets |
//! | `json` | leaves of a JSON document, on what serde_json reads |
//! | `xml` | text and attributes of an XML document, on what quick-xml reads |
//! | `protobuf` | leaves of a message that nothing describes |
//! | `operators` | operators that compare, search and validate |

pub mod cookies;
pub mod form;
pub mod json;
pub mod operators;
pub mod protobuf;
pub mod uri;
pub mod xml;

/// A name and a value.
pub type Pair = (Vec<u8>, Vec<u8>);
