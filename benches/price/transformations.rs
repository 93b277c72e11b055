//! Transformations.

use crate::inputs::prose;
use crate::table::Table;
use crate::texts::{SIZE, around};
use fusewall::transform::{Context, Transformation};
use std::hint::black_box;

/// What some transformation changes, whole and torn.
const PIECES: &[&str] = &[
    "%41",
    "%u0041",
    "%uff1c",
    "%zz",
    "%",
    "%%",
    "\\x41",
    "\\u0041",
    "\\41",
    "\\",
    "\\\\",
    "&lt;",
    "&#x41;",
    "&#65",
    "&",
    "&amp",
    "/*",
    "*/",
    "/*x*/",
    "--",
    "#",
    "../",
    "/./",
    "//",
    "a/../",
    "..\\",
    "'",
    "\"",
    "^",
    " ",
    "  ",
    " \t",
    "\0",
    "0x4142",
    "0x",
    "YWJj",
    "YQ==",
    "=",
    "CHAR(65)",
    "A",
    "z",
    "\u{e9}",
    "\u{20ac}",
    "\u{10348}",
    "\u{ff}",
    "||",
    ";",
    ",",
    "+",
    "[",
    "a.b c",
];

pub fn rows(table: &mut Table) {
    let context = Context { unicode_map: None };
    let mut out = Vec::new();
    let hostile = around(PIECES);
    let ordinary = prose(SIZE);
    for transformation in Transformation::ALL {
        table.both(&format!("t:{transformation:?}"), &ordinary, &hostile, |input| {
            black_box(transformation.apply(black_box(input), &mut out, &context));
            transformation.price().of(input.len())
        });
    }
}
