//! Which of a few windows of byte classes stand somewhere in a value.

use super::require::{PLACES, Window};
use crate::byteset::ByteSet;
use crate::meter::{Exhausted, Meter, Price};

/// A search for up to 128 windows at once: each has a bit in four tables, one for each place, and stands wherever the bytes of four
/// places in a row all have it. What a place costs does not depend on how many windows there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    /// For each byte, the windows that it may stand in, by place; at last those that may be over.
    tables: Box<[[u128; PLACES]; 257]>,
}

impl Windows {
    /// The most windows of one search.
    pub const MOST: usize = 128;
    /// Looking at every place of a value.
    pub const PRICE: Price = Price::new(16, 1024);

    /// A search for some windows, of which the first [`Windows::MOST`] count.
    pub fn new(windows: &[Window]) -> Windows {
        let mut tables = Box::new([[0; PLACES]; 257]);
        for (number, window) in windows.iter().take(Self::MOST).enumerate() {
            for (at, place) in window.0.iter().enumerate() {
                let all = place.bytes == ByteSet::FULL;
                let stands = |byte: usize| match u8::try_from(byte) {
                    Ok(byte) => all || place.bytes.contains(byte),
                    Err(_) => place.end,
                };
                for (_, row) in tables.iter_mut().enumerate().filter(|(byte, _)| stands(*byte)) {
                    row.get_mut(at).into_iter().for_each(|bits| *bits |= 1 << number);
                }
            }
        }
        Windows { tables }
    }

    /// The windows that stand somewhere in a value, as bits.
    ///
    /// # Errors
    /// When fuel has run out.
    pub fn scan(&self, value: &[u8], meter: &mut Meter) -> Result<u128, Exhausted> {
        meter.charge(Self::PRICE.of(value.len()))?;
        let mut found = 0;
        // What is left of windows that began one, two and three places before.
        let (mut one, mut two, mut three) = (0, 0, 0);
        for &byte in value {
            let [first, second, third, fourth] = self.row(usize::from(byte));
            found |= three & fourth;
            (three, two, one) = (two & third, one & second, first);
        }
        let [_, second, third, fourth] = self.row(256);
        // Up to three places behind the end.
        Ok(found | three & fourth | two & third & fourth | one & second & third & fourth)
    }

    #[inline]
    fn row(&self, byte: usize) -> [u128; PLACES] {
        self.tables.get(byte).copied().unwrap_or_default()
    }

    /// Bytes of the tables.
    pub fn memory(&self) -> usize {
        size_of_val(&*self.tables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::require::Place;
    use proptest::prelude::*;

    fn place() -> impl Strategy<Value = Place> {
        let bytes =
            prop_oneof![prop::collection::vec(prop::sample::select(b"abc".to_vec()), 0..3), Just(b"abcd".to_vec())];
        (bytes, any::<bool>()).prop_map(|(bytes, end)| Place { bytes: ByteSet::of(&bytes), end })
    }

    proptest! {
        #[test]
        fn what_stands_somewhere_is_found(
            places in prop::collection::vec(prop::array::uniform4(place()), 1..128),
            value in prop::collection::vec(prop::sample::select(b"abcd".to_vec()), 0..12),
        ) {
            let windows: Vec<_> = places.into_iter().map(Window).collect();
            let found = Windows::new(&windows).scan(&value, &mut Meter::unlimited()).unwrap();
            for (number, window) in windows.iter().enumerate() {
                let somewhere = (0..value.len()).any(|at| window.stands_at(&value[at..]));
                // A window whose first place may be over begins at a byte all the same.
                prop_assert_eq!(found >> number & 1 == 1, somewhere, "{:?} in {:?}", window, value);
            }
        }
    }
}
