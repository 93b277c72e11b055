//! Tables as bytes and back.
//!
//! Rows of a table are much alike: where a search has come to nothing, a row is that of the start but for a few columns. Each row is
//! stored as what it changes of one before it: some columns, most often those of a few kinds of bytes, lead to another state. The
//! sets of columns that change together are few, and stand before all rows. This is read several times faster than what a general
//! compression makes of a table, and takes half of it.

use std::collections::HashMap;

use crate::wire::{Damaged, Reader, Writer};

const OUTSIDE: Damaged = Damaged("a row of a table has a change outside of it");

/// Rows before a row, and rows at the start, that it may be stored as a change of.
const NEAR: usize = 8;
/// Parts of a row. The last rows that have such a part in common with it are looked at, too.
const PARTS: usize = 8;

/// What a row changes of the one that is so many rows before it; of a row of zeros, if none is.
struct Change<'t> {
    back: usize,
    /// Columns, and what stands in all of them.
    cells: Vec<(Vec<u16>, &'t u16)>,
}

/// Writes rows of `stride` cells, for a reader that knows how many there are.
pub(in crate::scan) fn store(cells: &[u16], stride: usize, writer: &mut Writer) {
    let changes = changes(cells, stride.max(1));
    let (mut sets, mut numbers) = (Vec::new(), HashMap::new());
    for (columns, _) in changes.iter().flat_map(|change| &change.cells) {
        numbers.entry(columns.as_slice()).or_insert_with(|| {
            sets.push(columns);
            sets.len() - 1
        });
    }
    writer.number(sets.len());
    for columns in sets {
        writer.number(columns.len());
        columns.iter().for_each(|column| writer.number(usize::from(*column)));
    }
    for change in &changes {
        writer.number(change.back);
        writer.number(change.cells.len());
        for (columns, cell) in &change.cells {
            writer.number(numbers.get(columns.as_slice()).copied().unwrap_or_default());
            writer.raw(&cell.to_le_bytes());
        }
    }
}

/// What each row changes of the one before it that is most like it, as far as that is found quickly.
fn changes(cells: &[u16], stride: usize) -> Vec<Change<'_>> {
    let rows: Vec<&[u16]> = cells.chunks_exact(stride).collect();
    let zeros = vec![0; stride];
    let mut alike: HashMap<(usize, &[u16]), [usize; 2]> = HashMap::new();
    let mut changes = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        let parts = row.chunks(stride.div_ceil(PARTS)).enumerate();
        let met = parts.clone().filter_map(|part| alike.get(&part)).flatten().copied();
        let likely = (0..NEAR.min(at)).chain(at.saturating_sub(NEAR)..at).chain(met);
        let models = likely.filter_map(|other| Some((at - other, *rows.get(other)?)));
        let differ = |model: &[u16]| row.iter().zip(model).filter(|(own, other)| own != other).count();
        let best = models.chain([(0, zeros.as_slice())]).min_by_key(|(back, model)| (differ(model), *back));
        let (back, model) = best.unwrap_or((0, &zeros));
        let mut change = Change { back, cells: Vec::new() };
        for ((column, cell), _) in (0..).zip(*row).zip(model).filter(|((_, own), other)| own != other) {
            match change.cells.iter_mut().find(|(_, same)| *same == cell) {
                Some((columns, _)) => columns.push(column),
                None => change.cells.push((vec![column], cell)),
            }
        }
        changes.push(change);
        for part in parts {
            let last = alike.entry(part).or_insert([at; 2]);
            *last = [at, last[0]];
        }
    }
    changes
}

/// Reads what [`store`] has written: `rows` rows of `stride` cells, each zero or `known`.
///
/// # Errors
/// Bytes that are no such rows.
pub(in crate::scan) fn restore(
    reader: &mut Reader<'_>,
    stride: usize,
    rows: usize,
    known: impl Fn(u16) -> bool,
) -> Result<Vec<u16>, Damaged> {
    // Each row takes two bytes at least: no memory is taken for more than can be there.
    if rows > reader.left() / 2 {
        return Err(OUTSIDE);
    }
    let last = stride.saturating_sub(1);
    let sets = reader.count(1, usize::MAX)?;
    let (mut bounds, mut columns) = (vec![0], Vec::new());
    for _ in 0..sets {
        for _ in 0..reader.count(1, stride)? {
            columns.push(reader.number(last)?);
        }
        bounds.push(columns.len());
    }
    let mut cells: Vec<u16> = Vec::with_capacity(stride.saturating_mul(rows));
    for at in 0..rows {
        let start = cells.len();
        match reader.number(at)?.checked_mul(stride) {
            None | Some(0) => cells.resize(start + stride, 0),
            Some(back) => {
                let from = start.checked_sub(back).ok_or(OUTSIDE)?;
                cells.extend_from_within(from..from + stride);
            }
        }
        let row = cells.get_mut(start..).unwrap_or_default();
        for _ in 0..reader.count(3, stride)? {
            let set = reader.number(sets)?;
            let cell = u16::from_le_bytes([reader.byte()?, reader.byte()?]);
            let bounds = bounds.get(set).zip(bounds.get(set + 1)).filter(|_| known(cell)).ok_or(OUTSIDE)?;
            for column in columns.get(*bounds.0..*bounds.1).unwrap_or_default() {
                row.get_mut(*column).into_iter().for_each(|place| *place = cell);
            }
        }
    }
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tables() -> impl Strategy<Value = (usize, Vec<u16>)> {
        (1_usize..20).prop_flat_map(|stride| (Just(stride), prop::collection::vec(0_u16..4, 0..40 * stride)))
    }

    proptest! {
        #[test]
        fn what_is_stored_is_read((stride, cells) in tables(), bytes in prop::collection::vec(0_u8..6, 0..60)) {
            let rows = cells.len() / stride;
            let mut writer = Writer::default();
            store(&cells, stride, &mut writer);
            let stored = writer.into_bytes();
            let mut reader = Reader::new(&stored);
            let read = restore(&mut reader, stride, rows, |_| true);
            prop_assert_eq!(read.as_deref(), Ok(&cells[..rows * stride]));
            prop_assert!(reader.end().is_ok());
            // Whatever is read, it has the cells that were asked for, and no others.
            if let Ok(read) = restore(&mut Reader::new(&bytes), stride, rows, |cell| cell < 4) {
                prop_assert_eq!(read.len(), rows * stride);
                prop_assert!(read.iter().all(|cell| *cell < 4));
            }
        }
    }
}
