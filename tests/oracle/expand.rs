//! Macros.

use super::run::Run;
use super::values::{is_selected, members};
use fusewall::rule::{Macro, MacroPart, Selector, Target, Variable};

impl Run<'_> {
    /// The text with its macros replaced: by the first member that is meant, by nothing if there is none.
    pub fn expand(&self, text: &Macro) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &text.parts {
            match part {
                MacroPart::Text(text) => out.extend_from_slice(text),
                MacroPart::Variable { variable, key } => {
                    out.extend(self.first(*variable, key.clone().map_or(Selector::All, Selector::Key)));
                }
                MacroPart::Matching { variable, pattern } => {
                    out.extend(self.first(*variable, Selector::Regex(pattern.clone())));
                }
            }
        }
        out
    }

    /// The value of the first member that the selector takes; nothing if there is none.
    fn first(&self, variable: Variable, selector: Selector) -> Vec<u8> {
        let target = Target { variable, selector, count: false };
        let found = members(self, variable).into_iter().find(|(key, _)| is_selected(self, &target, key.as_deref()));
        found.map(|(_, value)| value).unwrap_or_default()
    }
}
