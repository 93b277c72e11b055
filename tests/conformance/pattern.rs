//! The regular expressions of expectations: PCRE, with DOTALL and MULTILINE, found anywhere in a text.

use fusewall::Limits;
use fusewall::lang::pcre;
use regex_automata::nfa::thompson::{self, pikevm::PikeVM};

/// Compiles a pattern. `Err`: the construct that linear-time matching does not have, or a pattern that is none.
pub fn compile(pattern: &str) -> Result<PikeVM, String> {
    let hir = pcre::parse(format!("(?m){pattern}").as_bytes(), false, &Limits::default()).map_err(|e| e.to_string())?;
    let nfa = thompson::Compiler::new()
        .configure(thompson::Config::new().utf8(false))
        .build_from_hir(&hir)
        .map_err(|error| error.to_string())?;
    PikeVM::new_from_nfa(nfa).map_err(|error| error.to_string())
}

/// Whether the pattern finds something in the text.
pub fn finds(pattern: &str, text: &[u8]) -> Result<bool, String> {
    let regex = compile(pattern)?;
    let mut cache = regex.create_cache();
    Ok(regex.is_match(&mut cache, text))
}

/// What a pattern says when its escapes are taken away: enough to see which words it is made of.
pub fn words(pattern: &str) -> String {
    let mut out = String::new();
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        out.push(if char == '\\' { chars.next().unwrap_or('\\') } else { char });
    }
    out
}
