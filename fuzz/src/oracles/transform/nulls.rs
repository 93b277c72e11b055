//! NUL bytes, deleted or turned into spaces.

use super::{Family, replaced};
use fusewall::transform::Transformation as T;

pub const FAMILY: Family = Family {
    tokens: b"\0|\0\0|a| |text|\xff|\x01",
    members: &[(T::RemoveNulls, |input| nulls(input, b"")), (T::ReplaceNulls, |input| nulls(input, b" "))],
};

fn nulls(input: &[u8], then: &[u8]) -> Vec<u8> {
    replaced(input, |text| (text[0] == 0).then(|| (then.to_vec(), 1)))
}
