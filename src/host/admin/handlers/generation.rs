//! A generation, as answers have it.

use crate::store::{Generation, Origin};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct About {
    generation: u64,
    /// SHA-256 of the content, hexadecimal.
    digest: String,
    serial: Option<u64>,
    /// When it came into service, milliseconds since 1970.
    since_millis: u64,
    origin: &'static str,
    /// The generation that it was before, if it was one.
    of: Option<u64>,
}

impl From<Generation> for About {
    fn from(Generation { number, content, serial, at, origin }: Generation) -> About {
        let of = match origin {
            Origin::RolledBack(of) | Origin::Recompiled(of) => Some(of),
            _ => None,
        };
        let (digest, since_millis) = (content.to_string(), at / 1000);
        About { generation: number, digest, serial, since_millis, origin: name(origin), of }
    }
}

pub(super) const fn name(origin: Origin) -> &'static str {
    match origin {
        Origin::Started => "started",
        Origin::Restored => "restored",
        Origin::Builtin => "builtin",
        Origin::Promoted => "promoted",
        Origin::RolledBack(_) => "rolled_back",
        Origin::Recompiled(_) => "recompiled",
    }
}
