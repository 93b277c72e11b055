//! Macros.

use super::run::Run;
use super::values::{is_selected, members};
use fusewall::rule::{Macro, MacroPart, Selector, Target};

impl Run<'_> {
    /// The text with its macros replaced: by the first member that is meant, by nothing if there is none.
    pub fn expand(&self, text: &Macro) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &text.parts {
            match part {
                MacroPart::Text(text) => out.extend_from_slice(text),
                MacroPart::Variable { variable, key } => {
                    let selector = key.clone().map_or(Selector::All, Selector::Key);
                    let target = Target { variable: *variable, selector, count: false };
                    let found = members(self, *variable);
                    if let Some((_, value)) = found.iter().find(|(key, _)| is_selected(self, &target, key.as_deref())) {
                        out.extend_from_slice(value);
                    }
                }
            }
        }
        out
    }
}
