//! Data that rules ask for and that is not there while a request is evaluated. Missing is never the same as "no": each case has a name,
//! which stands in the verdict (`uninspected`, `collections`), in FUSEWALL_UNINSPECTED or FUSEWALL_COLLECTION_LIMIT for rules that
//! decide what is to happen, and in the log of whoever holds a [`Waf`](crate::Waf). `docs/missing-data.md` lists them.

/// A block list has not answered yet: the request is the first one that asks.
pub const NAME_LOOK_UP: &str = "name look-up";
/// A block list does not answer, or there is nobody to ask.
pub const NAME_LOOK_UP_FAILED: &str = "name look-up failed";
/// `@geoLookup` without a database.
pub const PLACE_LOOK_UP: &str = "place look-up";
/// The descriptors do not have the message of a Protobuf or gRPC body: its fields are numbers where rules may look for names.
pub const MESSAGE_TYPE: &str = "message type";
/// An uploaded file could not be stored.
pub const UPLOAD: &str = "upload not stored";
/// The store of the persistent collections does not answer: what it counts is too low.
pub const STORE: &str = "store unavailable";

/// Those that tell of something broken, not of something that is under way: for logs.
pub const BROKEN: &[&str] = &[NAME_LOOK_UP_FAILED, PLACE_LOOK_UP, UPLOAD, STORE];
