//! The search tree: from the bits of an address to the offset of a record.

use super::{SEPARATOR, Unusable};
use std::net::IpAddr;

/// Where the tree is and how its nodes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tree {
    nodes: usize,
    /// Bits of one of the two records of a node: 24, 28 or 32.
    record: usize,
    /// The addresses are of 128 bits; those of IPv4 stand below 96 zero bits.
    long: bool,
    /// Where the records end in the file.
    end: usize,
}

impl Tree {
    /// A tree at the start of a file whose records end at `end`.
    pub(super) fn new(nodes: u64, record: u64, version: u64, end: usize) -> Result<Tree, Unusable> {
        let cut = Unusable("it is cut off");
        let nodes = usize::try_from(nodes).ok().filter(|nodes| *nodes > 0 && *nodes < 1 << 31).ok_or(cut.clone())?;
        if !matches!(record, 24 | 28 | 32) || !matches!(version, 4 | 6) {
            return Err(Unusable("its tree has a form that does not exist"));
        }
        let tree = Tree { nodes, record: record as usize, long: version == 6, end };
        if tree.len() + SEPARATOR > end { Err(cut) } else { Ok(tree) }
    }

    /// Bytes of the tree.
    pub(super) fn len(&self) -> usize {
        self.nodes * (self.record / 4)
    }

    /// Where the records end in the file.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// One half of a node.
    fn record(&self, file: &[u8], node: usize, right: bool) -> Option<usize> {
        let width = self.record / 4;
        let bytes = file.get(node * width..(node + 1) * width)?;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        Some(match (bytes, right) {
            // The middle byte holds the upper four bits of both.
            ([left @ .., middle, _, _, _], false) if width == 7 => usize::from(middle >> 4) << 24 | number(left),
            ([_, _, _, middle, right @ ..], true) if width == 7 => usize::from(middle & 15) << 24 | number(right),
            (bytes, false) => number(bytes.get(..width / 2)?),
            (bytes, true) => number(bytes.get(width / 2..)?),
        })
    }

    /// The offset, among the records, of the one that a half of a node leads to.
    fn offset(&self, record: usize) -> Option<usize> {
        record.checked_sub(self.nodes + SEPARATOR)
    }

    /// The offset of an address's record.
    pub(super) fn find(&self, file: &[u8], address: IpAddr) -> Option<usize> {
        let (bits, count) = match address.to_canonical() {
            IpAddr::V4(address) if self.long => (u128::from(u32::from(address)), 128),
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(_) if !self.long => return None,
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let mut node = 0;
        for bit in (0..count).rev() {
            node = self.record(file, node, bits >> bit & 1 == 1)?;
            if node >= self.nodes {
                return self.offset(node);
            }
        }
        None
    }

    /// The offsets of all records, those of several networks several times; an error for what leads nowhere.
    pub(super) fn leaves<'f>(&self, file: &'f [u8]) -> impl Iterator<Item = Result<usize, Unusable>> + use<'f> {
        let tree = *self;
        let halves = (0..tree.nodes).flat_map(|node| [(node, false), (node, true)]);
        halves.filter_map(move |(node, right)| {
            let out = Unusable("its tree leads out of the file");
            match tree.record(file, node, right) {
                Some(record) if record <= tree.nodes => None,
                Some(record) => Some(tree.offset(record).ok_or(out)),
                None => Some(Err(out)),
            }
        })
    }
}
