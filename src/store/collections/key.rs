//! A record's id as bytes: different ids never have the same bytes.

use crate::engine::persist::RecordId;
use crate::rule::Variable;

const TAGS: [(u8, Variable); 5] = [
    (b'g', Variable::Global),
    (b'i', Variable::Ip),
    (b'r', Variable::Resource),
    (b's', Variable::Session),
    (b'u', Variable::User),
];

/// Tag, length of the scope (4 bytes, little endian), scope, key. `None` if it is not a persistent collection.
pub(super) fn encode(id: &RecordId<'_>) -> Option<Vec<u8>> {
    let (tag, _) = TAGS.iter().find(|(_, collection)| *collection == id.collection)?;
    let scope = u32::try_from(id.scope.len()).ok()?;
    let mut out = Vec::with_capacity(5 + id.scope.len() + id.key.len());
    out.push(*tag);
    out.extend_from_slice(&scope.to_le_bytes());
    out.extend_from_slice(id.scope);
    out.extend_from_slice(id.key);
    Some(out)
}

/// The id that the bytes stand for, if they are one.
#[cfg_attr(not(feature = "persist"), expect(dead_code, reason = "ids are only read back from a file"))]
pub(super) fn decode(bytes: &[u8]) -> Option<RecordId<'_>> {
    let (tag, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (_, collection) = TAGS.iter().find(|(known, _)| known == tag)?;
    let (scope, key) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    Some(RecordId { collection: *collection, scope, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_bytes_correspond() {
        for collection in [Variable::Global, Variable::Ip, Variable::Resource, Variable::Session, Variable::User] {
            for (scope, key) in [("", ""), ("a", "b"), ("", "ab"), ("ab", "")] {
                let id = RecordId { collection, scope: scope.as_bytes(), key: key.as_bytes() };
                let bytes = encode(&id).expect("a persistent collection");
                assert_eq!(decode(&bytes), Some(id));
            }
        }
        assert_eq!(encode(&RecordId { collection: Variable::Tx, scope: b"", key: b"" }), None);
        for broken in [&b""[..], b"i", b"i\x01\0\0\0", b"x\0\0\0\0a"] {
            assert_eq!(decode(broken), None);
        }
    }
}
