//! SecLang: the rule language of ModSecurity, read into the rule model.
//!
//! The way of a rule file: `lexer` joins lines and splits them into words, keeping the place of every byte (`text`);
//! [`load`] follows includes and hands each directive on; `rules` reads rules with the help of `target`, `operator` and
//! `action`; `update` applies removals and updates to the rules loaded so far; `finish` resolves default actions and
//! checks what can only be checked at the end. `names` says of every name in the reference manuals what becomes of it.
//!
//! Nothing is dropped silently and nothing stops at the first error. Where ModSecurity v2, v3 and Coraza differ, v2 is followed:
//! `Include` without a match is an error (`IncludeOptional` is not), removals and updates act on rules loaded before them.

pub mod codes;

mod action;
mod ctl;
mod data;
#[cfg(feature = "cli")]
pub(crate) mod examples;
#[cfg(feature = "cli")]
pub(crate) mod fields;
mod finish;
mod ids;
mod lexer;
mod load;
mod macros;
mod names;
mod nearest;
mod operator;
mod pattern;
mod reader;
mod rules;
mod settings;
mod setvar;
mod target;
mod text;
mod update;

use crate::diag::{Diagnostics, SourceMap};
pub use names::rights::Rights;

use crate::files::{Files, MemoryFiles};
use crate::limits::Limits;
use crate::rule::{Pattern, Ruleset};
use std::path::PathBuf;

/// What is known of a pattern that was accepted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Where its first back-reference stands, and bytes of that.
    pub back_reference: Option<(usize, usize)>,
}

/// Tells of a pattern that it was accepted before, under the same limits: it is not read again.
pub type Known<'a> = &'a dyn Fn(&Pattern) -> Option<Accepted>;

/// Where reading begins.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'a> {
    /// Files in order. A path may be a folder: all its `*.conf` files, sorted.
    Paths(&'a [PathBuf]),
    /// A text. Relative paths in it start at the folder of `name`.
    Text {
        /// Its name in findings.
        name: &'a str,
        /// SecLang.
        text: &'a [u8],
    },
}

/// Rules of one origin: where reading begins, how files are reached from there, and what these rules may do.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// Where reading begins.
    pub entry: Entry<'a>,
    /// How files are reached.
    pub files: &'a dyn Files,
    /// What the rules may do.
    pub rights: Rights,
    /// How far inside the rules stand, as those of a location in a server do: rules of greater depth run first. Settings, removals and
    /// updates follow the order of the parts.
    pub depth: usize,
}

/// Reads rules, part by part: one ruleset. All findings of all files go to `diagnostics`; after an error the ruleset must not be used.
pub fn read(
    parts: &[Part<'_>],
    limits: &Limits,
    known: Known<'_>,
    sources: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Ruleset {
    let nowhere = MemoryFiles::new();
    let mut loader = load::Loader::new(&nowhere, limits, known, sources, diagnostics);
    for part in parts {
        loader.part(part);
        match part.entry {
            Entry::Paths(paths) => paths.iter().for_each(|path| loader.top(path)),
            Entry::Text { name, text } => loader.text(name, text),
        }
    }
    loader.finish()
}

/// Reads rule files in order. A path may be a folder: all its `*.conf` files, sorted.
///
/// All findings of all files go to `diagnostics`; after an error the ruleset must not be used.
pub fn load(
    paths: &[PathBuf],
    files: &dyn Files,
    limits: &Limits,
    sources: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Ruleset {
    let part = Part { entry: Entry::Paths(paths), files, rights: Rights::All, depth: 0 };
    read(&[part], limits, &|_| None, sources, diagnostics)
}

/// Reads rules from a text. Relative paths in it start at the folder of `name`.
///
/// ```
/// use fusewall::diag::{Diagnostics, SourceMap};
/// use fusewall::files::MemoryFiles;
/// use fusewall::{Limits, lang::seclang};
///
/// let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(10));
/// let text = br#"SecRule ARGS:q "@contains <script" "id:1,phase:2,deny""#;
/// let rules = seclang::load_text("my.conf", text, &MemoryFiles::new(), &Limits::default(), &mut sources, &mut found);
/// assert_eq!((rules.rules.len(), found.errors()), (1, 0));
/// ```
pub fn load_text(
    name: &str,
    text: &[u8],
    files: &dyn Files,
    limits: &Limits,
    sources: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Ruleset {
    let part = Part { entry: Entry::Text { name, text }, files, rights: Rights::All, depth: 0 };
    read(&[part], limits, &|_| None, sources, diagnostics)
}
