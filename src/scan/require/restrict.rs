//! A pattern narrowed to the bytes that a value has.

use regex_syntax::hir::{Capture, Class, ClassBytes, ClassBytesRange, Hir, HirKind};

use super::bytes::class_alphabet;
use crate::byteset::ByteSet;

/// The pattern without the parts that need a byte outside `alphabet`.
///
/// On values that consist of these bytes alone it finds what the pattern finds, with the same spans, so what it requires holds
/// for them too; and that is often much more. Most values of ordinary requests consist of `[A-Za-z0-9_.-]` only: a pattern of a
/// hundred branches of which three do without brackets and quotes requires one of three words of them. A pattern that cannot
/// match such values at all becomes one that matches nothing.
///
/// ```
/// use fusewall::Limits;
/// use fusewall::byteset::ByteSet;
/// use fusewall::scan::require::{Bounds, Need, require, restrict};
///
/// let hir = fusewall::lang::pcre::parse(br"['(]|eval", false, &Limits::default()).unwrap().hir;
/// assert_eq!(require(&hir, &Bounds::default()).literals, Need::Always);
///
/// let lower = restrict(&hir, &ByteSet::range(b'a', b'z'));
/// assert_eq!(require(&lower, &Bounds::default()).literals, Need::Literal((*b"eval").into()));
/// ```
#[must_use]
pub fn restrict(hir: &Hir, alphabet: &ByteSet) -> Hir {
    narrowed(hir, alphabet).unwrap_or_else(Hir::fail)
}

/// The restricted pattern, if it can still match.
fn narrowed(hir: &Hir, alphabet: &ByteSet) -> Option<Hir> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(hir.clone()),
        HirKind::Literal(literal) => literal.0.iter().all(|&byte| alphabet.contains(byte)).then(|| hir.clone()),
        HirKind::Class(Class::Bytes(bytes)) => {
            let inside =
                bytes.iter().flat_map(|range| range.start()..=range.end()).filter(|&byte| alphabet.contains(byte));
            let inside: Vec<ClassBytesRange> = inside.map(|byte| ClassBytesRange::new(byte, byte)).collect();
            (!inside.is_empty()).then(|| Hir::class(Class::Bytes(ClassBytes::new(inside))))
        }
        HirKind::Class(class) => class_alphabet(class).intersects(alphabet).then(|| hir.clone()),
        HirKind::Capture(capture) => {
            let sub = Box::new(narrowed(&capture.sub, alphabet)?);
            Some(Hir::capture(Capture { index: capture.index, name: capture.name.clone(), sub }))
        }
        HirKind::Repetition(repetition) => match narrowed(&repetition.sub, alphabet) {
            Some(sub) => Some(Hir::repetition(repetition.with(sub))),
            None => (repetition.min == 0).then(Hir::empty),
        },
        HirKind::Concat(parts) => {
            parts.iter().map(|part| narrowed(part, alphabet)).collect::<Option<Vec<Hir>>>().map(Hir::concat)
        }
        HirKind::Alternation(parts) => {
            let parts: Vec<Hir> = parts.iter().filter_map(|part| narrowed(part, alphabet)).collect();
            (!parts.is_empty()).then(|| Hir::alternation(parts))
        }
    }
}
