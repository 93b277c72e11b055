//! Canonical printing: a ruleset as rule text that reads back to the same ruleset.

use super::{Macro, MacroPart, Variable};

impl Macro {
    /// The text as a rule author writes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &self.parts {
            match part {
                MacroPart::Text(text) => out.extend_from_slice(text),
                MacroPart::Variable { variable, key } => {
                    out.extend_from_slice(b"%{");
                    let (name, key): (&str, Option<&[u8]>) = match variable {
                        Variable::XmlAttributes => ("XML", Some(b"//@*")),
                        variable => (variable.name(), key.as_deref()),
                    };
                    out.extend_from_slice(name.as_bytes());
                    if let Some(key) = key {
                        out.push(b'.');
                        out.extend_from_slice(key);
                    }
                    out.push(b'}');
                }
            }
        }
        out
    }
}
